package verify

import (
	"context"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

// View is what a caller may see of a verification.
type View struct {
	ID      string
	Service string
	// To is the number in full for the key that sent it, masked for all others.
	To           string
	Status       Status
	Reason       string
	Channel      phone.Channel // of the current step
	Locale       string
	Gate         script.Gate
	Purpose      string
	Context      Context // for the account's API keys only
	CreatedAt    time.Time
	ExpiresAt    time.Time
	EndedAt      time.Time // zero while pending
	GuessesLeft  int
	SendsLeft    int
	Step         int // from 1
	Steps        int
	ScreenDigits string // between ringing and gate, for the owner only
	Attempts     []AttemptView
}

// AttemptView is what a caller may see of an attempt.
type AttemptView struct {
	ID         string
	N          int // 1, 2, ... within the verification
	Send       int // which send it belongs to: another route is the same send
	Channel    phone.Channel
	Route      string
	State      AttemptState
	Outcome    outcome.Outcome
	Reason     string
	Ungated    bool
	GatePassed bool
	Readouts   int
	// Whose fault the end was, and whether the phone may have rung: for keys only.
	Fault       outcome.Fault
	MayHaveRung bool
	CreatedAt   time.Time
	DialledAt   time.Time // zero, as those below: not yet, or never
	RungAt      time.Time
	AnsweredAt  time.Time
	GateAt      time.Time
	EndedAt     time.Time
}

// Get shows a verification.
func (c *Core) Get(ctx context.Context, who Caller, id string) (View, error) {
	if !who.mayTouch(id) {
		return View{}, absent()
	}
	s, err := c.cfg.Store.Read(ctx, who.Account, id)
	if errors.Is(err, ErrAbsent) {
		return View{}, absent()
	}
	if err != nil {
		return View{}, storeError(err)
	}
	return c.view(who, s), nil
}

// view shows a verification to a caller.
func (c *Core) view(who Caller, s State) View {
	v := s.Verification
	out := show(who, s)
	out.To, out.Context = c.shownNumber(who, *v), c.shownContext(who, *v)
	if out.Status == Pending && (who.owns(*v) || who.Verification == v.ID) {
		for _, a := range s.Attempts {
			if a.atGate() {
				out.ScreenDigits = c.screenDigits(*v, a)
			}
		}
	}
	return out
}

// show is view without what must be opened first.
func show(who Caller, s State) View {
	v := s.Verification
	out := View{
		ID: v.ID, Service: v.Service, Status: v.statusAt(s.Now), Reason: v.Reason, Channel: v.step().Channel,
		Locale: v.Settings.Language, Gate: v.Settings.Gate, Purpose: v.Purpose, CreatedAt: v.CreatedAt,
		ExpiresAt: v.ExpiresAt, EndedAt: v.EndedAt, Step: v.Step + 1, Steps: len(v.Settings.Workflow),
	}
	if out.Status == Pending {
		out.GuessesLeft = v.Settings.MaxGuesses - v.Guesses
		out.SendsLeft = v.Settings.MaxSends - v.Sends
	}
	if out.Status == Expired {
		out.Reason = ReasonExpired
	}
	if len(s.Attempts) > 0 {
		out.Attempts = make([]AttemptView, len(s.Attempts))
	}
	for i := range s.Attempts {
		out.Attempts[i] = s.Attempts[i].view(who)
	}
	return out
}

// shownNumber is the number in full for the key that sent it, masked for others.
func (c *Core) shownNumber(who Caller, v Verification) string {
	if len(v.NumberSealed) == 0 {
		return ""
	}
	if who.owns(v) { // no need to judge again what was judged at the start
		b, err := c.cfg.Keys.Open(v.NumberSealed, "number", v.Account, v.ID)
		if err != nil {
			c.cfg.Log.Error("a number cannot be opened", "verification", v.ID, "error", err)
		}
		return string(b)
	}
	n, err := c.number(v)
	if err != nil {
		c.cfg.Log.Error("a number cannot be opened", "verification", v.ID, "error", err)
		return ""
	}
	return n.String()
}

// view shows an attempt to a caller.
func (a Attempt) view(who Caller) AttemptView {
	out := AttemptView{
		ID: a.ID, N: a.N, Send: a.Send, Channel: a.Channel, Route: a.Route, State: a.State, Outcome: a.Outcome, Reason: a.Reason,
		Ungated: a.Ungated, GatePassed: a.GatePassed, Readouts: a.Readouts, CreatedAt: a.CreatedAt, DialledAt: a.DialledAt,
		RungAt: a.RungAt, AnsweredAt: a.AnsweredAt, GateAt: a.GateAt, EndedAt: a.EndedAt,
	}
	if who.Key != "" {
		out.Fault, out.MayHaveRung = a.Fault, a.MayHaveRung
	}
	return out
}

// kept is view for an answer that may be kept and given again: without the screen
// digits, which are shown for a moment only.
func (c *Core) kept(who Caller, s State) View {
	v := c.view(who, s)
	v.ScreenDigits = ""
	return v
}

// atGate says that the phone rings or was answered, and the gate is not passed.
func (a Attempt) atGate() bool {
	return len(a.Screen) > 0 && !a.GatePassed && a.Stop == "" && (a.State == StateRinging || a.State == StateInCall)
}

func (c *Core) screenDigits(v Verification, a Attempt) string {
	b, err := c.cfg.Keys.Open(a.Screen, "screen", v.Account, v.ID, a.ID)
	if err != nil {
		c.cfg.Log.Error("screen digits cannot be opened", "attempt", a.ID, "error", err)
		return ""
	}
	return string(b)
}
