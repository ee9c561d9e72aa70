//go:build !linux

package sipcall

import (
	"errors"
	"net"
	"syscall"
)

// wantErrors does nothing: this system does not tell which datagram an ICMP
// error is for, so an unreachable proxy counts as silent.
func wantErrors(*net.UDPConn, bool) {}

// drain says whether err was only the news of an ICMP error.
func (c *packetConn) drain(err error) bool {
	return !errors.Is(err, net.ErrClosed) && errors.Is(err, syscall.ECONNREFUSED)
}
