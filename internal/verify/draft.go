package verify

import (
	"slices"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
)

// draft gathers what a plan wants written. The account's row is held apart,
// because ending and beginning calls both change it; it is written once.
type draft struct {
	limits  guard.Limits
	now     time.Time
	at      time.Time // when what is being written happened: see State.stamp
	account string
	acc     guard.Row
	touched bool // acc differs from what is stored
	w       Writes
}

// draft begins one for an account whose row the state holds.
func (c *Core) draft(s State, account string) *draft {
	d := new(draft)
	d.begin(c, s, account)
	return d
}

// begin is draft for one that is there already, which may be on the stack.
func (d *draft) begin(c *Core, s State, account string) {
	*d = draft{limits: c.cfg.Limits, now: s.Now, at: s.stamp(), account: account, acc: s.Limits[accountKey(account)]}
}

// accountKey names the row that counts an account.
func accountKey(id string) string { return "a/" + id }

// writes gives what was gathered.
func (d *draft) writes() Writes {
	if d.touched {
		d.count(accountKey(d.account), d.acc)
	}
	return d.w
}

// clone gives a draft to try something on.
func (d *draft) clone() *draft {
	c := *d
	c.w.Verifications, c.w.Attempts = slices.Clone(d.w.Verifications), slices.Clone(d.w.Attempts)
	c.w.Drop, c.w.Jobs = slices.Clone(d.w.Drop), slices.Clone(d.w.Jobs)
	c.w.Limits = make(map[string]LimitRow, len(d.w.Limits)+2)
	for k, r := range d.w.Limits {
		c.w.Limits[k] = r
	}
	return &c
}

// count writes a row of counters.
func (d *draft) count(key string, r guard.Row) {
	if d.w.Limits == nil {
		d.w.Limits = make(map[string]LimitRow, 2)
	}
	d.w.Limits[key] = LimitRow{Row: r, KeepUntil: d.limits.KeepUntil(r, d.now)}
}

// charge asks the guard and counts what it allows.
func (d *draft) charge(req guard.Request, numberKey string, number guard.Row) guard.Decision {
	decision, number, acc := d.limits.Decide(req, number, d.acc, d.now)
	if decision.Answer == guard.Allow {
		d.count(numberKey, number)
		d.acc, d.touched = acc, true
	}
	return decision
}

// put writes a verification.
func (d *draft) put(v Verification) { d.w.Verifications = append(d.w.Verifications, v) }

// queue writes a new attempt and promises its delivery.
func (d *draft) queue(v Verification, a Attempt, due time.Time) {
	a.Verification, a.Account, a.State, a.CreatedAt = v.ID, v.Account, StateQueued, d.at
	d.w.Attempts = append(d.w.Attempts, a)
	job := jobs.New{Kind: jobs.Deliver, Subject: a.ID, Due: due}
	if a.Channel == phone.Voice { // one call at a time; a message disturbs no call
		job.Order = v.Order
	}
	d.w.Jobs = append(d.w.Jobs, job)
}

// end ends a verification: its secrets are erased, what waits is dropped, and
// calls in progress are told to stop, except that after an approval they may
// finish.
func (d *draft) end(g Group, status Status, reason string) {
	v := g.Verification
	v.Status, v.Reason, v.EndedAt = status, reason, d.at
	v.Sealed, v.TokenHash = nil, nil
	d.put(v)
	if len(v.Settings.Workflow) > 1 { // or else no step was ever promised
		d.w.Drop = append(d.w.Drop, stepSubject(v))
	}
	for _, a := range g.Attempts {
		d.stop(a, reason)
	}
}

// report blocks the number for the service, and ends the verification.
func (d *draft) report(s State) {
	v := *s.Verification
	d.count(v.LimitKey, guard.Block(s.Limits[v.LimitKey]))
	if v.statusAt(s.Now) == Pending {
		d.end(Group{v, s.Attempts}, Failed, ReasonReported)
	}
}

// stop ends an attempt that has not left yet, and tells one that has to stop;
// without a reason that one goes on.
func (d *draft) stop(a Attempt, why string) {
	switch {
	case a.State == StateQueued:
		d.w.Drop = append(d.w.Drop, a.ID)
		d.settled(a, outcome.Ending{Outcome: outcome.Canceled, Reason: "it was no longer needed"})
	case a.open() && why != "" && a.Stop == "":
		a.Stop = why
		d.w.Attempts = append(d.w.Attempts, a)
	}
}

// settled writes an attempt's end, and gives back a call's place.
func (d *draft) settled(a Attempt, e outcome.Ending) {
	a.State, a.Outcome, a.Reason, a.EndedAt = StateEnded, e.Outcome, e.Reason, d.at
	a.MayHaveRung, a.Fault, a.Permanent, a.Screen = e.MayHaveRung, e.Fault, e.Permanent, nil
	d.w.Attempts = append(d.w.Attempts, a)
	if a.Channel == phone.Voice {
		d.acc, d.touched = guard.CallEnded(d.acc), true
	}
}

// promise writes the job of the next step in place of an earlier one.
func (d *draft) promise(v Verification, due time.Time) {
	d.w.Drop = append(d.w.Drop, stepSubject(v))
	d.w.Jobs = append(d.w.Jobs, jobs.New{Kind: jobs.Step, Subject: stepSubject(v), Due: due})
}

// stepSubject names the verification whose next step is due.
func stepSubject(v Verification) string { return v.Account + "/" + v.ID }
