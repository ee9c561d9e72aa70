package postgres

import (
	"testing"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store/storetest"
	"github.com/pincall/pincall/internal/verify"
)

// The rows that change most are replaced on their page, without their indexes.
func TestHotRows(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	x := sampleStart()
	const n = 100
	for range n {
		if err := s.Do(t.Context(), x.Start()); err != nil {
			t.Fatal(err)
		}
		x = storetest.Sample{V: sampleStart().V, A: sampleStart().A}
		x.A.Verification = x.V.ID
		put(t, s, verify.Writes{Verifications: []verify.Verification{x.V}})
		if err := s.Do(t.Context(), x.Check()); err != nil {
			t.Fatal(err)
		}
	}
	s.pool.Reset() // sessions tell what they have counted when they end
	for end := time.Now().Add(20 * time.Second); ; {
		var limits, hotLimits, marks, hotMarks int64
		err := s.pool.QueryRow(t.Context(), `SELECT l.n_tup_upd, l.n_tup_hot_upd, c.n_tup_upd, c.n_tup_hot_upd
			FROM pg_stat_user_tables AS l, pg_stat_user_tables AS c WHERE l.relname = 'limits' AND c.relname = 'commits'`).
			Scan(&limits, &hotLimits, &marks, &hotMarks)
		if err != nil {
			t.Fatal(err)
		}
		if limits >= n-1 && marks >= 2*n {
			t.Logf("limits %d, of them hot %d; marks %d, %d", limits, hotLimits, marks, hotMarks)
			if hotLimits < limits*8/10 || hotMarks < marks*8/10 {
				t.Error("too few are replaced on their page")
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("limits %d, marks %d: nothing was counted", limits, marks)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// So are attempts, when many are dialled at once. (Their ends are, too, where what
// they replace may be cleaned up by then, which other databases of the server may
// keep PostgreSQL from seeing.)
func TestHotAttempts(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	const n = 300
	all := make(map[string]verify.Verification)
	var starts []verify.Op
	for range n {
		x := sampleStart()
		all[x.A.ID] = x.V
		starts = append(starts, x.Start())
	}
	if done, _ := atOnce(t, []*Store{s}, n, func(i int) verify.Op { return starts[i] }); done != n {
		t.Fatalf("%d of %d began", done, n)
	}
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leased, err := s.Lease(t.Context(), node, 0, n)
	if err != nil || len(leased) != n {
		t.Fatalf("leased %d, %v", len(leased), err)
	}
	for _, op := range []func(verify.Verification, jobs.Job) verify.Op{dialOp, settleOp} {
		if done, _ := atOnce(t, []*Store{s}, n, func(i int) verify.Op { return op(all[leased[i].Subject], leased[i]) }); done != n {
			t.Fatalf("%d of %d were carried out", done, n)
		}
	}
	s.pool.Reset()
	var updated, hot int64
	for end := time.Now().Add(20 * time.Second); updated < 2*n && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		err := s.pool.QueryRow(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'attempts'`).Scan(&updated, &hot)
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d changes, of them hot %d", updated, hot)
	if updated != 2*n || hot < n*9/10 {
		t.Errorf("of %d changes only %d were made on their page", updated, hot)
	}
}
