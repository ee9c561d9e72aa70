package verify

import (
	"errors"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/phone"
)

// Observer is told what statistics want to know, after the fact and in the
// caller's goroutine: it must be quick. A nil function is not called. What it is
// told is of bounded sets: no number, no id, no secret.
type Observer struct {
	// Started: by the channel of the first step (empty where the request was
	// refused before that was known), and the refusal's code; empty: started.
	// An answer that was given before is not told again.
	Started func(channel phone.Channel, refused Code)
	Checked func(CheckResult)
	// Limited: a request was refused, or put off, by a rule of the guard.
	Limited func(guard.Rule)
}

// CheckResult is how a check came out.
type CheckResult string

// The results of a check.
const (
	CheckApproved CheckResult = "approved"
	CheckWrong    CheckResult = "wrong"
	CheckEnded    CheckResult = "ended"   // the verification had ended before
	CheckLimited  CheckResult = "limited" // too many wrong guesses for the number
	CheckRefused  CheckResult = "refused" // malformed, unknown, not allowed, a conflict
	CheckFailed   CheckResult = "failed"  // our fault
)

// started tells of a start.
func (o Observer) started(req StartRequest, a Answer[Started], err error) {
	if o.Started == nil || a.Replay != nil {
		return
	}
	if err == nil {
		o.Started(a.Value.View.Channel, "")
		return
	}
	var asked phone.Channel // stays empty for a word that is none
	switch {
	case req.Channel != "":
		asked, _ = phone.ParseChannel(req.Channel)
	case len(req.Workflow) > 0:
		asked, _ = phone.ParseChannel(string(req.Workflow[0].Channel))
	}
	o.Started(asked, codeOf(err))
}

// checked tells of a check.
func (o Observer) checked(a Answer[Checked], err error) {
	if o.Checked == nil || a.Replay != nil {
		return
	}
	result := CheckWrong
	switch {
	case err == nil && a.Value.Valid:
		result = CheckApproved
	case err == nil:
	case codeOf(err) == AlreadyEnded:
		result = CheckEnded
	case codeOf(err) == Limited:
		result = CheckLimited
	case codeOf(err) == Internal || codeOf(err) == Unavailable:
		result = CheckFailed
	default:
		result = CheckRefused
	}
	o.Checked(result)
}

// limited tells of a rule that refused.
func (o Observer) limited(err error) {
	if e := (*Error)(nil); o.Limited != nil && errors.As(err, &e) && e.Rule != "" {
		o.Limited(e.Rule)
	}
}

// codeOf is an error's code; what has none is our fault.
func codeOf(err error) Code {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
