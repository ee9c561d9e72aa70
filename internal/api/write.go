package api

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// writer writes an object as encoding/json does, without looking at types. The
// answers to a start and to a check are written so, as there are many of them;
// TestWrittenAlike holds it to what encoding/json makes of the same values.
type writer struct {
	b []byte
	// bad says that a value was met that is not written here.
	bad bool
}

// name begins a field; the text is a literal of ours.
func (w *writer) name(name string) {
	if last := len(w.b) - 1; w.b[last] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) text(name, value string) {
	w.name(name)
	w.b = append(w.b, '"')
	for _, c := range []byte(value) {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x7f {
			w.bad = true
		}
	}
	w.b = append(w.b, value...)
	w.b = append(w.b, '"')
}

// some is text, left out where it is empty.
func (w *writer) some(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *writer) number(name string, n int) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, int64(n), 10)
}

func (w *writer) flag(name string, on bool) {
	w.name(name)
	w.b = strconv.AppendBool(w.b, on)
}

func (w *writer) time(name string, t time.Time) {
	w.bad = w.bad || t.Location() != time.UTC || t.Year() < 0 || t.Year() > 9999
	w.name(name)
	w.b = append(w.b, '"')
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

// moment is time, left out where it has not come.
func (w *writer) moment(name string, t *time.Time) {
	if t != nil {
		w.time(name, *t)
	}
}

// document is what was written, or what encoding/json makes of v where writer
// would not do.
func document[T any](w writer, v T) ([]byte, error) {
	if w.bad {
		return encode(v)
	}
	return append(w.b, '}'), nil
}

// writeStarted writes a start's answer up to its closing brace.
func writeStarted(s Started) writer {
	const room = 768 // most fit
	w := writer{b: append(make([]byte, 0, room), '{')}
	v := s.Verification
	t := v.Told
	w.bad = t.Consent != nil || t.ClientIP != "" || t.UserRef != "" || len(t.Metadata) > 0
	w.text("id", v.ID)
	w.text("status", v.Status)
	w.some("reason", v.Reason)
	w.text("to", v.To)
	w.some("service", v.Service)
	w.text("channel", v.Channel)
	w.text("locale", v.Locale)
	w.text("gate", v.Gate)
	w.some("purpose", v.Purpose)
	w.time("created_at", v.CreatedAt)
	w.time("expires_at", v.ExpiresAt)
	w.moment("ended_at", v.EndedAt)
	w.number("remaining", v.Remaining)
	w.number("sends_remaining", v.SendsRemaining)
	w.number("step", v.Step)
	w.number("steps", v.Steps)
	w.some("screen_digits", v.ScreenDigits)
	w.attempts(v.Attempts)
	w.text("client_token", s.ClientToken)
	return w
}

func (w *writer) attempts(all []Attempt) {
	w.bad = w.bad || all == nil
	w.name("attempts")
	w.b = append(w.b, '[')
	for i, a := range all {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '{')
		w.attempt(a)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *writer) attempt(a Attempt) {
	w.text("id", a.ID)
	w.text("channel", a.Channel)
	w.some("route", a.Route)
	w.text("state", a.State)
	w.some("outcome", a.Outcome)
	w.some("reason", a.Reason)
	if a.Ungated {
		w.flag("ungated", true)
	}
	if a.GatePassed {
		w.flag("gate_passed", true)
	}
	w.number("readouts", a.Readouts)
	w.time("created_at", a.CreatedAt)
	w.moment("dialled_at", a.DialledAt)
	w.moment("rung_at", a.RungAt)
	w.moment("answered_at", a.AnsweredAt)
	w.moment("gate_passed_at", a.GatePassedAt)
	w.moment("ended_at", a.EndedAt)
}

// writeChecked writes a check's answer up to its closing brace.
func writeChecked(c Checked) writer {
	w := writer{b: append(make([]byte, 0, 64), '{')}
	w.text("status", c.Status)
	w.flag("valid", c.Valid)
	w.number("remaining", c.Remaining)
	return w
}
