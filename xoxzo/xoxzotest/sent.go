package xoxzotest

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// listedDays is how far back the list of sent messages goes.
const listedDays = 90

// showSent lists the messages that a raw query chooses, as GET /sms/messages/{msgid}/ shows them, without moving their lives
// on.
func (s *Server) showSent(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	chosen, problem := parseSent(act.query, s.now())
	if problem != "" {
		return answer{status: http.StatusBadRequest, body: complaints{"sent_date": {problem}}}
	}
	list := []view{}
	for _, m := range s.messages {
		if chosen(m.start) {
			list = append(list, m.view(m))
		}
	}
	return answer{status: http.StatusOK, body: list}
}

// parseSent reads a raw query of the form sent_date, operator, date. Clients append the operator to the name without
// encoding it, so a parser of forms finds names like "sent_date>" and "sent_date>2016-05-18"; Python's requests then
// encodes < and > on their way, which is the same query to a server that decodes it. The problem is empty or a documented
// text (docs.xoxzo.com/en/errors).
func parseSent(raw string, now time.Time) (chosen func(time.Time) bool, problem string) {
	first := now.UTC().AddDate(0, 0, -listedDays).Format(time.DateOnly)
	if raw == "" {
		return func(t time.Time) bool { return day(t) >= first }, ""
	}
	text, err := url.PathUnescape(raw) // a plus stays one
	rest, named := strings.CutPrefix(text, "sent_date")
	if err != nil || !named {
		return nil, "Invalid sent_date"
	}
	op := rest[:len(rest)-len(strings.TrimLeft(rest, "<>="))]
	date := rest[len(op):]
	if t, err := time.Parse(time.DateOnly, date); err != nil || t.Year() < 1000 {
		return nil, "Invalid sent_date format"
	}
	if date < first {
		return nil, "Invalid sent_date"
	}
	// Dates of four digits' years compare as texts do.
	listed := func(holds func(string) bool) func(time.Time) bool {
		return func(t time.Time) bool { return day(t) >= first && holds(day(t)) }
	}
	switch op {
	case "<":
		return listed(func(d string) bool { return d < date }), ""
	case "<=":
		return listed(func(d string) bool { return d <= date }), ""
	case "=":
		return listed(func(d string) bool { return d == date }), ""
	case ">=":
		return listed(func(d string) bool { return d >= date }), ""
	case ">":
		return listed(func(d string) bool { return d > date }), ""
	}
	return nil, "Invalid sent_date"
}

// day is the UTC date of t.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
