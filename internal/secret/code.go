package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A code's length in digits. Fewer than 4 can be guessed, more than 10 cannot be kept in mind.
const (
	MinCodeLen = 4
	MaxCodeLen = 10
)

// maxTypedLen bounds, in bytes, what ParseCode normalises: ten full-width digits with a separator around each fit well.
const maxTypedLen = 128

// ErrMalformedCode is what ParseCode answers to anything that is not a code. It never holds what was typed.
var ErrMalformedCode = errors.New("malformed code: type the 4 to 10 digits; only spaces and dashes may stand between them")

// Code is the digits a person hears and types back. It has no == (the compiler refuses it), masks itself wherever it is
// printed, and gives its digits to Reveal alone. The zero value is no code.
type Code struct {
	_      [0]func() // makes == and use as a map key a compile error
	digits *string   // ASCII digits, MinCodeLen to MaxCodeLen of them; nil for the zero value
}

// NewCode draws n digits (4 to 10) from r, each of the ten equally likely at every place, leading zeros included. A nil r is
// crypto/rand.Reader.
func NewCode(r io.Reader, n int) (Code, error) {
	if n < MinCodeLen || n > MaxCodeLen {
		return Code{}, fmt.Errorf("new code: length %d is outside %d to %d", n, MinCodeLen, MaxCodeLen)
	}
	// 250 is the largest multiple of ten in a byte: higher bytes are thrown away, or 0 to 5 would come more often.
	const fair = 250
	var few [MaxCodeLen]byte
	digits := few[:0]
	var buf [16]byte
	for {
		if err := fill(r, buf[:]); err != nil {
			return Code{}, fmt.Errorf("new code: random source: %w", err)
		}
		for _, b := range buf {
			if b >= fair {
				continue
			}
			if digits = append(digits, '0'+b%10); len(digits) == n {
				return codeOf(string(digits)), nil
			}
		}
	}
}

// ParseCode reads what a person typed. Spaces and dashes of any script are ignored, full-width digits count as digits (NFKC,
// Unicode Standard Annex #15); anything else, or a length outside 4 to 10 digits, is ErrMalformedCode.
func ParseCode(s string) (Code, error) {
	if len(s) > maxTypedLen {
		return Code{}, ErrMalformedCode
	}
	digits := make([]byte, 0, MaxCodeLen)
	for _, c := range normal(s) {
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, byte(c))
		case separates(c):
		default:
			return Code{}, ErrMalformedCode
		}
	}
	if len(digits) < MinCodeLen || len(digits) > MaxCodeLen {
		return Code{}, ErrMalformedCode
	}
	return codeOf(string(digits)), nil
}

// normal is s in NFKC; ASCII is already.
func normal(s string) string {
	for _, c := range []byte(s) {
		if c >= utf8.RuneSelf {
			return norm.NFKC.String(s)
		}
	}
	return s
}

// separates says whether c may stand between digits: a space, a dash, the minus sign, or the mark that a Japanese keyboard
// types for a dash.
func separates(c rune) bool {
	const minus, longVowel = '\u2212', '\u30fc'
	return unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) || c == minus || c == longVowel
}

func codeOf(digits string) Code { return Code{digits: &digits} }

// Reveal gives the digits: to be spoken, sent, sealed or hashed, never logged. It is the only way out.
func (c Code) Reveal() string {
	if c.digits == nil {
		return ""
	}
	return *c.digits
}

// Len is the number of digits, 0 for the zero value.
func (c Code) Len() int { return len(c.Reveal()) }

// IsZero says whether c holds no code.
func (c Code) IsZero() bool { return c.digits == nil }

// String is the mask.
func (c Code) String() string { return maskedCode }

// GoString is the mask.
func (c Code) GoString() string { return maskedCode }

// Format writes the mask for every verb.
func (c Code) Format(f fmt.State, _ rune) { writeMask(f, maskedCode) }

// LogValue is the mask.
func (c Code) LogValue() slog.Value { return slog.StringValue(maskedCode) }

// MarshalJSON is the mask; no error.
func (c Code) MarshalJSON() ([]byte, error) { return quoted(maskedCode), nil }

// MarshalText is the mask; no error.
func (c Code) MarshalText() ([]byte, error) { return []byte(maskedCode), nil }
