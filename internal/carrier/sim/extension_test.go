package sim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// The extension is dialled after the answer, in its own time, and only then the
// conversation begins.
func TestExtension(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{}), number(t, manual)
		call := carriertest.Voice(t, manual, script.GateAnyKey)
		call.Extension = secret.NewText("W2w0#")
		place(t, c, call)
		must(t, c.Answer(owner, n))
		for _, at := range []struct {
			after   time.Duration
			dialled string
		}{{900 * time.Millisecond, ""}, {150 * time.Millisecond, "W"}, {200 * time.Millisecond, "W2"}, {time.Second, "W2w0#"}} {
			if p := c.Phone(owner, n); len(p.Heard) != 0 {
				t.Fatalf("something was said before the extension was dialled: %q", p.Dialled)
			}
			time.Sleep(at.after)
			if p := c.Phone(owner, n); p.Dialled != at.dialled {
				t.Errorf("dialled %q, want %q", p.Dialled, at.dialled)
			}
		}
		time.Sleep(10 * time.Second)
		if p := c.Phone(owner, n); len(p.Heard) == 0 || p.Dialled != "W2w0#" {
			t.Errorf("heard %d parts", len(p.Heard))
		}
		must(t, c.HangupPhone(owner, n))
	})
}

func TestHangupWhileDialling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{}), number(t, manual)
		call := carriertest.Voice(t, manual, script.GateAnyKey)
		call.Extension = secret.NewText("WWWWWWWW1")
		ref := place(t, c, call)
		must(t, c.Answer(owner, n))
		time.Sleep(2500 * time.Millisecond)
		must(t, c.HangupPhone(owner, n))
		if e := follow(t, c, ref); e.Outcome == "heard" || !e.MayHaveRung {
			t.Errorf("ended %s", e.Outcome)
		}
		if p := c.Phone(owner, n); p.Dialled != "WW" || len(p.Heard) != 0 {
			t.Errorf("dialled %q", p.Dialled)
		}
	})
}
