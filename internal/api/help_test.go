package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/api"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// fake is a core that does nothing and counts how often it was asked.
type fake struct {
	api.Watcher // nil: streams are tried on the real core
	asked       int
	err         error
	start       verify.StartRequest
	who         verify.Caller
}

func (f *fake) Start(_ context.Context, who verify.Caller, req verify.StartRequest, _ verify.Once[verify.Started]) (verify.Answer[verify.Started], error) {
	f.asked, f.start, f.who = f.asked+1, req, who
	return verify.Answer[verify.Started]{Value: verify.Started{View: view()}}, f.err
}

func (f *fake) Get(_ context.Context, who verify.Caller, _ string) (verify.View, error) {
	f.asked, f.who = f.asked+1, who
	return view(), f.err
}

func (f *fake) Check(context.Context, verify.Caller, string, verify.CheckRequest, verify.Once[verify.Checked]) (verify.Answer[verify.Checked], error) {
	f.asked++
	return verify.Answer[verify.Checked]{Value: verify.Checked{Status: verify.Pending, Remaining: 4}}, f.err
}

func (f *fake) Cancel(context.Context, verify.Caller, string, verify.Once[verify.View]) (verify.Answer[verify.View], error) {
	f.asked++
	return verify.Answer[verify.View]{Value: view()}, f.err
}

func (f *fake) Resend(context.Context, verify.Caller, string, string, verify.Once[verify.View]) (verify.Answer[verify.View], error) {
	f.asked++
	return verify.Answer[verify.View]{Value: view()}, f.err
}

func (f *fake) Next(context.Context, verify.Caller, string, verify.Once[verify.View]) (verify.Answer[verify.View], error) {
	f.asked++
	return verify.Answer[verify.View]{Value: view()}, f.err
}

const someID = "01jd3c8t5w0zq4n7m2r9kx6yva"

func view() verify.View {
	at := time.Date(2026, 1, 2, 12, 4, 5, 0, time.FixedZone("JST", 9*3600))
	return verify.View{
		ID: someID, To: "+81312345678", Status: verify.Pending, Channel: "voice", Locale: "ja", Gate: "any_key",
		CreatedAt: at, ExpiresAt: at.Add(10 * time.Minute), GuessesLeft: 5, SendsLeft: 4, Step: 1, Steps: 1,
		Attempts: []verify.AttemptView{{ID: someID, Channel: "voice", State: verify.StateQueued, CreatedAt: at}},
	}
}

// keys knows one key of each kind.
type keys map[string]account.Key

func (k keys) Authenticate(_ context.Context, presented string) (account.Key, error) {
	if key, ok := k[presented]; ok {
		return key, nil
	}
	return account.Key{}, account.ErrUnauthorized
}

// tokens knows the token of one verification.
type tokens string

func (t tokens) ClientToken(_ context.Context, presented string) (verify.Caller, error) {
	if presented == string(t) {
		return verify.Caller{Account: "acc", Verification: someID}, nil
	}
	return verify.Caller{}, &verify.Error{Code: verify.Unauthorized, Message: "dead"}
}

const (
	starterKey = "pck_starter_x"
	readerKey  = "pck_reader_x"
	muteKey    = "pck_announcer_x"
	someToken  = "pct_token_x"
)

// server is the API over a fake core, with what it logged.
type server struct {
	*edge.Mux
	log *bytes.Buffer
}

func newServer(t testing.TB, core api.Core) server {
	t.Helper()
	var log bytes.Buffer
	m := edge.New(edge.Config{
		Keys: keys{
			starterKey: {ID: "k1", Account: "acc", Scopes: []account.Scope{account.ScopeVerify}},
			readerKey:  {ID: "k2", Account: "acc", Scopes: []account.Scope{account.ScopeRead}},
			muteKey:    {ID: "k3", Account: "acc", Scopes: []account.Scope{account.ScopeAnnounce}},
		},
		Tokens: tokens(someToken), Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err := api.Register(m, api.Config{Core: core}); err != nil {
		t.Fatal(err)
	}
	return server{m, &log}
}

// ask sends a request as starterKey unless the headers say otherwise; headers
// are pairs.
func (s server) ask(method, target, body string, headers ...string) *http.Response {
	return do(s, method+" "+target, body, append([]string{"Authorization", "Bearer " + starterKey}, headers...)...)
}

// do sends a request; what is its method and its target.
func do(h http.Handler, what, body string, headers ...string) *http.Response {
	method, target, _ := strings.Cut(what, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// text reads an answer.
func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// read reads an answer into a value, after a look at its status.
func read[T any](t testing.TB, r *http.Response, status int) T {
	t.Helper()
	var v T
	b := text(t, r)
	if r.StatusCode != status {
		t.Fatalf("got %d, want %d: %s", r.StatusCode, status, b)
	}
	if err := json.Unmarshal([]byte(b), &v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return v
}
