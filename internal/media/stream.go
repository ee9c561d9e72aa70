package media

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// keyRoom is how many keys wait for a reader before further ones are lost.
const keyRoom = 32

// Stream is the sound of one call, both ways. It is safe for concurrent use; of
// Play, Pause and SendKeys one runs at a time, the others wait.
//
// From the first Connect on it sends a packet every 20 ms: what Play plays, and
// silence between, so that the line is never dead and its way through NAT stays
// open.
type Stream struct {
	engine *Engine
	pool   *Pool
	socket *socket
	pacer  *pacer
	slot   int           // of the pacer; set by its add
	turn   chan struct{} // held by who plays
	keys   chan byte
	closed chan struct{}
	strays uint64 // the socket's foreign packets when this stream was opened

	linkMu sync.Mutex // held by Connect and Close
	added  bool       // to the pacer
	ended  bool

	out     outgoing
	in      incoming
	reports reporting
	route   route // guarded by the socket's table
}

func newStream(p *Pool, k *socket) *Stream {
	s := &Stream{
		engine: p.engine, pool: p, socket: k, pacer: k.pacer,
		turn:   make(chan struct{}, 1),
		keys:   make(chan byte, keyRoom),
		closed: make(chan struct{}),
		strays: k.foreign.Load(),
	}
	// RFC 3550 section 5.1: SSRC, sequence number and timestamp start anywhere, for
	// SRTP in the lower half of sequence numbers (RFC 3711 section 3.3.1: the first
	// packets may be lost). The generator is seeded by the system.
	s.out.ssrc, s.out.seq, s.out.ts = rand.Uint32(), uint16(rand.Uint32N(1<<15)), rand.Uint32()
	s.reports.name = fmt.Sprintf("%016x", rand.Uint64()) // RFC 7022: short-term, tells nothing
	s.in.keys, s.in.remoteLost = s.keys, -1
	return s
}

// Local is the address that RTP is sent from and received at; RTCP's port is the
// next one. Its IP address is the pool's Bind, 0.0.0.0 and :: included.
func (s *Stream) Local() netip.AddrPort { return s.socket.rtp.local() }

// Connect begins to send to the other end and to hear it. It is called after the
// answer, and again when the other end changes codec, address or keys, or holds
// the call: timestamps and sequence numbers go on, what plays goes on. A stream
// on hold may come without an address; it keeps the former one.
//
// ErrCollision: another stream of the same socket speaks to the same address, so
// their packets could not be told apart. Nothing has changed; the caller may Open
// another stream and offer its address (a re-INVITE), or hang up. ErrClosed after
// Close.
func (s *Stream) Connect(r Remote) error {
	s.linkMu.Lock()
	defer s.linkMu.Unlock()
	if s.ended {
		return ErrClosed
	}
	r, err := s.check(r)
	if err != nil {
		return fmt.Errorf("media: connect: %w", err)
	}
	ciphers, err := s.ciphers(r)
	if err != nil {
		return fmt.Errorf("media: connect: %w", err)
	}
	// A held call without an address of its own was never heard from.
	if r.RTP.IsValid() {
		if err := s.socket.table.bind(s, r); err != nil {
			return err
		}
	}
	s.in.connect(r, ciphers.receive)
	s.reports.connect(r)
	s.out.connect(s.socket.table.sendTo(s), r, outfit{ciphers.send, s.engine.silence.Frames(r.Codec)[0]})
	if !s.added {
		s.added = true
		s.pacer.add(s, s.socket.home)
	}
	return nil
}

// check refuses what cannot be sent to, and completes the rest.
func (s *Stream) check(r Remote) (Remote, error) {
	usable := r.RTP.IsValid() && r.RTP.Port() != 0 && !r.RTP.Addr().IsUnspecified()
	r.RTP = plain(r.RTP)
	switch {
	case r.Hold && !usable:
		r.RTP, r.RTCP = netip.AddrPort{}, netip.AddrPort{}
		return r, nil
	case !usable:
		return r, fmt.Errorf("%v is no address to send to", r.RTP)
	case r.RTP.Addr().Is4() != s.Local().Addr().Is4():
		return r, fmt.Errorf("%v and the pool's %v are not of one family", r.RTP, s.Local())
	case r.Codec > audio.PCMA, r.Events > 127, r.EventsIn > 127:
		return r, fmt.Errorf("codec %d or event types %d and %d do not exist", r.Codec, r.Events, r.EventsIn)
	}
	if !r.RTCP.IsValid() {
		r.RTCP = netip.AddrPortFrom(r.RTP.Addr(), r.RTP.Port()+1)
	}
	r.RTCP = plain(r.RTCP)
	return r, nil
}

// plain writes an IPv4 address in one way only.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Keys yields '0' to '9', '*', '#' and 'A' to 'D' as they are pressed, by RFC 4733
// or, where that was not negotiated, from the sound. It is the same channel at each
// call, and never closed. 32 keys wait in it; further ones are lost.
func (s *Stream) Keys() <-chan byte { return s.keys }

// Stats is what is known of the stream so far; after Close, what was known then.
// Foreign counts what came to the stream's socket from addresses that are of no
// stream; of several streams on one socket each counts it.
func (s *Stream) Stats() Stats {
	st := s.in.stats()
	st.Sent, st.Late = s.out.stats()
	st.Foreign += s.socket.foreign.Load() - s.strays
	return st
}

// Close ends the stream: its last RTCP packet says so to the other end, Play and
// the like return ErrClosed, and its address is free again. It may be called
// again.
func (s *Stream) Close() error {
	s.linkMu.Lock()
	if s.ended {
		s.linkMu.Unlock()
		return nil
	}
	s.ended = true
	if s.added {
		s.goodbye(s.engine.net.now())
		s.pacer.remove(s)
	}
	s.out.close()
	close(s.closed)
	s.socket.table.drop(s, s.engine.net.now())
	s.linkMu.Unlock()
	s.pool.release(s)
	return nil
}

// received takes a packet from the other end's address, or from one that may be
// it. It says whether the packet is of the call.
func (s *Stream) received(data []byte, at time.Time) bool {
	ok, news := s.in.take(data, at)
	if news {
		s.socket.table.heard(s, s.in.source())
	}
	return ok
}
