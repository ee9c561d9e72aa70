package audio

import (
	"math"
	"math/rand/v2"
)

// sine is a tone whose RMS is level dBFS.
func sine(frequency, level float64, n, rate int) []int16 {
	return mix(n, rate, map[float64]float64{frequency: level})
}

// mix is a sum of tones: level in dBFS by frequency in Hz.
func mix(n, rate int, tones map[float64]float64) []int16 {
	samples := make([]int16, n)
	for i := range samples {
		x := 0.0
		for frequency, level := range tones {
			x += 32768 * math.Sqrt2 * math.Pow(10, level/20) * math.Sin(2*math.Pi*frequency*float64(i)/float64(rate))
		}
		samples[i] = saturate(int(math.Round(x)))
	}
	return samples
}

// noise is white and Gaussian, its RMS level dBFS.
func noise(seed uint64, level float64, n int) []int16 {
	random := rand.New(rand.NewPCG(seed, 1))
	samples := make([]int16, n)
	for i := range samples {
		samples[i] = saturate(int(math.Round(random.NormFloat64() * 32768 * math.Pow(10, level/20))))
	}
	return samples
}

func add(a, b []int16) []int16 {
	sum := make([]int16, len(a))
	for i := range a {
		sum[i] = a[i]
		if i < len(b) {
			sum[i] = saturate(int(a[i]) + int(b[i]))
		}
	}
	return sum
}

func concat(parts ...[]int16) (all []int16) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// voice is made like speech: a train of pulses of a gliding pitch (90 to 300 Hz)
// through three resonances that wander every 60 to 200 ms, with fricatives of
// noise and short pauses between. Its active level is about -20 dBFS.
func voice(seed uint64, n int) []int16 {
	random := rand.New(rand.NewPCG(seed, 2))
	out := make([]float64, n)
	var state [3][2]float64
	pitch, phase := 90+random.Float64()*210, 0.0
	for at := 0; at < n; {
		kind := random.IntN(8) // 0 a pause, 1 noise, else a vowel
		length := Rate*60/1000 + random.IntN(Rate*140/1000)
		formants := [3]float64{250 + random.Float64()*700, 850 + random.Float64()*1500, 2200 + random.Float64()*1000}
		glide := 1 + (random.Float64()-0.5)*0.4/float64(length)
		for end := min(at+length, n); at < end; at++ {
			pitch = max(80, min(pitch*glide, 320))
			x := 0.0
			switch phase += pitch / Rate; {
			case kind == 1:
				x = random.NormFloat64() * 0.15
			case phase >= 1 && kind > 1:
				x = 1
			}
			phase -= math.Floor(phase)
			for i, f := range formants {
				r := math.Exp(-math.Pi * (60 + 40*float64(i)) / Rate)
				y := x*(1-r) + 2*r*math.Cos(2*math.Pi*f/Rate)*state[i][0] - r*r*state[i][1]
				state[i][1], state[i][0] = state[i][0], y
				out[at] += y / float64(i+1)
			}
		}
	}
	samples := make([]int16, n)
	for i, x := range out {
		samples[i] = saturate(int(x * 60000))
	}
	return Normalize(samples, -20)
}

// lossy loses a share of the frames: nothing comes in their place.
func lossy(seed uint64, samples []int16, share float64) []int16 {
	random := rand.New(rand.NewPCG(seed, 3))
	out := append([]int16(nil), samples...)
	for at := 0; at < len(out); at += FrameSamples {
		if random.Float64() < share {
			clear(out[at:min(at+FrameSamples, len(out))])
		}
	}
	return out
}

// through sends samples through a codec.
func through(codec Codec, samples []int16) []int16 {
	code, out := make([]byte, len(samples)), make([]int16, len(samples))
	codec.Encode(code, samples)
	codec.Decode(out, code)
	return out
}
