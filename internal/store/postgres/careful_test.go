package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/guard"
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
	s.apply([]verify.Op{x.Start(), refused}, errs)
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

// counting is an operation that counts a start of an account on a row of counters.
// called is called in its transaction, when all is read.
func counting(acc, key string, called func()) verify.Op {
	return verify.Op{Need: verify.Need{Account: acc, Limits: []string{accountKey(acc), key}}, Plan: func(st verify.State) (verify.Writes, error) {
		called()
		w := st.Limits[key].Windows[guard.RuleStarts].Add(st.Now, time.Hour, 1)
		row := guard.Row{Windows: map[guard.Rule]guard.Window{guard.RuleStarts: w}}
		return verify.Writes{Limits: map[string]verify.LimitRow{key: {Row: row}}}, nil
	}}
}

// While a careful group works on an account that had no row, nobody else does: a
// group that is not careful reads counters without a lock on them.
func TestCarefulGroupHasTheAccount(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	const acc, key = "acc", "n/1"
	put(t, stores[0], verify.Writes{Limits: map[string]verify.LimitRow{key: {Row: guard.Row{}}}})
	reading, another, done := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	times := 0
	go func() {
		done <- stores[0].Do(context.Background(), counting(acc, key, func() {
			if times++; times == 1 {
				close(reading)
				<-another
			}
		}))
	}()
	<-reading
	go func() {
		err := stores[1].Do(context.Background(), verify.Op{
			Need: verify.Need{Account: acc, Limits: []string{accountKey(acc)}},
			Plan: func(verify.State) (verify.Writes, error) {
				return verify.Writes{Limits: map[string]verify.LimitRow{accountKey(acc): {Row: guard.Row{Open: 1}}}}, nil
			},
		})
		done <- errors.Join(err, stores[1].Do(context.Background(), counting(acc, key, func() {})))
	}()
	// The second node waits for the account, or, which it must not, for the counters
	// that it has read already.
	untilTrue(t, stores[0], `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	close(another)
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	if times > 1 {
		t.Errorf("the first began %d times", times)
	}
	var got guard.Row
	read := verify.Op{Need: verify.Need{Account: acc, Limits: []string{accountKey(acc), key}}, Plan: func(st verify.State) (verify.Writes, error) {
		got = st.Limits[key]
		return verify.Writes{}, nil
	}}
	if err := stores[0].Do(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	if n := got.Windows[guard.RuleStarts].Used(time.Now(), time.Hour); n != 2 {
		t.Errorf("%d were counted, want 2", n)
	}
}
