package audio

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// A key is a tone of a row and one of a column (ITU-T Q.23), in Hz.
const keys = "123A456B789C*0#D"

var (
	rows    = [4]float64{697, 770, 852, 941}
	columns = [4]float64{1209, 1336, 1477, 1633}
)

const (
	toneLevel = -13.0 // dBFS of each of both tones; together -10
	toneRamp  = 5 * time.Millisecond
	maxTone   = 10 * time.Second
)

// Tone is the sound of a key (0-9, *, #, A-D) at 8 kHz and -10 dBFS, with ramps of
// 5 ms within d. An error says that there is no such key, or d is not between 0
// and 10 s; it does not repeat the key.
func Tone(key byte, d time.Duration) ([]int16, error) {
	i := strings.IndexByte(keys, key)
	if i < 0 {
		return nil, errors.New("audio: tone: no such key: it must be one of 0-9, *, #, A-D")
	}
	if d <= 0 || d > maxTone {
		return nil, fmt.Errorf("audio: tone: %v is not between 0 and %v", d, maxTone)
	}
	amplitude := 32768 * math.Sqrt2 * math.Pow(10, toneLevel/20)
	samples := make([]int16, samplesIn(d, Rate))
	for t := range samples {
		x := 2 * math.Pi * float64(t) / Rate
		samples[t] = int16(math.Round(amplitude * (math.Sin(x*rows[i/4]) + math.Sin(x*columns[i%4]))))
	}
	return Fade(samples, toneRamp, toneRamp, Rate), nil
}

// How the detector looks: every 5 ms at the last 30 ms.
const (
	hop    = Rate / 200
	hops   = 6
	window = hop * hops
)

// What the detector takes for a key (after ITU-T Q.24). Powers are mean squares.
const (
	weakest      = 2 * 26 * 26 // the whole: -59 dBFS; the softest keys come at -36, from a poor line at -45
	steadiest    = 0.3         // the softest of the hops to their mean: a tone is even, and lasts the whole window
	pureness     = 0.85        // the share of both tones in all the sound
	normalTwist  = 6.31        // the row over the column: 8 dB
	reverseTwist = 2.51        // the column over the row: 4 dB
	overtone     = 0.25        // a tone's second harmonic to the tone (-6 dB): voices have more
	deviation    = 0.02        // of a frequency: 1.5 % are a key, 3.5 % are not
	pure         = 0.97        // from this pureness on a window counts twice
	hitsToBegin  = 4           // windows: a key lasts 35 to 40 ms at least when it is pure, else 50
	missesToEnd  = 12          // windows: a pause of 30 ms ends a press, a lost frame of 20 ms does not
)

// windowPower relates the squared sum of a tone under the bell to its mean square.
const windowPower = float64(window) * float64(window) / 8

// Detector finds keys in the sound of a line. The zero value is ready; it is for
// one stream and one goroutine.
type Detector struct {
	past   [window]float64 // the last 30 ms
	energy [hops]float64   // mean squares of its hops, oldest first
	filled int             // samples of the newest hop that have come

	candidate byte // the key of the last window, 0 for none
	hits      int  // windows in a row with it, pure ones twice
	pressed   byte // the key that was reported and is not over, 0 for none
	misses    int  // windows in a row without it
}

// Feed takes the next samples at 8 kHz, a frame of 20 ms as a rule and 40 ms at
// most, and reports a key as soon as it was heard for 40 ms (50 in noise); once a
// press, however long. The same key counts as pressed again after a pause of 40 ms.
func (d *Detector) Feed(frame []int16) (key byte, ok bool) {
	for _, s := range frame {
		d.past[window-hop+d.filled] = float64(s)
		if d.filled++; d.filled < hop {
			continue
		}
		if k := d.step(); k != 0 {
			key, ok = k, true
		}
		copy(d.past[:], d.past[hop:])
		copy(d.energy[:], d.energy[1:])
		d.filled = 0
	}
	return key, ok
}

// step looks at the window that just filled up, and gives the key whose press it
// settles, or 0.
func (d *Detector) step() byte {
	found, weight := d.look()
	if found != d.candidate {
		d.candidate, d.hits = found, 0
	}
	d.hits += weight
	if found == d.pressed {
		d.misses = 0
	} else if d.misses++; d.misses >= missesToEnd {
		d.pressed = 0
	}
	if found == 0 || found == d.pressed || d.hits < hitsToBegin {
		return 0
	}
	d.pressed, d.misses = found, 0
	return found
}

// look is the key that sounds through the whole window, or 0. The cheap tests
// come first: most of what a line carries fails them.
func (d *Detector) look() (key byte, weight int) {
	sum, softest := 0.0, math.Inf(1)
	for _, x := range d.past[window-hop:] {
		sum += x * x
	}
	d.energy[hops-1] = sum / hop
	sum = 0
	for _, e := range d.energy {
		sum += e
		softest = min(softest, e)
	}
	total := sum / hops
	if total < weakest || softest < steadiest*total {
		return 0, 0
	}
	return d.judge(total)
}

// judge puts the window to the tests that need its spectrum; total is its mean
// square.
func (d *Detector) judge(total float64) (key byte, weight int) {
	window := d.shape()
	row, rowPower := loudest(window.powers(rows))
	column, columnPower := loudest(window.powers(columns))
	// Nowhere near a key; the exact tests are below. At 1.5 % off a nominal frequency
	// up to half of the power shows.
	if rowPower > 2*normalTwist*columnPower || columnPower > 2*reverseTwist*rowPower || rowPower+columnPower < pureness/2*total {
		return 0, 0
	}
	r, c := window.measure(rows[row]), window.measure(columns[column])
	switch {
	case r.offset > deviation, c.offset > deviation,
		r.power > normalTwist*c.power, c.power > reverseTwist*r.power,
		r.power+c.power < pureness*total,
		r.overtone > overtone*r.power, c.overtone > overtone*c.power:
		return 0, 0
	}
	if r.power+c.power >= pure*total {
		return keys[4*row+column], 2
	}
	return keys[4*row+column], 1
}

// shaped is a window under a Hann bell, through which tones 67 Hz or more apart
// do not disturb each other.
type shaped [window]float64

var hann = sync.OnceValue(func() *shaped {
	var h shaped
	for i := range h {
		h[i] = (1 - math.Cos(2*math.Pi*(float64(i)+0.5)/window)) / 2
	}
	return &h
})

func (d *Detector) shape() (s shaped) {
	for i, h := range hann() {
		s[i] = d.past[i] * h
	}
	return s
}

// loudest is the index and the value of the largest power.
func loudest(powers [4]float64) (index int, power float64) {
	for i, p := range powers {
		if p > power {
			index, power = i, p
		}
	}
	return index, power
}

// powers are those of steady tones at four frequencies in Hz, by Goertzel's
// recurrence: four at once, because each step of one waits for the step before.
func (s *shaped) powers(f [4]float64) (p [4]float64) {
	var c, a, b [4]float64
	for i := range c {
		c[i] = 2 * math.Cos(2*math.Pi*f[i]/Rate)
	}
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	var a0, a1, a2, a3, b0, b1, b2, b3 float64
	for _, x := range s {
		a0, b0 = x+c0*a0-b0, a0
		a1, b1 = x+c1*a1-b1, a1
		a2, b2 = x+c2*a2-b2, a2
		a3, b3 = x+c3*a3-b3, a3
	}
	a, b = [4]float64{a0, a1, a2, a3}, [4]float64{b0, b1, b2, b3}
	for i := range p {
		p[i] = (a[i]*a[i] + b[i]*b[i] - c[i]*a[i]*b[i]) / windowPower
	}
	return p
}

// tone is what was measured about one.
type tone struct {
	offset   float64 // from the nominal frequency, as a share of it
	power    float64 // at its true frequency
	overtone float64 // power at twice the nominal frequency
}

// measure finds the tone near a frequency from the spectrum there and one bin to
// each side, where the bell's spectrum sinc(x)/(1-x²) makes it exact: the ratio of
// the two larger amplitudes is (1+x)/(2-x) for a tone x bins off.
func (s *shaped) measure(frequency float64) tone {
	const bin = float64(Rate) / window
	p := s.powers([4]float64{frequency - bin, frequency, frequency + bin, 2 * frequency})
	if p[1] == 0 {
		return tone{offset: 1}
	}
	ratio := math.Sqrt(max(p[0], p[2]) / p[1])
	x := math.Abs((2*ratio - 1) / (1 + ratio))
	if x >= 1 {
		return tone{offset: 1}
	}
	loss := 1.0
	if x > 1e-6 {
		loss = math.Sin(math.Pi*x) / (math.Pi * x * (1 - x*x))
	}
	return tone{offset: x * bin / frequency, power: p[1] / (loss * loss), overtone: p[3]}
}
