package secret

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
)

// What stands in place of a secret wherever it is printed.
const (
	maskedCode    = "[code]"
	maskedText    = "[secret]"
	maskedToken   = "[token]"
	maskedKeyring = "[keyring]"
)

// Equal compares in constant time for equal lengths; a different length is false at once.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// writeMask answers any verb, flag and width with the mask alone. A failed write is fmt's to notice.
func writeMask(f fmt.State, mask string) { _, _ = io.WriteString(f, mask) }

// quoted is the mask as JSON; no mask holds a character that JSON escapes.
func quoted(mask string) []byte { return []byte(`"` + mask + `"`) }

// source is r, or the system's generator for nil.
func source(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}

// fill fills b from r, or from the system's generator for nil, which never fails
// and leaves b where the caller has it.
func fill(r io.Reader, b []byte) error {
	if r == nil {
		_, _ = rand.Read(b)
		return nil
	}
	drawn := make([]byte, len(b))
	defer clear(drawn)
	if _, err := io.ReadFull(r, drawn); err != nil {
		return err
	}
	copy(b, drawn)
	return nil
}
