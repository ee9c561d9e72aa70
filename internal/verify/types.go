package verify

import (
	"slices"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

// Status of a verification.
type Status string

// The statuses. All but Pending are ends.
const (
	Pending     Status = "pending"
	Approved    Status = "approved"
	Canceled    Status = "canceled"
	Expired     Status = "expired"
	MaxAttempts Status = "max_attempts_reached"
	Failed      Status = "failed"
)

// Reasons of ends, for people and programs.
const (
	ReasonSuperseded = "superseded"  // a new start for the same number and purpose
	ReasonAsked      = "canceled"    // the caller asked for it
	ReasonReported   = "reported"    // the person did not ask for the call
	ReasonRefused    = "refused"     // permanently refused by the carriers
	ReasonGuesses    = "max_guesses" // the last allowed guess was wrong
	ReasonExpired    = "expired"
	ReasonNextStep   = "next_step" // an attempt stopped because the next step was asked for
)

// Verification is one proof of one number for one purpose, as it is stored.
type Verification struct {
	ID      string // time-ordered, 26 characters
	Account string
	Service string
	Purpose string
	// NumberIndex is a keyed hash of the number alone; NumberSealed the number
	// for delivery; Country and Prefix (six digits) are for rules.
	NumberIndex  []byte
	NumberSealed []byte
	Country      string
	Prefix       string
	// LimitKey names the row that counts this number at this service.
	LimitKey string
	// Binding is a keyed hash of everything a new start must share to supersede
	// this one: account, service, number, purpose, amount, currency, payee.
	Binding []byte
	// Order serialises the calls to this number.
	Order  []byte
	Status Status
	Reason string // why it ended; empty while pending or approved
	// CodeMAC is kept; Sealed (code, amount, payee) and TokenHash are erased in
	// the statement that ends the verification.
	KeyID     string
	CodeMAC   []byte
	Sealed    []byte
	TokenHash []byte
	Guesses   int // wrong ones
	Sends     int
	Step      int // index into Settings.Workflow
	// Context is the sealed rest of the request, kept for audit: consent, client
	// IP, user reference, metadata; nil without any.
	Context   []byte
	CreatedAt time.Time
	ExpiresAt time.Time
	EndedAt   time.Time // zero while pending
	Settings  Settings
}

// Settings is what the start decided. It never changes.
type Settings struct {
	StartedBy   string             `json:"started_by,omitempty"` // key id
	Language    string             `json:"language"`
	Brand       string             `json:"brand,omitempty"`
	CodeLength  int                `json:"code_length"`
	MaxGuesses  int                `json:"max_guesses"`
	MaxSends    int                `json:"max_sends"`
	Gate        script.Gate        `json:"gate"`
	GatePolicy  account.GatePolicy `json:"gate_policy"`
	Workflow    []account.Step     `json:"workflow"`
	PlainDigits bool               `json:"plain_digits,omitempty"`
	// Words says that there is a payment: a payee must be spoken, which not every
	// route can, and a check repeats it.
	Words bool `json:"words,omitempty"`
	// Extension says that keys are dialled after the answer: a message cannot do
	// that, nor can every route.
	Extension bool `json:"extension,omitempty"`
}

// AttemptState is how far an attempt has come.
type AttemptState string

// The states of an attempt, in order.
const (
	StateQueued   AttemptState = "queued"
	StateDialling AttemptState = "dialling" // durable before the call leaves
	StatePlaced   AttemptState = "placed"   // the carrier's reference is on record
	StateRinging  AttemptState = "ringing"
	StateInCall   AttemptState = "in_call"
	StateEnded    AttemptState = "ended"
)

// Attempt is one call or one message on one route.
type Attempt struct {
	ID           string
	Verification string
	Account      string
	N            int // 1, 2, ... within the verification
	Send         int // which send it belongs to: another route is the same send
	Step         int
	Channel      phone.Channel
	Route        string // empty while queued
	State        AttemptState
	Ref          string // the carrier's reference
	Outcome      outcome.Outcome
	Reason       string
	MayHaveRung  bool
	Fault        outcome.Fault
	Permanent    bool        // this route will never carry it
	Gate         script.Gate // what this route was asked for
	Ungated      bool        // a gate was wanted, and the route has none
	Screen       []byte      // sealed screen digits
	GatePassed   bool
	Readouts     int    // whole readouts played
	Stop         string // set when the call in progress must end: the reason
	CreatedAt    time.Time
	DialledAt    time.Time
	RungAt       time.Time
	AnsweredAt   time.Time
	GateAt       time.Time // the gate was passed
	EndedAt      time.Time
}

// overBy is when a call that was dialled must be over, whatever became of it.
func (a Attempt) overBy() time.Time { return a.DialledAt.Add(PlaceTimeout + RingTimeout + LongestCall) }

// open says that the attempt has not ended.
func (a Attempt) open() bool { return a.State != StateEnded }

// expired says whether a pending verification's time is up.
func (v Verification) expired(now time.Time) bool {
	return v.Status == Pending && !now.Before(v.ExpiresAt)
}

// statusAt is the status as it must be told: expiry counts before the sweeper
// has written it down.
func (v Verification) statusAt(now time.Time) Status {
	if v.expired(now) {
		return Expired
	}
	return v.Status
}

// step gives the current step.
func (v Verification) step() account.Step { return v.Settings.Workflow[v.Step] }

// uses says whether a channel is part of the workflow.
func (v Verification) uses(ch phone.Channel) bool {
	return slices.ContainsFunc(v.Settings.Workflow, func(s account.Step) bool { return s.Channel == ch })
}
