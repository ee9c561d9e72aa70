//go:build amd64 || arm64

package main

import (
	"slices"
	"time"
)

// frame is what one packet carries.
const frame = 20 * time.Millisecond

// late is how late packets came in a window of time. A stream's clock is its
// earliest packet in the window: packet n is due n frames after it.
type late struct {
	Streams       int
	Packets       int // in the window
	Missing       int // between the first and the last of a stream, in the whole call
	Doubled       int
	Dropped       int // by the sink's sockets, since its start: not the caller's fault
	Over20        int // over 20 ms late
	Spoken        int // sent by the called side, in the whole plan
	P50, P99, Max float64
}

// record is the packets of one stream. Its zero value counts only.
type record struct {
	count   int
	doubled int
	base    uint16 // the first sequence number
	highest int    // by that, without wrapping
	// at[i] is when packet i came, in µs after the plan's start; 0: not.
	at []uint32
}

func (r *record) add(seq uint16, after time.Duration) {
	if r.count++; r.count == 1 {
		r.base = seq
	}
	n := r.highest + int(int16(seq-r.base-uint16(r.highest)))
	r.highest = max(r.highest, n)
	if n < 0 || n >= len(r.at) {
		return
	}
	if r.at[n] != 0 {
		r.doubled++
		return
	}
	r.at[n] = uint32(after / time.Microsecond)
}

// zero is when packet 0 would have been due, by the packets between two times.
func (r *record) zero(begin, end int64) int64 {
	first := int64(1) << 62
	for n, at := range r.at {
		if at != 0 && int64(at) >= begin && int64(at) < end {
			first = min(first, int64(at)-int64(n)*frame.Microseconds())
		}
	}
	return first
}

// reckon looks at all streams of a plan.
func (p *plan) reckon(from, to int64) late {
	var l late
	var all []int32 // µs
	begin, end := (from-p.start.UnixNano())/1e3, (to-p.start.UnixNano())/1e3
	for i := range p.calls {
		c := p.calls[i].Load()
		if c == nil || c.heard.count == 0 {
			continue
		}
		r := &c.heard
		l.Streams++
		l.Doubled += r.doubled
		l.Missing += r.highest + 1 - (r.count - r.doubled)
		zero := r.zero(begin, end)
		for n, at := range r.at {
			if at == 0 || int64(at) < begin || int64(at) >= end {
				continue
			}
			behind := int64(at) - zero - int64(n)*frame.Microseconds()
			all = append(all, int32(behind))
			if behind > frame.Microseconds() {
				l.Over20++
			}
		}
	}
	l.Packets = len(all)
	if len(all) == 0 {
		return l
	}
	slices.Sort(all)
	at := func(share float64) float64 { return float64(all[min(int(share*float64(len(all))), len(all)-1)]) / 1e3 }
	l.P50, l.P99, l.Max = at(.5), at(.99), at(1)
	return l
}
