// Package talk is the conversation over a connected line: wait for the hello,
// greet, gate, read, repeat, replay, report, good-bye. It is the same for a real
// line and for the simulator.
//
// It knows scripts, their sound, keys and time. It must not know how a line is
// made, what a verification is, or who is being called; and it never decides by
// what it hears whether the code is read: only keys open a gate.
package talk

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// ErrHungUp says that the other end of a line is gone.
var ErrHungUp = errors.New("talk: the other end hung up")

// Line is a call from its answer to its end. One goroutine uses it at a time,
// but for Keys and Gone, which are watched beside the other methods. Errors hold
// no number and no words of the script.
type Line interface {
	// Say says one part to its end, or until ctx ended: it then falls silent at
	// once and returns ctx's error. A gate or menu is only its words: whoever
	// called waits for the keys. ErrHungUp when the other end is gone.
	Say(ctx context.Context, p script.Part) error
	// Keys yields '0' to '9', '*' and '#' as they are pressed. It is the same
	// channel at each call, buffered, and never closed.
	Keys() <-chan byte
	// Gone is closed when the other end has hung up.
	Gone() <-chan struct{}
	// Quiet waits out the "hello" of the person, at most for longest. Errors as
	// Say's.
	Quiet(ctx context.Context, longest time.Duration) error
	// Hangup ends the call. On an ended one it does nothing.
	Hangup()
}

// Limits of a conversation. All but the first count from the answer or from the
// end of a prompt.
const (
	helloLongest = 2500 * time.Millisecond // a person's "hello, this is ... speaking"
	gateLimit    = 30 * time.Second        // from the answer to the gate's last key
	capDefault   = 120 * time.Second       // from the answer to the end
	keyWait      = 5 * time.Second         // for the first key of a gate or menu, and for each further one
	doubleKey    = 1500 * time.Millisecond // after the gate: a key that bounced, or was pressed twice
	asideLongest = 8 * time.Second         // for the phrase said before we hang up
	// mostReplays bounds a call on a line where speech takes no time; elsewhere
	// the cap comes first.
	mostReplays = 20
)

// Conversation is what to say over a line that was just answered. Line and
// Script are required.
type Conversation struct {
	Line   Line
	Script script.Script
	// ScreenDigits are the two keys that open a screen_digits gate; required
	// with such a gate, unused without.
	ScreenDigits secret.Text
	// Longest caps the call, from the answer on; zero: 120 s.
	Longest time.Duration
	// Report is told gate_passed, reading and read, in order, from the goroutine
	// of Run. Readouts are numbered as they are played: a replay counts on. Nil:
	// nobody is told.
	Report func(carrier.Event)
	// Waiting is told the prompt (a gate or menu) whose keys count from now on,
	// and the zero part when they no longer do. Nil: nobody is told.
	Waiting func(script.Part)
	// KeyWait is how long a gate or menu waits for a key; zero: 5 s. MenuWait
	// is the menu's alone; zero: KeyWait.
	KeyWait, MenuWait time.Duration
}

// Why a conversation stopped before its script's end; end turns them into
// endings. ErrHungUp is one more, and every other error is the line's.
var (
	errScript     = errors.New("talk: the script cannot be said")
	errCap        = errors.New("talk: the longest duration is over")
	errGateSilent = errors.New("talk: no key at the gate")
	errGateWrong  = errors.New("talk: wrong keys at the gate")
	errGateLate   = errors.New("talk: gate not passed in time")
	errReported   = errors.New("talk: reported")
	errNoRoom     = errors.New("talk: no readout fits")
)

// Run holds the conversation, hangs up, and says how the call ended. It begins
// at the answer. When ctx ends, nothing more of the script is said: the closing
// phrase, then we hang up.
//
// The outcome is heard once a whole readout was played, whatever came later,
// but for reported. Before that: hung_up_early when the other end hung up, at
// the gate too; gate_missed when the gate's keys were wrong or did not come;
// canceled when ctx ended; carrier_failed when the line broke, or the script
// could not be said on it.
func (c Conversation) Run(ctx context.Context) outcome.Ending { return c.Begin().Run(ctx) }

// Begin is for who runs a conversation in another goroutine: that one's stack, which
// lasts as long as the call, then holds little. It counts from now.
func (c Conversation) Begin() *Begun { return &Begun{newRun(&c)} }

// Begun is a conversation that was laid out.
type Begun struct{ r *run }

// Run holds it, once; see Conversation.Run.
func (b *Begun) Run(ctx context.Context) outcome.Ending {
	defer b.r.c.Line.Hangup()
	return b.r.end(ctx, b.r.hold(ctx))
}

// hold says the script.
func (r *run) hold(ctx context.Context) error {
	if !r.sayable {
		return errScript
	}
	ctx, cancel := context.WithDeadlineCause(ctx, r.until, errCap)
	defer cancel()
	if err := r.open(ctx); err != nil {
		return err
	}
	return r.tell(ctx)
}

// run is a conversation in progress. It holds the script by pointer: fmt prints
// the unexported fields of a struct without asking their types.
type run struct {
	c        *Conversation
	answered time.Time
	until    time.Time // the cap
	passed   time.Time // the gate; zero without one
	opened   byte      // the last key of its entry
	lang     string
	sayable  bool
	readouts int       // of the whole script
	before   []handle  // up to and with the gate; empty without one
	sections []section // what follows the gate
	first    int       // the index of the first readout in sections
	again    byte      // the menu's keys; 0: not offered
	report   byte
	begun    bool // a readout has begun: from now on "again" has a meaning
	replays  int
	read     int // whole readouts played
}

func newRun(c *Conversation) *run {
	longest := c.Longest
	if longest <= 0 {
		longest = capDefault
	}
	if c.KeyWait <= 0 {
		c.KeyWait = keyWait
	}
	if c.MenuWait <= 0 {
		c.MenuWait = c.KeyWait
	}
	now := time.Now()
	r := &run{c: c, answered: now, until: now.Add(longest), lang: c.Script.Lang, readouts: c.Script.Readouts()}
	r.before, r.sayable = Pack(c.Script.BeforeGate()).parts, r.canSay()
	r.layOut()
	c.Script.Parts = nil // they are packed, and as large as all the rest of a call
	return r
}

// canSay checks what would make the conversation unsafe or impossible: digits
// before the gate, a second gate, a gate that no keys can open.
func (r *run) canSay() bool {
	before, after := r.c.Script.BeforeGate().Parts, r.c.Script.AfterGate().Parts
	if len(after) == 0 {
		return false
	}
	isDigit := func(p script.Part) bool { return p.Kind == script.KindDigit }
	isGate := func(p script.Part) bool { return p.Kind == script.KindGate }
	if slices.ContainsFunc(before, isDigit) || slices.ContainsFunc(after, isGate) {
		return false
	}
	return len(before) == 0 || r.opens(before[len(before)-1].Gate) > 0
}

// opens is how many keys open the gate; 0 when none can.
func (r *run) opens(g script.Gate) int {
	switch g {
	case script.GateAnyKey:
		return 1
	case script.GateScreenDigits:
		return len(r.c.ScreenDigits.Reveal())
	}
	return 0
}

func (r *run) tellEvent(k carrier.EventKind, readout int) {
	if r.c.Report != nil {
		r.c.Report(carrier.Event{Kind: k, Readout: readout})
	}
}

func (r *run) waiting(p script.Part) {
	if r.c.Waiting != nil {
		r.c.Waiting(p)
	}
}
