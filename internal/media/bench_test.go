package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// spare is a stream that no pacer knows, and its socket.
func spare(b *testing.B, r Remote) *Stream {
	b.Helper()
	e := start(b, Config{Workers: 1, LateLimit: -1})
	s := open(b, pool(b, e, PoolConfig{}))
	s.added = true // no pacer: the benchmark is it
	connect(b, s, r)
	b.Cleanup(func() { s.added = false })
	return s
}

func benchmarkFrame(b *testing.B, r Remote) {
	b.Helper()
	r.RTP = netip.AddrPortFrom(loopback(), 9)
	s := spare(b, r)
	var buf [packetRoom]byte
	b.ReportAllocs()
	for b.Loop() {
		s.out.next(buf[:], 0)
	}
}

func BenchmarkFrame(b *testing.B) { benchmarkFrame(b, Remote{}) }

func BenchmarkFrameSRTP(b *testing.B) {
	c, _ := cryptos(SuiteSHA1_80)
	benchmarkFrame(b, Remote{Send: c})
}

// BenchmarkSend is a frame with its share of a system call, to a port that nobody
// has.
func BenchmarkSend(b *testing.B) {
	s := spare(b, Remote{RTP: netip.AddrPortFrom(loopback(), 9)})
	var buffers [batch][packetRoom]byte
	out := make([]packet, 0, batch)
	b.ReportAllocs()
	for b.Loop() {
		data, to, _ := s.out.next(buffers[len(out)][:], 0)
		if out = append(out, packet{data, to}); len(out) == batch {
			s.socket.rtp.send(out)
			out = out[:0]
		}
	}
}

func benchmarkReceive(b *testing.B, r Remote) {
	b.Helper()
	from := netip.AddrPortFrom(loopback(), 9)
	r.RTP = from
	s := spare(b, r)
	data := make([]byte, rtpHeader+audio.FrameSamples)
	at := time.Now()
	b.ReportAllocs()
	for seq := 0; b.Loop(); seq++ {
		h, _ := voice(seq, 7)
		h.put(data)
		s.socket.gotRTP(data, from, at)
	}
}

func BenchmarkReceive(b *testing.B) { benchmarkReceive(b, Remote{Events: 101, EventsIn: 101}) }

// BenchmarkReceiveInBand decodes the sound and searches it for keys.
func BenchmarkReceiveInBand(b *testing.B) { benchmarkReceive(b, Remote{}) }

// BenchmarkStranger is a packet from a source that is of no call.
func BenchmarkStranger(b *testing.B) {
	s := spare(b, Remote{RTP: netip.AddrPortFrom(loopback(), 9)})
	data := make([]byte, rtpHeader+audio.FrameSamples)
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		s.socket.gotRTP(data, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 9), at)
	}
}
