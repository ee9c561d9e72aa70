package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/client"
)

// TestInterruptBeforeTheAnswer proves that a start whose answer was not waited
// for is canceled: the server may have carried it out.
func TestInterruptBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	f, c := newFake(t)
	f.started = make(chan struct{})
	ctx, interrupt := context.WithCancel(t.Context())
	_, typing, ended := hold(ctx, t, c, true)
	defer typing.Close()
	<-f.started
	interrupt()
	if err := <-ended; !errors.Is(err, errNotApproved) {
		t.Errorf("error %v, want not approved", err)
	}
	if !slices.Contains(f.log(), "/v1/verifications/v1/cancel {}") {
		t.Error("the verification was left to ring")
	}
	if len(f.once) != 2 || f.once[0] == "" || f.once[0] != f.once[1] {
		t.Errorf("the starts have the keys %q, want the same one twice", f.once)
	}
}

func TestFailedDisplayCancels(t *testing.T) {
	t.Parallel()
	f, c := newFake(t)
	out, typing, ended := hold(t.Context(), t, c, false)
	defer typing.Close()
	out.waitFor(t, "call: ringing")
	out.mu.Lock()
	out.gone = syscall.EPIPE
	out.mu.Unlock()
	write(t, typing, "hello")
	if err := <-ended; !errors.Is(err, syscall.EPIPE) || !strings.Contains(err.Error(), "v1 was canceled") {
		t.Errorf("error %v, want that of the write", err)
	}
	if !slices.Contains(f.log(), "/v1/verifications/v1/cancel {}") {
		t.Error("the verification was left to ring on")
	}
}

func TestServerGoesAway(t *testing.T) {
	t.Parallel()
	f, c := newFake(t)
	out, typing, ended := hold(t.Context(), t, c, false)
	defer typing.Close()
	out.waitFor(t, "call: ringing")
	f.srv.Close()
	err := <-ended
	if want := "no server answers at " + f.srv.URL + ": start one"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	out.waitFor(t, "the code can still be given to pincall check v1")
}

func TestHintComesAgain(t *testing.T) {
	t.Parallel()
	f, c := newFake(t)
	out, typing, ended := hold(t.Context(), t, c, false)
	out.waitFor(t, "call: ringing")
	f.mu.Lock()
	f.phone = client.PhoneState{State: client.PhoneEnded, Heard: []string{"good-bye"}}
	f.v.Attempts[0].State, f.v.Attempts[0].Outcome = client.StateEnded, "heard"
	f.mu.Unlock()
	out.waitFor(t, "good-bye")
	for range 1000 { // the code must not come before the hint
		if lines := out.lines(); lines[len(lines)-1] == hint {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	write(t, typing, fakeCode)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	lines := out.lines()
	want := []string{"call: ended: heard", "phone: good-bye", hint, "approved"}
	if diff := cmp.Diff(want, lines[len(lines)-len(want):]); diff != "" {
		t.Error(diff)
	}
}

func TestDisplay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prompts bool
		want    string
	}{
		"terminal": {true, "a\ncode> \r\x1b[Kb\ncode> code> \r\x1b[K"},
		"pipe":     {false, "a\nb\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			d := &display{out: &b, prompts: tc.prompts}
			for _, line := range []string{"a\n", "b\n"} {
				if _, err := io.WriteString(d, line); err != nil {
					t.Fatal(err)
				}
				d.ask()
				d.ask()
			}
			d.entered()
			d.ask()
			d.end()
			d.end()
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestConcerned proves that the phone is asked only while its state matters.
func TestConcerned(t *testing.T) {
	t.Parallel()
	h := &handset{answers: true}
	for i, step := range []struct {
		state, route   string
		answers, still bool // it answers; the phone was in the call at the last look
		want           bool
	}{
		{client.StateQueued, "", true, false, false},
		{client.StateRinging, "trunk", true, false, false},
		{client.StatePlaced, simulator, true, false, true},
		{client.StatePlaced, simulator, true, false, false},
		{client.StateRinging, simulator, false, false, true},
		{client.StateRinging, simulator, false, false, false},
		{client.StateRinging, simulator, true, false, true},
		{client.StateInCall, simulator, true, false, true},
		{client.StateInCall, simulator, true, true, true},
		{client.StateEnded, simulator, true, true, true},
		{client.StateEnded, simulator, true, true, true},
		{client.StateEnded, simulator, true, false, false},
	} {
		h.answers, h.inCall = step.answers, step.still
		if got := h.concerned(client.Attempt{ID: "a1", State: step.state, Route: step.route}); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}

// child is a pincall of its own that calls a phone nobody answers.
func child(t *testing.T, data string) (cmd *exec.Cmd, typing io.WriteCloser, out io.Closer, id string) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), "pincall", "call", testNumber, "--no-answer", "--data", data)
	typing, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if words := strings.Fields(line); words[0] == "verification" {
			id = words[1]
		}
		if line == "call: ringing\n" {
			return cmd, typing, stdout, id
		}
	}
}

// canceled proves that the verification is over and that the child said no.
func canceled(t *testing.T, cmd *exec.Cmd, data, id string) {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitNo {
		t.Errorf("the call ended with %v, want exit status %d", err, exitNo)
	}
	p := begin(t.Context(), data, "check", id, fakeCode+"00")
	p.wait(t, exitNo)
	p.err.waitFor(t, "verification_ended")
}

func TestHangupCancels(t *testing.T) {
	t.Parallel()
	data := fastFolder(t)
	cmd, typing, _, id := child(t, data)
	defer typing.Close()
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	canceled(t, cmd, data, id)
}

func TestClosedStdoutCancels(t *testing.T) {
	t.Parallel()
	data := fastFolder(t)
	cmd, typing, out, id := child(t, data)
	defer typing.Close()
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, typing, "hello")
	canceled(t, cmd, data, id)
}

// TestServerIsComing proves that a folder whose server cannot be reached yet is
// waited for, and not for ever.
func TestServerIsComing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		held time.Duration
		want string
	}{
		"soon free": {comingPatience / 2, "not_found"},
		"stuck":     {time.Hour, "is starting or stopping: try again in a moment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := fastFolder(t)
			lock := flock.New(filepath.Join(data, "lock"))
			if err := lock.Lock(); err != nil {
				t.Fatal(err)
			}
			free := time.AfterFunc(tc.held, func() { _ = lock.Unlock() })
			defer free.Stop()
			p := begin(t.Context(), data, "check", "v1", fakeCode)
			p.wait(t, exitNo)
			p.err.waitFor(t, tc.want)
		})
	}
}
