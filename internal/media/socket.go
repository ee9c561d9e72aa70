package media

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// socket is a pair of ports, RTP's and RTCP's, and the streams that use it. All of
// them are sent by one pacer.
type socket struct {
	rtp, rtcp wire // rtcp is nil where RTCP is off
	pacer     *pacer
	worker    int
	home      int // slot
	streams   int // guarded by the pool
	table     table
	foreign   atomic.Uint64 // packets of no stream
}

// gotRTP finds the stream of a packet by its source. Strangers cost a look into a
// map.
func (k *socket) gotRTP(data []byte, from netip.AddrPort, at time.Time) {
	s, settled := k.table.find(from, at)
	switch {
	case s == nil:
		k.foreign.Add(1)
	case s.received(data, at) && !settled:
		if k.table.latch(s, from) {
			s.out.redirect(from)
		}
	}
}

// gotRTCP finds the stream of a report by its source, or, from the same machine,
// by the sender's SSRC: behind NAT RTCP's port is any.
func (k *socket) gotRTCP(data []byte, from netip.AddrPort, at time.Time) {
	ssrc, ok := rtcpSender(data)
	s := k.table.findReporter(from, ssrc)
	if !ok || s == nil || !s.in.takeReport(data, s.ssrc(), at) {
		k.foreign.Add(1)
	}
}

// ssrc is ours; it never changes.
func (s *Stream) ssrc() uint32 {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.ssrc
}

// route is where a stream's packets come from. Its zero value is that of a stream
// which is not connected.
type route struct {
	answered netip.AddrPort // by the signalling
	from     netip.AddrPort // answered, or the source that was latched: where we send
	reports  netip.AddrPort // where RTCP comes from
	ssrc     uint32         // of the other end, once heard
	heard    bool           // a packet of the call came: no other source is latched
	latch    bool           // any address may be the source
}

// table finds the stream of a packet. A source is of one stream at most.
type table struct {
	mu      sync.RWMutex
	sources map[netip.AddrPort]*Stream
	reports map[netip.AddrPort]*Stream
	ssrcs   map[uint32]*Stream
	// Streams that were not heard yet, by the address that they expect; those
	// that take any address stand under the zero one, too. Where there is exactly
	// one, a packet from another port is believed to be its (NAT).
	unheard map[netip.Addr][]*Stream
	// Sources of streams that ended, and when: their last packets are still on the
	// way, and must not be latched by the next stream.
	gone      map[netip.AddrPort]time.Time
	goneLimit int // more than these: old ones are cleared
}

// lastPackets of an ended call come within this time.
const lastPackets = 5 * time.Second

func newTable() table {
	return table{
		sources: map[netip.AddrPort]*Stream{},
		reports: map[netip.AddrPort]*Stream{},
		ssrcs:   map[uint32]*Stream{},
		unheard: map[netip.Addr][]*Stream{},
		gone:    map[netip.AddrPort]time.Time{},
	}
}

// bind makes the answered address a stream's source, or fails with ErrCollision.
// The address that was answered before changes nothing: what was latched stays.
func (t *table) bind(s *Stream, r Remote) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.route.answered == r.RTP && s.route.latch == r.Latch {
		return nil
	}
	if other := t.sources[r.RTP]; other != nil && other != s {
		return ErrCollision
	}
	t.forget(s)
	s.route = route{answered: r.RTP, from: r.RTP, reports: r.RTCP, latch: r.Latch}
	t.sources[r.RTP] = s
	t.reports[r.RTCP] = s
	t.unheard[r.RTP.Addr()] = append(t.unheard[r.RTP.Addr()], s)
	if r.Latch {
		t.unheard[netip.Addr{}] = append(t.unheard[netip.Addr{}], s)
	}
	return nil
}

// sendTo is where a stream's packets go: the source that was latched, else the
// answered address (symmetric RTP).
func (t *table) sendTo(s *Stream) netip.AddrPort {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return s.route.from
}

// find is the stream of a source. It is not settled where a packet of the call,
// and nothing less, should make the source the stream's: the only stream that may
// have it, or one that latched another source and now hears the answered address.
func (t *table) find(from netip.AddrPort, at time.Time) (s *Stream, settled bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if s := t.sources[from]; s != nil {
		return s, s.route.from == from
	}
	for _, ip := range [...]netip.Addr{from.Addr(), {}} {
		if all := t.unheard[ip]; len(all) == 1 {
			if ended, is := t.gone[from]; is && at.Sub(ended) < lastPackets {
				return nil, false
			}
			return all[0], false
		}
	}
	return nil, false
}

// findReporter is the stream of an RTCP source.
func (t *table) findReporter(from netip.AddrPort, ssrc uint32) *Stream {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if s := t.reports[from]; s != nil {
		return s
	}
	if s := t.ssrcs[ssrc]; s != nil && s.route.from.Addr() == from.Addr() {
		return s
	}
	return nil
}

// heard settles a stream's source, and notes its SSRC.
func (t *table) heard(s *Stream, ssrc uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sources[s.route.answered] != s { // dropped meanwhile
		return
	}
	t.unmark(s)
	if t.ssrcs[s.route.ssrc] == s {
		delete(t.ssrcs, s.route.ssrc)
	}
	s.route.ssrc = ssrc
	t.ssrcs[ssrc] = s
}

// latch makes from a stream's source. The answered address stays one: when a packet
// comes from there after all, it is the source again, for good.
func (t *table) latch(s *Stream, from netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sources[s.route.answered] != s || t.sources[from] != nil && t.sources[from] != s {
		return false
	}
	if s.route.from != s.route.answered {
		delete(t.sources, s.route.from)
	}
	s.route.from = from
	t.sources[from] = s
	return true
}

// drop forgets a stream.
func (t *table) drop(s *Stream, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(s)
	if s.route.from.IsValid() {
		t.gone[s.route.from] = now
	}
	if len(t.gone) > t.goneLimit {
		maps.DeleteFunc(t.gone, func(_ netip.AddrPort, at time.Time) bool { return now.Sub(at) > lastPackets })
		t.goneLimit = 2*len(t.gone) + 16
	}
	s.route = route{}
}

// forget takes a stream out of all maps. The lock is held.
func (t *table) forget(s *Stream) {
	t.unmark(s)
	for _, source := range [...]netip.AddrPort{s.route.from, s.route.answered} {
		if t.sources[source] == s {
			delete(t.sources, source)
		}
	}
	if t.reports[s.route.reports] == s {
		delete(t.reports, s.route.reports)
	}
	if t.ssrcs[s.route.ssrc] == s {
		delete(t.ssrcs, s.route.ssrc)
	}
}

// unmark takes a stream off the unheard ones. The lock is held.
func (t *table) unmark(s *Stream) {
	if s.route.heard {
		return
	}
	s.route.heard = true
	for _, ip := range [...]netip.Addr{s.route.answered.Addr(), {}} {
		all := slices.DeleteFunc(t.unheard[ip], func(o *Stream) bool { return o == s })
		if t.unheard[ip] = all; len(all) == 0 {
			delete(t.unheard, ip)
		}
	}
}
