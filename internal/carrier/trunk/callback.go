package trunk

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/sipcall"
)

// What a call back hears: the announcement, twice, with a breath before each.
const (
	welcomeTimes = 2
	welcomeRest  = time.Second
	welcomeLimit = 60 * time.Second // of the whole call
	decline      = 603
	engaged      = 486
)

var errNoWelcome = errors.New("no announcement for calls back is configured")

// welcome is the announcement for calls back, made at the first one and kept.
type welcome struct {
	mu    sync.Mutex
	clips []*audio.Clip
}

// calledBack answers a call to one of our caller IDs and tells who called, or
// declines it where there is nothing to tell it with.
func (c *Carrier) calledBack(ctx context.Context, in *sipcall.Incoming) {
	clips, err := c.announcement(ctx)
	if err != nil {
		status := decline
		if !errors.Is(err, errNoWelcome) {
			status = engaged
		}
		c.cfg.Log.Info("a call back was declined", "status", status, "reason", err)
		_ = in.Reject(status) // its end is all that was wanted
		return
	}
	line, err := in.Answer(ctx)
	if err != nil {
		c.cfg.Log.Info("a call back could not be answered", "reason", err)
		return
	}
	defer channel{line}.Hangup()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), welcomeLimit)
	defer cancel()
	for range welcomeTimes {
		if line.Pause(limited, welcomeRest) != nil {
			break
		}
		for _, clip := range clips {
			if line.Play(limited, clip) != nil {
				break
			}
		}
	}
	c.cfg.Log.Info("a call back was answered", "call", line.ID(), "lasted", time.Since(line.Answered()).Round(time.Millisecond))
}

// announcement is the sound for calls back.
func (c *Carrier) announcement(ctx context.Context) ([]*audio.Clip, error) {
	b := c.cfg.Callback
	switch {
	case b.Clip != nil:
		return []*audio.Clip{b.Clip}, nil
	case len(b.Script.Parts) == 0:
		return nil, errNoWelcome
	}
	c.home.mu.Lock()
	defer c.home.mu.Unlock()
	if c.home.clips != nil {
		return c.home.clips, nil
	}
	sound, err := c.cfg.Speaker.Speak(ctx, b.Script)
	if err != nil {
		return nil, err
	}
	for _, p := range b.Script.Parts {
		if clip := sound.Clip(p, 0); clip != nil {
			c.home.clips = append(c.home.clips, clip)
		}
	}
	return c.home.clips, nil
}
