package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/pincall/pincall/internal/edge"
)

// huma reads requests by their types, validates them, and describes both in the
// OpenAPI document. Its own way of refusing repeats values and is configured by
// package variables; here every refusal becomes an error that edge writes, and
// no variable of huma's is touched.

// server is the API while its actions are being added.
type server struct {
	cfg  Config
	huma huma.API
	to   *adapter
}

func newAPI(m *edge.Mux, cfg Config) *server {
	a := &adapter{mux: m}
	// The only answers that huma itself would write are refusals: see refuse.
	format := huma.Format{Unmarshal: json.Unmarshal, Marshal: func(io.Writer, any) error { return nil }}
	return &server{cfg: cfg, to: a, huma: huma.NewAPI(huma.Config{
		OpenAPI:       describe(cfg.Version),
		Formats:       map[string]huma.Format{"application/json": format, edge.ProblemType: format},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{refuse},
	}, a)}
}

// adapter lets huma's operations be routes of edge.
type adapter struct {
	mux *edge.Mux
	// Of the operation that is being added.
	access edge.Access
	unkept bool
	plain  func(http.ResponseWriter, *edge.Request) (done bool, err error)
}

// Handle adds an operation.
func (a *adapter) Handle(op *huma.Operation, h func(huma.Context)) {
	route, unkept := edge.Route{Method: op.Method, Pattern: op.Path, Access: a.access, Quiet: op.Path == healthPath}, a.unkept
	plain := a.plain
	a.mux.Handle(route, func(w http.ResponseWriter, r *edge.Request) error {
		if unkept && len(r.Header.Values(onceHeader)) > 0 {
			return &edge.Invalid{Errors: []edge.FieldError{{Location: "header." + onceHeader, Message: "not supported here: the answer is not kept"}}}
		}
		if done, err := plain(w, r); done {
			return err
		}
		c := &call{humaContext: humago.NewContext(op, r.Request, w), request: r, w: w}
		h(c)
		return c.refusal
	})
}

// ServeHTTP is part of huma's interface; nothing calls it.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// humaContext is huma.Context under a name that is not one of its methods'.
type humaContext = huma.Context

// call is one request on its way through huma.
type call struct {
	humaContext
	request *edge.Request
	w       http.ResponseWriter
	// refusal, once set, is the answer: what huma writes is dropped.
	refusal error
}

// BodyReader gives the body that edge has read and checked.
func (c *call) BodyReader() io.Reader { return bytes.NewReader(c.request.Body) }

// Header gives a request's header; the media type, which edge has judged, as huma
// looks it up.
func (c *call) Header(name string) string {
	if http.CanonicalHeaderKey(name) == "Content-Type" && len(c.request.Body) > 0 {
		return "application/json"
	}
	return c.humaContext.Header(name)
}

// SetReadDeadline does nothing: the body has been read.
func (c *call) SetReadDeadline(time.Time) error { return nil }

// SetStatus begins the answer, unless it is a refusal.
func (c *call) SetStatus(code int) {
	if c.refusal == nil {
		c.humaContext.SetStatus(code)
	}
}

// BodyWriter takes the answer.
func (c *call) BodyWriter() io.Writer {
	if c.refusal != nil {
		return io.Discard
	}
	return c.humaContext.BodyWriter()
}

// refuse is a huma.Transformer: it sees every refusal before it is written, and
// takes it away.
func refuse(ctx huma.Context, _ string, v any) (any, error) {
	c, ok := ctx.(*call)
	if !ok {
		return nil, fmt.Errorf("refuse: unexpected context %T", ctx)
	}
	switch v := v.(type) {
	case *failure:
		c.refusal = v.err
	case *huma.ErrorModel:
		c.refusal = invalid(v)
	default:
		c.refusal = fmt.Errorf("refuse: unexpected answer %T", v)
	}
	return nil, nil
}

// failure carries an action's error through huma.
type failure struct{ err error }

func (f *failure) Error() string { return "the action failed" }

// GetStatus makes it a huma.StatusError; edge decides the status.
func (f *failure) GetStatus() int { return http.StatusInternalServerError }

// Asked is embedded in every input: the request as edge gave it.
type Asked struct{ request *edge.Request }

// Resolve implements huma.Resolver: huma calls it before the action.
func (a *Asked) Resolve(ctx huma.Context) []error {
	c, ok := ctx.(*call)
	if !ok {
		return []error{errors.New("unexpected context")}
	}
	a.request = c.request
	return nil
}

// output writes an answer.
type output struct{ Body func(huma.Context) }

// answer is an action's answer: a document that is ready.
type answer struct {
	status   int
	document []byte
	location string // of what was made; empty: none
	replayed bool
}

// output gives the answer to huma.
func (a answer) output() *output {
	return &output{func(ctx huma.Context) {
		if c, ok := ctx.(*call); ok { // there is no other
			a.write(c.w)
		}
	}}
}

// write answers.
func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.document) // a caller that is gone cannot be told
}

// operation is an action's place, and what is said of it.
type operation struct {
	huma.Operation
	access edge.Access
	errs   []int // HTTP statuses of refusals, beside those that every action has
	unkept bool  // no answer of it is kept: an Idempotency-Key is refused
}

// add registers an action. R is the type of its answer, for the document.
func add[R, I any](s *server, op operation, act func(context.Context, *I) (answer, error)) {
	status := strconv.Itoa(op.DefaultStatus)
	schemas := s.huma.OpenAPI().Components.Schemas
	schema := schemas.Schema(reflect.TypeFor[R](), true, "")
	op.Responses = map[string]*huma.Response{status: {
		Description: http.StatusText(op.DefaultStatus),
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
		Headers:     answerHeaders(op),
	}}
	s.describeRefusals(&op)
	var p *plain // once huma has described the input
	s.to.access, s.to.unkept = op.access, op.unkept
	s.to.plain = func(w http.ResponseWriter, r *edge.Request) (bool, error) {
		if p == nil {
			return false, nil
		}
		in := new(I)
		if !p.read(r, reflect.ValueOf(in).Elem()) {
			return false, nil
		}
		out, err := act(r.Context(), in)
		if err == nil {
			out.write(w)
		}
		return true, err
	}
	huma.Register(s.huma, op.Operation, func(ctx context.Context, in *I) (*output, error) {
		out, err := act(ctx, in)
		if err != nil {
			return nil, &failure{err}
		}
		return out.output(), nil
	})
	p = plainFor(reflect.TypeFor[I](), schemas)
}

// encode gives a document.
func encode[T any](v T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b, nil
}
