package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/secret"
)

// Settle records how an attempt ended, and decides what follows: another route
// if and only if the phone cannot have rung, else the next step of the workflow,
// else nothing (the person may ask again). It finishes the job. What was reported
// before the end and is not on record comes with it.
func (c *Core) Settle(ctx context.Context, d Delivery, e outcome.Ending, last ...carrier.Event) error {
	f, end := d.fence(), settlement{e, secret.NewID(c.cfg.Now(), c.cfg.Rand), d.Ref, last}
	err := c.leased(ctx, f, func(s State, _ *Verification, a Attempt) (Writes, error) {
		return c.planSettle(s, f.lease, a, end), nil
	})
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

// settlement is an ending with the id of the attempt that may follow, and what
// came before it.
type settlement struct {
	outcome.Ending
	next string
	ref  carrier.Ref
	last []carrier.Event
}

// planSettle is the settling's pure half.
func (c *Core) planSettle(s State, l jobs.Lease, a Attempt, e settlement) Writes {
	v, d := *s.Verification, c.draft(s, a.Account)
	d.w.Finish = &l
	if !a.open() {
		return d.writes()
	}
	a.progress(e.ref, e.last, d.at)
	d.settled(a, e.Ending)
	s = s.with(d.w)
	switch {
	case e.Outcome == outcome.Reported:
		d.report(s)
	case v.statusAt(s.Now) != Pending:
	case mayReroute(v, a, e.Ending) && len(c.untried(v, s.Attempts, a)) > 0:
		d.reroute(s, a, e.next)
	default:
		c.follow(d, s, a, e)
	}
	return d.writes()
}

// mayReroute says whether another route may be tried for the same send: only
// where the phone cannot have rung, the number is not to blame, and the send is
// still wanted.
func mayReroute(v Verification, a Attempt, e outcome.Ending) bool {
	if a.Stop != "" || a.Step != v.Step || a.Route == "" { // without a route nothing was tried
		return false
	}
	return !e.MayHaveRung && (e.Fault == outcome.FaultCarrier || e.Fault == outcome.FaultOurs)
}

// reroute makes the same send again as a new attempt: the worker chooses among
// the routes that were not tried. It is not counted as another send.
func (d *draft) reroute(s State, failed Attempt, id string) {
	if failed.Channel == phone.Voice {
		d.acc.Open++
		d.touched = true
	}
	d.queue(*s.Verification, Attempt{ID: id, N: len(s.Attempts) + 1, Send: failed.Send, Step: failed.Step, Channel: failed.Channel}, d.now)
}

// follow decides what comes after a send that is over.
func (c *Core) follow(d *draft, s State, a Attempt, e settlement) {
	v := *s.Verification
	switch {
	case a.Step != v.Step || busyNow(s.Attempts) || a.Stop != "":
	case e.Outcome.Reached():
		if a.Channel == phone.Voice { // a message's time began when it was accepted
			d.schedule(v, a)
		}
	case v.Step+1 < len(v.Settings.Workflow):
		c.advance(d, s, e.next)
	case c.hopeless(v, s.Attempts):
		d.end(Group{v, s.Attempts}, Failed, ReasonRefused)
	}
}

// busyNow says whether anything of the verification is still on its way whose
// end will see to the next step: a call, or a message that has not left. What
// became of a message that has left may never be known.
func busyNow(attempts []Attempt) bool {
	return slices.ContainsFunc(attempts, func(a Attempt) bool {
		return a.open() && (a.Channel == phone.Voice || a.State == StateQueued)
	})
}

// hopeless says that no route can ever serve the verification: each of every
// channel it uses has refused for good, and nobody may hold the code.
func (c *Core) hopeless(v Verification, attempts []Attempt) bool {
	refused := map[string]bool{}
	for _, a := range attempts {
		if a.open() || a.MayHaveRung || a.Outcome.Reached() {
			return false
		}
		refused[string(a.Channel)+a.Route] = refused[string(a.Channel)+a.Route] || a.Permanent
	}
	for _, step := range v.Settings.Workflow {
		for _, r := range Eligible(c.cfg.Routes, v, step.Channel) {
			if !refused[string(step.Channel)+r.Name] {
				return false
			}
		}
	}
	return true
}

// schedule promises the step after a's, at the end of a's time.
func (d *draft) schedule(v Verification, a Attempt) {
	if a.Step == v.Step && v.Step+1 < len(v.Settings.Workflow) {
		d.promise(v, d.now.Add(v.step().Timeout))
	}
}

// advance begins the next step that the guard and the verification's own limits
// allow. Where the guard says "not now", the step is tried again later.
func (c *Core) advance(d *draft, s State, id string) {
	v := *s.Verification
	for v.Step+1 < len(v.Settings.Workflow) {
		v.Step++
		ch := v.step().Channel
		if c.maySend(v, s, ch, true) != nil {
			continue
		}
		switch decision := c.send(d, s, v, Attempt{ID: id, Channel: ch}); decision.Answer {
		case guard.Allow:
			return
		case guard.Wait:
			d.promise(v, s.Now.Add(decision.RetryAfter))
			return
		}
	}
}

// Step begins the step whose time has come, for the subject of a step job. It
// finishes the job.
func (c *Core) Step(ctx context.Context, l jobs.Lease, subject string) error {
	account, verification, _ := strings.Cut(subject, "/")
	id := secret.NewID(c.cfg.Now(), c.cfg.Rand)
	var did Writes
	op := Op{
		Need: Need{Account: account, Verification: verification, Limits: []string{accountKey(account)}, Lease: &l},
		Plan: func(s State) (Writes, error) {
			if !s.Leased {
				return Writes{}, jobs.ErrLeaseLost
			}
			d := c.draft(s, account)
			if v := s.Verification; v != nil && v.statusAt(s.Now) == Pending && !calling(s.Attempts) {
				c.advance(d, s, id)
			}
			d.w.Finish = &l
			did = d.writes()
			return did, nil
		},
	}
	if err := c.cfg.Store.Do(ctx, op); err != nil {
		return fmt.Errorf("step: %w", err)
	}
	c.tell(did)
	return nil
}

// calling says whether a call is on its way: its end will see to the next step.
func calling(attempts []Attempt) bool {
	for _, a := range attempts {
		if a.Channel == phone.Voice && a.open() {
			return true
		}
	}
	return false
}
