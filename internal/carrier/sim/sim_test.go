package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

const owner = "account" // as carriertest has it

func number(t *testing.T, s string) phone.Number {
	t.Helper()
	n, err := phone.Parse(s)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return n
}

func place(t *testing.T, c *sim.Carrier, call carrier.Call) carrier.Ref {
	t.Helper()
	ref, err := c.Place(t.Context(), call)
	if err != nil {
		t.Fatalf("Place: %v", err)
	}
	return ref
}

func follow(t *testing.T, c *sim.Carrier, ref carrier.Ref) outcome.Ending {
	t.Helper()
	e, err := c.Follow(t.Context(), ref, func(carrier.Event) {})
	if err != nil {
		t.Fatalf("Follow: %v", err)
	}
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// heardDigits is the code's digit words as a phone heard them, in one string.
func heardDigits(p sim.Phone) string { return strings.Join(p.Heard, "\n") }

// A person's whole call, at the real pace: what the phone shows at each step.
func TestPersonAtTheRealPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{}), number(t, manual)
		if p := c.Phone(owner, n); p.State != sim.Idle || p.CallID != "" {
			t.Errorf("before: %s", p.State)
		}
		ref := place(t, c, carriertest.Voice(t, manual, script.GateScreenDigits))
		time.Sleep(5 * time.Second)
		if p := c.Phone(owner, n); p.State != sim.Ringing || p.CallID != string(ref) || len(p.Heard) != 0 {
			t.Errorf("it should ring: %s", p.State)
		}
		must(t, c.Answer(owner, n))
		if p := c.Phone(owner, n); p.State != sim.InCall || p.Gate != "" {
			t.Errorf("it should be answered: %s, gate %q", p.State, p.Gate)
		}
		// Too early: the intro is being said.
		must(t, c.Press(owner, n, carriertest.ScreenDigits))
		for c.Phone(owner, n).Gate == "" {
			time.Sleep(100 * time.Millisecond)
		}
		p := c.Phone(owner, n)
		if p.Gate != string(script.GateScreenDigits) || strings.Contains(heardDigits(p), "number seven") {
			t.Errorf("gate %q after %d parts", p.Gate, len(p.Heard))
		}
		must(t, c.Press(owner, n, carriertest.ScreenDigits))
		synctest.Wait()
		if p := c.Phone(owner, n); p.Gate != "" {
			t.Errorf("gate %q after its keys", p.Gate)
		}
		if e := follow(t, c, ref); e.Outcome != outcome.Heard {
			t.Errorf("%s: %s", e.Outcome, e.Reason)
		}
		p = c.Phone(owner, n)
		if p.State != sim.Ended || strings.Count(heardDigits(p), "number seven") != 3 {
			t.Errorf("%s after hearing %d parts", p.State, len(p.Heard))
		}
	})
}

// A program that answers and presses at once, in real time at the fast pace.
func TestProgramAtTheFastPace(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		gate  script.Gate
		press []string
		want  outcome.Outcome
		least int // how often the code was heard
	}{
		"right":           {script.GateScreenDigits, []string{carriertest.ScreenDigits}, outcome.Heard, 3},
		"key by key":      {script.GateScreenDigits, []string{carriertest.ScreenDigits[:1], carriertest.ScreenDigits[1:]}, outcome.Heard, 3},
		"wrong":           {script.GateScreenDigits, []string{"11"}, outcome.GateMissed, 0},
		"any key":         {script.GateAnyKey, []string{"*"}, outcome.Heard, 3},
		"again":           {script.GateAnyKey, []string{"5", "1"}, outcome.Heard, 3},
		"report":          {script.GateAnyKey, []string{"5", "9"}, outcome.Reported, 0},
		"report, no gate": {script.GateNone, []string{"9"}, outcome.Reported, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, n := start(t, sim.Config{Pace: sim.Fast}), number(t, manual)
			call := carriertest.Voice(t, manual, tt.gate)
			if tt.gate == script.GateNone {
				// With a menu, so that the call waits for the key.
				call.Script = menuWithoutGate(t)
			}
			ref := place(t, c, call)
			must(t, c.Answer(owner, n))
			for _, keys := range tt.press {
				must(t, c.Press(owner, n, keys))
			}
			if e := follow(t, c, ref); e.Outcome != tt.want {
				t.Errorf("%s: %s; want %s", e.Outcome, e.Reason, tt.want)
			}
			if heard := strings.Count(heardDigits(c.Phone(owner, n)), "number seven"); heard < tt.least {
				t.Errorf("the code was heard %d times, want %d", heard, tt.least)
			}
		})
	}
}

func menuWithoutGate(t *testing.T) script.Script {
	t.Helper()
	s, err := script.Compose(script.Message{Lang: "en", Code: carriertest.Code(), Menu: true})
	must(t, err)
	return s
}

func TestCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{}), number(t, manual)
		all := func(when string, answer, press, hangup error) {
			t.Helper()
			// Hanging up last: it ends what the others need.
			for _, x := range []struct {
				what      string
				got, want error
			}{
				{"Answer", c.Answer(owner, n), answer},
				{"Press", c.Press(owner, n, "1"), press},
				{"HangupPhone", c.HangupPhone(owner, n), hangup},
			} {
				if !errors.Is(x.got, x.want) {
					t.Errorf("%s: %s gave %v, want %v", when, x.what, x.got, x.want)
				}
			}
			synctest.Wait()
		}
		all("a phone never called", sim.ErrNotRinging, sim.ErrNotInCall, sim.ErrNotInCall)
		first := place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		all("ringing", nil, nil, nil)
		all("ended", sim.ErrNotRinging, sim.ErrNotInCall, sim.ErrNotInCall)
		if e := follow(t, c, first); e.Outcome != outcome.HungUpEarly {
			t.Errorf("answered and hung up: %s", e.Outcome)
		}
		must(t, c.Behave(owner, n, sim.Answers))
		second := place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		all("acting by itself", sim.ErrNotRinging, sim.ErrNotInCall, sim.ErrNotInCall)
		if e := follow(t, c, second); e.Outcome != outcome.Heard {
			t.Errorf("acting by itself: %s", e.Outcome)
		}
		for _, keys := range []string{"", "12a", "+", "１", "1 2", strings.Repeat("1", 33)} {
			if err := c.Press(owner, n, keys); !errors.Is(err, sim.ErrBadKeys) {
				t.Errorf("Press of %d bytes: %v", len(keys), err)
			}
		}
		if err := c.Behave(owner, n, "sings"); !errors.Is(err, sim.ErrBehaviour) {
			t.Errorf("Behave: %v", err)
		}
	})
}

// A behaviour is for one call, and a call that finds the line engaged does not
// use it up.
func TestBehaveAndBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{Pace: sim.Fast}), number(t, manual)
		call := carriertest.Voice(t, manual, script.GateAnyKey)
		first := place(t, c, call)
		must(t, c.Behave(owner, n, sim.Answers))
		if e := follow(t, c, place(t, c, call)); e.Outcome != outcome.Busy || e.MayHaveRung {
			t.Errorf("in a call: %s", e.Outcome)
		}
		if p := c.Phone(owner, n); p.State != sim.Ringing || p.CallID != string(first) {
			t.Error("the second call disturbed the first")
		}
		other := call
		other.Account = "another"
		place(t, c, other)
		if c.Phone("another", n).State != sim.Ringing || c.Answer("a third", n) == nil {
			t.Error("phones are not kept apart by account")
		}
		must(t, c.HangupPhone(owner, n))
		if e := follow(t, c, first); e.Outcome != outcome.Rejected {
			t.Errorf("declined: %s", e.Outcome)
		}
		if e := follow(t, c, place(t, c, call)); e.Outcome != outcome.Heard {
			t.Errorf("with a behaviour: %s", e.Outcome)
		}
		if e := follow(t, c, place(t, c, call)); e.Outcome != outcome.NoAnswer {
			t.Errorf("the call after: %s", e.Outcome)
		}
	})
}

func TestEveryBehaviour(t *testing.T) {
	t.Parallel()
	want := map[sim.Behaviour]outcome.Outcome{sim.Manual: outcome.NoAnswer, sim.Hello: outcome.GateMissed}
	for _, n := range sim.TestNumbers() {
		want[n.Behaviour] = n.Voice
		if _, err := phone.Parse(n.Number); err != nil {
			t.Errorf("%s is no valid number: %v", n.Behaviour, err)
		}
	}
	for _, b := range sim.Behaviours() {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, n := start(t, sim.Config{}), number(t, manual)
				must(t, c.Behave(owner, n, b))
				ref, err := c.Place(t.Context(), carriertest.Voice(t, manual, script.GateAnyKey))
				e := carrier.EndingOf(err)
				if err == nil {
					e = follow(t, c, ref)
				}
				if e.Outcome != want[b] {
					t.Errorf("%s, want %s", e.Outcome, want[b])
				}
			})
		})
	}
}

// Scripted phones take no time at the fast pace.
func TestScriptedPhonesAreFast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, began := start(t, sim.Config{Pace: sim.Fast}), time.Now()
		for _, n := range sim.TestNumbers() {
			if n.Behaviour != sim.Refuses {
				follow(t, c, place(t, c, carriertest.Voice(t, n.Number, script.GateScreenDigits)))
			}
		}
		if took := time.Since(began); took > time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestMessages(t *testing.T) {
	t.Parallel()
	c, n := start(t, sim.Config{}), number(t, manual)
	for i := range 25 {
		call := carriertest.Message(t, manual)
		call.Text = secret.NewText(fmt.Sprintf("text %d", i))
		if e := follow(t, c, place(t, c, call)); e.Outcome != outcome.Delivered {
			t.Fatalf("%s", e.Outcome)
		}
	}
	got := c.Phone(owner, n)
	if len(got.Messages) != 20 || got.Messages[19] != "text 24" || got.State != sim.Idle {
		t.Errorf("%d messages on a phone that is %s", len(got.Messages), got.State)
	}
	off := number(t, "+14155550104")
	follow(t, c, place(t, c, carriertest.Message(t, "+14155550104")))
	if len(c.Phone(owner, off).Messages) != 0 {
		t.Error("a phone that is switched off has a message")
	}
}

// Events wait for a follower who comes late or comes back; an attempt is
// followed to its end once.
func TestFollowLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t, sim.Config{})
		ref := place(t, c, carriertest.Voice(t, "+14155550110", script.GateAnyKey))
		var kinds []carrier.EventKind
		note := func(e carrier.Event) { kinds = append(kinds, e.Kind) }
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Follow(short, ref, note); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Follow: %v, want the context's error", err)
		}
		time.Sleep(2 * time.Minute)
		e, err := c.Follow(t.Context(), ref, note)
		if err != nil || e.Outcome != outcome.Heard {
			t.Errorf("%s, error %v", e.Outcome, err)
		}
		want := []carrier.EventKind{
			carrier.Ringing, carrier.Answered, carrier.GatePassed, carrier.Reading, carrier.ReadOnce,
			carrier.Reading, carrier.ReadOnce, carrier.Reading, carrier.ReadOnce,
		}
		if d := cmp.Diff(want, kinds); d != "" {
			t.Error("events (-want +got):\n" + d)
		}
		if e := follow(t, c, ref); e.Outcome != outcome.CarrierFailed || !e.MayHaveRung {
			t.Errorf("followed again: %s", e.Outcome)
		}
		// Never followed, and forgotten: the next ending sweeps.
		place(t, c, carriertest.Voice(t, "+14155550101", script.GateAnyKey))
		time.Sleep(6 * time.Minute)
		follow(t, c, place(t, c, carriertest.Voice(t, "+14155550101", script.GateAnyKey)))
		if n := sim.Calls(c); n != 0 {
			t.Errorf("%d attempts are remembered", n)
		}
	})
}

// Close ends what rings and what speaks, and leaves nothing running.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n, began := start(t, sim.Config{}), number(t, manual), time.Now()
		ringing := place(t, c, carriertest.Voice(t, "+14155550151", script.GateAnyKey))
		talking := place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		must(t, c.Answer(owner, n))
		must(t, c.Close())
		for _, ref := range []carrier.Ref{ringing, talking} {
			if e := follow(t, c, ref); e.Outcome != outcome.Canceled {
				t.Errorf("%s", e.Outcome)
			}
		}
		_, err := c.Place(t.Context(), carriertest.Voice(t, manual, script.GateAnyKey))
		if e := carrier.EndingOf(err); e.MayHaveRung || e.Fault != outcome.FaultOurs {
			t.Errorf("after Close: %s", e.Outcome)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestLogHoldsNothingPrivate(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		c := start(t, sim.Config{
			Rand: rand.NewChaCha8([32]byte{}), // a reference of any day may hold four digits of a number
			Log:  slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		follow(t, c, place(t, c, carriertest.Voice(t, "+14155550110", script.GateScreenDigits)))
		follow(t, c, place(t, c, carriertest.Message(t, manual)))
	})
	if log.Len() == 0 {
		t.Fatal("nothing was logged")
	}
	for _, private := range []string{"5550110", "0110", carriertest.Code().Reveal(), "seven", "Acme", "+1"} {
		if strings.Contains(log.String(), private) {
			t.Error("the log holds a number, a code or what was said")
		}
	}
}

func TestNewRefusesAPace(t *testing.T) {
	t.Parallel()
	if _, err := sim.New(sim.Config{Pace: "slow"}); err == nil {
		t.Error("no error")
	}
}
