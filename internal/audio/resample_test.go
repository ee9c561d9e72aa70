package audio

import (
	"fmt"
	"math"
	"testing"
)

// toneLevel is the level of one frequency in the middle of a sound.
func levelAt(samples []int16, frequency float64, rate int) float64 {
	cut := len(samples) / 8
	samples = samples[cut : len(samples)-cut]
	var re, im, weight float64
	for i, s := range samples {
		h := 1 - math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(samples)))
		re += h * float64(s) * math.Cos(2*math.Pi*frequency*float64(i)/float64(rate))
		im += h * float64(s) * math.Sin(2*math.Pi*frequency*float64(i)/float64(rate))
		weight += h
	}
	return decibels(2 * (re*re + im*im) / (weight * weight))
}

// Tones up to 0.85 of half the lower rate keep their level, and nothing else
// comes; tones from half the lower rate on are gone.
func TestResampleTones(t *testing.T) {
	t.Parallel()
	for _, rates := range [][2]int{
		{16000, 8000}, {22050, 8000}, {24000, 8000}, {44100, 8000}, {48000, 8000}, {96000, 8000}, {11025, 8000}, {8000, 16000},
		{8000, 48000}, {8000, 44100}, {16000, 22050}, {44100, 16000}, {8000, 4000}, {4000, 96000}, {47999, 8001},
	} {
		t.Run(fmt.Sprintf("%d to %d", rates[0], rates[1]), func(t *testing.T) {
			t.Parallel()
			from, to := rates[0], rates[1]
			nyquist := float64(min(from, to)) / 2
			for _, share := range []float64{0.025, 0.1, 0.25, 0.5, 0.7, 0.8, 0.85} {
				f := share * nyquist
				got := Sound{Rate: from, Samples: sine(f, -6, from/2, from)}.Resample(to)
				if level := levelAt(got.Samples, f, to); math.Abs(level+6) > 0.1 {
					t.Errorf("%.0f Hz: %.2f dBFS, want -6 ± 0.1", f, level)
				}
				// What is left when the tone is taken away: images and noise.
				middle := got.Samples[len(got.Samples)/8 : len(got.Samples)-len(got.Samples)/8]
				if rest := residue(middle, f, to); rest > -66 {
					t.Errorf("%.0f Hz: a residue of %.1f dBFS, 60 dB under the tone wanted", f, rest)
				}
			}
			if from < to {
				return
			}
			for _, share := range []float64{1.01, 1.1, 1.3, 1.7, 2.5, 5} {
				f := share * nyquist
				if f > float64(from)/2 {
					break
				}
				got := Sound{Rate: from, Samples: sine(f, -6, from/2, from)}.Resample(to)
				middle := got.Samples[len(got.Samples)/8 : len(got.Samples)-len(got.Samples)/8]
				if level := Level(middle); level > -66 {
					t.Errorf("%.0f Hz comes through with %.1f dBFS", f, level)
				}
			}
		})
	}
}

// residue is the level of all but one tone, which is fitted by least squares.
func residue(samples []int16, frequency float64, rate int) float64 {
	var cc, cs, ss, xc, xs float64
	for i, s := range samples {
		sin, cos := math.Sincos(2 * math.Pi * frequency * float64(i) / float64(rate))
		cc, cs, ss = cc+cos*cos, cs+cos*sin, ss+sin*sin
		xc, xs = xc+float64(s)*cos, xs+float64(s)*sin
	}
	det := cc*ss - cs*cs
	a, b := (xc*ss-xs*cs)/det, (xs*cc-xc*cs)/det
	sum := 0.0
	for i, s := range samples {
		sin, cos := math.Sincos(2 * math.Pi * frequency * float64(i) / float64(rate))
		d := float64(s) - a*cos - b*sin
		sum += d * d
	}
	return decibels(sum / float64(len(samples)))
}

func TestResampleLength(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to, n, want int }{
		{16000, 8000, 16000, 8000}, {16000, 8000, 1, 1}, {16000, 8000, 3, 2}, {8000, 16000, 5, 10}, {22050, 8000, 22050, 8000},
		{44100, 8000, 44100 * 3, 24000}, {8000, 8000, 7, 7}, {16000, 8000, 0, 0}, {95999, 4001, 95999, 4001},
	} {
		got := Sound{Rate: test.from, Samples: make([]int16, test.n)}.Resample(test.to)
		if len(got.Samples) != test.want || got.Rate != test.to {
			t.Errorf("%d at %d Hz: %d at %d, want %d at %d", test.n, test.from, len(got.Samples), got.Rate, test.want, test.to)
		}
	}
}

// A moment stays where it was: a pulse at 1.25 s is at 1.25 s.
func TestResampleKeepsTime(t *testing.T) {
	t.Parallel()
	in := Sound{Rate: 48000, Samples: make([]int16, 96000)}
	in.Samples[60000] = 32767
	out := in.Resample(8000).Samples
	top := 0
	for i := range out {
		if out[i] > out[top] {
			top = i
		}
	}
	if top != 10000 {
		t.Errorf("the pulse is at sample %d, want 10000", top)
	}
}

// Full scale may overshoot, but never wraps around.
func TestResampleSaturates(t *testing.T) {
	t.Parallel()
	in := Sound{Rate: 16000, Samples: make([]int16, 4000)}
	for i := range in.Samples {
		in.Samples[i] = 32767
		if i/100%2 == 1 {
			in.Samples[i] = -32768
		}
	}
	for i, s := range in.Resample(8000).Samples[40:1960] {
		// Plateaus of 50 samples: their middles have their sign.
		if at := (i + 40) % 100; at > 10 && at < 40 && s < 30000 || at > 60 && at < 90 && s > -30000 {
			t.Fatalf("sample %d is %d", i+40, s)
		}
	}
}

func TestResampleRefusesRates(t *testing.T) {
	t.Parallel()
	for _, rates := range [][2]int{{0, 8000}, {8000, 0}, {8000, 96001}, {3999, 8000}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d to %d: no panic", rates[0], rates[1])
				}
			}()
			Sound{Rate: rates[0]}.Resample(rates[1])
		}()
	}
}

func BenchmarkResample(b *testing.B) {
	for _, rate := range []int{16000, 22050, 48000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			in := Sound{Rate: rate, Samples: voice(1, rate)}
			for b.Loop() {
				in.Resample(Rate)
			}
		})
	}
}
