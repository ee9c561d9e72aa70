package talk_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
)

const moment = 10 * time.Millisecond

func TestGate(t *testing.T) {
	t.Parallel()
	end := promptEnd(t, script.GateScreenDigits)
	prompt := composed(t, script.GateScreenDigits).BeforeGate().Parts
	again := end + 5*time.Second + spoken(prompt[len(prompt)-1]) // the repeated prompt's end
	tests := map[string]struct {
		gate    script.Gate
		acts    []act
		want    outcome.Outcome
		prompts int
	}{
		"right":                       {script.GateScreenDigits, []act{{end + moment, "42"}}, outcome.Heard, 1},
		"right, keyed slowly":         {script.GateScreenDigits, []act{{end + 4*time.Second, "4"}, {end + 8*time.Second, "2"}}, outcome.Heard, 1},
		"right, then more keys":       {script.GateScreenDigits, []act{{end + moment, "42#7"}}, outcome.Heard, 1},
		"wrong":                       {script.GateScreenDigits, []act{{end + moment, "24"}}, outcome.GateMissed, 1},
		"wrong, then right":           {script.GateScreenDigits, []act{{end + moment, "2442"}}, outcome.GateMissed, 1},
		"before the prompt's end":     {script.GateScreenDigits, []act{{end - moment, "42"}}, outcome.GateMissed, 2},
		"at the answer":               {script.GateScreenDigits, []act{{0, "42"}}, outcome.GateMissed, 2},
		"half before the prompt ends": {script.GateScreenDigits, []act{{end - moment, "4"}, {end + moment, "2"}}, outcome.GateMissed, 2},
		"early and then in time":      {script.GateScreenDigits, []act{{end - moment, "99"}, {end + moment, "42"}}, outcome.Heard, 1},
		"after the repeat":            {script.GateScreenDigits, []act{{again + moment, "42"}}, outcome.Heard, 2},
		"during the repeat":           {script.GateScreenDigits, []act{{again - moment, "42"}}, outcome.GateMissed, 2},
		"half, repeat, whole":         {script.GateScreenDigits, []act{{end + moment, "4"}, {again + 2*moment, "42"}}, outcome.Heard, 2},
		"silence":                     {script.GateScreenDigits, nil, outcome.GateMissed, 2},
		"hung up at the prompt":       {script.GateScreenDigits, []act{{end - moment, hangsUp}}, outcome.HungUpEarly, 1},
		"hung up while we wait":       {script.GateScreenDigits, []act{{end + moment, hangsUp}}, outcome.HungUpEarly, 1},
		"any key":                     {script.GateAnyKey, []act{{end + 2*time.Second, "#"}}, outcome.Heard, 1},
		"any key, too early":          {script.GateAnyKey, []act{{moment, "5"}}, outcome.GateMissed, 2},
		"no gate":                     {script.GateNone, nil, outcome.Heard, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := call{gate: tt.gate, screen: "42", acts: tt.acts}.hold(t)
			if h.Outcome != tt.want {
				t.Errorf("outcome %s, want %s", h.Outcome, tt.want)
			}
			prompts := 0
			for _, s := range h.said {
				if s.part.Kind == script.KindGate {
					prompts++
				}
			}
			if prompts != tt.prompts {
				t.Errorf("%d prompts, want %d", prompts, tt.prompts)
			}
			passed := tt.want == outcome.Heard && tt.gate != script.GateNone
			if (h.happened(carrier.GatePassed) == 1) != passed {
				t.Errorf("gate_passed reported: %v", h.events)
			}
			if tt.want != outcome.Heard && h.digits() > 0 {
				t.Error("a digit was said though the gate was not passed")
			}
			if missed := tt.want == outcome.GateMissed; missed != (h.aside() == string(script.AsideGateMissed)) {
				t.Errorf("closing phrase %q", h.aside())
			}
			if h.Outcome != outcome.Heard && h.lasted > 38*time.Second {
				t.Errorf("a call without its gate lasted %v", h.lasted)
			}
		})
	}
}

// The gate's limit holds where the line is slow or the keys trickle.
func TestGateLimit(t *testing.T) {
	t.Parallel()
	slow := call{gate: script.GateAnyKey, slower: 3}.hold(t)
	if slow.Outcome != outcome.GateMissed || slow.lasted > 38*time.Second || slow.lasted < 30*time.Second {
		t.Errorf("slow line: %s after %v", slow.Outcome, slow.lasted)
	}
	long := call{gate: script.GateScreenDigits, screen: strings.Repeat("1", 20)}
	for at := promptEnd(t, long.gate) + moment; at < time.Minute; at += 4 * time.Second {
		long.acts = append(long.acts, act{at, "1"})
	}
	if h := long.hold(t); h.Outcome != outcome.GateMissed || h.lasted > 38*time.Second {
		t.Errorf("trickling keys: %s after %v", h.Outcome, h.lasted)
	}
}

func TestHello(t *testing.T) {
	t.Parallel()
	for hello, want := range map[time.Duration]time.Duration{0: 0, time.Second: time.Second, time.Minute: 2500 * time.Millisecond} {
		h := call{gate: script.GateAnyKey, hello: hello}.hold(t)
		if h.said[0].begin != want {
			t.Errorf("a hello of %v: spoke after %v, want %v", hello, h.said[0].begin, want)
		}
	}
}

// Keys that are pressed at the very end of a prompt are dropped, and not only
// sometimes.
func TestKeysAtThePromptsEnd(t *testing.T) {
	t.Parallel()
	for range 50 {
		if h := (call{gate: script.GateAnyKey, instant: true, atEnd: strings.Repeat("5", 60)}).hold(t); h.Outcome != outcome.GateMissed {
			t.Fatalf("outcome %s", h.Outcome)
		}
	}
}

// timeline is the call without any disturbance behind its gate.
func timeline(t *testing.T) (call, held) {
	t.Helper()
	c := call{gate: script.GateScreenDigits, screen: "42"}
	c.acts = []act{{promptEnd(t, c.gate) + time.Second, "42"}}
	h := c.hold(t)
	if h.Outcome != outcome.Heard || h.happened(carrier.ReadOnce) < 2 {
		t.Fatalf("undisturbed: %s after %v", h.Outcome, h.events)
	}
	return c, h
}

func TestUndisturbed(t *testing.T) {
	t.Parallel()
	_, h := timeline(t)
	s := composed(t, script.GateScreenDigits)
	var got, want []string
	for _, x := range h.said {
		got = append(got, x.part.Kind.String()+" "+x.part.Phrase)
	}
	for _, p := range s.Parts {
		want = append(want, p.Kind.String()+" "+p.Phrase)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("not the script, in order (-want +got):\n" + d)
	}
	var events []carrier.Event
	events = append(events, carrier.Event{Kind: carrier.GatePassed})
	for n := 1; n <= s.Readouts(); n++ {
		events = append(events, carrier.Event{Kind: carrier.Reading, Readout: n}, carrier.Event{Kind: carrier.ReadOnce, Readout: n})
	}
	if d := cmp.Diff(events, h.events); d != "" {
		t.Error("events (-want +got):\n" + d)
	}
	if d := cmp.Diff([]script.Kind{script.KindGate, 0, script.KindMenu, 0}, h.waits); d != "" {
		t.Error("waits (-want +got):\n" + d)
	}
	if h.Fault != outcome.FaultNone || h.hung != 1 {
		t.Errorf("fault %q, hung up %d times", h.Fault, h.hung)
	}
}

// disturb has something happen in the middle of each part of the call and gives
// check the index of the part, and how many digits were whole before it.
func disturb(t *testing.T, what string, check func(t *testing.T, i int, base, got held)) {
	c, base := timeline(t)
	for i, s := range base.said {
		t.Run(fmt.Sprintf("part %d", i), func(t *testing.T) {
			t.Parallel()
			d := c
			d.acts = append(slices.Clone(c.acts), act{(s.begin + s.end) / 2, what})
			slices.SortFunc(d.acts, func(a, b act) int { return int(a.at - b.at) })
			check(t, i, base, d.hold(t))
		})
	}
}

// wholeBefore says whether a whole readout came before part i.
func wholeBefore(h held, i int) bool {
	n := 0
	for _, s := range h.said[:i] {
		if s.part.Kind == script.KindDigit {
			n++
		}
	}
	return n >= code().Len()
}

func gateIndex(h held) int {
	return slices.IndexFunc(h.said, func(s said) bool { return s.part.Kind == script.KindGate })
}

func TestHangUpAtEachPart(t *testing.T) {
	t.Parallel()
	disturb(t, hangsUp, func(t *testing.T, i int, base, got held) {
		want, fault := outcome.HungUpEarly, outcome.FaultPerson
		if wholeBefore(base, i) {
			want, fault = outcome.Heard, outcome.FaultNone
		}
		if got.Outcome != want || got.Fault != fault || len(got.said) != i+1 {
			t.Errorf("%s (%s) after %d parts, want %s after %d", got.Outcome, got.Fault, len(got.said), want, i+1)
		}
	})
}

func TestCancelAtEachPart(t *testing.T) {
	t.Parallel()
	disturb(t, cancels, func(t *testing.T, i int, base, got held) {
		want := outcome.Canceled
		if wholeBefore(base, i) {
			want = outcome.Heard
		}
		if got.Outcome != want || got.aside() != string(script.AsideCanceled) {
			t.Errorf("%s with closing phrase %q, want %s", got.Outcome, got.aside(), want)
		}
		for _, s := range got.said[i+1:] {
			if s.part.Section != script.SectionBye {
				t.Errorf("a %s was said after the cancellation", s.part.Kind)
			}
		}
		if want == outcome.Canceled && got.Detail != errSuperseded.Error() {
			t.Errorf("detail %q, want the cause", got.Detail)
		}
	})
}

func TestBrokenLineAtEachPart(t *testing.T) {
	t.Parallel()
	disturb(t, breaks, func(t *testing.T, i int, base, got held) {
		want, fault := outcome.CarrierFailed, outcome.FaultCarrier
		if wholeBefore(base, i) {
			want, fault = outcome.Heard, outcome.FaultNone
		}
		if got.Outcome != want || got.Fault != fault {
			t.Errorf("%s (%s), want %s", got.Outcome, got.Fault, want)
		}
	})
}

func TestReportAtEachPart(t *testing.T) {
	t.Parallel()
	disturb(t, "9", func(t *testing.T, i int, base, got held) {
		if i <= gateIndex(base) {
			if got.Outcome != outcome.Heard {
				t.Errorf("a key before the gate: %s", got.Outcome)
			}
			return
		}
		if got.Outcome != outcome.Reported || got.aside() != string(script.AsideReported) {
			t.Errorf("%s with closing phrase %q, want reported", got.Outcome, got.aside())
		}
		if got.said[i].whole && got.said[i].part.Kind != script.KindSilence {
			t.Error("the key did not break in")
		}
	})
}

func TestAgainAtEachPart(t *testing.T) {
	t.Parallel()
	disturb(t, "1", func(t *testing.T, i int, base, got held) {
		if got.Outcome != outcome.Heard {
			t.Errorf("outcome %s", got.Outcome)
		}
		first := slices.IndexFunc(base.said, func(s said) bool { return s.part.Readout == 1 })
		if i < first {
			if len(got.said) != len(base.said) || !got.said[i].whole {
				t.Error("the key counts before the first readout")
			}
			return
		}
		if got.said[i].whole {
			t.Error("the key did not break in")
		}
		if next := got.said[i+1].part; next.Readout != 1 {
			t.Errorf("after the key came a %s of the %s, want the first readout", next.Kind, next.Section)
		}
		if got.lasted > 120*time.Second {
			t.Errorf("lasted %v", got.lasted)
		}
	})
}

func TestAnnouncement(t *testing.T) {
	t.Parallel()
	s, err := script.ComposeText("en", "The office is closed on Monday.")
	if err != nil {
		t.Fatalf("ComposeText: %v", err)
	}
	if h := (call{script: &s, acts: []act{{2 * time.Second, "19"}}}).hold(t); h.Outcome != outcome.Heard || len(h.events) != 2 {
		t.Errorf("%s after %v", h.Outcome, h.events)
	}
	if h := (call{script: &s, acts: []act{{1500 * time.Millisecond, hangsUp}}}).hold(t); h.Outcome != outcome.HungUpEarly {
		t.Errorf("hung up: %s", h.Outcome)
	}
}

// What would be unsafe or impossible is not said at all.
func TestUnsayable(t *testing.T) {
	t.Parallel()
	gated := composed(t, script.GateAnyKey)
	twice, early, unknown := gated, gated, gated
	twice.Parts = append(slices.Clone(gated.Parts), gated.BeforeGate().Parts...)
	early.Parts = append(slices.Clone(gated.Readout(1)), gated.Parts...)
	unknown.Parts = slices.Clone(gated.Parts)
	for i := range unknown.Parts {
		if unknown.Parts[i].Kind == script.KindGate {
			unknown.Parts[i].Gate = "knock"
		}
	}
	for name, c := range map[string]call{
		"empty":            {script: &script.Script{Lang: "en"}},
		"two gates":        {script: &twice},
		"code before gate": {script: &early},
		"unknown gate":     {script: &unknown},
		"no screen digits": {gate: script.GateScreenDigits},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := c.hold(t)
			if h.Outcome != outcome.CarrierFailed || h.Fault != outcome.FaultOurs || len(h.said) != 0 {
				t.Errorf("%s (%s) after %d parts", h.Outcome, h.Fault, len(h.said))
			}
		})
	}
}

// Whatever happens when, no digit is said before the gate was passed, and the
// call ends within its cap.
func TestNoDigitBeforeTheGate(t *testing.T) {
	t.Parallel()
	const calls = 3000
	happenings := []string{"1", "9", "4", "2", "42", "24", "#", "42", "4", "1", hangsUp, cancels}
	rnd := rand.New(rand.NewPCG(7, 39205))
	synctest.Test(t, func(t *testing.T) {
		seen := map[outcome.Outcome]int{}
		for range calls {
			c := call{gate: script.GateScreenDigits, screen: "42", hello: time.Duration(rnd.IntN(4)) * time.Second}
			if rnd.IntN(3) == 0 {
				c.gate = script.GateAnyKey
			}
			at := time.Duration(rnd.IntN(18_000)) * time.Millisecond
			for range rnd.IntN(8) {
				c.acts = append(c.acts, act{at, happenings[rnd.IntN(len(happenings))]})
				at += time.Duration(rnd.IntN(12_000)) * time.Millisecond
			}
			h := c.inBubble(t)
			seen[h.Outcome]++
			if h.happened(carrier.GatePassed) == 0 && h.digits() > 0 {
				t.Fatalf("a digit without the gate: %+v", c.acts)
			}
			if h.lasted > 120*time.Second {
				t.Fatalf("lasted %v: %+v", h.lasted, c.acts)
			}
		}
		for _, o := range []outcome.Outcome{outcome.Heard, outcome.GateMissed, outcome.HungUpEarly, outcome.Reported, outcome.Canceled} {
			if seen[o] < calls/100 {
				t.Errorf("%d calls of %d ended %s: the property is hardly tried", seen[o], calls, o)
			}
		}
	})
}

// The gate's key pressed twice is no report, whichever key it was.
func TestDoubledKeyAtTheGate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]call{
		"any key":       {gate: script.GateAnyKey},
		"screen digits": {gate: script.GateScreenDigits, screen: "49"},
	} {
		base := c.hold(t) // missed: nobody keys
		prompt := base.said[gateIndex(base)]
		keys := map[string]string{"any key": "9", "screen digits": "49"}[name]
		c.acts = []act{{prompt.end + time.Second, keys}, {prompt.end + 1300*time.Millisecond, "9"}}
		if h := c.hold(t); h.Outcome != outcome.Heard {
			t.Errorf("%s: %s", name, h.Outcome)
		}
		c.acts[1].at = prompt.end + 4*time.Second
		if h := c.hold(t); h.Outcome != outcome.Reported {
			t.Errorf("%s, three seconds later: %s", name, h.Outcome)
		}
	}
}
