package secret

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

const (
	tokenBytes     = 32 // 256 random bits
	tokenChars     = 52 // the same in base32 without padding
	maxTokenPart   = 64 // characters in a prefix or an id
	tokenHashLabel = "pincall/token/v1\x00"
)

// base32 (RFC 4648) in lower case: the alphabet has neither an underscore nor a look-alike of 0 and 1.
const tokenAlphabet = "abcdefghijklmnopqrstuvwxyz234567"

// ErrMalformedToken is what ParseToken answers to anything that is not a token. It never holds what was given.
var ErrMalformedToken = errors.New("malformed token: copy it whole, as it was shown when it was made")

// Token is a bearer secret, "<prefix>_<id>_<52 base32 characters>": an API key or a client token. Prefix and id are public
// and find the row that keeps the hash. It has no ==, masks itself wherever it is printed, and gives its text to Reveal alone.
type Token struct {
	_          [0]func() // makes == and use as a map key a compile error
	prefix, id string
	key        *string // tokenBytes random bytes; nil for the zero value
}

// NewToken draws a token from r; a nil r is crypto/rand.Reader. Prefix and id are 1 to 64 of a-z and 0-9.
func NewToken(r io.Reader, prefix, id string) (Token, error) {
	if !plain(prefix) || !plain(id) {
		return Token{}, errors.New("new token: prefix and id must be 1 to 64 of a-z and 0-9")
	}
	var key [tokenBytes]byte
	if err := fill(r, key[:]); err != nil {
		return Token{}, fmt.Errorf("new token: random source: %w", err)
	}
	return tokenOf(prefix, id, key[:]), nil
}

func tokenOf(prefix, id string, raw []byte) Token {
	key := string(raw)
	return Token{prefix: prefix, id: id, key: &key}
}

// ParseToken reads a token exactly as Reveal wrote it; anything else, spaces around it included, is ErrMalformedToken.
func ParseToken(s string) (Token, error) {
	if len(s) > 2*maxTokenPart+tokenChars+2 {
		return Token{}, ErrMalformedToken
	}
	prefix, rest, _ := strings.Cut(s, "_")
	id, key, _ := strings.Cut(rest, "_")
	if !plain(prefix) || !plain(id) || len(key) != tokenChars {
		return Token{}, ErrMalformedToken
	}
	var raw [tokenBytes]byte
	n, err := tokenEncoding().Decode(raw[:], []byte(key))
	// The decoder skips line breaks and ignores the last four bits; both fail the comparison with the canonical form.
	if err != nil || n != tokenBytes || encodeKey(raw[:]) != [tokenChars]byte([]byte(key)) {
		return Token{}, ErrMalformedToken
	}
	return tokenOf(prefix, id, raw[:]), nil
}

// encodeKey writes the random part of a token.
func encodeKey(raw []byte) (out [tokenChars]byte) {
	tokenEncoding().Encode(out[:], raw)
	return out
}

// tokenEncoding is made once; it is never changed.
var tokenEncoding = sync.OnceValue(func() *base32.Encoding {
	return base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding)
})

// plain says whether s may be a prefix or an id of a token, or the id of a key.
func plain(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= maxTokenPart
}

// Prefix is the first part: what kind of token it is. Public.
func (t Token) Prefix() string { return t.prefix }

// ID is the second part: which row keeps the hash. Public.
func (t Token) ID() string { return t.id }

// IsZero says whether t holds no token.
func (t Token) IsZero() bool { return t.key == nil }

// Reveal gives the whole token, to be shown once to its owner; "" for the zero value.
func (t Token) Reveal() string {
	if t.key == nil {
		return ""
	}
	key := encodeKey([]byte(*t.key))
	return t.prefix + "_" + t.id + "_" + string(key[:])
}

// Hash is what a database keeps: SHA-256 over a label and the random part, 32 bytes. A plain hash is enough, as 256 random
// bits cannot be searched. The zero value has none (nil).
func (t Token) Hash() []byte {
	if t.key == nil {
		return nil
	}
	sum := t.sum()
	return sum[:]
}

func (t Token) sum() [sha256.Size]byte {
	var labelled [len(tokenHashLabel) + tokenBytes]byte
	copy(labelled[copy(labelled[:], tokenHashLabel):], *t.key)
	return sha256.Sum256(labelled[:])
}

// Matches says, in constant time, whether hash is t's. The zero value matches nothing.
func (t Token) Matches(hash []byte) bool {
	if t.key == nil {
		return false
	}
	sum := t.sum()
	return Equal(sum[:], hash)
}

// String is the mask.
func (t Token) String() string { return maskedToken }

// GoString is the mask.
func (t Token) GoString() string { return maskedToken }

// Format writes the mask for every verb.
func (t Token) Format(f fmt.State, _ rune) { writeMask(f, maskedToken) }

// LogValue is the mask.
func (t Token) LogValue() slog.Value { return slog.StringValue(maskedToken) }

// MarshalJSON is the mask; no error.
func (t Token) MarshalJSON() ([]byte, error) { return quoted(maskedToken), nil }

// MarshalText is the mask; no error.
func (t Token) MarshalText() ([]byte, error) { return []byte(maskedToken), nil }
