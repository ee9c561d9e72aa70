package sqlite

import (
	"hash/maphash"
	"path/filepath"
	"testing"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/store/storetest"
	"github.com/pincall/pincall/internal/verify"
)

// begun starts some verifications.
func begun(t *testing.T, s *Store, n int) []storetest.Sample {
	t.Helper()
	all := make([]storetest.Sample, n)
	for i := range all {
		all[i] = sample(s.clock)
		if err := s.Do(t.Context(), all[i].Start()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// found says how many of the samples' counters are found without what is kept in
// mind.
func found(t *testing.T, s *Store, all []storetest.Sample) (n int) {
	t.Helper()
	err := s.change(t.Context(), everything, func(t *tx) error {
		n = 0
		for i := range all {
			l, err := t.readLimit(all[i].V.LimitKey)
			if err != nil {
				return err
			}
			if l.Found && l.Stored && l.Number > 0 && len(l.Row.Windows) > 0 {
				n++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// limitOf reads a row of counters.
func limitOf(t *testing.T, s *Store, key string) (l *store.Limit, err error) {
	t.Helper()
	err = s.change(t.Context(), elsewhere, func(t *tx) (err error) { l, err = t.readLimit(key); return err })
	return l, err
}

// listedKeys counts the list.
func listedKeys(t *testing.T, s *Store) (n int64) {
	t.Helper()
	err := s.read(t.Context(), func(c *conn) error {
		return c.query("SELECT count(*) FROM limit_keys", func(r *row) error { n = r.int64(); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// unlisted reads which rows are new.
func unlisted(t *testing.T, s *Store) (rows []fresh) {
	t.Helper()
	err := s.read(t.Context(), func(c *conn) (err error) { _, rows, err = newLimits(c, -1); return err })
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func reopen(t *testing.T, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openTest(t, Config{Path: s.path})
}

// TestCountersAreFound finds them before they are listed, while they are, after
// that, and each time in a new process, too.
func TestCountersAreFound(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{Path: filepath.Join(t.TempDir(), "pincall.db")}), t.Context()
	all := begun(t, s, 150)
	all = append(all, storetest.Sample{V: verify.Verification{LimitKey: all[0].AccountKey()}})
	check := func(when string) {
		t.Helper()
		if n := found(t, s, all); n != len(all) {
			t.Errorf("%s: %d of %d are found", when, n, len(all))
		}
	}
	check("new")
	s = reopen(t, s)
	check("new, after a restart")
	err := s.listRows(ctx, unlisted(t, s)[:100]) // and then it is killed
	if err != nil || listedKeys(t, s) != 100 {
		t.Error(err, listedKeys(t, s))
	}
	s = reopen(t, s)
	check("half listed")
	if err := s.listLimits(ctx, 1); err != nil || len(s.w.counters.fresh) > 0 || listedKeys(t, s) != int64(len(all)) {
		t.Error(err, len(s.w.counters.fresh), listedKeys(t, s))
	}
	check("listed")
	all = append(all, begun(t, s, 10)...)
	s = reopen(t, s)
	check("listed, and some new ones")
	for _, x := range []storetest.Sample{all[0], all[len(all)-1]} { // a listed one, and a new one
		again := sample(s.clock)
		again.V.LimitKey = x.V.LimitKey
		if err := s.Do(ctx, again.Start()); err != nil {
			t.Fatal(err)
		}
	}
	var rows int64
	err = s.read(ctx, func(c *conn) error {
		return c.query("SELECT count(*) FROM limits", func(r *row) error { rows = r.int64(); return nil })
	})
	if err != nil || rows != int64(len(all)) {
		t.Errorf("%d rows, %v; want %d", rows, err, len(all))
	}
}

// TestListedNumbersAreNotGivenAgain deletes the last rows: a new one with the
// number of a listed one would not be found after a restart.
func TestListedNumbersAreNotGivenAgain(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	all := begun(t, s, 5)
	if err := s.listLimits(ctx, 1); err != nil {
		t.Fatal(err)
	}
	keys := make([]string, len(all))
	for i := range all {
		keys[i] = all[i].V.LimitKey
	}
	if did, err := s.Erase(ctx, verify.Erasure{LimitKeys: keys}); err != nil || did.Limits != len(all) {
		t.Fatal(did, err)
	}
	if n := listedKeys(t, s); n != 1 { // the account's
		t.Errorf("%d are listed", n)
	}
	s = reopen(t, s)
	later := begun(t, s, 2)
	s = reopen(t, s)
	if n := found(t, s, later); n != len(later) {
		t.Errorf("%d of %d are found", n, len(later))
	}
}

// TestCountersOfOneHash has two keys share a hash, the first or the second of which
// is forgotten or listed.
func TestCountersOfOneHash(t *testing.T) {
	t.Parallel()
	s, ctx := openTest(t, Config{}), t.Context()
	all := begun(t, s, 2)
	c := s.w.counters
	one, two := maphash.String(c.seed, all[0].V.LimitKey), maphash.String(c.seed, all[1].V.LimitKey)
	first, second := c.fresh[one], c.fresh[two]
	share := func(list ...fresh) {
		delete(c.fresh, one)
		for _, f := range list {
			c.adding = append(c.adding, fresh{n: f.n, hash: one})
			c.commit(false)
		}
	}
	for _, gone := range []int64{first, second} {
		share(fresh{n: first}, fresh{n: second})
		c.going = append(c.going, fresh{n: gone, hash: one})
		c.commit(false)
		delete(c.fresh, two)
		c.fresh[two] = c.fresh[one]
		if n := found(t, s, all); n != 2 {
			t.Errorf("%d are found", n)
		}
	}
	if err := s.listedTo(ctx, first, c.epoch.Load()); err != nil {
		t.Fatal(err)
	}
	if l, err := limitOf(t, s, all[1].V.LimitKey); err != nil || !l.Found {
		t.Error("the second is not found", err)
	}
}
