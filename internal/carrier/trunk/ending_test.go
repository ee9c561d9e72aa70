package trunk

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/sipcall"
)

func TestUnanswered(t *testing.T) {
	t.Parallel()
	fail := func(class sipcall.Class, fault sipcall.Fault, status int, rung bool) *sipcall.Failure {
		return &sipcall.Failure{Class: class, Fault: fault, Status: status, Reason: "why", MayHaveRung: rung}
	}
	for name, c := range map[string]struct {
		err  error
		want outcome.Ending
	}{
		"busy": {fail(sipcall.Busy, sipcall.FaultPerson, 486, true),
			outcome.Ending{Outcome: outcome.Busy, Fault: outcome.FaultPerson, MayHaveRung: true, Reason: "why", Detail: "SIP 486"}},
		"no answer": {fail(sipcall.NoAnswer, sipcall.FaultPerson, 0, true),
			outcome.Ending{Outcome: outcome.NoAnswer, Fault: outcome.FaultPerson, MayHaveRung: true, Reason: "why", Detail: "no SIP answer"}},
		"declined": {fail(sipcall.Rejected, sipcall.FaultPerson, 603, true),
			outcome.Ending{Outcome: outcome.Rejected, Fault: outcome.FaultPerson, MayHaveRung: true, Reason: "why", Detail: "SIP 603"}},
		"no such number": {fail(sipcall.Unreachable, sipcall.FaultNumber, 404, false),
			outcome.Ending{Outcome: outcome.Unreachable, Fault: outcome.FaultNumber, Permanent: true, Reason: "why", Detail: "SIP 404"}},
		"not available now": {fail(sipcall.Unreachable, sipcall.FaultNumber, 480, true),
			outcome.Ending{Outcome: outcome.Unreachable, Fault: outcome.FaultNumber, MayHaveRung: true, Reason: "why", Detail: "SIP 480"}},
		"forbidden": {fail(sipcall.Refused, sipcall.FaultOurs, 403, false),
			outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs, Reason: "why", Detail: "SIP 403"}},
		"no capacity, with a cause": {
			&sipcall.Failure{Class: sipcall.Failed, Fault: sipcall.FaultCarrier, Status: 503, Q850: 34, Reason: "why",
				Path: sipcall.Path{Forwarded: true}, Err: errors.New("cause")},
			outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, Reason: "why",
				Detail: "SIP 503, Q.850 cause 34, forwarded: cause"}},
		"our own wish": {fail(sipcall.Canceled, sipcall.FaultOurs, 487, true),
			outcome.Ending{Outcome: outcome.Canceled, MayHaveRung: true, Reason: "the call was ended by us before it was answered", Detail: "SIP 487"}},
		"no room": {fail(sipcall.NoRoom, sipcall.FaultOurs, 0, false),
			outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultOurs, Reason: "why", Detail: "no SIP answer"}},
		"a class of tomorrow": {fail("tomorrow", "", 0, false),
			outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, MayHaveRung: true, Reason: "why", Detail: "no SIP answer"}},
		"no failure": {errors.New("x"),
			outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultOurs, MayHaveRung: true,
				Reason: "the call failed; the phone may have rung", Detail: "unclassified error"}},
	} {
		if d := cmp.Diff(c.want, unanswered(c.err)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestLineEnded(t *testing.T) {
	t.Parallel()
	early := outcome.Ending{Outcome: outcome.HungUpEarly, Fault: outcome.FaultPerson, Reason: "hung up", MayHaveRung: true}
	broke := outcome.Ending{
		Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, Reason: "the line broke during the call", MayHaveRung: true, Detail: "dead",
	}
	with := func(e outcome.Ending, detail string) outcome.Ending { e.Detail = detail; return e }
	heard := outcome.Ending{Outcome: outcome.Heard}
	for name, c := range map[string]struct {
		e    outcome.Ending
		end  sipcall.End
		want outcome.Ending
	}{
		"a person":          {early, sipcall.End{By: sipcall.ByThem, Reason: "bye", Q850: 16}, with(early, "bye, Q.850 cause 16")},
		"the timer":         {early, sipcall.End{By: sipcall.ByTimer, Reason: "dead"}, broke},
		"the media":         {early, sipcall.End{By: sipcall.ByMedia, Reason: "dead"}, broke},
		"us":                {heard, sipcall.End{By: sipcall.ByUs, Reason: "we hung up"}, heard},
		"broke after heard": {heard, sipcall.End{By: sipcall.ByTimer, Reason: "dead"}, with(heard, "dead")},
	} {
		if d := cmp.Diff(c.want, lineEnded(c.e, c.end)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
