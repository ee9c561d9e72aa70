package verify

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
)

// EventKind says what happened.
type EventKind string

// The kinds of events. A resend and the next step of a workflow show as a new
// attempt.
const (
	EventStarted    EventKind = "verification.started"
	EventQueued     EventKind = "attempt.queued"
	EventDialling   EventKind = "attempt.dialling"
	EventRinging    EventKind = "attempt.ringing"
	EventAnswered   EventKind = "attempt.answered"
	EventGatePassed EventKind = "attempt.gate_passed"
	EventSettled    EventKind = "attempt.ended"
	EventEnded      EventKind = "verification.ended"
)

// EventKinds lists them all, in the order in which they can happen first.
func EventKinds() []EventKind {
	return []EventKind{EventStarted, EventQueued, EventDialling, EventRinging, EventAnswered, EventGatePassed, EventSettled, EventEnded}
}

// Event is something that happened to a verification. It holds no number, no
// code and no screen digits.
type Event struct {
	Position int // 1, 2, ... within the verification
	Kind     EventKind
	At       time.Time
	// Of an attempt: all but EventStarted and EventEnded.
	Attempt string // id
	N       int    // 1, 2, ... within the verification
	Channel phone.Channel
	Route   string // from EventDialling on
	Ungated bool   // from EventDialling on: a gate was wanted, and the route has none
	// Of the ends.
	Status      Status          // EventEnded
	Outcome     outcome.Outcome // EventSettled
	Reason      string          // both
	MayHaveRung bool            // EventSettled
}

// Events tells what has happened to a verification, oldest first. It is made
// from the times that are on record, so nothing is written for it; and what was
// told once is told the same for ever, with more behind it: each time is noted
// once, later than all that were on record before (see State.stamp). What was
// noted together, by one operation, has one order: the start, the attempts by
// number, each in the order of its life, the end.
func Events(s State) []Event {
	v := s.Verification
	if v == nil {
		return nil
	}
	out := make([]Event, 1, 2+5*len(s.Attempts))
	out[0] = Event{Kind: EventStarted, At: v.CreatedAt}
	for _, a := range s.Attempts {
		out = a.events(out)
	}
	if !v.EndedAt.IsZero() { // what is overdue ends when that is written down
		out = append(out, Event{Kind: EventEnded, At: v.EndedAt, Status: v.Status, Reason: v.Reason})
	}
	slices.SortStableFunc(out, func(a, b Event) int { return a.At.Compare(b.At) })
	for i := range out {
		out[i].Position = i + 1
	}
	return out
}

// events appends what has happened to an attempt.
func (a Attempt) events(to []Event) []Event {
	e := Event{Kind: EventQueued, At: a.CreatedAt, Attempt: a.ID, N: a.N, Channel: a.Channel}
	to = append(to, e)
	e.Route, e.Ungated = a.Route, a.Ungated
	for _, moment := range [...]struct {
		kind EventKind
		at   time.Time
	}{{EventDialling, a.DialledAt}, {EventRinging, a.RungAt}, {EventAnswered, a.AnsweredAt}, {EventGatePassed, a.GateAt}} {
		if !moment.at.IsZero() {
			e.Kind, e.At = moment.kind, moment.at
			to = append(to, e)
		}
	}
	if !a.EndedAt.IsZero() {
		e.Kind, e.At, e.Outcome, e.Reason, e.MayHaveRung = EventSettled, a.EndedAt, a.Outcome, a.Reason, a.MayHaveRung
		to = append(to, e)
	}
	return to
}

// stamp is when an operation says that something happened to its verification:
// now, but later than all that is on record of it. Two operations may come
// within one microsecond, and a store's clock may stand still.
func (s State) stamp() time.Time { return after(s.Now, s.Verification, s.Attempts) }

// after is now, or a microsecond after the latest time on record.
func after(now time.Time, v *Verification, attempts []Attempt) time.Time {
	note := func(t time.Time) {
		if !t.Before(now) {
			now = t.Add(time.Microsecond)
		}
	}
	if v != nil {
		note(v.CreatedAt)
		note(v.EndedAt)
	}
	for _, a := range attempts {
		for _, t := range [...]time.Time{a.CreatedAt, a.DialledAt, a.RungAt, a.AnsweredAt, a.GateAt, a.EndedAt} {
			note(t)
		}
	}
	return now
}

// History is what has happened to a verification so far.
type History struct {
	Events []Event
	// Ended says that the verification has ended; Complete that its attempts have
	// as well, so that nothing more will happen.
	Ended, Complete bool
}

// History tells what has happened to a verification.
func (c *Core) History(ctx context.Context, who Caller, id string) (History, error) {
	if !who.mayTouch(id) {
		return History{}, absent()
	}
	s, err := c.cfg.Store.Read(ctx, who.Account, id)
	if errors.Is(err, ErrAbsent) {
		return History{}, absent()
	}
	if err != nil {
		return History{}, storeError(err)
	}
	ended := s.Verification.Status != Pending
	return History{Events: Events(s), Ended: ended, Complete: ended && !slices.ContainsFunc(s.Attempts, Attempt.open)}, nil
}

// Subscribe gives a channel that yields once or more after something happened to
// the verification in this process, and a function that ends the subscription.
func (c *Core) Subscribe(id string) (<-chan struct{}, func()) { return c.cfg.Signal.Subscribe(id) }
