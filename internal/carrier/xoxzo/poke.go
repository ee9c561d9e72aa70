package xoxzo

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/pincall/pincall/internal/carrier"
)

// pokes turns callbacks into hints to ask again. Xoxzo does not sign what it
// posts, so a callback settles nothing and its content is not even read. They
// live in this process only: a hint that is lost costs one wait.
type pokes struct {
	mu      sync.Mutex
	byToken map[string]*poke
	byRef   map[carrier.Ref]*poke
}

type poke struct {
	token string // 128 random bits, in hex
	ref   carrier.Ref
	hint  chan struct{}
}

// expect makes a token and the address for it; without a base address neither.
func (p *pokes) expect(base string) (*poke, string) {
	if base == "" {
		return nil, ""
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	k := &poke{token: hex.EncodeToString(b[:]), hint: make(chan struct{}, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byToken[k.token] = k
	return k, strings.TrimSuffix(base, "/") + "/" + k.token
}

// name tells which reference a token belongs to.
func (p *pokes) name(k *poke, ref carrier.Ref) {
	if k == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k.ref = ref
	p.byRef[ref] = k
}

// forget drops a token.
func (p *pokes) forget(k *poke) {
	if k == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byToken, k.token)
	delete(p.byRef, k.ref)
}

// watch gives the hints for a reference until done is called.
func (p *pokes) watch(ref carrier.Ref) (hints <-chan struct{}, done func()) {
	p.mu.Lock()
	k := p.byRef[ref]
	p.mu.Unlock()
	if k == nil {
		return nil, func() {}
	}
	return k.hint, func() { p.forget(k) }
}

// Poke hints that the attempt with this token has news. It says whether there is
// such an attempt.
func (c *Carrier) Poke(token string) bool {
	c.pokes.mu.Lock()
	k := c.pokes.byToken[token]
	c.pokes.mu.Unlock()
	if k == nil {
		return false
	}
	select {
	case k.hint <- struct{}{}:
	default:
	}
	return true
}
