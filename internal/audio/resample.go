package audio

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// The low-pass of Resample is a sinc under a Kaiser window, in units of the lower
// of both rates r (t = 1 is one sample of it). It passes up to 0.85 of half that
// rate (3.4 kHz at 8 kHz) and stops by half that rate, 80 dB down.
const (
	kernelHalf   = 34    // its reach to each side
	kernelSteps  = 512   // its points per t; between them it is a straight line (error below -110 dB)
	kernelCutoff = 0.925 // of half the rate: the middle of the slope
	kernelBeta   = 7.857 // Kaiser's for 80 dB: 0.1102 (80 - 8.7)
)

// Resample brings the sound to another rate, MinRate to MaxRate; the length
// becomes len x rate / s.Rate, rounded up. Before and after the sound there is
// silence. A rate out of bounds is a programmer's mistake and panics: rates of
// foreign files were checked by DecodeWAV.
func (s Sound) Resample(rate int) Sound {
	for _, r := range []int{s.Rate, rate} {
		if r < MinRate || r > MaxRate {
			panic(fmt.Sprintf("audio: resample: a rate of %d Hz", r))
		}
	}
	if rate == s.Rate {
		return Sound{Rate: rate, Samples: slices.Clone(s.Samples)}
	}
	f := newFilter(s.Rate, rate)
	out := make([]int16, (len(s.Samples)*rate+s.Rate-1)/s.Rate)
	for i := range out {
		// The output's moment is whole + part/rate samples of the input: exact in
		// integers, however long the sound.
		taps, first := f.at(i*s.Rate%rate), i*s.Rate/rate-f.reach
		sum := 0.0
		for j := max(first, 0); j < min(first+len(taps), len(s.Samples)); j++ {
			sum += taps[j-first] * float64(s.Samples[j])
		}
		out[i] = saturate(int(math.Round(sum)))
	}
	return Sound{Rate: rate, Samples: out}
}

// filter is the low-pass between two rates, sampled where outputs fall between
// inputs.
type filter struct {
	rate  int
	scale float64 // t per sample of the input
	reach int     // samples of the input to each side
	step  int     // the moments of outputs are multiples of step/rate
	taps  [][]float64
}

// mostTaps bounds how many moments are kept; usual pairs of rates have a few.
const mostTaps = 1024

func newFilter(from, to int) *filter {
	f := &filter{rate: to, scale: float64(min(from, to)) / float64(from), step: gcd(from, to)}
	f.reach = int(math.Ceil(kernelHalf / f.scale))
	f.taps = make([][]float64, min(to/f.step, mostTaps))
	return f
}

// at gives the weights of the inputs from reach before an output's whole moment
// on; the output is part/rate samples of the input after that moment.
func (f *filter) at(part int) []float64 {
	i := part / f.step
	if i < len(f.taps) && f.taps[i] != nil {
		return f.taps[i]
	}
	kernel, moment := lowPass(), float64(part)/float64(f.rate)
	taps := make([]float64, 2*f.reach+2)
	for j := range taps {
		t := math.Abs(float64(j-f.reach)-moment) * f.scale * kernelSteps
		if k := int(t); k < kernelHalf*kernelSteps {
			taps[j] = f.scale * (kernel[k] + (kernel[k+1]-kernel[k])*(t-float64(k)))
		}
	}
	if i < len(f.taps) {
		f.taps[i] = taps
	}
	return taps
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// lowPass is one half of the symmetric kernel, its middle first.
var lowPass = sync.OnceValue(func() []float64 {
	kernel := make([]float64, kernelHalf*kernelSteps+1)
	for i := range kernel {
		t := float64(i) / kernelSteps
		x := math.Pi * kernelCutoff * t
		sinc := 1.0
		if i > 0 {
			sinc = math.Sin(x) / x
		}
		edge := t / kernelHalf
		kernel[i] = kernelCutoff * sinc * bessel(kernelBeta*math.Sqrt(1-edge*edge)) / bessel(kernelBeta)
	}
	return kernel
})

// bessel is the modified Bessel function of the first kind and order 0, by its
// series; 32 terms are exact for the arguments used here.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for i := 1.0; i <= 32; i++ {
		term *= (x / 2 / i) * (x / 2 / i)
		sum += term
	}
	return sum
}
