package speech

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// tone is a sound with 50 ms of silence at each end.
func tone(rate int, hz float64, length time.Duration) audio.Sound {
	lead := samplesIn(50*time.Millisecond, rate)
	s := audio.Sound{Rate: rate, Samples: make([]int16, 2*lead+samplesIn(length, rate))}
	for i := lead; i < len(s.Samples)-lead; i++ {
		s.Samples[i] = int16(4000 * math.Sin(2*math.Pi*hz*float64(i-lead)/float64(rate)))
	}
	return s
}

// record writes the recordings of a language into dir: a tone for each unit, of
// another pitch for each rendition. Digits have three, phrases one.
func record(t testing.TB, dir, lang string) {
	t.Helper()
	l := lookUp(t, lang)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, name := range l.order {
		renditions, length := 1, l.names[name].Duration()/2
		switch l.names[name].Kind {
		case script.KindDigit:
			renditions, length = 3, 400*time.Millisecond
		case script.KindGate, script.KindMenu:
			length = 3 * time.Second
		}
		for n := range renditions {
			file := name + "." + string(rune('1'+n)) + ".wav"
			write(t, filepath.Join(dir, file), tone(lineRate, 300+float64(10*i+n), length).WAV())
		}
	}
}

func lookUp(t testing.TB, lang string) *language {
	t.Helper()
	l, err := newLanguage(lang, lineRate)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func write(t testing.TB, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// recorded is a folder with English recordings.
func recorded(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	record(t, filepath.Join(dir, "en"), "en")
	return dir
}

func newSpeaker(t testing.TB, c Config) *Speaker {
	t.Helper()
	if c.embedded == nil {
		c.embedded = os.DirFS(t.TempDir()) // no pack
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func compose(t testing.TB, m script.Message, code string) script.Script {
	t.Helper()
	c, err := secret.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	m.Code = c
	if m.Lang == "" {
		m.Lang = "en"
	}
	s, err := script.Compose(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fake is an engine that says everything as a tone and remembers what.
type fake struct {
	langs []string      // nil: all
	wait  chan struct{} // if not nil, every text waits for it to be closed
	fail  bool

	mu    sync.Mutex
	texts []string
}

var errFake = errors.New("no")

func (f *fake) Name() string { return "fake" }

func (f *fake) Languages() []string { return f.langs }

func (f *fake) Synthesize(ctx context.Context, lang, text string) (audio.Sound, error) {
	f.mu.Lock()
	f.texts = append(f.texts, text)
	f.mu.Unlock()
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return audio.Sound{}, ctx.Err()
		}
	}
	if f.fail {
		return audio.Sound{}, errFake
	}
	return tone(22050, 440, time.Duration(len(text))*50*time.Millisecond), nil
}

// said is what the engine was asked for, sorted.
func (f *fake) said() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(slices.Values(f.texts))
}

func speak(t testing.TB, s *Speaker, sc script.Script) *Spoken {
	t.Helper()
	sp, err := s.Speak(t.Context(), sc)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
