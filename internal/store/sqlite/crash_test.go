package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// crashPath tells the child process which database to write to.
const crashPath = "PINCALL_TEST_CRASH_DB"

// TestCrash kills a writing process: what it acknowledged is there, whole.
func TestCrash(t *testing.T) {
	t.Parallel()
	if path := os.Getenv(crashPath); path != "" {
		crashChild(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "pincall.db")
	acked := make(map[string]bool)
	for kill := range 5 {
		before := len(acked)
		runAndKill(t, path, acked, time.Duration(100+50*kill)*time.Millisecond)
		if len(acked) == before {
			t.Error("the child acknowledged nothing")
		}
		checkAcked(t, path, acked)
	}
	t.Logf("%d acknowledged", len(acked))
}

// runAndKill runs a child until it has acknowledged something and for a while
// more, kills it, and collects what it acknowledged.
func runAndKill(t *testing.T, path string, acked map[string]bool, after time.Duration) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrash$", "-test.v=false")
	child.Env = append(os.Environ(), crashPath+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var kill sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		// A line that was cut off by the kill has no end mark.
		if id, ok := strings.CutSuffix(lines.Text(), "."); ok {
			acked[id] = true
		}
		kill.Do(func() { time.AfterFunc(after, func() { _ = child.Process.Kill() }) })
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

// crashChild writes starts until it is killed, and says which are durable.
func crashChild(t *testing.T, path string) {
	s, err := Open(context.Background(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var out sync.Mutex
	for range 16 {
		wg.Go(func() {
			for {
				x := sample(s.clock)
				if err := s.Do(context.Background(), x.Start()); err != nil {
					return
				}
				out.Lock()
				_, _ = fmt.Println(x.V.ID + ".")
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

func checkAcked(t *testing.T, path string, acked map[string]bool) {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for id := range acked {
		st, err := s.Read(t.Context(), "01k0000000000000000000acct", id)
		if err != nil || len(st.Attempts) != 1 {
			t.Fatalf("an acknowledged start came back as %v with %d attempts", err, len(st.Attempts))
		}
	}
	want := map[string]string{
		"PRAGMA integrity_check": "ok",
		// Each verification has its attempt and its job, acknowledged or not.
		`SELECT (SELECT count(*) FROM verifications) || ' ' || (SELECT count(*) FROM attempts JOIN jobs
			ON jobs.subject = attempts.id JOIN verifications ON verifications.id = attempts.verification)`: "",
	}
	for sql, answer := range want {
		err := s.read(t.Context(), func(c *conn) error {
			return c.query(sql, func(r *row) error {
				got := r.text()
				if a, b, ok := strings.Cut(got, " "); answer == "" && (!ok || a != b) || answer != "" && got != answer {
					t.Errorf("%s gave %q", sql, got)
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
}
