package audio

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// heard are the keys a fresh detector reports.
func heard(samples []int16) string {
	var d Detector
	var found []byte
	for at := 0; at < len(samples); at += FrameSamples {
		if key, ok := d.Feed(samples[at:min(at+FrameSamples, len(samples))]); ok {
			found = append(found, key)
		}
	}
	return string(found)
}

// press is a key with exact properties, in silence from a moment within a frame.
type press struct {
	key            byte
	level          float64 // dBFS of the weaker-or-equal sum at twist 0
	twist          float64 // dB of the column over the row
	low, high      float64 // share by which the frequencies are off
	length, offset int     // samples
}

func (p press) samples() []int16 {
	i := strings.IndexByte(keys, p.key)
	tone := mix(p.length, Rate, map[float64]float64{
		rows[i/4] * (1 + p.low):     p.level - 3 - p.twist/2,
		columns[i%4] * (1 + p.high): p.level - 3 + p.twist/2,
	})
	return concat(make([]int16, 800+p.offset), tone, make([]int16, 1600))
}

func ms(n int) int { return n * Rate / 1000 }

func TestToneOfEveryKey(t *testing.T) {
	t.Parallel()
	for i, key := range []byte(keys) {
		tone, err := Tone(key, 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if len(tone) != 1600 || tone[0] != 0 || tone[1599] != 0 {
			t.Errorf("key %d: %d samples from %d to %d", i, len(tone), tone[0], tone[len(tone)-1])
		}
		for _, f := range []float64{rows[i/4], columns[i%4]} {
			if level := levelAt(tone, f, Rate); math.Abs(level+13) > 0.3 {
				t.Errorf("key %d: %.0f Hz has %.2f dBFS, want -13", i, f, level)
			}
		}
	}
	for _, bad := range []struct {
		key byte
		d   time.Duration
	}{{'E', time.Second}, {0, time.Second}, {'1', 0}, {'1', -time.Second}, {'1', time.Hour}} {
		if _, err := Tone(bad.key, bad.d); err == nil {
			t.Errorf("%v of no key: no error", bad.d)
		}
	}
}

func TestDetectorHearsEveryKey(t *testing.T) {
	t.Parallel()
	for _, key := range []byte(keys) {
		for _, level := range []float64{-3.1, -10, -20, -30, -36} {
			for offset := 0; offset < 160; offset += 31 {
				p := press{key: key, level: level, length: ms(80), offset: offset}
				for name, samples := range map[string][]int16{
					"clean": p.samples(), "mu-law": through(PCMU, p.samples()), "A-law": through(PCMA, p.samples()),
					"noise": through(PCMU, add(p.samples(), noise(uint64(offset), level-15, 5000))),
				} {
					if got := heard(samples); got != string(key) {
						t.Errorf("%c at %v dBFS, offset %d, %s: heard %q", key, level, offset, name, got)
					}
				}
			}
		}
	}
}

// What ITU-T Q.24 has accepted and refused.
func TestDetectorLimits(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*press)
		heard  bool
	}{
		"40 ms":            {func(p *press) { p.length = ms(40) }, true},
		"20 ms":            {func(p *press) { p.length = ms(20) }, false},
		"23 ms":            {func(p *press) { p.length = ms(23) }, false},
		"2 s":              {func(p *press) { p.length = ms(2000) }, true},
		"+1.5 %":           {func(p *press) { p.low, p.high = 0.015, 0.015 }, true},
		"-1.5 %":           {func(p *press) { p.low, p.high = -0.015, -0.015 }, true},
		"±1.5 %":           {func(p *press) { p.low, p.high = 0.015, -0.015 }, true},
		"∓1.5 %":           {func(p *press) { p.low, p.high = -0.015, 0.015 }, true},
		"row +3.5 %":       {func(p *press) { p.low = 0.035 }, false},
		"row -3.5 %":       {func(p *press) { p.low = -0.035 }, false},
		"column +3.5 %":    {func(p *press) { p.high = 0.035 }, false},
		"column -3.5 %":    {func(p *press) { p.high = -0.035 }, false},
		"column 7 dB less": {func(p *press) { p.twist = -7 }, true},
		"column 9 dB less": {func(p *press) { p.twist = -9 }, false},
		"column 3 dB more": {func(p *press) { p.twist = 3 }, true},
		"column 5 dB more": {func(p *press) { p.twist = 5 }, false},
		"too soft":         {func(p *press) { p.level = -62 }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, key := range []byte(keys) {
				for offset := 0; offset < 160; offset += 13 {
					p := press{key: key, level: -15, length: ms(100), offset: offset}
					test.change(&p)
					want := ""
					if test.heard {
						want = string(key)
					}
					if got := heard(p.samples()); got != want {
						t.Errorf("%c, offset %d: heard %q", key, offset, got)
					}
				}
			}
		})
	}
}

// A number keyed by a telephone: each key once, equal ones too.
func TestDetectorSequence(t *testing.T) {
	t.Parallel()
	const dialled = "1123581321345589144*#ABCD00"
	for _, pace := range []struct{ tone, gap time.Duration }{{50, 50}, {40, 45}, {100, 100}, {70, 300}} {
		var parts [][]int16
		for _, key := range []byte(dialled) {
			tone, err := Tone(key, pace.tone*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, tone, Silence(pace.gap*time.Millisecond))
		}
		if got := heard(through(PCMU, concat(parts...))); got != dialled {
			t.Errorf("%d/%d ms: heard %q, want %q", pace.tone, pace.gap, got, dialled)
		}
	}
}

// A key of 160 ms with 10 % of its frames lost is heard, and heard once: a lost
// frame is no new press. Two frames in a row are: there is no telling.
func TestDetectorLosesFrames(t *testing.T) {
	t.Parallel()
	presses, wrong := 0, 0
	for seed := range uint64(30) {
		for _, key := range []byte(keys) {
			p := press{key: key, level: -12, length: ms(160), offset: int(seed) * 5}
			presses++
			if heard(lossy(seed*100+uint64(key), p.samples(), 0.1)) != string(key) {
				wrong++
			}
		}
	}
	t.Logf("%d of %d presses not heard exactly once", wrong, presses)
	if wrong*100 > presses*5 {
		t.Errorf("%d of %d presses not heard exactly once", wrong, presses)
	}
	for at := 0; at <= ms(180); at += 7 {
		samples := press{key: '5', level: -12, length: ms(200)}.samples()
		clear(samples[800+at : 800+at+FrameSamples])
		if got := heard(samples); got != "5" {
			t.Errorf("20 ms lost after %d samples: heard %q", at, got)
		}
	}
}

// Single tones of a line (dial, ring-back, busy, beeps) and noise are no keys.
func TestDetectorIgnoresTones(t *testing.T) {
	t.Parallel()
	for _, tones := range [][]float64{{425, 425}, {350, 440}, {440, 480}, {480, 620}, {1000, 1000}, {1400, 1400}, {2100, 2100}, {697, 697}, {1209, 1209}, {941, 770}, {1209, 1477}, {950, 1400}} {
		levels := map[float64]float64{tones[0]: -16, tones[1]: -16}
		if got := heard(mix(2*Rate, Rate, levels)); got != "" {
			t.Errorf("%v Hz: heard %q", tones, got)
		}
	}
	for seed := range uint64(5) {
		if got := heard(noise(seed, -20, 60*Rate)); got != "" {
			t.Errorf("noise: heard %q", got)
		}
	}
}

// Talk-off: no key in speech.
func TestDetectorIgnoresVoices(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		if got := heard(through(PCMU, voice(seed, 30*Rate))); got != "" {
			t.Errorf("made voice %d: heard %q in 30 s", seed, got)
		}
	}
}

func TestDetectorIgnoresEspeak(t *testing.T) {
	t.Parallel()
	needProgram(t, "espeak-ng")
	const text = "Hello? Who is this? Please leave a message after the tone. One two three four five six seven eight nine zero. " +
		"She sells sea shells by the sea shore, and we were away a year ago. Ooh, aah, eee, mmm, hmm, yeah, hello, hello!"
	for _, voice := range []string{"en", "en-us+f3", "de+m7", "ja", "es+f2", "fr+m3", "it+f5", "ru"} {
		for _, pitch := range []string{"50", "99"} {
			out, err := exec.CommandContext(t.Context(), "espeak-ng", "-v", voice, "-p", pitch, "--stdout", text).Output()
			if err != nil {
				t.Fatalf("espeak-ng: %v", err)
			}
			sound, err := DecodeWAV(out)
			if err != nil {
				t.Fatal(err)
			}
			if got := heard(through(PCMU, sound.Resample(Rate).Samples)); got != "" {
				t.Errorf("%s, pitch %s: heard %q", voice, pitch, got)
			}
		}
	}
}

// A person's recordings: the prompts of Asterisk, where they are installed.
func TestDetectorIgnoresRecordings(t *testing.T) {
	t.Parallel()
	const folder = "/usr/share/asterisk/sounds"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("Debian's asterisk-core-sounds-en-wav is not installed")
	}
	var total time.Duration
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".wav" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sound, err := DecodeWAV(b)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		files++
		total += sound.Duration()
		if got := heard(sound.Samples); got != "" {
			t.Errorf("%s: heard %q", path, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d recordings, %v", files, total.Round(time.Second))
}

func TestDetectorAllocatesNothing(t *testing.T) {
	// Not parallel: AllocsPerRun forbids it.
	var d Detector
	tone, err := Tone('5', time.Second)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	if n := testing.AllocsPerRun(100, func() {
		d.Feed(tone[at : at+FrameSamples])
		at = (at + FrameSamples) % (len(tone) - FrameSamples)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// Whatever comes, a report is a key, and samples count, not how they are cut.
func FuzzDetector(f *testing.F) {
	tone, err := Tone('7', 60*time.Millisecond)
	if err != nil {
		f.Fatal(err)
	}
	code := make([]byte, len(tone))
	PCMU.Encode(code, tone)
	f.Add(code, 160)
	f.Add(bytes.Repeat([]byte{0x00, 0x80}, 400), 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, code []byte, cut int) {
		samples := make([]int16, len(code))
		PCMU.Decode(samples, code)
		var d Detector
		var found []byte
		cut = 1 + max(cut, -cut, 0)%320
		for at := 0; at < len(samples); at += cut {
			key, ok := d.Feed(samples[at:min(at+cut, len(samples))])
			if ok != (key != 0) || ok && strings.IndexByte(keys, key) < 0 {
				t.Fatalf("key %q, ok %v", key, ok)
			}
			if ok {
				found = append(found, key)
			}
		}
		if whole := heard(samples); whole != string(found) {
			t.Errorf("heard %q in frames, %q in pieces of %d", whole, found, cut)
		}
	})
}

func BenchmarkDetector(b *testing.B) {
	tone, err := Tone('5', time.Second)
	if err != nil {
		b.Fatal(err)
	}
	for name, samples := range map[string][]int16{"silence": make([]int16, Rate), "voice": voice(1, 30*Rate), "tone": tone} {
		b.Run(name, func(b *testing.B) {
			var d Detector
			at := 0
			b.ReportAllocs()
			for b.Loop() {
				d.Feed(samples[at : at+FrameSamples])
				at = (at + FrameSamples) % (len(samples) - FrameSamples)
			}
		})
	}
}
