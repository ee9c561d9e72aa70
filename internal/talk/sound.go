package talk

import (
	"context"
	"errors"
	"sync"
	"time"
	"unique"

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

// Beginner is a Player that can play beside its caller.
type Beginner interface {
	// Begin is Play or, without a clip, Pause, that returns as it begins. ctx
	// bounds only that. Errors as Play's.
	Begin(ctx context.Context, c *audio.Clip, pause time.Duration) (Playing, error)
}

// Playing is what was begun.
type Playing interface {
	// Done is closed when it is over, or when the channel was closed.
	Done() <-chan struct{}
	// End falls silent at once, and lets the next one begin; called once. An error
	// says that it was not played to its end.
	End() error
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
func NewLine(ch Channel, s Sound) Line {
	l := &line{Channel: ch, sound: s, takes: &takes{}}
	l.beginner, _ = ch.(Beginner)
	return l
}

// line is a Line made of sound. It holds what was said behind a pointer: fmt
// prints the unexported fields of a struct without asking their types.
type line struct {
	Channel
	sound    Sound
	takes    *takes
	beginner Beginner // the Channel; nil: it cannot
}

// takes counts the parts that were said. It is asked while a part is being said,
// when a key wants to know what still fits.
type takes struct {
	mu sync.Mutex
	of map[handle]int
}

// next counts a part and gives its take.
func (t *takes) next(p handle) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[handle]int{}
	}
	n := t.of[p]
	t.of[p] = n + 1
	return n
}

// said is how often a part was said.
func (t *takes) said(p handle) int {
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
	if clip := l.sound.Clip(p, l.takes.next(unique.Make(p))); clip != nil {
		return l.told(l.Play(ctx, clip))
	}
	return nil
}

// begin is Say that returns as the part begins; nil: it has no sound.
func (l *line) begin(ctx context.Context, h handle) (Playing, error) {
	select {
	case <-l.Gone():
		return nil, ErrHungUp
	default:
	}
	clip, rest := l.act(h)
	if clip == nil && rest <= 0 {
		return nil, nil
	}
	playing, err := l.beginner.Begin(ctx, clip, rest)
	if err != nil {
		return nil, l.told(err)
	}
	return playing, nil
}

// act is what a part is on the line, and counts it.
func (l *line) act(h handle) (clip *audio.Clip, rest time.Duration) {
	p := h.Value()
	if p.Kind == script.KindSilence {
		return nil, p.Silence
	}
	return l.sound.Clip(p, l.takes.next(h)), 0
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
	more := map[handle]int{} // said among these parts
	for i := range parts {   // a part is large: a copy of each would make the stack deep
		p := &parts[i]
		if p.Kind == script.KindSilence {
			d += p.Silence
			continue
		}
		h := unique.Make(*p)
		if clip := l.sound.Clip(*p, l.takes.said(h)+more[h]); clip != nil {
			d += clip.Duration()
		}
		more[h]++
	}
	return d
}

// lasts is how long the parts take, with the time that a person is given after a
// prompt: as the line knows it, else by the script's estimate, which errs on the
// long side.
func (r *run) lasts(packed []handle) time.Duration {
	parts := unpack(packed)
	line, ok := r.c.Line.(Timed)
	if !ok {
		return script.Script{Parts: parts}.Duration()
	}
	d := line.Lasts(parts)
	for i := range parts {
		if kind := parts[i].Kind; kind == script.KindGate || kind == script.KindMenu {
			d += given(parts[i])
		}
	}
	return d
}

// given is the time that a person is given after a prompt: what it lasts beyond
// its words.
func given(prompt script.Part) time.Duration {
	whole := prompt.Duration()
	prompt.Kind = script.KindSay
	return whole - prompt.Duration()
}
