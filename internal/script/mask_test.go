package script

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestMasks prints a script in every way there is and looks for what it hides.
func TestMasks(t *testing.T) {
	t.Parallel()
	s, err := Compose(Message{
		Lang: "en", Brand: "Acme", Code: mustCode(t, "482913"), Amount: &Money{Minor: 7700, Currency: "EUR"}, Payee: "Zebra",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := ComposeText("en", "Zebra says 482913")
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		S Script
		P *Script
		L []Part
	}
	for _, v := range []any{s, &s, s.Parts, text, holder{s, &s, s.Parts}, s.Parts[len(s.Parts)-4]} {
		for _, out := range printed(t, v) {
			for _, leak := range []string{"four", "eight", "number", "482", "Zebra", "seventy", "'4'"} {
				if strings.Contains(out, leak) {
					t.Errorf("%T reveals %q in %s", v, leak, out)
				}
			}
		}
	}
	if got := s.String(); !strings.Contains(got, "Your code is (700ms) * (300ms) *") || !strings.Contains(got, "Acme") {
		t.Errorf("String() = %s, want the phrases with masked digits", got)
	}
}

// printed is a value through fmt, slog, JSON and XML.
func printed(t *testing.T, v any) []string {
	t.Helper()
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U"} {
		out = append(out, fmt.Sprintf(verb, v))
	}
	out = append(out, fmt.Sprint(v), fmt.Errorf("wrapped: %v", v).Error())
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := xml.Marshal(v)
	lines := log.String()
	for _, l := range strings.Split(lines, "\n") {
		if _, rest, ok := strings.Cut(l, "v="); ok { // the time before it may hold any digits
			out = append(out, rest)
		}
		if _, rest, ok := strings.Cut(l, `"v":`); ok {
			out = append(out, rest)
		}
	}
	return append(out, string(j), string(x))
}

// TestRevealing is the counterpart: the renderers do tell.
func TestRevealing(t *testing.T) {
	t.Parallel()
	s, err := Compose(Message{Lang: "en", Code: mustCode(t, "4829")})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := s.PartsJSON()
	if err != nil {
		t.Fatal(err)
	}
	var wire []map[string]any
	if err := json.Unmarshal(parts, &wire); err != nil {
		t.Fatal(err)
	}
	digits := ""
	for _, p := range wire {
		if d, ok := p["digit"].(string); ok {
			digits += d
		}
	}
	if digits != "482948294829" {
		t.Errorf("the parts hold %d digits of the code, want three readouts", len(digits))
	}
}
