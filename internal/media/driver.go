package media

import (
	"net/netip"
	"time"
)

// packet is one datagram to send.
type packet struct {
	data []byte
	to   netip.AddrPort
}

// receiver takes the datagrams of one socket, one at a time. The bytes are the
// receiver's until it returns, and may be written to.
type receiver func(data []byte, from netip.AddrPort, at time.Time)

// wire is a bound UDP socket. Its methods are safe for concurrent use.
type wire interface {
	// local is where it is bound.
	local() netip.AddrPort
	// send sends without waiting: what the system does not take is lost. It
	// returns the number of packets taken.
	send([]packet) int
	// close returns when nothing more is sent. Of a packet on its way to the
	// receiver it may or may not wait.
	close()
}

// binding is a socket as it is wanted.
type binding struct {
	at     netip.AddrPort // port 0: the system chooses
	dscp   int            // of what is sent; 0: not marked
	worker int            // which thread reads it
	got    receiver
}

// driver is the system: its sockets, its threads and its time.
type driver interface {
	bind(binding) (wire, error)
	// thread prepares the calling thread, which is locked, for pacing.
	thread()
	now() time.Time
	// sleep returns at until, or as soon after it as the system can.
	sleep(until time.Time)
	close() error
}
