package trunk_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/trunk"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
	"github.com/pincall/pincall/internal/talk"
)

// refused places a call that must be refused for a while, and gives its ending.
func refused(t *testing.T, r rig) outcome.Ending {
	t.Helper()
	_, err := r.Place(t.Context(), voice(t, script.GateAnyKey))
	if err == nil {
		t.Fatal("the call was placed")
	}
	e := carrier.EndingOf(err)
	if e.MayHaveRung || e.Permanent || e.Fault != outcome.FaultOurs {
		t.Errorf("%+v", e)
	}
	return e
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	r := pair(t, trunk.Config{Concurrent: 2})
	r.phone.act(lies)
	var refs []carrier.Ref
	for range 2 {
		refs = append(refs, place(t, r, voice(t, script.GateAnyKey)))
	}
	refused(t, r)
	_ = r.Hangup(t.Context(), refs[0])
	_, end := followed(t, r, refs[0])
	get(t, end)
	place(t, r, voice(t, script.GateAnyKey))
	refused(t, r)
}

// Ten calls a second and a wait of two seconds: about twenty wait, and the rest is
// refused.
func TestCallsPerSecond(t *testing.T) {
	t.Parallel()
	r := pair(t, trunk.Config{CallsPerSecond: 10})
	r.phone.act(rejects(486))
	placed := make(chan bool, 40)
	began := time.Now()
	for range 40 {
		go func() {
			_, err := r.Place(t.Context(), voice(t, script.GateAnyKey))
			placed <- err == nil
		}()
	}
	n := 0
	for range 40 {
		if get(t, placed) {
			n++
		}
	}
	if took := time.Since(began); n < 20 || n > 25 || took < 1900*time.Millisecond {
		t.Errorf("%d calls were placed in %s", n, took)
	}
}

// A trunk whose media has no room refuses, and the phone has not rung.
func TestNoMedia(t *testing.T) {
	t.Parallel()
	p := siptest.UDP(t)
	cfg := trunk.Config{Caller: sipcall.Config{Open: func() (sipcall.Stream, error) { return nil, media.ErrBusy }}}
	r := start(t, p.Addr(), cfg)
	_, end := followed(t, r, place(t, r, voice(t, script.GateAnyKey)))
	if e := get(t, end); e.Outcome != outcome.CarrierFailed || e.MayHaveRung || e.Fault != outcome.FaultOurs {
		t.Errorf("%+v", e)
	}
	if got := p.Pending(); len(got) != 0 {
		t.Errorf("%v was sent", got)
	}
}

func TestNotStarted(t *testing.T) {
	t.Parallel()
	c, err := trunk.New(trunk.Config{Speaker: fake{}, Caller: sipcall.Config{
		Proxies: []string{"127.0.0.1:9"}, Open: func() (sipcall.Stream, error) { return nil, media.ErrBusy },
	}})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, rig{Carrier: c})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// The trunk's ring time-out is used where it is the shorter one.
func TestRingTimeout(t *testing.T) {
	t.Parallel()
	r := pair(t, trunk.Config{RingTimeout: 200 * time.Millisecond})
	r.phone.act(lies)
	began := time.Now()
	_, end := followed(t, r, place(t, r, voice(t, script.GateAnyKey)))
	if e := get(t, end); e.Outcome != outcome.NoAnswer || time.Since(began) > 5*time.Second {
		t.Errorf("%s after %s", e.Outcome, time.Since(began))
	}
}

func TestCallerIDsTakeTurns(t *testing.T) {
	t.Parallel()
	r := pair(t, trunk.Config{CallerIDs: []trunk.CallerID{
		{Number: "+815011110001"}, {Number: "+815011110002"},
		{Number: "+493011110003", Countries: []string{"DE", "AT"}}, {Number: "+493011110004", Countries: []string{"DE"}},
	}})
	r.phone.act(rejects(486))
	german := parse(t, "+4915112345678")
	for _, to := range []string{"jp", "de", "jp", "de", "jp", "de"} {
		call := voice(t, script.GateAnyKey)
		if to == "de" {
			call.To = german
		}
		_, end := followed(t, r, place(t, r, call))
		get(t, end)
	}
	from, _ := r.phone.seen()
	want := []string{
		"+815011110001", "+493011110003", "+815011110002", "+493011110004", "+815011110001", "+493011110003",
	}
	if d := cmp.Diff(want, from); d != "" {
		t.Error(d)
	}
}

func TestNoCallerIDForTheCountry(t *testing.T) {
	t.Parallel()
	r := pair(t, trunk.Config{CallerIDs: []trunk.CallerID{{Number: callerID, Countries: []string{"DE"}}}})
	_, err := r.Place(t.Context(), voice(t, script.GateAnyKey))
	if e := carrier.EndingOf(err); err == nil || e.Outcome != outcome.CarrierRefused || !e.Permanent || e.MayHaveRung {
		t.Errorf("%+v", e)
	}
}

// Somebody who calls our caller ID hears who called, twice; without an
// announcement the call is declined.
func TestCallback(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		callback trunk.Callback
		answered bool
	}{
		"recording": {trunk.Callback{Clip: level(3000)}, true},
		"words":     {trunk.Callback{Script: text(t)}, true},
		"none":      {trunk.Callback{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := engine(t)
			r := startOn(t, e, "127.0.0.1:9", trunk.Config{
				Callback: c.callback, Speaker: fake{words: []string{"en"}},
				Caller: sipcall.Config{Peers: peers()},
			})
			person, err := sipcall.New(sipcall.Config{
				Proxies: []string{r.Line().Addr().String()}, Bind: loopback(), OptionsInterval: -1, Open: open(t, e),
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := person.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = person.Stop(context.Background()) })
			line, err := person.Call(t.Context(), sipcall.Invite{To: callerID, From: number}, nil)
			if c.answered != (err == nil) {
				t.Fatalf("answered: %t: %v", err == nil, err)
			}
			if err != nil {
				return
			}
			defer func() { _ = line.Hangup(context.Background()) }()
			select {
			case <-line.Gone():
			case <-time.After(siptest.Patience):
				t.Fatal("the announcement does not end")
			}
			if s := line.Stats(); s.Received < 90 { // two seconds of rests, and two frames
				t.Errorf("%d packets were heard", s.Received)
			}
		})
	}
}

func text(t *testing.T) script.Script {
	t.Helper()
	s, err := script.ComposeText("en", "This is an automated line.")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCan(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{nil, {"en"}} {
		r := start(t, "127.0.0.1:9", trunk.Config{Speaker: fake{words: words}})
		can := r.Can()
		if can.SpeaksWords("en") != slices.Contains(words, "en") || can.SpeaksWords("ja") || can.Payee != (words != nil) {
			t.Errorf("%v: %+v", words, can)
		}
		if !can.Voice || !can.Gate || !can.Keys || !can.Sound || !can.Extension || can.SMS || can.Resume || can.Speaks("de") {
			t.Errorf("%+v", can)
		}
	}
}

// spy tells in which languages it was asked to speak.
type spy struct {
	fake
	asked chan string
}

func (s spy) Speak(ctx context.Context, sc script.Script) (talk.Sound, error) {
	s.asked <- sc.Lang
	return s.fake.Speak(ctx, sc)
}

// Voices are ready before the first call, those that there are.
func TestWarm(t *testing.T) {
	t.Parallel()
	s := spy{asked: make(chan string, 10)}
	r := start(t, "127.0.0.1:9", trunk.Config{Speaker: s, Warm: []string{"ja", "de", "en"}})
	if first, second := get(t, s.asked), get(t, s.asked); first != "ja" || second != "en" {
		t.Errorf("%s and %s were made ready", first, second)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
