package speech

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"

	"github.com/pincall/pincall/internal/script"
)

// ErrUnspeakable says that no pack and no engine can say a script: its language
// has neither, or it holds a payee, an amount or free text that needs an engine.
var ErrUnspeakable = errors.New("speech: no voice can say this")

// Config is what a Speaker speaks with. The zero value speaks the languages of
// the embedded packs, and no free words.
type Config struct {
	// Folder holds own recordings, a folder a language or the files of one; they
	// go before everything else. Empty: none.
	Folder string
	// Asterisk is a folder of Asterisk's sound sets, such as
	// /usr/share/asterisk/sounds: the digits of its languages are taken from
	// there. Empty: none.
	Asterisk string
	// Engines say what no recording holds; the first that speaks a language and
	// does not fail is used. Empty: none.
	Engines []Engine
	// CacheBytes bounds the sound that is kept of what engines said; zero: 32 MB.
	CacheBytes int
	// Parallel is how many engines may work at once; zero: 4.
	Parallel int
	// Wide keeps 16 kHz sound beside that of the line, for Spoken.Mix.
	Wide bool
	// Log is told when an engine fails; never what it was to say. Nil: no one.
	Log *slog.Logger

	embedded fs.FS // in place of the embedded packs, for tests
}

const (
	defaultCache    = 32 << 20
	defaultParallel = 4
)

// Speaker says scripts. It is safe for concurrent use.
type Speaker struct {
	langs map[string]*language
	synth *synth
	rate  int // of the widest sound that is kept: 8000 or 16000
	log   *slog.Logger
}

// New opens the voices. Own recordings are read at once, so that a broken file
// is found here; embedded packs when their language is first spoken.
func New(c Config) (*Speaker, error) {
	if c.CacheBytes == 0 {
		c.CacheBytes = defaultCache
	}
	if c.Parallel == 0 {
		c.Parallel = defaultParallel
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.embedded == nil {
		c.embedded = embeddedPacks()
	}
	s := &Speaker{langs: map[string]*language{}, synth: newSynth(c), rate: lineRate, log: c.Log}
	if c.Wide {
		s.rate = wideRate
	}
	for _, tag := range script.Languages() {
		l, err := newLanguage(tag, s.rate)
		if err != nil {
			return nil, fmt.Errorf("speech: %w", err)
		}
		s.langs[tag] = l
	}
	if err := s.addSources(c); err != nil {
		return nil, fmt.Errorf("speech: %w", err)
	}
	for _, l := range s.langs {
		if !l.own {
			continue
		}
		if _, err := l.recorded(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// addSources finds the recordings of every language, the best first.
func (s *Speaker) addSources(c Config) error {
	if c.Folder != "" {
		own, err := folders(c.Folder, "")
		if err != nil {
			return err
		}
		for tag, dir := range own {
			l := s.langs[tag]
			src, err := listPack(dir, l.names)
			if err != nil {
				return fmt.Errorf("recordings of %s: %w", tag, err)
			}
			l.sources, l.own = append(l.sources, src), true
		}
	}
	if c.Asterisk != "" {
		found, err := asterisk(c.Asterisk)
		if err != nil {
			return err
		}
		for tag, src := range found {
			if l := s.langs[tag]; l != nil {
				l.sources = append(l.sources, src)
			}
		}
	}
	for tag, l := range s.langs {
		dir, err := fs.Sub(c.embedded, tag)
		if err != nil {
			return err
		}
		src, err := listPack(dir, l.names)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("pack of %s: %w", tag, err)
		}
		l.sources = append(l.sources, src)
	}
	return nil
}

// Languages are the language tags whose phrases and digits can be said.
func (s *Speaker) Languages() []string {
	return s.where(func(l *language) bool { return l.complete() || s.synth.speaks(l.tag) })
}

// Words are the language tags in which an engine can say free words: a payee, an
// amount, an announcement. A brand without one is left out.
func (s *Speaker) Words() []string {
	return s.where(func(l *language) bool { return s.synth.speaks(l.tag) })
}

func (s *Speaker) where(is func(*language) bool) []string {
	return slices.DeleteFunc(script.Languages(), func(tag string) bool { return !is(s.langs[tag]) })
}

// Speak finds or makes the sound of every part of a script. It is ErrUnspeakable
// when nothing configured can say it; another error when an engine failed that
// could have.
func (s *Speaker) Speak(ctx context.Context, sc script.Script) (*Spoken, error) {
	l := s.langs[sc.Lang]
	if l == nil {
		return nil, ErrUnspeakable
	}
	v, err := s.voiceFor(ctx, l, sc)
	if err != nil {
		return nil, err
	}
	spoken := &Spoken{voice: v}
	spoken.countDigits(sc)
	for _, p := range sc.Parts {
		if err := s.prepare(ctx, spoken, p, sc); err != nil {
			return nil, err
		}
	}
	return spoken, nil
}

// voiceFor gives a voice that has every phrase and digit of a script. A script
// with free text needs the digits, too: they may stand in it.
func (s *Speaker) voiceFor(ctx context.Context, l *language, sc script.Script) (*voice, error) {
	v, err := l.recorded()
	if err != nil {
		return nil, err
	}
	if made := l.made.Load(); made != nil {
		v = made
	}
	if v.has(sc) {
		return v, nil
	}
	if !s.synth.speaks(l.tag) {
		return nil, ErrUnspeakable
	}
	return s.complete(ctx, l)
}

// prepare makes what an engine has to say of a part.
func (s *Speaker) prepare(ctx context.Context, sp *Spoken, p script.Part, sc script.Script) error {
	if !freeWords(p) || sp.find(p) != nil {
		return nil
	}
	var u *unit
	var err error
	switch {
	case p.Kind == script.KindBrand && !s.synth.speaks(p.Lang):
		err = ErrUnspeakable
	case p.Kind == script.KindText:
		u, err = s.announcement(ctx, sp.voice, p)
	default:
		u, err = s.synth.say(ctx, p.Lang, p.Words, rest(p.Words+p.After))
	}
	if err == nil {
		sp.add(p, u)
		return nil
	}
	if p.Kind == script.KindBrand && ctx.Err() == nil && sp.canSkipBrand(sc) {
		sp.nameless = true
		return nil
	}
	return err
}

// freeWords tells whether a part is of words that no pack holds.
func freeWords(p script.Part) bool {
	switch p.Kind {
	case script.KindBrand, script.KindAmount, script.KindPayee, script.KindText:
		return true
	case script.KindSay, script.KindGate, script.KindMenu:
		return p.Phrase == "" // a tenant's own wording
	}
	return false
}
