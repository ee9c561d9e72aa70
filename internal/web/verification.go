package web

import (
	"context"
	"net/http"
	"time"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/verify"
)

// Core is what the page's form needs of verify.Core. Its errors are *verify.Error.
type Core interface {
	// Start begins a verification and its first call or message.
	Start(ctx context.Context, who verify.Caller, req verify.StartRequest, once verify.Once[verify.Started]) (verify.Answer[verify.Started], error)
	// Check compares one guess.
	Check(ctx context.Context, who verify.Caller, id string, req verify.CheckRequest, once verify.Once[verify.Checked]) (verify.Answer[verify.Checked], error)
	// Get shows a verification.
	Get(ctx context.Context, who verify.Caller, id string) (verify.View, error)
	// Resend sends the code again; channel "" is that of the present step.
	Resend(ctx context.Context, who verify.Caller, id, channel string, once verify.Once[verify.View]) (verify.Answer[verify.View], error)
	// Cancel ends a verification.
	Cancel(ctx context.Context, who verify.Caller, id string, once verify.Once[verify.View]) (verify.Answer[verify.View], error)
}

// Verification is one proof of one number, as the form shows it.
type Verification struct {
	ID           string    `json:"id"`
	To           string    `json:"to"`
	Status       string    `json:"status"`
	Reason       string    `json:"reason,omitempty"`
	Locale       string    `json:"locale"`
	Gate         string    `json:"gate"`
	ScreenDigits string    `json:"screen_digits,omitempty"` // between ringing and gate
	ExpiresAt    time.Time `json:"expires_at"`
	GuessesLeft  int       `json:"guesses_left"`
	SendsLeft    int       `json:"sends_left"`
	Attempts     []Attempt `json:"attempts"`
}

// Attempt is one call or message.
type Attempt struct {
	N          int    `json:"n"`
	Channel    string `json:"channel"`
	State      string `json:"state"`
	Outcome    string `json:"outcome,omitempty"`
	Reason     string `json:"reason,omitempty"`
	GatePassed bool   `json:"gate_passed"`
	Readouts   int    `json:"readouts"`
}

func shown(v verify.View) Verification {
	out := Verification{
		ID: v.ID, To: v.To, Status: string(v.Status), Reason: v.Reason, Locale: v.Locale, Gate: string(v.Gate),
		ScreenDigits: v.ScreenDigits, ExpiresAt: v.ExpiresAt.UTC(), GuessesLeft: v.GuessesLeft, SendsLeft: v.SendsLeft, Attempts: []Attempt{},
	}
	for _, a := range v.Attempts {
		out.Attempts = append(out.Attempts, Attempt{
			a.N, string(a.Channel), string(a.State), string(a.Outcome), a.Reason, a.GatePassed, a.Readouts,
		})
	}
	return out
}

// addVerifications adds the form's addresses.
func (s *server) addVerifications(m *edge.Mux) {
	const all, one = "/phone/verifications", "/phone/verifications/{id}"
	s.handle(m, http.MethodGet, "/phone/options", s.options)
	s.handle(m, http.MethodPost, all, s.start)
	s.handle(m, http.MethodGet, one, s.one)
	s.handle(m, http.MethodPost, one+"/check", s.check)
	s.handle(m, http.MethodPost, one+"/resend", s.resend)
	s.handle(m, http.MethodPost, one+"/cancel", s.cancel)
}

// language is one that can be spoken.
type language struct {
	Tag string `json:"tag"`
}

// options: GET /phone/options: what the form may offer.
func (s *server) options(w http.ResponseWriter, r *edge.Request) error {
	out := struct {
		Account    string        `json:"account"`
		Languages  []language    `json:"languages"`
		Gates      []script.Gate `json:"gates"`
		Behaviours []string      `json:"behaviours"`
	}{
		Account: r.Caller.Account, Behaviours: Behaviours(),
		Gates: []script.Gate{script.GateAnyKey, script.GateScreenDigits, script.GateNone},
	}
	for _, tag := range script.Languages() {
		out.Languages = append(out.Languages, language{tag})
	}
	return answer(w, http.StatusOK, out)
}

// start: POST /phone/verifications.
func (s *server) start(w http.ResponseWriter, r *edge.Request) error {
	var in struct {
		To      string `json:"to"`
		Locale  string `json:"locale"`
		Gate    string `json:"gate"`
		Channel string `json:"channel"`
		Brand   string `json:"brand"`
	}
	if err := decode(r.Body, &in); err != nil {
		return err
	}
	got, err := s.cfg.Core.Start(r.Context(), r.Caller, verify.StartRequest{
		To: in.To, Locale: in.Locale, Gate: in.Gate, Channel: in.Channel, Brand: in.Brand,
	}, verify.Once[verify.Started]{})
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, shown(got.Value.View))
}

// one: GET /phone/verifications/{id}.
func (s *server) one(w http.ResponseWriter, r *edge.Request) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	v, err := s.cfg.Core.Get(r.Context(), r.Caller, id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, shown(v))
}

// check: POST /phone/verifications/{id}/check.
func (s *server) check(w http.ResponseWriter, r *edge.Request) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	var in struct {
		Code string `json:"code"`
	}
	if err := decode(r.Body, &in); err != nil {
		return err
	}
	got, err := s.cfg.Core.Check(r.Context(), r.Caller, id, verify.CheckRequest{Code: in.Code}, verify.Once[verify.Checked]{})
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Status    string `json:"status"`
		Valid     bool   `json:"valid"`
		Remaining int    `json:"remaining"`
	}{string(got.Value.Status), got.Value.Valid, got.Value.Remaining})
}

// resend: POST /phone/verifications/{id}/resend.
func (s *server) resend(w http.ResponseWriter, r *edge.Request) error {
	return s.change(w, r, func(id string) (verify.Answer[verify.View], error) {
		return s.cfg.Core.Resend(r.Context(), r.Caller, id, "", verify.Once[verify.View]{})
	})
}

// cancel: POST /phone/verifications/{id}/cancel.
func (s *server) cancel(w http.ResponseWriter, r *edge.Request) error {
	return s.change(w, r, func(id string) (verify.Answer[verify.View], error) {
		return s.cfg.Core.Cancel(r.Context(), r.Caller, id, verify.Once[verify.View]{})
	})
}

// change does something with a verification that takes no input.
func (s *server) change(w http.ResponseWriter, r *edge.Request, do func(id string) (verify.Answer[verify.View], error)) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	if err := decode(r.Body, &struct{}{}); err != nil {
		return err
	}
	got, err := do(id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, shown(got.Value))
}

// idChars is the length of a verification's id.
const idChars = 26

// id reads the verification that the path names; what has not the form of an id
// gets the answer of an unknown one.
func id(r *edge.Request) (string, error) {
	id := r.PathValue("id")
	ok := len(id) == idChars
	for _, c := range []byte(id) {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z')
	}
	if !ok {
		return "", &verify.Error{Code: verify.NotFound, Message: "there is no such verification"}
	}
	return id, nil
}
