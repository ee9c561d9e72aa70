package audio

import (
	"math"
	"slices"
	"time"
)

// Silent is the level of no sound, in dBFS: below the smallest sample.
const Silent = -100.0

// What shapes a recording.
const (
	activeMargin = 15.9 // dB under the active level that still count as speech (ITU-T P.56)
	maxGain      = 30.0 // dB: what needs more is noise
	knee         = 0.7  // of full scale: louder samples are rounded off
	trimDepth    = 45.0 // dB under the active level: the weak /s/ of "six" lies 25 to 40 under it
	trimMargin   = 40 * time.Millisecond
)

// Level is the root mean square in dBFS, 0 being that of a full-scale square
// wave (ITU-T G.100.1's dBov; a full-scale sine has -3). Silent for no sound.
func Level(samples []int16) float64 { return decibels(power(samples)) }

// ActiveLevel is the level of the speech alone, in dBFS: pauses do not make it
// smaller. In the manner of ITU-T P.56 it is the mean over the frames (of 160
// samples) that are less than 15.9 dB under that mean.
func ActiveLevel(samples []int16) float64 {
	frames := make([]float64, 0, len(samples)/FrameSamples+1)
	for frame := range slices.Chunk(samples, FrameSamples) {
		frames = append(frames, power(frame))
	}
	if len(frames) == 0 {
		return Silent
	}
	// From the fifth loudest frame (a click is shorter) the mean only falls, as each
	// round lets softer frames in.
	slices.Sort(frames)
	slices.Reverse(frames)
	mean := frames[min(4, len(frames)/2)]
	for {
		limit, sum, n := mean*math.Pow(10, -activeMargin/10), 0.0, 0
		for n < len(frames) && frames[n] >= limit {
			sum += frames[n]
			n++
		}
		if next := sum / float64(n); next < mean*0.999 {
			mean = next
			continue
		}
		return decibels(sum / float64(n))
	}
}

// Peak is the largest sample, in dBFS: 0 at full scale. Silent for no sound.
func Peak(samples []int16) float64 {
	peak := 0.0
	for _, s := range samples {
		peak = max(peak, math.Abs(float64(s)))
	}
	return decibels(peak * peak)
}

// Normalize brings the speech to an active level in dBFS. Peaks over 70 % of full
// scale are rounded off, so that nothing clips; a target that would flatten the
// speech is missed rather than met. Silence stays silence.
func Normalize(samples []int16, target float64) []int16 {
	level := ActiveLevel(samples)
	if level == Silent {
		return slices.Clone(samples)
	}
	var out []int16
	gain := 0.0
	// Rounding off costs level; a few rounds give it back.
	for range 4 {
		gain = min(gain+target-level, maxGain)
		out = amplify(samples, math.Pow(10, gain/20))
		level = ActiveLevel(out)
		if math.Abs(target-level) < 0.05 {
			break
		}
	}
	return out
}

// amplify multiplies, and bends what passes the knee towards full scale, which it
// never reaches.
func amplify(samples []int16, factor float64) []int16 {
	out := make([]int16, len(samples))
	for i, s := range samples {
		x := float64(s) / 32768 * factor
		if over := math.Abs(x) - knee; over > 0 {
			x = math.Copysign(knee+(1-knee)*math.Tanh(over/(1-knee)), x)
		}
		out[i] = saturate(int(math.Round(x * 32767)))
	}
	return out
}

// Fade lets a copy of the sound rise from and sink to nothing, along a cosine: a
// join of two faded sounds does not click. Fades longer than the sound share it.
func Fade(samples []int16, in, out time.Duration, rate int) []int16 {
	n, m := samplesIn(in, rate), samplesIn(out, rate)
	if n+m > len(samples) {
		n = len(samples) * n / (n + m)
		m = len(samples) - n
	}
	faded := slices.Clone(samples)
	for i := range n {
		faded[i] = ramp(faded[i], i, n)
	}
	for i := range m {
		at := len(faded) - 1 - i
		faded[at] = ramp(faded[at], i, m)
	}
	return faded
}

// ramp is sample i of n of a rise from nothing.
func ramp(s int16, i, n int) int16 {
	return int16(math.Round(float64(s) * (1 - math.Cos(math.Pi*float64(i)/float64(n))) / 2))
}

// Trim is the part of the sound between its silent edges, with 40 ms of them. It
// cuts only far below the speech (45 dB): a tight cut takes the weak consonants
// at a word's edges, and "six" without its /s/ is heard as "eight". The samples
// are shared; a silent sound becomes empty.
func Trim(samples []int16, rate int) []int16 {
	step, margin := samplesIn(10*time.Millisecond, rate), samplesIn(trimMargin, rate)
	limit := ActiveLevel(samples) - trimDepth
	first, last := len(samples), 0
	for i := 0; i < len(samples); i += step {
		end := min(i+step, len(samples))
		if level := Level(samples[i:end]); level > max(limit, Silent) {
			first, last = min(first, i), end
		}
	}
	if last == 0 {
		return samples[:0]
	}
	return samples[max(first-margin, 0):min(last+margin, len(samples))]
}

// Silence is 8 kHz samples without sound.
func Silence(d time.Duration) []int16 { return make([]int16, samplesIn(d, Rate)) }

// Jump is the largest step from one sample to the next: what is heard as a click
// where two sounds meet. Speech on a line steps by its amplitude at most.
func Jump(samples []int16) int {
	jump := 0
	for i := 1; i < len(samples); i++ {
		d := int(samples[i]) - int(samples[i-1])
		jump = max(jump, d, -d)
	}
	return jump
}

func samplesIn(d time.Duration, rate int) int {
	return int(max(d, 0) * time.Duration(rate) / time.Second)
}

// power is the mean square.
func power(samples []int16) float64 {
	if len(samples) == 0 {
		return 0
	}
	sum := 0.0
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	return sum / float64(len(samples))
}

// decibels relates a mean square to full scale.
func decibels(power float64) float64 {
	if power == 0 {
		return Silent
	}
	return max(10*math.Log10(power/(32768*32768)), Silent)
}
