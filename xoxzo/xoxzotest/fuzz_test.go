package xoxzotest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func FuzzParseSent(f *testing.F) {
	for _, seed := range []string{
		"", "sent_date>=2026-06-29", "sent_date=2026-06-30", "sent_date<2026-06-30", "sent_date%3E2026-06-30", "sent_date", "a=b",
		"sent_date>=99999-01-01", "sent_date>=2026-06-29&x=y", "sent_date=%",
	} {
		f.Add(seed)
	}
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw string) {
		chosen, problem := parseSent(raw, now)
		switch {
		case (chosen == nil) != (problem != ""):
			t.Fatalf("%q: neither a choice nor a problem, or both", raw)
		case chosen == nil:
			if problem != "Invalid sent_date" && problem != "Invalid sent_date format" {
				t.Errorf("%q: %s", raw, problem)
			}
		case chosen(now.AddDate(0, 0, -listedDays-1)):
			t.Errorf("%q: lists what is too old", raw)
		case raw != "" && !strings.Contains(raw, "-"):
			t.Errorf("%q: a date without a dash", raw)
		}
	})
}

func FuzzFormOf(f *testing.F) {
	for _, seed := range []string{`{"a":"b","c":1,"d":{"e":"f"}}`, `{"a":null}`, `[]`, `null`, `{"a":"\ud800"}`, `{"a":1e999}`, `{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		form, problem := formOf(raw)
		if (form == nil) != (problem.status != 0) {
			t.Fatal("neither a form nor a problem, or both")
		}
		var object map[string]json.RawMessage
		if form != nil && (json.Unmarshal(raw, &object) != nil || len(object) != len(form)) {
			t.Errorf("%d fields of %d", len(form), len(object))
		}
	})
}

func FuzzFill(f *testing.F) {
	f.Add("Hi {name}", `{"name":"a"}`)
	f.Add("{a}{a}{b}", `{"a":"{b}","b":"x"}`)
	f.Add("none", `{}`)
	f.Add("{x}", `{"x":1}`)
	f.Fuzz(func(t *testing.T, content, variables string) {
		text, problem := fill(content, variables)
		if problem == "" && !placeholder.MatchString(content) && text != content {
			t.Errorf("%q became %q", content, text)
		}
		if problem != "" && strings.Contains(problem, variables) && len(variables) > 20 {
			t.Error("a variable is shown")
		}
	})
}

func FuzzParseAction(f *testing.F) {
	f.Add("playback http://example.com/a.mp3\n")
	f.Add("playback http://")
	f.Add("transfer +81")
	f.Fuzz(func(t *testing.T, text string) {
		target, err := parseAction(text)
		if err == nil && (!strings.HasPrefix(target, "http://") || strings.ContainsAny(target, " \n\r\t")) {
			t.Errorf("%q is played", target)
		}
	})
}
