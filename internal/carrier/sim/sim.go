// Package sim is the carrier that rings no real phone: simulated phones in
// memory, which a person operates on a web page, a program through the API, or
// which act by themselves. It is the embedded default, and nothing it does costs
// money.
//
// It knows accounts as names, phones, and the conversation it holds on them. It
// must not know what a verification is, how anybody reaches its phones, or what
// is stored. Logs hold references and outcomes only.
package sim

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// Pace is how fast simulated time goes.
type Pace string

// The paces.
const (
	// Real lets each part of a script take its time, and phones ring.
	Real Pace = "real"
	// Fast lets speech, silences and ringing phones that act by themselves take
	// no time. A person's or program's phone still rings until it is answered,
	// and its gate waits as long as ever; its menu waits for a second only.
	Fast Pace = "fast"
)

// Config is what a simulator needs. The zero value works.
type Config struct {
	Pace   Pace         // zero: Real
	Log    *slog.Logger // zero: nothing is logged
	Rand   io.Reader    // of the references; zero: crypto/rand.Reader
	Phones int          // how many phones that are not in a call are remembered; zero: 10,000
	// Speaker makes the sound of calls at the real pace; zero: they are silent, and
	// parts last as long as their scripts' estimates.
	Speaker Speaker
}

const (
	defaultPhones  = 10_000
	defaultRing    = 30 * time.Second
	defaultLongest = 120 * time.Second
)

// Causes of a refusal or a cancellation; they hold no number.
var (
	errHangup  = errors.New("hung up on request")
	errClosed  = errors.New("the simulator is closed")
	errRefuses = errors.New("the phone's behaviour is to be refused")
)

// Carrier is the simulator. It is safe for concurrent use.
type Carrier struct {
	cfg Config
	// life holds the context of every call's goroutine; Close ends it.
	life context.Context
	end  context.CancelCauseFunc
	runs sync.WaitGroup
	mute sync.Once // says in the log that a script has no voice
	book *carrier.Book[*call]

	mu      sync.Mutex // guards all below, and what handset and call say it guards
	closed  bool
	phones  map[line]*handset
	turn    uint64        // of the last phone that anything happened to
	changed chan struct{} // closed by the next change; nil: nobody waits for it
	idle    *list.List    // of *handset not in a call, the longest idle first
}

// line is whose phone it is: the same number of two accounts is two phones.
type line struct {
	account string
	number  phone.Number
}

// New makes a simulator without phones.
func New(cfg Config) (*Carrier, error) {
	switch cfg.Pace {
	case "":
		cfg.Pace = Real
	case Real, Fast:
	default:
		return nil, errors.New("sim: pace: choose real or fast")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Phones <= 0 {
		cfg.Phones = defaultPhones
	}
	life, end := context.WithCancelCause(context.Background())
	return &Carrier{
		cfg: cfg, life: life, end: end,
		phones: make(map[line]*handset), idle: list.New(),
		book: carrier.NewBook[*call]("the simulator does not know this call or message"),
	}, nil
}

// Close cancels every call, waits until the last has ended, and refuses what
// comes after. It always gives nil.
func (c *Carrier) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end(errClosed)
	c.runs.Wait()
	return nil
}

// Can says everything but Sound and Resume: phones are in memory, and what has no
// voice is still shown as words.
func (c *Carrier) Can() carrier.Abilities {
	return carrier.Abilities{Voice: true, SMS: true, Gate: true, Keys: true, Text: true, Payee: true, Extension: true}
}

// Place makes the phone ring, or puts the message on it, and returns at once. A
// phone in a call is busy: the new call is placed and ends so.
func (c *Carrier) Place(ctx context.Context, asked carrier.Call) (carrier.Ref, error) {
	if err := ctx.Err(); err != nil {
		return "", refuse(outcome.CarrierFailed, outcome.FaultOurs, "the call or message was given up before it was placed", err)
	}
	if why := unfit(asked); why != "" {
		return "", refuse(outcome.CarrierRefused, outcome.FaultOurs, why, errors.New(why))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return "", refuse(outcome.CarrierFailed, outcome.FaultOurs, "the simulator is shutting down", errClosed)
	}
	h := c.handset(line{asked.Account, asked.To})
	how := h.behaviour(asked.Channel)
	if how == Refuses {
		return "", refuse(outcome.CarrierRefused, outcome.FaultCarrier, "the carrier refused the call or message", errRefuses)
	}
	now := &call{
		ref: carrier.Ref("sim_" + secret.NewID(time.Now(), c.cfg.Rand)), asked: &asked, how: how, phone: h,
		answered: make(chan struct{}), listens: make(chan struct{}), over: make(chan struct{}),
		keys: make(chan byte, mostKeys), gone: make(chan struct{}), tape: newTape(),
	}
	c.book.Open(now.ref, now)
	switch {
	case asked.Channel == phone.SMS:
		c.deliver(now)
	case h.busy():
		c.finish(now, ending(Busy))
	case how == Busy || how == Unreachable || how == Fails:
		c.finish(now, ending(how))
	default:
		c.begin(now)
	}
	return now.ref, nil
}

func refuse(o outcome.Outcome, f outcome.Fault, reason string, cause error) *carrier.Refusal {
	return &carrier.Refusal{
		Ending: outcome.Ending{Outcome: o, Reason: reason, Fault: f},
		Err:    fmt.Errorf("sim: place: %w", cause),
	}
}

// unfit says why the simulator cannot carry a call; empty: it can.
func unfit(asked carrier.Call) string {
	switch {
	case asked.To.IsZero():
		return "there is no number to call"
	case asked.Channel == phone.SMS && asked.Text.IsZero():
		return "the message has no text"
	case asked.Channel == phone.SMS:
		return ""
	case asked.Channel != phone.Voice:
		return "there is no such channel"
	case len(asked.Script.AfterGate().Parts) == 0:
		return "the call has no script"
	case asked.ScreenDigits.IsZero() && wantsScreenDigits(asked.Script):
		return "the gate's digits are missing"
	}
	return ""
}

func wantsScreenDigits(s script.Script) bool {
	before := s.BeforeGate().Parts
	return len(before) > 0 && before[len(before)-1].Gate == script.GateScreenDigits
}

// Follow reports what happened to an attempt and what happens until it ends. It
// may begin late: events are kept. An attempt is followed once, by one at a
// time; after its ending was given it is forgotten. What is not known is said to
// have failed, and may have rung.
func (c *Carrier) Follow(ctx context.Context, ref carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
	e, err := c.book.Follow(ctx, ref, report)
	if err != nil {
		return e, fmt.Errorf("sim: follow: %w", err)
	}
	return e, nil
}

// Hangup ends the call: one in progress after a short phrase, a ringing one at
// once. It returns at once and never fails.
func (c *Carrier) Hangup(_ context.Context, ref carrier.Ref) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.book.Find(ref); ok && now.cancel != nil {
		now.cancel(errHangup)
	}
	return nil
}
