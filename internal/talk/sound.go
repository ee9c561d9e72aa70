package talk

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

// Channel is the sound and the keys of a connected call.
type Channel interface {
	Player
	// Keys is Line's.
	Keys() <-chan byte
	// Gone is Line's.
	Gone() <-chan struct{}
	// Hangup is Line's.
	Hangup()
}

// Player is the sound of a channel, to the other end and from it. Its methods
// fail with ctx's error once ctx ended, at once, and with anything else when the
// line is broken or gone: NewLine knows which by Gone.
type Player interface {
	// Play plays a clip to its end, and returns as that is reached. What is
	// played next joins without a gap.
	Play(ctx context.Context, c *audio.Clip) error
	// Pause is silent for d, rounded to whole frames as the channel likes.
	Pause(ctx context.Context, d time.Duration) error
	// Quiet returns once nobody is speaking at the other end, or after longest.
	Quiet(ctx context.Context, longest time.Duration) error
}

// Sound is the sound of a script's parts: *speech.Spoken.
type Sound interface {
	// Clip is the sound of a part; nil for one that makes none. take counts from 0
	// how often the part was said before in this call.
	Clip(p script.Part, take int) *audio.Clip
}

// Timed is a Line that knows how long its sound lasts. On any other the script's
// estimates stand in.
type Timed interface {
	// Lasts is how long the parts would take if they were said now, in this order,
	// without the time that a person is given after a prompt.
	Lasts(parts []script.Part) time.Duration
}

// NewLine makes a Line of a channel: each part is its clip, or silence. It counts
// the takes itself: a part that is equal in all it holds was said before, so the
// digit of a later readout begins at 0 again, and that of a replay does not. What
// was broken off counts as said. A part without a clip takes no time.
//
// Like every Line it serves one call, and one goroutine at a time.
func NewLine(ch Channel, s Sound) Line { return &line{Channel: ch, sound: s, takes: &takes{}} }

// line is a Line made of sound. It holds what was said behind a pointer: fmt
// prints the unexported fields of a struct without asking their types.
type line struct {
	Channel
	sound Sound
	takes *takes
}

// takes counts the parts that were said. It is asked while a part is being said,
// when a key wants to know what still fits.
type takes struct {
	mu sync.Mutex
	of map[script.Part]int
}

// next counts a part and gives its take.
func (t *takes) next(p script.Part) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[script.Part]int{}
	}
	n := t.of[p]
	t.of[p] = n + 1
	return n
}

// said is how often a part was said.
func (t *takes) said(p script.Part) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of[p]
}

// Say plays the part.
func (l *line) Say(ctx context.Context, p script.Part) error {
	select {
	case <-l.Gone():
		return ErrHungUp
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.Kind == script.KindSilence {
		return l.told(l.Pause(ctx, p.Silence))
	}
	if clip := l.sound.Clip(p, l.takes.next(p)); clip != nil {
		return l.told(l.Play(ctx, clip))
	}
	return nil
}

// Quiet waits out the hello.
func (l *line) Quiet(ctx context.Context, longest time.Duration) error {
	return l.told(l.Channel.Quiet(ctx, longest))
}

// told gives a channel's error the words of Line: a line that fails as its other
// end hangs up was hung up.
func (l *line) told(err error) error {
	if err == nil || errors.Is(err, ErrHungUp) {
		return err
	}
	select {
	case <-l.Gone():
		return ErrHungUp
	default:
		return err
	}
}

// Lasts adds up the clips that Say would play.
func (l *line) Lasts(parts []script.Part) time.Duration {
	var d time.Duration
	more := map[script.Part]int{} // said among these parts
	for _, p := range parts {
		if p.Kind == script.KindSilence {
			d += p.Silence
			continue
		}
		if clip := l.sound.Clip(p, l.takes.said(p)+more[p]); clip != nil {
			d += clip.Duration()
		}
		more[p]++
	}
	return d
}

// lasts is how long the parts take, with the time that a person is given after a
// prompt: as the line knows it, else by the script's estimate, which errs on the
// long side.
func (r *run) lasts(parts []script.Part) time.Duration {
	line, ok := r.c.Line.(Timed)
	if !ok {
		return script.Script{Parts: parts}.Duration()
	}
	d := line.Lasts(parts)
	for _, p := range parts {
		if p.Kind == script.KindGate || p.Kind == script.KindMenu {
			d += p.Duration() - words(p).Duration()
		}
	}
	return d
}

// words is a part without the time that a person is given after it: a prompt as
// words alone.
func words(p script.Part) script.Part {
	if p.Kind == script.KindGate || p.Kind == script.KindMenu {
		p.Kind = script.KindSay
	}
	return p
}
