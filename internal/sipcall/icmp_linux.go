package sipcall

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

const (
	soEEOriginICMP   = 2 // linux/errqueue.h
	soEEOriginICMPv6 = 3
)

// wantErrors asks the kernel to keep ICMP errors for an unconnected socket.
func wantErrors(conn *net.UDPConn, v6 bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_RECVERR, 1)
		if v6 {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVERR, 1)
		}
	})
}

// drain reads the queue of ICMP errors and says whether err was only the news of
// one: the socket itself is well.
func (c *packetConn) drain(err error) bool {
	var no syscall.Errno
	if errors.Is(err, net.ErrClosed) || !errors.As(err, &no) {
		return false
	}
	switch no {
	case syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EPROTO,
		syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.EMSGSIZE, syscall.EACCES, syscall.EPERM:
	default:
		return false
	}
	raw, rerr := c.SyscallConn()
	if rerr != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		data, oob := make([]byte, 2048), make([]byte, 512)
		for {
			n, oobn, _, from, err := syscall.Recvmsg(int(fd), data, oob, syscall.MSG_ERRQUEUE|syscall.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if to, ok := sockaddr(from); ok && fromICMP(oob[:oobn]) {
				c.unreachable(to, data[:n])
			}
		}
	})
	return true
}

// fromICMP says whether the control messages hold an error that ICMP brought and
// that means "was not delivered", rather than one of our own kernel.
func fromICMP(oob []byte) bool {
	all, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return false
	}
	for _, m := range all {
		// struct sock_extended_err: u32 errno, u8 origin, u8 type, u8 code, ...
		if len(m.Data) < 8 {
			continue
		}
		no := syscall.Errno(binary.NativeEndian.Uint32(m.Data))
		origin := m.Data[4]
		if (origin == soEEOriginICMP || origin == soEEOriginICMPv6) && no != syscall.EMSGSIZE {
			return true
		}
	}
	return false
}

// sockaddr is the address that a datagram was sent to.
func sockaddr(a syscall.Sockaddr) (netip.AddrPort, bool) {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), true
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port)), true
	}
	return netip.AddrPort{}, false
}
