//go:build amd64 || arm64

package main

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// A slot of 1 ms in which the called side sends has so many sockets of its
	// own, so that one system call sends many packets.
	socketsASlot = 3
	slots        = 20
	lookEvery    = 2 * time.Millisecond
	rtpHeader    = 12
	packetSize   = rtpHeader + 160
)

// ear is the sink's sound: the sockets that all calls share, each call at an
// address of its own.
type ear struct {
	plan    *atomic.Pointer[plan]
	fds     [slots * socketsASlot]int
	ports   [slots * socketsASlot]int
	rtcp    int          // port
	spoken  atomic.Int64 // packets of the plan
	dropped [slots * socketsASlot]atomic.Uint32
}

func newEar(p *atomic.Pointer[plan]) (*ear, error) {
	e := &ear{plan: p}
	for i := range e.fds {
		var err error
		if e.fds[i], e.ports[i], err = listenRaw(0); err != nil {
			return nil, err
		}
	}
	fd, port, err := listenRaw(0)
	if err != nil {
		return nil, err
	}
	e.rtcp = port
	go e.listen(fd)
	go e.speak()
	return e, nil
}

func (e *ear) socketOf(n int) int  { return n % len(e.fds) }
func (e *ear) port(socket int) int { return e.ports[socket] }
func (e *ear) droppedSoFar() (sum int) {
	for i := range e.dropped {
		sum += int(e.dropped[i].Load())
	}
	return sum
}

// listen takes packets in batches. That it comes late costs nothing: the kernel
// has stamped them.
func (e *ear) listen(rtcp int) {
	runtime.LockOSThread()
	b := newPackets()
	for {
		for i, fd := range e.fds {
			for n := batch; n == batch; {
				n = b.receive(fd)
				e.heard(b, i, n)
			}
		}
		for n := batch; n == batch; {
			n = b.receive(rtcp)
		}
		nap := syscall.NsecToTimespec(int64(lookEvery))
		_ = syscall.Nanosleep(&nap, nil)
	}
}

func (e *ear) heard(b *packets, socket, n int) {
	p := e.plan.Load()
	for i := range n {
		if b.headers[i].len < rtpHeader {
			continue
		}
		a := b.arrival(i)
		if a.dropped > 0 {
			e.dropped[socket].Store(a.dropped)
		}
		if c := p.find(callOf(a.to)); c != nil {
			c.heard.add(binary.BigEndian.Uint16(b.data[i][2:]), time.Duration(a.at-p.start.UnixNano()))
		}
	}
}

// speak sends 50 packets a second of every call that is on, in plans with a
// called side that speaks.
func (e *ear) speak() {
	runtime.LockOSThread()
	b := newPackets()
	for i := range b.data {
		b.data[i][0] = 0x80 // RTP, PCMU
		for j := rtpHeader; j < packetSize; j++ {
			b.data[i][j] = 0xff // silence
		}
	}
	start := time.Now()
	for tick := 0; ; tick++ {
		if wait := time.Until(start.Add(time.Duration(tick) * time.Millisecond)); wait > 0 {
			nap := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&nap, nil)
		}
		p := e.plan.Load()
		if !p.Return {
			continue
		}
		for i := range socketsASlot {
			e.speakFrom(b, p, tick%slots+i*slots, uint32(tick/slots))
		}
	}
}

// speakFrom sends frame number n of the calls of a socket.
func (e *ear) speakFrom(b *packets, p *plan, socket int, n uint32) {
	filled := 0
	first := (socket - p.base%len(e.fds) + len(e.fds)) % len(e.fds)
	for i := first; i < len(p.calls); i += len(e.fds) {
		c := p.calls[i].Load()
		if c == nil {
			break
		}
		if !c.acked.Load() || c.ended.Load() {
			continue
		}
		data := b.data[filled][:]
		binary.BigEndian.PutUint16(data[2:], uint16(n))
		binary.BigEndian.PutUint32(data[4:], n*160)
		binary.BigEndian.PutUint32(data[8:], uint32(c.n+1))
		b.fill(filled, c.peer, c.home, packetSize)
		if filled++; filled == batch {
			e.spoken.Add(int64(b.send(e.fds[socket], filled)))
			filled = 0
		}
	}
	if filled > 0 {
		e.spoken.Add(int64(b.send(e.fds[socket], filled)))
	}
}
