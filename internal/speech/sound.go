package speech

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pincall/pincall/internal/audio"
)

// How a recording is brought to the line.
const (
	// lineLevel is the active level of everything that is said, in dBFS, so that
	// voices and engines go together.
	lineLevel = -20.0
	// edge is how long a recording fades at its ends; those are silent already,
	// unless it was cut too tight.
	edge = 5 * time.Millisecond

	sentenceRest = 250 * time.Millisecond // the least silence after a sentence
	clauseRest   = 120 * time.Millisecond // and after a comma
)

// rest is the silence that belongs behind words, by the mark they end in.
func rest(words string) time.Duration {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimSpace(words))
	switch {
	case strings.ContainsRune(".!?…。！？।؟", last):
		return sentenceRest
	case strings.ContainsRune(",;:、，；：،—", last):
		return clauseRest
	}
	return 0
}

// read makes the renditions of a unit.
func (s *source) read(name string, rest time.Duration, rate int) ([]*unit, error) {
	units := make([]*unit, 0, len(s.files[name]))
	for _, r := range s.files[name] {
		b, err := readFile(s.fsys, r.file)
		if err != nil {
			return nil, err
		}
		sound, err := decode(r.file, b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.file, err)
		}
		if s.trim {
			sound.Samples = audio.Trim(sound.Samples, sound.Rate)
		}
		if len(sound.Samples) == 0 {
			return nil, fmt.Errorf("%s: holds no sound", r.file)
		}
		units = append(units, newUnit(sound, rest, rate))
	}
	return units, nil
}

// newUnit makes a sound ready: its level, faded ends, at least so much rest
// behind it. rate is that of the widest form which is kept.
func newUnit(s audio.Sound, rest time.Duration, rate int) *unit {
	silent := len(s.Samples) - spoken(s)
	if want := samplesIn(rest, s.Rate); silent < want {
		s.Samples = append(s.Samples[:len(s.Samples):len(s.Samples)], make([]int16, want-silent)...)
	}
	u := &unit{clip: audio.NewClip(ready(s, lineRate))}
	if rate == wideRate {
		u.wide = ready(s, wideRate)
	}
	return u
}

// spoken is how many samples there are before the silence at the end.
func spoken(s audio.Sound) int {
	trimmed := audio.Trim(s.Samples, s.Rate)
	if len(trimmed) == 0 {
		return len(s.Samples)
	}
	// Trim shares the samples, so the capacities tell where it begins.
	return cap(s.Samples) - cap(trimmed) + len(trimmed)
}

func ready(s audio.Sound, rate int) []int16 {
	level := audio.Normalize(s.Resample(rate).Samples, lineLevel)
	return audio.Fade(level, edge, edge, rate)
}
