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
