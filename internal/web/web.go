// Package web is what a browser is shown. Today that is the phone simulator's
// endpoints: they show the phones of the asking account, and let its admin key
// answer, press keys and hang up. It knows phones by the interface declared
// here, and no carrier.
package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/verify"
)

// Phones are simulated phones. A phone that was never called is idle.
type Phones interface {
	// Phone shows the account's phone with the number.
	Phone(account string, n phone.Number) Phone
	// Answer takes the call that rings. ErrNotRinging.
	Answer(account string, n phone.Number) error
	// Hangup ends the call, or declines the one that rings. ErrNotInCall.
	Hangup(account string, n phone.Number) error
	// Press presses keys: 0 to 9, * and #. ErrBadKeys, ErrNotInCall.
	Press(account string, n phone.Number, keys string) error
	// Behave says what the phone does with its next call: one of Behaviours.
	Behave(account string, n phone.Number, what string) error
}

// Errors of Phones.
var (
	ErrNotRinging = errors.New("web: the phone does not ring")
	ErrNotInCall  = errors.New("web: the phone is not in a call")
	ErrBadKeys    = errors.New("web: no phone has such keys")
)

// Phone is what a simulated phone does and what it took in. Heard and Messages
// hold codes in clear.
type Phone struct {
	State    string   `json:"state"`             // idle, ringing, in_call, ended
	Heard    []string `json:"heard"`             // of the present or last call, in order
	Messages []string `json:"messages"`          // all of them, oldest first
	Gate     string   `json:"gate,omitempty"`    // the gate that waits for keys
	Dialled  string   `json:"dialled,omitempty"` // the extension, as far as it was dialled
}

// Behaviours are the ways a simulated phone may take its next call; manual
// waits for what Answer, Press and Hangup do.
func Behaviours() []string {
	return []string{"manual", "answers", "busy", "no_answer", "voicemail", "hangs_up", "declines", "unreachable"}
}

// maxKeys bounds the keys pressed at once.
const maxKeys = 64

// Config of the pages.
type Config struct {
	Phones Phones // nil: there is no simulator, and its addresses say so
}

// Register adds the routes to a Mux.
func Register(m *edge.Mux, cfg Config) {
	s := &server{cfg.Phones}
	s.add(m, http.MethodGet, "", s.show)
	s.add(m, http.MethodPost, "/answer", s.answer)
	s.add(m, http.MethodPost, "/hangup", s.hangup)
	s.add(m, http.MethodPost, "/keys", s.keys)
	s.add(m, http.MethodPost, "/next", s.next)
}

type server struct{ phones Phones }

// action does something with a phone. body is JSON or empty.
type action func(account string, n phone.Number, body []byte) error

// add adds a route for admin keys. Every action answers with the phone as it is
// afterwards.
func (s *server) add(m *edge.Mux, method, path string, act action) {
	m.Handle(edge.Route{
		Method: method, Pattern: "/sim/phones/{number}" + path, SameOrigin: true,
		Quiet: true, Access: edge.Access{Scopes: []account.Scope{account.ScopeAdmin}},
	}, func(w http.ResponseWriter, r *edge.Request) error {
		if s.phones == nil {
			return &verify.Error{Code: verify.NotFound, Message: "this server has no phone simulator: it works with real carriers"}
		}
		n, err := phone.Parse(r.PathValue("number"))
		if err != nil {
			return invalid("path.number", "write the number as E.164: a + and the country code first, then digits only")
		}
		if err := act(r.Caller.Account, n, r.Body); err != nil {
			return told(err)
		}
		return s.write(w, r.Caller.Account, n)
	})
}

func (s *server) write(w http.ResponseWriter, account string, n phone.Number) error {
	p := s.phones.Phone(account, n)
	// Lists are never null.
	p.Heard, p.Messages = append([]string{}, p.Heard...), append([]string{}, p.Messages...)
	b, err := json.Marshal(p)
	if err != nil {
		return errors.New("show a simulated phone: it cannot be written as JSON")
	}
	return edge.WriteJSON(w, http.StatusOK, b)
}

// show: GET /sim/phones/{number}.
func (s *server) show(string, phone.Number, []byte) error { return nil }

// answer: POST /sim/phones/{number}/answer.
func (s *server) answer(account string, n phone.Number, body []byte) error {
	if err := decode(body, &struct{}{}); err != nil {
		return err
	}
	return s.phones.Answer(account, n)
}

// hangup: POST /sim/phones/{number}/hangup.
func (s *server) hangup(account string, n phone.Number, body []byte) error {
	if err := decode(body, &struct{}{}); err != nil {
		return err
	}
	return s.phones.Hangup(account, n)
}

// keys: POST /sim/phones/{number}/keys.
func (s *server) keys(account string, n phone.Number, body []byte) error {
	var in struct {
		Keys string `json:"keys"`
	}
	if err := decode(body, &in); err != nil {
		return err
	}
	if in.Keys == "" || len(in.Keys) > maxKeys {
		return ErrBadKeys
	}
	return s.phones.Press(account, n, in.Keys)
}

// next: POST /sim/phones/{number}/next.
func (s *server) next(account string, n phone.Number, body []byte) error {
	var in struct {
		Behaviour string `json:"behaviour"`
	}
	if err := decode(body, &in); err != nil {
		return err
	}
	if !slices.Contains(Behaviours(), in.Behaviour) {
		return invalid("body.behaviour", "want one of manual, answers, busy, no_answer, voicemail, hangs_up, declines, unreachable")
	}
	return s.phones.Behave(account, n, in.Behaviour)
}
