package client

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	testKey    = "pck_k1_notarealkeynotarealkey"
	testNumber = "+14155550100"
)

// seen is one request as a server saw it.
type seen struct {
	Method, Path, Body string
	once, auth         string
}

// recorder answers every request with the same body and keeps what it saw.
type recorder struct {
	status int
	answer string
	got    []seen
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.got = append(s.got, seen{
		Method: r.Method, Path: r.URL.RequestURI(), Body: string(body),
		once: r.Header.Get("Idempotency-Key"), auth: r.Header.Get("Authorization"),
	})
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.answer)
}

func serve(t *testing.T, h http.Handler) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Config{BaseURL: srv.URL + "/", Key: testKey, HTTPClient: srv.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(*Client) error
		want seen
		once bool
	}{
		"start": {func(c *Client) error {
			_, err := c.Start(t.Context(), StartRequest{To: testNumber, Workflow: []Step{{"sms", 30}, {Channel: "voice"}}, Screen: true})
			return err
		}, seen{Method: "POST", Path: "/v1/verifications",
			Body: `{"to":"+14155550100","workflow":[{"channel":"sms","timeout_seconds":30},{"channel":"voice"}],"screen":true}`}, true},
		"get": {func(c *Client) error { _, err := c.Get(t.Context(), "v1"); return err },
			seen{Method: "GET", Path: "/v1/verifications/v1"}, false},
		"check": {func(c *Client) error {
			_, err := c.Check(t.Context(), "v1", CheckRequest{Code: "0542", Amount: "12.50", Currency: "EUR", Payee: "Shop"})
			return err
		}, seen{Method: "POST", Path: "/v1/verifications/v1/check",
			Body: `{"code":"0542","amount":"12.50","currency":"EUR","payee":"Shop"}`}, true},
		"cancel": {func(c *Client) error { _, err := c.Cancel(t.Context(), "v1"); return err },
			seen{Method: "POST", Path: "/v1/verifications/v1/cancel", Body: `{}`}, true},
		"resend": {func(c *Client) error { _, err := c.Resend(t.Context(), "v1", "sms"); return err },
			seen{Method: "POST", Path: "/v1/verifications/v1/resend", Body: `{"channel":"sms"}`}, true},
		"next": {func(c *Client) error { _, err := c.Next(t.Context(), "v1"); return err },
			seen{Method: "POST", Path: "/v1/verifications/v1/next", Body: `{}`}, true},
		"health": {func(c *Client) error { return c.Health(t.Context()) },
			seen{Method: "GET", Path: "/healthz"}, false},
		"hostile id": {func(c *Client) error { _, err := c.Get(t.Context(), "../x?y#z/w"); return err },
			seen{Method: "GET", Path: "/v1/verifications/..%2Fx%3Fy%23z%2Fw"}, false},
		"phone": {func(c *Client) error { _, err := c.Phone(testNumber).State(t.Context()); return err },
			seen{Method: "GET", Path: "/sim/phones/+14155550100"}, false},
		"phone answer": {func(c *Client) error { return c.Phone(testNumber).Answer(t.Context()) },
			seen{Method: "POST", Path: "/sim/phones/+14155550100/answer", Body: `{}`}, false},
		"phone hangup": {func(c *Client) error { return c.Phone(testNumber).Hangup(t.Context()) },
			seen{Method: "POST", Path: "/sim/phones/+14155550100/hangup", Body: `{}`}, false},
		"phone keys": {func(c *Client) error { return c.Phone(testNumber).Press(t.Context(), "42") },
			seen{Method: "POST", Path: "/sim/phones/+14155550100/keys", Body: `{"keys":"42"}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := &recorder{status: http.StatusOK, answer: `{}`}
			if err := tc.do(serve(t, srv)); err != nil {
				t.Fatal(err)
			}
			if len(srv.got) != 1 {
				t.Fatalf("%d requests, want 1", len(srv.got))
			}
			got := srv.got[0]
			if diff := cmp.Diff(tc.want, got, cmp.FilterPath(hidden, cmp.Ignore())); diff != "" {
				t.Error(diff)
			}
			if (got.once != "") != tc.once {
				t.Errorf("Idempotency-Key sent: %v, want %v", got.once != "", tc.once)
			}
			if got.auth != "Bearer "+testKey {
				t.Error("the request does not carry the key")
			}
		})
	}
}

// hidden leaves out what is compared by hand.
func hidden(p cmp.Path) bool {
	name := p.Last().String()
	return name == ".once" || name == ".auth"
}

func TestStartReadsTheAnswer(t *testing.T) {
	t.Parallel()
	c := serve(t, &recorder{status: http.StatusCreated, answer: `{"id":"v1","status":"pending","to":"+14155550100",
		"channel":"voice","locale":"en","gate":"any_key","created_at":"2026-01-02T03:04:05Z","expires_at":"2026-01-02T03:14:05Z",
		"ended_at":null,"remaining":5,"sends_remaining":4,"step":1,"steps":2,"client_token":"t0ken","later_field":{"x":1},
		"attempts":[{"id":"a1","channel":"voice","state":"queued","readouts":0,"created_at":"2026-01-02T03:04:05Z"}]}`})
	got, err := c.Start(t.Context(), StartRequest{To: testNumber})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := Verification{
		ID: "v1", Status: StatusPending, To: testNumber, Channel: "voice", Locale: "en", Gate: "any_key",
		CreatedAt: at, ExpiresAt: at.Add(10 * time.Minute), Remaining: 5, SendsRemaining: 4, Step: 1, Steps: 2,
		ClientToken: "t0ken", Attempts: []Attempt{{ID: "a1", Channel: "voice", State: StateQueued, CreatedAt: at}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"no key":            {},
		"key with newline":  {Key: testKey + "\n"},
		"no scheme":         {Key: testKey, BaseURL: "example.org"},
		"other scheme":      {Key: testKey, BaseURL: "ftp://example.org"},
		"no host":           {Key: testKey, BaseURL: "http://"},
		"password":          {Key: testKey, BaseURL: "http://u:hunter2@example.org"},
		"query":             {Key: testKey, BaseURL: "http://example.org/?a=b"},
		"control character": {Key: testKey, BaseURL: "http://hunter2\x7f"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(cfg)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), testKey) || strings.Contains(err.Error(), "hunter2") {
				t.Error("the error repeats a secret")
			}
		})
	}
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	cfg := Config{Key: testKey}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	guess := CheckRequest{Code: testKey}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", cfg.Key, "config", cfg, "client", c, "guess", guess)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", cfg.Key, "config", cfg, "guess", guess)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb+verb+verb, cfg.Key, cfg, c, *c, guess)
	}
	b, err := json.Marshal(Verification{ClientToken: testKey})
	if err != nil {
		t.Fatal(err)
	}
	log.Write(b)
	if s := log.String(); strings.Contains(s, testKey) || strings.Contains(s, fmt.Sprintf("%x", testKey)) {
		t.Error("a secret was printed")
	}
	if cfg.Key.Reveal() != testKey {
		t.Error("Reveal does not give the text")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := &recorder{status: http.StatusOK, answer: `{}`}
	elsewhere := httptest.NewServer(other)
	t.Cleanup(elsewhere.Close)
	c := serve(t, http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	if _, err := c.Start(t.Context(), StartRequest{To: testNumber}); err == nil {
		t.Error("a redirect is no success")
	}
	if len(other.got) != 0 {
		t.Error("the redirect was followed")
	}
}
