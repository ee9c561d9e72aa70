package media

import (
	"net/netip"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// lateFrame is when a sent frame counts as late.
const lateFrame = 5 * time.Millisecond

// turn is something to be sent instead of silence, n frames long: a clip, an
// event, or, with neither, silence itself.
type turn struct {
	clip   *audio.Clip
	frames [][]byte // the clip's in the stream's codec
	event  bool
	code   uint8  // of the event
	start  uint32 // timestamp of the event
	pos, n int
	done   chan struct{} // closed when the last frame was sent, or the stream was closed
	broken bool          // the stream was closed; set before done is closed
}

// outgoing is the sending half of a stream: what the next frame is. The pacer
// asks for it every 20 ms.
type outgoing struct {
	mu      sync.Mutex
	closed  bool
	ready   bool // connected
	hold    bool
	to      netip.AddrPort
	codec   audio.Codec
	events  uint8 // payload type of events, 0: none
	seal    *cipher
	silence []byte // a frame of the codec's
	turn    *turn  // nil: silence

	ssrc   uint32
	seq    uint16
	ts     uint32 // of the next frame; it moves on while nothing is sent, too
	spoken bool   // the last packet was a turn's
	pause  bool   // nothing was sent in the last frame
	sent   uint64 // packets
	late   uint64 // of them, those sent over 5 ms late
}

// outfit is what a stream needs beside a Remote to send.
type outfit struct {
	seal    *cipher
	silence []byte
}

func (o *outgoing) connect(to netip.AddrPort, r Remote, with outfit) {
	o.cutFrames(r.Codec)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ready, o.hold, o.to, o.codec, o.events = true, r.Hold, to, r.Codec, r.Events
	o.seal, o.silence = with.seal, with.silence
	if o.turn != nil && o.turn.clip != nil {
		o.turn.frames = o.turn.clip.Frames(r.Codec) // as many as before
	}
}

// cutFrames makes a playing clip's frames in another codec, without the lock: it
// takes long, and a pacer that waits for it makes all its calls late.
func (o *outgoing) cutFrames(codec audio.Codec) {
	o.mu.Lock()
	t := o.turn
	o.mu.Unlock()
	if t != nil && t.clip != nil {
		t.clip.Frames(codec)
	}
}

// redirect changes where packets go.
func (o *outgoing) redirect(to netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = to
}

// begin makes t what is sent next.
func (o *outgoing) begin(t *turn) error {
	if t.clip != nil {
		t.clip.Frames(o.currentCodec()) // cut without the lock, as in cutFrames
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return ErrClosed
	case !o.ready:
		return errNotConnected
	}
	if t.clip != nil {
		t.frames = t.clip.Frames(o.codec)
		t.n = len(t.frames)
	}
	if t.n == 0 {
		close(t.done)
		return nil
	}
	t.start = o.ts
	o.turn = t
	return nil
}

func (o *outgoing) currentCodec() audio.Codec {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.codec
}

// cut ends t before its time.
func (o *outgoing) cut(t *turn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.turn == t {
		o.turn = nil
	}
}

// close silences the stream for good. Nothing is built for it any more.
func (o *outgoing) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if t := o.turn; t != nil { // the pacer has not taken its end
		t.broken = true
		close(t.done)
	}
	o.closed, o.turn = true, nil
}

// keysByEvent says whether keys are sent as events.
func (o *outgoing) keysByEvent() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events != 0
}

func (o *outgoing) stats() (sent, late uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent, o.late
}

// next builds the packet of this frame in buf; data is nil when nothing is to be
// sent. end is the turn whose last frame this was. It allocates nothing but what
// SRTP needs.
func (o *outgoing) next(buf []byte, late time.Duration) (data []byte, to netip.AddrPort, end *turn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, to, nil
	}
	if o.hold || !o.to.IsValid() { // the turn waits: nobody hears what is not sent
		o.ts += audio.FrameSamples
		o.pause = true
		return nil, to, nil
	}
	h := header{payload: o.codec.PayloadType(), seq: o.seq, ts: o.ts, ssrc: o.ssrc}
	size, spoken := o.payload(&h, buf[rtpHeader:])
	if t := o.turn; t != nil {
		if t.pos++; t.pos >= t.n {
			o.turn, end = nil, t
		}
	}
	o.ts += audio.FrameSamples
	// A receiver may set its play-out time anew at a mark.
	h.mark = h.mark || o.sent == 0 || o.pause || spoken && !o.spoken
	o.spoken, o.pause = spoken, false
	h.put(buf)
	data = buf[:rtpHeader+size]
	o.seq++
	if o.seal != nil {
		if data = o.seal.sealRTP(data); data == nil {
			return nil, to, end
		}
	}
	o.sent++
	if late > lateFrame {
		o.late++
	}
	return data, o.to, end
}

// payload writes the frame's payload and says whether it is of a turn, not
// silence.
func (o *outgoing) payload(h *header, dst []byte) (size int, spoken bool) {
	switch t := o.turn; {
	case t == nil:
	case t.event:
		h.payload, h.ts, h.mark = o.events, t.start, t.pos == 0
		eventAt(t.code, t.pos).put(dst)
		return eventSize, true
	case t.pos < len(t.frames):
		return copy(dst, t.frames[t.pos]), true
	}
	return copy(dst, o.silence), false
}
