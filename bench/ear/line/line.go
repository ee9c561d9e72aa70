// Package line is a telephone line that is worse than it should be: it loses
// frames, adds noise, and sends sound through GSM. Sound is 16-bit mono at 8 kHz
// that has been through G.711. It knows nothing of codes or listeners.
package line

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
)

// Rate is the line's sampling rate, in Hz.
const Rate = 8000

// frame is what one packet carries: 20 ms.
const frame = Rate / 50

// Conditions are the names that Through knows.
var conditions = [...]string{"clean", "gsm", "loss5", "loss10", "burst10", "noise20"}

// Conditions lists the names that Through knows, the best line first.
func Conditions() []string { return conditions[:] }

// Through sends sound through a line in a condition:
//
//	clean    as it is
//	gsm      GSM 06.10 full rate and back, by sox
//	loss5    5 % of the frames of 20 ms lost, each by itself
//	loss10   10 %
//	burst10  10 %, lost in bursts of 4 frames on average (Gilbert)
//	noise20  noise below 3.4 kHz, 20 dB under the level of the speech
//
// What is lost is silence: no receiver's concealment is assumed.
func Through(ctx context.Context, condition string, sound []int16, rng *rand.Rand) ([]int16, error) {
	switch condition {
	case "clean":
		return sound, nil
	case "gsm":
		return gsm(ctx, sound)
	case "loss5":
		return Lose(sound, 0.05, rng), nil
	case "loss10":
		return Lose(sound, 0.10, rng), nil
	case "burst10":
		// 10 % of the time in a state that lasts 4 frames: enter/(enter+leave) = 0.1.
		return lose(sound, gilbert{enter: 0.25 / 9, leave: 0.25}, rng), nil
	case "noise20":
		return Hiss(sound, 20, rng), nil
	}
	return nil, fmt.Errorf("no condition %q: want one of %v", condition, conditions)
}

// Lose loses a share of the frames, each by itself.
func Lose(sound []int16, share float64, rng *rand.Rand) []int16 {
	return lose(sound, gilbert{enter: share, leave: 1 - share}, rng)
}

// gilbert is a line that is good or loses everything; probabilities a frame.
type gilbert struct{ enter, leave float64 }

func lose(sound []int16, g gilbert, rng *rand.Rand) []int16 {
	out := append([]int16(nil), sound...)
	bad := rng.Float64() < g.enter/(g.enter+g.leave)
	for at := -rng.IntN(frame); at < len(out); at += frame {
		if bad {
			clear(out[max(at, 0):min(at+frame, len(out))])
		}
		if bad {
			bad = rng.Float64() >= g.leave
		} else {
			bad = rng.Float64() < g.enter
		}
	}
	return out
}

// Hiss adds noise at an SNR in dB, measured against the frames that hold speech.
func Hiss(sound []int16, snr float64, rng *rand.Rand) []int16 {
	noise := make([]float64, len(sound))
	low, power := 0.0, 0.0
	for i := range noise {
		// One pole: -3 dB at about 1.1 kHz, as hiss in a handset is.
		low += 0.58 * (rng.NormFloat64() - low)
		noise[i] = low
		power += low * low
	}
	gain := level(sound) / math.Pow(10, snr/20) / math.Sqrt(power/float64(len(noise)))
	out := make([]int16, len(sound))
	for i, s := range sound {
		out[i] = clamp(float64(s) + gain*noise[i])
	}
	return out
}

// level is the RMS of the frames within 20 dB of the loudest.
func level(sound []int16) float64 {
	var powers []float64
	loudest := 0.0
	for at := 0; at+frame <= len(sound); at += frame {
		p := 0.0
		for _, s := range sound[at : at+frame] {
			p += float64(s) * float64(s) / frame
		}
		powers, loudest = append(powers, p), max(loudest, p)
	}
	sum, n := 0.0, 0
	for _, p := range powers {
		if p >= loudest/100 && p > 0 {
			sum, n = sum+p, n+1
		}
	}
	return math.Sqrt(sum / float64(max(n, 1)))
}

func clamp(v float64) int16 { return int16(math.Round(min(max(v, -32768), 32767))) }

// gsm has sox do it: 06.10 is what mobile networks and old trunks speak.
func gsm(ctx context.Context, sound []int16) ([]int16, error) {
	dir, err := os.MkdirTemp("", "ear-gsm-")
	if err != nil {
		return nil, fmt.Errorf("gsm: %w", err)
	}
	defer os.RemoveAll(dir)
	in, packed, out := filepath.Join(dir, "in.wav"), filepath.Join(dir, "x.gsm"), filepath.Join(dir, "out.wav")
	if err := WriteWAV(in, Rate, sound); err != nil {
		return nil, fmt.Errorf("gsm: %w", err)
	}
	if err := Run(ctx, "sox", "-D", in, "-e", "gsm-full-rate", packed); err != nil {
		return nil, fmt.Errorf("gsm: %w", err)
	}
	if err := Run(ctx, "sox", "-D", packed, "-b", "16", "-e", "signed", out); err != nil {
		return nil, fmt.Errorf("gsm: %w", err)
	}
	back, _, err := ReadWAV(out)
	if err != nil {
		return nil, fmt.Errorf("gsm: %w", err)
	}
	return back, nil
}

// Narrow reads any WAV file as it sounds on the line: 8 kHz, through G.711.
func Narrow(ctx context.Context, wide string) ([]int16, error) {
	packed, out := wide+".ul.wav", wide+".line.wav"
	if err := Run(ctx, "sox", "-D", "-G", wide, "-r", "8000", "-c", "1", "-e", "mu-law", packed); err != nil {
		return nil, fmt.Errorf("narrow: %w", err)
	}
	if err := Run(ctx, "sox", "-D", packed, "-b", "16", "-e", "signed", out); err != nil {
		return nil, fmt.Errorf("narrow: %w", err)
	}
	sound, _, err := ReadWAV(out)
	if err != nil {
		return nil, fmt.Errorf("narrow: %w", err)
	}
	return sound, nil
}

// Run runs a program; its error holds what the program complained about.
func Run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %.600s", name, err, out)
	}
	return nil
}
