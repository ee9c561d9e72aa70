package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/verify"
)

// core is a fake that notes what was asked of it, and knows one verification.
type core struct {
	did []string
	err error
}

const known = "01jd3c8t5w0zq4n7m2r9kx6yva"

func (c *core) note(who verify.Caller, words ...string) error {
	c.did = append(c.did, strings.Join(append([]string{who.Account, who.Key}, words...), " "))
	return c.err
}

func (c *core) view() verify.View {
	return verify.View{
		ID: known, To: "+81312345678", Status: verify.Pending, Locale: "ja", Gate: script.GateScreenDigits, ScreenDigits: "47",
		ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), GuessesLeft: 5, SendsLeft: 4,
		Attempts: []verify.AttemptView{{N: 1, Channel: phone.Voice, State: verify.StateEnded, Outcome: outcome.Heard, Reason: "read", GatePassed: true, Readouts: 3}},
	}
}

func (c *core) Start(_ context.Context, who verify.Caller, r verify.StartRequest, _ verify.Once[verify.Started]) (verify.Answer[verify.Started], error) {
	err := c.note(who, "start", r.To, r.Locale, r.Gate, r.Channel, r.Brand)
	return verify.Answer[verify.Started]{Value: verify.Started{View: c.view()}}, err
}

func (c *core) Check(_ context.Context, who verify.Caller, id string, r verify.CheckRequest, _ verify.Once[verify.Checked]) (verify.Answer[verify.Checked], error) {
	err := c.note(who, "check", id, r.Code)
	return verify.Answer[verify.Checked]{Value: verify.Checked{Status: verify.Approved, Valid: true, Remaining: 4}}, err
}

func (c *core) Get(_ context.Context, who verify.Caller, id string) (verify.View, error) {
	return c.view(), c.note(who, "get", id)
}

func (c *core) Resend(_ context.Context, who verify.Caller, id, channel string, _ verify.Once[verify.View]) (verify.Answer[verify.View], error) {
	return verify.Answer[verify.View]{Value: c.view()}, c.note(who, "resend", id+channel)
}

func (c *core) Cancel(_ context.Context, who verify.Caller, id string, _ verify.Once[verify.View]) (verify.Answer[verify.View], error) {
	return verify.Answer[verify.View]{Value: c.view()}, c.note(who, "cancel", id)
}

// fill sends a form's request with the admin key.
func fill(c *core, what, body string) *httptest.ResponseRecorder {
	m := edge.New(edge.Config{Keys: keys{}, Log: slog.New(slog.DiscardHandler)})
	Register(m, Config{Phones: &phones{}, Core: c})
	method, path, _ := strings.Cut(what, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer pck_admin")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w
}

func TestForm(t *testing.T) {
	t.Parallel()
	const one = "/phone/verifications/" + known
	const shows = `{"id":"` + known + `","to":"+81312345678","status":"pending","locale":"ja","gate":"screen_digits","screen_digits":"47",` +
		`"expires_at":"2026-01-02T03:04:05Z","guesses_left":5,"sends_left":4,"attempts":[{"n":1,"channel":"voice","state":"ended",` +
		`"outcome":"heard","reason":"read","gate_passed":true,"readouts":3}]}`
	for what, row := range map[string]struct {
		body   string
		status int
		answer string
		did    []string
	}{
		"POST /phone/verifications": {`{"to":"+81312345678","locale":"ja","gate":"screen_digits","channel":"voice","brand":"Acme"}`, 201, shows,
			[]string{"acc k start +81312345678 ja screen_digits voice Acme"}},
		"GET " + one:                             {"", 200, shows, []string{"acc k get " + known}},
		"POST " + one + "/check":                 {`{"code":"123456"}`, 200, `{"status":"approved","valid":true,"remaining":4}`, []string{"acc k check " + known + " 123456"}},
		"POST " + one + "/resend":                {"", 200, shows, []string{"acc k resend " + known}},
		"POST " + one + "/cancel":                {"{}", 200, shows, []string{"acc k cancel " + known}},
		"POST " + one + "/cancel?":               {`{"mark":1}`, 422, "", nil},
		"POST " + one + "/check?":                {`{"pin":"123456"}`, 422, "", nil},
		"POST /phone/verifications?":             {`{"mark":"x"}`, 422, "", nil},
		"GET /phone/verifications/mark":          {"", 404, "", nil},
		"POST /phone/verifications/mark/check":   {`{"code":"123456"}`, 404, "", nil},
		"POST /phone/verifications/MARK/resend":  {"", 404, "", nil},
		"DELETE /phone/verifications/" + known:   {"", 405, "", nil},
		"POST /phone/verifications/mark/unknown": {"", 404, "", nil},
	} {
		c := &core{}
		w := fill(c, what, row.body)
		if w.Code != row.status || row.answer != "" && w.Body.String() != row.answer {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
		if diff := cmp.Diff(row.did, c.did); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		if strings.Contains(strings.ToLower(w.Body.String()), "mark") {
			t.Errorf("%s: repeats what was sent: %s", what, w.Body)
		}
		if row.status < 300 {
			refused := &core{err: &verify.Error{Code: verify.Limited, Message: "later"}}
			if w := fill(refused, what, row.body); w.Code != http.StatusTooManyRequests {
				t.Errorf("%s refused: %d", what, w.Code)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	w := fill(&core{}, "GET /phone/options", "")
	for _, want := range []string{`"account":"acc"`, `{"tag":"en"}`, `"any_key"`, `"voicemail"`, `"hello"`} {
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%d %s has no %s", w.Code, w.Body, want)
		}
	}
}
