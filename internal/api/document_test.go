package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pincall/pincall/internal/api"
	"github.com/pincall/pincall/internal/edge"
)

func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	raw := text(t, do(newServer(t, &fake{}), "GET /openapi.json", ""))
	doc, err := openapi3.NewLoader().LoadFromData([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.OpenAPI != "3.1.0" || strings.Contains(raw, "ErrorModel") || strings.Contains(raw, `"value"`) {
		t.Error("not the document of this API")
	}
	want := map[string]string{
		"/healthz": "GET", "/v1/verifications": "POST", "/v1/verifications/{id}": "GET", "/v1/verifications/{id}/check": "POST",
		"/v1/verifications/{id}/cancel": "POST", "/v1/verifications/{id}/resend": "POST", "/v1/verifications/{id}/next": "POST",
		"/v1/verifications/{id}/attempts": "GET", "/v1/verifications/{id}/events": "GET",
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if want[path] != method {
				t.Errorf("unexpected %s %s", method, path)
			}
			delete(want, path)
			if op.Summary == "" || op.Description == "" || op.Responses.Value("500") == nil {
				t.Errorf("%s %s is not described", method, path)
			}
			once := op.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
			if once != (method == "POST") {
				t.Errorf("%s %s: Idempotency-Key %v", method, path, once)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("not in the document: %v", want)
	}
	for name, s := range doc.Components.Schemas {
		for field, p := range s.Value.Properties {
			list := p.Value.Items != nil || p.Ref != "" // its elements or fields have examples
			if p.Value.Description == "" || p.Value.Example == nil && len(p.Value.Examples) == 0 && !list {
				t.Errorf("%s.%s has no description or no example", name, field)
			}
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var down error
	m := edge.New(edge.Config{Log: slog.New(slog.DiscardHandler)})
	must(t, api.Register(m, api.Config{Core: &fake{}, Ready: func(context.Context) error { return down }}))
	if b := text(t, do(m, "GET /healthz", "")); b != `{"status":"ok"}` {
		t.Error(b)
	}
	down = errors.New("the disk is full of secrets")
	r := do(m, "GET /healthz", "")
	if b := text(t, r); r.StatusCode != http.StatusServiceUnavailable || strings.Contains(b, "secrets") {
		t.Errorf("%d %s", r.StatusCode, b)
	}
}

// Servers are made at the same time in one process: nothing is shared.
func TestManyServers(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := newServer(t, &fake{})
			if p := read[edge.Problem](t, s.ask("POST", "/v1/verifications", `{"to":1}`), 422); p.Code != "invalid_input" {
				t.Errorf("got %+v", p)
			}
		})
	}
	wg.Wait()
}

func BenchmarkStart(b *testing.B) {
	s := newServer(b, &fake{})
	b.ReportAllocs()
	for b.Loop() {
		s.log.Reset()
		if r := s.ask("POST", "/v1/verifications", `{"to":"+81312345678","channel":"voice","locale":"ja","purpose":"login"}`); r.StatusCode != 201 {
			b.Fatal(r.StatusCode)
		}
	}
}
