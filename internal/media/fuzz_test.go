package media

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

// What our parser takes, pion's takes, and both see the same.
func FuzzRTP(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 1, 2})
	f.Add([]byte{0xb1, 0xe5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0xbe, 0xde, 0, 0, 7, 0, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, payload, ok := parseRTP(data)
		var in incoming
		in.connect(Remote{Events: 101, EventsIn: 96}, nil)
		keys := make(chan byte, 1)
		in.keys = keys
		in.take(data, time.Unix(0, 0))
		if !ok {
			return
		}
		var p rtp.Packet
		if err := p.Unmarshal(data); err != nil {
			return // stricter with extensions, which we skip
		}
		if p.PayloadType != h.payload || p.SequenceNumber != h.seq || p.Timestamp != h.ts || p.SSRC != h.ssrc || p.Marker != h.mark {
			t.Errorf("%+v, pion: %+v", h, p.Header)
		}
		if string(p.Payload) != string(payload) {
			t.Errorf("payload %x, pion: %x", payload, p.Payload)
		}
	})
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte{5, 0x8a, 1, 0x40}, uint32(1000), true)
	f.Add([]byte{16, 0, 0, 0}, uint32(0), false)
	f.Fuzz(func(t *testing.T, payload []byte, ts uint32, mark bool) {
		e, ok := parseEvent(payload)
		if ok != (len(payload) >= eventSize) {
			t.Fatalf("%d bytes: %v", len(payload), ok)
		}
		var p presses
		now := time.Unix(0, 0)
		if key, ok := p.take(header{ts: ts, mark: mark}, e, now); ok != (eventCode(key) == int(e.code) && e.code < 16) {
			t.Errorf("%+v: %q, %v", e, key, ok)
		}
		if key, ok := p.take(header{ts: ts}, e, now); ok {
			t.Errorf("again: %q", key)
		}
	})
}

func FuzzRTCP(f *testing.F) {
	var o outgoing
	o.sent = 1
	f.Add(o.compose(time.Unix(1e9, 0), nil, "name", true))
	in := incoming{}
	in.reception.begin(header{ssrc: 7})
	f.Add(o.compose(time.Unix(1e9, 0), in.blocks(time.Unix(1e9, 0)), "name", false))
	f.Fuzz(func(t *testing.T, data []byte) {
		var in incoming
		ok := in.takeReport(data, 0, time.Unix(1e9, 0))
		if _, is := rtcpSender(data); ok && !is && len(data) >= rtcpHeader {
			t.Error("a report without a sender")
		}
		if in.roundTrip < 0 || in.roundTrip > longestTrip {
			t.Errorf("round trip %v", in.roundTrip)
		}
		if in.remoteLost < -1<<23 || in.remoteLost >= 1<<23 {
			t.Errorf("lost %d", in.remoteLost)
		}
	})
}
