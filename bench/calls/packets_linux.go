//go:build amd64 || arm64

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"unsafe"
)

// Socket options that package syscall does not name, or not on all machines.
const (
	soTimestampNS = 35
	soRxqOvfl     = 40
)

const (
	batch       = 64
	oobRoom     = 128 // of one packet's control messages
	dataRoom    = 256 // of one packet; a frame with its header has 172 bytes
	receiveRoom = 4 << 20
)

// mmsghdr is the system's struct mmsghdr.
type mmsghdr struct {
	hdr syscall.Msghdr
	len uint32
	_   [4]byte
}

// packets is what one recvmmsg or sendmmsg reads and writes: packets with control
// messages.
type packets struct {
	headers [batch]mmsghdr
	vectors [batch]syscall.Iovec
	names   [batch]syscall.RawSockaddrInet4
	oob     [batch][oobRoom]byte
	data    [batch][dataRoom]byte
}

func newPackets() *packets {
	b := &packets{}
	for i := range b.headers {
		b.vectors[i].Base = &b.data[i][0]
		h := &b.headers[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Namelen = syscall.SizeofSockaddrInet4
		h.Iov, h.Iovlen = &b.vectors[i], 1
		h.Control = &b.oob[i][0]
	}
	return b
}

// receive takes what has come, 64 packets at most, without waiting.
func (b *packets) receive(fd int) int {
	for i := range b.headers {
		b.vectors[i].Len = dataRoom
		b.headers[i].hdr.Controllen = oobRoom
		b.headers[i].hdr.Namelen = syscall.SizeofSockaddrInet4
	}
	n, _, errno := syscall.Syscall6(syscall.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.headers[0])), batch, syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// send sends the first n packets without waiting, and says how many were taken.
func (b *packets) send(fd, n int) (taken int) {
	for taken < n {
		sent, _, errno := syscall.Syscall6(sysSendmmsg, uintptr(fd), uintptr(unsafe.Pointer(&b.headers[taken])), uintptr(n-taken), syscall.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			taken += int(sent)
		case syscall.EINTR:
		default:
			return taken
		}
	}
	return taken
}

// arrival is what the system says of a received packet.
type arrival struct {
	at      int64      // Unix time in ns, by the kernel's stamp
	to      netip.Addr // that it was sent to
	dropped uint32     // packets that the socket had no room for so far
}

func (b *packets) arrival(i int) (a arrival) {
	oob := b.oob[i][:b.headers[i].hdr.Controllen]
	for len(oob) >= syscall.SizeofCmsghdr {
		h := (*syscall.Cmsghdr)(unsafe.Pointer(&oob[0]))
		if h.Len < syscall.SizeofCmsghdr || h.Len > uint64(len(oob)) {
			return a
		}
		body := oob[syscall.CmsgLen(0):h.Len]
		switch {
		case h.Level == syscall.SOL_SOCKET && h.Type == soTimestampNS:
			a.at = int64(binary.NativeEndian.Uint64(body))*1e9 + int64(binary.NativeEndian.Uint64(body[8:]))
		case h.Level == syscall.SOL_SOCKET && h.Type == soRxqOvfl:
			a.dropped = binary.NativeEndian.Uint32(body)
		case h.Level == syscall.IPPROTO_IP && h.Type == syscall.IP_PKTINFO:
			a.to = netip.AddrFrom4([4]byte(body[8:12]))
		}
		oob = oob[min(syscall.CmsgSpace(int(h.Len)-syscall.CmsgLen(0)), len(oob)):]
	}
	return a
}

// fill makes packet i: where it goes, and the address that it comes from.
func (b *packets) fill(i int, to netip.AddrPort, from netip.Addr, size int) {
	b.names[i] = syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: to.Addr().As4()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&b.names[i].Port))[:], to.Port())
	b.vectors[i].Len = uint64(size)
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&b.oob[i][0]))
	h.Level, h.Type = syscall.IPPROTO_IP, syscall.IP_PKTINFO
	h.SetLen(syscall.CmsgLen(syscall.SizeofInet4Pktinfo))
	info := (*syscall.Inet4Pktinfo)(unsafe.Pointer(&b.oob[i][syscall.CmsgLen(0)]))
	*info = syscall.Inet4Pktinfo{Spec_dst: from.As4()}
	b.headers[i].hdr.SetControllen(syscall.CmsgSpace(syscall.SizeofInet4Pktinfo))
}

// listenRaw binds a socket that Go's netpoller never sees: it would wake up for
// every packet. It stamps what it receives.
func listenRaw(port int) (fd, bound int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, 0, os.NewSyscallError("socket", err)
	}
	if syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, receiveRoom) != nil {
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveRoom)
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, receiveRoom)
	for _, o := range []struct{ level, option int }{
		{syscall.SOL_SOCKET, soTimestampNS}, {syscall.SOL_SOCKET, soRxqOvfl}, {syscall.IPPROTO_IP, syscall.IP_PKTINFO},
	} {
		if err := syscall.SetsockoptInt(fd, o.level, o.option, 1); err != nil {
			return 0, 0, fmt.Errorf("setsockopt %d: %w", o.option, err)
		}
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port}); err != nil {
		return 0, 0, os.NewSyscallError("bind", err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockname", err)
	}
	return fd, at.(*syscall.SockaddrInet4).Port, nil
}
