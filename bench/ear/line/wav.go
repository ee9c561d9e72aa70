package line

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
)

// ReadWAV reads a 16-bit mono WAV file and its sampling rate.
func ReadWAV(path string) ([]int16, int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	sound, rate, err := parseWAV(b)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return sound, rate, nil
}

func parseWAV(b []byte) ([]int16, int, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, 0, errors.New("not a WAV file")
	}
	rate := 0
	for b = b[12:]; len(b) >= 8; {
		name, size := string(b[:4]), int(binary.LittleEndian.Uint32(b[4:8]))
		// A program that writes to a pipe cannot know the size.
		body := b[8:min(8+size, len(b))]
		switch name {
		case "fmt ":
			if len(body) < 16 || binary.LittleEndian.Uint16(body) != 1 || binary.LittleEndian.Uint16(body[2:]) != 1 || binary.LittleEndian.Uint16(body[14:]) != 16 {
				return nil, 0, errors.New("not 16-bit mono PCM")
			}
			rate = int(binary.LittleEndian.Uint32(body[4:]))
		case "data":
			if rate == 0 {
				return nil, 0, errors.New("sound before its format")
			}
			sound := make([]int16, len(body)/2)
			for i := range sound {
				sound[i] = int16(binary.LittleEndian.Uint16(body[2*i:]))
			}
			return sound, rate, nil
		}
		b = b[min(8+size+size%2, len(b)):]
	}
	return nil, 0, errors.New("no sound in it")
}

// WriteWAV writes a 16-bit mono WAV file.
func WriteWAV(path string, rate int, sound []int16) error {
	b := make([]byte, 0, 44+2*len(sound))
	u32 := func(v int) { b = binary.LittleEndian.AppendUint32(b, uint32(v)) }
	u16 := func(v int) { b = binary.LittleEndian.AppendUint16(b, uint16(v)) }
	b = append(b, "RIFF"...)
	u32(36 + 2*len(sound))
	b = append(b, "WAVEfmt "...)
	u32(16)
	u16(1)
	u16(1)
	u32(rate)
	u32(2 * rate)
	u16(2)
	u16(16)
	b = append(b, "data"...)
	u32(2 * len(sound))
	for _, s := range sound {
		u16(int(uint16(s)))
	}
	return os.WriteFile(path, b, 0o644)
}

// Widen doubles the rate for a listener that was trained on 16 kHz: zeros
// between the samples, the mirror image above 4 kHz kept at half its strength
// (a hiss of /s/ comes back where such a listener looks for it), and a faint
// dither, as exact silence is foreign to it.
func Widen(sound []int16, rng *rand.Rand) []int16 {
	out := make([]int16, 2*len(sound))
	at := func(i int) float64 {
		if i < 0 || i >= len(sound) {
			return 0
		}
		return float64(sound[i])
	}
	for i := range sound {
		between := 0.0
		for k, h := range halfband {
			between += h * (at(i-k) + at(i+1+k))
		}
		// With all of the image: 2s and 0; with none: s and between. The mean of the
		// two is 1.5 s and between/2; by 2/3, so that nothing clips:
		out[2*i] = clamp(at(i) + dither*rng.NormFloat64())
		out[2*i+1] = clamp(between/3 + dither*rng.NormFloat64())
	}
	return out
}

// dither is the RMS of what Widen adds, of 32768: 75 dB under full scale.
const dither = 6

// halfband holds one side of a windowed sinc that interpolates half-way.
var halfband = [...]float64{0.6326, -0.2014, 0.1093, -0.0665, 0.0408, -0.0240, 0.0130, -0.0060}
