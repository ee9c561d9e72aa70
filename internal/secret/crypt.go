package secret

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	sealVersion = 1  // first byte of a sealed value
	indexBytes  = 16 // length of an index: 128 bits, so that two numbers do not meet by chance
)

// MAC is HMAC-SHA-256 (32 bytes) over fields with the key keyID, in a domain of its own. Each field is preceded by its length,
// so ("ab", "c") and ("a", "bc") differ. An unknown key is ErrUnknownKey.
func (k Keyring) MAC(keyID, domain string, fields ...string) ([]byte, error) {
	sub, err := k.in().subkey("mac", keyID, domain)
	if err != nil {
		return nil, fmt.Errorf("mac: %w", err)
	}
	return sub.sum(fields), nil
}

// Index is a keyed hash (16 bytes) to find value by where value itself must not be stored. Its key never rotates, so an index
// stays good for the life of the database.
func (k Keyring) Index(domain, value string) []byte {
	in := k.in()
	name := subkeyName{use: "index", domain: domain}
	sub := in.cache.find(name)
	if sub == nil {
		sub = in.cache.add(name, in.index)
	}
	return sub.sum([]string{value})[:indexBytes]
}

// Seal encrypts plaintext with the current key (XChaCha20-Poly1305, random nonce). The result opens only with the same domain
// and the same aad, the fields it is bound to: version byte, length of the key id, key id, nonce, ciphertext with its tag.
func (k Keyring) Seal(plaintext []byte, domain string, aad ...string) ([]byte, error) {
	in := k.in()
	id := in.current
	sub, err := in.subkey("seal", id, domain)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	head := 2 + len(id)
	blob := make([]byte, head+chacha20poly1305.NonceSizeX, head+chacha20poly1305.NonceSizeX+len(plaintext)+chacha20poly1305.Overhead)
	blob[0], blob[1] = sealVersion, byte(len(id)) // ids have at most 64 characters
	copy(blob[2:], id)
	// Never fails: the system's generator ends the program rather than return an error.
	_, _ = rand.Read(blob[head:])
	return sub.aead.Seal(blob, blob[head:], plaintext, boundTo(domain, id, aad)), nil
}

// Open undoes Seal. ErrUnknownKey: sealed with a key that is not here. ErrCannotOpen: anything else is wrong with it.
func (k Keyring) Open(blob []byte, domain string, aad ...string) ([]byte, error) {
	if len(blob) < 2 || blob[0] != sealVersion {
		return nil, fmt.Errorf("open: %w", ErrCannotOpen)
	}
	head := 2 + int(blob[1])
	body := head + chacha20poly1305.NonceSizeX
	if len(blob) < body {
		return nil, fmt.Errorf("open: %w", ErrCannotOpen)
	}
	id := string(blob[2:head])
	sub, err := k.in().subkey("seal", id, domain)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	plaintext, err := sub.aead.Open(nil, blob[head:body], blob[body:], boundTo(domain, id, aad))
	if err != nil {
		return nil, fmt.Errorf("open: %w", ErrCannotOpen)
	}
	return plaintext, nil
}

// boundTo is the additional data of a sealed value: every part preceded by its length.
func boundTo(domain, keyID string, aad []string) []byte {
	const lengths = 8 // bytes of each
	n := lengths + len(domain) + lengths + len(keyID)
	for _, f := range aad {
		n += lengths + len(f)
	}
	out := appendField(appendField(make([]byte, 0, n), domain), keyID)
	for _, f := range aad {
		out = appendField(out, f)
	}
	return out
}

// appendField appends the length of f in bytes (64 bits, big-endian) and f. No two lists of fields give the same bytes.
func appendField(dst []byte, f string) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(len(f))), f...)
}

// derive makes a key for one use and one domain.
func derive(secret []byte, use, domain string) []byte {
	out, err := hkdf.Key(sha256.New, secret, nil, "pincall/v1/"+use+"/"+domain, keyBytes)
	if err != nil {
		// Possible only for a length over 255 hashes, and the length is a constant.
		panic(err)
	}
	return out
}

type subkeyName struct{ use, keyID, domain string }

// subkey is a derived key, ready for either use. It is safe for concurrent use.
type subkey struct {
	aead cipher.AEAD
	macs sync.Pool // of *macState: a reset HMAC keeps its key schedule, which costs more than a short message
}

type macState struct {
	hash hash.Hash
	buf  []byte
}

// sum is the HMAC over the fields, 32 bytes.
func (s *subkey) sum(fields []string) []byte {
	m := s.macs.Get().(*macState)
	m.buf = m.buf[:0]
	for _, f := range fields {
		m.buf = appendField(m.buf, f)
	}
	m.hash.Reset()
	m.hash.Write(m.buf)
	out := m.hash.Sum(make([]byte, 0, sha256.Size))
	clear(m.buf) // may hold a code
	s.macs.Put(m)
	return out
}

// subkeys keeps derived keys: read without a lock, replaced as a whole when a domain is met for the first time.
type subkeys struct {
	known atomic.Pointer[map[subkeyName]*subkey]
	grow  sync.Mutex // held while a larger map is made
}

// subkey is the derived key of a key in the ring, or ErrUnknownKey. The id is not told: it may be foreign bytes.
func (in *ring) subkey(use, keyID, domain string) (*subkey, error) {
	k, ok := in.keys[keyID]
	if !ok {
		return nil, ErrUnknownKey
	}
	name := subkeyName{use: use, keyID: keyID, domain: domain}
	if s := in.cache.find(name); s != nil {
		return s, nil
	}
	return in.cache.add(name, k.secret), nil
}

// find gives a derived key that is kept; nil: it is not.
func (c *subkeys) find(name subkeyName) *subkey {
	if m := c.known.Load(); m != nil {
		return (*m)[name]
	}
	return nil
}

// add derives a key and keeps it.
func (c *subkeys) add(name subkeyName, secret [keyBytes]byte) *subkey {
	c.grow.Lock()
	defer c.grow.Unlock()
	if s := c.find(name); s != nil {
		return s
	}
	larger := make(map[subkeyName]*subkey)
	if m := c.known.Load(); m != nil {
		maps.Copy(larger, *m)
	}
	larger[name] = newSubkey(derive(secret[:], name.use, name.domain))
	c.known.Store(&larger)
	return larger[name]
}

func newSubkey(derived []byte) *subkey {
	aead, err := chacha20poly1305.NewX(derived)
	if err != nil {
		// Possible only for a key that is not 32 bytes, and the length is a constant.
		panic(err)
	}
	s := &subkey{aead: aead}
	s.macs.New = func() any { return &macState{hash: hmac.New(sha256.New, derived)} }
	return s
}
