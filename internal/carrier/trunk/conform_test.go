package trunk_test

import (
	"context"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/trunk"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/sipcall"
)

// The other end is a caller of the same package: what real phones and carriers do
// is played by siptest's peers in the other tests.
func TestConformance(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, carriertest.Fixture{
		New:    func(t *testing.T) carrier.Carrier { return pair(t, trunk.Config{Countries: []string{"JP"}}) },
		Placed: func(c carrier.Carrier) int { return trunk.Calls(c.(rig).Carrier) },
		Unfit:  unfit(t), Scenarios: scenarios(t),
	})
}

func unfit(t *testing.T) map[string]carrier.Call {
	noScript, noDigits, noVoice, abroad, payee := voice(t, script.GateNone), voice(t, script.GateScreenDigits),
		voice(t, script.GateNone), voice(t, script.GateNone), voice(t, script.GateNone)
	noScript.Script, noDigits.ScreenDigits, noVoice.Script.Lang = script.Script{}, secret.Text{}, "de"
	abroad.To = parse(t, "+4915112345678")
	payee.Script.Parts = append([]script.Part{{Kind: script.KindPayee, Lang: "en", Words: "Shop"}}, payee.Script.Parts...)
	return map[string]carrier.Call{
		"no script": noScript, "no screen digits": noDigits, "no voice": noVoice, "another country": abroad, "payee": payee,
		"message": carriertest.Message(t, number),
	}
}

func scenarios(t *testing.T) map[string]carriertest.Scenario {
	out := map[string]carriertest.Scenario{}
	add := func(name string, s carriertest.Scenario, does func(context.Context, *sipcall.Incoming)) {
		s.Prepare = func(_ *testing.T, c carrier.Carrier) { c.(rig).phone.act(does) }
		out[name] = s
	}
	any, digits, none := voice(t, script.GateAnyKey), voice(t, script.GateScreenDigits), voice(t, script.GateNone)
	late := digits
	late.RingTimeout = 300 * time.Millisecond
	read := []carrier.EventKind{
		carrier.Reading, carrier.ReadOnce, carrier.Reading, carrier.ReadOnce, carrier.Reading, carrier.ReadOnce,
	}
	add("any key", carriertest.Scenario{
		Call: any, Want: outcome.Heard, Events: append([]carrier.EventKind{carrier.Answered, carrier.GatePassed}, read...),
	}, answers("5", 300*time.Millisecond, true))
	add("screen digits", carriertest.Scenario{
		Call: digits, Want: outcome.Heard, Events: append([]carrier.EventKind{carrier.Answered, carrier.GatePassed}, read...),
	}, answers(carriertest.ScreenDigits, 3*time.Second, false))
	add("no gate", carriertest.Scenario{
		Call: none, Want: outcome.Heard, Events: append([]carrier.EventKind{carrier.Answered}, read...),
	}, answers("", 0, false))
	add("wrong digits", carriertest.Scenario{Call: digits, Want: outcome.GateMissed}, answers("84", 3*time.Second, false))
	add("no key", carriertest.Scenario{
		Call: any, Want: outcome.GateMissed, Events: []carrier.EventKind{carrier.Answered},
	}, answers("", 0, false))
	add("busy", carriertest.Scenario{Call: any, Want: outcome.Busy, Events: nil}, rejects(486))
	add("declined", carriertest.Scenario{Call: any, Want: outcome.Rejected}, rejects(603))
	add("not available", carriertest.Scenario{Call: any, Want: outcome.Unreachable}, rejects(480))
	add("forbidden", carriertest.Scenario{Call: any, Want: outcome.CarrierRefused, NotRung: true}, rejects(403))
	add("no answer", carriertest.Scenario{Call: late, Want: outcome.NoAnswer}, lies)
	add("hangs up", carriertest.Scenario{Call: any, Want: outcome.HungUpEarly}, hangsUp)
	add("hung up on at the answer", carriertest.Scenario{Call: any, Hangup: carrier.Answered, Want: outcome.Canceled}, answers("", 0, false))
	add("hung up on after a readout", carriertest.Scenario{Call: none, Hangup: carrier.ReadOnce, Want: outcome.Heard}, answers("", 0, false))
	return out
}
