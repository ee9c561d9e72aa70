package verify

import (
	"encoding/hex"
	"sync"

	"github.com/pincall/pincall/internal/secret"
)

// A callback token is the id of an attempt and a keyed hash of it, 128 bits in
// hex: nothing need be stored for it, and whoever has the keyring can tell one
// from a guess. The key does not rotate, so a token is good for as long as there
// is anything to be told of its attempt.
const (
	callbackDomain = "callback"
	callbackHash   = 32 // hex digits
	longestToken   = 128
)

// CallbackToken is what the address ends with at which a carrier tells of news of
// an attempt. Who knows it can have the carrier asked, and nothing else.
func (c *Core) CallbackToken(attempt string) secret.Text {
	return secret.NewText(attempt + hex.EncodeToString(c.cfg.Keys.Index(callbackDomain, attempt)))
}

// CallbackAttempt tells whose token it is, and false of one that was never given
// out. It asks nobody.
func (c *Core) CallbackAttempt(token string) (attempt string, ok bool) {
	if len(token) <= callbackHash || len(token) > longestToken {
		return "", false
	}
	attempt = token[:len(token)-callbackHash]
	return attempt, secret.Equal([]byte(token), []byte(c.CallbackToken(attempt).Reveal()))
}

// hints are the attempts that are followed in this process, each with the channel
// of its news. The zero value has none.
type hints struct {
	mu sync.Mutex
	by map[string]chan struct{} // by attempt
}

// Heed gives a channel that yields once or more after Hint, and a function that
// ends the heeding.
func (s *Signal) Heed(attempt string) (<-chan struct{}, func()) {
	h := &s.hints
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = make(map[string]chan struct{})
	}
	h.by[attempt] = ch
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.by[attempt] == ch {
			delete(h.by, attempt)
		}
	}
}

// Hint tells whoever heeds the attempt that its carrier has news, and says whether
// there is somebody.
func (s *Signal) Hint(attempt string) bool {
	s.hints.mu.Lock()
	ch := s.hints.by[attempt]
	s.hints.mu.Unlock()
	if ch == nil {
		return false
	}
	select {
	case ch <- struct{}{}:
	default: // it has been told already
	}
	return true
}
