//go:build amd64 || arm64

package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// sink is the called side, a process of its own: it answers every INVITE, keeps
// when every packet came by the kernel's stamp, and hangs up after a plan's time.
type sink struct {
	sip  *net.UDPConn
	self netip.AddrPort // SIP's
	ear  *ear
	plan atomic.Pointer[plan]

	mu       sync.Mutex
	byID     map[string]*called // by Call-ID
	next     int                // number of the next call
	repeated int
	firstACK int64
	lastACK  int64
	first    int64 // INVITE of the plan
	early    int
	answered int
	ended    int
}

// runSink obeys orders on stdin until it ends.
func runSink() error {
	s := &sink{byID: map[string]*called{}}
	var err error
	if s.sip, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	if err := stamped(s.sip); err != nil {
		return err
	}
	s.self = s.sip.LocalAddr().(*net.UDPAddr).AddrPort()
	s.plan.Store(newPlan(order{}, 0))
	if s.ear, err = newEar(&s.plan); err != nil {
		return err
	}
	go s.serve()
	out, in := json.NewEncoder(os.Stdout), json.NewDecoder(os.Stdin)
	if err := out.Encode(answer{Address: s.self.String()}); err != nil {
		return err
	}
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(s.obey(o)); err != nil {
			return err
		}
	}
}

func (s *sink) obey(o order) (a answer) {
	p := s.plan.Load()
	switch o.Op {
	case "plan":
		s.mu.Lock()
		s.repeated, s.firstACK, s.lastACK, s.first, s.early, s.answered, s.ended = 0, 0, 0, 0, 0, 0, 0
		s.byID = map[string]*called{}
		s.plan.Store(newPlan(o, s.next))
		s.ear.spoken.Store(0)
		s.mu.Unlock()
	case "late":
		a.Late = p.reckon(o.From, o.To)
		a.Late.Dropped, a.Late.Spoken = s.ear.droppedSoFar(), int(s.ear.spoken.Load())
	case "invites":
		a.Invites = map[string]int64{}
		for i := range p.calls {
			if c := p.calls[i].Load(); c != nil {
				a.Invites[c.number] = c.invited
			}
		}
	case "state":
	default:
		a.Err = "no such order"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p = s.plan.Load()
	a.State = state{
		Invited: s.next - p.base, Answered: s.answered, Ended: s.ended, Early: s.early, Repeated: s.repeated,
		FirstInvite: s.first, FirstACK: s.firstACK, LastACK: s.lastACK,
	}
	return a
}

// stamped asks for the kernel's time of every datagram.
func stamped(c *net.UDPConn) error {
	_ = c.SetReadBuffer(receiveRoom)
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soTimestampNS, 1)
	})
	return errors.Join(err, failed)
}

// serve takes requests, one at a time: at 1,000 calls a second they take a
// twentieth of a core.
func (s *sink) serve() {
	buf, oob := make([]byte, 8192), make([]byte, oobRoom)
	for {
		n, on, _, from, err := s.sip.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			return
		}
		m, err := parse(buf[:n])
		if err != nil {
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if out := s.take(m, from, stampOf(oob[:on])); out != nil {
			_, _ = s.sip.WriteToUDPAddrPort(out, from)
		}
	}
}

func stampOf(oob []byte) int64 {
	all, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range all {
		if m.Header.Type == soTimestampNS && len(m.Data) >= int(unsafe.Sizeof(syscall.Timespec{})) {
			return int64(binary.NativeEndian.Uint64(m.Data))*1e9 + int64(binary.NativeEndian.Uint64(m.Data[8:]))
		}
	}
	return 0
}

// take reacts to a message; nil: nothing is answered.
func (s *sink) take(m message, from netip.AddrPort, at int64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byID[m.get("Call-ID")]
	switch {
	case m.method == "INVITE":
		return s.invited(m, from, at)
	case m.method == "ACK":
		if c != nil && !c.acked.Swap(true) {
			s.established(c, at)
		}
	case m.method == "BYE":
		if c != nil {
			s.over(c, true)
		}
		return m.reply("200 OK", "sink")
	case m.status >= 200 && c != nil: // of our BYE
		s.over(c, false)
	case m.method != "" && m.method != "CANCEL":
		return m.reply("200 OK", "sink")
	}
	return nil
}

// invited answers at once, and again when the INVITE comes again. The lock is held.
func (s *sink) invited(m message, from netip.AddrPort, at int64) []byte {
	c := s.byID[m.get("Call-ID")]
	if c != nil {
		s.repeated++
	} else {
		p := s.plan.Load()
		if s.next-p.base >= len(p.calls) {
			return m.reply("486 Busy Here", "sink")
		}
		peer, err := offered(m.body)
		if err != nil {
			return m.reply("488 Not Acceptable Here", "sink")
		}
		c = &called{n: s.next, number: m.user, peer: peer, home: mediaAddr(s.next), invited: at}
		c.socket = s.ear.socketOf(c.n)
		c.dialog = newDialog(m, from, fmt.Sprint("s", c.n))
		if p.Record {
			c.heard.at = make([]uint32, int(p.Hold/frame)+500)
		}
		if s.first == 0 {
			s.first = at
		}
		s.byID[c.dialog.id] = c
		p.calls[c.n-p.base].Store(c)
		s.next++
	}
	p := s.plan.Load()
	return m.reply("200 OK", fmt.Sprint("s", c.n), "Contact: <sip:sink@"+s.self.String()+">",
		answered(c.home, s.ear.port(c.socket), s.ear.rtcp, p.InBand))
}

// established begins the call's time. The lock is held.
func (s *sink) established(c *called, at int64) {
	if s.answered++; s.answered == 1 {
		s.firstACK = at
	}
	s.lastACK = at
	timer := time.AfterFunc(s.plan.Load().Hold, func() { s.hangUp(c, 500*time.Millisecond) })
	c.stopBYEs = func() { timer.Stop() }
}

// hangUp sends BYE until it is answered, seven times at most.
func (s *sink) hangUp(c *called, wait time.Duration) {
	if c.ended.Load() || wait > 64*time.Second {
		return
	}
	_, _ = s.sip.WriteToUDPAddrPort(c.dialog.bye(s.self, c.n), c.dialog.source)
	time.AfterFunc(wait, func() { s.hangUp(c, 2*wait) })
}

// over ends a call. The lock is held.
func (s *sink) over(c *called, early bool) {
	if c.ended.Swap(true) {
		return
	}
	if c.stopBYEs != nil {
		c.stopBYEs()
	}
	s.ended++
	if early {
		s.early++
	}
}
