package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Script is what a person hears, in order. The zero value says nothing.
type Script struct {
	Lang  string // as Languages names it
	Parts []Part
}

// Duration estimates how long the whole script lasts; see [Part.Duration].
func (s Script) Duration() time.Duration { return total(s.Parts) }

func total(parts []Part) time.Duration {
	var d time.Duration
	for i := range parts {
		d += parts[i].Duration()
	}
	return d
}

// Readout is the n-th reading of the code, its introduction included; n counts
// from 1. It is nil when the script has no such readout.
func (s Script) Readout(n int) []Part {
	var parts []Part
	for _, p := range s.Parts {
		if p.Section == SectionReadout && p.Readout == n {
			parts = append(parts, p)
		}
	}
	return parts
}

// readoutDuration estimates how long the n-th reading of the code lasts.
func (s Script) readoutDuration(n int) time.Duration {
	var d time.Duration
	for i := range s.Parts {
		if p := &s.Parts[i]; p.Section == SectionReadout && p.Readout == n {
			d += p.Duration()
		}
	}
	return d
}

// Readouts counts the readings of the code.
func (s Script) Readouts() int {
	n := 0
	for _, p := range s.Parts {
		n = max(n, p.Readout)
	}
	return n
}

// BeforeGate is the script up to and with its gate, and AfterGate what follows.
// Without a gate the first is empty and the second is the whole script.
func (s Script) BeforeGate() Script { return Script{s.Lang, s.Parts[:s.pastGate()]} }

// AfterGate is what is said once the gate's keys were right; see BeforeGate.
func (s Script) AfterGate() Script { return Script{s.Lang, s.Parts[s.pastGate():]} }

// pastGate is the index of the first part behind the gate, 0 without one.
func (s Script) pastGate() int {
	for i, p := range s.Parts {
		if p.Kind == KindGate {
			return i + 1
		}
	}
	return 0
}

// PartsJSON renders the script as one JSON array, an object a part, with the
// code in clear: {"say":..}, {"brand":..}, {"amount":..}, {"payee":..},
// {"digit":"9","words":..}, {"silence_ms":1000}, {"gate":"any_key","words":..},
// {"menu":{"again":"1","report":"9"},"words":..}, {"text":..}.
func (s Script) PartsJSON() ([]byte, error) {
	b, err := s.parts(false)
	if err != nil {
		return nil, fmt.Errorf("script: render parts: %w", err)
	}
	return b, nil
}

func (s Script) parts(masked bool) ([]byte, error) {
	wire := make([]wirePart, len(s.Parts))
	for i, p := range s.Parts {
		wire[i] = p.wire(masked)
	}
	return encode(wire)
}

// encode marshals without the escaping of < and &, which only HTML needs.
func encode[T any](v T) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// wirePart is a part as JSON; the order of its fields is the order of its keys.
type wirePart struct {
	Say     string    `json:"say,omitempty"`
	Brand   string    `json:"brand,omitempty"`
	Amount  string    `json:"amount,omitempty"`
	Payee   string    `json:"payee,omitempty"`
	Text    string    `json:"text,omitempty"`
	Digit   string    `json:"digit,omitempty"`
	Silence *int64    `json:"silence_ms,omitempty"`
	Gate    Gate      `json:"gate,omitempty"`
	Menu    *wireMenu `json:"menu,omitempty"`
	Words   string    `json:"words,omitempty"`
}

type wireMenu struct {
	Again  string `json:"again"`
	Report string `json:"report"`
}

// wire converts a part. Masked, it holds neither the code nor what belongs to
// the person: an announcement may carry another system's code in its text.
func (p Part) wire(masked bool) wirePart {
	words, digit := p.Words, string(rune(p.Digit))
	if masked && p.private() {
		words, digit = mask, mask
	}
	switch p.Kind {
	case KindBrand:
		return wirePart{Brand: words}
	case KindAmount:
		return wirePart{Amount: words}
	case KindPayee:
		return wirePart{Payee: words}
	case KindText:
		return wirePart{Text: words}
	case KindDigit:
		return wirePart{Digit: digit, Words: words}
	case KindSilence:
		ms := p.Silence.Milliseconds()
		return wirePart{Silence: &ms}
	case KindGate:
		return wirePart{Gate: p.Gate, Words: words}
	case KindMenu:
		return wirePart{Menu: &wireMenu{string(rune(p.Again)), string(rune(p.Report))}, Words: words}
	default:
		return wirePart{Say: words}
	}
}

// mask stands for everything that is not to be seen.
const mask = "*"

// private tells whether the words are kept from logs.
func (p Part) private() bool {
	switch p.Kind {
	case KindDigit, KindAmount, KindPayee, KindText:
		return true
	}
	return false
}

// String shows the part with its code, amount, payee or text masked.
func (p Part) String() string {
	switch {
	case p.private():
		return mask
	case p.Kind == KindSilence:
		return "(" + p.Silence.String() + ")"
	}
	return p.Words
}

// GoString is String: %#v reveals no more than %v.
func (p Part) GoString() string { return p.String() }

// Format writes String for every verb, %x and %d too.
func (p Part) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue is String.
func (p Part) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalJSON is the masked form of what [Script.PartsJSON] writes.
func (p Part) MarshalJSON() ([]byte, error) { return encode(p.wire(true)) }

// MarshalText is String, for the encoders that know no JSON.
func (p Part) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String shows the script with its code, amount, payee and text masked.
func (s Script) String() string {
	words := make([]string, len(s.Parts))
	for i, p := range s.Parts {
		words[i] = p.String()
	}
	return strings.TrimSpace("[" + s.Lang + "] " + strings.Join(words, " "))
}

// GoString is String: %#v reveals no more than %v.
func (s Script) GoString() string { return s.String() }

// Format writes String for every verb, %x and %d too.
func (s Script) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is String.
func (s Script) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is the masked form of what [Script.PartsJSON] writes, which is
// the one to use when the code is meant to be there.
func (s Script) MarshalJSON() ([]byte, error) { return s.parts(true) }

// MarshalText is String, for the encoders that know no JSON.
func (s Script) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
