package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"hash/maphash"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/store"
)

const (
	selectListed = `SELECT value FROM meta WHERE name = 'limits_listed'`
	updateListed = `UPDATE meta SET value = ? WHERE name = 'limits_listed'`
	selectNew    = `SELECT n, key FROM limits WHERE n > ? ORDER BY n`

	selectLimit    = `SELECT n, key, counts, keep_until FROM limits WHERE n = ?`
	selectAmongNew = `SELECT n, key, counts, keep_until FROM limits WHERE n > ? AND key = ?`
	// Not a join: beside a parameter it makes SQLite prepare it anew every time.
	selectNumberOf = `SELECT n FROM limit_keys WHERE key = ?`
	listInto       = `INSERT INTO limit_keys (key, n) VALUES `
	listed8        = `(?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?)`
	listed32       = listed8 + `, ` + listed8 + `, ` + listed8 + `, ` + listed8
	listAnew       = ` ON CONFLICT (key) DO UPDATE SET n = excluded.n`
	listOne        = listInto + `(?, ?)` + listAnew
	listMany       = listInto + listed32 + `, ` + listed32 + listAnew
	deleteListed   = `DELETE FROM limit_keys WHERE key = ?`
	deleteLimit    = `DELETE FROM limits WHERE n = ?`
)

// When new rows are listed.
const (
	listAt         = 16_000 // so many new ones are worth listing
	listTogether   = 64     // in a statement: listMany
	listStatements = 8      // in a transaction: nobody waits long behind it
	listAgainAfter = 5 * time.Second
)

// counters finds rows of counters: the new ones, which are not listed yet, by what
// it knows of them, the others by the list. Only the writer uses it, but for epoch.
type counters struct {
	seed   maphash.Seed
	listed int64            // the last number whose key is listed
	fresh  map[uint64]int64 // numbers of those after it, by hash of the key
	adding []fresh          // by the transaction in hand
	epoch  atomic.Int64     // moves on when rows may be gone that somebody has read
	full   chan struct{}    // there are enough to list
}

// fresh is a row that is not listed, or its number and key.
type fresh struct {
	n    int64
	key  string
	hash uint64
}

func newCounters() *counters {
	return &counters{seed: maphash.MakeSeed(), fresh: make(map[uint64]int64), full: make(chan struct{}, 1)}
}

// read takes over what the file has.
func (c *counters) read(conn *conn) error {
	c.epoch.Add(1)
	listed, rows, err := newLimits(conn)
	if err != nil {
		return err
	}
	c.listed, c.fresh = listed, make(map[uint64]int64, len(rows))
	for _, r := range rows {
		c.fresh[maphash.String(c.seed, r.key)] = r.n
	}
	return nil
}

// newLimits reads which rows are not listed.
func newLimits(conn *conn) (listed int64, rows []fresh, err error) {
	err = conn.query(selectListed, func(r *row) (err error) {
		listed, err = strconv.ParseInt(r.text(), 10, 64)
		return err
	})
	if err == nil {
		err = conn.query(selectNew, func(r *row) error {
			rows = append(rows, fresh{n: r.int64(), key: r.text()})
			return nil
		}, listed)
	}
	return listed, rows, err
}

// commit takes over what a transaction has added.
func (c *counters) commit(works bool) {
	for _, f := range c.adding {
		c.fresh[f.hash] = f.n
	}
	c.adding = c.adding[:0]
	if works && len(c.fresh) >= listAt {
		select {
		case c.full <- struct{}{}:
		default:
		}
	}
}

// drop forgets rows that are gone.
func (c *counters) drop(gone []fresh) {
	if len(gone) > 0 {
		c.epoch.Add(1)
	}
	for _, l := range gone {
		if hash := maphash.String(c.seed, l.key); c.fresh[hash] == l.n {
			delete(c.fresh, hash)
		}
	}
}

// readLimit reads a row of counters; an empty one: there is none.
func (t *tx) readLimit(key string) (*store.Limit, error) {
	l := &store.Limit{}
	read := func(r *row) (err error) {
		n, found := r.int64(), r.text()
		if found != key {
			return nil
		}
		l.Found, l.Stored, l.Number = true, true, n
		l.Row, err = guard.DecodeRow(r.bytes())
		l.Keep = r.int64()
		l.KeptUntil = l.Keep
		return err
	}
	if n, ok := t.counters.fresh[maphash.String(t.counters.seed, key)]; ok {
		err := t.query(selectLimit, read, n)
		if err == nil && !l.Found { // two keys have one hash
			err = t.query(selectAmongNew, read, t.counters.listed, key)
		}
		if err != nil || l.Found {
			return l, err
		}
	}
	listed := int64(0)
	err := t.query(selectNumberOf, func(r *row) error { listed = r.int64(); return nil }, key)
	if err == nil && listed > 0 {
		err = t.query(selectLimit, read, listed)
	}
	return l, err
}

// insertLimit writes a new row of counters: its key must have been looked for.
func (t *tx) insertLimit(key string, counts []byte, keep int64) (n int64, err error) {
	t.lastLimit++
	_, err = t.exec(insertLimit, t.lastLimit, key, counts, keep)
	t.counters.adding = append(t.counters.adding, fresh{t.lastLimit, key, maphash.String(t.counters.seed, key)})
	return t.lastLimit, err
}

// deleteLimit deletes a row of counters.
func (t *tx) deleteLimit(key string, n int64) error {
	_, err := t.exec(deleteLimit, n)
	if err == nil {
		_, err = t.exec(deleteListed, key)
	}
	return err
}

// errOutdated says that what was read is not there any more.
var errOutdated = errors.New("sqlite: rows were deleted meanwhile")

// list lists new rows whenever there are enough, until the store is closed.
func (s *Store) list() {
	for {
		select {
		case <-s.done:
			return
		case <-s.w.counters.full:
		}
		if s.listLimits(context.Background()) == nil {
			continue
		}
		select { // it can wait, whatever went wrong
		case <-s.done:
			return
		case <-time.After(listAgainAfter):
		}
	}
}

// listLimits lists the rows that are new, in the order of keys, a piece at a time.
// What has been listed before it fails is listed again, which does no harm.
func (s *Store) listLimits(ctx context.Context) error {
	c := s.w.counters
	epoch := c.epoch.Load()
	var rows []fresh
	err := s.read(ctx, func(conn *conn) (err error) {
		_, rows, err = newLimits(conn)
		return err
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	to := rows[len(rows)-1].n
	slices.SortFunc(rows, func(a, b fresh) int { return cmp.Compare(a.key, b.key) })
	for piece := range slices.Chunk(rows, listTogether*listStatements) {
		err := s.change(ctx, elsewhere, func(t *tx) error { return t.listSome(piece, epoch) })
		if err != nil {
			return err
		}
	}
	return s.after(ctx, func(t *tx) error {
		if c.epoch.Load() != epoch {
			return errOutdated
		}
		_, err := t.exec(updateListed, strconv.FormatInt(to, 10))
		return err
	}, func() {
		c.listed = to
		for hash, n := range c.fresh {
			if n <= to {
				delete(c.fresh, hash)
			}
		}
	})
}

// listSome lists some rows. After an erasure the list must not get keys of which
// nothing may be left.
func (t *tx) listSome(rows []fresh, epoch int64) error {
	for some := range slices.Chunk(rows, listTogether) {
		if t.counters.epoch.Load() != epoch {
			return errOutdated
		}
		args := make([]driver.Value, 0, 2*listTogether)
		for _, r := range some {
			args = append(args, r.key, r.n)
		}
		if len(some) == listTogether {
			if _, err := t.exec(listMany, args...); err != nil {
				return err
			}
			continue
		}
		for i := 0; i < len(args); i += 2 {
			if _, err := t.exec(listOne, args[i], args[i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}
