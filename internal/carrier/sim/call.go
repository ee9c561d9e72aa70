package sim

import (
	"context"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/talk"
)

// How long phones that act by themselves take at the real pace.
const (
	ringsFor   = 3 * time.Second // before it answers or declines
	pressAfter = time.Second     // after the prompt
	helloFor   = time.Second     // until a person who was handed the phone listens
	helloLong  = 2 * time.Second // the "hello" of Hello
	fastMenu   = time.Second     // what a menu waits at the fast pace
	atOnce     = time.Nanosecond // a wait that nobody makes use of
)

// call is one attempt. What asked points to holds a code: it is a pointer so
// that no print of a call shows it.
type call struct {
	ref   carrier.Ref
	asked *carrier.Call
	how   Behaviour
	phone *handset

	answered chan struct{} // closed when a person answered
	over     chan struct{} // closed when the call has ended
	listens  chan struct{} // closed when keys count for the first time
	keys     chan byte
	gone     chan struct{} // closed when the phone hung up or declined
	hangOnce sync.Once     // closes gone
	hearOnce sync.Once     // closes listens
	tape     *tape

	// Guarded by Carrier.mu.
	state   string                  // as Phone.State
	cancel  context.CancelCauseFunc // nil for what has no goroutine
	gate    script.Gate             // while the gate waits
	says    string                  // as Phone.Says
	heard   []string
	dialled string
	end     *outcome.Ending
}

// begin starts the call's goroutine. Carrier.mu is held.
func (c *Carrier) begin(now *call) {
	h := now.phone
	h.ring(c, now)
	ctx, cancel := context.WithCancelCause(c.life)
	now.cancel = cancel
	c.runs.Go(func() {
		defer cancel(nil)
		e := c.run(ctx, now)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.finish(now, e)
	})
}

// run is a call from its ringing to its end. Its sound is made while it rings.
func (c *Carrier) run(ctx context.Context, now *call) outcome.Ending {
	voice := c.compose(ctx, now)
	c.book.Happened(now.ref, carrier.Event{Kind: carrier.Ringing})
	if e := c.ring(ctx, now); e != nil {
		return *e
	}
	c.book.Happened(now.ref, carrier.Event{Kind: carrier.Answered})
	if now.how == HangsUp {
		now.hangUp()
	}
	answered := time.Now()
	if c.cfg.Pace == Real {
		now.tape.answer()
	}
	c.dial(ctx, now)
	line := c.line(ctx, now, voice)
	e := c.talk(ctx, now, line, time.Since(answered))
	if now.how == Voicemail && e.Outcome == outcome.GateMissed {
		e.Outcome, e.Fault = outcome.Machine, outcome.FaultNumber
		e.Reason = "a mailbox answered, and nothing was read to it"
	}
	return e
}

// ring lets the phone ring until it is answered (nil), or tells how it ended.
func (c *Carrier) ring(ctx context.Context, now *call) *outcome.Ending {
	limit := now.asked.RingTimeout
	if limit <= 0 {
		limit = defaultRing
	}
	var acts <-chan time.Time
	switch {
	case now.how == Manual:
	case now.how == NoAnswer && c.cfg.Pace == Fast:
		limit = atOnce
	case now.how != NoAnswer:
		acts = time.After(c.takes(ringsFor))
	}
	out := time.NewTimer(limit)
	defer out.Stop()
	var e outcome.Ending
	select {
	case <-now.answered:
	case <-acts:
		if now.how != Declines {
			c.mu.Lock()
			if now.state == Ringing {
				now.state = InCall
				c.touch(now.phone)
			}
			c.mu.Unlock()
		}
		e = ending(Declines)
	case <-now.gone:
		e = ending(Declines)
	case <-out.C:
		e = ending(NoAnswer)
	case <-ctx.Done():
		e = outcome.Ending{
			Outcome: outcome.Canceled, Reason: "the call was ended by us while it rang", MayHaveRung: true,
			Detail: context.Cause(ctx).Error(),
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.state == InCall { // answered, even if something else happened at the same moment
		return nil
	}
	now.state = Ended // nobody can answer any more
	c.touch(now.phone)
	return &e
}

// How long dialling an extension takes.
const (
	keyFor    = 200 * time.Millisecond // a tone and the silence after it
	shortWait = 500 * time.Millisecond // w
	longWait  = time.Second            // W
)

// dial keys the extension. Who hangs up meanwhile is met by the conversation.
func (c *Carrier) dial(ctx context.Context, now *call) {
	line := end{c, now}
	for _, k := range []byte(now.asked.Extension.Reveal()) {
		d := keyFor
		switch k {
		case 'w':
			d = shortWait
		case 'W':
			d = longWait
		}
		if line.rest(ctx, c.takes(d)) != nil {
			return
		}
		c.mu.Lock()
		now.dialled += string(k)
		c.touch(now.phone)
		c.mu.Unlock()
	}
}

// talk holds the conversation on the answered phone, on which some time has gone
// by since the answer.
func (c *Carrier) talk(ctx context.Context, now *call, line talk.Line, gone time.Duration) outcome.Ending {
	longest := now.asked.Longest
	if longest <= 0 {
		longest = defaultLongest
	}
	longest = max(longest-gone, time.Second)
	conversation := talk.Conversation{
		Line: line, Script: now.asked.Script, ScreenDigits: now.asked.ScreenDigits, Longest: longest,
		Report:  func(e carrier.Event) { c.book.Happened(now.ref, e) },
		Waiting: func(p script.Part) { c.waits(now, p) },
	}
	if c.cfg.Pace == Fast {
		switch now.how {
		case Manual, Hello:
			conversation.MenuWait = fastMenu
		case Answers:
			conversation.MenuWait = atOnce
		default: // never presses a key, and keeps nobody waiting for one
			conversation.KeyWait, conversation.MenuWait = atOnce, atOnce
		}
	}
	return conversation.Run(ctx)
}

// waits is told by the conversation which keys count now. A phone that acts by
// itself passes the gate.
func (c *Carrier) waits(now *call, p script.Part) {
	c.mu.Lock()
	now.gate = p.Gate
	c.touch(now.phone)
	c.mu.Unlock()
	now.hear()
	if p.Kind != script.KindGate || now.how != Answers {
		return
	}
	keys := now.asked.ScreenDigits.Reveal()
	if p.Gate == script.GateAnyKey {
		keys = "1"
	}
	after := c.takes(pressAfter)
	if after == 0 {
		now.press(keys)
		return
	}
	time.AfterFunc(after, func() { now.press(keys) })
}

// hear opens the way for keys.
func (now *call) hear() { now.hearOnce.Do(func() { close(now.listens) }) }

// hangUp is the phone's end hanging up.
func (now *call) hangUp() { now.hangOnce.Do(func() { close(now.gone) }) }

// press puts keys on the line in order; what does not fit is lost, as are keys
// that nobody waits for.
func (now *call) press(keys string) {
	for _, k := range []byte(keys) {
		select {
		case now.keys <- k:
		default:
		}
	}
}

// takes is how long something takes at the carrier's pace.
func (c *Carrier) takes(d time.Duration) time.Duration {
	if c.cfg.Pace == Fast {
		return 0
	}
	return d
}

// finish ends a call. Carrier.mu is held.
func (c *Carrier) finish(now *call, e outcome.Ending) {
	now.end, now.gate, now.says, now.cancel = &e, "", "", nil
	now.state = Ended
	now.tape.end()
	now.tape = nil // who listens has it
	c.touch(now.phone)
	close(now.over)
	now.hear()
	if now.phone.call == now {
		c.rest(now.phone)
	}
	c.cfg.Log.Debug("simulated attempt ended", "ref", now.ref, "channel", now.asked.Channel, "outcome", e.Outcome)
	now.asked = nil // the phone keeps what was heard, and nothing else of the script
	c.book.End(now.ref, e)
}
