package talk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/talk"
)

// channel is a channel on the fake line's clock: clips take their own duration.
// It fails like a socket, not like a Line, when the other end is gone.
type channel struct {
	*fakeLine
	played []*audio.Clip
}

var errClosed = errors.New("the stream is closed")

func (c *channel) Play(ctx context.Context, clip *audio.Clip) error {
	if c.hung > 0 {
		c.t.Error("a clip was played after the call was hung up")
	}
	c.played = append(c.played, clip)
	return c.socket(c.rest(ctx, clip.Duration()))
}

func (c *channel) Pause(ctx context.Context, d time.Duration) error { return c.socket(c.rest(ctx, d)) }

func (c *channel) socket(err error) error {
	if errors.Is(err, talk.ErrHungUp) {
		return errClosed
	}
	return err
}

// voice makes clips a third shorter or longer than the estimates, another one for
// each take, and none of a brand.
type voice struct {
	percent int
	mu      sync.Mutex // a line asks from the act that plays and from the keys that break in
	clips   map[string]*audio.Clip
	asked   map[*audio.Clip]string
}

func newVoice(percent int) *voice {
	return &voice{percent: percent, clips: map[string]*audio.Clip{}, asked: map[*audio.Clip]string{}}
}

func (v *voice) Clip(p script.Part, take int) *audio.Clip {
	if p.Kind == script.KindBrand {
		return nil
	}
	name := fmt.Sprintf("%s %c %d take %d", p.Phrase, max(p.Digit, ' '), p.Readout, take)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.clips[name] == nil {
		ms := spoken(p).Milliseconds() * int64(v.percent) / 100
		v.clips[name] = audio.NewClip(make([]int16, ms*audio.Rate/1000))
		v.asked[v.clips[name]] = name
	}
	return v.clips[name]
}

// sounding is a conversation on a line of sound.
type sounding struct {
	held
	clips []string
}

// onSound holds the conversation on a channel that plays while it is waited for,
// and on one that plays beside its caller: they must not differ.
func (c call) onSound(t *testing.T, v *voice) sounding {
	t.Helper()
	waited := c.onChannel(t, v, func(ch *channel) talk.Channel { return ch })
	beside := c.onChannel(t, v, func(ch *channel) talk.Channel { return beginner{ch} })
	if d := cmp.Diff(waited.clips, beside.clips); d != "" {
		t.Errorf("on a Beginner other clips are played (-waited +beside):\n%s", d)
	}
	if d := cmp.Diff(waited.events, beside.events); d != "" || waited.Ending != beside.Ending || waited.lasted != beside.lasted {
		t.Errorf("on a Beginner the call ends with %+v after %v, not %+v after %v\n%s", beside.Ending, beside.lasted, waited.Ending, waited.lasted, d)
	}
	return beside
}

// beginner is a channel that plays beside its caller.
type beginner struct{ *channel }

func (b beginner) Begin(ctx context.Context, c *audio.Clip, pause time.Duration) (talk.Playing, error) {
	p := &playing{done: make(chan struct{})}
	ctx, p.cut = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(p.done)
		if c == nil {
			p.err = b.Pause(ctx, pause)
		} else {
			p.err = b.Play(ctx, c)
		}
	}()
	return p, nil
}

type playing struct {
	done chan struct{}
	cut  func()
	err  error
}

func (p *playing) Done() <-chan struct{} { return p.done }

func (p *playing) End() error {
	p.cut()
	<-p.done
	return p.err
}

func (c call) onChannel(t *testing.T, v *voice, as func(*channel) talk.Channel) sounding {
	t.Helper()
	var out sounding
	synctest.Test(t, func(t *testing.T) {
		ch := &channel{fakeLine: &fakeLine{
			t: t, start: time.Now(), hello: c.hello, broken: errors.New("no media"),
			keys: make(chan byte, 64), gone: make(chan struct{}), breaks: make(chan struct{}),
		}}
		s := composed(t, c.gate)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		for _, a := range c.acts {
			timer := time.AfterFunc(a.at, func() { ch.act(a.what, cancel) })
			defer timer.Stop()
		}
		out.Ending = talk.Conversation{
			Line: talk.NewLine(as(ch), v), Script: s, ScreenDigits: secret.NewText(c.screen), Longest: c.longest,
			Report:  func(e carrier.Event) { out.events = append(out.events, e) },
			Waiting: func(p script.Part) { out.waits = append(out.waits, p.Kind) },
		}.Run(ctx)
		out.lasted, out.hung = time.Since(ch.start), ch.hung
		check(t, out.held)
		for _, clip := range ch.played {
			out.clips = append(out.clips, v.asked[clip])
		}
	})
	return out
}

// soundEnd is when the gate's prompt ends on a line of sound without a hello.
func soundEnd(t *testing.T, gate script.Gate, v *voice) time.Duration {
	t.Helper()
	var d time.Duration
	for _, p := range composed(t, gate).BeforeGate().Parts {
		if clip := v.Clip(p, 0); p.Kind != script.KindSilence && clip != nil {
			d += clip.Duration()
		}
		d += p.Silence
	}
	return d
}

// Hanging up at every moment of a call gives the outcome that tells how far it
// got, and a socket that fails then counts as hung up.
func TestHangUpAtEveryMoment(t *testing.T) {
	t.Parallel()
	pass := act{soundEnd(t, script.GateAnyKey, newVoice(70)) + time.Second, "5"}
	whole := call{gate: script.GateAnyKey, acts: []act{pass}}.onSound(t, newVoice(70))
	if whole.Outcome != outcome.Heard || whole.happened(carrier.ReadOnce) != 3 {
		t.Fatalf("undisturbed: %s: %s", whole.Outcome, whole.Reason)
	}
	turned := 0
	last := outcome.HungUpEarly
	for at := time.Duration(1); at < whole.lasted; at += 170 * time.Millisecond {
		acts := []act{pass, {at, hangsUp}}
		h := call{gate: script.GateAnyKey, acts: acts}.onSound(t, newVoice(70))
		want := outcome.HungUpEarly
		if h.happened(carrier.ReadOnce) > 0 {
			want = outcome.Heard
		}
		if h.Outcome != want || h.lasted != at {
			t.Errorf("hung up after %v: %s after %v: %s", at, h.Outcome, h.lasted, h.Reason)
		}
		if h.Outcome != last {
			turned, last = turned+1, h.Outcome
		}
	}
	if turned != 1 {
		t.Errorf("the outcome turned %d times, want once: early, then heard", turned)
	}
}

func TestGateOnSound(t *testing.T) {
	t.Parallel()
	v := func() *voice { return newVoice(130) } // slower than the estimates
	end := soundEnd(t, script.GateScreenDigits, v())
	tests := map[string]struct {
		acts []act
		want outcome.Outcome
	}{
		"right":                     {[]act{{end + 1, "4"}, {end + time.Second, "2"}}, outcome.Heard},
		"wrong":                     {[]act{{end + 1, "43"}}, outcome.GateMissed},
		"early keys are dropped":    {[]act{{end - 1, "42"}}, outcome.GateMissed},
		"early, then right":         {[]act{{end - 1, "43"}, {end + time.Second, "42"}}, outcome.Heard},
		"after the prompt's repeat": {[]act{{end + 14*time.Second, "42"}}, outcome.Heard},
		"canceled at the prompt":    {[]act{{end - 1, cancels}}, outcome.Canceled},
		"the line breaks":           {[]act{{end / 2, breaks}}, outcome.CarrierFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := call{gate: script.GateScreenDigits, screen: "42", acts: tt.acts}.onSound(t, v())
			if h.Outcome != tt.want {
				t.Errorf("%s: %s; want %s", h.Outcome, h.Reason, tt.want)
			}
		})
	}
}

// The hello is waited out, but not for long.
func TestHelloOnSound(t *testing.T) {
	t.Parallel()
	quick := call{gate: script.GateNone}.onSound(t, newVoice(100))
	for hello, want := range map[time.Duration]time.Duration{time.Second: time.Second, 9 * time.Second: 2500 * time.Millisecond} {
		h := call{gate: script.GateNone, hello: hello}.onSound(t, newVoice(100))
		if got := h.lasted - quick.lasted; got != want {
			t.Errorf("a hello of %v was waited for %v, want %v", hello, got, want)
		}
	}
}

// Nothing is said in the same rendition twice: a replay is other takes.
func TestTakes(t *testing.T) {
	t.Parallel()
	v := newVoice(100)
	end := soundEnd(t, script.GateAnyKey, v)
	h := call{gate: script.GateAnyKey, acts: []act{{end + 1, "5"}, {end + 40*time.Second, "1"}}}.onSound(t, v)
	if h.Outcome != outcome.Heard || h.happened(carrier.ReadOnce) < 4 {
		t.Fatalf("%s after %d readouts: %s", h.Outcome, h.happened(carrier.ReadOnce), h.Reason)
	}
	seen := map[string]bool{}
	for _, clip := range h.clips {
		if seen[clip] {
			t.Errorf("%q was played twice", clip)
		}
		seen[clip] = true
	}
	if !slices.ContainsFunc(h.clips, func(s string) bool { return strings.HasSuffix(s, "7 1 take 1") }) {
		t.Errorf("the replay of the first digit was no second take: %q", h.clips)
	}
}

// What still fits is known to the frame: the third readout is said where the cap
// leaves just enough for it, and not with a frame less.
func TestFitsToTheFrame(t *testing.T) {
	t.Parallel()
	const percent = 140 // the estimates alone would begin what cannot be finished
	whole := call{gate: script.GateNone}.onSound(t, newVoice(percent))
	// The menu and the good-bye follow the third readout.
	thirdEnds := func() time.Duration {
		var d time.Duration
		for _, p := range composed(t, script.GateNone).Parts {
			if p.Section == script.SectionMenu || p.Section == script.SectionBye {
				break
			}
			d += p.Silence
			if clip := newVoice(percent).Clip(p, 0); p.Kind != script.KindSilence && clip != nil {
				d += clip.Duration()
			}
		}
		return d
	}()
	if whole.happened(carrier.ReadOnce) != 3 {
		t.Fatalf("%d readouts without a cap", whole.happened(carrier.ReadOnce))
	}
	for longest, want := range map[time.Duration]int{thirdEnds: 3, thirdEnds - 1: 2} {
		h := call{gate: script.GateNone, longest: longest}.onSound(t, newVoice(percent))
		if got := h.happened(carrier.ReadOnce); got != want || h.Outcome != outcome.Heard || h.lasted > longest {
			t.Errorf("with %v: %d readouts in %v, want %d: %s", longest, got, h.lasted, want, h.Reason)
		}
		if h.happened(carrier.Reading) != h.happened(carrier.ReadOnce) {
			t.Error("a readout was begun that could not be finished")
		}
	}
}
