// Package trunk is the carrier that places calls itself, over a SIP trunk: it
// makes the sound of a script, chooses the caller ID and how the number is
// written, keeps the trunk's limits, holds the conversation, and says in the
// words of package outcome how the call ended.
//
// It knows one trunk, and joins sipcall (the line), speech (the voice) and talk
// (the conversation). It must not know what a verification is, what other routes
// there are, or SIP itself. Logs hold attempts, references and figures, never a
// number, a key or a word of a script.
package trunk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/talk"
)

// Config is a trunk. Caller's proxies and media and the Speaker are needed; the
// zero value of everything else works.
type Config struct {
	// Caller is the line; its Incoming is the carrier's own.
	Caller  sipcall.Config
	Speaker talk.Speaker

	CallerIDs []CallerID // zero: the line's user, else "anonymous"
	Numbering Numbering
	Countries []string // that it calls, ISO 3166; empty: all

	CallsPerSecond int // started; 0: no limit
	Concurrent     int // at a time, calls back not counted; 0: no limit
	// RingTimeout shortens that of calls; 0: it does not.
	RingTimeout time.Duration
	Callback    Callback
	// Warm are languages whose voice Start makes ready beside it: a first call in
	// any other may leave some seconds late.
	Warm []string

	Log  *slog.Logger // zero: nothing is logged
	Rand io.Reader    // of the references; zero: crypto/rand.Reader
}

// Callback is what somebody hears who calls our caller ID. Of the two Clip goes
// first; with neither, calls back are declined.
type Callback struct {
	Clip   *audio.Clip
	Script script.Script // said by the Speaker
}

const (
	defaultLongest = 120 * time.Second
	// What Close gives to closing phrases, and then to the line's end.
	phraseWait = 3 * time.Second
	stopWait   = 8 * time.Second
)

// Causes of a refusal or a cancellation; they hold no number.
var (
	errHangup     = errors.New("hung up on request")
	errClosed     = errors.New("the trunk is closed")
	errNotStarted = errors.New("the trunk is not started")
)

// Carrier is one trunk. It is safe for concurrent use.
type Carrier struct {
	cfg  Config
	sip  *sipcall.Caller
	can  carrier.Abilities
	ids  *callerIDs
	pace *pace
	home welcome
	book *carrier.Book[*call]

	// life holds the context of every call's goroutine; Close ends it.
	life context.Context
	end  context.CancelCauseFunc
	runs sync.WaitGroup

	mu      sync.Mutex // guards all below
	started bool
	closed  bool
	running int // admitted and not ended
}

// New checks the configuration. Nothing is placed before Start.
func New(cfg Config) (*Carrier, error) {
	if cfg.Speaker == nil {
		return nil, errors.New("trunk: it needs a voice")
	}
	if err := cfg.Numbering.check(cfg.Countries); err != nil {
		return nil, fmt.Errorf("trunk: %w", err)
	}
	ids, err := newCallerIDs(cfg.CallerIDs)
	if err != nil {
		return nil, fmt.Errorf("trunk: %w", err)
	}
	if cfg.CallsPerSecond < 0 || cfg.Concurrent < 0 {
		return nil, errors.New("trunk: a limit is below 0")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	life, end := context.WithCancelCause(context.Background())
	c := &Carrier{
		cfg: cfg, can: abilities(cfg.Speaker, cfg.Countries), ids: ids, pace: newPace(cfg.CallsPerSecond),
		life: life, end: end, book: carrier.NewBook[*call]("the trunk does not know this call"),
	}
	c.ids.fallback = cfg.Caller.Auth.User
	cfg.Caller.Incoming = c.calledBack
	if c.sip, err = sipcall.New(cfg.Caller); err != nil {
		return nil, fmt.Errorf("trunk: %w", err)
	}
	return c, nil
}

// abilities are those of a line with a voice. A voice without a single language
// places no calls: an empty list of languages would mean all of them.
func abilities(s talk.Speaker, countries []string) carrier.Abilities {
	langs, words := s.Languages(), s.Words()
	return carrier.Abilities{
		Voice: len(langs) > 0, Gate: true, Keys: true, Sound: true, Extension: true,
		Payee: len(words) > 0, Words: words, Languages: langs, Countries: countries,
	}
}

// Start listens, and begins to ping and to register. ctx bounds the start only.
func (c *Carrier) Start(ctx context.Context) error {
	if err := c.sip.Start(ctx); err != nil {
		return fmt.Errorf("trunk: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = true
	if !c.closed {
		c.runs.Go(c.warm)
	}
	return nil
}

// warm makes voices ready: they are unpacked as they are first used.
func (c *Carrier) warm() {
	for _, lang := range c.cfg.Warm {
		s, err := script.ComposeAside(lang, script.AsideCanceled)
		if err == nil && c.can.Speaks(lang) {
			_, err = c.cfg.Speaker.Speak(c.life, s)
		}
		if err != nil && c.life.Err() == nil {
			c.cfg.Log.Warn("a voice could not be made ready", "lang", lang, "error", err)
		}
	}
}

// Close refuses new calls, cancels those that ring, gives those in progress a
// moment for a closing phrase, hangs up, and closes the line. It waits until all
// of that is done.
func (c *Carrier) Close() error {
	c.mu.Lock()
	already := c.closed
	c.closed = true
	c.mu.Unlock()
	if already {
		return nil
	}
	c.end(errClosed)
	over := make(chan struct{})
	go func() { c.runs.Wait(); close(over) }()
	patience := time.NewTimer(phraseWait)
	defer patience.Stop()
	select {
	case <-over:
	case <-patience.C:
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	err := c.sip.Stop(ctx)
	<-over // without its line no call goes on
	if err != nil {
		return fmt.Errorf("trunk: close: %w", err)
	}
	return nil
}

// Can says what a line of our own does: everything but messages, free text with a
// voice of its own, and being followed after a restart.
func (c *Carrier) Can() carrier.Abilities { return c.can }

// Line is the trunk's signalling, to be looked at.
func (c *Carrier) Line() *sipcall.Caller { return c.sip }
