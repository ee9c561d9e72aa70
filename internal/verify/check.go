package verify

import (
	"context"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/secret"
)

// Checked is the result of one guess.
type Checked struct {
	Status    Status
	Valid     bool
	Remaining int // guesses left
}

// Check compares one guess. A wrong one is no error: it is counted, and the
// last allowed one ends the verification. Exactly one right answer approves.
func (c *Core) Check(ctx context.Context, who Caller, id string, req CheckRequest, once Once[Checked]) (checked Answer[Checked], err error) {
	defer func() { c.cfg.Observe.checked(checked, err) }()
	if !who.mayTouch(id) {
		return Answer[Checked]{}, absent()
	}
	code, err := secret.ParseCode(req.Code)
	if err != nil {
		return Answer[Checked]{}, bad("code", "the code is digits only, as many as were said")
	}
	p, err := parsePayment(req.Amount, req.Currency, req.Payee)
	if err != nil {
		return Answer[Checked]{}, err
	}
	need := Need{Account: who.Account, Verification: id, Limits: []string{accountKey(who.Account)}}
	return do(ctx, c, once, need, func(s State) (Writes, Checked, error) { return c.planCheck(s, code, p) })
}

// planCheck is the check's pure half.
func (c *Core) planCheck(s State, code secret.Code, p payment) (Writes, Checked, error) {
	v, err := pending(s)
	if err != nil {
		return Writes{}, Checked{}, err
	}
	if code.Len() != v.Settings.CodeLength {
		return Writes{}, Checked{}, bad("code", "the code is digits only, as many as were said")
	}
	if p.isZero() == v.Settings.Words { // not a wrong guess: the caller forgot it, or took another verification
		return Writes{}, Checked{}, bad("amount", "a check repeats the amount, currency and payee of its start, where it had them")
	}
	number := s.Limits[v.LimitKey]
	if d := c.cfg.Limits.MayGuess(number, s.Now); d.Answer != guard.Allow {
		return Writes{}, Checked{}, refused(d, v.Country)
	}
	mac, err := c.mac(v, code, p)
	if err != nil {
		return Writes{}, Checked{}, internal("check", err)
	}
	var d draft
	d.begin(c, s, v.Account)
	if secret.Equal(mac, v.CodeMAC) {
		d.end(Group{v, s.Attempts}, Approved, "")
		return d.writes(), Checked{Status: Approved, Valid: true, Remaining: v.Settings.MaxGuesses - v.Guesses}, nil
	}
	v.Guesses++
	d.count(v.LimitKey, c.cfg.Limits.CountWrong(number, s.Now))
	left := v.Settings.MaxGuesses - v.Guesses
	if left > 0 {
		d.put(v)
		return d.writes(), Checked{Status: Pending, Remaining: left}, nil
	}
	d.end(Group{v, s.Attempts}, MaxAttempts, ReasonGuesses)
	return d.writes(), Checked{Status: MaxAttempts}, nil
}

// pending gives the verification that an operation is about, if it can still be
// worked on.
func pending(s State) (Verification, error) {
	if s.Verification == nil {
		return Verification{}, absent()
	}
	v := *s.Verification
	if st := v.statusAt(s.Now); st != Pending {
		return Verification{}, ended(st)
	}
	return v, nil
}

// absent is the answer for what is unknown and for what is somebody else's.
func absent() *Error { return fail(NotFound, "there is no such verification") }
