// Package carriertest is the conformance suite that every carrier passes: what
// the contract of package carrier says, checked from outside.
//
// It knows the contract and nothing of any adapter: a Fixture brings the carrier
// and moves the other end. It must not be imported by anything but tests.
package carriertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// patience bounds what must come by itself: in virtual time it passes at once.
const patience = 3 * time.Minute

// Fixture is a carrier to be tested.
type Fixture struct {
	// New makes a carrier with its other end, ready to place. What it starts
	// must end in t.Cleanup: no goroutine may be left after the test.
	New func(t *testing.T) carrier.Carrier
	// Virtual runs each test in a bubble of virtual time (testing/synctest): for
	// adapters that use no network.
	Virtual bool
	// Placed counts what the other end of a carrier was asked to carry and what
	// nobody followed to its end yet; nil: it cannot be counted.
	Placed func(carrier.Carrier) int
	// Unfit are what this adapter cannot carry beyond what no carrier can: each
	// must be refused, and nothing be placed.
	Unfit map[string]carrier.Call
	// Scenarios are the ways an attempt can go on this carrier, by name.
	Scenarios map[string]Scenario
}

// Scenario is an attempt with a known end.
type Scenario struct {
	Call carrier.Call
	// Prepare makes the other end ready, before the call is placed; nil: it is.
	Prepare func(*testing.T, carrier.Carrier)
	// During moves the other end at each event; nil: it moves by itself.
	During func(*testing.T, carrier.Carrier, carrier.Event)
	// Hangup is the event at which the suite hangs up; empty: never.
	Hangup carrier.EventKind
	// Want is the outcome, and Refused says that Place must already tell it.
	Want    outcome.Outcome
	Refused bool
	// NotRung says that the phone provably did not ring.
	NotRung bool
	// Events are the kinds reported, in order; nil: not checked.
	Events []carrier.EventKind
}

// Code is the code in the calls of this package.
func Code() secret.Code {
	c, err := secret.ParseCode("739205")
	if err != nil {
		panic(err) // the digits above are a code
	}
	return c
}

// ScreenDigits open the gate of Voice.
const ScreenDigits = "48"

// Voice is a call to a number, with the gate.
func Voice(t *testing.T, to string, gate script.Gate) carrier.Call {
	t.Helper()
	c := base(t, to, phone.Voice)
	m := script.Message{Lang: "en", Brand: "Acme", Code: Code(), Gate: gate, Menu: gate != script.GateNone}
	s, err := script.Compose(m)
	if err != nil {
		t.Fatalf("carriertest: %v", err)
	}
	c.Script = s
	if gate == script.GateScreenDigits {
		c.ScreenDigits = secret.NewText(ScreenDigits)
	}
	return c
}

// Message is an SMS to a number.
func Message(t *testing.T, to string) carrier.Call {
	t.Helper()
	c := base(t, to, phone.SMS)
	c.Text = secret.NewText(script.SMS(script.Message{Lang: "en", Brand: "Acme", Code: Code()}))
	return c
}

func base(t *testing.T, to string, ch phone.Channel) carrier.Call {
	t.Helper()
	n, err := phone.Parse(to)
	if err != nil {
		t.Fatalf("carriertest: %v", err)
	}
	return carrier.Call{
		Attempt: "attempt", Account: "account", To: n, Channel: ch,
		RingTimeout: 30 * time.Second, Longest: 120 * time.Second,
	}
}

// Run runs the suite.
func Run(t *testing.T, f Fixture) {
	t.Helper()
	f.test(t, "abilities", f.abilities)
	for name, c := range f.unfit() {
		f.test(t, "unfit/"+name, func(t *testing.T) { f.refuses(t, c) })
	}
	f.test(t, "unknown reference", f.unknown)
	for name, s := range f.Scenarios {
		f.test(t, "scenario/"+name, func(t *testing.T) { f.scenario(t, s) })
		f.test(t, "late/"+name, func(t *testing.T) { f.givenUp(t, s) })
		if s.Refused {
			continue
		}
		f.test(t, "unseen/"+name, func(t *testing.T) { f.unseen(t, s) })
	}
}

// test runs one test, in virtual time where the adapter can, and then looks for
// goroutines that it left.
func (f Fixture) test(t *testing.T, name string, body func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		left := watch(t, func() {
			if f.Virtual {
				synctest.Test(t, body)
				return
			}
			t.Run("run", body)
		})
		if left != "" {
			t.Errorf("a goroutine was left behind:\n%s", left)
		}
	})
}

// unfit are the fixture's calls and those that no carrier can carry.
func (f Fixture) unfit() map[string]carrier.Call {
	out := map[string]carrier.Call{"nothing at all": {}, "no number": {Channel: phone.Voice}, "no such channel": {Channel: "fax"}}
	for name, c := range f.Unfit {
		out[name] = c
	}
	return out
}

func (f Fixture) abilities(t *testing.T) {
	c := f.New(t)
	first := c.Can()
	if !first.Voice && !first.SMS {
		t.Error("the carrier carries nothing")
	}
	if first.Keys && !first.Gate {
		t.Error("keys are taken after the gate, and there is no gate")
	}
	for _, s := range f.Scenarios {
		if !first.Carries(s.Call.Channel) {
			t.Errorf("a scenario uses %s, which the carrier says it does not carry", s.Call.Channel)
		}
	}
	for range 3 {
		if d := cmp.Diff(first, c.Can()); d != "" {
			t.Error("abilities changed (-first +now):\n" + d)
		}
	}
}

// refuses checks that Place refuses what cannot be carried, before it asks
// anybody.
func (f Fixture) refuses(t *testing.T, call carrier.Call) {
	c := f.New(t)
	ref, err := c.Place(t.Context(), call)
	e := refusal(t, call, ref, err)
	if e.MayHaveRung || e.Outcome != outcome.CarrierRefused {
		t.Errorf("%s, may have rung: %t; want carrier_refused, not rung", e.Outcome, e.MayHaveRung)
	}
	f.placed(t, c, 0)
}

// givenUp checks that nothing is placed once ctx has ended.
func (f Fixture) givenUp(t *testing.T, s Scenario) {
	c := f.New(t)
	if s.Prepare != nil {
		s.Prepare(t, c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ref, err := c.Place(ctx, s.Call)
	if e := refusal(t, s.Call, ref, err); e.MayHaveRung {
		t.Error("given up before it was placed, and may have rung")
	}
	f.placed(t, c, 0)
}

// refusal checks that Place refused, with a class and without a reference.
func refusal(t *testing.T, call carrier.Call, ref carrier.Ref, err error) outcome.Ending {
	t.Helper()
	var r *carrier.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("Place gave a reference: %t, error of type %T; want a *carrier.Refusal", ref != "", err)
	}
	if ref != "" {
		t.Error("a refusal with a reference")
	}
	if r.Ending.Fault == outcome.FaultNone {
		t.Error("a refusal without a fault")
	}
	safe(t, call, r.Error())
	if r.Err != nil {
		safe(t, call, r.Err.Error())
	}
	sound(t, call, r.Ending)
	return r.Ending
}

func (f Fixture) placed(t *testing.T, c carrier.Carrier, want int) {
	t.Helper()
	if f.Placed == nil {
		return
	}
	if n := f.Placed(c); n != want {
		t.Errorf("%d calls or messages left, want %d", n, want)
	}
}

// unknown checks that hanging up what is not there is no error.
func (f Fixture) unknown(t *testing.T) {
	c := f.New(t)
	hangup(t, c, "no-such-reference")
	f.placed(t, c, 0)
}

func hangup(t *testing.T, c carrier.Carrier, ref carrier.Ref) {
	t.Helper()
	if err := c.Hangup(t.Context(), ref); err != nil && !errors.Is(err, carrier.ErrCannot) {
		t.Errorf("Hangup: %v, want nil or ErrCannot", err)
	}
}

// scenario places one attempt and follows it to its end.
func (f Fixture) scenario(t *testing.T, s Scenario) {
	c := f.New(t)
	if s.Prepare != nil {
		s.Prepare(t, c)
	}
	ref, err := c.Place(t.Context(), s.Call)
	if s.Refused {
		e := refusal(t, s.Call, ref, err)
		if e.Outcome != s.Want || e.MayHaveRung == s.NotRung {
			t.Errorf("%s, may have rung: %t; want %s", e.Outcome, e.MayHaveRung, s.Want)
		}
		return
	}
	if err != nil {
		t.Fatalf("Place: %v", err)
	}
	if ref == "" || len(ref) > 200 {
		t.Errorf("a reference of %d bytes, want 1 to 200", len(ref))
	}
	safe(t, s.Call, string(ref))
	f.placed(t, c, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var events []carrier.Event
	e, err := c.Follow(ctx, ref, func(e carrier.Event) {
		events = append(events, e)
		if s.During != nil {
			s.During(t, c, e)
		}
		if s.Hangup == e.Kind {
			hangup(t, c, ref)
		}
	})
	if err != nil {
		t.Fatalf("Follow: %v", err)
	}
	sound(t, s.Call, e)
	if e.Outcome != s.Want || e.MayHaveRung == s.NotRung {
		t.Errorf("%s, may have rung: %t; want %s, not rung: %t", e.Outcome, e.MayHaveRung, s.Want, s.NotRung)
	}
	if e.Outcome == outcome.Heard && e.Fault != outcome.FaultNone {
		t.Errorf("heard, and the fault of %s", e.Fault)
	}
	ordered(t, events, s)
	hangup(t, c, ref)
}

// unseen checks that Follow ends with ctx's error when ctx ends first.
func (f Fixture) unseen(t *testing.T, s Scenario) {
	c := f.New(t)
	if s.Prepare != nil {
		s.Prepare(t, c)
	}
	ref, err := c.Place(t.Context(), s.Call)
	if err != nil {
		t.Fatalf("Place: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e, err := c.Follow(ctx, ref, func(carrier.Event) {})
	// What had ended already may be told.
	if err == nil {
		sound(t, s.Call, e)
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("Follow: error of type %T, want ctx's", err)
	}
	hangup(t, c, ref)
}

// ordered checks that events come in the order of a call, each in its place.
func ordered(t *testing.T, events []carrier.Event, s Scenario) {
	t.Helper()
	var kinds []carrier.EventKind
	begun, read := 0, 0
	for i, e := range events {
		kinds = append(kinds, e.Kind)
		ok := true
		switch e.Kind {
		case carrier.Ringing:
			ok = i == 0
		case carrier.Answered, carrier.GatePassed:
			ok = begun == 0
		case carrier.Reading:
			ok = e.Readout == read+1
			begun = e.Readout
		case carrier.ReadOnce:
			ok = e.Readout == begun
			read = e.Readout
		default:
			ok = false
		}
		if !ok {
			t.Errorf("event %d (%s, readout %d) is out of place", i, e.Kind, e.Readout)
		}
	}
	if s.Events == nil {
		return
	}
	if d := cmp.Diff(s.Events, kinds); d != "" {
		t.Error("events (-want +got):\n" + d)
	}
}

// sound checks an ending of any attempt.
func sound(t *testing.T, call carrier.Call, e outcome.Ending) {
	t.Helper()
	switch {
	case call.Channel == phone.Voice && !e.Outcome.OfVoice(),
		call.Channel == phone.SMS && !e.Outcome.OfMessage(),
		!e.Outcome.Valid():
		t.Errorf("%q is no outcome of %q", e.Outcome, call.Channel)
	}
	if strings.TrimSpace(e.Reason) == "" {
		t.Error("an ending without a reason")
	}
	safe(t, call, e.Reason)
	safe(t, call, e.Detail)
}

// safe checks that nothing of the code, the screen's digits or the number is in
// a text for people or the log. The text itself is not printed.
func safe(t *testing.T, call carrier.Call, text string) {
	t.Helper()
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
	if strings.Contains(digits, Code().Reveal()) {
		t.Error("a text for the log holds the code")
	}
	// Four digits at the end are what a masked number shows.
	if number := strings.TrimPrefix(call.To.E164(), "+"); len(number) > 4 && strings.Contains(digits, number[len(number)-5:]) {
		t.Error("a text for the log holds the number")
	}
}
