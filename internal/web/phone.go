package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/phone"
)

// onePhone is where a phone is.
const onePhone = "/sim/phones/{number}"

// addPhones adds what can be done with phones.
func (s *server) addPhones(m *edge.Mux) {
	s.handle(m, http.MethodGet, "/sim/phones", s.list)
	s.handle(m, http.MethodGet, "/sim/events", s.listEvents)
	s.act(m, http.MethodGet, "", s.show)
	s.act(m, http.MethodPost, "/answer", s.pickUp)
	s.act(m, http.MethodPost, "/hangup", s.hangup)
	s.act(m, http.MethodPost, "/keys", s.keys)
	s.act(m, http.MethodPost, "/next", s.next)
	s.handle(m, http.MethodGet, onePhone+"/events", s.phoneEvents)
	s.handle(m, http.MethodGet, onePhone+"/sound", s.sound)
}

// action does something with a phone. body is JSON or empty.
type action func(account string, n phone.Number, body []byte) error

// act adds an action on a phone. Every one answers with the phone as it is
// afterwards.
func (s *server) act(m *edge.Mux, method, path string, act action) {
	s.handle(m, method, onePhone+path, func(w http.ResponseWriter, r *edge.Request) error {
		n, err := number(r)
		if err != nil {
			return err
		}
		if err := act(r.Caller.Account, n, r.Body); err != nil {
			return err
		}
		return answer(w, http.StatusOK, whole(s.cfg.Phones.Phone(r.Caller.Account, n)))
	})
}

// number reads whose phone the path names.
func number(r *edge.Request) (phone.Number, error) {
	n, err := phone.Parse(r.PathValue("number"))
	if err != nil {
		return n, invalid("path.number", "write the number as E.164: a + and the country code first, then digits only")
	}
	return n, nil
}

// whole is a phone whose lists are never null.
func whole(p Phone) Phone {
	p.Heard, p.Messages = append([]string{}, p.Heard...), append([]string{}, p.Messages...)
	return p
}

// phoneList is a list of phones as it is answered.
type phoneList struct {
	Phones []Phone `json:"phones"`
}

func (s *server) listed(account string) phoneList {
	out := phoneList{[]Phone{}}
	for _, p := range s.cfg.Phones.List(account) {
		out.Phones = append(out.Phones, whole(p))
	}
	return out
}

// list: GET /sim/phones.
func (s *server) list(w http.ResponseWriter, r *edge.Request) error {
	return answer(w, http.StatusOK, s.listed(r.Caller.Account))
}

// show: GET /sim/phones/{number}.
func (s *server) show(string, phone.Number, []byte) error { return nil }

// pickUp: POST /sim/phones/{number}/answer.
func (s *server) pickUp(account string, n phone.Number, body []byte) error {
	if err := decode(body, &struct{}{}); err != nil {
		return err
	}
	return s.cfg.Phones.Answer(account, n)
}

// hangup: POST /sim/phones/{number}/hangup.
func (s *server) hangup(account string, n phone.Number, body []byte) error {
	if err := decode(body, &struct{}{}); err != nil {
		return err
	}
	return s.cfg.Phones.Hangup(account, n)
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
	return s.cfg.Phones.Press(account, n, in.Keys)
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
		return invalid("body.behaviour", "want one of "+strings.Join(Behaviours(), ", "))
	}
	return s.cfg.Phones.Behave(account, n, in.Behaviour)
}
