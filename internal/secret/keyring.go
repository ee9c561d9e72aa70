package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

// keyBytes is the length of every key: 256 bits.
const keyBytes = 32

// ErrUnknownKey says that a value names a key that this keyring does not hold: it was made with another keyring, or the key
// was removed.
var ErrUnknownKey = errors.New("key is not in the keyring")

// ErrCannotOpen says that a sealed value was changed, cut, or sealed for another domain or other bound fields.
var ErrCannotOpen = errors.New("sealed value does not open")

// Keyring holds the keys that live outside the database: the current one, older ones that still check and open, and the index
// key, which never rotates. It is safe for concurrent use, and masks itself wherever it is printed. Copies share their keys:
// Reload replaces those of all at once, and each operation uses one set of keys from its beginning to its end.
//
// Every operation names a domain, a constant such as "verify/code": values of one domain mean nothing in another, as each has
// keys of its own, derived by HKDF (RFC 5869) and kept. Domains must not come from outside: the derived keys stay in memory.
type Keyring struct {
	// Closures, so that no form of printing reaches the keys.
	in   func() *ring
	swap func(*ring)
}

type ring struct {
	current string         // id of the key that seals and that new MACs should use
	keys    map[string]key // by id; holds current
	order   []string       // ids as in the file, oldest first
	index   [keyBytes]byte
	cache   subkeys
}

type key struct {
	secret  [keyBytes]byte
	created time.Time // for the operator; decides nothing
}

// NewKeyring draws a keyring with one key, "k1", from r; a nil r is crypto/rand.Reader. now is recorded as its age.
func NewKeyring(r io.Reader, now time.Time) (*Keyring, error) {
	const first = "k1"
	in := &ring{current: first, keys: make(map[string]key), order: []string{first}}
	k := key{created: now.UTC().Truncate(time.Second)}
	for _, dst := range [][]byte{k.secret[:], in.index[:]} {
		if _, err := io.ReadFull(source(r), dst); err != nil {
			return nil, fmt.Errorf("new keyring: random source: %w", err)
		}
	}
	in.keys[first] = k
	return keyringOf(in), nil
}

func keyringOf(r *ring) *Keyring {
	var held atomic.Pointer[ring]
	held.Store(r)
	return &Keyring{in: held.Load, swap: held.Store}
}

// Current is the id of the key to use for new values. It is public and stored beside each MAC.
func (k Keyring) Current() string { return k.in().current }

// CheckValue tells keyrings apart in public: 32 hex digits derived one way from the index key, hence the same after a
// rotation. A database keeps it, so that a server with another keyring refuses to start.
func (k Keyring) CheckValue() string {
	return fmt.Sprintf("%x", derive(k.in().index[:], "check", "")[:16])
}

// String is the mask.
func (k Keyring) String() string { return maskedKeyring }

// GoString is the mask.
func (k Keyring) GoString() string { return maskedKeyring }

// Format writes the mask for every verb.
func (k Keyring) Format(f fmt.State, _ rune) { writeMask(f, maskedKeyring) }

// LogValue is the mask.
func (k Keyring) LogValue() slog.Value { return slog.StringValue(maskedKeyring) }

// MarshalJSON is the mask: CreateKeyring alone writes keys.
func (k Keyring) MarshalJSON() ([]byte, error) { return quoted(maskedKeyring), nil }

// MarshalText is the mask; no error.
func (k Keyring) MarshalText() ([]byte, error) { return []byte(maskedKeyring), nil }
