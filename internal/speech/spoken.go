package speech

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
)

// Spoken is the sound of one script and of the short phrases that may end its
// call (script.ComposeAside). It is safe for concurrent use, and prints nothing.
type Spoken struct {
	voice *voice
	words []spokenWords // what engines said, each once
	count [10]int       // how often each digit stands in one readout
	// nameless: the brand cannot be said, so the greeting without one stands for
	// the pieces around it.
	nameless bool
}

// spokenWords is the sound of words that are no unit of a voice.
type spokenWords struct {
	kind  script.Kind
	words string
	unit  *unit
}

// The phrases that greet.
const (
	greeting      = "greeting"
	greetingFirst = "greeting.1"
	greetingPlain = "greeting_plain"
)

// Clip is the sound of a part; nil for one that makes none (a silence, a skipped
// brand). take counts from 0 how often an equal part (==) was said before in this
// call: so two equal digits side by side, the readouts and the replays all differ
// in rendition, as a fault that is repeated is not noticed.
func (s *Spoken) Clip(p script.Part, take int) *audio.Clip {
	if u := s.unit(p, take); u != nil {
		return u.clip
	}
	return nil
}

func (s *Spoken) unit(p script.Part, take int) *unit {
	switch {
	case p.Kind == script.KindSilence:
		return nil
	case p.Kind == script.KindDigit:
		return s.digit(p, take)
	case freeWords(p):
		return s.find(p)
	case s.nameless && p.Phrase == greetingFirst:
		p.Phrase = greetingPlain
	case s.nameless && strings.HasPrefix(p.Phrase, greeting+"."):
		return nil
	}
	all := s.voice.phrases[p.Phrase]
	if len(all) == 0 {
		return nil
	}
	return all[take%len(all)]
}

// digit chooses a rendition: it moves on by one with every readout, every equal
// digit before in the readout, and every replay.
func (s *Spoken) digit(p script.Part, take int) *unit {
	all := s.voice.digit(p)
	if len(all) == 0 {
		return nil
	}
	each := max(s.count[p.Digit-'0'], 1)
	return all[(max(p.Readout-1, 0)+take%each+take/each)%len(all)]
}

func (s *Spoken) countDigits(sc script.Script) {
	for _, p := range sc.Parts {
		if p.Kind == script.KindDigit && p.Readout <= 1 {
			s.count[p.Digit-'0']++
		}
	}
}

func (s *Spoken) find(p script.Part) *unit {
	for _, w := range s.words {
		if w.kind == p.Kind && w.words == p.Words {
			return w.unit
		}
	}
	return nil
}

func (s *Spoken) add(p script.Part, u *unit) {
	s.words = append(s.words, spokenWords{p.Kind, p.Words, u})
}

// Nameless tells that the brand is left out, as no engine could say it.
func (s *Spoken) Nameless() bool { return s.nameless }

// canSkipBrand tells whether the greeting can do without the brand: it is ours,
// and there is the one that names nobody.
func (s *Spoken) canSkipBrand(sc script.Script) bool {
	for _, p := range sc.Parts {
		if p.Kind == script.KindSay && p.Section == script.SectionIntro && p.Phrase == "" {
			return false
		}
	}
	return len(s.voice.phrases[greetingPlain]) > 0
}

// promptRest is the silence that Mix puts where a line waits for a key.
const promptRest = 2 * time.Second

// Mix is a whole script as one sound, with its silences, as a line plays it:
// 8 kHz, or 16 kHz if wide is asked for and the Speaker keeps it. Where a line
// waits for a key, there are two seconds of silence.
func (s *Spoken) Mix(sc script.Script, wide bool) audio.Sound {
	mixed := audio.Sound{Rate: lineRate}
	if wide {
		mixed.Rate = wideRate
	}
	silence := func(d time.Duration) {
		mixed.Samples = append(mixed.Samples, make([]int16, samplesIn(d, mixed.Rate))...)
	}
	said := map[script.Part]int{}
	for _, p := range sc.Parts {
		if p.Kind == script.KindSilence {
			silence(p.Silence)
			continue
		}
		if u := s.unit(p, said[p]); u != nil {
			mixed.Samples = append(mixed.Samples, u.samples(mixed.Rate)...)
			said[p]++
		}
		if p.Kind == script.KindGate || p.Kind == script.KindMenu {
			silence(promptRest)
		}
	}
	return mixed
}

// samplesIn is how many samples last for d.
func samplesIn(d time.Duration, rate int) int {
	return int(d * time.Duration(rate) / time.Second)
}

const masked = "[speech]"

// String tells nothing.
func (s *Spoken) String() string { return masked }

// GoString tells nothing.
func (s *Spoken) GoString() string { return masked }

// Format tells nothing, for every verb.
func (s *Spoken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue tells nothing.
func (s *Spoken) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText tells nothing; JSON goes by it.
func (s *Spoken) MarshalText() ([]byte, error) { return []byte(masked), nil }
