package audio

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: %.2f, want %.2f ± %.2f", what, got, want, tolerance)
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	square := make([]int16, 800)
	for i := range square {
		square[i] = 32767 - int16(i&1)*32767 - int16(i&1)*32767
	}
	near(t, "square", Level(square), 0, 0.01)
	near(t, "sine", Level(sine(440, -20, Rate, Rate)), -20, 0.01)
	near(t, "noise", Level(noise(1, -45, Rate)), -45, 0.1)
	near(t, "peak of a sine", Peak(sine(440, -20, Rate, Rate)), -17, 0.05)
	near(t, "peak of the least", Peak([]int16{math.MinInt16}), 0, 0)
	near(t, "nothing", Level(nil), Silent, 0)
	near(t, "nothing's peak", Peak(nil), Silent, 0)
	near(t, "nothing's activity", ActiveLevel(nil), Silent, 0)
	near(t, "silence", ActiveLevel(make([]int16, 999)), Silent, 0)
}

// Pauses and a noise in them change the level, but not the active one.
func TestActiveLevel(t *testing.T) {
	t.Parallel()
	for _, pause := range []int{0, 1, 4, 20} {
		for _, floor := range []float64{-90, -60, -50} {
			speech := sine(300, -22, Rate, Rate)
			whole := add(concat(speech, make([]int16, pause*Rate)), noise(9, floor, (1+pause)*Rate))
			near(t, fmt.Sprintf("%d s of pause at %v", pause, floor), ActiveLevel(whole), -22, 0.2)
		}
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		for _, gain := range []float64{0.05, 0.2, 1, 3} {
			in := concat(Silence(time.Second), amplify(voice(seed, 4*Rate), gain))
			got := Normalize(in, -20)
			near(t, "speech", ActiveLevel(got), -20, 0.1)
			if peak := Peak(got); peak > -0.01 {
				t.Errorf("a peak of %.2f dBFS", peak)
			}
		}
	}
	// A target out of reach: the wave is squashed, not cut or wrapped.
	got := Normalize(sine(440, -20, Rate, Rate), 0)
	if Level(got) < -3 || Peak(got) > 0 {
		t.Errorf("level %.1f, peak %.1f", Level(got), Peak(got))
	}
	for i, s := range sine(440, -20, Rate, Rate) {
		if s != 0 && (s > 0) != (got[i] > 0) {
			t.Fatalf("sample %d is %d, was %d", i, got[i], s)
		}
	}
	near(t, "noise is not pulled up by more than 30 dB", Level(Normalize(noise(1, -70, Rate), -20)), -40, 0.2)
	if diff := cmp.Diff(make([]int16, 300), Normalize(make([]int16, 300), -20)); diff != "" {
		t.Error(diff)
	}
}

func TestFade(t *testing.T) {
	t.Parallel()
	in := make([]int16, 800)
	for i := range in {
		in[i] = 20000
	}
	got := Fade(in, 10*time.Millisecond, 20*time.Millisecond, Rate)
	if got[0] != 0 || got[40] != 10000 || got[80] != 20000 || got[639] != 20000 || got[719] < 9500 || got[719] > 10500 || got[799] != 0 {
		t.Errorf("fade: %v %v %v %v %v %v", got[0], got[40], got[80], got[639], got[719], got[799])
	}
	if in[0] != 20000 {
		t.Error("the given samples changed")
	}
	if jump := Jump(concat(make([]int16, 10), got, make([]int16, 10))); jump > 500 {
		t.Errorf("a jump of %d", jump)
	}
	for _, n := range []int{0, 1, 3, 7, 100} {
		got := Fade(in[:n], time.Second, 2*time.Second, Rate)
		if n > 0 && (got[0] != 0 || got[n-1] != 0) {
			t.Errorf("%d samples: from %d to %d", n, got[0], got[n-1])
		}
	}
	if diff := cmp.Diff(in, Fade(in, 0, -time.Second, Rate)); diff != "" {
		t.Error(diff)
	}
}

// "six": a weak hiss, a vowel, a gap, a weak hiss. The cut keeps both.
func TestTrim(t *testing.T) {
	t.Parallel()
	hiss := func(level float64) []int16 { return noise(4, level, ms(100)) }
	for _, weak := range []float64{-45, -55, -60} {
		word := concat(hiss(weak), sine(400, -20, ms(150), Rate), make([]int16, ms(60)), hiss(weak))
		in := add(concat(Silence(500*time.Millisecond), word, Silence(700*time.Millisecond)), noise(5, -80, ms(2000)))
		got := Trim(in, Rate)
		if n := len(got) - len(word); n < ms(60) || n > ms(100) {
			t.Errorf("hiss at %v dBFS: %d samples more than the word's %d, want 40 ms on each side", weak, n, len(word))
		}
		near(t, "the first hiss", Level(got[ms(50):ms(130)]), weak, 1)
	}
	if got := Trim(make([]int16, 4000), Rate); len(got) != 0 {
		t.Errorf("%d samples of silence are left", len(got))
	}
	if got := Trim(nil, Rate); len(got) != 0 {
		t.Errorf("%d samples of nothing", len(got))
	}
	if in := voice(1, 2*Rate); len(Trim(in, 2*Rate)) == 0 {
		t.Error("nothing is left of a voice")
	}
}

func TestJump(t *testing.T) {
	t.Parallel()
	for want, in := range map[int][]int16{0: nil, 7: {1, 8, 3}, 9: {4, -5, -5}, 65535: {32767, -32768}} {
		if got := Jump(in); got != want {
			t.Errorf("%v: %d, want %d", in, got, want)
		}
	}
	// A cut through a wave clicks; faded ends do not.
	wave := sine(300, -12, 1608, Rate) // its last sample is a peak
	if cut := Jump(concat(wave, make([]int16, 9))); cut < 2*Jump(wave) {
		t.Errorf("a hard cut jumps by %d, the wave by %d", cut, Jump(wave))
	}
	faded := Fade(wave, 5*time.Millisecond, 5*time.Millisecond, Rate)
	if join := Jump(concat(faded, faded)); join > Jump(wave) {
		t.Errorf("a faded join jumps by %d, the wave by %d", join, Jump(wave))
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(make([]int16, 4000), Silence(500*time.Millisecond)); diff != "" {
		t.Error(diff)
	}
	if n := len(Silence(-time.Second)); n != 0 {
		t.Errorf("%d samples of negative silence", n)
	}
}
