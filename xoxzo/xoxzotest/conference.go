package xoxzotest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// checkConference returns what is wrong with a conference. Xoxzo names no limit for the participants; ten is this server's.
func checkConference(form url.Values) complaints {
	bad := checkForm(form, "caller", "participants")
	checkCaller(form, bad)
	if !form.Has("participants") {
		bad.add("participants", required)
		return bad
	}
	numbers := strings.Split(form.Get("participants"), ",")
	if len(numbers) < 2 || len(numbers) > 10 {
		bad.add("participants", "Two to ten numbers are required.")
	}
	for i, number := range numbers {
		switch {
		case !strictE164(number):
			bad.add("participants", "Enter valid phone numbers in E.164 format.")
		case slices.Contains(numbers[:i], number):
			bad.add("participants", "A number is given more than once.")
		}
	}
	return bad
}

// confer places the legs, each at the price of a call, all or none. How Xoxzo nests the identifiers is not documented; this
// is one way to say one conferenceid and a callid for each leg.
func (s *Server) confer(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := strings.Split(act.form.Get("participants"), ",")
	if a := s.charge(float64(CallCost * len(numbers))); a.status != 0 {
		return a
	}
	id := newID()
	var calls []view
	for _, number := range numbers {
		form := url.Values{"caller": act.form["caller"], "recipient": {number}}
		leg := s.addCall("simple/conferences", form)
		s.conferences[id] = append(s.conferences[id], leg)
		calls = append(calls, view{"callid": leg.id, "recipient": number})
	}
	return answer{status: http.StatusCreated, body: []view{{"conferenceid": id, "calls": calls}}}
}

// showConference reads every leg once, as GET /voice/calls/{callid}/ does. The fields are this server's own, after those of
// a call. The conference is answered as soon as one leg is and ends with the last.
func (s *Server) showConference(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	legs := s.conferences[act.id]
	if len(legs) == 0 {
		return detail(http.StatusNotFound, "Not found.")
	}
	v := view{
		"conferenceid": act.id, "caller": legs[0].form.Get("caller"), "status": "IN_PROGRESS",
		"start_time": wireTime(legs[0].start), "end_time": unset, "cost": 0,
		"url": s.URL + "/voice/simple/conferences/" + act.id + "/",
	}
	var calls []view
	open := false
	for _, leg := range legs {
		shown := s.read(leg)
		calls = append(calls, shown)
		open = open || leg.end.IsZero()
		if shown["status"] == "ANSWERED" {
			v["status"] = "ANSWERED"
		}
	}
	if !open {
		last := slices.MaxFunc(legs, func(a, b *record) int { return a.end.Compare(b.end) })
		v["end_time"], v["cost"] = wireTime(last.end), CallCost*len(legs)
	}
	v["calls"] = calls
	return answer{status: http.StatusOK, body: v}
}
