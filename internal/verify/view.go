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
	Channel    phone.Channel
	Route      string
	State      AttemptState
	Outcome    outcome.Outcome
	Reason     string
	Ungated    bool
	GatePassed bool
	Readouts   int
	CreatedAt  time.Time
	EndedAt    time.Time
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
	v := *s.Verification
	out := View{
		ID: v.ID, Service: v.Service, Status: v.statusAt(s.Now), Reason: v.Reason, Channel: v.step().Channel,
		Locale: v.Settings.Language, Gate: v.Settings.Gate, Purpose: v.Purpose, CreatedAt: v.CreatedAt,
		ExpiresAt: v.ExpiresAt, EndedAt: v.EndedAt, Step: v.Step + 1, Steps: len(v.Settings.Workflow),
	}
	if number, err := c.number(v); err == nil {
		out.To = number.String()
		if who.owns(v) {
			out.To = number.E164()
		}
	}
	if out.Status == Pending {
		out.GuessesLeft = v.Settings.MaxGuesses - v.Guesses
		out.SendsLeft = v.Settings.MaxSends - v.Sends
	}
	if out.Status == Expired {
		out.Reason = ReasonExpired
	}
	shown := out.Status == Pending && (who.owns(v) || who.Verification == v.ID)
	for _, a := range s.Attempts {
		out.Attempts = append(out.Attempts, AttemptView{
			a.ID, a.Channel, a.Route, a.State, a.Outcome, a.Reason, a.Ungated, a.GatePassed, a.Readouts, a.CreatedAt, a.EndedAt,
		})
		if shown && a.atGate() {
			out.ScreenDigits = c.screenDigits(v, a)
		}
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
