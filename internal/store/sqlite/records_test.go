package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// finished is a verification that has ended, all of whose bytes are marked.
func finished(n int, mark string, at time.Time) verify.Verification {
	b := func(name string) []byte { return bytes.Repeat(fmt.Appendf(nil, "%s-%s-%d ", mark, name, n), 4) }
	return verify.Verification{
		ID: secret.NewID(at, nil), Account: "acc", Service: "svc", NumberIndex: b("index"), NumberSealed: b("number"), Context: b("context"),
		CodeMAC: b("mac"), Binding: b("binding"), Status: verify.Approved, KeyID: "k1", CreatedAt: at, ExpiresAt: at, EndedAt: at,
	}
}

// Of what was reduced to counts no byte is left in the files.
func TestRetiredIsGone(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	path := filepath.Join(dir, "p.db")
	s := openTest(t, Config{Path: path, Now: func() time.Time { return now }})
	for i := range 300 {
		mark := "old"
		at := now
		if i >= 200 {
			mark, at = "young", now.Add(48*time.Hour)
		}
		v := finished(i, mark, at)
		a := verify.Attempt{ID: secret.NewID(at, nil), Verification: v.ID, Account: v.Account, N: 1, Ref: mark + "-ref", State: verify.StateEnded}
		w := verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{a}}
		if err := s.Do(t.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) { return w, nil }}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(mark string) (n int) {
		for _, name := range []string{path, path + "-wal"} {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			n += bytes.Count(b, []byte(mark+"-"))
		}
		return n
	}
	if count("old") == 0 {
		t.Fatal("the search finds nothing where there is something")
	}
	now = now.Add(48 * time.Hour)
	for _, want := range []int{150, 50, 0} {
		if n, err := s.Retire(t.Context(), 24*time.Hour, 150); err != nil || n != want {
			t.Fatalf("retired %d, want %d, %v", n, want, err)
		}
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count("old"); n != 0 {
		t.Errorf("%d traces of what was retired", n)
	}
	if count("young") == 0 {
		t.Error("what was not retired is gone")
	}
}

func TestScrubTellsThatItCannot(t *testing.T) {
	t.Parallel()
	s := serving(t, "")
	reading, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.snapshot(context.Background(), func(c *conn) error {
			err := c.query("SELECT count(*) FROM nodes", func(*row) error { return nil })
			close(reading)
			<-release
			return err
		})
	}()
	<-reading
	if _, err := s.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Scrub(ctx); !errors.Is(err, errNotScrubbed) {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestKeyInUse(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	in := func(id string, want bool) {
		t.Helper()
		if got, err := s.KeyInUse(t.Context(), id); err != nil || got != want {
			t.Errorf("key %s in use: %v, %v", id, got, err)
		}
	}
	in("k1", false)
	v := finished(1, "x", time.Now())
	v.Context = append(secret.KeyMark("k2"), "sealed"...)
	kept := verify.Kept{Key: []byte("key"), Account: "acc", Answer: append(secret.KeyMark("k33"), "sealed"...), KeepUntil: time.Now().Add(time.Hour)}
	w := verify.Writes{Verifications: []verify.Verification{v}, Once: &kept}
	if err := s.Do(t.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) { return w, nil }}); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"k1": true, "k2": true, "k3": false, "k33": true, "k4": false} {
		in(id, want)
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s, dir := openTest(t, Config{}), t.TempDir()
	v := finished(1, "x", time.Now())
	w := verify.Writes{Verifications: []verify.Verification{v}}
	if err := s.Do(t.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) { return w, nil }}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "it's a copy.db")
	if err := s.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second backup to the file: %v", err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "none", "x.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a backup to no folder: %v", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("%d files, %v", len(names), err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	copied := openTest(t, Config{Path: file})
	if _, err := copied.Read(t.Context(), v.Account, v.ID); err != nil {
		t.Error(err)
	}
}

// A copy that is not whole is found out.
func TestExamine(t *testing.T) {
	t.Parallel()
	s, dir := openTest(t, Config{}), t.TempDir()
	file := filepath.Join(dir, "copy.db")
	if err := s.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 8192; i < len(b); i++ {
		b[i] = 0xa5
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := examine(t.Context(), file); err == nil {
		t.Error("a damaged file was found whole")
	}
}

// A copy of a row that a page has kept by itself is found, and written over.
func TestScrubFindsWhatPagesKeep(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.db")
	s := openTest(t, Config{Path: path})
	const mark = "a page has kept this"
	// A row of another table stands for the page's unused room.
	if err := s.change(t.Context(), everything, func(x *tx) error {
		_, err := x.exec("INSERT INTO meta (name, value) VALUES ('kept', ?)", mark)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]bool{mark: true, "nothing like it": false} {
		var tr traces
		if found, err := tr.in(t.Context(), path, [][]byte{[]byte(what)}); err != nil || found != want {
			t.Errorf("%q found: %v, %v", what, found, err)
		}
		if err := tr.close(); err != nil {
			t.Error(err)
		}
	}
	s.traces.add([]byte(mark))
	before := s.commitsAndPages(t)
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := s.commitsAndPages(t); after == before {
		t.Error("the file was not written anew")
	}
}

// commitsAndPages is the file's change counter with its length in pages.
func (s *Store) commitsAndPages(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x %d", b[24:28], len(b))
}

// The counters of a service that was deleted are found by what is left of it.
func TestBrandsOfDeletedServices(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	if err := s.change(t.Context(), everything, func(x *tx) error {
		_, err := x.exec(`INSERT INTO statistics VALUES ('a', '2026-01-02', 'gone', 'JP', 'sms', 'approved', 'delivered', 1, 0, 1)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]int{"a": 1, "": 1, "b": 0} {
		got, err := s.Brands(t.Context(), account)
		if err != nil || len(got) != want {
			t.Errorf("account %q: %v, %v", account, got, err)
		}
	}
}
