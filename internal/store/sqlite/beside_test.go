package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

// What a command does beside the server counts for the server's next transaction,
// whatever the server has in mind.
func TestCommandBesideTheServer(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "p.db")
	server := openTest(t, Config{Path: path})
	node, err := server.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	x := sample(server.clock)
	if err := server.Do(ctx, x.Start()); err != nil {
		t.Fatal(err)
	}
	got, err := server.Lease(ctx, node, 0, 1)
	if err != nil || len(got) != 1 {
		t.Fatalf("leased %v, %v", got, err)
	}
	command := openTest(t, Config{Path: path})
	need := verify.Need{Account: x.V.Account, Verification: x.V.ID}
	if err := command.Do(ctx, verify.Op{Need: need, Plan: func(s verify.State) (verify.Writes, error) {
		a := s.Attempts[0]
		a.Stop = "erased"
		return verify.Writes{Attempts: []verify.Attempt{a}}, nil
	}}); err != nil {
		t.Fatal(err)
	}
	if stops, err := server.Stops(ctx, []string{x.A.ID, "other"}); err != nil || len(stops) != 1 || stops[x.A.ID] != "erased" {
		t.Errorf("the stops are %v, %v", stops, err)
	}
	seen := func() (s verify.State) {
		t.Helper()
		need.Lease = &got[0].Lease
		if err := server.Do(ctx, verify.Op{Need: need, Plan: func(st verify.State) (verify.Writes, error) {
			s = st
			return verify.Writes{}, nil
		}}); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := seen(); s.Attempts[0].Stop != "erased" || !s.Leased {
		t.Errorf("the server knows the attempt as %+v, leased: %v", s.Attempts[0], s.Leased)
	}
	if _, err := command.Erase(ctx, verify.Erasure{Verifications: []string{x.V.ID}}); err != nil {
		t.Fatal(err)
	}
	if s := seen(); s.Verification != nil || s.Leased {
		t.Errorf("after the erasure the server knows %+v, leased: %v", s.Verification, s.Leased)
	}
	if _, err := server.ReadAttempt(ctx, x.A.ID); !errors.Is(err, verify.ErrAbsent) {
		t.Errorf("the attempt is read with %v", err)
	}
	if err := server.Postpone(ctx, got[0].Lease, 0); !errors.Is(err, jobs.ErrLeaseLost) {
		t.Errorf("the lease is given back with %v", err)
	}
}

// A command knows nothing of what the server has written since it last looked.
func TestServerBesideTheCommand(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "p.db")
	server, command := openTest(t, Config{Path: path}), openTest(t, Config{Path: path})
	if _, err := server.Join(ctx); err != nil {
		t.Fatal(err)
	}
	count := func(s *Store, key string) (n int64) {
		t.Helper()
		if err := s.Do(ctx, verify.Op{Need: verify.Need{Account: "acc", Limits: []string{key}}, Plan: func(st verify.State) (verify.Writes, error) {
			row := st.Limits[key]
			row.Open++
			n = row.Open
			return verify.Writes{Limits: map[string]verify.LimitRow{key: {Row: row}}}, nil
		}}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := int64(1); i < 9; i += 2 {
		if a, b := count(command, "a/acc"), count(server, "a/acc"); a != i || b != i+1 {
			t.Errorf("counted %d and %d, want %d and %d", a, b, i, i+1)
		}
	}
	count(server, "n/new")
	if n := count(command, "n/other"); n != 1 { // whose number the command would have given to another
		t.Errorf("a new row counts %d", n)
	}
	if n := count(command, "n/other"); n != 2 {
		t.Errorf("the new row counts %d then", n)
	}
}
