//go:build amd64 || arm64

package main

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// order is what the sink is asked to do, one JSON line each.
type order struct {
	Op string // plan, state, late, invites

	// Of a plan, which all calls from then on belong to:
	Calls  int           `json:",omitempty"`
	Hold   time.Duration `json:",omitempty"` // from ACK to the sink's BYE
	Return bool          `json:",omitempty"` // the called side sends 50 packets a second
	InBand bool          `json:",omitempty"` // telephone-event is not negotiated
	Record bool          `json:",omitempty"` // every packet's time is kept

	// Of late: the packets that arrived between, in Unix ns.
	From, To int64 `json:",omitempty"`
}

// answer is the sink's, one JSON line each.
type answer struct {
	Err     string
	Address string // of SIP, said once at the start
	State   state
	Late    late
	Invites map[string]int64 // by number: the kernel's stamp of the first INVITE, in Unix ns
}

// state counts a plan's calls so far. Times are in Unix ns.
type state struct {
	Invited, Answered, Ended int
	Early                    int // of the ended ones: the caller hung up before Hold
	Repeated                 int // INVITEs that came again
	FirstInvite              int64
	FirstACK, LastACK        int64
}

// plan is a set of calls that are measured together.
type plan struct {
	order
	base  int // number of the first call
	start time.Time
	calls []atomic.Pointer[called]
}

func newPlan(o order, base int) *plan {
	return &plan{order: o, base: base, start: time.Now(), calls: make([]atomic.Pointer[called], o.Calls)}
}

// called is one call at the sink.
type called struct {
	n      int // unique in the process: the media address follows from it
	number string
	dialog dialog
	peer   netip.AddrPort // the caller's RTP
	home   netip.Addr     // ours
	socket int

	invited  int64 // Unix ns
	acked    atomic.Bool
	ended    atomic.Bool
	stopBYEs func()
	heard    record // of the receiving thread alone, until it is asked for
}

// mediaAddr is the loopback address of call n: its own, so that few sockets serve
// all calls and every packet tells whose it is.
func mediaAddr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(64 + n>>16), byte(n >> 8), byte(n)})
}

// callOf is mediaAddr's inverse; negative: none.
func callOf(a netip.Addr) int {
	if !a.Is4() {
		return -1
	}
	b := a.As4()
	return (int(b[1])-64)<<16 | int(b[2])<<8 | int(b[3])
}

// find is the plan's call n, or nil.
func (p *plan) find(n int) *called {
	if i := n - p.base; i >= 0 && i < len(p.calls) {
		return p.calls[i].Load()
	}
	return nil
}
