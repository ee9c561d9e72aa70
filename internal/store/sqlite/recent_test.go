package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/store/storetest"
	"github.com/pincall/pincall/internal/verify"
)

// pack has what is at hand of a verification, and of a row of counters, packed.
func pack(t *testing.T, s *Store, id, limit string) {
	t.Helper()
	r := s.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.all.rows[id]; k != nil {
		r.remove(id)
		r.pack(id, k)
	}
	l := r.limits.rows[limit]
	delete(r.limits.rows, limit)
	r.packedLimits.put(limit, r.packer.packLimit(l))
	if id != "" && r.packed.get(id) == nil {
		t.Fatal("it is not packed")
	}
}

// seen is what an operation sees of a sample.
func seen(t *testing.T, s *Store, x storetest.Sample) (st verify.State) {
	t.Helper()
	need := verify.Need{Account: x.V.Account, Verification: x.V.ID, Limits: []string{x.V.LimitKey}}
	err := s.Do(t.Context(), verify.Op{Need: need, Plan: func(s verify.State) (verify.Writes, error) { st = s; return verify.Writes{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestEndOfAPackedOne(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	x := begun(t, s, 1)[0]
	pack(t, s, x.V.ID, x.V.LimitKey)
	end := verify.Op{Need: verify.Need{Account: x.V.Account, Verification: x.V.ID}, Plan: func(st verify.State) (verify.Writes, error) {
		v, a := *st.Verification, st.Attempts[0]
		v.Status, v.EndedAt, v.Sealed, v.TokenHash = verify.Approved, st.Now, nil, nil
		a.State, a.EndedAt = verify.StateEnded, st.Now
		return verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{a}}, nil
	}}
	if err := s.Do(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	if st := seen(t, s, x); st.Verification.Status != verify.Approved || st.Attempts[0].State != verify.StateEnded {
		t.Error("it is still", st.Verification.Status)
	}
}

// TestCommandAndAPackedOne has a command change and erase what the server has
// packed.
func TestCommandAndAPackedOne(t *testing.T) {
	t.Parallel()
	path, ctx := filepath.Join(t.TempDir(), "p.db"), t.Context()
	s := serving(t, path)
	x, command := begun(t, s, 1)[0], openTest(t, Config{Path: path})
	pack(t, s, x.V.ID, x.V.LimitKey)
	if err := command.Do(ctx, x.Check()); err != nil {
		t.Fatal(err)
	}
	if st := seen(t, s, x); st.Verification.Guesses != 1 {
		t.Error("guesses", st.Verification.Guesses)
	}
	pack(t, s, x.V.ID, x.V.LimitKey)
	if _, err := command.Erase(ctx, verify.Erasure{Verifications: []string{x.V.ID}}); err != nil {
		t.Fatal(err)
	}
	if st := seen(t, s, x); st.Verification != nil || len(st.Limits[x.V.LimitKey].Windows) > 0 {
		t.Error("the server knows", st.Verification, st.Limits)
	}
}

// TestForgottenWhilePacked forgets a row of counters that is packed.
func TestForgottenWhilePacked(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	for range 2 { // the second is a new one
		if n, err := counted(ctx, s, "n/x", time.Minute); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		pack(t, s, "", "n/x")
		s.clock.NotBefore(s.clock.Micros() + time.Hour.Microseconds())
		if err := s.Forget(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBlindRow writes a row of counters that nobody has read.
func TestBlindRow(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	blind := func() {
		t.Helper()
		if err := s.Do(ctx, verify.Op{Plan: func(st verify.State) (verify.Writes, error) {
			return verify.Writes{Limits: map[string]verify.LimitRow{"n/x": {KeepUntil: st.Now.Add(time.Hour)}}}, nil
		}}); err != nil {
			t.Fatal(err)
		}
		consistent(t, s, "blind")
	}
	blind()
	blind()
	if err := s.listLimits(ctx, 1); err != nil {
		t.Fatal(err)
	}
	s.recent.forget()
	blind()
}

// TestErasedKeyLeavesTheList, also where there is no row.
func TestErasedKeyLeavesTheList(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	err := s.change(ctx, elsewhere, func(t *tx) error {
		_, err := t.exec("INSERT INTO limit_keys (key, n) VALUES ('n/left', 7)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Erase(ctx, verify.Erasure{LimitKeys: []string{"n/left"}}); err != nil || listedKeys(t, s) > 0 {
		t.Error(err, listedKeys(t, s))
	}
}

// TestIdleServerForgets has a minute pass with much to do, and one with little.
func TestIdleServerForgets(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	x := begun(t, s, 1)[0]
	for i := range few {
		s.recent.limits.put(string(rune(i)), nil)
	}
	pack(t, s, x.V.ID, x.V.LimitKey)
	for _, want := range []bool{true, false} {
		if err := s.Forget(ctx); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.recent.get(x.V.ID); ok != want || want == (s.recent.packed.blocks == nil) {
			t.Errorf("known is %v, want %v", ok, want)
		}
	}
	begun(t, s, 1)
	if err := s.Forget(ctx); err != nil || len(s.recent.all.rows) != 1 {
		t.Error("what is little is forgotten, too", err)
	}
	if st := seen(t, s, x); st.Verification == nil || len(st.Attempts) != 1 {
		t.Error("it is gone")
	}
}
