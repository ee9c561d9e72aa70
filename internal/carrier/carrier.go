// Package carrier is the contract between delivery and whatever can place a
// call or send a message. It knows what to ask of a carrier and how to say that
// it refused, and has a book for the carriers that carry calls themselves; it
// knows no adapter, and a carrier is never told what a verification is: "call this
// number, say this script, tell me how it ended".
package carrier

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// Carrier places calls and sends messages.
type Carrier interface {
	// Can says what the carrier is able to do. It is constant for a process.
	Can() Abilities

	// Place asks for the call or message and returns the carrier's reference
	// for it. A failure is a *Refusal that says whether the phone may have
	// rung; any other error counts as "may have rung". Place never retries a
	// request that may have been carried out.
	Place(ctx context.Context, call Call) (Ref, error)

	// Follow reports what happens until the attempt has ended. It returns an
	// error only when ctx ended first: the attempt then goes on unseen.
	// Events arrive in order, from one goroutine.
	Follow(ctx context.Context, ref Ref, report func(Event)) (outcome.Ending, error)

	// Hangup ends the call after a short phrase where the carrier can do that.
	// It returns ErrCannot where it cannot; hanging up an ended or unknown call
	// is no error.
	Hangup(ctx context.Context, ref Ref) error
}

// Hinted is a carrier that tells by callbacks that it has news: app mounts them
// for it. They are not signed, so they settle nothing.
type Hinted interface {
	Carrier
	// FollowHinted is Follow, except that the carrier is asked at once whenever
	// hints yields.
	FollowHinted(ctx context.Context, ref Ref, hints <-chan struct{}, report func(Event)) (outcome.Ending, error)
}

// ErrCannot says that the carrier has no such ability.
var ErrCannot = errors.New("carrier: not supported by this carrier")

// Abilities is what a carrier can do.
type Abilities struct {
	Voice bool // places calls
	SMS   bool // sends messages
	Gate  bool // can wait for keys before the code is read
	Keys  bool // takes keys after the gate (again, report)
	Text  bool // is given text and speaks it with its own voice
	Sound bool // is given sound
	Payee bool // can speak free words: a brand, a payee
	// Words are the languages in which it can speak free words, where Payee says
	// that it can; empty means every language that it speaks.
	Words  []string
	Resume bool // a call placed before a restart can be followed afterwards
	// Extension: can dial keys after the answer, before anything is said.
	Extension bool
	// Languages it can speak; empty means every language we have.
	Languages []string
	// Countries it calls, ISO 3166; empty means all.
	Countries []string
}

// Reaches says whether the carrier calls numbers of the country.
func (a Abilities) Reaches(country string) bool {
	return len(a.Countries) == 0 || slices.Contains(a.Countries, country)
}

// Speaks says whether the carrier can speak the language.
func (a Abilities) Speaks(lang string) bool {
	return len(a.Languages) == 0 || slices.Contains(a.Languages, lang)
}

// SpeaksWords says whether the carrier can speak free words in the language.
func (a Abilities) SpeaksWords(lang string) bool {
	return a.Payee && a.Speaks(lang) && (len(a.Words) == 0 || slices.Contains(a.Words, lang))
}

// Carries says whether the carrier serves the channel.
func (a Abilities) Carries(c phone.Channel) bool {
	return c == phone.Voice && a.Voice || c == phone.SMS && a.SMS
}

// Route is a configured carrier.
type Route struct {
	// Name is unique among the routes; it is stored with attempts.
	Name string
	// Embedded marks the simulator: no phone rings and nothing costs money, so
	// the list of allowed countries does not apply.
	Embedded bool
	// Priority orders the routes, the lowest first; equal ones stand as they are
	// configured.
	Priority int
	// Weight is the route's share among the routes of its priority that have one:
	// one of these is drawn, before those without. Zero: none.
	Weight  int
	Carrier Carrier
}

// Ref is the carrier's own reference for a call or message: at most 200 bytes.
type Ref string

// Call is what a carrier is asked to do: a call (Script) or a message (Text).
type Call struct {
	Attempt string // our id, unique for ever
	Account string // whose call it is, for carriers that keep phones per account
	To      phone.Number
	Channel phone.Channel
	Script  script.Script // voice
	Text    secret.Text   // sms
	// ScreenDigits is what must be keyed where the script's gate says so.
	ScreenDigits secret.Text
	// Extension is dialled after the answer, before the script begins: 0-9, *, #
	// and the pauses w (half a second) and W (a second). Zero: none.
	Extension secret.Text
	// Callback is what the attempt's callback address ends with, for a carrier
	// that is Hinted. Zero: it has none.
	Callback secret.Text
	// RingTimeout bounds the ringing, Longest the call from the answer on.
	RingTimeout time.Duration
	Longest     time.Duration
}

// EventKind names what happened during a call.
type EventKind string

// The events of a call, in the order in which they can come.
const (
	Ringing    EventKind = "ringing"
	Answered   EventKind = "answered"
	GatePassed EventKind = "gate_passed"
	Reading    EventKind = "reading" // a readout begins
	ReadOnce   EventKind = "read"    // a whole readout was played
)

// Event is one thing that happened.
type Event struct {
	Kind    EventKind
	Readout int // 1 for the first, with Reading and ReadOnce
}

// Refusal is why Place did not place anything, classified where it was born.
type Refusal struct {
	Ending outcome.Ending
	Err    error // the cause, for the log
}

// Error is the safe half: the reason without the cause.
func (r *Refusal) Error() string { return "carrier: " + r.Ending.Reason }

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// EndingOf turns Place's error into an ending. What is no Refusal may have rung.
func EndingOf(err error) outcome.Ending {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Ending
	}
	return outcome.Ending{
		Outcome: outcome.CarrierFailed, Reason: "the carrier could not be asked; the phone may have rung",
		MayHaveRung: true, Fault: outcome.FaultCarrier, Detail: "unclassified error",
	}
}
