package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// sipCall is a call to another project's telephone, over a trunk of its own.
type sipCall struct {
	name    string
	number  string // of its country's numbers for drama, which belong to nobody
	country string // the only one that the trunk calls
	kind    func(testing.TB, siptest.Handset) siptest.Phone
	handset siptest.Handset
	patient bool   // the phone hears the keys that it presses in its own ear
	trunk   string // further options
	silent  bool   // no key is pressed

	c       *client.Client
	phone   siptest.Phone
	service string // id
}

// TestSIPCalls makes whole calls in real time, all at once and by one program:
// they take most of a minute, and little of the machine.
func TestSIPCalls(t *testing.T) {
	t.Parallel()
	findEar(t)
	all := []*sipCall{
		{name: "baresip", number: "+442079460123", country: "GB", kind: siptest.Baresip},
		{
			name: "baresip PCMA", number: "+14155550123", country: "US", kind: siptest.Baresip,
			handset: siptest.Handset{Codecs: []audio.Codec{audio.PCMA}}, trunk: "codecs: [pcma], ",
		},
		{
			name: "baresip TLS SRTP", number: "+493023125123", country: "DE", kind: siptest.Baresip,
			handset: siptest.Handset{SRTP: true, TLS: siptest.NewIdentity(t)}, trunk: "transport: tls, srtp: required, ",
		},
		{name: "linphone", number: "+33199001234", country: "FR", kind: siptest.Linphone, patient: true},
		{name: "gate missed", number: "+61255501234", country: "AU", kind: siptest.Baresip, silent: true},
	}
	serveTrunks(t, all)
	var calls sync.WaitGroup
	for _, s := range all {
		calls.Go(func() { t.Run(s.name, or(s.silent, s.gateIsMissed, s.isHeard)) })
	}
	calls.Wait()
}

func or[T any](cond bool, a, b T) T {
	if cond {
		return a
	}
	return b
}

// serveTrunks starts the telephones, and the program with a trunk to each.
func serveTrunks(t *testing.T, all []*sipCall) {
	t.Helper()
	data, files := t.TempDir(), t.TempDir()
	config := "stop_after: 100ms\nguard: {countries: [GB, US, DE, FR, AU]}\nroutes:\n"
	for _, s := range all {
		s.handset.Number = s.number
		s.phone = s.kind(t, s.handset)
		if s.handset.TLS != nil {
			ca := filepath.Join(files, "ca.pem")
			if err := os.WriteFile(ca, s.handset.TLS.CA, 0o600); err != nil {
				t.Fatal(err)
			}
			s.trunk += "tls: {ca: " + ca + "}, "
		}
		config += fmt.Sprintf("- {carrier: trunk, name: %s, trunk: {proxies: [%q], bind: 127.0.0.1, countries: [%s], %scaller_ids: [{number: \"+442079460000\"}]}}\n",
			strings.ToLower(s.country), s.phone.Addr(), s.country, s.trunk)
	}
	if err := os.WriteFile(filepath.Join(data, "pincall.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := serveFolder(t, data)
	key, err := app.ReadKeyFile(data)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{BaseURL: "http://" + address, Key: client.Secret(key)})
	if err != nil {
		t.Fatal(err)
	}
	service, err := c.NewService(t.Context(), client.Settings{Name: "Phones", CodeLength: 4}) // which is read in little time
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		s.c, s.service = c, service.ID
	}
}

// isHeard has the telephone answer and press a key. What it recorded is read by a
// speech recognizer: it is the code.
func (s *sipCall) isHeard(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	v, phone := s.start(ctx, t), s.phone
	phone.Answered()
	ended := s.pressUntilPassed(ctx, t, v.ID)
	s.hangUpAfter(ctx, t, v.ID, 2)
	phone.Ended()
	if e := <-ended; e.Outcome != "heard" {
		t.Fatalf("the call ended %q: %s", e.Outcome, e.Reason)
	}
	readouts := readoutsIn(transcribe(ctx, t, sentences(t), mulaw(phone.Recording())))
	if len(readouts) < 2 {
		t.Fatalf("%d readouts were heard", len(readouts))
	}
	for _, code := range readouts[:2] { // as a person does who is not sure
		checked, err := s.c.Check(ctx, v.ID, client.CheckRequest{Code: client.Secret(code)})
		if err == nil && checked.Status == client.StatusApproved {
			return
		}
		t.Logf("a readout was misheard: %v", err)
	}
	t.Error("what was heard is not the code")
}

// gateIsMissed has a telephone answer, as a mailbox does, and press nothing: it
// records the prompt, and nothing of the code.
func (s *sipCall) gateIsMissed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	v, phone := s.start(ctx, t), s.phone
	phone.Answered()
	phone.Ended()
	e := s.watch(ctx, t, v.ID, nil)
	if e.Outcome != "gate_missed" {
		t.Errorf("the call ended %q: %s", e.Outcome, e.Reason)
	}
	recording := phone.Recording()
	heard := transcribe(ctx, t, sentences(t), mulaw(recording))
	if strings.Count(heard, "press any key") != 2 || !strings.Contains(heard, "we did not get the right key") {
		t.Error("the prompt, its repetition and the farewell were not heard")
	}
	if strings.Contains(heard, "code is") || len(readoutsIn(heard)) > 0 {
		t.Error("a code was heard")
	}
	if spoken := utterances(recording.Samples); len(spoken) != 3 {
		t.Errorf("spoken at %v, want the prompt, its repetition and the farewell", spoken)
	}
}

// sentences lets the recognizer hear the sentences of a call in any order, and
// codes of any length and content anywhere.
func sentences(t *testing.T) string {
	t.Helper()
	code, err := secret.ParseCode("000000")
	if err != nil {
		t.Fatal(err)
	}
	call, err := script.Compose(script.Message{Lang: "en", Code: code, Gate: script.GateAnyKey, Menu: true})
	if err != nil {
		t.Fatal(err)
	}
	aside, err := script.ComposeAside("en", script.AsideGateMissed)
	if err != nil {
		t.Fatal(err)
	}
	said := []string{"<code>"}
	for _, p := range slices.Concat(call.Parts, aside.Parts) {
		words := strings.TrimSpace(unspelt.ReplaceAllString(strings.ToLower(p.Words), " "))
		if p.Kind != script.KindDigit && words != "" {
			said = append(said, words)
		}
	}
	return "#JSGF V1.0;\ngrammar call;\npublic <call> = ( " + strings.Join(said, " | ") + " )*;\n<code> = ( number <digit> )+;\n" +
		"<digit> = " + strings.Join(digitNames[:], " | ") + ";\n"
}

// start starts a verification.
func (s *sipCall) start(ctx context.Context, t *testing.T) client.Verification {
	t.Helper()
	v, err := s.c.Start(ctx, client.StartRequest{Service: s.service, To: s.number, Channel: "voice", Locale: "en", Gate: "any_key"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		if v, err := s.c.Get(context.WithoutCancel(ctx), v.ID); err == nil {
			for _, a := range v.Attempts {
				t.Logf("the attempt is %s, %s: %s", a.State, a.Outcome, a.Reason)
			}
		}
	})
	return v
}

// watch follows a verification until the attempt on its own trunk ended, and
// closes passed, if any, when the gate was passed. The trunks of other countries
// refuse it first.
func (s *sipCall) watch(ctx context.Context, t *testing.T, id string, passed chan<- struct{}) client.Event {
	t.Helper()
	for e, err := range s.c.Events(ctx, id, 0) {
		switch {
		case err != nil:
			t.Errorf("events: %v", err)
		case e.Type == client.EventGatePassed && passed != nil:
			close(passed)
		case e.Type == client.EventAttemptEnded && e.Outcome != "carrier_refused":
			return e
		}
	}
	return client.Event{}
}

// pressUntilPassed presses a key every second, as an impatient person does, until
// one counts: those before the prompt's end do not. It gives the attempt's end.
func (s *sipCall) pressUntilPassed(ctx context.Context, t *testing.T, id string) <-chan client.Event {
	t.Helper()
	passed, ended := make(chan struct{}), make(chan client.Event, 1)
	go func() { ended <- s.watch(ctx, t, id, passed) }()
	again := time.NewTicker(time.Second)
	if s.patient { // the prompt takes as long
		again.Reset(10 * time.Second)
	}
	defer again.Stop()
	for {
		select {
		case <-passed:
			return ended
		case e := <-ended:
			t.Fatalf("the call ended at the gate: %s: %s", e.Outcome, e.Reason)
		case <-again.C:
			s.phone.Press('5')
			again.Reset(time.Second)
		case <-ctx.Done():
			t.Fatal("the gate was not passed")
		}
	}
}

// hangUpAfter hangs up when the code was read n times: nothing tells of that but
// the verification itself.
func (s *sipCall) hangUpAfter(ctx context.Context, t *testing.T, id string, n int) {
	t.Helper()
	for ctx.Err() == nil {
		v, err := s.c.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if last := v.Attempts[len(v.Attempts)-1]; last.Readouts >= n || last.Outcome != "" {
			s.phone.Hangup()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the code is not read")
}

// mulaw is a recording as the recognizer takes it.
func mulaw(s audio.Sound) []byte {
	out := make([]byte, len(s.Samples))
	audio.PCMU.Encode(out, s.Samples)
	return out
}

// utterances are when something is said: stretches above -50 dB with gaps below
// one second.
func utterances(pcm []int16) (all [][2]time.Duration) {
	for i := 0; i+audio.FrameSamples <= len(pcm); i += audio.FrameSamples {
		if audio.Level(pcm[i:i+audio.FrameSamples]) < -50 {
			continue
		}
		at := time.Duration(i) * time.Second / audio.Rate
		if n := len(all); n > 0 && at-all[n-1][1] < time.Second {
			all[n-1][1] = at
		} else {
			all = append(all, [2]time.Duration{at, at})
		}
	}
	return all
}
