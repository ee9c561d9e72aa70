package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/phone"
)

// screen is a terminal's output that a test can wait for.
type screen struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	gone error // what a write fails with
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil {
		return 0, s.gone
	}
	return s.buf.Write(b)
}

func (s *screen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSpace(s.buf.String()), "\n")
}

// waitFor waits until a line with the words is there.
func (s *screen) waitFor(t *testing.T, words string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if slices.ContainsFunc(s.lines(), func(l string) bool { return strings.Contains(l, words) }) {
			return
		}
	}
	t.Errorf("no line with %q", words)
}

// hold runs a session of a fake server; type writes to its input.
func hold(ctx context.Context, t *testing.T, c *client.Client, answers bool) (out *screen, typing io.WriteCloser, ended chan error) {
	t.Helper()
	number, err := phone.Parse("+14155550100")
	if err != nil {
		t.Fatal(err)
	}
	in, typing := io.Pipe()
	out, ended = &screen{}, make(chan error, 1)
	ctx, leave := context.WithCancelCause(ctx)
	t.Cleanup(func() { leave(nil) })
	shown := &display{out: out, leave: leave}
	s := &session{
		server: &server{Client: c, absent: "start one"}, out: shown, number: number,
		phone: newHandset(ctx, c.Phone(number.E164()), shown, answers),
	}
	go func() {
		err := s.start(ctx, in, client.StartRequest{To: number.E164()})
		in.Close()
		ended <- err
	}()
	return out, typing, ended
}

func write(t *testing.T, w io.Writer, line string) {
	t.Helper()
	if _, err := io.WriteString(w, line+"\n"); err != nil {
		t.Error(err)
	}
}

func TestSessionApproves(t *testing.T) {
	t.Parallel()
	f, c := newFake(t)
	f.v.Gate = "screen_digits"
	f.v.ScreenDigits = "42"
	out, typing, ended := hold(t.Context(), t, c, true)
	out.waitFor(t, "your code is")
	for _, line := range []string{"hello", "0541", "r", "", fakeCode} {
		write(t, typing, line)
	}
	if err := <-ended; err != nil {
		t.Errorf("error %v, want an approval", err)
	}
	want := []string{
		"call: queued",
		"digits to key on the phone: 42",
		"call: placed by sim",
		"call: ringing",
		"type the code when you have it (r: send it again, n: next step, q: cancel)",
		"call: answered",
		"phone: hello",
		"phone: (pressed 42)",
		"call: gate passed",
		"call: code heard once",
		"phone: your code is 0 5 4 2",
		"not a code: type its digits, or r, n or q",
		"wrong code; 2 guesses left",
		"refused: a call is on its way",
		"approved",
	}
	if diff := cmp.Diff(want, out.lines()[1:]); diff != "" {
		t.Error(diff)
	}
	if first := out.lines()[0]; !strings.HasPrefix(first, "verification v1 of +1 ") || strings.Contains(first, "5550100") {
		t.Error("the first line must name the verification, and not the whole number")
	}
	posts := f.log()
	if last := posts[len(posts)-1]; !strings.HasSuffix(last, "/hangup {}") {
		t.Errorf("the last request is %s: a person hangs up when they are done", last)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lines []string
		last  string
	}{
		"out of guesses": {[]string{"0541", "0543", "0544"}, client.StatusMaxAttempts},
		"canceled":       {[]string{"q"}, client.StatusCanceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := newFake(t)
			out, typing, ended := hold(t.Context(), t, c, false)
			for _, line := range tc.lines {
				write(t, typing, line)
			}
			if err := <-ended; !errors.Is(err, errNotApproved) {
				t.Errorf("error %v, want not approved", err)
			}
			lines := out.lines()
			if diff := cmp.Diff(tc.last, lines[len(lines)-1]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSessionEndsWithItsInput(t *testing.T) {
	t.Parallel()
	f, c := newFake(t)
	out, typing, ended := hold(t.Context(), t, c, false)
	out.waitFor(t, "call: ringing")
	typing.Close()
	f.mu.Lock()
	f.v.Attempts[0].State, f.v.Attempts[0].Outcome, f.v.Attempts[0].Reason = client.StateEnded, "no_answer", "it rang out"
	f.mu.Unlock()
	if err := <-ended; !errors.Is(err, errNotApproved) {
		t.Errorf("error %v, want not approved", err)
	}
	out.waitFor(t, "call: ended: no_answer (it rang out)")
	out.waitFor(t, "pincall check v1")
}

func TestInterruptCancels(t *testing.T) {
	t.Parallel()
	f, c := newFake(t)
	f.noPhone = true
	ctx, interrupt := context.WithCancel(t.Context())
	out, typing, ended := hold(ctx, t, c, true)
	defer typing.Close()
	out.waitFor(t, "call: ringing")
	interrupt()
	if err := <-ended; !errors.Is(err, errNotApproved) {
		t.Errorf("error %v, want not approved", err)
	}
	out.waitFor(t, "canceled")
	if !slices.Contains(f.log(), "/v1/verifications/v1/cancel {}") {
		t.Error("the verification was left to ring on")
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	voice := client.Attempt{ID: "a1", Channel: "voice", State: client.StateDialling, Route: "trunk"}
	refused := client.Attempt{ID: "a1", Channel: "voice", State: client.StateEnded, Outcome: "busy", Reason: "the line was engaged"}
	text := client.Attempt{ID: "a2", Channel: "sms", State: client.StatePlaced, Route: "sms1", Ungated: true}
	var p progress
	for i, step := range []struct {
		v    client.Verification
		want []string
	}{
		{client.Verification{Status: "pending", Step: 1, Steps: 2, Attempts: []client.Attempt{voice}}, []string{"call: dialling"}},
		{client.Verification{Status: "pending", Step: 1, Steps: 2, Attempts: []client.Attempt{voice}}, nil},
		{client.Verification{Status: "pending", Step: 2, Steps: 2, Channel: "sms", Attempts: []client.Attempt{refused, text}},
			[]string{"step 2 of 2: sms", "call: ended: busy (the line was engaged)", "message 2: placed by sms1",
				"message 2: this route takes no keys, so nothing guards the code from a mailbox"}},
		{client.Verification{Status: "failed", Reason: "refused", Step: 2, Steps: 2, Attempts: []client.Attempt{refused, text}},
			[]string{"failed (refused)"}},
	} {
		if diff := cmp.Diff(step.want, p.update(step.v)); diff != "" {
			t.Errorf("look %d: %s", i+1, diff)
		}
	}
}

// A server that tells of events is looked at when it does, long before the next
// look is due.
func TestEventsAreLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	f, c := newFake(t)
	f.noPhone, f.news = true, make(chan struct{})
	out, typing, ended := hold(t.Context(), t, c, false)
	began := time.Now()
	for range 3 { // a look moves the call on by one state
		select {
		case f.news <- struct{}{}:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody listens for events")
		}
	}
	out.waitFor(t, "ringing")
	if took := time.Since(began); took > lookSeldom {
		t.Errorf("it took %v", took)
	}
	write(t, typing, fakeCode)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
