package secret

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Crockford's base32 in lower case: in the order of its values, so that ids sort as their bits do.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idChars is the length of an id: 128 bits in base32, the first character holding the top three.
const idChars = 26

// NewID makes a 26-character identifier that sorts by time (the shape of a ULID, in lower case): 48 bits of milliseconds since
// 1970, then 80 random bits from r, a nil r being crypto/rand.Reader. Ids of the same millisecond have no order. An id is
// public: it names a row and opens nothing.
func NewID(now time.Time, r io.Reader) string {
	var raw [16]byte
	// A clock before 1970 gives ids that sort first.
	binary.BigEndian.PutUint64(raw[:8], uint64(max(now.UnixMilli(), 0))<<16)
	if err := fill(r, raw[6:]); err != nil {
		// The system's generator cannot fail; a reader of the caller's that runs dry is a programmer's mistake.
		panic(fmt.Sprintf("secret.NewID: random source: %v", err))
	}
	hi, lo := binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	var out [idChars]byte
	for i := idChars - 1; i >= 0; i-- {
		out[i] = idAlphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}
