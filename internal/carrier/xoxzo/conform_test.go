package xoxzo_test

import (
	"testing"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/xoxzo"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// withServer is the adapter with its other end.
type withServer struct {
	*xoxzo.Carrier
	x *xoxzotest.Server
}

func TestConformance(t *testing.T) {
	t.Parallel()
	voice := carriertest.Voice(t, "+818012345678", script.GateNone)
	message := carriertest.Message(t, "+818012345678")
	scenarios := map[string]carriertest.Scenario{}
	add := func(name string, call carrier.Call, want outcome.Outcome, statuses ...string) {
		scenarios[name] = carriertest.Scenario{Call: call, Want: want, Prepare: func(_ *testing.T, c carrier.Carrier) {
			life := xoxzotest.Life{Statuses: statuses}
			c.(withServer).x.ScriptCalls("", life)
			c.(withServer).x.ScriptMessages("", life)
		}}
	}
	add("answered", voice, outcome.Answered, "IN_PROGRESS", "ANSWERED", "ANSWERED")
	add("busy", voice, outcome.Busy, "IN_PROGRESS", "BUSY")
	add("no answer", voice, outcome.NoAnswer, "NO_ANSWER")
	add("failed", voice, outcome.CarrierFailed, "FAILED")
	add("delivered", message, outcome.Delivered, "QUEUED", "DELIVERED")
	add("undelivered", message, outcome.Undelivered, "FAILED")
	refuse := func(name string, want outcome.Outcome, notRung bool, f xoxzotest.Fault) {
		scenarios[name] = carriertest.Scenario{Call: voice, Want: want, Refused: true, NotRung: notRung,
			Prepare: func(_ *testing.T, c carrier.Carrier) { c.(withServer).x.Fail(xoxzotest.OpPlayback, f) }}
	}
	refuse("credentials", outcome.CarrierRefused, true, xoxzotest.Unauthorized())
	refuse("credit", outcome.CarrierRefused, true, xoxzotest.NotEnoughCredits())
	refuse("lost answer", outcome.CarrierFailed, false, xoxzotest.Fault{Drop: true, Acts: true})
	carriertest.Run(t, carriertest.Fixture{
		New: func(t *testing.T) carrier.Carrier {
			x := xoxzotest.New(t)
			return withServer{adapter(t, x, nil), x}
		},
		Unfit:     map[string]carrier.Call{"gated": carriertest.Voice(t, "+818012345678", script.GateAnyKey)},
		Scenarios: scenarios,
	})
}
