package media

import (
	"fmt"
	"log/slog"
)

// masked is what is seen of a key.
const masked = "[srtp key]"

// String hides the key.
func (Crypto) String() string { return masked }

// GoString hides the key from %#v.
func (Crypto) GoString() string { return masked }

// Format hides the key from every verb of fmt, %x and %d included.
func (Crypto) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue hides the key from logs.
func (Crypto) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalJSON hides the key from JSON.
func (Crypto) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }
