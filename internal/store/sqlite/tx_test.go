package sqlite

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

// TestFailedCommit makes a COMMIT fail by a foreign key that is checked only
// then: everyone in the group is told, nothing is written or known, and the next
// group works.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openTest(t, Config{})
	good, refused := sample(s.clock), errors.New("refused")
	if err := s.change(ctx, everything, func(t *tx) error {
		return runScript(t.conn, `CREATE TABLE late (account TEXT REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED);
			CREATE TRIGGER late AFTER INSERT ON verifications BEGIN INSERT INTO late VALUES ('nobody'); END`)
	}); err != nil {
		t.Fatal(err)
	}
	group := []member{{op: good.Start()}, {op: verify.Op{Plan: func(verify.State) (verify.Writes, error) { return verify.Writes{}, refused }}}}
	errs := make([]error, len(group))
	// The writer's goroutine is idle: nothing else was given to it.
	s.w.apply(group, errs)
	if err := s.log.settle(); err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if err == nil || errors.Is(err, refused) {
			t.Errorf("member %d got the answer %v", i, err)
		}
	}
	if _, err := s.Read(ctx, good.V.Account, good.V.ID); !errors.Is(err, verify.ErrAbsent) {
		t.Errorf("after the failed commit the read gave %v", err)
	}
	if _, err := s.ReadAttempt(ctx, good.A.ID); !errors.Is(err, verify.ErrAbsent) {
		t.Errorf("after the failed commit the attempt gave %v", err)
	}
	if due, waiting, _ := s.Depth(ctx); due+waiting != 0 {
		t.Errorf("%d jobs are left of it", due+waiting)
	}
	if err := s.change(ctx, everything, func(t *tx) error { return runScript(t.conn, "DROP TRIGGER late") }); err != nil {
		t.Fatal(err)
	}
	if err := s.Do(ctx, good.Start()); err != nil {
		t.Errorf("the next group: %v", err)
	}
}

// TestFailedCommitOfCounters: neither the row is known then nor what was known
// before.
func TestFailedCommitOfCounters(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openTest(t, Config{})
	run := func(sql string) {
		t.Helper()
		if err := s.change(ctx, everything, func(t *tx) error { return runScript(t.conn, sql) }); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE TABLE late (account TEXT REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED);
		CREATE TRIGGER late AFTER INSERT ON limits BEGIN INSERT INTO late VALUES ('nobody'); END`)
	c := s.w.counters
	c.fresh[1] = 1 << 40 // it is not there
	if _, err := counted(ctx, s, "n/x", time.Hour); err == nil {
		t.Fatal("it was committed")
	}
	run("DROP TRIGGER late")
	if len(c.fresh)+len(c.adding) > 0 || slices.ContainsFunc(c.adding[:cap(c.adding)], func(f fresh) bool { return f.key != "" }) {
		t.Errorf("known are %v, and %v", c.fresh, c.adding[:cap(c.adding)])
	}
	for i := int64(1); i < 4; i++ {
		if n, err := counted(ctx, s, "n/x", time.Hour); n != i || err != nil {
			t.Errorf("count %d gave %d, %v", i, n, err)
		}
		s.recent.forget()
	}
	consistent(t, s, "in the end")
}

// TestEveryLeaseHasItsOwnNumber: given back, taken over, or left by its node.
func TestEveryLeaseHasItsOwnNumber(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openTest(t, Config{})
	if err := s.Do(ctx, sample(s.clock).Start()); err != nil {
		t.Fatal(err)
	}
	take := func() jobs.Lease {
		t.Helper()
		node, err := s.Join(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Lease(ctx, node, 0, 1)
		if err != nil || len(got) != 1 {
			t.Fatalf("leased %v, %v", got, err)
		}
		return got[0].Lease
	}
	if err := s.Postpone(ctx, take(), -time.Second); err != nil {
		t.Fatal(err)
	}
	take()
	if _, err := s.Takeover(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Leave(ctx, take().Node); err != nil {
		t.Fatal(err)
	}
	if l := take(); l.N != 4 {
		t.Errorf("the fourth lease has the number %d", l.N)
	}
}
