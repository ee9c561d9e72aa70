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
	selectNew    = `SELECT n, key FROM limits WHERE n > ? ORDER BY n LIMIT ?`

	selectLimit    = `SELECT n, key, counts, keep_until FROM limits WHERE n = ?`
	selectAmongNew = `SELECT n, key, counts, keep_until FROM limits WHERE n > ? AND key = ?`
	// Not a join: beside a parameter it makes SQLite prepare it anew every time.
	selectNumberOf = `SELECT n FROM limit_keys WHERE key = ?`
	numbers8       = `?, ?, ?, ?, ?, ?, ?, ?`
	numbers32      = numbers8 + `, ` + numbers8 + `, ` + numbers8 + `, ` + numbers8
	// What is not there any more cannot be listed: it reads what it writes beside.
	listThese = `INSERT INTO limit_keys (key, n) SELECT key, n FROM limits WHERE n IN (` + numbers32 + `, ` + numbers32 + `)
		ON CONFLICT (key) DO UPDATE SET n = excluded.n`
	deleteListed = `DELETE FROM limit_keys WHERE key = ?`
	deleteLimit  = `DELETE FROM limits WHERE n = ?`
)

// When new rows are listed.
const (
	listAt         = 16_000 // so many new ones are worth listing
	listAtOnce     = 4      // times as many are listed before that is on record
	listTogether   = 64     // in a statement: listThese
	listStatements = 8      // in a transaction: nobody waits long behind it
	listAgainAfter = 5 * time.Second
)

// counters finds rows of counters: the new ones, which are not listed yet, by what
// it knows of them, the others by the list. Only the writer uses it, but for epoch
// and full.
type counters struct {
	seed   maphash.Seed
	listAt int
	listed int64            // the last number whose key is listed
	fresh  map[uint64]int64 // numbers of those after it, by hash of the key
	epoch  atomic.Int64     // moves on when another process may have changed rows
	full   chan struct{}    // there are enough to list

	adding, going []fresh // by the transaction in hand
}

// several stands in place of a number where keys have one hash: they are looked for
// among all that are new.
const several = -1

// fresh is a row that is not listed, or its number and key.
type fresh struct {
	n    int64
	key  string
	hash uint64
}

func newCounters() *counters {
	return &counters{seed: maphash.MakeSeed(), listAt: listAt, fresh: make(map[uint64]int64), full: make(chan struct{}, 1)}
}

// read takes over what the file has.
func (c *counters) read(conn *conn) error {
	c.epoch.Add(1)
	listed, rows, err := newLimits(conn, -1)
	if err != nil {
		return err
	}
	c.listed, c.fresh = listed, make(map[uint64]int64, len(rows))
	for _, r := range rows {
		c.add(maphash.String(c.seed, r.key), r.n)
	}
	return nil
}

// add takes over a row.
func (c *counters) add(hash uint64, n int64) {
	if old, ok := c.fresh[hash]; ok && old != n {
		n = several
	}
	c.fresh[hash] = n
}

// newLimits reads which rows are not listed, at most so many; -1: all.
func newLimits(conn *conn, most int) (listed int64, rows []fresh, err error) {
	err = conn.query(selectListed, func(r *row) (err error) {
		listed, err = strconv.ParseInt(r.text(), 10, 64)
		return err
	})
	if err == nil {
		err = conn.query(selectNew, func(r *row) error {
			rows = append(rows, fresh{n: r.int64(), key: r.text()})
			return nil
		}, listed, int64(most))
	}
	return listed, rows, err
}

// begin begins a transaction: nothing is left in mind of one that was undone.
func (c *counters) begin() {
	clear(c.adding)
	clear(c.going)
	c.adding, c.going = c.adding[:0], c.going[:0]
}

// commit takes over what a transaction has added and deleted.
func (c *counters) commit(works bool) {
	for _, f := range c.going {
		if c.fresh[f.hash] == f.n {
			delete(c.fresh, f.hash)
		}
	}
	for _, f := range c.adding {
		c.add(f.hash, f.n)
	}
	c.begin()
	if works && len(c.fresh) >= c.listAt {
		select {
		case c.full <- struct{}{}:
		default:
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
	t.counters.going = append(t.counters.going, fresh{n, key, maphash.String(t.counters.seed, key)})
	_, err := t.exec(deleteLimit, n)
	if err == nil {
		_, err = t.exec(deleteListed, key)
	}
	return err
}

// errOutdated says that another process has changed rows.
var errOutdated = errors.New("sqlite: another process has changed rows meanwhile")

// list lists new rows whenever there are enough, until the store is closed.
func (s *Store) list() {
	for {
		select {
		case <-s.done:
			return
		case <-s.w.counters.full:
		}
		if s.listLimits(context.Background(), s.w.counters.listAt) == nil {
			continue
		}
		select { // it can wait, whatever went wrong
		case <-s.done:
			return
		case <-time.After(listAgainAfter):
		}
	}
}

// listLimits lists the rows that are new, as long as there are at least so many.
func (s *Store) listLimits(ctx context.Context, atLeast int) error {
	for {
		epoch := s.w.counters.epoch.Load()
		var rows []fresh
		err := s.read(ctx, func(conn *conn) (err error) {
			_, rows, err = newLimits(conn, s.w.counters.listAt*listAtOnce)
			return err
		})
		if err != nil || len(rows) < atLeast {
			return err
		}
		to := rows[len(rows)-1].n
		if err := s.listRows(ctx, rows); err != nil {
			return err
		}
		if err := s.listedTo(ctx, to, epoch); err != nil {
			return err
		}
	}
}

// listRows lists rows in the order of keys, a piece at a time. What was listed
// before it fails is listed again, which does no harm.
func (s *Store) listRows(ctx context.Context, rows []fresh) error {
	slices.SortFunc(rows, func(a, b fresh) int { return cmp.Compare(a.key, b.key) })
	for piece := range slices.Chunk(rows, listTogether*listStatements) {
		err := s.change(ctx, elsewhere, func(t *tx) error {
			for some := range slices.Chunk(piece, listTogether) {
				args := make([]driver.Value, listTogether)
				for i := range args {
					args[i] = int64(0) // no row's
					if i < len(some) {
						args[i] = some[i].n
					}
				}
				if _, err := t.exec(listThese, args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// listedTo notes that all rows up to a number are listed. Where another process
// has deleted the last rows since that epoch, yet another may have given one of
// their numbers again.
func (s *Store) listedTo(ctx context.Context, to, epoch int64) error {
	c := s.w.counters
	return s.after(ctx, func(t *tx) error {
		if c.epoch.Load() != epoch {
			return errOutdated
		}
		_, err := t.exec(updateListed, strconv.FormatInt(to, 10))
		return err
	}, func() {
		c.listed = to
		for hash, n := range c.fresh {
			if n != several && n <= to { // of several some may come later
				delete(c.fresh, hash)
			}
		}
	})
}
