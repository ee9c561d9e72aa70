package media

import (
	"context"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// patience is how long a test waits for what takes milliseconds on a free machine.
const patience = 20 * time.Second

// both runs a test on the system's fast engine and on the portable one.
func both(t *testing.T, test func(t *testing.T, e *Engine)) {
	t.Helper()
	for name, portable := range map[string]bool{"fast": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t, Config{Portable: portable, Workers: 2, LateLimit: -1}))
		})
	}
}

func start(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

func pool(t testing.TB, e *Engine, cfg PoolConfig) *Pool {
	t.Helper()
	if !cfg.Bind.IsValid() {
		cfg.Bind = loopback()
	}
	p, err := e.Pool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, p *Pool) *Stream {
	t.Helper()
	s, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func connect(t testing.TB, s *Stream, r Remote) {
	t.Helper()
	if err := s.Connect(r); err != nil {
		t.Fatal(err)
	}
}

// couple opens two streams that speak to each other.
func couple(t testing.TB, p *Pool, r Remote) (a, b *Stream) {
	t.Helper()
	a, b = open(t, p), open(t, p)
	ra, rb := r, r
	ra.RTP, rb.RTP = b.Local(), a.Local()
	ra.Send, ra.Receive = r.Send, r.Receive
	rb.Send, rb.Receive = r.Receive, r.Send
	connect(t, a, ra)
	connect(t, b, rb)
	return a, b
}

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// peer is the other end as a plain socket.
type peer struct {
	t    testing.TB
	conn *net.UDPConn
	at   netip.AddrPort
}

func newPeer(t testing.TB, ip string) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t, conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()}
}

// packet is the next RTP packet.
func (p *peer) packet() (header, []byte) {
	p.t.Helper()
	buf := make([]byte, longestPacket)
	if err := p.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	n, err := p.conn.Read(buf)
	if err != nil {
		p.t.Fatal(err)
	}
	h, payload, ok := parseRTP(buf[:n])
	if !ok {
		p.t.Fatalf("%d bytes are no RTP packet", n)
	}
	return h, payload
}

func (p *peer) send(to netip.AddrPort, h header, payload []byte) {
	p.t.Helper()
	data := make([]byte, rtpHeader, rtpHeader+len(payload))
	h.put(data)
	if _, err := p.conn.WriteToUDPAddrPort(append(data, payload...), to); err != nil {
		p.t.Fatal(err)
	}
}

// counted is a clip whose n-th frame is full of the byte of sample n+1, so that
// every frame can be told from the others and from silence.
func counted(frames int) *audio.Clip {
	pcm := make([]int16, frames*audio.FrameSamples)
	for i := range pcm {
		pcm[i] = int16(256 * (i/audio.FrameSamples + 1))
	}
	return audio.NewClip(pcm)
}

// tone is a sound that is speech enough for a detector.
func tone(d time.Duration) *audio.Clip {
	pcm := make([]int16, int(d.Seconds()*audio.Rate))
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*300*float64(i)/audio.Rate))
	}
	return audio.NewClip(pcm)
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// pressed reads n keys.
func pressed(t testing.TB, s *Stream, n int) string {
	t.Helper()
	var got []byte
	for range n {
		select {
		case k := <-s.Keys():
			got = append(got, k)
		case <-time.After(patience):
			t.Fatalf("%d of %d keys came", len(got), n)
		}
	}
	return string(got)
}
