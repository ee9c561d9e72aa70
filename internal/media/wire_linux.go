//go:build amd64 || arm64

package media

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fastWire is one socket. Its lock keeps the descriptor from being closed, and
// given to somebody else, while it is used.
type fastWire struct {
	driver *fast
	reader *reader
	family int
	at     netip.AddrPort
	got    receiver
	id     uint64 // to the reader

	mu sync.RWMutex
	fd int // -1: closed
}

func familyOf(at netip.AddrPort) int {
	if at.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// prepare sets a socket's options, binds it, and says where it is. Options of
// quality may be refused.
func prepare(fd int, b binding) (netip.AddrPort, error) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer)
	var at unix.Sockaddr
	if familyOf(b.at) == unix.AF_INET {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, b.dscp<<2)
		at = &unix.SockaddrInet4{Port: int(b.at.Port()), Addr: b.at.Addr().As4()}
	} else {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, b.dscp<<2)
		at = &unix.SockaddrInet6{Port: int(b.at.Port()), Addr: b.at.Addr().As16()}
	}
	if err := unix.Bind(fd, at); err != nil {
		return netip.AddrPort{}, fmt.Errorf("bind %v: %w", b.at, err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("getsockname: %w", err)
	}
	port := 0
	switch a := bound.(type) {
	case *unix.SockaddrInet4:
		port = a.Port
	case *unix.SockaddrInet6:
		port = a.Port
	}
	return netip.AddrPortFrom(b.at.Addr(), uint16(port)), nil
}

func (w *fastWire) local() netip.AddrPort { return w.at }

func (w *fastWire) close() {
	w.reader.remove(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd >= 0 {
		_ = unix.Close(w.fd) // which takes it out of epoll
		w.fd = -1
	}
}

// mmsghdr is the system's struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// sendBatch is what one sendmmsg reads.
type sendBatch struct {
	headers [batch]mmsghdr
	vectors [batch]unix.Iovec
	names   [batch]unix.RawSockaddrInet6 // or RawSockaddrInet4, which is shorter
}

func newSendBatch() *sendBatch {
	b := &sendBatch{}
	for i := range b.headers {
		h := &b.headers[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.Iovlen = 1
	}
	return b
}

// fill prepares one packet. It may have no bytes to point at; then it is none.
func (b *sendBatch) fill(i int, p packet, family int) {
	b.vectors[i].Base = unsafe.SliceData(p.data)
	b.vectors[i].Len = uint64(len(p.data))
	if family == unix.AF_INET {
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&b.names[i]))
		*name = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapped(p.to.Port()), Addr: p.to.Addr().As4()}
		b.headers[i].hdr.Namelen = unix.SizeofSockaddrInet4
		return
	}
	b.names[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swapped(p.to.Port()), Addr: p.to.Addr().As16()}
	b.headers[i].hdr.Namelen = unix.SizeofSockaddrInet6
}

// swapped is a port in network byte order, as the machine keeps it in memory.
func swapped(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

// send makes one system call of up to 64 packets. One that the system refuses (no
// route) does not keep back those behind it; when the buffer is full, all of them
// are lost: waiting would make other calls late.
func (w *fastWire) send(packets []packet) (taken int) {
	if !w.mu.TryRLock() { // it is being closed
		return 0
	}
	defer w.mu.RUnlock()
	if w.fd < 0 {
		return 0
	}
	b := w.driver.batches.Get().(*sendBatch)
	defer w.driver.batches.Put(b)
	for len(packets) > 0 {
		n := min(len(packets), batch)
		for i, p := range packets[:n] {
			b.fill(i, p, w.family)
		}
		taken += w.sendBatch(b, n)
		packets = packets[n:]
	}
	return taken
}

func (w *fastWire) sendBatch(b *sendBatch, n int) (taken int) {
	for i := 0; i < n; {
		// Raw: it never waits, and a thread that tells Go's scheduler of a system
		// call may have to wait for a processor when it comes back.
		sent, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(w.fd),
			uintptr(unsafe.Pointer(&b.headers[i])), uintptr(n-i), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			taken += int(sent)
			i += int(sent)
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			return taken
		default:
			i++
		}
	}
	return taken
}
