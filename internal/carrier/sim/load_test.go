package sim_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/script"
)

// Phones and attempts are bounded, and what is in a call is not forgotten.
func TestBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{Pace: sim.Fast, Phones: 10}), number(t, manual)
		place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		call := carriertest.Voice(t, "+14155550102", script.GateAnyKey)
		for i := range 12_000 {
			call.Account = fmt.Sprintf("account %d", i)
			place(t, c, call)
			time.Sleep(time.Millisecond)
		}
		if calls, phones := sim.Calls(c), sim.Phones(c); calls > 10_001 || phones > 11 {
			t.Errorf("%d attempts and %d phones are remembered", calls, phones)
		}
		if c.Phone(owner, n).State != sim.Ringing {
			t.Error("a ringing phone was forgotten")
		}
	})
}

// Many phones at once, with people and programs at them.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := start(t, sim.Config{Pace: sim.Fast})
	var all sync.WaitGroup
	for i := range 200 {
		call := carriertest.Voice(t, manual, script.GateScreenDigits)
		call.Account = fmt.Sprintf("account %d", i%50)
		all.Go(func() {
			ref, err := c.Place(t.Context(), call)
			if err != nil {
				t.Errorf("Place: %v", err)
				return
			}
			_ = c.Answer(call.Account, call.To) // another call may have the phone
			_ = c.Press(call.Account, call.To, carriertest.ScreenDigits)
			_ = c.Phone(call.Account, call.To)
			if i%3 == 0 {
				_ = c.Hangup(t.Context(), ref)
			}
			if e, err := c.Follow(t.Context(), ref, func(carrier.Event) {}); err != nil || !e.Outcome.OfVoice() {
				t.Errorf("%q, error %v", e.Outcome, err)
			}
		})
	}
	all.Wait()
	if n := sim.Calls(c); n != 0 {
		t.Errorf("%d attempts are remembered", n)
	}
}
