package media

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

func TestCollision(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		other := newPeer(t, "127.0.0.1")
		p := pool(t, e, PoolConfig{Size: 1})
		a, b := open(t, p), open(t, p)
		if a.Local() != b.Local() {
			t.Fatalf("%v and %v in a pool of one", a.Local(), b.Local())
		}
		connect(t, a, Remote{RTP: other.at})
		connect(t, a, Remote{RTP: other.at, Hold: true})
		if err := b.Connect(Remote{RTP: other.at}); !errors.Is(err, ErrCollision) {
			t.Errorf("Connect: %v", err)
		}
		if n := e.Load().Streams; n != 1 {
			t.Errorf("%d streams", n)
		}
		_ = a.Close()
		connect(t, b, Remote{RTP: other.at})
		other.packet()
	})
}

// The last packets of a call that ended are not taken for the next one's.
func TestLastPacketsOfACallBefore(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		before, now := newPeer(t, "127.0.0.1"), newPeer(t, "127.0.0.1")
		p := pool(t, e, PoolConfig{Size: 1})
		a := open(t, p)
		connect(t, a, Remote{RTP: before.at})
		_ = a.Close()
		b := open(t, p)
		connect(t, b, Remote{RTP: now.at})
		h, payload := voice(1, 7)
		before.send(b.Local(), h, payload)
		eventually(t, "counted", func() bool { return b.Stats().Foreign == 1 })
		if b.Stats().Received != 0 || b.socket.table.sendTo(b) != now.at {
			t.Error("taken")
		}
	})
}

// voice is a packet as a phone sends it.
func voice(seq int, ssrc uint32) (header, []byte) {
	return header{seq: uint16(seq), ts: uint32(160 * seq), ssrc: ssrc}, make([]byte, audio.FrameSamples)
}

func TestSources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name              string
		from              string // the second source's address
		latch             bool
		first             bool // the answered address is heard first
		received, foreign uint64
	}{
		{"the answered address only", "127.0.0.1", false, true, 1, 3},
		{"another port, until the answered one speaks", "127.0.0.1", false, false, 4, 0},
		{"another machine", "127.0.0.2", false, false, 1, 3},
		{"another machine, where it may be any", "127.0.0.2", true, false, 4, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, e *Engine) {
				answered, second := newPeer(t, "127.0.0.1"), newPeer(t, c.from)
				s := open(t, pool(t, e, PoolConfig{Bind: netip.IPv4Unspecified()}))
				at := netip.AddrPortFrom(loopback(), s.Local().Port())
				connect(t, s, Remote{RTP: answered.at, Latch: c.latch})
				total := func(n uint64) {
					t.Helper()
					eventually(t, "all counted", func() bool { st := s.Stats(); return st.Received+st.Foreign == n })
				}
				seen := uint64(0)
				say := func(p *peer, seq int) {
					t.Helper()
					h, payload := voice(seq, 7)
					p.send(at, h, payload)
					seen++
					total(seen)
				}
				if c.first {
					say(answered, 0)
				}
				for i := 1; i <= 3; i++ {
					say(second, i)
				}
				if got := s.socket.table.sendTo(s); (got == second.at) != (c.received == 4) {
					t.Errorf("packets go to %v", got)
				}
				if c.received == 4 {
					second.packet()
				}
				if !c.first {
					say(answered, 4)
				}
				if st := s.Stats(); st.Received != c.received || st.Foreign != c.foreign || st.FirstPacket.IsZero() {
					t.Errorf("%+v", st)
				}
				// What is sent goes where the sound comes from.
				answered.packet()
				if got := s.socket.table.sendTo(s); got != answered.at {
					t.Errorf("packets go to %v", got)
				}
			})
		})
	}
}

func TestWhatIsNoPacketOfTheCall(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		other := newPeer(t, "127.0.0.1")
		s := open(t, pool(t, e, PoolConfig{}))
		connect(t, s, Remote{RTP: other.at, Events: 101, EventsIn: 101})
		h, payload := voice(1, 7)
		other.send(s.Local(), h, payload)
		foreign := 0
		for _, data := range [][]byte{{}, {0x80}, make([]byte, 200), {0: 0x80, 1: 72, 199: 0}, {0: 0xa0, 1: 0, 171: 200}} {
			if _, err := other.conn.WriteToUDPAddrPort(data, s.Local()); err != nil {
				t.Fatal(err)
			}
			foreign++
		}
		// The second source is taken, a third beside it is not.
		for _, ssrc := range []uint32{8, 9, 8} {
			h, payload := voice(2, ssrc)
			other.send(s.Local(), h, payload)
		}
		eventually(t, "all counted", func() bool {
			st := s.Stats()
			return st.Received == 3 && st.Foreign == uint64(foreign)+1
		})
	})
}

func TestSocketsOfAPool(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		for _, c := range []struct {
			cfg   PoolConfig
			ports int // of six streams
		}{
			{PoolConfig{Size: 2}, 2},
			{PoolConfig{}, 6},
			{PoolConfig{Sockets: PerCall, NoRTCP: true}, 6},
			{PoolConfig{Sockets: Shared}, 2},
			{PoolConfig{Bind: netip.IPv6Loopback(), Size: 3, DSCP: -1}, 3},
		} {
			p := pool(t, e, c.cfg)
			ports := map[uint16]bool{}
			for range 6 {
				s := open(t, p)
				ports[s.Local().Port()] = true
				if s.Local().Port()%2 != 0 {
					t.Errorf("%v is odd", s.Local())
				}
				if r := s.socket.rtcp; r != nil && r.local().Port() != s.Local().Port()+1 {
					t.Errorf("RTCP of %v at %v", s.Local(), r.local())
				}
			}
			if len(ports) != c.ports {
				t.Errorf("%+v: %d ports", c.cfg, len(ports))
			}
			a, b := couple(t, p, Remote{})
			eventually(t, "both hear", func() bool { return a.Stats().Received > 2 && b.Stats().Received > 2 })
			_ = p.Close()
			if _, err := p.Open(); !errors.Is(err, ErrClosed) {
				t.Errorf("Open after Close: %v", err)
			}
		}
	})
}

func TestPortRange(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		// A pair that is free now, and nobody's neighbour's soon.
		probe := pool(t, e, PoolConfig{Sockets: PerCall})
		s := open(t, probe)
		port := s.Local().Port()
		_ = s.Close()
		p := pool(t, e, PoolConfig{Sockets: PerCall, MinPort: port - 1, MaxPort: port + 1})
		s, err := p.Open()
		if err != nil {
			t.Skipf("another test took the ports: %v", err)
		}
		if s.Local().Port() != port {
			t.Errorf("%v, not %d", s.Local(), port)
		}
		if _, err := p.Open(); !errors.Is(err, ErrBusy) {
			t.Errorf("a second call on one pair: %v", err)
		}
		_ = s.Close()
		open(t, p)
		for _, bad := range []PoolConfig{
			{MinPort: port + 1, MaxPort: port + 2}, {MinPort: 20, MaxPort: 10}, {MinPort: 65535}, {Sockets: "all"},
			{DSCP: 64}, {Size: -1}, {Bind: netip.MustParseAddr("192.0.2.1")},
		} {
			if _, err := e.Pool(bad); err == nil {
				t.Errorf("%+v is taken", bad)
			}
		}
	})
}

func TestConnectRefuses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		s := open(t, pool(t, e, PoolConfig{}))
		at := netip.AddrPortFrom(loopback(), 4000)
		for _, r := range []Remote{
			{}, {RTP: netip.AddrPortFrom(loopback(), 0)}, {RTP: netip.AddrPortFrom(netip.IPv6Loopback(), 4000)},
			{RTP: at, Codec: 2}, {RTP: at, Events: 128}, {RTP: at, Send: &Crypto{Suite: "NULL"}},
		} {
			if err := s.Connect(r); err == nil {
				t.Errorf("%+v is taken", r)
			}
		}
	})
}

func TestUnansweredStreamSleeps(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		s := open(t, pool(t, e, PoolConfig{}))
		time.Sleep(50 * time.Millisecond)
		if st := s.Stats(); st.Sent != 0 || st.RemoteLost != -1 || e.Load().Streams != 0 {
			t.Errorf("before Connect: %+v", st)
		}
	})
}
