package media

import (
	"sync"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

const (
	comfortNoise = 13 // static payload type (RFC 3389)
	// otherSource is how long the accepted SSRC must have been silent before a
	// third one is taken. The second is taken at once: a carrier's ringback and
	// the person behind it are two.
	otherSource = time.Second
)

// incoming is the receiving half of a stream.
type incoming struct {
	mu      sync.Mutex
	codec   audio.Codec
	events  [2]uint8 // payload types of events: the one we offered, the one answered; 0: none
	open    *cipher
	keys    chan<- byte
	presses presses
	ear     *ear // nil: nobody listens to the sound
	inBand  bool // keys are heard in the sound
	quiets  int  // calls of Quiet

	reception reception
	changed   bool // the SSRC changed once since Connect
	first     time.Time
	foreign   uint64 // packets from the right address that are not of the call

	remoteLost   int64 // -1: no report came
	remoteJitter time.Duration
	roundTrip    time.Duration
	lastReport   senderReport
}

// ear is what listens to the sound of the other end. It exists while it is needed.
type ear struct {
	frame    [audio.FrameSamples]int16
	filled   int
	detector audio.Detector
	activity audio.Activity
	spoke    time.Time // last heard to speak; zero: not since Quiet
}

func (in *incoming) connect(r Remote, open *cipher) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.codec, in.events, in.open = r.Codec, [2]uint8{r.EventsIn, r.Events}, open
	in.changed = false
	in.inBand = r.Events == 0
	in.arm()
}

// arm makes an ear where one is needed, and drops it where not. The lock is held.
func (in *incoming) arm() {
	switch need := in.inBand || in.quiets > 0; {
	case need && in.ear == nil:
		in.ear = &ear{}
	case !need:
		in.ear = nil
	}
}

// listen makes lastSpoke tell, until stop is called.
func (in *incoming) listen() (stop func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.quiets++
	in.arm()
	in.ear.spoke = time.Time{}
	return func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.quiets--
		in.arm()
	}
}

func (in *incoming) lastSpoke() time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ear == nil {
		return time.Time{}
	}
	return in.ear.spoke
}

// source is the accepted SSRC.
func (in *incoming) source() uint32 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.reception.ssrc
}

// take reads one RTP packet: ok when it is of the call, news when it is the first
// one of its source.
func (in *incoming) take(data []byte, at time.Time) (ok, news bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	h, payload, ok := in.read(data)
	if !ok {
		in.foreign++
		return false, false
	}
	if in.first.IsZero() {
		in.first = at
	}
	if !in.reception.started || in.reception.ssrc != h.ssrc {
		if in.reception.started {
			in.changed, in.presses = true, presses{}
		}
		in.reception.begin(h)
		news = true
	}
	isEvent := in.isEvent(h.payload)
	inOrder := in.reception.add(h, at, !isEvent)
	switch {
	case isEvent:
		in.press(h, payload, at)
	case inOrder && in.ear != nil && h.payload == in.codec.PayloadType():
		in.hear(payload, at)
	}
	return true, news
}

// read decrypts and parses a packet, and refuses what is not of the call: other
// payload types, other sources. The lock is held.
func (in *incoming) read(data []byte) (h header, payload []byte, ok bool) {
	if h, payload, ok = parseRTP(data); !ok || !in.known(h.payload) || !in.acceptable(h.ssrc) {
		return h, nil, false
	}
	if in.open == nil {
		return h, payload, true
	}
	if data = in.open.openRTP(data); data == nil {
		return h, nil, false
	}
	return parseRTP(data)
}

func (in *incoming) known(payload uint8) bool {
	return payload == in.codec.PayloadType() || payload == comfortNoise || in.isEvent(payload) ||
		payload == audio.PCMU.PayloadType() || payload == audio.PCMA.PayloadType()
}

func (in *incoming) isEvent(payload uint8) bool {
	return payload != 0 && (payload == in.events[0] || payload == in.events[1])
}

func (in *incoming) acceptable(ssrc uint32) bool {
	r := &in.reception
	return !r.started || r.ssrc == ssrc || !in.changed || time.Since(r.last) > otherSource
}

// press reads an event packet. Its sender sends events, so its sound is not
// searched for keys any more.
func (in *incoming) press(h header, payload []byte, at time.Time) {
	e, ok := parseEvent(payload)
	if !ok {
		return
	}
	if in.inBand {
		in.inBand = false
		in.arm()
	}
	if key, ok := in.presses.take(h, e, at); ok {
		in.tell(key)
	}
}

// hear listens to G.711 in packets of any length.
func (in *incoming) hear(payload []byte, at time.Time) {
	e := in.ear
	for len(payload) > 0 {
		n := min(len(payload), len(e.frame)-e.filled)
		in.codec.Decode(e.frame[e.filled:], payload[:n])
		payload = payload[n:]
		if e.filled += n; e.filled < len(e.frame) {
			return
		}
		e.filled = 0
		if in.inBand {
			if key, ok := e.detector.Feed(e.frame[:]); ok {
				in.tell(key)
			}
		}
		if in.quiets > 0 && e.activity.Feed(e.frame[:]) {
			e.spoke = at
		}
	}
}

// tell passes a key on, or loses it when nobody reads them.
func (in *incoming) tell(key byte) {
	select {
	case in.keys <- key:
	default:
	}
}

func (in *incoming) stats() Stats {
	in.mu.Lock()
	defer in.mu.Unlock()
	return Stats{
		Received:   in.reception.total(),
		Lost:       in.reception.lost(),
		Jitter:     in.reception.jitterTime(),
		RemoteLost: in.remoteLost,
		RemoteJit:  in.remoteJitter,
		RoundTrip:  in.roundTrip,
		Foreign:    in.foreign,

		FirstPacket: in.first,
	}
}
