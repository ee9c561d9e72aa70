package postgres

import (
	"testing"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

// The rows that change most are replaced on their page, without their indexes.
func TestHotRows(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	x := sampleStart()
	const n = 100
	for range n {
		if err := s.Do(t.Context(), x.op()); err != nil {
			t.Fatal(err)
		}
		x = start{v: sampleStart().v, a: sampleStart().a}
		x.a.Verification = x.v.ID
		put(t, s, verify.Writes{Verifications: []verify.Verification{x.v}})
		if err := s.Do(t.Context(), x.check()); err != nil {
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
