package web

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/phone"
)

// phones are a fake that notes what was asked of it.
type phones struct {
	did     []string
	err     error
	mu      sync.Mutex
	show    Phone
	changed chan struct{}
	sound   iter.Seq[[]byte]
}

func (p *phones) List(account string) []Phone {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []Phone{p.show}
}

func (p *phones) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

// becomes changes what the phone shows, and says whether anybody waited for that.
func (p *phones) becomes(now Phone) (watched bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show = now
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
		return true
	}
	return false
}

func (p *phones) Listen(context.Context, string, phone.Number) (iter.Seq[[]byte], error) {
	return p.sound, p.err
}

func (p *phones) note(what, account string, n phone.Number, more ...string) error {
	p.did = append(p.did, strings.Join(append([]string{what, account, n.E164()}, more...), " "))
	return p.err
}

func (p *phones) Phone(account string, n phone.Number) Phone {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.note("show", account, n)
	return p.show
}
func (p *phones) Answer(account string, n phone.Number) error { return p.note("answer", account, n) }
func (p *phones) Hangup(account string, n phone.Number) error { return p.note("hangup", account, n) }
func (p *phones) Press(account string, n phone.Number, keys string) error {
	return p.note("press", account, n, keys)
}
func (p *phones) Behave(account string, n phone.Number, what string) error {
	return p.note("behave", account, n, what)
}

type keys struct{}

func (keys) Authenticate(_ context.Context, presented string) (account.Key, error) {
	switch presented {
	case "pck_admin":
		return account.Key{ID: "k", Account: "acc", Scopes: []account.Scope{account.ScopeAdmin}}, nil
	case "pck_verify":
		return account.Key{ID: "v", Account: "acc", Scopes: []account.Scope{account.ScopeVerify, account.ScopeRead}}, nil
	}
	return account.Key{}, account.ErrUnauthorized
}

// ask sends a request with the admin key and gives the answer and the log. what
// is the method and the target; headers are pairs.
func ask(p Phones, what, body string, headers ...string) (w *httptest.ResponseRecorder, log string) {
	var lines bytes.Buffer
	m := edge.New(edge.Config{Keys: keys{}, Log: slog.New(slog.NewTextHandler(&lines, nil))})
	method, target, _ := strings.Cut(what, " ")
	Register(m, Config{Phones: p})
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer pck_admin")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w = httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w, lines.String()
}

func TestPhone(t *testing.T) {
	t.Parallel()
	const number = "+81312345678"
	for _, row := range []struct {
		method, path, body string
		want               []string
	}{
		{"GET", "/sim/phones/" + number, "", []string{"show acc " + number}},
		{"GET", "/sim/phones/%2B81312345678", "", []string{"show acc " + number}},
		{"POST", "/sim/phones/" + number + "/answer", "", []string{"answer acc " + number, "show acc " + number}},
		{"POST", "/sim/phones/" + number + "/answer", "{}", []string{"answer acc " + number, "show acc " + number}},
		{"POST", "/sim/phones/" + number + "/hangup", "", []string{"hangup acc " + number, "show acc " + number}},
		{"POST", "/sim/phones/" + number + "/keys", `{"keys":"12#"}`, []string{"press acc " + number + " 12#", "show acc " + number}},
		{"POST", "/sim/phones/" + number + "/next", `{"behaviour":"busy"}`, []string{"behave acc " + number + " busy", "show acc " + number}},
	} {
		p := &phones{show: Phone{State: "in_call", Heard: []string{"hello"}, Gate: "any_key"}}
		w, _ := ask(p, row.method+" "+row.path, row.body)
		if got, want := w.Body.String(), `{"state":"in_call","heard":["hello"],"messages":[],"gate":"any_key"}`; w.Code != 200 || got != want {
			t.Errorf("%s: %d %s", row.path, w.Code, got)
		}
		if diff := cmp.Diff(row.want, p.did); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPhoneIsRefused(t *testing.T) {
	t.Parallel()
	const at = "/sim/phones/+81312345678"
	for name, row := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
	}{
		"verify key":       {"GET", at, "", []string{"Authorization", "Bearer pck_verify"}, 403},
		"client token":     {"GET", at, "", []string{"Authorization", "Bearer pct_x"}, 401},
		"foreign page":     {"GET", at, "", []string{"Origin", "http://evil.example"}, 403},
		"local file":       {"POST", at + "/answer", "", []string{"Origin", "null"}, 403},
		"no number":        {"GET", "/sim/phones/mark", "", nil, 422},
		"national number":  {"POST", "/sim/phones/0312345678/answer", "", nil, 422},
		"no keys":          {"POST", at + "/keys", "", nil, 422},
		"number of keys":   {"POST", at + "/keys", `{"keys":1}`, nil, 422},
		"many keys":        {"POST", at + "/keys", `{"keys":"` + strings.Repeat("1", 65) + `"}`, nil, 422},
		"unknown field":    {"POST", at + "/keys", `{"key":"1"}`, nil, 422},
		"answer with more": {"POST", at + "/answer", `{"mark":1}`, nil, 422},
		"hangup with more": {"POST", at + "/hangup", `[1]`, nil, 422},
		"no behaviour":     {"POST", at + "/next", `{}`, nil, 422},
		"other behaviour":  {"POST", at + "/next", `{"behaviour":"mark"}`, nil, 422},
		"behaviour's type": {"POST", at + "/next", `{"behaviour":["mark"]}`, nil, 422},
		"wrong method":     {"DELETE", at, "", nil, 405},
		"unknown action":   {"POST", at + "/mark", "", nil, 404},
	} {
		p := &phones{}
		w, log := ask(p, row.method+" "+row.path, row.body, row.headers...)
		if w.Code != row.status || len(p.did) != 0 || w.Header().Get("Content-Type") != edge.ProblemType {
			t.Errorf("%s: %d %s %v", name, w.Code, w.Body, p.did)
		}
		for _, secret := range []string{"mark", "312345678"} {
			if strings.Contains(w.Body.String()+log, secret) {
				t.Errorf("%s: repeats what was sent: %s %s", name, w.Body, log)
			}
		}
	}
}

func TestPhoneErrors(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]struct {
		status int
		code   string
	}{
		ErrNotRinging: {409, "wrong_phone_state"}, ErrNotInCall: {409, "wrong_phone_state"}, ErrBadKeys: {422, "invalid_input"},
		ErrListeners:         {429, "limit_reached"},
		errors.New("broken"): {500, "internal"},
	} {
		w, _ := ask(&phones{err: err}, "POST /sim/phones/+81312345678/keys", `{"keys":"1"}`, "Origin", "http://example.com")
		if w.Code != want.status || !strings.Contains(w.Body.String(), `"code":"`+want.code+`"`) || strings.Contains(w.Body.String(), "broken") {
			t.Errorf("%v: %d %s", err, w.Code, w.Body)
		}
	}
	if w, _ := ask(nil, "GET /sim/phones/+81312345678", ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "no phone simulator") {
		t.Errorf("without a simulator: %d %s", w.Code, w.Body)
	}
}
