package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/script"
)

// testNumber's phone is the simulator's, and does what it is told.
const testNumber = "+14155550100"

// process is a command line that runs in this process.
type process struct {
	out, err *screen
	in       *io.PipeWriter
	status   chan int
}

// begin runs a command on a data folder.
func begin(ctx context.Context, data string, args ...string) *process {
	in, typing := io.Pipe()
	p := &process{out: &screen{}, err: &screen{}, in: typing, status: make(chan int, 1)}
	env := map[string]string{"PINCALL_DATA": data}
	go func() {
		status := run(ctx, args, system{in, p.out, p.err, func(name string) string { return env[name] }})
		in.Close()
		p.status <- status
	}()
	return p
}

// wait checks the exit status.
func (p *process) wait(t *testing.T, want int) {
	t.Helper()
	select {
	case got := <-p.status:
		if got != want {
			t.Errorf("exit status %d, want %d: %q", got, want, p.err.lines())
		}
	case <-time.After(time.Minute):
		t.Fatal("the command does not end")
	}
}

// fastFolder is a data folder whose simulator loses no time.
func fastFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte("sim:\n  pace: fast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// heardCode reads the code as a person would: from what the phone said.
func heardCode(t *testing.T, out *screen) string {
	t.Helper()
	var said []string
	for _, line := range out.lines() {
		if words, ok := strings.CutPrefix(line, "phone: "); ok && !strings.HasPrefix(words, "(") {
			said = append(said, strings.TrimRight(words, ".")+". ")
		}
	}
	codes, err := script.ReadBack(strings.Join(said, ""), "en", 6)
	if err != nil {
		t.Fatal(err)
	}
	if len(codes) < 2 || slices.ContainsFunc(codes, func(c string) bool { return c != codes[0] }) {
		t.Fatalf("%d readouts of the code, want at least two that agree", len(codes))
	}
	return codes[0]
}

// other is a code of the same length that is wrong.
func other(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

func TestCallInProcess(t *testing.T) {
	t.Parallel()
	p := begin(t.Context(), fastFolder(t), "call", testNumber, "--lang", "en", "--brand", "Acme")
	p.out.waitFor(t, "call: ended: heard")
	p.out.waitFor(t, "Good-bye")
	code := heardCode(t, p.out)
	write(t, p.in, other(code))
	p.out.waitFor(t, "wrong code; 4 guesses left")
	write(t, p.in, code[:3]+" "+code[3:])
	p.wait(t, exitOK)
	p.out.waitFor(t, "approved")
	all := strings.Join(append(p.out.lines(), p.err.lines()...), "\n")
	if strings.Contains(all, code) || strings.Contains(all, testNumber[4:]) {
		t.Error("the code or the number was printed")
	}
}

func TestCallThroughServer(t *testing.T) {
	t.Parallel()
	data := fastFolder(t)
	said := callThroughServer(t, data)
	key, err := app.ReadKeyFile(data)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(said, key) {
		t.Error("the server printed the key")
	}
	if !strings.Contains(said, "api-key") {
		t.Error("the server does not say where the key is")
	}
}

// callThroughServer runs a server on a data folder, verifies a number by it, and
// gives what the server printed.
func callThroughServer(t *testing.T, data string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	server := begin(ctx, data, "serve", "--listen", "127.0.0.1:0")
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, ok := app.RunningServer(data); ok {
			break
		}
	}

	// The call is left when it was heard; the code is checked by another command.
	call := begin(t.Context(), data, "call", testNumber, "--lang", "en")
	call.out.waitFor(t, "call: ended: heard")
	call.out.waitFor(t, "Good-bye")
	code := heardCode(t, call.out)
	call.in.Close()
	call.wait(t, exitNo)
	id := strings.Fields(call.out.lines()[0])[1]

	wrong := begin(t.Context(), data, "check", id, other(code))
	wrong.wait(t, exitNo)
	wrong.out.waitFor(t, "wrong code; 4 guesses left")

	right := begin(t.Context(), data, "check", id)
	write(t, right.in, code)
	right.wait(t, exitOK)
	right.out.waitFor(t, "approved")

	again := begin(t.Context(), data, "check", id, code)
	again.wait(t, exitNo)
	again.err.waitFor(t, "verification_ended")

	stop()
	server.wait(t, exitOK)
	all := strings.Join(append(server.out.lines(), server.err.lines()...), "\n")
	for what, secret := range map[string]string{"code": code, "number": testNumber[1:], "database's password": "secretpassword"} {
		if strings.Contains(all, secret) {
			t.Errorf("the server printed the %s", what)
		}
	}
	return all
}

// TestCheckBesideCall proves that a second command works with the server of the
// first one, in a folder where no server ever kept a key.
func TestCheckBesideCall(t *testing.T) {
	t.Parallel()
	data := fastFolder(t)
	call := begin(t.Context(), data, "call", testNumber, "--lang", "en")
	call.out.waitFor(t, "Good-bye")
	code := heardCode(t, call.out)
	check := begin(t.Context(), data, "check", strings.Fields(call.out.lines()[0])[1], code)
	check.wait(t, exitOK)
	check.out.waitFor(t, "approved")
	call.wait(t, exitOK)
}

// TestInterruptEndsTheCall proves that a server that runs for one call alone
// lives until the cancellation is done.
func TestInterruptEndsTheCall(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	p := begin(ctx, fastFolder(t), "call", testNumber, "--no-answer")
	p.out.waitFor(t, "call: ringing")
	interrupt()
	p.wait(t, exitNo)
	p.out.waitFor(t, "canceled")
}
