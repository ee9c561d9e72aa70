package main

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pincall/pincall/bench/ear/line"
)

// A phrase that pauses, and units that begin and end in silence of their own,
// do not confuse where parts lie.
func TestPlace(t *testing.T) {
	t.Parallel()
	var sound []int16
	rest := func(ms int) { sound = append(sound, make([]int16, ms*line.Rate/1000)...) }
	word := func(ms int) {
		rest(40)
		for range ms * line.Rate / 1000 {
			sound = append(sound, 5000)
		}
		rest(60)
	}
	parts := []part{{Silence: 1000}, {Say: "Hello. Your code is"}, {Silence: 700}, {Digit: "1"}, {Silence: 400}, {Digit: "2"},
		{Silence: 800}, {Menu: map[string]string{}}, {Say: "Bye."}}
	rest(1000)
	word(600)
	rest(350) // a pause in the phrase
	word(900)
	rest(700)
	one := len(sound)
	word(500)
	rest(400)
	two := len(sound)
	word(500)
	rest(800)
	word(700)
	rest(promptRest)
	word(300)
	found, err := place(parts, sound)
	if err != nil {
		t.Fatal(err)
	}
	c := call{sound, found}
	all := c.readouts()
	if len(all) != 1 || len(all[0]) != 2 {
		t.Fatalf("readouts %v", all)
	}
	for i, want := range []int{one, two} {
		if off := all[0][i].from - want; off < 0 || off > 50*line.Rate/1000 {
			t.Errorf("digit %d lies %d samples off", i, off)
		}
	}
	if last := found[len(found)-1]; last.Say != "Bye." {
		t.Errorf("the last part is %+v", last)
	}
}

func TestPlaceRefuses(t *testing.T) {
	t.Parallel()
	parts := []part{{Silence: 1000}, {Digit: "1"}, {Silence: 400}, {Digit: "2"}}
	if _, err := place(parts, make([]int16, line.Rate)); err == nil {
		t.Error("one silence was taken for two")
	}
}

func TestPINs(t *testing.T) {
	t.Parallel()
	pins := newPINs(200, rand.New(rand.NewPCG(7, 11)))
	zero, repeat, six := 0, 0, 0
	for _, p := range pins {
		if strings.Trim(p, "0123456789") != "" {
			t.Fatalf("a code of %q", p)
		}
		if len(p) == 6 {
			six++
		}
		if p[0] == '0' {
			zero++
		}
		for i := range len(p) - 1 {
			if p[i] == p[i+1] {
				repeat++
				break
			}
		}
	}
	if six != 100 || zero < 40 || repeat < 40 {
		t.Errorf("of 200 codes %d have six digits, %d begin with zero, %d hold a digit twice", six, zero, repeat)
	}
}
