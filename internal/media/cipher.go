package media

import (
	"fmt"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

const (
	masterKey    = 16 // bytes of Crypto.Key; the rest is salt
	replayWindow = 128
)

// cipher is one direction's SRTP and SRTCP. It is for one goroutine at a time.
type cipher struct {
	crypto  Crypto // what it was made of
	context *srtp.Context
	header  rtp.Header // reused
}

func newCipher(c Crypto) (*cipher, error) {
	var profile srtp.ProtectionProfile
	switch c.Suite {
	case SuiteSHA1_80:
		profile = srtp.ProtectionProfileAes128CmHmacSha1_80
	case SuiteSHA1_32:
		profile = srtp.ProtectionProfileAes128CmHmacSha1_32
	default:
		return nil, fmt.Errorf("SRTP suite %q is not known", c.Suite)
	}
	context, err := srtp.CreateContext(c.Key[:masterKey], c.Key[masterKey:], profile,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, fmt.Errorf("SRTP: %w", err)
	}
	return &cipher{crypto: c, context: context}, nil
}

// pair is the ciphers of both directions; nil where plain RTP is spoken.
type pair struct{ send, receive *cipher }

// ciphers makes those that a Remote asks for, and keeps those whose key stays:
// their roll-over counters and replay windows must go on.
func (s *Stream) ciphers(r Remote) (p pair, err error) {
	s.out.mu.Lock()
	p.send = s.out.seal
	s.out.mu.Unlock()
	s.in.mu.Lock()
	p.receive = s.in.open
	s.in.mu.Unlock()
	if p.send, err = renew(p.send, r.Send); err != nil {
		return pair{}, err
	}
	p.receive, err = renew(p.receive, r.Receive)
	return p, err
}

func renew(old *cipher, c *Crypto) (*cipher, error) {
	switch {
	case c == nil:
		return nil, nil
	case old != nil && old.crypto == *c:
		return old, nil
	}
	return newCipher(*c)
}

// sealRTP encrypts a packet in place, with room for the tag behind it; nil when it
// cannot.
func (c *cipher) sealRTP(data []byte) []byte {
	sealed, err := c.context.EncryptRTP(data[:0], data, &c.header)
	if err != nil {
		return nil
	}
	return sealed
}

// openRTP authenticates and decrypts a packet in place; nil when it is not from
// who has the key, or came before.
func (c *cipher) openRTP(data []byte) []byte {
	opened, err := c.context.DecryptRTP(data[:0], data, &c.header)
	if err != nil {
		return nil
	}
	return opened
}

func (c *cipher) sealRTCP(data []byte) ([]byte, error) {
	return c.context.EncryptRTCP(nil, data, nil)
}

func (c *cipher) openRTCP(data []byte) ([]byte, error) {
	return c.context.DecryptRTCP(nil, data, nil)
}
