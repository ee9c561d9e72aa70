package sim

import (
	"context"
	"time"

	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/talk"
)

// sound is the line of a call: what is said is written down, and takes its time.
type sound struct {
	c       *Carrier
	now     *call
	ungated bool // keys count from the first words on
}

// Say writes the words down as they begin.
func (s sound) Say(ctx context.Context, p script.Part) error {
	if err := s.rest(ctx, 0); err != nil {
		return err
	}
	if s.ungated {
		s.now.hear()
	}
	if p.Kind != script.KindSilence && p.Words != "" {
		s.c.mu.Lock()
		s.now.heard = append(s.now.heard, p.Words)
		s.c.mu.Unlock()
	}
	if p.Kind == script.KindGate || p.Kind == script.KindMenu {
		p.Kind = script.KindSay // the words alone: the conversation adds the wait for the keys
	}
	return s.rest(ctx, s.c.takes(p.Duration()))
}

// Quiet lasts as long as the person's hello; a mailbox greets beyond any limit.
func (s sound) Quiet(ctx context.Context, longest time.Duration) error {
	hello := helloFor
	if s.now.how == Voicemail {
		hello = longest
	}
	return s.rest(ctx, s.c.takes(min(hello, longest)))
}

// rest lets time pass on the line.
func (s sound) rest(ctx context.Context, d time.Duration) error {
	select {
	case <-s.now.gone:
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
	case <-s.now.gone:
		return talk.ErrHungUp
	case <-ctx.Done():
		return ctx.Err()
	case <-s.c.life.Done(): // a closing phrase does not keep Close waiting
		return ctx.Err()
	}
}

// Keys are what the phone's owner presses.
func (s sound) Keys() <-chan byte { return s.now.keys }

// Gone tells that the owner hung up.
func (s sound) Gone() <-chan struct{} { return s.now.gone }

// Hangup does nothing: the conversation's end is the call's.
func (s sound) Hangup() {}

var _ talk.Line = sound{}
