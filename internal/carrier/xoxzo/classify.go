package xoxzo

import (
	"errors"
	"net/http"

	"github.com/pincall/pincall/internal/outcome"
	client "github.com/pincall/pincall/xoxzo"
)

// classify says what a refusal or failure of a POST means: may the phone have
// rung, and whose fault it is. The documented errors are those of
// https://docs.xoxzo.com/en/errors.
func classify(err error) outcome.Ending {
	refused := outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs, Detail: err.Error()}
	var e *client.Error
	errors.As(err, &e)
	switch {
	case client.MayHaveBeenSent(err):
		return outcome.Ending{
			Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, MayHaveRung: true, Detail: err.Error(),
			Reason: "the carrier's answer was lost; the phone may have rung",
		}
	case errors.Is(err, client.ErrInput):
		refused.Reason, refused.Permanent = "the carrier's client refused the request", true
	case client.IsUnauthorized(err):
		refused.Reason, refused.Permanent = "the carrier refused our credentials", true
	case client.IsNotEnoughCredits(err):
		refused.Reason = "the carrier account has too little credit"
	case client.IsCountryNotAllowed(err):
		refused.Reason, refused.Permanent = "the carrier account may not call this country", true
	case client.IsThrottled(err):
		refused.Reason, refused.Fault = "the carrier is asked too often", outcome.FaultCarrier
	case e != nil && e.Status == http.StatusBadRequest && len(e.Fields["recipient"]) > 0:
		refused.Reason, refused.Fault, refused.Permanent = "the carrier does not accept this number", outcome.FaultNumber, true
	case e != nil && e.Status != 0:
		refused.Reason = "the carrier did not accept the request"
	default:
		return outcome.Ending{
			Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, Detail: err.Error(),
			Reason: "the carrier could not be reached",
		}
	}
	return refused
}

// ofCall says how a call that is over ended.
func ofCall(call client.Call) outcome.Ending {
	e := outcome.Ending{MayHaveRung: true, Detail: "status " + string(call.Status)}
	switch call.Status {
	case client.CallAnswered:
		e.Outcome, e.Reason = outcome.Answered, "somebody answered; the carrier cannot say what was heard"
	case client.CallBusy:
		e.Outcome, e.Reason, e.Fault = outcome.Busy, "the line was busy", outcome.FaultNumber
	case client.CallNoAnswer:
		e.Outcome, e.Reason, e.Fault = outcome.NoAnswer, "nobody answered", outcome.FaultPerson
	case client.CallFailed:
		e.Outcome, e.Reason, e.Fault = outcome.CarrierFailed, "the carrier says that the call failed", outcome.FaultCarrier
	default:
		e.Outcome, e.Reason, e.Fault = outcome.CarrierFailed, "the carrier ended the call without a known result", outcome.FaultCarrier
	}
	return e
}

// ofMessage says how a message ended.
func ofMessage(m client.Message) outcome.Ending {
	e := outcome.Ending{MayHaveRung: true, Detail: "status " + string(m.Status)}
	if m.Status.Delivered() {
		e.Outcome, e.Reason = outcome.Delivered, "the carrier says that it arrived"
		return e
	}
	e.Outcome, e.Reason, e.Fault = outcome.Undelivered, "the carrier says that it did not arrive", outcome.FaultNumber
	return e
}
