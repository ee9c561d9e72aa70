package xoxzotest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
)

// Network is the mobile network of a number.
type Network struct {
	MCC, MNC string // "440", "54"
	Carrier  string // "KDDI"
	Country  string // "JP"
}

// SetNetwork gives a number a network. All numbers are without one, like landlines, until then.
func (s *Server) SetNetwork(number string, n Network) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.networks[number] = n
}

func checkLookup(form url.Values) complaints {
	bad := checkForm(form, "recipient")
	checkRecipient(form, bad)
	return bad
}

// lookUp answers with the network. A number without one costs nothing here: its cost is null like everything else.
func (s *Server) lookUp(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, known := s.networks[act.form.Get("recipient")]
	if !known {
		nothing := view{}
		for _, name := range []string{"id", "mcc", "mnc", "mccmnc", "carrier", "country", "recipient", "cost"} {
			nothing[name] = nil
		}
		return answer{status: http.StatusCreated, body: []view{nothing}}
	}
	if a := s.charge(LookupCost); a.status != 0 {
		return a
	}
	return answer{status: http.StatusCreated, body: []view{{
		"id":  (strings.ToLower(rand.Text()) + strings.ToLower(rand.Text()))[:32],
		"mcc": n.MCC, "mnc": n.MNC, "mccmnc": n.MCC + n.MNC, "carrier": n.Carrier, "country": n.Country,
		"recipient": act.form.Get("recipient"), "cost": LookupCost,
	}}}
}
