package postgres

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// The row that a careful group gives an account is forgotten where nothing was
// counted there.
func TestEmptyRowIsForgotten(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	s := openTest(t, Config{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	refused := verify.Op{
		Need: verify.Need{Account: "ghost", Limits: []string{accountKey("ghost")}},
		Plan: func(verify.State) (verify.Writes, error) { return verify.Writes{}, verify.ErrAbsent },
	}
	x := sampleStart() // whose writes are committed
	errs := make([]error, 2)
	s.apply([]verify.Op{x.op(), refused}, errs)
	if errs[0] != nil || !errors.Is(errs[1], verify.ErrAbsent) {
		t.Fatalf("the group was answered %v", errs)
	}
	const rows = `SELECT count(*) FROM limits WHERE key = 'a/ghost'`
	if n := number(t, s, rows); n != 1 {
		t.Fatalf("the account has %d rows: no group was careful", n)
	}
	for want := 1; want >= 0; want-- {
		if err := s.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := number(t, s, rows); n != want {
			t.Errorf("after %v there are %d rows, want %d", time.Duration(ahead.Load()), n, want)
		}
		ahead.Store(int64(2 * time.Microsecond * time.Duration(store.RoundKeep(1))))
	}
}
