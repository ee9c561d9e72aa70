package talk_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
)

// However often the person asks, nothing is begun that the cap would cut.
func TestAgainUntilTheCap(t *testing.T) {
	t.Parallel()
	c, base := timeline(t)
	menu := base.said[slices.IndexFunc(base.said, func(s said) bool { return s.part.Kind == script.KindMenu })]
	for at := menu.end + moment; at < 3*time.Minute; at += 400 * time.Millisecond {
		if at > menu.end+20*time.Second {
			at += 15 * time.Second
		}
		c.acts = append(c.acts, act{at, "1"})
	}
	h := c.hold(t)
	if h.Outcome != outcome.Heard || h.lasted > 120*time.Second || h.happened(carrier.Reading) <= 3 {
		t.Errorf("%s after %v and %v", h.Outcome, h.lasted, h.events)
	}
	if last := h.said[len(h.said)-1]; !last.whole {
		t.Errorf("the cap cut a %s", last.part.Kind)
	}
}

// A key that asks for what does not fit any more does not break in.
func TestAgainTooLate(t *testing.T) {
	t.Parallel()
	base := call{gate: script.GateNone}.hold(t)
	var last said // the last digit of the second readout
	for _, s := range base.said {
		if s.part.Readout == 2 && s.part.Kind == script.KindDigit {
			last = s
		}
	}
	h := call{gate: script.GateNone, longest: last.end + 2*time.Second, acts: []act{{last.end - moment, "1"}}}.hold(t)
	want := []carrier.Event{
		{Kind: carrier.Reading, Readout: 1}, {Kind: carrier.ReadOnce, Readout: 1},
		{Kind: carrier.Reading, Readout: 2}, {Kind: carrier.ReadOnce, Readout: 2},
	}
	if d := cmp.Diff(want, h.events); d != "" {
		t.Error("events (-want +got):\n" + d)
	}
}

func TestCap(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		call  call
		want  outcome.Outcome
		fault outcome.Fault
		reads int
	}{
		"no readout fits":        {call{longest: 15 * time.Second}, outcome.CarrierFailed, outcome.FaultOurs, 0},
		"one fits":               {call{longest: 23 * time.Second}, outcome.Heard, outcome.FaultNone, 1},
		"slower than estimated":  {call{slower: 2, longest: 42 * time.Second}, outcome.Heard, outcome.FaultNone, 1},
		"cut in the first":       {call{slower: 4, longest: 50 * time.Second}, outcome.CarrierFailed, outcome.FaultOurs, 0},
		"shorter than the intro": {call{longest: time.Second}, outcome.CarrierFailed, outcome.FaultOurs, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.call.gate = script.GateNone
			h := tt.call.hold(t)
			if h.Outcome != tt.want || h.Fault != tt.fault || h.happened(carrier.ReadOnce) != tt.reads {
				t.Errorf("%s (%s) after %v, want %s", h.Outcome, h.Fault, h.events, tt.want)
			}
			if h.lasted > tt.call.longest {
				t.Errorf("lasted %v", h.lasted)
			}
			if tt.call.slower == 0 && h.happened(carrier.Reading) != tt.reads {
				t.Errorf("a readout was begun that could not end: %v", h.events)
			}
		})
	}
}

// A greeting that takes nearly all of the 30 seconds leaves time for the keys.
func TestLongGreetingCanBePassed(t *testing.T) {
	t.Parallel()
	for _, lang := range script.Languages() {
		name := strings.Repeat("Wide ", 8)[:39]
		long, err := script.Compose(script.Message{
			Lang: lang, Brand: name, Payee: name, Amount: &script.Money{Minor: 7_777_77, Currency: "EUR"}, Code: code(),
			Gate: script.GateScreenDigits, Menu: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		// The person says hello for long, and keys 3 s after the prompt; the
		// estimate has 8 s for that.
		keyed := long.BeforeGate().Duration() - 8*time.Second + 2500*time.Millisecond + 3*time.Second
		h := call{script: &long, screen: "48", hello: 3 * time.Second, acts: []act{{keyed, "48"}}}.hold(t)
		if h.Outcome != outcome.Heard {
			t.Errorf("%s: %s after %v, the greeting alone takes %v", lang, h.Outcome, h.lasted, long.BeforeGate().Duration())
		}
	}
}
