package sim

import (
	"context"
	"errors"
	"slices"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/speech"
	"github.com/pincall/pincall/internal/talk"
)

// Speaker makes the sound of scripts: any talk.Speaker does.
type Speaker interface {
	// Speak makes the sound of every part of a script and of its asides.
	// speech.ErrUnspeakable where a part has no voice.
	Speak(ctx context.Context, s script.Script) (talk.Sound, error)
}

// compose makes the sound of a call beside whatever happens to it meanwhile. The
// channel yields it once: nil for a call without sound.
func (c *Carrier) compose(ctx context.Context, now *call) <-chan talk.Sound {
	made := make(chan talk.Sound, 1)
	if c.cfg.Speaker == nil || c.cfg.Pace == Fast {
		made <- nil
		return made
	}
	s := now.asked.Script
	c.runs.Go(func() { made <- c.speak(ctx, s) })
	return made
}

// speak makes the sound of a script. Words that have no voice are left out, where
// a line to a real phone would be refused: they are still shown.
func (c *Carrier) speak(ctx context.Context, s script.Script) talk.Sound {
	sound, err := c.cfg.Speaker.Speak(ctx, s)
	if errors.Is(err, speech.ErrUnspeakable) {
		c.mute.Do(func() {
			c.cfg.Log.Warn("a call has words without a voice: the simulator shows them, and real lines would refuse it", "lang", s.Lang)
		})
		s.Parts = slices.DeleteFunc(slices.Clone(s.Parts), free)
		sound, err = c.cfg.Speaker.Speak(ctx, s)
	}
	if err == nil {
		return gaps{sound}
	}
	if !errors.Is(err, speech.ErrUnspeakable) && ctx.Err() == nil {
		c.cfg.Log.Error("a call has no sound: its words are shown only", "lang", s.Lang, "error", err)
	}
	return nil
}

// free says that a part holds words that are in no pack.
func free(p script.Part) bool {
	return p.Kind == script.KindPayee || p.Kind == script.KindAmount || p.Kind == script.KindText
}

// gaps is a sound that is silent for as long as words without a voice would take.
type gaps struct{ talk.Sound }

// Clip is the part's sound or silence; a brand without a voice is skipped.
func (g gaps) Clip(p script.Part, take int) *audio.Clip {
	if clip := g.Sound.Clip(p, take); clip != nil || !free(p) {
		return clip
	}
	return audio.NewClip(make([]int16, p.Duration().Milliseconds()*audio.Rate/1000))
}

// line is the line of the answered call: with sound, once that is made.
func (c *Carrier) line(ctx context.Context, now *call, made <-chan talk.Sound) talk.Line {
	our := end{c, now}
	silent := mute{our, len(now.asked.Script.BeforeGate().Parts) == 0}
	select {
	case sound := <-made:
		if sound != nil {
			return voiced{our, talk.NewLine(channel{our}, sound)}
		}
	case <-now.gone:
	case <-ctx.Done():
	}
	return silent
}
