package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// serveDir makes the test binary a pincall process on a folder: the one that is
// killed.
const serveDir = "PINCALL_TEST_SERVE"

func TestMain(m *testing.M) {
	dir := os.Getenv(serveDir)
	if dir == "" {
		pgtest.Main(m)
	}
	logs, err := os.OpenFile(filepath.Join(dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		os.Exit(3)
	}
	p, err := app.New(context.Background(), app.Config{
		Listen: "127.0.0.1:0", Data: dir, Log: slog.New(slog.NewTextHandler(logs, nil)), Stdout: os.Stdout,
	})
	if err == nil {
		err = p.Run(context.Background())
	}
	fmt.Fprintln(logs, "ended:", err)
	os.Exit(3)
}

// victim is a pincall process that can be killed.
type victim struct {
	*client.Client
	t   *testing.T
	cmd *exec.Cmd
}

func launch(t *testing.T, dir string, x *xoxzotest.Server) *victim {
	t.Helper()
	v := &victim{t: t, cmd: exec.Command(os.Args[0])}
	v.cmd.Env = append(os.Environ(), serveDir+"="+dir, "XOXZO_API_SID="+x.SID, "XOXZO_API_AUTH_TOKEN="+x.AuthToken)
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.kill)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	for range 3000 {
		key, err := app.ReadKeyFile(dir)
		addr, ok := app.RunningServer(dir)
		if err == nil && ok {
			if v.Client, err = client.New(client.Config{BaseURL: "http://" + addr, Key: client.Secret(key)}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			err := v.Health(ctx)
			cancel()
			if err == nil {
				return v
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the server does not start")
	return nil
}

// kill is kill -9.
func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
}

func (v *victim) start(to, purpose string) client.Verification {
	v.t.Helper()
	got, err := v.Start(v.t.Context(), client.StartRequest{To: to, Purpose: purpose, Locale: "en"})
	if err != nil {
		v.t.Fatal(err)
	}
	return got
}

// crashConfig has wide limits.
func crashConfig(x *xoxzotest.Server) string {
	config, _ := xoxzoConfig(x)
	return "guard: {countries: [JP], starts_per_account: 100000/1m, calls_per_day: 1000000, concurrent_calls: 100000}\n" +
		config[len("guard: {countries: [JP, US]}\n"):]
}

func crashFolder(t *testing.T, x *xoxzotest.Server) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(crashConfig(x)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not come", what)
}

func ended(v *victim, id string) func() bool {
	return func() bool {
		got, err := v.Get(v.t.Context(), id)
		return err == nil && attemptEnded(got)
	}
}

// Killed before the second call was dialling: after the restart it is placed,
// once; the first, whose reference is on record, is followed and not placed.
func TestKillBeforeDialling(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	x.ScriptCalls("", xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "ANSWERED"}, Every: time.Hour})
	dir := crashFolder(t, x)
	v := launch(t, dir, x)
	first := v.start("+818012345678", "one")
	eventually(t, "the first call", func() bool { return len(x.Calls()) == 1 })
	eventually(t, "its reference", func() bool {
		got, err := v.Get(t.Context(), first.ID)
		return err == nil && got.Attempts[0].State == "placed"
	})
	second := v.start("+818012345678", "two")
	v.kill()
	x.End(x.Calls()[0].ID)
	v = launch(t, dir, x)
	eventually(t, "the second call", func() bool { return len(x.Calls()) == 2 })
	x.End(x.Calls()[1].ID)
	for _, id := range []string{first.ID, second.ID} {
		eventually(t, "the end", ended(v, id))
		got, err := v.Get(t.Context(), id)
		if err != nil || len(got.Attempts) != 1 || got.Attempts[0].Outcome != "answered" {
			t.Errorf("attempts %+v, %v", got.Attempts, err)
		}
	}
	if n := len(x.Calls()); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// Killed while dialling: nobody knows whether the call left, so it is never
// placed again, and the attempt says so.
func TestKillWhileDialling(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	x.Fail(xoxzotest.OpPlayback, xoxzotest.Fault{Hang: true, Acts: true})
	dir := crashFolder(t, x)
	v := launch(t, dir, x)
	id := v.start("+818012345678", "").ID
	eventually(t, "the request", func() bool { return len(x.Calls()) == 1 })
	v.kill()
	v = launch(t, dir, x)
	eventually(t, "the end", ended(v, id))
	got, err := v.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Attempts[0]; a.Outcome != "carrier_failed" || got.Status != "pending" || len(got.Attempts) != 1 {
		t.Errorf("%s, %s", a.Outcome, got.Status)
	}
	if n := len(x.Calls()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// enoughStarts is how many must have been acknowledged to say anything.
const enoughStarts = 50

// Killed again and again under load: every acknowledged start is on record, no
// number is called twice, and what was not called says why.
func TestKillAtAnyMoment(t *testing.T) {
	t.Parallel()
	for engine, folder := range map[string]func(*testing.T, *xoxzotest.Server) string{
		"sqlite": crashFolder,
		"postgres": func(t *testing.T, x *xoxzotest.Server) string {
			return newShared(t, pgtest.Durable(t)).folder(crashConfig(x))
		},
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			x := xoxzotest.New(t)
			x.SetCredits(1e9)
			x.ScriptCalls("", xoxzotest.Life{Statuses: []string{"ANSWERED"}})
			dir := folder(t, x)
			l := &load{acknowledged: map[string]string{}}
			for round := 0; round < 6 || l.count() < enoughStarts && round < 30; round++ {
				v := launch(t, dir, x)
				stop := l.run(t, v.Client)
				l.more(1) // on a busy machine the first takes its time
				time.Sleep(time.Duration(50+rand.IntN(350)) * time.Millisecond)
				v.kill()
				stop()
			}
			audit(t, launch(t, dir, x), x, l.acknowledged)
		})
	}
}

// load starts verifications, each of another number.
type load struct {
	mu           sync.Mutex
	acknowledged map[string]string // id by number
	next         int
}

// loadClients is how many ask at a time.
const loadClients = 8

// run asks until stop is called.
func (l *load) run(t *testing.T, c *client.Client) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range loadClients {
		clients.Go(func() {
			for ctx.Err() == nil {
				l.mu.Lock()
				to := fmt.Sprintf("+8180%08d", 10_000_000+l.next)
				l.next++
				l.mu.Unlock()
				got, err := c.Start(ctx, client.StartRequest{To: to, Locale: "en"})
				if err != nil {
					continue
				}
				l.mu.Lock()
				l.acknowledged[to] = got.ID
				l.mu.Unlock()
			}
		})
	}
	return func() { cancel(); clients.Wait() }
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// more waits for n more acknowledged starts, at most for a while.
func (l *load) more(n int) {
	n += l.count()
	for range 1000 {
		if l.count() >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func audit(t *testing.T, v *victim, x *xoxzotest.Server, acknowledged map[string]string) {
	t.Helper()
	lost := 0
	for to, id := range acknowledged {
		var got client.Verification
		eventually(t, "the end of an attempt", func() bool {
			var err error
			got, err = v.Get(t.Context(), id)
			var e *client.Error
			if errors.As(err, &e) && e.Status == 404 {
				t.Fatal("an acknowledged start is lost")
			}
			return err == nil && attemptEnded(got)
		})
		placed := 0
		for _, c := range x.Calls() {
			if c.Recipient == to {
				placed++
			}
		}
		a := got.Attempts[0]
		switch {
		case len(got.Attempts) != 1 || placed > 1:
			t.Errorf("%d attempts, %d calls to one number", len(got.Attempts), placed)
		case a.Outcome == "answered" && placed == 1:
		case a.Outcome == "carrier_failed":
			lost++
		default:
			t.Errorf("outcome %s after %d calls", a.Outcome, placed)
		}
	}
	seen := map[string]int{}
	for _, c := range x.Calls() {
		if seen[c.Recipient]++; seen[c.Recipient] > 1 {
			t.Error("a number was called twice")
		}
	}
	t.Logf("%d starts acknowledged, %d calls placed, %d attempts lost from sight", len(acknowledged), len(x.Calls()), lost)
	if len(acknowledged) < enoughStarts {
		t.Error("too few starts to say anything")
	}
}
