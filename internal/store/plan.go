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

// OnlyCounts says that a and b differ in nothing but guesses, sends and step: a
// guess changes no more than that, and no index has them.
func OnlyCounts(a, b verify.Verification) bool {
	return a.Account == b.Account && a.Status == b.Status && a.Reason == b.Reason && a.Service == b.Service &&
		a.Purpose == b.Purpose && a.Country == b.Country && a.Prefix == b.Prefix && a.LimitKey == b.LimitKey &&
		a.KeyID == b.KeyID && a.CreatedAt.Equal(b.CreatedAt) && a.ExpiresAt.Equal(b.ExpiresAt) && a.EndedAt.Equal(b.EndedAt) &&
		bytes.Equal(a.NumberIndex, b.NumberIndex) && bytes.Equal(a.NumberSealed, b.NumberSealed) &&
		bytes.Equal(a.Binding, b.Binding) && bytes.Equal(a.Order, b.Order) && bytes.Equal(a.CodeMAC, b.CodeMAC) &&
		bytes.Equal(a.Context, b.Context) && bytes.Equal(a.Sealed, b.Sealed) && bytes.Equal(a.TokenHash, b.TokenHash) && sameSettings(a.Settings, b.Settings)
}

func sameSettings(a, b verify.Settings) bool {
	return a.StartedBy == b.StartedBy && a.Language == b.Language && a.Brand == b.Brand && a.CodeLength == b.CodeLength &&
		a.MaxGuesses == b.MaxGuesses && a.MaxSends == b.MaxSends && a.Gate == b.Gate && a.GatePolicy == b.GatePolicy &&
		a.PlainDigits == b.PlainDigits && a.Words == b.Words && a.Extension == b.Extension && slices.Equal(a.Workflow, b.Workflow)
}
