package phone

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

const (
	noNumber  = "[no number]" // the mask of the zero value
	tailShown = 4             // at most so many trailing digits are shown
	minHidden = 3             // at least so many digits are hidden before the first group may be shown
	longDigit = 9             // a national number with fewer digits shows a quarter of them at its end, not four
)

// String is the masked number, such as "+81 80-****-5209": country code, first group, at most four digits at the end. A short
// number shows less.
func (n Number) String() string {
	if n.IsZero() {
		return noNumber
	}
	cc := fmt.Sprintf("+%d", n.CallingCode())
	p, err := phonenumbers.Parse(n.E164(), "")
	if err != nil {
		// Parse took it once, so it takes it again; should it not, the country is all that is told.
		return cc + " ****"
	}
	national := strings.TrimPrefix(phonenumbers.Format(p, phonenumbers.INTERNATIONAL), cc)
	return cc + " " + maskNational(strings.TrimSpace(national))
}

// maskNational hides digits of a number written in groups ("80-1234-5209") and keeps what stands between them.
func maskNational(national string) string {
	total, first := 0, 0 // digits in all, digits of the first group
	for _, c := range []byte(national) {
		if c >= '0' && c <= '9' {
			total++
		} else if first == 0 {
			first = total
		}
	}
	tail := tailShown
	if total < longDigit {
		tail = total / 4
	}
	// A number without groups is one group: showing it is out of the question.
	head := first
	if total-head-tail < max(minHidden, total/3) {
		head = 0
	}
	out, at := []byte(national), 0
	for i, c := range out {
		if c < '0' || c > '9' {
			continue
		}
		if at >= head && at < total-tail {
			out[i] = '*'
		}
		at++
	}
	return string(out)
}

// GoString is the masked number.
func (n Number) GoString() string { return n.String() }

// Format writes the masked number for every verb.
func (n Number) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.String()) }

// LogValue is the masked number.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.String()) }

// MarshalJSON is the masked number; no error. The answer to the key that sent a number takes it from E164.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(`"` + n.String() + `"`), nil }

// MarshalText is the masked number; no error.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }
