package audio

import (
	"fmt"
	"math"
	"slices"
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
	var (
		low    = min(rate, s.Rate)
		scale  = float64(low) / float64(s.Rate) // t per sample of the input
		reach  = int(math.Ceil(kernelHalf / scale))
		kernel = lowPass()
		out    = make([]int16, (len(s.Samples)*rate+s.Rate-1)/s.Rate)
	)
	for i := range out {
		// The output's moment is whole + part/rate samples of the input: exact in
		// integers, however long the sound.
		whole, part := i*s.Rate/rate, i*s.Rate%rate
		moment := float64(part) / float64(rate)
		first, last := max(whole-reach, 0), min(whole+reach+1, len(s.Samples)-1)
		sum := 0.0
		for j := first; j <= last; j++ {
			t := math.Abs(float64(j-whole)-moment) * scale * kernelSteps
			k := int(t)
			if k >= kernelHalf*kernelSteps {
				continue
			}
			h := kernel[k] + (kernel[k+1]-kernel[k])*(t-float64(k))
			sum += h * float64(s.Samples[j])
		}
		out[i] = saturate(int(math.Round(sum * scale)))
	}
	return Sound{Rate: rate, Samples: out}
}

// lowPass is one half of the symmetric kernel, its middle first.
func lowPass() []float64 {
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
}

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
