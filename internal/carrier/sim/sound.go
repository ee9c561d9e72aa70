package sim

import (
	"context"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/talk"
)

// end is our end of a connected call: what both kinds of line have.
type end struct {
	c   *Carrier
	now *call
}

// Quiet lasts as long as the person's hello; a mailbox greets beyond any limit.
func (e end) Quiet(ctx context.Context, longest time.Duration) error {
	hello, says := helloFor, ""
	switch e.now.how {
	case Hello:
		hello, says = helloLong, SaysHello
	case Voicemail:
		hello, says = longest, SaysGreeting
	}
	e.says(says)
	defer e.says("")
	return e.rest(ctx, e.c.takes(min(hello, longest)))
}

// says notes what is spoken at the phone's end.
func (e end) says(what string) {
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	if e.now.says != what {
		e.now.says = what
		e.c.touch(e.now.phone)
	}
}

// hears writes the words of a part down as they begin.
func (e end) hears(p script.Part) {
	if p.Kind == script.KindSilence || p.Words == "" {
		return
	}
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	e.now.heard = append(e.now.heard, p.Words)
	e.c.touch(e.now.phone)
}

// rest lets time pass on the line.
func (e end) rest(ctx context.Context, d time.Duration) error {
	select {
	case <-e.now.gone:
		return talk.ErrHungUp
	default:
	}
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-e.now.gone:
		return talk.ErrHungUp
	case <-ctx.Done():
		return ctx.Err()
	case <-e.c.life.Done(): // a closing phrase does not keep Close waiting
		return ctx.Err()
	}
}

// Keys are what the phone's owner presses.
func (e end) Keys() <-chan byte { return e.now.keys }

// Gone tells that the owner hung up.
func (e end) Gone() <-chan struct{} { return e.now.gone }

// Hangup does nothing: the conversation's end is the call's.
func (e end) Hangup() {}

// mute is a line without sound: what is said is written down, and takes the time
// of its estimate.
type mute struct {
	end
	ungated bool // keys count from the first words on
}

// Say lets the part's time pass.
func (l mute) Say(ctx context.Context, p script.Part) error {
	if err := l.rest(ctx, 0); err != nil {
		return err
	}
	if l.ungated {
		l.now.hear()
	}
	l.hears(p)
	if p.Kind == script.KindGate || p.Kind == script.KindMenu {
		p.Kind = script.KindSay // the words alone: the conversation adds the wait for the keys
	}
	return l.rest(ctx, l.c.takes(p.Duration()))
}

// channel is a line of the real pace as talk makes sound for it: frames on the
// call's tape.
type channel struct{ end }

// Play plays a clip.
func (ch channel) Play(ctx context.Context, clip *audio.Clip) error {
	frames := clip.Frames(audio.PCMU)
	return ch.pass(ctx, frames, len(frames))
}

// Pause is silent, for whole frames.
func (ch channel) Pause(ctx context.Context, d time.Duration) error {
	return ch.pass(ctx, nil, int((d+audio.FrameDuration-1)/audio.FrameDuration))
}

// pass lets n frames go by.
func (ch channel) pass(ctx context.Context, frames [][]byte, n int) error {
	err := ch.rest(ctx, time.Until(ch.now.tape.put(frames, n)))
	if err != nil {
		ch.now.tape.cut()
	}
	return err
}

// voiced is a line with sound.
type voiced struct {
	end
	line talk.Line
}

// Say writes the part down and plays it.
func (l voiced) Say(ctx context.Context, p script.Part) error {
	if err := l.rest(ctx, 0); err != nil {
		return err
	}
	l.hears(p)
	return l.line.Say(ctx, p)
}

// Lasts is as long as the sound is.
func (l voiced) Lasts(parts []script.Part) time.Duration { return l.line.(talk.Timed).Lasts(parts) }

var (
	_ talk.Line    = mute{}
	_ talk.Line    = voiced{}
	_ talk.Timed   = voiced{}
	_ talk.Channel = channel{}
)
