package speech

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pincall/pincall/internal/audio"
)

func newTestSynth(e Engine, bytes int) *synth {
	return newSynth(Config{Engines: []Engine{e}, CacheBytes: bytes, Parallel: 2, Log: discard()})
}

func TestCacheKeepsTheLatest(t *testing.T) {
	t.Parallel()
	u := &unit{clip: audio.NewClip(make([]int16, 800))}
	c := newCache(3 * u.bytes())
	key := func(i byte) [sha256.Size]byte { return [sha256.Size]byte{i} }
	for i := range byte(3) {
		c.put(key(i), u)
	}
	c.get(key(0)) // now 1 is the one used longest ago
	c.put(key(3), u)
	for i, want := range []bool{true, false, true, true} {
		if got := c.get(key(byte(i))) != nil; got != want {
			t.Errorf("text %d is kept: %v, want %v", i, got, want)
		}
	}
	c.put(key(4), &unit{clip: audio.NewClip(make([]int16, 8000))})
	if c.get(key(4)) != nil || c.size > c.limit {
		t.Errorf("%d bytes are kept, the limit is %d", c.size, c.limit)
	}
}

func TestSayOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{wait: make(chan struct{})}
		s := newTestSynth(f, 1<<20)
		impatient, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		got := make([]*unit, 8)
		for i := range got {
			ctx := t.Context()
			if i == 0 {
				ctx = impatient
			}
			all.Go(func() {
				u, err := s.say(ctx, "en", "Acme", 0)
				if i == 0 && !errors.Is(err, context.Canceled) || i > 0 && err != nil {
					t.Errorf("caller %d: %v", i, err)
				}
				got[i] = u
			})
			synctest.Wait()
		}
		leave() // the first caller, who asked: the others still get their sound
		synctest.Wait()
		close(f.wait)
		all.Wait()
		for i := range got[2:] {
			if got[i+2] != got[1] {
				t.Error("two callers have two sounds")
			}
		}
		if n := len(f.said()); n != 1 {
			t.Errorf("the engine was asked %d times", n)
		}
	})
}

func TestFailuresAreNotKept(t *testing.T) {
	t.Parallel()
	f := &fake{fail: true}
	s := newTestSynth(f, 1<<20)
	for range 2 {
		if _, err := s.say(t.Context(), "en", "Acme", 0); !errors.Is(err, errFake) {
			t.Errorf("error %v", err)
		}
	}
	f.fail = false
	for range 2 {
		if _, err := s.say(t.Context(), "en", "Acme", 0); err != nil {
			t.Error(err)
		}
	}
	if n := len(f.said()); n != 3 {
		t.Errorf("the engine was asked %d times, want 3", n)
	}
}

// No more engines work at once than were allowed.
func TestParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{wait: make(chan struct{})}
		s := newTestSynth(f, 1<<20)
		var all sync.WaitGroup
		for _, words := range []string{"a", "b", "c", "d"} {
			all.Go(func() {
				if _, err := s.say(t.Context(), "en", words, 0); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := len(f.said()); n != 2 {
			t.Errorf("%d engines work at once, want 2", n)
		}
		close(f.wait)
		all.Wait()
	})
}
