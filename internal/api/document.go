package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/edge"
)

// tag groups the actions in the document.
const tag = "verifications"

// describe begins the OpenAPI document.
func describe(version string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "pincall", Version: version,
			Description: "Verifies that a person holds a phone number: says a code in a call, or sends it, and checks what they type back.",
		},
		Servers: []*huma.Server{{URL: "/", Description: "This server."}},
		Tags: []*huma.Tag{
			{Name: tag, Description: "Proofs that a person holds a number."},
			{Name: "server", Description: "The server itself."},
		},
		Security: []map[string][]string{{"bearer": {}}, {"cookie": {}}},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "An API key (pck_...), or the client token of a verification (pct_...)."},
				"cookie": {Type: "apiKey", In: "cookie", Name: edge.CookieName, Description: "A client token, for pages of this origin only."},
			},
		},
	}
}

// describeRefusals adds to an operation what it may answer instead, and the
// header that makes it happen once.
func (s *server) describeRefusals(op *operation) {
	schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[edge.Problem](), true, "")
	statuses := append([]int{http.StatusInternalServerError}, op.errs...)
	if !op.access.Public {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	if op.Method == http.MethodPost || op.Method == http.MethodPut {
		statuses = append(statuses, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if op.onlyOnce() {
		statuses = append(statuses, http.StatusConflict)
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: onceHeader, In: "header", Example: "order-4711",
			Description: "Makes the request happen once: the same key and body again gives the same answer again, for 24 hours. " +
				"Printable ASCII. Another body with the key is a 409.",
			Schema: &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(maxOnce)},
		})
	}
	for _, status := range statuses {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{edge.ProblemType: {Schema: schema}},
			Headers:     refusalHeaders(status),
		}
	}
}

// refusalHeaders are the headers of a refusal.
func refusalHeaders(status int) map[string]*huma.Header {
	out := map[string]*huma.Header{}
	if slices.Contains([]int{http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}, status) {
		out["Retry-After"] = &huma.Header{Description: "Seconds to wait, where waiting helps.", Schema: &huma.Schema{Type: huma.TypeInteger}}
	}
	if status == http.StatusUnauthorized {
		out["WWW-Authenticate"] = &huma.Header{Description: "Bearer", Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return out
}

// onlyOnce says that the action takes an Idempotency-Key.
func (op operation) onlyOnce() bool { return op.Method == http.MethodPost && !op.unkept }

// answerHeaders are the headers of an action's answer.
func answerHeaders(op operation) map[string]*huma.Header {
	out := map[string]*huma.Header{}
	if op.DefaultStatus == http.StatusCreated && !op.unkept {
		out["Location"] = &huma.Header{Description: "Where it is.", Schema: &huma.Schema{Type: huma.TypeString}}
	}
	if op.onlyOnce() {
		out["Idempotent-Replayed"] = &huma.Header{Description: "true: the answer was given before, and nothing was done now.", Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return out
}

func ptr(n int) *int { return &n }

// serveDocument adds GET /openapi.json. The document is written once, here:
// huma's own route would write it at the first request, without a lock.
func (s *server) serveDocument(m *edge.Mux) error {
	// huma registers its own form of a refusal, which nothing here answers with.
	schemas := s.huma.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	document, err := json.Marshal(s.huma.OpenAPI())
	if err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	m.Handle(edge.Route{Method: http.MethodGet, Pattern: "/openapi.json", Access: edge.Access{Public: true}},
		func(w http.ResponseWriter, _ *edge.Request) error {
			return edge.WriteJSON(w, http.StatusOK, document)
		})
	return nil
}
