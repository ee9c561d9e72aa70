package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// Delivery is what a worker needs to make one attempt.
type Delivery struct {
	Lease        jobs.Lease
	Verification Verification
	Attempt      Attempt
	To           phone.Number
	// Message has no code when the verification has ended.
	Message script.Message
	// Extension is dialled after the answer; zero: none, or the verification has
	// ended.
	Extension secret.Text
	// Enabled says that the account may still call.
	Enabled bool
	// Routes are those that may still be tried, best first.
	Routes []carrier.Route
	Now    time.Time
	// Ref is the carrier's reference of a call that was placed, where that is not on
	// record: Progress and Settle record it.
	Ref carrier.Ref
}

// ErrGone says that the attempt of a job is not on record; ErrUnreadable that its
// number or code cannot be opened: the keyring lacks its key.
var (
	ErrGone       = errors.New("verify: no such attempt")
	ErrUnreadable = errors.New("verify: the number or the code cannot be opened")
)

// Delivery reads what a worker needs, with the number and the code of a queued
// attempt opened. With ErrUnreadable, all but these is there.
func (c *Core) Delivery(ctx context.Context, l jobs.Lease, attempt string) (Delivery, error) {
	s, err := c.cfg.Store.ReadAttempt(ctx, attempt)
	if errors.Is(err, ErrAbsent) {
		return Delivery{}, ErrGone
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("read the attempt: %w", err)
	}
	d := Delivery{Lease: l, Verification: *s.Verification, Now: s.Now}
	for _, a := range s.Attempts {
		if a.ID == attempt {
			d.Attempt = a
		}
	}
	if d.Attempt.ID == "" {
		return Delivery{}, ErrGone
	}
	if d.Attempt.State != StateQueued {
		return d, nil // it has left: neither number nor code is needed
	}
	if d.To, err = c.number(d.Verification); err != nil {
		return d, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if d.Message, d.Extension, err = c.message(d.Verification); err != nil {
		return d, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if d.Enabled, err = c.cfg.Services.Enabled(ctx, d.Verification.Account); err != nil {
		return d, fmt.Errorf("read the account: %w", err)
	}
	svc, err := c.cfg.Services.Service(ctx, d.Verification.Account, d.Verification.Service)
	if err != nil && !errors.Is(err, account.ErrNotFound) { // what a deleted service began goes on in our words
		return d, fmt.Errorf("read the service: %w", err)
	}
	withWords(&d.Message, svc)
	d.Routes = c.untried(d.Verification, s.Attempts, d.Attempt)
	return d, nil
}

// withWords gives a message the service's own words: its domain, and its template
// in the message's language.
func withWords(m *script.Message, svc account.Service) {
	m.Domain = svc.Domain
	if t, ok := svc.Templates[m.Lang]; ok {
		m.Template = &t
	}
}

// message opens what must be said, and what must be dialled before.
func (c *Core) message(v Verification) (m script.Message, extension secret.Text, err error) {
	m = script.Message{Lang: v.Settings.Language, Brand: v.Settings.Brand, PlainDigits: v.Settings.PlainDigits}
	if len(v.Sealed) == 0 {
		return m, extension, nil
	}
	b, err := c.cfg.Keys.Open(v.Sealed, "code", v.Account, v.ID)
	if err != nil {
		return m, extension, fmt.Errorf("open the code: %w", err)
	}
	var plain sealedCode
	if err := json.Unmarshal(b, &plain); err != nil {
		return m, extension, errors.New("open the code: its stored form cannot be read")
	}
	if m.Code, err = secret.ParseCode(plain.Code); err != nil {
		return m, extension, fmt.Errorf("open the code: %w", err)
	}
	if plain.Payee != "" {
		m.Amount = &script.Money{Minor: plain.Minor, Currency: plain.Currency}
		m.Payee = plain.Payee
	}
	return m, secret.NewText(plain.Extension), nil
}

// Dialling is what a worker is about to do.
type Dialling struct {
	Route   string
	Gate    script.Gate
	Ungated bool
	Screen  secret.Text // screen digits; zero: none
}

// Dial records, durably and before anything leaves, that the attempt is about
// to be placed. It says false where the attempt must not be placed any more; its
// job is then finished. jobs.ErrLeaseLost when the job belongs to another.
func (c *Core) Dial(ctx context.Context, d Delivery, what Dialling) (bool, error) {
	var screen []byte
	if !what.Screen.IsZero() {
		var err error
		v := d.Verification
		if screen, err = c.cfg.Keys.Seal([]byte(what.Screen.Reveal()), "screen", v.Account, v.ID, d.Attempt.ID); err != nil {
			return false, fmt.Errorf("seal the screen digits: %w", err)
		}
	}
	var may bool
	next, f := secret.NewID(c.cfg.Now(), c.cfg.Rand), d.fence()
	err := c.leased(ctx, f, func(s State, v *Verification, a Attempt) (Writes, error) {
		if a.open() && a.State != StateQueued {
			return Writes{}, jobs.ErrLeaseLost
		}
		why := mayDial(*v, a, s.Now)
		if s.Limits[v.LimitKey].Blocked {
			why = "the person at this number has reported the service"
		}
		may = why == ""
		if !may {
			e := outcome.Ending{Outcome: outcome.Canceled, Reason: why}
			return c.planSettle(s, f.lease, a, settlement{Ending: e, next: next}), nil
		}
		a.State, a.Route, a.DialledAt = StateDialling, what.Route, s.stamp()
		a.Gate, a.Ungated, a.Screen = what.Gate, what.Ungated, screen
		return Writes{Attempts: []Attempt{a}}, nil
	})
	return may, err
}

// mayDial says why an attempt must not be placed; empty: it may.
func mayDial(v Verification, a Attempt, now time.Time) string {
	switch {
	case a.State != StateQueued:
		return "it had begun or ended already"
	case v.statusAt(now) != Pending:
		return "the verification has ended"
	case a.Channel == phone.Voice && v.ExpiresAt.Sub(now) < NeededForCall:
		return "too little time was left for a call"
	}
	return ""
}

// Placed records the carrier's reference, before the attempt is followed, and
// says why it must stop, if it must. For a message this is also when the time of
// the step begins.
func (c *Core) Placed(ctx context.Context, d Delivery, ref carrier.Ref) (stop string, err error) {
	err = c.leased(ctx, d.fence(), func(s State, v *Verification, a Attempt) (Writes, error) {
		stop = a.Stop
		a.State, a.Ref = StatePlaced, string(ref)
		w := c.draft(s, v.Account)
		w.w.Attempts = append(w.w.Attempts, a)
		if a.Channel == phone.SMS {
			w.schedule(*v, a)
		}
		return w.writes(), nil
	})
	return stop, err
}

// Progress records what a carrier reported, all of it at once, and says why the
// call must stop, if it must.
func (c *Core) Progress(ctx context.Context, d Delivery, events ...carrier.Event) (stop string, err error) {
	ref := d.Ref
	err = c.leased(ctx, d.fence(), func(s State, _ *Verification, a Attempt) (Writes, error) {
		stop = a.Stop
		if !a.progress(ref, events, s.stamp()) {
			return Writes{}, nil
		}
		return Writes{Attempts: []Attempt{a}}, nil
	})
	return stop, err
}

// progress notes what has become of an attempt, and says whether any of it was
// news.
func (a *Attempt) progress(ref carrier.Ref, events []carrier.Event, at time.Time) bool {
	news := ref != "" && a.State == StateDialling
	if news {
		a.State, a.Ref = StatePlaced, string(ref)
	}
	for _, e := range events {
		if a.hear(e, at) {
			news = true
		}
	}
	return news
}

// hear notes what a carrier reported, and says whether it was news. Each moment
// of a call is noted once: a second report of it changes nothing.
func (a *Attempt) hear(e carrier.Event, at time.Time) bool {
	switch {
	case e.Kind == carrier.Ringing && a.RungAt.IsZero() && a.AnsweredAt.IsZero():
		a.State, a.RungAt = StateRinging, at
	case e.Kind == carrier.Answered && a.AnsweredAt.IsZero():
		a.State, a.AnsweredAt = StateInCall, at
	case e.Kind == carrier.GatePassed && a.GateAt.IsZero():
		a.GatePassed, a.GateAt = true, at
	case e.Kind == carrier.ReadOnce && e.Readout > a.Readouts:
		a.Readouts = e.Readout
	default:
		return false
	}
	return true
}

// Discard finishes a job whose attempt is gone.
func (c *Core) Discard(ctx context.Context, l jobs.Lease) error {
	return c.cfg.Store.Do(ctx, Op{Need: Need{Lease: &l}, Plan: func(s State) (Writes, error) {
		return Writes{Finish: &l}, nil
	}})
}

// Block blocks the number of a verification whose person reported it, and ends
// it. Unlike Settle it needs no lease: a report counts whoever brings it.
func (c *Core) Block(ctx context.Context, d Delivery) error {
	var did Writes
	v := d.Verification
	op := Op{
		Need: Need{Account: v.Account, Verification: v.ID, Limits: []string{accountKey(v.Account)}},
		Plan: func(s State) (Writes, error) {
			if s.Verification == nil {
				return Writes{}, ErrGone
			}
			d := c.draft(s, v.Account)
			d.report(s)
			did = d.writes()
			return did, nil
		},
	}
	if err := c.cfg.Store.Do(ctx, op); err != nil {
		return err
	}
	c.tell(did)
	return nil
}

// fenced names an attempt and the lease under which something is written of it.
type fenced struct {
	lease                          jobs.Lease
	account, verification, attempt string
}

// fence gives what of a delivery an operation keeps: the rest need not outlive
// the call.
func (d *Delivery) fence() fenced {
	return fenced{d.Lease, d.Verification.Account, d.Verification.ID, d.Attempt.ID}
}

// leased carries out a plan on behalf of a job, behind its fence.
func (c *Core) leased(ctx context.Context, f fenced, p func(State, *Verification, Attempt) (Writes, error)) error {
	var did Writes
	op := Op{
		Need: Need{Account: f.account, Verification: f.verification, Limits: []string{accountKey(f.account)}, Lease: &f.lease},
		Plan: func(s State) (Writes, error) {
			if !s.Leased || s.Verification == nil {
				return Writes{}, jobs.ErrLeaseLost
			}
			for i := range s.Attempts {
				if s.Attempts[i].ID == f.attempt {
					var err error
					did, err = p(s, s.Verification, s.Attempts[i])
					return did, err
				}
			}
			return Writes{}, jobs.ErrLeaseLost
		},
	}
	if err := c.cfg.Store.Do(ctx, op); err != nil {
		return err
	}
	c.tell(did)
	return nil
}

// Stops tells which of the attempts in progress must stop, and why: for workers
// whose process did not hear it from Signal.
func (c *Core) Stops(ctx context.Context, attempts []string) (map[string]string, error) {
	return c.cfg.Store.Stops(ctx, attempts)
}

// Signal gives the news of this process.
func (c *Core) Signal() *Signal { return c.cfg.Signal }
