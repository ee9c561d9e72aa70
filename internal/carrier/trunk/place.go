package trunk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/speech"
	"github.com/pincall/pincall/internal/talk"
)

// Place makes the call's sound, waits for the trunk's limits, and lets the call
// begin: the INVITE leaves at once, beside the return. Everything that Place
// refuses did not leave, so the phone cannot have rung.
func (c *Carrier) Place(ctx context.Context, asked carrier.Call) (carrier.Ref, error) {
	if err := ctx.Err(); err != nil {
		return "", notNow("the call was given up before it was placed", err)
	}
	if why := c.unfit(asked); why != "" {
		return "", never(why, nil)
	}
	from, ok := c.ids.pick(asked.To.Country())
	if !ok {
		return "", never("the trunk has no caller ID for this country", nil)
	}
	if r := c.enter(); r != nil {
		return "", r
	}
	sound, r := c.ready(ctx, asked)
	if r != nil {
		c.leave()
		return "", r
	}
	packed := talk.Pack(asked.Script)
	asked.Script = script.Script{}
	return c.begin(&call{
		asked: &asked, script: packed, sound: sound,
		invite: sipcall.Invite{To: c.cfg.Numbering.dial(asked.To), From: from, RingTimeout: c.ringTimeout(asked)},
	})
}

// unfit says why the trunk can never carry a call; empty: it can.
func (c *Carrier) unfit(asked carrier.Call) string {
	switch {
	case asked.To.IsZero():
		return "there is no number to call"
	case asked.Channel == phone.SMS:
		return "the trunk sends no messages"
	case asked.Channel != phone.Voice:
		return "there is no such channel"
	case len(asked.Script.AfterGate().Parts) == 0:
		return "the call has no script"
	case !c.can.Speaks(asked.Script.Lang) || !c.can.Voice:
		return "the trunk has no voice for this language"
	case asked.ScreenDigits.IsZero() && wantsScreenDigits(asked.Script):
		return "the gate's digits are missing"
	case len(c.cfg.Countries) > 0 && !slices.Contains(c.cfg.Countries, asked.To.Country()):
		return "the trunk does not call this country"
	}
	return ""
}

func wantsScreenDigits(s script.Script) bool {
	before := s.BeforeGate().Parts
	return len(before) > 0 && before[len(before)-1].Gate == script.GateScreenDigits
}

// ringTimeout is the shorter of the call's and the trunk's; 0: neither says one.
func (c *Carrier) ringTimeout(asked carrier.Call) time.Duration {
	if own := c.cfg.RingTimeout; own > 0 && (asked.RingTimeout <= 0 || own < asked.RingTimeout) {
		return own
	}
	return asked.RingTimeout
}

// enter counts a call in, unless the trunk is full, closed or not started.
func (c *Carrier) enter() *carrier.Refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return notNow("the trunk is shutting down", errClosed)
	case !c.started:
		return notNow("the trunk is not started", errNotStarted)
	case c.cfg.Concurrent > 0 && c.running >= c.cfg.Concurrent:
		return notNow("the trunk has as many calls as it may have at a time", nil)
	}
	c.running++
	return nil
}

func (c *Carrier) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
}

// ready makes the sound, and waits until the trunk may start another call.
func (c *Carrier) ready(ctx context.Context, asked carrier.Call) (talk.Sound, *carrier.Refusal) {
	sound, err := c.cfg.Speaker.Speak(ctx, asked.Script)
	switch {
	case errors.Is(err, speech.ErrUnspeakable):
		return nil, never("no voice of ours can say this", err)
	case ctx.Err() != nil:
		return nil, notNow("the call was given up before it was placed", ctx.Err())
	case err != nil:
		return nil, notNow("the sound of the call could not be made", err)
	}
	switch err := c.pace.wait(ctx); {
	case errors.Is(err, errTooFast):
		return nil, notNow("the trunk has as many calls to start as it may start in a second", err)
	case err != nil:
		return nil, notNow("the call was given up before it was placed", err)
	}
	return sound, nil
}

// begin starts the call's goroutine.
func (c *Carrier) begin(now *call) (carrier.Ref, error) {
	now.ref = carrier.Ref("trunk_" + secret.NewID(time.Now(), c.cfg.Rand))
	ctx, cancel := context.WithCancelCause(c.life)
	now.cancel = cancel
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // meanwhile
		cancel(nil)
		c.running--
		return "", notNow("the trunk is shutting down", errClosed)
	}
	c.book.Open(now.ref, now)
	c.runs.Go(func() { c.run(ctx, now) })
	return now.ref, nil
}

// never refuses what this trunk can never carry.
func never(reason string, cause error) *carrier.Refusal {
	return refuse(outcome.Ending{Outcome: outcome.CarrierRefused, Reason: reason, Permanent: true}, cause)
}

// notNow refuses what it might carry another time.
func notNow(reason string, cause error) *carrier.Refusal {
	return refuse(outcome.Ending{Outcome: outcome.CarrierFailed, Reason: reason}, cause)
}

// refuse is a refusal of ours: nothing has left.
func refuse(e outcome.Ending, cause error) *carrier.Refusal {
	if cause == nil {
		cause = errors.New(e.Reason)
	}
	e.Fault, e.Detail = outcome.FaultOurs, "nothing was sent"
	return &carrier.Refusal{Ending: e, Err: fmt.Errorf("trunk: place: %w", cause)}
}
