package trunk

import (
	"context"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/talk"
)

// call is one attempt. What asked points to holds a code, and invite a number:
// nothing prints a call.
type call struct {
	ref    carrier.Ref
	asked  *carrier.Call // without its Script
	script talk.Packed
	sound  talk.Sound
	invite sipcall.Invite
	cancel context.CancelCauseFunc
}

// run is a call from its INVITE to its end. What it takes to set up a call goes
// deep into the stack, and is over with its goroutine: the conversation has one of
// its own, which stays small for as long as it lasts.
func (c *Carrier) run(ctx context.Context, now *call) {
	line, err := c.dial(ctx, now)
	if err != nil {
		c.finish(now, unanswered(err))
		return
	}
	began := time.Now()
	c.book.Happened(now.ref, carrier.Event{Kind: carrier.Answered})
	held, e := c.prepare(ctx, now, line)
	if held == nil {
		c.over(now, line, began, e)
		return
	}
	c.runs.Go(func() { c.over(now, line, began, held.Run(ctx)) })
}

// over accounts for a call that was answered and has ended.
func (c *Carrier) over(now *call, line *sipcall.Call, began time.Time, e outcome.Ending) {
	channel{line}.Hangup()
	end, _ := line.End()
	e = lineEnded(e, end)
	c.account(now, line, time.Since(began))
	c.finish(now, e)
}

// dial calls, and returns at the answer.
func (c *Carrier) dial(ctx context.Context, now *call) (*sipcall.Call, error) {
	rang := false
	return c.sip.Call(ctx, now.invite, func(p sipcall.Progress) {
		// 183 stands for ringing, too: some carriers send nothing else.
		if !rang && (p.Kind == sipcall.Ringing || p.Kind == sipcall.Early) {
			rang = true
			c.book.Happened(now.ref, carrier.Event{Kind: carrier.Ringing})
		}
	})
}

// prepare dials the extension, and lays out the conversation, which hangs up. It is
// nil where there can be none: the call has ended so.
func (c *Carrier) prepare(ctx context.Context, now *call, line *sipcall.Call) (*talk.Begun, outcome.Ending) {
	longest := now.asked.Longest
	if longest <= 0 {
		longest = defaultLongest
	}
	if ext := now.asked.Extension; !ext.IsZero() {
		began := time.Now()
		dialling, cancel := context.WithTimeout(ctx, longest)
		err := line.SendKeys(dialling, ext.Reveal())
		cancel()
		// Who hangs up meanwhile, and what ends ctx, is met by the conversation.
		if err != nil && ctx.Err() == nil && !errors.Is(err, sipcall.ErrGone) {
			return nil, outcome.Ending{
				Outcome: outcome.CarrierFailed, Reason: "the call was answered, and the extension could not be dialled",
				MayHaveRung: true, Fault: outcome.FaultOurs,
			}
		}
		longest = max(longest-time.Since(began), time.Second)
	}
	return talk.Conversation{
		Line: talk.NewLine(channel{line}, now.sound), Script: now.script.Script(), ScreenDigits: now.asked.ScreenDigits, Longest: longest,
		Report: func(e carrier.Event) { c.book.Happened(now.ref, e) },
	}.Begin(), outcome.Ending{}
}

// account writes the call's one line of figures.
func (c *Carrier) account(now *call, line *sipcall.Call, lasted time.Duration) {
	s, path := line.Stats(), line.Path()
	c.cfg.Log.Info("call media", "attempt", now.asked.Attempt, "call", line.ID(), "lasted", lasted.Round(time.Millisecond),
		"sent", s.Sent, "received", s.Received, "lost", s.Lost, "remote_lost", s.RemoteLost, "jitter", s.Jitter,
		"remote_jitter", s.RemoteJit, "round_trip", s.RoundTrip, "late", s.Late, "foreign", s.Foreign,
		"encrypted", line.Encrypted(), "forwarded", path.Forwarded, "hops", path.Hops)
}

// channel is an answered call as the conversation wants it.
type channel struct{ *sipcall.Call }

// Hangup ends the call. A BYE that is not answered is repeated beside it.
func (ch channel) Hangup() { _ = ch.Call.Hangup(context.Background()) }

// Begin is Play or, without a clip, Pause, that returns as it begins.
func (ch channel) Begin(ctx context.Context, c *audio.Clip, pause time.Duration) (talk.Playing, error) {
	p, err := ch.Call.Begin(ctx, media.Act{Clip: c, Pause: pause})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// finish ends a call.
func (c *Carrier) finish(now *call, e outcome.Ending) {
	now.cancel(nil)
	now.asked, now.script, now.sound, now.invite = nil, talk.Packed{}, nil, sipcall.Invite{}
	c.leave()
	c.book.End(now.ref, e)
}
