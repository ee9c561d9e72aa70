package client

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Secret is text that must not be seen: an API key, a client token, a code. It
// prints, logs and marshals as "[secret]" and gives its text to Reveal alone.
type Secret string

const masked = "[secret]"

// Reveal gives the text.
func (s Secret) Reveal() string { return string(s) }

// String is the mask.
func (s Secret) String() string { return masked }

// GoString is the mask.
func (s Secret) GoString() string { return masked }

// Format writes the mask for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue is the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalJSON is the mask; a Secret can be read from JSON all the same.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(masked) }

// StartRequest says whom to verify, and how. Only To is required: the zero
// value of every other field leaves the choice to the service's settings.
type StartRequest struct {
	To       string `json:"to"`                 // E.164, "+" and digits
	Channel  string `json:"channel,omitempty"`  // voice or sms; not beside Workflow
	Workflow []Step `json:"workflow,omitempty"` // at most 5 steps, one code
	Locale   string `json:"locale,omitempty"`   // BCP 47
	Gate     string `json:"gate,omitempty"`     // any_key, screen_digits or none
	// Screen promises that Verification.ScreenDigits will be shown to the person.
	Screen  bool   `json:"screen,omitempty"`
	Service string `json:"service,omitempty"` // id
	Purpose string `json:"purpose,omitempty"` // at most 64 bytes; tells proofs of one number apart
	Brand   string `json:"brand,omitempty"`   // who calls; at most 40 letters
	// Amount (decimal, such as "12.50"), Currency (ISO 4217) and Payee belong
	// together, are told to the person, and must be repeated by the check.
	Amount   string `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	Payee    string `json:"payee,omitempty"`
	// Extension is dialled after the answer: digits, * and #, with the pauses w
	// (half a second) and W (a second).
	Extension string `json:"extension,omitempty"`
	Told
}

// Told is what a request tells beside the number. It decides nothing: the server
// keeps it encrypted, and shows it to the account's keys.
type Told struct {
	Consent  *Consent          `json:"consent,omitempty"`
	ClientIP string            `json:"client_ip,omitempty"` // the person's, not yours
	UserRef  string            `json:"user_ref,omitempty"`  // your name for the person
	Metadata map[string]string `json:"metadata,omitempty"`  // at most 10 pairs
}

// Consent is when (RFC 3339) and how the person agreed to be called.
type Consent struct {
	At  string `json:"at"`
	How string `json:"how,omitempty"`
}

// Step is one step of a workflow.
type Step struct {
	Channel string `json:"channel"` // voice or sms
	// TimeoutSeconds is how long the person has before the next step, 5 to 600;
	// zero is 60.
	TimeoutSeconds int `json:"timeout_seconds,omitempty"`
}

// CheckRequest is one guess.
type CheckRequest struct {
	Code Secret // digits; spaces and dashes are fine
	// As they were in the start, where it had them.
	Amount, Currency, Payee string
}

func (r CheckRequest) wire() checkWire {
	return checkWire{r.Code.Reveal(), r.Amount, r.Currency, r.Payee}
}

type checkWire struct {
	Code     string `json:"code"`
	Amount   string `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	Payee    string `json:"payee,omitempty"`
}

type resendWire struct {
	Channel string `json:"channel,omitempty"`
}

type empty struct{}

// The statuses of a verification. All but StatusPending are ends.
const (
	StatusPending     = "pending"
	StatusApproved    = "approved"
	StatusCanceled    = "canceled"
	StatusExpired     = "expired"
	StatusMaxAttempts = "max_attempts_reached"
	StatusFailed      = "failed"
)

// Verification is one proof of one number.
type Verification struct {
	ID      string `json:"id"`
	Service string `json:"service,omitempty"`
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"` // why it ended
	To      string `json:"to"`               // in full for the key that started it, masked for others
	Channel string `json:"channel"`          // of the current step
	Locale  string `json:"locale"`
	Gate    string `json:"gate"`
	Purpose string `json:"purpose,omitempty"`
	Told           // as the start told it

	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`

	Remaining      int `json:"remaining"`       // guesses left
	SendsRemaining int `json:"sends_remaining"` // calls and messages left
	Step           int `json:"step"`            // counted from 1
	Steps          int `json:"steps"`

	// ScreenDigits is what the person must key to hear the code; there from the
	// first ring until they did.
	ScreenDigits string `json:"screen_digits,omitempty"`
	// ClientToken lets the person's browser watch, check, resend and cancel this
	// verification. Only Start's answer has it.
	ClientToken Secret `json:"client_token,omitempty"`

	Attempts []Attempt `json:"attempts"`
}

// The states of an attempt, in order. A message goes from placed to ended.
const (
	StateQueued   = "queued"
	StateDialling = "dialling"
	StatePlaced   = "placed"
	StateRinging  = "ringing"
	StateInCall   = "in_call"
	StateEnded    = "ended"
)

// Attempt is one call or one message.
type Attempt struct {
	ID         string    `json:"id"`
	Channel    string    `json:"channel"`
	Route      string    `json:"route,omitempty"` // empty while queued
	State      string    `json:"state"`
	Outcome    string    `json:"outcome,omitempty"` // how it ended, such as heard, busy, delivered
	Reason     string    `json:"reason,omitempty"`  // the outcome in a sentence
	Ungated    bool      `json:"ungated,omitempty"` // a gate was wanted, and the route takes no keys
	GatePassed bool      `json:"gate_passed,omitempty"`
	Readouts   int       `json:"readouts"` // how often the whole code was read
	CreatedAt  time.Time `json:"created_at"`
	// Zero: not yet, or never.
	DialledAt    time.Time `json:"dialled_at,omitzero"`
	RungAt       time.Time `json:"rung_at,omitzero"`
	AnsweredAt   time.Time `json:"answered_at,omitzero"`
	GatePassedAt time.Time `json:"gate_passed_at,omitzero"`
	EndedAt      time.Time `json:"ended_at,omitzero"`
}

// Checked is the result of one guess.
type Checked struct {
	Status    string `json:"status"`
	Valid     bool   `json:"valid"`
	Remaining int    `json:"remaining"` // guesses left
}
