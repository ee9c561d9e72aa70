package line

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

// tone is s seconds of a tone of f Hz.
func tone(f float64, s int) []int16 {
	x := make([]int16, s*Rate)
	for i := range x {
		x[i] = int16(8000 * math.Sin(2*math.Pi*f*float64(i)/Rate))
	}
	return x
}

func TestConditionsLoseWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		share, length float64 // of frames lost; frames a loss
	}{
		{"clean", 0, 0},
		{"loss5", 0.05, 1 / 0.95},
		{"loss10", 0.10, 1 / 0.90},
		{"burst10", 0.10, 4},
	} {
		out, err := Through(context.Background(), c.name, ones(2000*Rate), rng())
		if err != nil {
			t.Fatal(err)
		}
		lost, bursts := 0, 0
		for i, s := range out {
			if s == 0 {
				lost++
				if i == 0 || out[i-1] != 0 {
					bursts++
				}
			}
		}
		share := float64(lost) / float64(len(out))
		if math.Abs(share-c.share) > 0.01 {
			t.Errorf("%s lost %.3f, want %.3f", c.name, share, c.share)
		}
		if bursts > 0 {
			if length := float64(lost) / float64(bursts*frame); math.Abs(length-c.length) > 0.15*c.length {
				t.Errorf("%s lost %.2f frames at a time, want %.2f", c.name, length, c.length)
			}
		}
	}
}

func ones(n int) []int16 { return slices.Repeat([]int16{1000}, n) }

func TestNoiseIsAsStrongAsItSays(t *testing.T) {
	t.Parallel()
	in := append(tone(500, 3), make([]int16, 3*Rate)...) // the silence does not count
	out := Hiss(in, 20, rng())
	power := 0.0
	for i := range in {
		d := float64(out[i] - in[i])
		power += d * d / float64(len(in))
	}
	if snr := 20 * math.Log10(level(in)/math.Sqrt(power)); math.Abs(snr-20) > 0.2 {
		t.Errorf("SNR %.2f dB, want 20", snr)
	}
}

func TestThroughKnowsItsNames(t *testing.T) {
	t.Parallel()
	if _, err := Through(context.Background(), "fog", nil, rng()); err == nil {
		t.Error("fog is no condition")
	}
}

func TestWidenKeepsHalfOfTheImage(t *testing.T) {
	t.Parallel()
	wide := Widen(tone(1000, 1), rng())
	tone, image := strength(wide, 1000), strength(wide, 7000)
	if ratio := image / tone; math.Abs(ratio-0.5) > 0.02 {
		t.Errorf("the image has %.3f of the strength, want 0.5", ratio)
	}
}

// strength of a frequency in sound at twice the line's rate, by Goertzel's sum.
func strength(x []int16, f float64) float64 {
	re, im := 0.0, 0.0
	for i, s := range x {
		sin, cos := math.Sincos(2 * math.Pi * f * float64(i) / (2 * Rate))
		re, im = re+float64(s)*cos, im+float64(s)*sin
	}
	return math.Hypot(re, im)
}

func TestWAV(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.wav")
	want := []int16{0, 1, -1, 32767, -32768}
	if err := WriteWAV(path, Rate, want); err != nil {
		t.Fatal(err)
	}
	got, rate, err := ReadWAV(path)
	if err != nil || rate != Rate || !slices.Equal(got, want) {
		t.Errorf("read %v at %d Hz, %v; want %v", got, rate, err, want)
	}
}

func FuzzParseWAV(f *testing.F) {
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x02\x00\x00\x00\x01\x00"))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sound, rate, err := parseWAV(b)
		if err == nil && (rate == 0 || 2*len(sound) > len(b)) {
			t.Errorf("%d samples at %d Hz from %d bytes", len(sound), rate, len(b))
		}
	})
}
