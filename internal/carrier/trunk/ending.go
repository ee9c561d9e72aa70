package trunk

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/sipcall"
)

// outcomes are the ways in which a call ends that nobody answered.
var outcomes = map[sipcall.Class]outcome.Outcome{
	sipcall.Busy: outcome.Busy, sipcall.NoAnswer: outcome.NoAnswer, sipcall.Rejected: outcome.Rejected,
	sipcall.Unreachable: outcome.Unreachable, sipcall.Refused: outcome.CarrierRefused, sipcall.Failed: outcome.CarrierFailed,
	sipcall.Canceled: outcome.Canceled, sipcall.NoRoom: outcome.CarrierFailed,
}

var faults = map[sipcall.Fault]outcome.Fault{
	sipcall.FaultPerson: outcome.FaultPerson, sipcall.FaultNumber: outcome.FaultNumber,
	sipcall.FaultCarrier: outcome.FaultCarrier, sipcall.FaultOurs: outcome.FaultOurs,
}

// noNumber are the answers that say of the number that it does not exist: 404 Not
// Found, 410 Gone, 484 Address Incomplete, 604 Does Not Exist Anywhere (RFC 3261
// section 21).
var noNumber = []int{404, 410, 484, 604}

// unanswered is the ending of a call that was not answered. An error that is no
// Failure, or a class that is not known, proves nothing.
func unanswered(err error) outcome.Ending {
	var f *sipcall.Failure
	if !errors.As(err, &f) {
		return outcome.Ending{
			Outcome: outcome.CarrierFailed, Reason: "the call failed; the phone may have rung",
			MayHaveRung: true, Fault: outcome.FaultOurs, Detail: "unclassified error",
		}
	}
	o, known := outcomes[f.Class]
	if !known {
		o = outcome.CarrierFailed
	}
	e := outcome.Ending{
		Outcome: o, Reason: f.Reason, MayHaveRung: f.MayHaveRung || !known, Fault: faults[f.Fault],
		Permanent: o == outcome.Unreachable && slices.Contains(noNumber, f.Status), Detail: detail(f),
	}
	switch {
	case o == outcome.Canceled:
		e.Fault, e.Reason = outcome.FaultNone, "the call was ended by us before it was answered"
	case e.Fault == outcome.FaultNone:
		e.Fault = outcome.FaultCarrier
	}
	return e
}

// detail is a failure for the log.
func detail(f *sipcall.Failure) string {
	s := "no SIP answer"
	if f.Status != 0 {
		s = fmt.Sprintf("SIP %d", f.Status)
	}
	if f.Q850 != 0 {
		s += fmt.Sprintf(", Q.850 cause %d", f.Q850)
	}
	if f.Path.Forwarded {
		s += ", forwarded"
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// lineEnded corrects a conversation's ending by how its line ended: a line that
// broke is not a person who hung up.
func lineEnded(e outcome.Ending, end sipcall.End) outcome.Ending {
	broke := end.By == sipcall.ByTimer || end.By == sipcall.ByMedia
	if e.Outcome == outcome.HungUpEarly && broke {
		e.Outcome, e.Fault, e.Reason = outcome.CarrierFailed, outcome.FaultCarrier, "the line broke during the call"
	}
	if e.Outcome == outcome.HungUpEarly || broke {
		e.Detail = end.Reason
		if end.Q850 != 0 {
			e.Detail += fmt.Sprintf(", Q.850 cause %d", end.Q850)
		}
	}
	return e
}
