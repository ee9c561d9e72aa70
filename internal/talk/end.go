package talk

import (
	"context"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
)

// end says the closing phrase that fits, and turns the reason why the
// conversation stopped (nil: the script was said to its end) into an ending.
// Reasons hold no digits at all.
func (r *run) end(ctx context.Context, why error) outcome.Ending {
	e := outcome.Ending{MayHaveRung: true}
	var aside script.Aside
	switch {
	case why == nil:
	case errors.Is(why, errReported):
		aside = script.AsideReported
		e.Outcome, e.Fault = outcome.Reported, outcome.FaultPerson
		e.Reason = "the person said that they did not ask for this call"
	case errors.Is(why, ErrHungUp):
		e.Outcome, e.Fault = outcome.HungUpEarly, outcome.FaultPerson
		e.Reason = "the call was hung up before the code was read to its end"
		if r.readouts == 0 {
			e.Reason = "the call was hung up before the message was read to its end"
		}
	case isGate(why):
		aside = script.AsideGateMissed
		e.Outcome, e.Fault, e.Reason = outcome.GateMissed, outcome.FaultPerson, gateReason(why)
	case errors.Is(why, errCap), errors.Is(why, errNoRoom):
		e.Outcome, e.Fault = outcome.CarrierFailed, outcome.FaultOurs
		e.Reason = "the longest duration of a call left no time to read to the end"
	case errors.Is(why, errScript):
		e.Outcome, e.Fault = outcome.CarrierFailed, outcome.FaultOurs
		e.Reason = "the script of the call could not be said"
	case ctx.Err() != nil:
		aside = script.AsideCanceled
		e.Outcome, e.Reason, e.Detail = outcome.Canceled, "the call was ended by us before the code was read to its end", why.Error()
	default:
		e.Outcome, e.Fault = outcome.CarrierFailed, outcome.FaultCarrier
		e.Reason, e.Detail = "the line broke during the call", why.Error()
	}
	if r.read > 0 && e.Outcome != outcome.Reported {
		e.Outcome, e.Fault, e.Reason = outcome.Heard, outcome.FaultNone, "the code was read to its end"
		if r.readouts == 0 {
			e.Reason = "the message was read to its end"
		}
	}
	r.aside(ctx, aside)
	return e
}

func isGate(why error) bool {
	return errors.Is(why, errGateSilent) || errors.Is(why, errGateWrong) || errors.Is(why, errGateLate)
}

func gateReason(why error) string {
	switch {
	case errors.Is(why, errGateWrong):
		return "the call was answered, and the wrong keys were pressed before the code"
	case errors.Is(why, errGateSilent):
		return "the call was answered, and no key was pressed before the code"
	}
	return "the call was answered, and the keys before the code did not come in time"
}

// aside says one short phrase with its good-bye, within the cap, though ctx may
// have ended. It is a courtesy: the first error ends it. An empty aside, or a
// language without words, is silence.
func (r *run) aside(ctx context.Context, a script.Aside) {
	if a == "" {
		return
	}
	s, err := script.ComposeAside(r.lang, a)
	if err != nil {
		return
	}
	until := time.Now().Add(asideLongest)
	if r.until.Before(until) {
		until = r.until
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	for _, p := range Pack(s).parts {
		if _, err := r.say(ctx, p, nil); err != nil {
			return
		}
	}
}
