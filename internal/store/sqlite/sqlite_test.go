package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/store/storetest"
	"github.com/pincall/pincall/internal/verify"
)

// openTest opens a database that is closed when the test ends.
func openTest(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "data", "pincall.db")
	}
	s, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serving opens a database for the process that works on it.
func serving(t *testing.T, path string) *Store {
	t.Helper()
	s := openTest(t, Config{Path: path})
	if _, err := s.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Engine {
		return openTest(t, Config{Now: now})
	})
}

func TestFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?c#d%20", "pincall.db")
	serving(t, path)
	for name, want := range map[string]fs.FileMode{
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, filepath.Dir(path): fs.ModeDir | 0o700,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", filepath.Base(name), info.Mode(), want)
		}
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "pincall.db")
	for _, c := range []struct {
		check string
		want  error
	}{{"", nil}, {"one", nil}, {"one", nil}, {"two", store.ErrWrongKeys}, {"", nil}} {
		s, err := Open(ctx, Config{Path: path, KeyCheck: c.check})
		if !errors.Is(err, c.want) {
			t.Fatalf("key check %q: got %v, want %v", c.check, err, c.want)
		}
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %v", err)
			}
			continue
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pincall.db")
	s := openTest(t, Config{Path: path})
	if err := s.change(t.Context(), everything, func(t *tx) error {
		_, err := t.exec("INSERT INTO schema_version (version) VALUES (99)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{Path: path})
	if err == nil || !strings.Contains(err.Error(), "newer program") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a newer database gave the error %v", err)
	}
}

func TestForeignFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pincall.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database. "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Path: path}); err == nil {
		t.Error("a file that is no database was opened")
	}
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("no path was accepted")
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a write gave %v", err)
	}
	if _, err := s.Accounts(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a read gave %v", err)
	}
}

func TestTakeover(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openTest(t, Config{})
	if err := s.Do(ctx, verify.Op{Plan: func(st verify.State) (verify.Writes, error) {
		return verify.Writes{Jobs: []jobs.New{
			{Kind: jobs.Step, Subject: "a", Due: st.Now}, {Kind: jobs.Step, Subject: "b", Due: st.Now},
		}}, nil
	}}); err != nil {
		t.Fatal(err)
	}
	dead, err := s.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lease(ctx, dead, 0, 1); err != nil || len(got) != 1 {
		t.Fatalf("leased %v, %v", got, err)
	}
	if n, err := s.Takeover(ctx); n != 1 || err != nil {
		t.Errorf("took over %d, %v; want 1", n, err)
	}
	if err := s.Beat(ctx, dead); !errors.Is(err, jobs.ErrNodeExpired) {
		t.Errorf("the old node's beat gave %v", err)
	}
	node, err := s.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lease(ctx, node, 0, 9); err != nil || len(got) != 2 {
		t.Errorf("leased %v, %v; want both", got, err)
	}
}

// TestErasedSecretsLeaveTheFile looks for a sealed code in the raw bytes after
// the statement that ends the verification and the next quiet moment.
func TestErasedSecretsLeaveTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pincall.db")
	s := openTest(t, Config{Path: path})
	var all []verify.Verification
	for range 20 {
		v := sample(s.clock)
		v.V.Sealed, v.V.TokenHash = []byte("SEALED-CODE-"+v.V.ID), []byte("TOKEN-HASH-"+v.V.ID)
		all = append(all, v.V)
	}
	put := func() {
		t.Helper()
		if err := s.Do(t.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) {
			return verify.Writes{Verifications: all}, nil
		}}); err != nil {
			t.Fatal(err)
		}
		if !s.keeper.checkpoint() {
			t.Fatal("the log was not emptied")
		}
	}
	holds := func(word string) bool {
		for _, name := range []string{path, path + "-wal"} {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte(word)) {
				return true
			}
		}
		return false
	}
	put()
	if !holds("SEALED-CODE") || !holds("TOKEN-HASH") {
		t.Fatal("the search finds nothing where there is something")
	}
	for i := range all {
		all[i].Sealed, all[i].TokenHash = nil, nil
	}
	put()
	if holds("SEALED-CODE") || holds("TOKEN-HASH") {
		t.Error("erased secrets are still in the file")
	}
}

// TestStatementsUseIndexes guards what keeps the cost of a statement from
// growing with what is stored.
func TestStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	for _, sql := range []string{
		selectVerification, selectAttempts, selectAttemptOwner, selectToken, selectOverdue, selectStops,
		selectLimit, selectNumberOf, selectNew, selectAmongNew, listThese, deleteLimit, deleteListed, updateLimit, selectKept, selectOver, forgetOnce, deleteJob, beatNode, updateAttempt, dialAttempt, deleteAttempts, selectLastAttempt, countVerification, endVerification,
		selectServices + ` AND id = ?`, selectServices + ` AND is_default = 1`, deleteService, selectInUse, selectEntries,
	} {
		err := s.read(t.Context(), func(c *conn) error {
			args := make([]driver.Value, strings.Count(sql, "?"))
			return c.query("EXPLAIN QUERY PLAN "+sql, func(r *row) error {
				r.left = r.left[3:]
				step := r.text()
				if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING INDEX attempts_stop") || strings.Contains(step, "TEMP B-TREE") {
					t.Errorf("%s\nhas the step %s", sql, step)
				}
				return nil
			}, args...)
		})
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
