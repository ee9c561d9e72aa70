package media

import (
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// reception counts the packets of one source at a time as RFC 3550 appendix A
// does: what was expected by sequence numbers, and the jitter of arrival.
type reception struct {
	started  bool
	ssrc     uint32
	base     uint32 // extended sequence number of the first packet
	highest  uint32 // the highest one: cycles in the upper 16 bits
	received uint32 // of this source
	jitter   float64
	transit  float64 // of the last packet, in samples; only differences mean something
	last     time.Time
	epoch    time.Time // of the first packet
	origin   uint32    // its timestamp

	beforeReceived uint64 // of the sources before this one
	beforeLost     int64

	saidExpected, saidReceived uint32 // at our last report
}

// restart is how far a sequence number may jump before it counts as a new start
// of the same source (RFC 3550: MAX_DROPOUT).
const restart = 3000

// begin counts a new source, first seen with h.
func (r *reception) begin(h header) {
	received, lost := r.total(), r.lost()
	*r = reception{
		started: true, ssrc: h.ssrc, base: uint32(h.seq), highest: uint32(h.seq),
		beforeReceived: received, beforeLost: lost,
	}
	r.base += 1 << 16 // so that a packet before the first one is not below zero
	r.highest += 1 << 16
}

// add counts a packet; inOrder when it is later than all before it, or the first.
// Only of a timed one the timestamp tells when it was sent: that of an event stays
// while time goes on.
func (r *reception) add(h header, at time.Time, timed bool) (inOrder bool) {
	delta := int32(int16(h.seq - uint16(r.highest)))
	if delta > restart || delta < -restart {
		r.begin(h)
		delta = 0
	}
	if delta > 0 {
		r.highest += uint32(delta)
	}
	first := r.received == 0
	r.received++
	r.last = at
	if timed {
		r.arrived(h.ts, at)
	}
	return first || delta > 0
}

// arrived reckons the jitter (RFC 3550 section 6.4.1). Jumps of a second or more
// are a new time line, not jitter.
func (r *reception) arrived(ts uint32, at time.Time) {
	if r.epoch.IsZero() {
		r.epoch, r.origin = at, ts
		return
	}
	transit := at.Sub(r.epoch).Seconds()*audio.Rate - float64(int32(ts-r.origin))
	if d := transit - r.transit; d > -audio.Rate && d < audio.Rate {
		r.jitter += (max(d, -d) - r.jitter) / 16
	}
	r.transit = transit
}

func (r *reception) expected() uint32 {
	if !r.started {
		return 0
	}
	return r.highest - r.base + 1
}

func (r *reception) total() uint64 { return r.beforeReceived + uint64(r.received) }

// lost is negative where packets came twice.
func (r *reception) lost() int64 {
	return r.beforeLost + int64(r.expected()) - int64(r.received)
}

func (r *reception) jitterTime() time.Duration {
	return time.Duration(r.jitter * float64(time.Second) / audio.Rate)
}

// fraction is the share of packets lost since the last report, in 256ths.
func (r *reception) fraction() uint8 {
	expected, received := r.expected()-r.saidExpected, r.received-r.saidReceived
	r.saidExpected, r.saidReceived = r.expected(), r.received
	if expected == 0 || received >= expected {
		return 0
	}
	return uint8((uint64(expected-received) << 8) / uint64(expected) & 0xff)
}
