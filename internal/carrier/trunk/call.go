package trunk

import (
	"container/list"
	"context"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/talk"
)

// call is one attempt. What asked points to holds a code, and invite a number:
// nothing prints a call.
type call struct {
	ref    carrier.Ref
	asked  *carrier.Call
	sound  talk.Sound
	invite sipcall.Invite
	cancel context.CancelCauseFunc
	news   chan struct{} // one token: there is something for Follow

	// Guarded by Carrier.mu.
	events   []carrier.Event // not yet followed
	followed bool            // somebody is following
	end      *outcome.Ending
	endedAt  time.Time
	forgot   *list.Element // place in Carrier.ended
}

// run is a call from its INVITE to its end.
func (c *Carrier) run(ctx context.Context, now *call) outcome.Ending {
	rang := false
	line, err := c.sip.Call(ctx, now.invite, func(p sipcall.Progress) {
		// 183 stands for ringing, too: some carriers send nothing else.
		if !rang && (p.Kind == sipcall.Ringing || p.Kind == sipcall.Early) {
			rang = true
			c.happened(now, carrier.Event{Kind: carrier.Ringing})
		}
	})
	if err != nil {
		return unanswered(err)
	}
	began := time.Now()
	c.happened(now, carrier.Event{Kind: carrier.Answered})
	e := c.converse(ctx, now, line)
	end, _ := line.End()
	e = lineEnded(e, end)
	c.account(now, line, time.Since(began))
	return e
}

// converse dials the extension and holds the conversation, which hangs up.
func (c *Carrier) converse(ctx context.Context, now *call, line *sipcall.Call) outcome.Ending {
	ch := channel{line}
	defer ch.Hangup()
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
			return outcome.Ending{
				Outcome: outcome.CarrierFailed, Reason: "the call was answered, and the extension could not be dialled",
				MayHaveRung: true, Fault: outcome.FaultOurs,
			}
		}
		longest = max(longest-time.Since(began), time.Second)
	}
	return talk.Conversation{
		Line: talk.NewLine(ch, now.sound), Script: now.asked.Script, ScreenDigits: now.asked.ScreenDigits, Longest: longest,
		Report: func(e carrier.Event) { c.happened(now, e) },
	}.Run(ctx)
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

// happened keeps an event for Follow.
func (c *Carrier) happened(now *call, e carrier.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now.events = append(now.events, e)
	now.tell()
}

func (now *call) tell() {
	select {
	case now.news <- struct{}{}:
	default:
	}
}

// finish ends a call.
func (c *Carrier) finish(now *call, e outcome.Ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	now.end, now.endedAt = &e, time.Now()
	now.asked, now.sound, now.invite = nil, nil, sipcall.Invite{}
	now.forgot = c.ended.PushBack(now)
	now.tell()
	for first := c.ended.Front(); first != nil; first = c.ended.Front() {
		old := first.Value.(*call)
		if c.ended.Len() <= mostEnded && now.endedAt.Sub(old.endedAt) < forgetAfter {
			return
		}
		c.forget(old)
	}
}

// forget forgets one attempt that ended. Carrier.mu is held.
func (c *Carrier) forget(now *call) {
	delete(c.calls, now.ref)
	if now.forgot != nil {
		c.ended.Remove(now.forgot)
		now.forgot = nil
	}
}
