package media

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ErrCollision: two streams of one socket would speak to one remote address.
var ErrCollision = errors.New("media: another call on the same socket speaks to this address")

// Sockets is how streams share sockets.
type Sockets string

// The ways to share sockets.
const (
	// Pooled streams share some sockets: few ports, and many packets to a system
	// call. Each call has its own as long as there are not more calls than
	// sockets.
	Pooled Sockets = "pool"
	// PerCall streams have a pair of ports each: what every carrier expects.
	PerCall Sockets = "call"
	// Shared streams have one socket for each worker: two or four ports in all.
	// The other end must use another port for each call.
	Shared Sockets = "shared"
)

const (
	poolSize    = 64
	expedited   = 46 // DSCP EF (RFC 3246), what voice is marked with
	pairTries   = 64 // ports that are tried before all count as taken
	highestPort = 65535
)

// PoolConfig is the sockets of one trunk. Its zero value works.
type PoolConfig struct {
	// Bind is the address to receive at and to send from; zero: all IPv4
	// addresses.
	Bind netip.Addr
	// MinPort and MaxPort are the range of ports, both included, an even one for
	// RTP and the next one for RTCP; both 0: the system's choice.
	MinPort, MaxPort uint16
	// Sockets is how streams share them; "": Pooled.
	Sockets Sockets
	// Size is the number of pooled sockets; 0: 64. They are opened as calls come.
	Size int
	// DSCP marks packets; 0: 46 (EF), -1: no mark.
	DSCP int
	// NoRTCP leaves RTCP's ports closed and sends no reports.
	NoRTCP bool
}

// Pool opens streams on the sockets of one trunk. It is safe for concurrent use.
type Pool struct {
	engine *Engine
	cfg    PoolConfig

	mu      sync.Mutex
	sockets []*socket
	streams map[*Stream]struct{}
	closed  bool
}

// Pool makes a pool. It opens no socket yet, but tries out whether it can.
func (e *Engine) Pool(cfg PoolConfig) (*Pool, error) {
	cfg, err := cfg.complete(len(e.pacers))
	if err != nil {
		return nil, fmt.Errorf("media: pool: %w", err)
	}
	p := &Pool{engine: e, cfg: cfg, streams: map[*Stream]struct{}{}}
	probe, err := e.net.bind(binding{at: netip.AddrPortFrom(cfg.Bind, 0), got: ignore})
	if err != nil {
		return nil, fmt.Errorf("media: pool: %w", err)
	}
	probe.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fmt.Errorf("media: pool: the engine is closed")
	}
	e.pools[p] = struct{}{}
	return p, nil
}

// complete fills in the defaults and refuses what cannot be.
func (c PoolConfig) complete(workers int) (PoolConfig, error) {
	c.Sockets = cmp.Or(c.Sockets, Pooled)
	c.Size = cmp.Or(c.Size, poolSize)
	c.DSCP = cmp.Or(c.DSCP, expedited)
	if !c.Bind.IsValid() {
		c.Bind = netip.IPv4Unspecified()
	}
	c.Bind = c.Bind.Unmap()
	if c.MaxPort == 0 {
		c.MaxPort = highestPort
		if c.MinPort == 0 {
			c.MaxPort = 0
		}
	}
	switch c.Sockets {
	case Pooled:
	case PerCall:
		c.Size = highestPort
	case Shared:
		c.Size = workers
	default:
		return c, fmt.Errorf("sockets %q: it is pool, call or shared", c.Sockets)
	}
	switch {
	case c.Size < 0:
		return c, fmt.Errorf("size %d: it must be 1 or more", c.Size)
	case c.DSCP < -1 || c.DSCP > 63:
		return c, fmt.Errorf("DSCP %d: it is 0 to 63, or -1", c.DSCP)
	case c.MaxPort != 0 && int(c.MinPort)+int(c.MinPort%2)+1 > int(c.MaxPort):
		return c, fmt.Errorf("ports %d to %d hold no even port and the one after it", c.MinPort, c.MaxPort)
	}
	c.DSCP = max(c.DSCP, 0)
	return c, nil
}

// Open reserves an address for a call, before it is offered. ErrBusy when frames
// of the calls in progress leave late, or no port is free; ErrClosed after Close.
func (p *Pool) Open() (*Stream, error) {
	if p.engine.Load().Refusing {
		return nil, ErrBusy
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	k, err := p.pick()
	if err != nil {
		return nil, err
	}
	k.streams++
	s := newStream(p, k)
	p.streams[s] = struct{}{}
	return s, nil
}

// pick is a socket without streams, or a new one, or the one with the fewest. The
// lock is held.
func (p *Pool) pick() (*socket, error) {
	var best *socket
	if len(p.sockets) > 0 && p.cfg.Sockets != PerCall {
		best = slices.MinFunc(p.sockets, func(a, b *socket) int { return cmp.Compare(a.streams, b.streams) })
		if best.streams == 0 || len(p.sockets) >= p.cfg.Size {
			return best, nil
		}
	}
	k, err := p.listen()
	switch {
	case err == nil:
		p.sockets = append(p.sockets, k)
		return k, nil
	case best != nil: // fewer ports than sockets wanted
		return best, nil
	}
	return nil, err
}

// listen opens a pair of ports.
func (p *Pool) listen() (*socket, error) {
	k := &socket{table: newTable()}
	k.pacer, k.worker, k.home = p.engine.home()
	var last error
	for try := range pairTries {
		done, err := p.try(k, p.port(try))
		if done {
			return k, nil
		}
		last = err
	}
	return nil, fmt.Errorf("%w: %w", ErrBusy, last)
}

// port is an even one of the range, at random so that a port rests before its next
// call; 0 without a range. A small range is tried in order.
func (p *Pool) port(try int) uint16 {
	if p.cfg.MaxPort == 0 {
		return 0
	}
	first := int(p.cfg.MinPort + p.cfg.MinPort%2)
	pairs := (int(p.cfg.MaxPort) - first + 1) / 2
	if pairs <= pairTries {
		return uint16(first + 2*(try%pairs))
	}
	return uint16(first + 2*rand.IntN(pairs))
}

// try binds a pair. Of port 0 the system chooses one; if that is odd it becomes
// RTCP's.
func (p *Pool) try(k *socket, port uint16) (ok bool, err error) {
	bind := func(port uint16, got receiver) (wire, error) {
		return p.engine.net.bind(binding{netip.AddrPortFrom(p.cfg.Bind, port), p.cfg.DSCP, k.worker, got})
	}
	if port == 0 {
		probe, err := bind(0, ignore)
		if err != nil {
			return false, err
		}
		port = probe.local().Port() &^ 1
		probe.close()
	}
	rtp, err := bind(port, k.gotRTP)
	if err != nil {
		return false, err
	}
	k.rtp = rtp
	if p.cfg.NoRTCP {
		return true, nil
	}
	k.rtcp, err = bind(port+1, k.gotRTCP)
	if err != nil {
		rtp.close()
		return false, err
	}
	return true, nil
}

// release takes a closed stream's place back. Sockets of a call of its own are
// closed, those of a pool wait for the next call.
func (p *Pool) release(s *Stream) {
	p.mu.Lock()
	delete(p.streams, s)
	s.socket.streams--
	own := p.cfg.Sockets == PerCall
	if own {
		p.sockets = slices.DeleteFunc(p.sockets, func(k *socket) bool { return k == s.socket })
	}
	p.mu.Unlock()
	if own {
		s.socket.close()
	}
}

// Close ends the pool's streams and closes its sockets. It may be called again.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	open := make([]*Stream, 0, len(p.streams))
	for s := range p.streams {
		open = append(open, s)
	}
	p.mu.Unlock()
	for _, s := range open {
		_ = s.Close()
	}
	p.mu.Lock()
	sockets := p.sockets
	p.sockets = nil
	p.mu.Unlock()
	for _, k := range sockets {
		k.close()
	}
	p.engine.mu.Lock()
	delete(p.engine.pools, p)
	p.engine.mu.Unlock()
	return nil
}

func (k *socket) close() {
	k.rtp.close()
	if k.rtcp != nil {
		k.rtcp.close()
	}
}

func ignore([]byte, netip.AddrPort, time.Time) {}
