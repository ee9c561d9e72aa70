package verify

import (
	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

// Eligible lists, in order of preference, the routes that can serve a channel
// of a verification: they reach its country, speak its language, can say its
// payee and dial its extension, and gate where the service requires that.
func Eligible(routes []carrier.Route, v Verification, ch phone.Channel) []carrier.Route {
	var out []carrier.Route
	s := v.Settings
	for _, r := range routes {
		can := r.Carrier.Can()
		if !can.Carries(ch) || !can.Reaches(v.Country) {
			continue
		}
		if ch == phone.Voice && !speaks(can, s) || s.Extension && (ch == phone.SMS || !can.Extension) {
			continue
		}
		out = append(out, r)
	}
	return out
}

// speaks says whether a route can hold the call.
func speaks(can carrier.Abilities, s Settings) bool {
	if !can.Speaks(s.Language) || s.Words && !can.SpeaksWords(s.Language) {
		return false
	}
	return can.Gate || s.Gate == script.GateNone || s.GatePolicy != account.GateRequire
}

// servable says, for a new verification, that every step has a route, and
// whether the simulator would serve all of them.
func (c *Core) servable(v Verification) (embedded bool, err error) {
	embedded = true
	for _, step := range v.Settings.Workflow {
		routes := Eligible(c.cfg.Routes, v, step.Channel)
		if len(routes) == 0 {
			return false, fail(NoRoute, "no configured carrier can do this by %s in this country and language, with this gate, payee and extension: "+
				"add a route, or change the request", step.Channel)
		}
		for _, r := range routes {
			embedded = embedded && r.Embedded
		}
	}
	return embedded, nil
}

// untried lists the eligible routes that the send of an attempt has not used.
func (c *Core) untried(v Verification, attempts []Attempt, of Attempt) []carrier.Route {
	used := map[string]bool{}
	for _, a := range attempts {
		used[a.Route] = used[a.Route] || a.Send == of.Send
	}
	var out []carrier.Route
	for _, r := range Eligible(c.cfg.Routes, v, of.Channel) {
		if !used[r.Name] {
			out = append(out, r)
		}
	}
	return out
}

// Route gives a configured route by its name.
func (c *Core) Route(name string) (carrier.Route, bool) {
	for _, r := range c.cfg.Routes {
		if r.Name == name {
			return r, true
		}
	}
	return carrier.Route{}, false
}
