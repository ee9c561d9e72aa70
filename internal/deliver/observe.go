package deliver

import (
	"time"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/verify"
)

// Observer is told what statistics want to know, after the fact and in the
// attempt's goroutine: it must be quick. A nil function is not called. What it
// is told is of bounded sets: no number, no id, no secret.
type Observer struct {
	// Dialled: the first attempt of a verification was about to leave, so long
	// after the start.
	Dialled func(phone.Channel, time.Duration)
	// Called: a call that this process followed has ended.
	Called func(CallTimes)
	// Ended: an attempt was settled.
	Ended func(Attempted)
}

// CallTimes is how long a call took, by this process's clock.
type CallTimes struct {
	Rang bool // it rang, or it was answered
	Ring time.Duration
	// Answered says that it was answered; Talk is from then to the end.
	Answered bool
	Talk     time.Duration
}

// Attempted is an attempt that has ended.
type Attempted struct {
	Channel phone.Channel
	Route   string // empty: none was chosen
	Country string // ISO 3166 alpha-2, or phone.Unknown
	Outcome outcome.Outcome
}

func (o Observer) dialled(d verify.Delivery, since time.Time) {
	if o.Dialled != nil && d.Attempt.N == 1 {
		o.Dialled(d.Attempt.Channel, max(d.Now.Sub(d.Verification.CreatedAt)+time.Since(since), 0))
	}
}

func (o Observer) ended(d verify.Delivery, e outcome.Ending) {
	if o.Ended != nil {
		o.Ended(Attempted{d.Attempt.Channel, d.Attempt.Route, d.Verification.Country, e.Outcome})
	}
}

// stopwatch measures one call. Its methods are called from one goroutine at a
// time.
type stopwatch struct{ placed, rung, answered time.Time }

// ring notes that it rings.
func (s *stopwatch) ring() {
	if s.rung.IsZero() {
		s.rung = time.Now()
	}
}

// answer notes that it was answered; a carrier may not have told that it rang.
func (s *stopwatch) answer() {
	if s.rung.IsZero() {
		s.rung = s.placed
	}
	if s.answered.IsZero() {
		s.answered = time.Now()
	}
}

// stop gives the times of the call that ends now.
func (s *stopwatch) stop() CallTimes {
	now := time.Now()
	t := CallTimes{Rang: !s.rung.IsZero(), Answered: !s.answered.IsZero()}
	switch {
	case t.Answered:
		t.Ring, t.Talk = s.answered.Sub(s.rung), now.Sub(s.answered)
	case t.Rang:
		t.Ring = now.Sub(s.rung)
	}
	return t
}
