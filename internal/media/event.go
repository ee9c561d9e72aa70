package media

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// eventKeys are the keys in the order of their event codes (RFC 4733 section 3.2).
const eventKeys = "0123456789*#ABCD"

// event is the payload of a telephone-event packet (RFC 4733 section 2.3).
type event struct {
	code     uint8
	end      bool
	duration uint16 // samples, from the packet's timestamp on
}

const (
	eventSize   = 4
	eventVolume = 10 // -10 dBm0, as a telephone keys
)

func (e event) put(dst []byte) {
	dst[0], dst[1] = e.code, eventVolume
	if e.end {
		dst[1] |= 0x80
	}
	binary.BigEndian.PutUint16(dst[2:], e.duration)
}

// parseEvent reads a payload that may hold several events; the first counts.
func parseEvent(payload []byte) (e event, ok bool) {
	if len(payload) < eventSize {
		return event{}, false
	}
	return event{payload[0], payload[1]&0x80 != 0, binary.BigEndian.Uint16(payload[2:])}, true
}

// pressGap is the longest time between two packets of one press. Senders repeat
// an event every 20 to 50 ms.
const pressGap = 150 * time.Millisecond

// presses turns event packets into keys, one for each press: at its first packet,
// whichever that is, so that neither lost starts nor lost ends matter.
type presses struct {
	open     bool // a press was seen
	ended    bool // with its end
	code     uint8
	ts       uint32 // of the press's first or latest segment
	duration uint16
	at       time.Time // of its latest packet
}

// take reads one packet; ok when it begins a press.
func (p *presses) take(h header, e event, at time.Time) (key byte, ok bool) {
	if int(e.code) >= len(eventKeys) {
		return 0, false
	}
	if p.open {
		switch after := int32(h.ts - p.ts); {
		case after < 0 && at.Sub(p.at) < time.Minute: // an older press, out of order
			return 0, false
		case after == 0 && e.code == p.code:
			p.ended = p.ended || e.end
			p.duration, p.at = max(p.duration, e.duration), at
			return 0, false
		case p.continues(h, e, at):
			p.ts, p.duration, p.at, p.ended = h.ts, e.duration, at, e.end
			return 0, false
		}
	}
	*p = presses{true, e.end, e.code, h.ts, e.duration, at}
	return eventKeys[e.code], true
}

// continues: the same press with a new timestamp, either a further segment of a
// long event (RFC 4733 section 2.5.1.3) or from a sender that moves the timestamp
// along with each packet.
func (p *presses) continues(h header, e event, at time.Time) bool {
	return e.code == p.code && !h.mark && !p.ended && at.Sub(p.at) < pressGap
}

// How keys are pressed: long enough for every receiver (ITU-T Q.24 asks 40 ms of
// tone and 40 ms of pause), short enough for a person to wait for.
const (
	keyFrames  = 9 // 180 ms, then the end
	endPackets = 3
	keyPause   = 100 * time.Millisecond
	shortWait  = 500 * time.Millisecond // a "w"
	longWait   = time.Second            // a "W"
)

// eventAt is the packet of a press in its n-th frame. The last three are the end,
// sent thrice.
func eventAt(code uint8, n int) event {
	frames := min(n, keyFrames) + 1
	return event{code, n >= keyFrames, uint16(frames * audio.FrameSamples)}
}

// eventCode is a key's event code, -1 for what is no key.
func eventCode(key byte) int { return strings.IndexByte(eventKeys, key) }
