package media

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pincall/pincall/internal/audio"
)

// keys are two SRTP keys of a suite.
func cryptos(suite string) (a, b *Crypto) {
	a, b = &Crypto{Suite: suite}, &Crypto{Suite: suite}
	for i := range a.Key {
		a.Key[i], b.Key[i] = byte(i), byte(200-i)
	}
	return a, b
}

func TestSRTP(t *testing.T) {
	t.Parallel()
	for _, suite := range []string{SuiteSHA1_80, SuiteSHA1_32} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, e *Engine) {
				ours, theirs := cryptos(suite)
				p := pool(t, e, PoolConfig{})
				a, b := couple(t, p, Remote{Events: 101, EventsIn: 101, Send: ours, Receive: theirs})
				other := newPeer(t, "127.0.0.1")
				eventually(t, "both hear", func() bool { return a.Stats().Received > 3 && b.Stats().Received > 3 })
				if err := a.SendKeys(deadline(t), "42"); err != nil {
					t.Fatal(err)
				}
				if got := pressed(t, b, 2); got != "42" {
					t.Errorf("%q came", got)
				}
				reportNow(a)
				eventually(t, "a report", func() bool { return b.Stats().RoundTrip == 0 && lastReport(b).ssrc == a.ssrc() })

				// Again with the same keys: counters go on. With another: nothing is heard.
				connect(t, b, Remote{RTP: a.Local(), Send: theirs, Receive: ours, Events: 101, EventsIn: 101})
				n := b.Stats().Received
				eventually(t, "still heard", func() bool { return b.Stats().Received > n+3 })
				if f := a.Stats().Foreign + b.Stats().Foreign; f != 0 {
					t.Errorf("%d packets refused", f)
				}
				connect(t, b, Remote{RTP: a.Local(), Receive: theirs})
				n = b.Stats().Received
				eventually(t, "refused", func() bool { return b.Stats().Foreign > 3 })
				if now := b.Stats().Received; now != n {
					t.Errorf("%d packets with a wrong key", now-n)
				}
				// A latch asks for the key.
				c := open(t, p)
				connect(t, c, Remote{RTP: other.at, Receive: theirs})
				stray := newPeer(t, "127.0.0.1")
				h, payload := voice(1, 3)
				stray.send(c.Local(), h, payload)
				eventually(t, "refused", func() bool { return c.Stats().Foreign == 1 })
				other.packet()
			})
		})
	}
}

// reportNow makes s report as if its time had come.
func reportNow(s *Stream) {
	s.reports.mu.Lock()
	s.reports.due = time.Now().Add(-time.Second)
	s.reports.mu.Unlock()
}

func lastReport(s *Stream) senderReport {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.in.lastReport
}

func TestReports(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		a, b := couple(t, pool(t, e, PoolConfig{Sockets: PerCall}), Remote{})
		eventually(t, "both hear", func() bool { return a.Stats().Received > 3 && b.Stats().Received > 3 })
		// b misses two of a's packets.
		b.in.mu.Lock()
		b.in.reception.received -= 2
		lost := b.in.reception.lost()
		b.in.mu.Unlock()
		reportNow(a)
		eventually(t, "a's report", func() bool { return lastReport(b).ssrc == a.ssrc() })
		reportNow(b)
		eventually(t, "b's report", func() bool { return a.Stats().RemoteLost == lost && a.Stats().RoundTrip > 0 })
		if st := a.Stats(); st.RoundTrip > patience/2 || st.RemoteJit > patience/2 {
			t.Errorf("%+v", st)
		}
		// From another port of the machine, the sender's SSRC tells whose it is.
		stranger := newPeer(t, "127.0.0.1")
		a.out.mu.Lock()
		data := a.out.compose(time.Now().Add(time.Hour), nil, "x", true)
		a.out.mu.Unlock()
		before := lastReport(b)
		if _, err := stranger.conn.WriteToUDPAddrPort(data, b.socket.rtcp.local()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the stranger's report", func() bool { return lastReport(b) != before })
	})
}

func TestCloseSaysGoodbye(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		rtp, rtcp := newPeer(t, "127.0.0.1"), newPeer(t, "127.0.0.1")
		s := open(t, pool(t, e, PoolConfig{}))
		connect(t, s, Remote{RTP: rtp.at, RTCP: rtcp.at})
		rtp.packet()
		_ = s.Close()
		buf := make([]byte, longestPacket)
		_ = rtcp.conn.SetReadDeadline(time.Now().Add(patience))
		n, err := rtcp.conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		// Sender report, name, goodbye.
		var types []byte
		for data := buf[:n]; len(data) >= 4; data = data[4+4*(int(data[2])<<8|int(data[3])):] {
			types = append(types, data[1])
		}
		if diff := cmp.Diff([]byte{200, 202, 203}, types); diff != "" {
			t.Error(diff)
		}
	})
}

func TestManyStreams(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		const calls = 100
		p := pool(t, e, PoolConfig{Size: 16})
		q := pool(t, e, PoolConfig{Sockets: PerCall})
		clip := counted(25)
		errs := make(chan error, 2*calls)
		var streams []*Stream
		for range calls {
			a, b := open(t, p), open(t, q)
			connect(t, a, Remote{RTP: b.Local()})
			connect(t, b, Remote{RTP: a.Local()})
			streams = append(streams, a, b)
		}
		for _, s := range streams {
			go func() { errs <- s.Play(deadline(t), clip) }()
		}
		for range streams {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		if n := e.Load().Streams; n != len(streams) {
			t.Errorf("%d streams", n)
		}
		for i, s := range streams {
			peer := streams[i^1]
			// Nothing is lost on a loopback with room; frames under way aside.
			eventually(t, "all frames came", func() bool { return s.Stats().Received >= 25 && peer.Stats().Sent >= 25 })
			if st := s.Stats(); st.Foreign != 0 && st.Lost > 2 {
				t.Errorf("%+v", st)
			}
		}
		for _, s := range streams {
			_ = s.Close()
		}
		eventually(t, "no streams", func() bool { return e.Load().Streams == 0 })
	})
}

func TestEarOnlyWhereNeeded(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *Engine) {
		a, b := couple(t, pool(t, e, PoolConfig{}), Remote{Events: 101, EventsIn: 101, Codec: audio.PCMU})
		eventually(t, "both hear", func() bool { return a.Stats().Received > 3 && b.Stats().Received > 3 })
		a.in.mu.Lock()
		defer a.in.mu.Unlock()
		if a.in.ear != nil {
			t.Error("sound is decoded although nobody listens")
		}
	})
}
