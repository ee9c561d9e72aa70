package speech

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/sync/singleflight"

	"github.com/pincall/pincall/internal/audio"
)

// synth asks engines for words, a few at once, and keeps what they said. Nothing
// of it ever reaches a disk.
type synth struct {
	engines []Engine
	working chan struct{} // as many places as engines may work at once
	rate    int           // of the widest form that is kept
	flight  singleflight.Group
	cache   *cache
	log     *slog.Logger
}

func newSynth(c Config) *synth {
	s := &synth{
		engines: c.Engines, working: make(chan struct{}, c.Parallel), rate: lineRate,
		cache: newCache(c.CacheBytes), log: c.Log,
	}
	if c.Wide {
		s.rate = wideRate
	}
	return s
}

// speaks tells whether an engine is there for a language.
func (s *synth) speaks(lang string) bool {
	return slices.ContainsFunc(s.engines, func(e Engine) bool { return speaks(e, lang) })
}

func speaks(e Engine, lang string) bool {
	langs := e.Languages()
	return langs == nil || slices.Contains(langs, lang)
}

// patience is how long a text that several calls wait for may take, over all
// engines that are tried.
const patience = 30 * time.Second

// say gives words from the cache, or asks for them. Calls that want the same at
// the same time wait for one synthesis; a caller that leaves does not end it.
func (s *synth) say(ctx context.Context, lang, words string, rest time.Duration) (*unit, error) {
	key := textKey(lang, words, rest)
	if u := s.cache.get(key); u != nil {
		return u, nil
	}
	done := s.flight.DoChan(string(key[:]), func() (any, error) {
		alone, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		u, err := s.once(alone, lang, words, rest)
		if err == nil {
			s.cache.put(key, u)
		}
		return u, err
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*unit), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("speech: %w", ctx.Err())
	}
}

// once asks the engines in turn, and keeps nothing.
func (s *synth) once(ctx context.Context, lang, words string, rest time.Duration) (*unit, error) {
	select {
	case s.working <- struct{}{}:
		defer func() { <-s.working }()
	case <-ctx.Done():
		return nil, fmt.Errorf("speech: %w", ctx.Err())
	}
	err := ErrUnspeakable
	for _, e := range s.engines {
		if !speaks(e, lang) {
			continue
		}
		var u *unit
		if u, err = s.ask(ctx, e, lang, words, rest); err == nil {
			return u, nil
		}
		if ctx.Err() != nil {
			break
		}
		s.log.WarnContext(ctx, "a speech engine failed", "engine", e.Name(), "lang", lang, "err", err)
	}
	return nil, err
}

func (s *synth) ask(ctx context.Context, e Engine, lang, words string, rest time.Duration) (*unit, error) {
	sound, err := e.Synthesize(ctx, lang, clean(words))
	if err != nil {
		return nil, fmt.Errorf("speech: %s: %w", e.Name(), err)
	}
	if sound.Rate < audio.MinRate || sound.Rate > audio.MaxRate {
		return nil, fmt.Errorf("speech: %s: gave sound of %d Hz", e.Name(), sound.Rate)
	}
	sound.Samples = audio.Trim(sound.Samples, sound.Rate)
	if len(sound.Samples) == 0 {
		return nil, fmt.Errorf("speech: %s: %w", e.Name(), errSilent)
	}
	return newUnit(sound, rest, s.rate), nil
}

var errSilent = errors.New("gave no sound")

// clean takes out what engines read as commands: espeak-ng takes [[ ]] for
// phonemes and ^A for a command, others < > for markup; and line ends, which end
// a request to piper.
func clean(words string) string {
	return strings.Join(strings.FieldsFunc(words, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("[]<>|", r)
	}), " ")
}

// textKey tells texts apart without holding them. The engines and their voices
// are the same for the life of a cache.
func textKey(lang, words string, rest time.Duration) [sha256.Size]byte {
	b := make([]byte, 0, 128)
	b = append(append(append(b, lang...), 0), words...)
	return sha256.Sum256(binary.AppendVarint(append(b, 0), int64(rest)))
}

// cache keeps the sound that was used last, within a number of bytes.
type cache struct {
	mu    sync.Mutex
	limit int
	size  int
	used  *list.List // of *cached, the latest first
	byKey map[[sha256.Size]byte]*list.Element
}

type cached struct {
	key  [sha256.Size]byte
	unit *unit
	size int
}

func newCache(limit int) *cache {
	return &cache{limit: limit, used: list.New(), byKey: map[[sha256.Size]byte]*list.Element{}}
}

func (c *cache) get(key [sha256.Size]byte) *unit {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*cached).unit
}

// put keeps a unit unless it alone is too large.
func (c *cache) put(key [sha256.Size]byte, u *unit) {
	size := u.bytes()
	c.mu.Lock()
	defer c.mu.Unlock()
	if size > c.limit || c.byKey[key] != nil {
		return
	}
	c.byKey[key] = c.used.PushFront(&cached{key, u, size})
	for c.size += size; c.size > c.limit; {
		last := c.used.Back()
		old := c.used.Remove(last).(*cached)
		delete(c.byKey, old.key)
		c.size -= old.size
	}
}

// bytes is what a unit takes: its samples, the frames of both codecs, and 24
// bytes for the head of each.
func (u *unit) bytes() int {
	n := len(u.clip.Samples())
	return 2*n + 2*n + 2*24*(n/audio.FrameSamples+1) + 2*len(u.wide)
}
