package talk_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/talk"
)

// said is one part as the fake line said it, in time from the answer.
type said struct {
	part       script.Part
	begin, end time.Duration
	whole      bool
}

// fakeLine says a part in its estimated time and never speaks after its end.
type fakeLine struct {
	t       *testing.T
	start   time.Time
	slower  int           // how many times slower than the estimate; 0: as estimated
	instant bool          // parts take no time
	atEnd   string        // keys that are pressed as a prompt ends
	hello   time.Duration // how long the person says "hello"
	broken  error         // what Say fails with once it is broken
	keys    chan byte
	gone    chan struct{}
	breaks  chan struct{}
	once    sync.Once
	said    []said
	hung    int
}

func (f *fakeLine) Say(ctx context.Context, p script.Part) error {
	if f.hung > 0 {
		f.t.Error("a part was said after the call was hung up")
	}
	s := said{part: p, begin: time.Since(f.start)}
	defer func() { s.end = time.Since(f.start); f.said = append(f.said, s) }()
	d := spoken(p) * time.Duration(max(f.slower, 1))
	if f.instant {
		d = 0
	}
	err := f.rest(ctx, d)
	s.whole = err == nil
	if p.Kind == script.KindGate {
		f.act(f.atEnd, nil)
	}
	return err
}

func (f *fakeLine) rest(ctx context.Context, d time.Duration) error {
	select {
	case <-f.gone:
		return talk.ErrHungUp
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-f.breaks:
		return f.broken
	case <-f.gone:
		return talk.ErrHungUp
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (f *fakeLine) Quiet(ctx context.Context, longest time.Duration) error {
	return f.rest(ctx, min(f.hello, longest))
}
func (f *fakeLine) Keys() <-chan byte     { return f.keys }
func (f *fakeLine) Gone() <-chan struct{} { return f.gone }
func (f *fakeLine) Hangup()               { f.hung++ }

// spoken is how long the words alone last.
func spoken(p script.Part) time.Duration {
	if p.Kind == script.KindGate || p.Kind == script.KindMenu {
		p.Kind = script.KindSay
	}
	return p.Duration()
}

// act is what happens at a moment of the call: keys, or one of the words below.
type act struct {
	at   time.Duration
	what string
}

const (
	hangsUp = "hangs up"
	breaks  = "line breaks"
	cancels = "canceled"
)

var errSuperseded = errors.New("superseded")

// call is one conversation to be held in virtual time.
type call struct {
	gate    script.Gate
	script  *script.Script // nil: the default script with the gate
	screen  string
	longest time.Duration
	slower  int
	instant bool
	atEnd   string // keys that are pressed as a prompt ends
	hello   time.Duration
	acts    []act // in order of time
}

// held is what became of a call.
type held struct {
	outcome.Ending
	said   []said
	events []carrier.Event
	waits  []script.Kind
	lasted time.Duration
	hung   int
}

func code() secret.Code {
	c, err := secret.ParseCode("739205")
	if err != nil {
		panic(err) // the digits above are a code
	}
	return c
}

func composed(t *testing.T, gate script.Gate) script.Script {
	t.Helper()
	s, err := script.Compose(script.Message{Lang: "en", Brand: "Acme", Code: code(), Gate: gate, Menu: true})
	if err != nil {
		t.Fatalf("Compose: %v", err)
	}
	return s
}

// hold runs the conversation in a bubble of virtual time.
func (c call) hold(t *testing.T) held {
	t.Helper()
	var h held
	synctest.Test(t, func(t *testing.T) { h = c.inBubble(t) })
	return h
}

func (c call) inBubble(t *testing.T) held {
	var h held
	s := c.script
	if s == nil {
		whole := composed(t, c.gate)
		s = &whole
	}
	f := &fakeLine{
		t: t, start: time.Now(), slower: c.slower, instant: c.instant, atEnd: c.atEnd, hello: c.hello, broken: errors.New("no media"),
		keys: make(chan byte, 64), gone: make(chan struct{}), breaks: make(chan struct{}),
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	over := make(chan struct{})
	var acting sync.WaitGroup
	acting.Go(func() {
		for _, a := range c.acts {
			select {
			case <-time.After(a.at - time.Since(f.start)):
			case <-over:
				return
			}
			f.act(a.what, cancel)
		}
	})
	conversation := talk.Conversation{
		Line: f, Script: *s, ScreenDigits: secret.NewText(c.screen), Longest: c.longest,
		Report:  func(e carrier.Event) { h.events = append(h.events, e) },
		Waiting: func(p script.Part) { h.waits = append(h.waits, p.Kind) },
	}
	h.Ending = conversation.Run(ctx)
	h.lasted = time.Since(f.start)
	close(over)
	acting.Wait()
	cancel(nil)
	h.said, h.hung = f.said, f.hung
	check(t, h)
	return h
}

func (f *fakeLine) act(what string, cancel context.CancelCauseFunc) {
	switch what {
	case hangsUp:
		f.once.Do(func() { close(f.gone) })
	case breaks:
		close(f.breaks)
	case cancels:
		cancel(errSuperseded)
	default:
		for _, k := range []byte(what) {
			f.keys <- k
		}
	}
}

// check holds for every conversation, whatever happens in it.
func check(t *testing.T, h held) {
	t.Helper()
	if !h.Outcome.OfVoice() || h.Reason == "" || strings.ContainsAny(h.Reason, "0123456789") || !h.MayHaveRung {
		t.Errorf("not a sound ending: %+v", h.Ending)
	}
	if h.hung == 0 {
		t.Error("the call was not hung up")
	}
	whole := 0
	for _, e := range h.events {
		if e.Kind == carrier.ReadOnce {
			whole = e.Readout
		}
	}
	if (h.Outcome == outcome.Heard) != (whole > 0) && h.Outcome != outcome.Reported {
		t.Errorf("%s after %d whole readouts", h.Outcome, whole)
	}
	if len(h.waits)%2 != 0 {
		t.Errorf("a wait was begun and not ended: %v", h.waits)
	}
}

// digits counts the digits of the code that were begun.
func (h held) digits() int {
	n := 0
	for _, s := range h.said {
		if s.part.Kind == script.KindDigit {
			n++
		}
	}
	return n
}

func (h held) happened(k carrier.EventKind) int {
	n := 0
	for _, e := range h.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// aside is the phrase that was begun last, if it is one of the asides.
func (h held) aside() string {
	if len(h.said) == 0 {
		return ""
	}
	name := h.said[len(h.said)-1].part.Phrase
	for _, a := range []script.Aside{script.AsideCanceled, script.AsideGateMissed, script.AsideReported} {
		if strings.HasPrefix(name, string(a)) {
			return string(a)
		}
	}
	return ""
}

// promptEnd is when the gate's first prompt ends on a line without a hello.
func promptEnd(t *testing.T, gate script.Gate) time.Duration {
	t.Helper()
	var d time.Duration
	for _, p := range composed(t, gate).BeforeGate().Parts {
		d += spoken(p)
	}
	return d
}
