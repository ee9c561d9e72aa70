package sim

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/phone"
)

// ErrListeners says that a phone has as many listeners as it may.
var ErrListeners = errors.New("sim: too many listen to this phone: close one")

const (
	mostListeners = 8
	// A listener that falls further behind the call loses frames; until then it
	// catches up.
	mostBehind = 25 // frames: half a second
)

// tape is what goes down a call's line, on a grid of frames from the answer on:
// frame k lasts from k*20 ms to (k+1)*20 ms after it. The call writes down which
// clip plays when and never waits for anybody; each listener reads at its own
// pace, so a call that nobody listens to costs no more than a note for each part.
type tape struct {
	begun chan struct{} // closed at the answer
	over  chan struct{} // closed at the end

	mu        sync.Mutex
	listeners int
	answered  time.Time
	ended     int // frames in all; set at the end
	played    []played
}

// played is a clip on the tape: frames[0] is frame begin of the call. Between
// clips there is silence.
type played struct {
	begin  int
	frames [][]byte
}

func newTape() *tape { return &tape{begun: make(chan struct{}), over: make(chan struct{})} }

// answer begins the tape.
func (t *tape) answer() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered = time.Now()
	close(t.begun)
}

// now is the frame that is on the line. t.mu is held.
func (t *tape) now() int { return int(time.Since(t.answered) / audio.FrameDuration) }

// at is when a frame begins.
func (t *tape) at(frame int) time.Time {
	return t.answered.Add(time.Duration(frame) * audio.FrameDuration)
}

// put puts frames (nil: silence) on the line for n frames from now, and says when
// they will have ended. What is put within the frame after the end before joins
// without a gap: ends do not drift.
func (t *tape) put(frames [][]byte, n int) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	begin := t.now()
	if len(frames) > 0 {
		t.played = append(t.played, played{begin, frames})
	}
	return t.at(begin + n)
}

// cut lets the frame on the line be the last of what plays.
func (t *tape) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.played) == 0 {
		return
	}
	last := &t.played[len(t.played)-1]
	if n := t.now() + 1 - last.begin; n < len(last.frames) {
		last.frames = last.frames[:n]
	}
}

// end ends the tape; what is on it can still be read by who listens.
func (t *tape) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.answered.IsZero() {
		t.ended = t.now()
	}
	close(t.over)
}

// silent is a frame without sound. Nobody writes to it.
func silent() []byte { return bytes.Repeat([]byte{audio.PCMU.Silence()}, audio.FrameSamples) }

// frame is a frame of the past.
func (t *tape) frame(k int, silence []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.played) - 1; i >= 0; i-- {
		p := t.played[i]
		if k >= p.begin+len(p.frames) {
			break
		}
		if k >= p.begin {
			return p.frames[k-p.begin]
		}
	}
	return silence
}

// enter counts a listener, if there is room; leave must follow.
func (t *tape) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listeners == mostListeners {
		return false
	}
	t.listeners++
	return true
}

func (t *tape) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners--
}

// listen yields each frame as it ends, from the present one until the last.
func (t *tape) listen(ctx context.Context, yield func([]byte) bool) {
	select {
	case <-t.begun:
	case <-t.over:
		return
	case <-ctx.Done():
		return
	}
	silence := silent()
	t.mu.Lock()
	k := t.now()
	t.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(t.at(k + 1)))
		select {
		case <-timer.C:
		case <-t.over:
		case <-ctx.Done():
			return
		}
		if t.isOver() && k >= t.ended || !yield(t.frame(k, silence)) {
			return
		}
		k = t.after(k)
	}
}

func (t *tape) isOver() bool {
	select {
	case <-t.over:
		return true
	default:
		return false
	}
}

// after is the frame to read after k.
func (t *tape) after(k int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); now-k > mostBehind && !t.isOver() {
		return now
	}
	return k + 1
}

// Listen gives the sound that goes down the line of a phone's ringing or present
// call, from now until its end: frames of 160 bytes of G.711 mu-law, 20 ms each,
// in real time, silence included; none while it rings, and none at all at the
// fast pace. Frames are shared: nobody writes to them. Who falls half a second
// behind loses frames. A phone has at most 8 listeners, each from here until ctx
// ends or the sequence was read: one of the two must happen.
//
// ErrNotInCall where there is no call, ErrListeners.
func (c *Carrier) Listen(ctx context.Context, account string, n phone.Number) (iter.Seq[[]byte], error) {
	c.mu.Lock()
	now := c.current(account, n)
	if now == nil || now.end != nil || now.state == Ended {
		c.mu.Unlock()
		return nil, ErrNotInCall
	}
	t := now.tape
	c.mu.Unlock()
	if !t.enter() {
		return nil, ErrListeners
	}
	stop := context.AfterFunc(ctx, t.leave)
	return func(yield func([]byte) bool) {
		defer func() {
			if stop() {
				t.leave()
			}
		}()
		t.listen(ctx, yield)
	}, nil
}
