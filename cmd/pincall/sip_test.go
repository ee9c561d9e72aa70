package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// sipNumber belongs to nobody (it is one of Ofcom's numbers for drama); the tests'
// telephones answer to it.
const sipNumber = "+442079460123"

// sipTest is the whole program, which calls another project's telephone.
type sipTest struct {
	name    string
	phone   func(testing.TB, siptest.Handset) siptest.Phone
	handset siptest.Handset
	trunk   string // further options of the trunk
	tls     bool
}

var sipTests = []sipTest{
	{name: "baresip", phone: siptest.Baresip},
	{name: "baresip PCMA", phone: siptest.Baresip, handset: siptest.Handset{Codecs: []audio.Codec{audio.PCMA}}, trunk: "codecs: [pcma], "},
	{name: "baresip TLS SRTP", phone: siptest.Baresip, handset: siptest.Handset{SRTP: true}, trunk: "transport: tls, srtp: required, ", tls: true},
	{name: "linphone", phone: siptest.Linphone},
}

// TestSIPCallIsHeard has a telephone answer and press a key. What it recorded is
// read by a speech recognizer: it is the code.
func TestSIPCallIsHeard(t *testing.T) {
	t.Parallel()
	findEar(t)
	for _, s := range sipTests {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			phone, c := s.serve(t)
			v := startSIP(ctx, t, c)
			phone.Answered()
			ended := pressUntilPassed(ctx, t, c, v.ID, phone)
			phone.Ended()
			e := <-ended
			if e.Outcome != "heard" {
				t.Fatalf("the call ended %q: %s", e.Outcome, e.Reason)
			}
			readouts := recognize(ctx, t, mulaw(phone.Recording()))
			if !slices.ContainsFunc(readouts, func(r string) bool { return len(r) == 6 }) {
				t.Fatalf("%d readouts were heard", len(readouts))
			}
			checked, err := c.Check(ctx, v.ID, client.CheckRequest{Code: client.Secret(together(readouts))})
			if err != nil {
				t.Fatal(err)
			}
			if checked.Status != client.StatusApproved {
				t.Errorf("what was heard is not the code: %s", checked.Status)
			}
		})
	}
}

// TestSIPGateIsMissed has a telephone answer, as a mailbox does, and press nothing:
// it records the prompt, and nothing of the code.
func TestSIPGateIsMissed(t *testing.T) {
	t.Parallel()
	findEar(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	phone, c := sipTests[0].serve(t)
	v := startSIP(ctx, t, c)
	phone.Answered()
	phone.Ended()
	e := watch(ctx, t, c, v.ID, nil)
	if e.Outcome != "gate_missed" {
		t.Errorf("the call ended %q: %s", e.Outcome, e.Reason)
	}
	recording := phone.Recording()
	heard := transcribe(ctx, t, anythingGrammar, mulaw(recording))
	if !strings.Contains(heard, "press any key") {
		t.Errorf("the prompt was not heard")
	}
	if regexp.MustCompile(`\b(number|code is|` + strings.Join(digitNames[:], "|") + `)\b`).MatchString(heard) {
		t.Error("there is more than the prompt in the recording")
	}
	// After the prompts, which end with the first long silence after the second,
	// nothing is said.
	spoken := utterances(recording.Samples)
	t.Logf("%v recorded, spoken at %v", recording.Duration().Round(time.Millisecond), spoken)
}

// anythingGrammar lets the recognizer hear every part of a call anywhere.
const anythingGrammar = `#JSGF V1.0;
grammar anything;
public <call> = ( hello this is an automated call | we have a verification code for you | to hear your code press any key on your phone |
 do not share this code with anyone | our staff will never ask you for it | your code is | i repeat | once more | number <digit> | <digit> |
 to hear it again press one | if you did not ask for this call press nine | thank you | good bye )*;
<digit> = zero | one | two | three | four | five | six | seven | eight | nine;
`

// serve starts a telephone, and the program with a trunk to it alone.
func (s sipTest) serve(t *testing.T) (siptest.Phone, *client.Client) {
	t.Helper()
	data, files := t.TempDir(), t.TempDir()
	s.handset.Number = sipNumber
	if s.tls {
		s.handset.TLS = siptest.NewIdentity(t)
		ca := filepath.Join(files, "ca.pem")
		if err := os.WriteFile(ca, s.handset.TLS.CA, 0o600); err != nil {
			t.Fatal(err)
		}
		s.trunk += "tls: {ca: " + ca + "}, "
	}
	phone := s.phone(t, s.handset)
	config := fmt.Sprintf(`stop_after: 100ms
guard: {countries: [GB]}
routes:
- {carrier: trunk, name: main, trunk: {proxies: ["%s"], bind: 127.0.0.1, %scaller_ids: [{number: "+442079460000"}]}}
`, phone.Addr(), s.trunk)
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
	return phone, c
}

func startSIP(ctx context.Context, t *testing.T, c *client.Client) client.Verification {
	t.Helper()
	v, err := c.Start(ctx, client.StartRequest{To: sipNumber, Channel: "voice", Locale: "en", Gate: "any_key"})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// watch follows a verification until its attempt ended, and closes passed, if any,
// when the gate was passed.
func watch(ctx context.Context, t *testing.T, c *client.Client, id string, passed chan<- struct{}) client.Event {
	t.Helper()
	for e, err := range c.Events(ctx, id, 0) {
		switch {
		case err != nil:
			t.Errorf("events: %v", err)
		case e.Type == client.EventGatePassed && passed != nil:
			close(passed)
		case e.Type == client.EventAttemptEnded:
			return e
		}
	}
	return client.Event{}
}

// pressUntilPassed presses a key every second, as an impatient person does, until
// one counts: those before the prompt's end do not. It gives the attempt's end.
func pressUntilPassed(ctx context.Context, t *testing.T, c *client.Client, id string, phone siptest.Phone) <-chan client.Event {
	t.Helper()
	passed, ended := make(chan struct{}), make(chan client.Event, 1)
	go func() { ended <- watch(ctx, t, c, id, passed) }()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-passed:
			return ended
		case e := <-ended:
			t.Fatalf("the call ended at the gate: %s: %s", e.Outcome, e.Reason)
		case <-again.C:
			phone.Press('5')
		case <-ctx.Done():
			t.Fatal("the gate was not passed")
		}
	}
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
