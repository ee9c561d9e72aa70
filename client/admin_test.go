package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAdministrationsRequests(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(context.Context, *Client) error
		want seen
		once bool
	}{
		"services": {func(ctx context.Context, c *Client) error { _, err := c.Services(ctx); return err },
			seen{Method: "GET", Path: "/v1/services"}, false},
		"service": {func(ctx context.Context, c *Client) error { _, err := c.Service(ctx, "s/1"); return err },
			seen{Method: "GET", Path: "/v1/services/s%2F1"}, false},
		"new service": {func(ctx context.Context, c *Client) error {
			_, err := c.NewService(ctx, Settings{Name: "Shop"})
			return err
		},
			seen{Method: "POST", Path: "/v1/services", Body: `{"name":"Shop"}`}, true},
		"set service": {func(ctx context.Context, c *Client) error {
			_, err := c.SetService(ctx, "s1", Settings{Name: "Shop", CodeLength: 8, Workflow: []Step{{Channel: "sms"}}})
			return err
		}, seen{Method: "PUT", Path: "/v1/services/s1", Body: `{"name":"Shop","code_length":8,"workflow":[{"channel":"sms"}]}`}, false},
		"delete service": {func(ctx context.Context, c *Client) error { _, err := c.DeleteService(ctx, "s1"); return err },
			seen{Method: "DELETE", Path: "/v1/services/s1"}, false},
		"template": {func(ctx context.Context, c *Client) error { _, err := c.Template(ctx, "s1", "en"); return err },
			seen{Method: "GET", Path: "/v1/services/s1/templates/en"}, false},
		"set template": {func(ctx context.Context, c *Client) error {
			_, err := c.SetTemplate(ctx, "s1", "en", Template{SMS: "{{code}}"})
			return err
		}, seen{Method: "PUT", Path: "/v1/services/s1/templates/en", Body: `{"sms":"{{code}}"}`}, false},
		"delete template": {func(ctx context.Context, c *Client) error { _, err := c.DeleteTemplate(ctx, "s1", "en"); return err },
			seen{Method: "DELETE", Path: "/v1/services/s1/templates/en"}, false},
		"keys": {func(ctx context.Context, c *Client) error { _, err := c.Keys(ctx); return err },
			seen{Method: "GET", Path: "/v1/keys"}, false},
		"new key": {func(ctx context.Context, c *Client) error {
			_, err := c.NewKey(ctx, "shop", ScopeVerify, ScopeRead)
			return err
		},
			seen{Method: "POST", Path: "/v1/keys", Body: `{"name":"shop","scopes":["verify","read"]}`}, false},
		"revoke key": {func(ctx context.Context, c *Client) error { _, err := c.RevokeKey(ctx, "k1"); return err },
			seen{Method: "DELETE", Path: "/v1/keys/k1"}, false},
		"audit": {func(ctx context.Context, c *Client) error { _, err := c.Audit(ctx, 0, 0); return err },
			seen{Method: "GET", Path: "/v1/audit"}, false},
		"audit, a page": {func(ctx context.Context, c *Client) error { _, err := c.Audit(ctx, 7, 50); return err },
			seen{Method: "GET", Path: "/v1/audit?before=7&limit=50"}, false},
		"erase": {func(ctx context.Context, c *Client) error { _, err := c.Erase(ctx, testNumber, true); return err },
			seen{Method: "POST", Path: "/v1/erasures", Body: `{"number":"+14155550100","forget_blocks":true}`}, true},
		"statistics": {func(ctx context.Context, c *Client) error { _, err := c.Statistics(ctx, "2026-01-01", ""); return err },
			seen{Method: "GET", Path: "/v1/statistics?from=2026-01-01"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &recorder{status: 200, answer: `{}`}
			if err := tc.do(t.Context(), serve(t, s)); err != nil {
				t.Fatal(err)
			}
			got := s.got[0]
			if (got.once != "") != tc.once || got.auth != "Bearer "+testKey {
				t.Errorf("Idempotency-Key %v", got.once != "")
			}
			got.once, got.auth = "", ""
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(seen{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAdministrationsAnswers(t *testing.T) {
	t.Parallel()
	keys := &recorder{status: 201, answer: `{"id":"k1","scopes":["verify"],"created_at":"2026-01-02T03:04:05Z","key":"pck_k1_x"}`}
	made, err := serve(t, keys).NewKey(t.Context(), "", ScopeVerify)
	want := MadeKey{Key{ID: "k1", Scopes: []string{"verify"}, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, "pck_k1_x"}
	if diff := cmp.Diff(want, made); diff != "" || err != nil || made.Secret.String() == "pck_k1_x" {
		t.Error(err, diff)
	}
	audit := &recorder{status: 200, answer: `{"entries":[{"id":7,"by":"cli","action":"service.changed","target":"s","after":{"name":"Shop"}}]}`}
	entries, err := serve(t, audit).Audit(t.Context(), 0, 1)
	if err != nil || len(entries) != 1 || entries[0].ID != 7 || string(entries[0].After) != `{"name":"Shop"}` || entries[0].Before != nil {
		t.Errorf("%+v, %v", entries, err)
	}
}

// A lost answer is asked for again, except that of a new key, which a second
// request would make twice.
func TestAdministrationsRetries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(context.Context, *Client) error
		want int32
	}{
		"put":     {func(ctx context.Context, c *Client) error { _, err := c.SetService(ctx, "s", Settings{}); return err }, 2},
		"delete":  {func(ctx context.Context, c *Client) error { _, err := c.RevokeKey(ctx, "k"); return err }, 2},
		"post":    {func(ctx context.Context, c *Client) error { _, err := c.NewService(ctx, Settings{}); return err }, 2},
		"new key": {func(ctx context.Context, c *Client) error { _, err := c.NewKey(ctx, "", ScopeRead); return err }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1) == 1 {
					panic(http.ErrAbortHandler)
				}
				_, _ = w.Write([]byte(`{}`))
			}))
			t.Cleanup(srv.Close)
			// net/http itself repeats a request on a connection that was used before.
			c, err := New(Config{BaseURL: srv.URL, Key: testKey, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
			if err != nil {
				t.Fatal(err)
			}
			err = tc.do(t.Context(), c)
			if n.Load() != tc.want || (err == nil) != (tc.want == 2) {
				t.Errorf("asked %d times: %v", n.Load(), err)
			}
		})
	}
}
