package api_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/api"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/sqlite"
	"github.com/pincall/pincall/internal/verify"
)

// silent is a carrier on which nothing ever happens: no worker runs here.
type silent struct{}

func (silent) Can() carrier.Abilities {
	return carrier.Abilities{Voice: true, SMS: true, Gate: true, Keys: true, Payee: true}
}
func (silent) Place(context.Context, carrier.Call) (carrier.Ref, error) { return "", nil }
func (silent) Follow(context.Context, carrier.Ref, func(carrier.Event)) (outcome.Ending, error) {
	return outcome.Ending{}, nil
}
func (silent) Hangup(context.Context, carrier.Ref) error { return nil }

// world is the API over the real core and a real database with two accounts.
type world struct {
	*edge.Mux
	store *sqlite.Store
	dir   *account.Directory
	core  *verify.Core
	ring  *secret.Keyring
	log   *bytes.Buffer
	keys  map[string]string // account -> key
}

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "p.db")})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	ring, _, err := secret.LoadOrCreateKeyring(filepath.Join(t.TempDir(), "keyring.json"))
	must(t, err)
	dir, err := account.New(account.Config{Store: store, Keys: ring})
	must(t, err)
	w := &world{store: store, dir: dir, log: &bytes.Buffer{}, keys: map[string]string{}}
	for _, acc := range []string{"one", "two"} {
		must(t, store.InsertAccount(t.Context(), account.Account{ID: acc, Name: acc, CreatedAt: time.Now()},
			account.Service{ID: acc, Account: acc, Name: acc}))
		_, tok, err := dir.NewKey(t.Context(), acc, "test", []account.Scope{account.ScopeVerify})
		must(t, err)
		w.keys[acc] = tok.Reveal()
	}
	core, err := verify.New(verify.Config{
		Store: store, Keys: ring, Services: dir,
		Routes: []carrier.Route{{Name: "silent", Embedded: true, Carrier: silent{}}},
	})
	must(t, err)
	w.core, w.ring = core, ring
	w.Mux = edge.New(edge.Config{Keys: dir, Tokens: core, Accounts: dir, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	must(t, api.Register(w.Mux, api.Config{Core: core, Directory: dir, Records: core, Streams: streamTimes()}))
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// as asks with a key or a token; what is the method and the target.
func (w *world) as(credential, what, body string, headers ...string) *http.Response {
	return do(w, what, body, append([]string{"Authorization", "Bearer " + credential}, headers...)...)
}

const startBody = `{"to":"+81312345678","purpose":"login"}`

func (w *world) started(t *testing.T, headers ...string) api.Started {
	t.Helper()
	return read[api.Started](t, w.as(w.keys["one"], "POST /v1/verifications", startBody, headers...), http.StatusCreated)
}

func TestStartShowsAllAndGetLess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.as(w.keys["one"], "POST /v1/verifications", startBody)
	location := r.Header.Get("Location")
	got := read[api.Started](t, r, http.StatusCreated)
	if location != "/v1/verifications/"+got.ID || !strings.HasPrefix(got.ClientToken, "pct_"+got.ID+"_") {
		t.Errorf("location %q and a token that is not the verification's", location)
	}
	want := api.Verification{
		ID: got.ID, Status: "pending", To: "+81312345678", Service: "one", Channel: "voice", Locale: "ja", Gate: "any_key",
		Purpose: "login", CreatedAt: got.CreatedAt, ExpiresAt: got.CreatedAt.Add(10 * time.Minute), Remaining: 5,
		SendsRemaining: 4, Step: 1, Steps: 1, Attempts: []api.Attempt{{
			ID: got.Attempts[0].ID, Channel: "voice", State: "queued", CreatedAt: got.CreatedAt,
		}},
	}
	if diff := cmp.Diff(want, got.Verification); diff != "" {
		t.Error(diff)
	}
	shown := read[api.Verification](t, w.as(w.keys["one"], "GET "+location, ""), http.StatusOK)
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error(diff)
	}
	byToken := read[api.Verification](t, w.as(got.ClientToken, "GET "+location, ""), http.StatusOK)
	if strings.Contains(byToken.To, "31234") || byToken.To == "" {
		t.Error("a client token was told more than a masked number")
	}
}

func TestOtherAccountsFindNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.started(t)
	_, tok, err := w.dir.NewKey(t.Context(), "two", "all", account.Scopes())
	must(t, err)
	other := tok.Reveal()
	second := w.as(other, "POST /v1/verifications", `{"to":"+81312345679"}`)
	strange := read[api.Started](t, second, http.StatusCreated).ClientToken
	var bodies []string
	for _, credential := range []string{other, strange} {
		for _, id := range []string{one.ID, strings.Repeat("0", 26), "x", strings.Repeat("9", 5000), "%00", "..%2f", "+81312345678"} {
			for _, a := range []struct{ method, path, body string }{
				{"GET", "", ""}, {"POST", "/check", `{"code":"123456"}`}, {"POST", "/cancel", ""}, {"POST", "/resend", ""}, {"POST", "/next", ""},
			} {
				r := w.as(credential, a.method+" /v1/verifications/"+id+a.path, a.body)
				b := text(t, r)
				if r.StatusCode != http.StatusNotFound {
					t.Errorf("%s %s: %d %s", a.method, a.path, r.StatusCode, b)
				}
				bodies = append(bodies, b)
			}
		}
	}
	if slices.Sort(bodies); len(slices.Compact(bodies)) != 1 {
		t.Errorf("the answers differ: %q", slices.Compact(bodies))
	}
	if v := read[api.Verification](t, w.as(w.keys["one"], "GET /v1/verifications/"+one.ID, ""), 200); v.Status != "pending" || v.Remaining != 5 {
		t.Errorf("another account changed it: %+v", v)
	}
}

func TestSameKeySameAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/verifications"
	first := w.as(w.keys["one"], "POST "+path, startBody, "Idempotency-Key", "k 1")
	again := w.as(w.keys["one"], "POST "+path, startBody, "Idempotency-Key", "k 1")
	for _, h := range []string{"Location", "Content-Type"} {
		if first.Header.Get(h) != again.Header.Get(h) || first.Header.Get(h) == "" {
			t.Errorf("%s differs", h)
		}
	}
	if first.Header.Get("Idempotent-Replayed") != "" || again.Header.Get("Idempotent-Replayed") != "true" || again.StatusCode != first.StatusCode {
		t.Errorf("replay: %d %v", again.StatusCode, again.Header)
	}
	a, b := text(t, first), text(t, again)
	if a != b {
		t.Errorf("the answers differ:\n%s\n%s", a, b)
	}
	other := w.as(w.keys["one"], "POST "+path, startBody+" ", "Idempotency-Key", "k 1")
	if p := read[edge.Problem](t, other, http.StatusConflict); p.Code != "idempotency_mismatch" {
		t.Errorf("another body: %+v", p)
	}
	// Each path and each account has keys of its own, and so has a client token.
	if r := w.as(w.keys["two"], "POST "+path, startBody, "Idempotency-Key", "k 1"); r.StatusCode != 201 || r.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("another account: %d", r.StatusCode)
	}
	v := w.started(t)
	action := path + "/" + v.ID + "/"
	for range 2 { // what is refused is not kept
		r := w.as(v.ClientToken, "POST "+action+"check", `{"code":"0000000"}`, "Idempotency-Key", "g")
		if r.StatusCode != http.StatusUnprocessableEntity || r.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("a refusal was kept: %d", r.StatusCode)
		}
	}
	for _, want := range []string{"", "true"} {
		r := w.as(w.keys["one"], "POST "+action+"cancel", "", "Idempotency-Key", "k 2")
		if read[api.Verification](t, r, 200).Status != "canceled" || r.Header.Get("Idempotent-Replayed") != want {
			t.Errorf("cancel: %v", r.Header)
		}
	}
}

// The answer to a key tells more than a client token may see.
func TestTokenIsNotGivenTheKeysAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	steps := `{"to":"+81312345678","workflow":[{"channel":"voice"},{"channel":"voice","timeout_seconds":30},{"channel":"voice"}]}`
	v := read[api.Started](t, w.as(w.keys["one"], "POST /v1/verifications", steps), 201)
	path := "/v1/verifications/" + v.ID + "/next"
	if got := read[api.Verification](t, w.as(w.keys["one"], "POST "+path, "", "Idempotency-Key", "n"), 200); got.Step != 2 {
		t.Fatalf("step %d", got.Step)
	}
	got := read[api.Verification](t, w.as(v.ClientToken, "POST "+path, "", "Idempotency-Key", "n"), 200)
	if got.Step != 3 || strings.Contains(got.To, "31234") {
		t.Errorf("a client token was given the key's answer, step %d", got.Step)
	}
}

func TestLifeOfAVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.started(t)
	at := "/v1/verifications/" + v.ID
	// A wrong guess is an answer; the code is not in the API, so a right one is
	// tried where calls are made.
	for left := 4; left > 0; left-- {
		c := read[api.Checked](t, w.as(v.ClientToken, "POST "+at+"/check", `{"code":"12 34-56"}`), 200)
		if c.Valid {
			t.Skip("the code was guessed, which happens once in 250,000 runs")
		}
		if diff := cmp.Diff(api.Checked{Status: "pending", Remaining: left}, c); diff != "" {
			t.Fatal(diff)
		}
	}
	for path, code := range map[string]string{"/resend": "attempt_in_progress", "/next": "no_next_step"} {
		r := w.as(v.ClientToken, "POST "+at+path, "")
		if p := read[edge.Problem](t, r, http.StatusConflict); p.Code != code || (r.Header.Get("Retry-After") == "5") != (path == "/resend") {
			t.Errorf("%s: %+v %v", path, p, r.Header)
		}
	}
	landline := read[edge.Problem](t, w.as(w.keys["one"], "POST "+at+"/resend", `{"channel":"sms"}`), http.StatusUnprocessableEntity)
	if diff := cmp.Diff("body.channel", landline.Errors[0].Location); diff != "" {
		t.Error(diff)
	}
	if got := read[api.Verification](t, w.as(v.ClientToken, "POST "+at+"/cancel", "{}"), 200); got.Status != "canceled" || got.Reason != "canceled" || got.EndedAt == nil {
		t.Errorf("canceled: %+v", got)
	}
	if r := w.as(v.ClientToken, "GET "+at, ""); r.StatusCode != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("the token lives on: %d", r.StatusCode)
	}
	p := read[edge.Problem](t, w.as(w.keys["one"], "POST "+at+"/check", `{"code":"123456"}`), http.StatusConflict)
	if p.Code != "verification_ended" {
		t.Errorf("after the end: %+v", p)
	}
	for _, secret := range []string{"312345678", "123456", v.ClientToken, w.keys["one"]} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("the log tells a number, a guess, a token or a key")
		}
	}
}

func TestRevokedKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, tok, err := w.dir.NewKey(t.Context(), "one", "short-lived", []account.Scope{account.ScopeVerify})
	must(t, err)
	if r := w.as(tok.Reveal(), "POST /v1/verifications", startBody); r.StatusCode != http.StatusCreated {
		t.Fatalf("before: %d", r.StatusCode)
	}
	must(t, w.dir.Revoke(t.Context(), "one", k.ID))
	if p := read[edge.Problem](t, w.as(tok.Reveal(), "POST /v1/verifications", startBody), http.StatusUnauthorized); p.Code != "unauthorized" {
		t.Errorf("after: %+v", p)
	}
}
