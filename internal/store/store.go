// Package store is what the storage engines share: the writer that lets
// operations which wait at the same moment share a transaction, the clock, the
// stored form of times and settings, and the numbered migrations. It knows no
// SQL dialect, no driver and no rule of the domain; an engine is a small package
// beside it that adds the statements.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/pincall/pincall/internal/verify"
)

// ErrWrongKeys says that a database was made with another keyring: nothing in it
// could be opened.
var ErrWrongKeys = errors.New("the keyring does not belong to this database: use the keyring it was made with")

// ErrClosed says that the store has been closed: nothing was done.
var ErrClosed = errors.New("store: closed")

// Micros gives the stored form of a time: microseconds since 1970 in UTC, and 0
// for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads what Micros gave.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Text gives a text as every engine can keep and compare it: what is not UTF-8,
// and NUL, which PostgreSQL refuses, become U+FFFD. Some texts are foreign: what a
// carrier calls a call, or what stands in a URL where an id belongs.
func Text(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Clock gives microseconds since 1970 that never go back, so that a step of the
// system's clock cannot bring a lease or a window back to life. Safe for
// concurrent use.
type Clock struct {
	now  func() time.Time
	last atomic.Int64
}

// NewClock makes a Clock over now; nil is the system's clock, which is followed
// forward only: through a step back it counts on by the monotonic clock.
// Otherwise a step back would stop all validity and every lease until the clock
// has caught up.
func NewClock(now func() time.Time) *Clock {
	if now == nil {
		begin := time.Now()
		now = steady(time.Now, func() time.Duration { return time.Since(begin) })
	}
	return &Clock{now: now}
}

// steady gives the wall clock as it was at first, plus the time gone since, plus
// every step forward.
func steady(wall func() time.Time, gone func() time.Duration) func() time.Time {
	begin, already := wall().Round(0), gone() // without the monotonic reading
	var mu sync.Mutex
	var ahead time.Duration
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		t := begin.Add(gone() - already + ahead)
		if step := wall().Round(0).Sub(t); step > 0 {
			ahead += step
			t = t.Add(step)
		}
		return t
	}
}

// Micros reads the clock.
func (c *Clock) Micros() int64 { return c.NotBefore(c.now().UnixMicro()) }

// NotBefore gives a reading of somebody else's clock, or the latest one there
// was, where that is later.
func (c *Clock) NotBefore(now int64) int64 {
	for {
		last := c.last.Load()
		if now <= last {
			return last
		}
		if c.last.CompareAndSwap(last, now) {
			return now
		}
	}
}

// maxSettings bounds what a SettingsCache remembers; a full one is emptied.
const maxSettings = 1024

// SettingsCache reads stored settings. Those of one service are the same text
// for nearly all its verifications, so the text is decoded once. Not safe for
// concurrent use; the zero value is ready.
type SettingsCache struct {
	known map[string]verify.Settings
	last  verify.Settings // whose text is
	text  string
}

// Decode reads what EncodeSettings gave. Callers must not change the elements of
// the workflow, which they share.
func (c *SettingsCache) Decode(text string) (verify.Settings, error) {
	if s, ok := c.known[text]; ok {
		return s, nil
	}
	var s verify.Settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("store: stored settings cannot be read: %w", err)
	}
	if c.known == nil || len(c.known) >= maxSettings {
		c.known = make(map[string]verify.Settings)
	}
	c.known[text] = s
	return s, nil
}

// Encode is EncodeSettings; what was encoded last is not encoded anew.
func (c *SettingsCache) Encode(s verify.Settings) (string, error) {
	if c.text != "" && sameSettings(&c.last, &s) {
		return c.text, nil
	}
	text, err := EncodeSettings(s)
	if err == nil {
		c.last, c.text = s, text
	}
	return text, err
}

// EncodeSettings gives the stored form of settings.
func EncodeSettings(s verify.Settings) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("store: encode settings: %w", err)
	}
	return string(b), nil
}
