package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

// TestFailedCommit makes a COMMIT fail by a foreign key that is checked only
// then: everyone in the group is told, nothing is written, and the next group
// works.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	good, refused := sampleStart(s.clock), errors.New("refused")
	group := []change{
		func(t *tx) error { return t.putVerification(&good.v) },
		func(*tx) error { return refused },
		func(t *tx) error {
			if _, err := t.exec("PRAGMA defer_foreign_keys = ON"); err != nil {
				return err
			}
			return t.putKey("no such account", account.Key{ID: "k"})
		},
	}
	errs := make([]error, len(group))
	// The writer's goroutine is idle: nothing was given to it yet.
	s.w.apply(group, errs)
	for i, err := range errs {
		if err == nil || errors.Is(err, refused) {
			t.Errorf("member %d got the answer %v", i, err)
		}
	}
	if _, err := s.Read(t.Context(), good.v.Account, good.v.ID); !errors.Is(err, verify.ErrAbsent) {
		t.Errorf("after the failed commit the read gave %v", err)
	}
	if err := s.Do(t.Context(), good.op()); err != nil {
		t.Errorf("the next group: %v", err)
	}
}

// TestEveryLeaseHasItsOwnNumber: given back, taken over, or left by its node.
func TestEveryLeaseHasItsOwnNumber(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openTest(t, Config{})
	if err := s.Do(ctx, sampleStart(s.clock).op()); err != nil {
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
