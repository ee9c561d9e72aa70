package sim_test

import (
	"testing"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// A number without a fixed outcome.
const manual = "+14155550150"

func fresh(pace sim.Pace) func(*testing.T) carrier.Carrier {
	return func(t *testing.T) carrier.Carrier { return start(t, sim.Config{Pace: pace}) }
}

func start(t *testing.T, cfg sim.Config) *sim.Carrier {
	t.Helper()
	c, err := sim.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() }) // always nil
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, pace := range []sim.Pace{sim.Real, sim.Fast} {
		t.Run(string(pace), func(t *testing.T) {
			t.Parallel()
			carriertest.Run(t, carriertest.Fixture{
				New: fresh(pace), Virtual: true, Unfit: unfit(t), Scenarios: scenarios(t),
				Placed: func(c carrier.Carrier) int { return sim.Calls(c.(*sim.Carrier)) },
			})
		})
	}
}

func unfit(t *testing.T) map[string]carrier.Call {
	noScript, noDigits, noText := carriertest.Voice(t, manual, script.GateNone),
		carriertest.Voice(t, manual, script.GateScreenDigits), carriertest.Message(t, manual)
	noScript.Script, noDigits.ScreenDigits, noText.Text = script.Script{}, secret.Text{}, secret.Text{}
	return map[string]carrier.Call{"no script": noScript, "no screen digits": noDigits, "no text": noText}
}

// scenarios are the test numbers, as calls and as messages, and what a person
// can do on a phone.
func scenarios(t *testing.T) map[string]carriertest.Scenario {
	out := map[string]carriertest.Scenario{}
	for _, n := range sim.TestNumbers() {
		how := string(n.Behaviour)
		notRung := n.Behaviour == sim.Busy || n.Behaviour == sim.Unreachable || n.Behaviour == sim.Refuses
		call := carriertest.Scenario{
			Call: carriertest.Voice(t, n.Number, script.GateScreenDigits), Want: n.Voice,
			Refused: n.Behaviour == sim.Refuses, NotRung: notRung,
		}
		if n.Voice == outcome.Heard {
			call.Events = []carrier.EventKind{
				carrier.Ringing, carrier.Answered, carrier.GatePassed, carrier.Reading, carrier.ReadOnce,
				carrier.Reading, carrier.ReadOnce, carrier.Reading, carrier.ReadOnce,
			}
		}
		out["voice/"+how] = call
		any := call
		any.Call = carriertest.Voice(t, n.Number, script.GateAnyKey)
		out["voice any key/"+how] = any
		out["sms/"+how] = carriertest.Scenario{
			Call: carriertest.Message(t, n.Number), Want: n.SMS, Refused: n.Behaviour == sim.Refuses,
			NotRung: n.SMS == outcome.Undelivered || n.Behaviour == sim.Refuses,
		}
	}
	voice := carriertest.Voice(t, manual, script.GateScreenDigits)
	out["nobody answers"] = carriertest.Scenario{Call: voice, Want: outcome.NoAnswer, Events: []carrier.EventKind{carrier.Ringing}}
	out["declined"] = carriertest.Scenario{Call: voice, During: at(carrier.Ringing, (*sim.Carrier).HangupPhone), Want: outcome.Rejected}
	out["no key"] = carriertest.Scenario{Call: voice, During: at(carrier.Ringing, (*sim.Carrier).Answer), Want: outcome.GateMissed}
	out["hung up on while it rings"] = carriertest.Scenario{Call: voice, Hangup: carrier.Ringing, Want: outcome.Canceled}
	out["hung up on at the answer"] = carriertest.Scenario{
		Call: voice, During: at(carrier.Ringing, (*sim.Carrier).Answer), Hangup: carrier.Answered, Want: outcome.Canceled,
	}
	heard := carriertest.Voice(t, "+14155550110", script.GateScreenDigits)
	out["hung up on after a readout"] = carriertest.Scenario{Call: heard, Hangup: carrier.ReadOnce, Want: outcome.Heard}
	out["ungated, answers"] = carriertest.Scenario{Call: carriertest.Voice(t, "+14155550110", script.GateNone), Want: outcome.Heard}
	out["ungated, mailbox"] = carriertest.Scenario{Call: carriertest.Voice(t, "+14155550103", script.GateNone), Want: outcome.Heard}
	return out
}

// at has a person do something with the phone at an event.
func at(k carrier.EventKind, do func(*sim.Carrier, string, phone.Number) error) func(*testing.T, carrier.Carrier, carrier.Event) {
	return func(t *testing.T, c carrier.Carrier, e carrier.Event) {
		n, err := phone.Parse(manual)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != k {
			return
		}
		if err := do(c.(*sim.Carrier), "account", n); err != nil {
			t.Errorf("at %s: %v", k, err)
		}
	}
}
