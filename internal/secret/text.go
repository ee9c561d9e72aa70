package secret

import (
	"fmt"
	"log/slog"
)

// Text is words that carry a secret: an SMS with a code in it, the digits a person must key. It has no ==, masks itself
// wherever it is printed, and gives its words to Reveal alone. The zero value is no words.
type Text struct {
	_     [0]func() // makes == and use as a map key a compile error
	words *string   // nil for the zero value
}

// NewText hides s; "" gives the zero value.
func NewText(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{words: &s}
}

// Reveal gives the words. Every call is a place where a secret leaves its wrapper, so keep them few.
func (t Text) Reveal() string {
	if t.words == nil {
		return ""
	}
	return *t.words
}

// IsZero says whether there are no words.
func (t Text) IsZero() bool { return t.words == nil }

// String masks.
func (t Text) String() string { return maskedText }

// GoString masks.
func (t Text) GoString() string { return maskedText }

// Format masks for every verb.
func (t Text) Format(f fmt.State, _ rune) { writeMask(f, maskedText) }

// LogValue masks.
func (t Text) LogValue() slog.Value { return slog.StringValue(maskedText) }

// MarshalJSON masks.
func (t Text) MarshalJSON() ([]byte, error) { return quoted(maskedText), nil }

// MarshalText masks.
func (t Text) MarshalText() ([]byte, error) { return []byte(maskedText), nil }
