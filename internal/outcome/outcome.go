// Package outcome holds the closed list of ways an attempt can end, and the
// classes of failure that decide what may follow. It knows words only: no
// carrier, no storage, no policy.
package outcome

import "slices"

// Outcome is how one attempt (a call or a message) ended.
type Outcome string

// Voice outcomes.
const (
	Heard       Outcome = "heard"         // our media, or the carrier's word, says that a whole readout was played
	Answered    Outcome = "answered"      // somebody answered; the carrier cannot say what was heard
	Busy        Outcome = "busy"          // the line was engaged
	NoAnswer    Outcome = "no_answer"     // it rang out
	Rejected    Outcome = "rejected"      // the person declined the call
	Unreachable Outcome = "unreachable"   // switched off, unassigned, out of coverage
	Machine     Outcome = "machine"       // a mailbox or screening answered; nothing was read
	GateMissed  Outcome = "gate_missed"   // answered, and the gate was not passed
	HungUpEarly Outcome = "hung_up_early" // hung up before a whole readout
	Reported    Outcome = "reported"      // the person said that they did not ask for this
)

// Message outcomes.
const (
	Sent        Outcome = "sent"        // accepted by the carrier; nothing more was learned
	Delivered   Outcome = "delivered"   // the carrier says the handset has it
	Undelivered Outcome = "undelivered" // the carrier says it will not arrive
)

// Outcomes of both channels.
const (
	CarrierRefused Outcome = "carrier_refused" // the carrier (or our own configuration of it) said no
	CarrierFailed  Outcome = "carrier_failed"  // the carrier, the network or a node of ours broke
	Canceled       Outcome = "canceled"        // we ended it: cancel, supersede, expiry, approval
)

var voice = []Outcome{Heard, Answered, Busy, NoAnswer, Rejected, Unreachable, Machine, GateMissed, HungUpEarly, Reported}
var message = []Outcome{Sent, Delivered, Undelivered}
var both = []Outcome{CarrierRefused, CarrierFailed, Canceled}

// All lists every outcome, voice first.
func All() []Outcome { return slices.Concat(voice, message, both) }

// Valid says whether o is on the list.
func (o Outcome) Valid() bool { return slices.Contains(All(), o) }

// OfVoice says whether a call can end with o.
func (o Outcome) OfVoice() bool { return slices.Contains(voice, o) || slices.Contains(both, o) }

// OfMessage says whether a message can end with o.
func (o Outcome) OfMessage() bool { return slices.Contains(message, o) || slices.Contains(both, o) }

// Reached says that the person may now hold the code: the workflow waits for
// them instead of moving on at once.
func (o Outcome) Reached() bool {
	return o == Heard || o == Answered || o == Sent || o == Delivered
}

// Fault says whose doing a failure was.
type Fault string

// The parties that can be at fault.
const (
	FaultNone    Fault = ""
	FaultNumber  Fault = "number"  // the number or its line
	FaultPerson  Fault = "person"  // declined, hung up, missed the gate
	FaultCarrier Fault = "carrier" // the carrier or the network to it
	FaultOurs    Fault = "ours"    // configuration, credentials, a lost node
)

// Ending is an outcome with what is needed to act on it and to explain it.
type Ending struct {
	Outcome Outcome
	// Reason is one safe sentence a person can read: no number, no code, no
	// text from a carrier.
	Reason string
	// MayHaveRung is false only where the phone provably did not ring: then,
	// and only then, another route may be tried.
	MayHaveRung bool
	Fault       Fault
	// Permanent says that the same attempt can never succeed on this route.
	Permanent bool
	// Detail is the carrier's own reason, masked. It goes to the log only.
	Detail string
}
