package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/secret"
)

// Resend sends the same code again: by the channel named, else by that of the
// current step.
func (c *Core) Resend(ctx context.Context, who Caller, id, channel string, once Once[View]) (Answer[View], error) {
	return c.another(ctx, who, id, once, func(v Verification) (Verification, phone.Channel, error) {
		ch := v.step().Channel
		if channel != "" {
			var err error
			if ch, err = phone.ParseChannel(channel); err != nil {
				return v, "", bad("channel", plainly(err))
			}
		}
		if who.Verification != "" && !v.uses(ch) {
			return v, "", bad("channel", "this verification does not use that channel")
		}
		return v, ch, nil
	})
}

// Next begins the next step of the workflow now instead of at its time.
func (c *Core) Next(ctx context.Context, who Caller, id string, once Once[View]) (Answer[View], error) {
	return c.another(ctx, who, id, once, func(v Verification) (Verification, phone.Channel, error) {
		if v.Step+1 >= len(v.Settings.Workflow) {
			return v, "", fail(NoStep, "the workflow has no further step: resend, or start a new verification")
		}
		v.Step++
		return v, v.step().Channel, nil
	})
}

// chooser says by which channel the next send goes, and which step that is.
type chooser func(Verification) (Verification, phone.Channel, error)

// another is what Resend and Next share: one more send that somebody asked for.
func (c *Core) another(ctx context.Context, who Caller, id string, once Once[View], choose chooser) (Answer[View], error) {
	if !who.mayTouch(id) {
		return Answer[View]{}, absent()
	}
	attempt := secret.NewID(c.cfg.Now(), c.cfg.Rand)
	need := Need{Account: who.Account, Verification: id, Limits: []string{accountKey(who.Account)}}
	return do(ctx, c, once, need, func(s State) (Writes, View, error) {
		v, err := pending(s)
		if err != nil {
			return Writes{}, View{}, err
		}
		moved, ch, err := choose(v)
		if err != nil {
			return Writes{}, View{}, err
		}
		if err := c.maySend(moved, s, ch, moved.Step > v.Step); err != nil {
			return Writes{}, View{}, err
		}
		d := c.draft(s, v.Account)
		if decision := c.send(d, s, moved, Attempt{ID: attempt, Channel: ch}); decision.Answer != guard.Allow {
			return Writes{}, View{}, refused(decision, v.Country)
		}
		w := d.writes()
		return w, c.kept(who, s.with(w)), nil
	})
}

// maySend says what stands in the way of one more send now, the guard aside.
func (c *Core) maySend(v Verification, s State, ch phone.Channel, replaces bool) error {
	if v.Sends >= v.Settings.MaxSends {
		return fail(SendsSpent, "the code was sent %d times, which is all: start a new verification", v.Sends)
	}
	if len(Eligible(c.cfg.Routes, v, ch)) == 0 {
		return fail(NoRoute, "no configured carrier can send this by %s", ch)
	}
	if ch == phone.SMS && c.landline(v) {
		return bad("channel", "this number is a landline, which takes no messages: use channel voice")
	}
	if ch == phone.Voice && v.ExpiresAt.Sub(s.Now) < NeededForCall {
		return fail(AlreadyEnded, "too little time is left for a call: start a new verification")
	}
	for _, a := range s.Attempts {
		if !replaces && ch == phone.Voice && a.Channel == phone.Voice && a.open() {
			e := fail(InProgress, "a call is on its way: wait until it has ended")
			e.RetryAfter = 5 * time.Second
			return e
		}
	}
	return nil
}

// send adds one more attempt (of which id and channel are given) to a
// verification; where the step has moved on, the calls of the step before must
// stop. A call never begins before one that was lost from sight must be over.
// What the guard refuses leaves the draft as it was.
func (c *Core) send(d *draft, s State, v Verification, a Attempt) guard.Decision {
	trial := d.clone()
	for _, old := range s.Attempts {
		if old.Channel == phone.Voice && v.Step > s.Verification.Step {
			trial.stop(old, ReasonNextStep)
		}
	}
	due := s.Now
	if a.Channel == phone.Voice {
		due = afterLost(s.Attempts, due)
	}
	decision := trial.charge(guard.Request{
		Send: true, Call: a.Channel == phone.Voice, Country: v.Country, Embedded: c.embedded(v, a.Channel),
	}, v.LimitKey, s.Limits[v.LimitKey])
	if decision.Answer != guard.Allow {
		return decision
	}
	*d = *trial
	v.Sends++
	a.N, a.Send, a.Step = len(s.Attempts)+1, v.Sends, v.Step
	d.put(v)
	d.w.Drop = append(d.w.Drop, stepSubject(v)) // the timer: the new attempt sets it anew
	d.queue(v, a, due)
	return decision
}

// afterLost is when the phone cannot ring any more from a call of which nobody
// knows what became, and not before due.
func afterLost(attempts []Attempt, due time.Time) time.Time {
	for _, a := range attempts {
		lost := a.Channel == phone.Voice && a.Outcome == outcome.CarrierFailed && a.MayHaveRung && !a.DialledAt.IsZero()
		if lost && a.overBy().After(due) {
			due = a.overBy()
		}
	}
	return due
}

// embedded says whether only the simulator would serve the channel.
func (c *Core) embedded(v Verification, ch phone.Channel) bool {
	for _, r := range Eligible(c.cfg.Routes, v, ch) {
		if !r.Embedded {
			return false
		}
	}
	return true
}

// number opens the sealed number.
func (c *Core) number(v Verification) (phone.Number, error) {
	b, err := c.cfg.Keys.Open(v.NumberSealed, "number", v.Account, v.ID)
	if err != nil {
		return phone.Number{}, fmt.Errorf("open the number: %w", err)
	}
	return phone.Parse(string(b))
}

func (c *Core) landline(v Verification) bool {
	n, err := c.number(v)
	return err == nil && n.Landline()
}
