package store

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pincall/pincall/internal/verify"
)

// RunPlan runs a plan. A plan that panics is a programmer's mistake; it must not
// take the other operations of its group with it.
func RunPlan[S, W any](plan func(S) (W, error), state S) (w W, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: a plan panicked: %v", p)
		}
	}()
	return plan(state)
}

// Change is how much of a verification differs from what is stored.
type Change int

// The changes, the smallest first; each has those before it.
const (
	Counts   Change = iota // guesses, sends and step: a guess changes no more, and no index has them
	Progress               // status, its times and its secrets: what an end changes
	Whole                  // what it was started with, too
)

// ChangeOf compares a verification with what is stored of it.
func ChangeOf(stored, v *verify.Verification) Change {
	switch {
	case !sameStart(stored, v):
		return Whole
	case stored.Status == v.Status && stored.Reason == v.Reason && stored.EndedAt.Equal(v.EndedAt) && stored.ExpiresAt.Equal(v.ExpiresAt) &&
		bytes.Equal(stored.Sealed, v.Sealed) && bytes.Equal(stored.TokenHash, v.TokenHash):
		return Counts
	}
	return Progress
}

// sameStart says that two verifications were started alike.
func sameStart(a, b *verify.Verification) bool {
	return a.Account == b.Account && a.Service == b.Service && a.Purpose == b.Purpose && a.Country == b.Country && a.Prefix == b.Prefix &&
		a.LimitKey == b.LimitKey && a.KeyID == b.KeyID && a.CreatedAt.Equal(b.CreatedAt) &&
		bytes.Equal(a.NumberIndex, b.NumberIndex) && bytes.Equal(a.NumberSealed, b.NumberSealed) &&
		bytes.Equal(a.Binding, b.Binding) && bytes.Equal(a.Order, b.Order) && bytes.Equal(a.CodeMAC, b.CodeMAC) &&
		bytes.Equal(a.Context, b.Context) && sameSettings(&a.Settings, &b.Settings)
}

func sameSettings(a, b *verify.Settings) bool {
	return a.StartedBy == b.StartedBy && a.Language == b.Language && a.Brand == b.Brand && a.CodeLength == b.CodeLength &&
		a.MaxGuesses == b.MaxGuesses && a.MaxSends == b.MaxSends && a.Gate == b.Gate && a.GatePolicy == b.GatePolicy &&
		a.PlainDigits == b.PlainDigits && a.Words == b.Words && a.Extension == b.Extension && slices.Equal(a.Workflow, b.Workflow)
}

// AttemptChange is how much of an attempt is to be written.
type AttemptChange int

// The changes of an attempt.
const (
	Queued    AttemptChange = iota // it is not stored, and nothing has become of it: all else is as it begins
	Dialled                        // what is written before a call leaves: state, route, gate, ungated, screen and time of dialling
	Delivered                      // whatever changes
	Anew                           // what it was begun with, too
)

// Change says how much of an attempt is to be written.
func (w *Written) Change() AttemptChange {
	switch {
	case w.Stored && sameBeginning(&w.Was, &w.Attempt) && sameCall(&w.Was, &w.Attempt):
		return Dialled
	case w.Stored && sameBeginning(&w.Was, &w.Attempt):
		return Delivered
	case !w.Stored && w.State == verify.StateQueued && w.Route == "" && w.Gate == "" && !w.Ungated && len(w.Screen) == 0 && w.DialledAt.IsZero() &&
		sameCall(&verify.Attempt{}, &w.Attempt):
		return Queued
	}
	return Anew
}

// sameCall says that nothing that comes after dialling differs.
func sameCall(a, b *verify.Attempt) bool {
	return a.Ref == b.Ref && a.Outcome == b.Outcome && a.Reason == b.Reason && a.MayHaveRung == b.MayHaveRung && a.Fault == b.Fault &&
		a.Permanent == b.Permanent && a.GatePassed == b.GatePassed && a.Readouts == b.Readouts && a.Stop == b.Stop &&
		a.AnsweredAt.Equal(b.AnsweredAt) && a.EndedAt.Equal(b.EndedAt) && a.RungAt.Equal(b.RungAt) && a.GateAt.Equal(b.GateAt)
}
