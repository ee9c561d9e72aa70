package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

// consistent looks for rows that could not be found, or are found wrongly.
func consistent(t *testing.T, s *Store, when string) {
	t.Helper()
	for what, sql := range map[string]string{
		"two rows have a key": `SELECT key FROM limits GROUP BY key HAVING count(*) > 1`,
		"a row is not listed": `SELECT key FROM limits l WHERE n <= (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'limits_listed')
			AND NOT EXISTS (SELECT 1 FROM limit_keys k WHERE k.key = l.key AND k.n = l.n)`,
		"what is listed is not there": `SELECT key FROM limit_keys k WHERE NOT EXISTS (SELECT 1 FROM limits l WHERE k.key = l.key AND k.n = l.n)`,
	} {
		err := s.read(t.Context(), func(c *conn) error {
			return c.query(sql, func(r *row) error { t.Errorf("%s: %s: %s", when, what, r.text()); return nil })
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// counted counts in a row of its own, and says how far it has come.
func counted(ctx context.Context, s *Store, key string, keep time.Duration) (n int64, err error) {
	err = s.Do(ctx, verify.Op{Need: verify.Need{Account: "acc", Limits: []string{key}}, Plan: func(st verify.State) (verify.Writes, error) {
		row := st.Limits[key]
		row.Open++
		n = row.Open
		return verify.Writes{Limits: map[string]verify.LimitRow{key: {Row: row, KeepUntil: st.Now.Add(keep)}}}, nil
	}})
	return n, err
}

func last(rows []fresh) int64 { return rows[len(rows)-1].n }

// TestGoneRowsAreNotListed erases and forgets between what listing reads and what
// it writes, which is done all the same.
func TestGoneRowsAreNotListed(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	all := begun(t, s, 2)
	if _, err := counted(ctx, s, "n/old", time.Minute); err != nil {
		t.Fatal(err)
	}
	epoch, rows := s.w.counters.epoch.Load(), unlisted(t, s)
	to := last(rows)
	if _, err := s.Erase(ctx, verify.Erasure{LimitKeys: []string{all[0].V.LimitKey}}); err != nil {
		t.Fatal(err)
	}
	s.clock.NotBefore(time.Now().Add(time.Hour).UnixMicro())
	if err := s.Forget(ctx); err != nil || len(unlisted(t, s)) != len(rows)-2 {
		t.Fatal(err, unlisted(t, s))
	}
	all = append(all[1:], begun(t, s, 1)...) // which is not listed, either
	if err := errors.Join(s.listRows(ctx, rows), s.listedTo(ctx, to, epoch)); err != nil || listedKeys(t, s) != 2 {
		t.Error(err, listedKeys(t, s))
	}
	consistent(t, s, "listed")
	if c := s.w.counters; c.listed != to || len(c.fresh) != 1 {
		t.Errorf("up to %d of %d, %d are new", c.listed, to, len(c.fresh))
	}
	if n := found(t, s, all); n != 2 {
		t.Errorf("%d are found", n)
	}
}

// TestNumberGivenAgainWhileListing has one command erase the last row and another
// give its number to a new one, which nobody has listed.
func TestNumberGivenAgainWhileListing(t *testing.T) {
	t.Parallel()
	path, ctx := filepath.Join(t.TempDir(), "p.db"), t.Context()
	s := serving(t, path)
	all := begun(t, s, 3)
	epoch, rows := s.w.counters.epoch.Load(), unlisted(t, s)
	to := last(rows)
	if err := s.listRows(ctx, rows); err != nil {
		t.Fatal(err)
	}
	key := all[2].V.LimitKey
	if did, err := openTest(t, Config{Path: path}).Erase(ctx, verify.Erasure{LimitKeys: []string{key}}); err != nil || did.Limits != 1 {
		t.Fatal(did, err)
	}
	all[2] = sample(s.clock)
	if err := openTest(t, Config{Path: path}).Do(ctx, all[2].Start()); err != nil || last(unlisted(t, s)) != to {
		t.Fatal(err, last(unlisted(t, s)))
	}
	if err := s.listedTo(ctx, to, epoch); !errors.Is(err, errOutdated) {
		t.Error(err)
	}
	consistent(t, s, "before")
	if err := s.listLimits(ctx, 1); err != nil || found(t, s, all) != 3 {
		t.Error(err, found(t, s, all))
	}
	consistent(t, s, "after")
}

// TestErasureReadsNothingAnew notices by a row that is not there.
func TestErasureReadsNothingAnew(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	all, c := begun(t, s, 2), s.w.counters
	c.fresh[1] = 1 << 40
	erase := func(key string, want int) {
		t.Helper()
		epoch := c.epoch.Load()
		if did, err := s.Erase(ctx, verify.Erasure{LimitKeys: []string{key}}); err != nil || did.Limits != want {
			t.Fatal(did, err)
		}
		if n := found(t, s, all); n != len(all)-want {
			t.Errorf("%d are found", n)
		}
		if c.fresh[1] == 0 || len(c.fresh) != 4-want || c.epoch.Load() != epoch {
			t.Error("everything was read anew", len(c.fresh))
		}
	}
	mark := s.w.mark
	erase("n/nobody's", 0)
	if _, ok := s.recent.get(all[0].V.ID); !ok || s.w.mark != mark {
		t.Error("nothing was erased, and everything forgotten")
	}
	erase(all[0].V.LimitKey, 1)
	if _, ok := s.recent.get(all[1].V.ID); ok || s.w.mark == mark {
		t.Error("something was erased, and nothing forgotten")
	}
	s.w.bindings.add(bindingKey{}, "not there")
	if did, err := s.Erase(ctx, verify.Erasure{Verifications: []string{all[1].V.ID}}); err != nil || did.Jobs != 1 {
		t.Fatal(did, err)
	}
	for range 2 {
		if due, waiting, err := s.Depth(ctx); err != nil || due+waiting != 1 || len(s.w.bindings) != 2 || s.w.bindings[keyOf(all[1].V.Binding)] != nil {
			t.Error(due, waiting, err, s.w.bindings)
		}
		found(t, s, nil)
	}
}

// TestListRuns has the server list by itself.
func TestListRuns(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	s.w.counters.listAt = 50
	if _, err := s.Join(ctx); err != nil {
		t.Fatal(err)
	}
	begun(t, s, 60)
	for until := time.Now().Add(20 * time.Second); len(unlisted(t, s)) >= 50; begun(t, s, 1) {
		if time.Now().After(until) {
			t.Fatal(listedKeys(t, s), "are listed")
		}
	}
	consistent(t, s, "listed")
}

// TestFewAreNotListed: nor are any beside the server.
func TestFewAreNotListed(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	begun(t, s, 2)
	if err := s.listLimits(ctx, 4); err != nil || listedKeys(t, s) > 0 {
		t.Error(err, listedKeys(t, s))
	}
	if err := s.listLimits(ctx, 3); err != nil || listedKeys(t, s) != 3 {
		t.Error(err, listedKeys(t, s))
	}
	c := newCounters()
	c.listAt = 2
	for n, want := range []int{0, 0, 1} {
		if c.commit(true); len(c.full) != want {
			t.Errorf("with %d: %d", n, len(c.full))
		}
		c.add(uint64(n), int64(n)+1)
	}
	c = newCounters()
	c.listAt = 0
	if c.commit(false); len(c.full) > 0 {
		t.Error("a command lists")
	}
}
