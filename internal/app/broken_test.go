package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
)

// bodies are what the operations that take one are asked with, by operation id.
var bodies = map[string]string{
	"start": `{"to":"+818012345679"}`, "check": `{"code":"123456"}`, "resend": `{}`, "next": `{}`, "cancel": `{}`,
	"new_key": `{"scopes":["read"]}`, "new_service": `{"name":"Shop"}`, "put_service": `{"name":"Shop"}`,
	"put_template": `{"phrases":{"goodbye":"Good-bye."}}`, "erase": `{"number":"+818012345678"}`,
}

// operation is one of the OpenAPI document.
type operation struct{ id, method, path, body string }

// operations are all that the document has.
func operations(t *testing.T, document string) []operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			RequestBody json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		t.Fatal(err)
	}
	var out []operation
	for path, methods := range doc.Paths {
		for method, op := range methods {
			body, ok := bodies[op.OperationID]
			if op.RequestBody != nil && !ok {
				t.Errorf("%s %s: the operation %s has no body here", method, path, op.OperationID)
			}
			out = append(out, operation{op.OperationID, strings.ToUpper(method), path, body})
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d operations were found", len(out))
	}
	return out
}

// Every operation, while the database's server is down: a 503 that says when to
// come back, and nothing of what is wrong.
func TestBrokenDatabase(t *testing.T) {
	t.Parallel()
	pgtest.Shared(t) // where there is no PostgreSQL, the test is skipped here
	cluster, err := pgtest.Start(pgtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	s := newShared(t, cluster)
	r := s.run("sim: {pace: fast}\n", nil)
	c := callerOf(r)
	_, document := c.ask(http.MethodGet, "/openapi.json", "")
	ops := operations(t, document)
	v := r.begin(client.StartRequest{To: "+818012345678"})

	// Who asks is remembered for two seconds: the operations themselves fail.
	_, err = r.Get(t.Context(), v.ID)
	r.ok(err)
	r.ok(cluster.Kill())
	var all sync.WaitGroup
	for _, op := range ops {
		all.Go(func() {
			path := strings.NewReplacer("{id}", idIn(op.path, v.ID), "{lang}", "en").Replace(op.path)
			req, err := http.NewRequestWithContext(t.Context(), op.method, c.base+path, strings.NewReader(op.body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+c.key)
			if op.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Errorf("%s: %v", op.id, err)
				return
			}
			defer res.Body.Close()
			unavailable(t, op.id, res)
		})
	}
	all.Wait()
	r.ok(cluster.Restart())
	r.until(v.ID, "the database", func(client.Verification) bool { return true })
}

// idIn is an id of the kind that the path wants.
func idIn(path, verification string) string {
	if strings.HasPrefix(path, "/v1/verifications/") {
		return verification
	}
	return "default"
}

// unavailable checks an answer.
func unavailable(t *testing.T, op string, res *http.Response) {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: %v", op, err)
	}
	text := string(b)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
		res.Header.Get("Content-Type") != edge.ProblemType || !strings.Contains(text, `"unavailable"`) {
		t.Errorf("%s: %d, Retry-After %q: %s", op, res.StatusCode, res.Header.Get("Retry-After"), text)
	}
	for _, internal := range []string{"postgres", "pgx", "dial", "socket", "user=", "SQL", "connect to", dbPassword} {
		if strings.Contains(text, internal) {
			t.Errorf("%s: the answer tells of %q", op, internal)
		}
	}
}
