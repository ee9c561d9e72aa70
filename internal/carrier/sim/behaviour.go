package sim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
)

// Behaviour is what a phone does about a call. Every one but Manual and Hello acts
// by itself and takes no commands.
//
// A mailbox is not told from a person by what is heard on the line: it misses
// the gate as a silent person does. Only then, when it is settled that nothing
// is read, the simulator names what answered, because it knows, as a carrier
// that detects machines would. Where a script has no gate, a mailbox and a
// silent person are read the code, and the outcome is heard: that is what "no
// gate" means.
type Behaviour string

// The behaviours, each with the outcome of a call whose script has a gate.
const (
	Manual      Behaviour = "manual"      // rings until somebody answers or declines it
	Busy        Behaviour = "busy"        // is engaged; busy
	NoAnswer    Behaviour = "no_answer"   // rings out; no_answer
	Voicemail   Behaviour = "voicemail"   // its mailbox answers, greets, never presses a key; machine
	HangsUp     Behaviour = "hangs_up"    // answers and hangs up at once; hung_up_early
	Declines    Behaviour = "declines"    // rings and is declined; rejected
	Unreachable Behaviour = "unreachable" // is switched off; unreachable
	Answers     Behaviour = "answers"     // answers, passes the gate, listens to the end; heard
	Hello       Behaviour = "hello"       // answers by itself, says hello, then is operated like manual
	Silent      Behaviour = "silent"      // answers and never presses a key; gate_missed
	Fails       Behaviour = "fails"       // the carrier breaks; carrier_failed
	Refuses     Behaviour = "refuses"     // the carrier says no: Place fails; carrier_refused
)

// Behaviours lists them all.
func Behaviours() []Behaviour {
	return []Behaviour{Manual, Busy, NoAnswer, Voicemail, HangsUp, Declines, Unreachable, Answers, Hello, Silent, Fails, Refuses}
}

// ErrBehaviour is what ParseBehaviour and Behave answer to any other word.
var ErrBehaviour = errors.New("unknown behaviour: use manual, busy, no_answer, voicemail, hangs_up, declines, " +
	"unreachable, answers, hello, silent, fails or refuses")

// ParseBehaviour reads a behaviour by its exact name; anything else is
// ErrBehaviour, which does not repeat it.
func ParseBehaviour(s string) (Behaviour, error) {
	if b := Behaviour(s); slices.Contains(Behaviours(), b) {
		return b, nil
	}
	return "", ErrBehaviour
}

// TestNumber is a number whose phone always does the same. Such numbers exist in
// the simulator only; another behaviour can be set for one call, as for any
// phone.
type TestNumber struct {
	Number    string // E.164
	Behaviour Behaviour
	Voice     outcome.Outcome // of a call with a gate
	SMS       outcome.Outcome // of a message
}

// TestNumbers lists the numbers with fixed outcomes, for the documentation.
func TestNumbers() []TestNumber {
	how := []struct {
		does       Behaviour
		voice, sms outcome.Outcome
	}{
		{Busy, outcome.Busy, outcome.Delivered},
		{NoAnswer, outcome.NoAnswer, outcome.Delivered},
		{Voicemail, outcome.Machine, outcome.Delivered},
		{Unreachable, outcome.Unreachable, outcome.Undelivered},
		{Declines, outcome.Rejected, outcome.Delivered},
		{HangsUp, outcome.HungUpEarly, outcome.Delivered},
		{Fails, outcome.CarrierFailed, outcome.CarrierFailed},
		{Refuses, outcome.CarrierRefused, outcome.CarrierRefused},
		{Silent, outcome.GateMissed, outcome.Delivered},
		{Answers, outcome.Heard, outcome.Delivered},
	}
	out := make([]TestNumber, len(how))
	for i, h := range how {
		out[i] = TestNumber{fmt.Sprintf("+141555501%02d", i+1), h.does, h.voice, h.sms}
	}
	return out
}

// fixed is what a number's phone does unless told otherwise.
func fixed(n phone.Number) Behaviour {
	for _, t := range TestNumbers() {
		if t.Number == n.E164() {
			return t.Behaviour
		}
	}
	return Manual
}

// ending is how a call ends that comes to no conversation. Only an engaged or
// switched-off phone provably did not ring.
func ending(b Behaviour) outcome.Ending {
	e := outcome.Ending{MayHaveRung: true, Fault: outcome.FaultNumber}
	switch b {
	case Busy:
		e.Outcome, e.Reason, e.MayHaveRung = outcome.Busy, "the line was engaged", false
	case Unreachable:
		e.Outcome, e.Reason, e.MayHaveRung = outcome.Unreachable, "the phone was switched off or out of coverage", false
	case NoAnswer:
		e.Outcome, e.Reason, e.Fault = outcome.NoAnswer, "the phone rang, and nobody answered in time", outcome.FaultPerson
	case Declines:
		e.Outcome, e.Reason, e.Fault = outcome.Rejected, "the person declined the call", outcome.FaultPerson
	default:
		e.Outcome, e.Reason, e.Fault = outcome.CarrierFailed, "the carrier broke while it placed the call", outcome.FaultCarrier
	}
	return e
}

// messageEnding is how a message to such a phone ends.
func messageEnding(b Behaviour) outcome.Ending {
	switch b {
	case Unreachable:
		return outcome.Ending{
			Outcome: outcome.Undelivered, Reason: "the phone was switched off or out of coverage", Fault: outcome.FaultNumber,
		}
	case Fails:
		return outcome.Ending{
			Outcome: outcome.CarrierFailed, Reason: "the carrier broke while it sent the message",
			MayHaveRung: true, Fault: outcome.FaultCarrier,
		}
	}
	return outcome.Ending{Outcome: outcome.Delivered, Reason: "the phone has the message", MayHaveRung: true}
}
