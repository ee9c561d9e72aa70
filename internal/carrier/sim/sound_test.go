package sim_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/sim"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/speech"
	"github.com/pincall/pincall/internal/talk"
)

// voice speaks in clips of a constant sample, each part its own.
type voice struct {
	packs bool          // no words that are in no pack
	takes time.Duration // to make the sound of a call
	err   error
}

func (v voice) Speak(ctx context.Context, s script.Script) (talk.Sound, error) {
	select {
	case <-time.After(v.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if v.packs && slices.ContainsFunc(s.Parts, func(p script.Part) bool { return p.Kind == script.KindPayee }) {
		return nil, speech.ErrUnspeakable
	}
	return clips{}, v.err
}

type clips struct{}

// clipFrames is how long every clip is.
const clipFrames = 30

// Clip is a sound that tells the digit, or a hum for everything else.
func (clips) Clip(p script.Part, _ int) *audio.Clip {
	if p.Kind == script.KindBrand || p.Kind == script.KindPayee || p.Kind == script.KindAmount {
		return nil
	}
	level := int16(20000)
	if p.Kind == script.KindDigit {
		level = int16(p.Digit-'0'+1) * 1000
	}
	return audio.NewClip(slices.Repeat([]int16{level}, clipFrames*audio.FrameSamples))
}

// tune is what a listener heard: a letter a frame, "." silence, "-" words, digits.
func tune(frames [][]byte) string {
	var out strings.Builder
	for _, f := range frames {
		var pcm [audio.FrameSamples]int16
		audio.PCMU.Decode(pcm[:], f)
		switch level := int(pcm[80]); {
		case level == 0:
			out.WriteByte('.')
		case level > 15000:
			out.WriteByte('-')
		default:
			out.WriteByte(byte('0' + (level+500)/1000 - 1))
		}
	}
	return out.String()
}

// listen collects what a listener gets.
func listen(t *testing.T, c *sim.Carrier, all *sync.WaitGroup, each func()) *[][]byte {
	t.Helper()
	frames, err := c.Listen(t.Context(), owner, number(t, manual))
	must(t, err)
	var got [][]byte
	all.Go(func() {
		for f := range frames {
			got = append(got, f)
			each()
		}
	})
	return &got
}

// The stream is the call, frame by frame, from the answer to the end: every part
// whole, without a gap at joins, and silence where nothing is said.
func TestListen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{Speaker: voice{takes: time.Second}}), number(t, manual)
		ref := place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		var all sync.WaitGroup
		whole := listen(t, c, &all, func() {})
		slow := listen(t, c, &all, func() { time.Sleep(70 * time.Millisecond) })
		time.Sleep(2 * time.Second)
		must(t, c.Answer(owner, n))
		answered := time.Now()
		for c.Phone(owner, n).Gate == "" {
			time.Sleep(7 * time.Millisecond) // off the grid of frames
		}
		must(t, c.Press(owner, n, "1"))
		synctest.Wait()
		late := listen(t, c, &all, func() {})
		if e := follow(t, c, ref); e.Outcome != outcome.Heard {
			t.Errorf("%s: %s", e.Outcome, e.Reason)
		}
		lasted := int(time.Since(answered) / audio.FrameDuration)
		all.Wait()
		if len(*whole) != lasted || len(*late) >= lasted {
			t.Errorf("%d and %d frames of a call of %d", len(*whole), len(*late), lasted)
		}
		if len(*slow) == 0 || len(*slow) > lasted/2 {
			t.Errorf("a slow listener got %d frames of %d", len(*slow), lasted)
		}
		heard := tune(*whole)
		for _, digit := range carriertest.Code().Reveal() {
			if strings.Count(heard, strings.Repeat(string(digit), clipFrames)) != 3*strings.Count(carriertest.Code().Reveal(), string(digit)) {
				t.Errorf("a digit was not played three times and whole")
			}
		}
		if !strings.HasSuffix(heard, tune(*late)) {
			t.Error("a late listener hears another call")
		}
		for run := range strings.FieldsFuncSeq(heard, func(r rune) bool { return r != '-' }) {
			if len(run)%clipFrames != 0 {
				t.Errorf("words of %d frames: a clip was cut or has a gap", len(run))
			}
		}
		if !strings.HasPrefix(heard, strings.Repeat(".", 50)) || strings.Contains(heard[:len(heard)/2], strings.Repeat(".", 400)) {
			t.Error("silence where there is none, or none where there is")
		}
	})
}

// Hanging up ends the streams at once, and so does leaving.
func TestListenersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{Speaker: voice{}}), number(t, manual)
		if _, err := c.Listen(t.Context(), owner, n); !errors.Is(err, sim.ErrNotInCall) {
			t.Errorf("Listen to an idle phone: %v", err)
		}
		ref := place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		ctx, leave := context.WithCancel(t.Context())
		for range 8 {
			_, err := c.Listen(ctx, owner, n)
			must(t, err)
		}
		if _, err := c.Listen(t.Context(), owner, n); !errors.Is(err, sim.ErrListeners) {
			t.Errorf("a ninth: %v", err)
		}
		leave()
		synctest.Wait()
		var all sync.WaitGroup
		got := listen(t, c, &all, func() {})
		must(t, c.Answer(owner, n))
		time.Sleep(3030 * time.Millisecond)
		must(t, c.HangupPhone(owner, n))
		all.Wait()
		if len(*got) != 151 {
			t.Errorf("%d frames of 3.03 s", len(*got))
		}
		if e := follow(t, c, ref); e.Outcome != outcome.HungUpEarly {
			t.Errorf("%s", e.Outcome)
		}
		if _, err := c.Listen(t.Context(), owner, n); !errors.Is(err, sim.ErrNotInCall) {
			t.Errorf("Listen to an ended call: %v", err)
		}
		place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		none := listen(t, c, &all, func() {})
		must(t, c.HangupPhone(owner, n))
		all.Wait()
		if len(*none) != 0 {
			t.Error("a declined call has sound")
		}
	})
}

// At the fast pace there is no sound, and the stream ends with the call.
func TestListenAtTheFastPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{Pace: sim.Fast, Speaker: voice{}}), number(t, manual)
		ref := place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		var all sync.WaitGroup
		got := listen(t, c, &all, func() {})
		must(t, c.Answer(owner, n))
		must(t, c.Press(owner, n, "1"))
		if e := follow(t, c, ref); e.Outcome != outcome.Heard {
			t.Errorf("%s", e.Outcome)
		}
		all.Wait()
		if len(*got) != 0 {
			t.Errorf("%d frames", len(*got))
		}
	})
}

// What has no voice is shown, and silent for its time; a broken speaker leaves
// the words.
func TestWordsWithoutAVoice(t *testing.T) {
	t.Parallel()
	money, err := script.ParseMoney("12.50", "EUR")
	must(t, err)
	pay, err := script.Compose(script.Message{Lang: "en", Code: carriertest.Code(), Amount: &money, Payee: "Example Shop", Menu: true})
	must(t, err)
	for name, v := range map[string]voice{"no engine": {packs: true}, "broken": {err: errors.New("no pack")}, "slow": {takes: time.Minute}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				c, n := start(t, sim.Config{Speaker: v, Log: slog.New(slog.NewTextHandler(&log, nil))}), number(t, manual)
				for range 2 {
					call := carriertest.Voice(t, manual, script.GateNone)
					call.Script, call.Longest = pay, 4*time.Minute
					ref := place(t, c, call)
					must(t, c.Answer(owner, n))
					if e := follow(t, c, ref); e.Outcome != outcome.Heard {
						t.Errorf("%s: %s", e.Outcome, e.Reason)
					}
					if !slices.ContainsFunc(c.Phone(owner, n).Heard, func(s string) bool { return strings.Contains(s, "Example Shop") }) {
						t.Error("the payee is not shown")
					}
				}
			})
			if name == "no engine" && strings.Count(log.String(), "without a voice") != 1 {
				t.Errorf("not logged once: %s", log.String())
			}
			if strings.Contains(log.String(), "Example") {
				t.Errorf("the log holds words: %s", log.String())
			}
		})
	}
}

// A person who says hello first, and then is operated; a mailbox that greets.
func TestWhoSpeaksFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := start(t, sim.Config{Speaker: voice{}}), number(t, manual)
		must(t, c.Behave(owner, n, sim.Hello))
		if got := c.Phone(owner, n).Next; got != sim.Hello {
			t.Errorf("the next call meets %q", got)
		}
		ref := place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		time.Sleep(3*time.Second + time.Millisecond)
		if p := c.Phone(owner, n); p.State != sim.InCall || p.Says != sim.SaysHello || p.Behaviour != sim.Hello || len(p.Heard) != 0 {
			t.Errorf("%s, says %q after %d parts", p.State, p.Says, len(p.Heard))
		}
		time.Sleep(2 * time.Second)
		if p := c.Phone(owner, n); p.Says != "" {
			t.Errorf("still says %q", p.Says)
		}
		for c.Phone(owner, n).Gate == "" {
			time.Sleep(10 * time.Millisecond)
		}
		must(t, c.Press(owner, n, "7"))
		if e := follow(t, c, ref); e.Outcome != outcome.Heard {
			t.Errorf("%s: %s", e.Outcome, e.Reason)
		}
		if p := c.Phone(owner, n); p.Outcome != outcome.Heard || p.Reason == "" || p.Next != "" {
			t.Errorf("ended %s: %q", p.Outcome, p.Reason)
		}
		must(t, c.Behave(owner, n, sim.Voicemail))
		place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		time.Sleep(4 * time.Second)
		if p := c.Phone(owner, n); p.Says != sim.SaysGreeting {
			t.Errorf("a mailbox says %q", p.Says)
		}
	})
}

// The list has the account's phones only, the ringing one first, and Changed
// tells of each change.
func TestPhonesAndChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := start(t, sim.Config{})
		changed := c.Changed()
		place(t, c, carriertest.Voice(t, manual, script.GateAnyKey))
		select {
		case <-changed:
		default:
			t.Error("ringing is no change")
		}
		place(t, c, carriertest.Message(t, "+14155550151"))
		other := carriertest.Voice(t, "+14155550152", script.GateAnyKey)
		other.Account = "another"
		place(t, c, other)
		synctest.Wait()
		var got []string
		for _, p := range c.Phones(owner) {
			got = append(got, p.Number.E164()+" "+p.State)
		}
		if want := []string{manual + " ringing", "+14155550151 idle"}; !slices.Equal(got, want) {
			t.Errorf("phones: %q, want %q", got, want)
		}
		for what, do := range map[string]func() error{
			"Answer": func() error { return c.Answer(owner, number(t, manual)) },
			"Behave": func() error { return c.Behave(owner, number(t, manual), sim.Busy) },
		} {
			changed := c.Changed()
			must(t, do())
			select {
			case <-changed:
			default:
				t.Errorf("%s is no change", what)
			}
		}
	})
}
