package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pincall/pincall/internal/app"
)

// caller asks a running server with its first key.
type caller struct {
	t    *testing.T
	base string
	key  string
}

func callerOf(r *running) caller {
	r.t.Helper()
	key, err := app.ReadKeyFile(r.dir)
	r.ok(err)
	return caller{r.t, "http://" + r.main.Addr(), key}
}

// ask gives the status and the body.
func (c caller) ask(method, path, body string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// begin starts a verification of its own, for an example that needs one.
func (c caller) begin(to string) string {
	c.t.Helper()
	status, body := c.ask(http.MethodPost, "/v1/verifications", `{"to":"`+to+`","purpose":"example","workflow":[{"channel":"sms"},{"channel":"voice"}]}`)
	var v struct{ ID string }
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != http.StatusCreated {
		c.t.Fatalf("%d %s", status, body)
	}
	return v.ID
}

var documented = regexp.MustCompile(`(?m)^(GET|POST|PUT|PATCH|DELETE)\s+(/\S+)[ \t]*(\{.*?\}(?:[ \t]|$))?`)

// Every request that the documents show is understood by the server. (A phone
// that does not ring answers 409: the example is about its form.)
func TestDocumentedRequests(t *testing.T) {
	t.Parallel()
	r := run(t, t.TempDir(), "sim: {pace: fast}\nguard: {starts_per_number: 1000/1h, sends_per_number: 1000/1h}\n", nil)
	c := callerOf(r)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(err)
	}
	ran := 0
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range documented.FindAllStringSubmatch(string(b), -1) {
			method, path, body := m[1], m[2], strings.TrimSpace(m[3])
			if strings.Contains(path+body, "…") || strings.Contains(path, "/events") || method != http.MethodGet && method != http.MethodPost && body == "" {
				continue // abbreviated; a stream that does not end; what needs something to change or delete
			}
			path = strings.NewReplacer("{id}", c.idFor(path), "{number}", "+818012345678", "{lang}", "en").Replace(path)
			status, answer := c.ask(method, path, body)
			if status >= 300 && status != http.StatusConflict && !strings.Contains(answer, "no such template") {
				t.Errorf("%s: %s %s: %d %s", filepath.Base(page), method, m[2], status, answer)
			}
			ran++
		}
	}
	if ran < 8 {
		t.Errorf("only %d requests were found", ran)
	}
}

// idFor gives an id of the kind that the path wants.
func (c caller) idFor(path string) string {
	if strings.HasPrefix(path, "/v1/verifications/") {
		return c.begin("+818012345670")
	}
	if strings.HasPrefix(path, "/v1/keys/") {
		_, body := c.ask(http.MethodPost, "/v1/keys", `{"scopes":["read"]}`)
		var k struct{ ID string }
		if err := json.Unmarshal([]byte(body), &k); err != nil {
			c.t.Fatal(err)
		}
		return k.ID
	}
	return "default"
}

// schema is the part of an OpenAPI schema that examples need.
type schema struct {
	Ref        string            `json:"$ref"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Examples   []any             `json:"examples"`
	Items      *schema           `json:"items"`
}

// Each example of the OpenAPI document, alone beside what is required, is
// accepted.
func TestOpenAPIExamples(t *testing.T) {
	t.Parallel()
	r := run(t, t.TempDir(), "sim: {pace: fast}\nguard: {starts_per_number: 1000/1h, sends_per_number: 1000/1h, concurrent_calls: 1000}\n", nil)
	c := callerOf(r)
	_, text := c.ask(http.MethodGet, "/openapi.json", "")
	var doc struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]schema }
	}
	r.ok(json.Unmarshal([]byte(text), &doc))
	start := doc.Components.Schemas["Start"]
	together := []string{"amount", "currency", "payee"}
	tried := 0
	for name, p := range start.Properties {
		if len(p.Examples) == 0 {
			continue
		}
		body := map[string]any{"to": "+818012345671"}
		for _, field := range together {
			if slices.Contains(together, name) {
				body[field] = start.Properties[field].Examples[0]
			}
		}
		body[name] = p.Examples[0]
		b, err := json.Marshal(body)
		r.ok(err)
		if status, answer := c.ask(http.MethodPost, "/v1/verifications", string(b)); status != http.StatusCreated {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		tried++
	}
	if tried < 10 {
		t.Errorf("only %d examples were found", tried)
	}
}
