package audio

import (
	"fmt"
	"testing"
	"time"
)

// said lists what Activity says about each frame.
func said(samples []int16) []bool {
	var a Activity
	var all []bool
	for at := 0; at+FrameSamples <= len(samples); at += FrameSamples {
		all = append(all, a.Feed(samples[at:at+FrameSamples]))
	}
	return all
}

// span is the time of the first and after the last frame with speech; ok says
// that there was any.
func span(frames []bool) (from, to time.Duration, ok bool) {
	for i, speaking := range frames {
		if speaking && !ok {
			from, ok = time.Duration(i)*FrameDuration, true
		}
		if speaking {
			to = time.Duration(i+1) * FrameDuration
		}
	}
	return from, to, ok
}

// A burst of 600 ms, 15 dB and more over the line's noise.
func TestActivityHearsSpeech(t *testing.T) {
	t.Parallel()
	for _, floor := range []float64{-100, -70, -60, -50, -45, -40} {
		for _, level := range []float64{-42, -35, -25, -15} {
			if level < floor+16 {
				continue
			}
			t.Run(fmt.Sprintf("%v over %v", level, floor), func(t *testing.T) {
				t.Parallel()
				word := Normalize(sine(250, -20, ms(600), Rate), level)
				samples := concat(Silence(time.Second), word, Silence(2*time.Second))
				samples = through(PCMU, add(samples, noise(3, floor, len(samples))))
				from, to, ok := span(said(samples))
				if !ok || from < time.Second+60*time.Millisecond || from > time.Second+120*time.Millisecond {
					t.Errorf("speech from 1 s is heard (%v) from %v", ok, from)
				}
				if to < 1600*time.Millisecond+200*time.Millisecond || to > 1600*time.Millisecond+320*time.Millisecond {
					t.Errorf("speech to 1.6 s is heard to %v", to)
				}
			})
		}
	}
}

func TestActivityIgnores(t *testing.T) {
	t.Parallel()
	click := func(level float64, length int) []int16 {
		return concat(Silence(405*time.Millisecond), sine(1000, level, length, Rate), Silence(393*time.Millisecond))
	}
	var clicks [][]int16
	for range 10 {
		clicks = append(clicks, click(-6, ms(39)), click(-10, ms(5)))
	}
	comfort := noise(8, -50, 4*Rate)
	clear(comfort[Rate : 2*Rate]) // suppressed silence
	tests := map[string][]int16{
		"silence":           make([]int16, 5*Rate),
		"hum":               sine(50, -50, 5*Rate, Rate),
		"noise at -60":      noise(1, -60, 5*Rate),
		"noise at -45":      noise(2, -45, 5*Rate),
		"noise at -36":      noise(2, -36, 5*Rate),
		"clicks":            concat(clicks...),
		"comfort noise":     comfort,
		"noise that swells": concat(noise(3, -60, Rate), noise(4, -54, Rate), noise(5, -48, 2*Rate)),
		"lost frames":       lossy(5, noise(6, -40, 20*Rate), 0.1),
	}
	for name, samples := range tests {
		if from, _, ok := span(said(samples)); ok {
			t.Errorf("%s: speech from %v", name, from)
		}
	}
}

// Noise that stays is noise after some seconds.
func TestActivityLearnsNoise(t *testing.T) {
	t.Parallel()
	_, to, _ := span(said(concat(noise(1, -65, 2*Rate), noise(2, -32, 10*Rate))))
	if to > 7*time.Second {
		t.Errorf("noise from 2 s on counts as speech until %v", to)
	}
}

// Somebody who speaks from the first frame on is heard, through the pauses
// between words, and until the end.
func TestActivityHearsVoice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		speech := add(voice(seed, 6*Rate), noise(seed, -55, 6*Rate))
		frames := said(concat(speech, noise(seed+1, -55, 2*Rate)))
		speaking := 0
		for _, s := range frames[:300] {
			if s {
				speaking++
			}
		}
		if speaking < 240 {
			t.Errorf("voice %d: heard in %d of 300 frames", seed, speaking)
		}
		if _, to, _ := span(frames); to > 6*time.Second+400*time.Millisecond {
			t.Errorf("voice %d: ends at 6 s, heard to %v", seed, to)
		}
	}
}

func TestActivityOddFrames(t *testing.T) {
	t.Parallel()
	var a Activity
	for _, frame := range [][]int16{nil, {}, {-32768}, make([]int16, 7)} {
		if a.Feed(frame) {
			t.Errorf("%d samples are speech", len(frame))
		}
	}
}

func BenchmarkActivity(b *testing.B) {
	var a Activity
	samples := voice(1, 10*Rate)
	at := 0
	b.ReportAllocs()
	for b.Loop() {
		a.Feed(samples[at : at+FrameSamples])
		at = (at + FrameSamples) % (len(samples) - FrameSamples)
	}
}
