//go:build amd64 || arm64

package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	receiveBatch = 32
	// receiveRounds of full batches are read from one socket before the others
	// have their turn.
	receiveRounds = 4
	// busy is how many packets make a reader rest after reading them, so that the
	// next look finds many again: a wake-up costs more than a packet.
	busy = 16
	rest = time.Millisecond
)

// reader receives for the sockets of one worker, in a thread of its own.
type reader struct {
	epoll  int
	signal int // an eventfd; its id is 0
	done   chan struct{}

	mu    sync.RWMutex
	wires map[uint64]*fastWire
	last  uint64 // id given
}

func newReader() (*reader, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	signal, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	r := &reader{epoll: epoll, signal: signal, done: make(chan struct{}), wires: map[uint64]*fastWire{}}
	if err := r.watch(signal, 0); err != nil {
		return nil, errors.Join(err, unix.Close(epoll), unix.Close(signal))
	}
	return r, nil
}

// watch asks for what can be read only: a socket that tells of room to send wakes
// the thread for every packet.
func (r *reader) watch(fd int, id uint64) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))}
	if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

func (r *reader) add(w *fastWire) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	w.id = r.last
	r.wires[w.id] = w
	if err := r.watch(w.fd, w.id); err != nil {
		delete(r.wires, w.id)
		return err
	}
	return nil
}

func (r *reader) remove(w *fastWire) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.wires, w.id)
}

func (r *reader) find(e unix.EpollEvent) (w *fastWire, id uint64) {
	id = uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.wires[id], id
}

// stop ends run and waits for it.
func (r *reader) stop() {
	one := binary.NativeEndian.AppendUint64(nil, 1)
	_, _ = unix.Write(r.signal, one)
	<-r.done
	_ = unix.Close(r.epoll)
	_ = unix.Close(r.signal)
}

func (r *reader) run() {
	defer close(r.done)
	b := newReceived()
	events := make([]unix.EpollEvent, 2*batch)
	for {
		n, err := unix.EpollWait(r.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic("media: epoll_wait: " + err.Error()) // of our own descriptor: we closed it too early
		}
		packets := 0
		for _, e := range events[:max(n, 0)] {
			w, id := r.find(e)
			switch {
			case id == 0:
				return
			case w != nil:
				packets += w.receive(b)
			}
		}
		if packets > busy {
			nap := unix.NsecToTimespec(int64(rest))
			_ = unix.Nanosleep(&nap, nil) // not a timer of Go's: those wake other threads
		}
	}
}

// received is what one recvmmsg writes.
type received struct {
	headers [receiveBatch]mmsghdr
	vectors [receiveBatch]unix.Iovec
	names   [receiveBatch]unix.RawSockaddrInet6
	data    [receiveBatch][longestPacket]byte
}

func newReceived() *received {
	b := &received{}
	for i := range b.headers {
		b.vectors[i].Base = &b.data[i][0]
		b.vectors[i].Len = longestPacket
		h := &b.headers[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.Iovlen = 1
	}
	return b
}

// receive hands on what has come to a socket, and says how much.
func (w *fastWire) receive(b *received) (packets int) {
	for range receiveRounds {
		n := w.receiveBatch(b)
		at := time.Now()
		for i := range n {
			if b.headers[i].hdr.Flags&unix.MSG_TRUNC != 0 {
				continue
			}
			if from, ok := b.from(i); ok {
				w.got(b.data[i][:b.headers[i].len], from, at)
			}
		}
		if packets += n; n < receiveBatch {
			return packets
		}
	}
	return packets
}

func (w *fastWire) receiveBatch(b *received) int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.fd < 0 {
		return 0
	}
	for i := range b.headers {
		b.headers[i].hdr.Namelen = unix.SizeofSockaddrInet6 // the system writes there, too
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(w.fd), // raw as sendmmsg is: it never waits
		uintptr(unsafe.Pointer(&b.headers[0])), receiveBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0 // nothing there, or an ICMP error that only the sending side means
	}
	return int(n)
}

// from is the source of a packet. Scopes of link-local addresses are left out.
func (b *received) from(i int) (netip.AddrPort, bool) {
	switch b.names[i].Family {
	case unix.AF_INET:
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&b.names[i]))
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), swapped(name.Port)), true
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(b.names[i].Addr).Unmap(), swapped(b.names[i].Port)), true
	}
	return netip.AddrPort{}, false
}
