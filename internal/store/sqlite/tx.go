package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// tx is the writing connection, with what is known about the group in hand.
type tx struct {
	*conn
	clock   *store.Clock
	commits atomic.Int64 // of groups that wrote something
	// limits are the rows read or written by the group so far: an account's row
	// is needed by each of its members, and read and written once.
	limits map[string]*limit
	// Of the change in hand.
	now    int64                 // microseconds
	seen   []verify.Verification // as they are stored, of those that were read
	wrote  bool
	broken bool // a statement failed: SQLite may have ended the transaction
}

// limit is a row as the group sees it.
type limit struct {
	row   guard.Row
	keep  int64 // microseconds
	found bool
	dirty bool
}

// errUndone says that a group was rolled back and nothing of it happened.
var errUndone = errors.New("sqlite: the group was undone")

// apply carries out a group in one transaction. A change that is refused by its
// own plan has written nothing and harms nobody, so there are no savepoints;
// when something else goes wrong the group is undone and each change is carried
// out alone.
func (t *tx) apply(group []change, errs []error) {
	if !errors.Is(t.together(group, errs), errUndone) {
		return
	}
	for i := range group {
		// Alone, what went wrong is in errs.
		_ = t.together(group[i:i+1], errs[i:i+1])
	}
}

// together carries out changes in one transaction. errUndone when they must be
// carried out one by one; errs is then to be ignored.
func (t *tx) together(group []change, errs []error) error {
	clear(t.limits)
	wrote := false
	if _, err := t.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return t.failed(errs, err)
	}
	for i, f := range group {
		t.now, t.wrote, t.broken, t.seen = t.clock.Micros(), false, false, t.seen[:0]
		errs[i] = f(t)
		wrote = wrote || t.wrote
		if !t.broken && (errs[i] == nil || !t.wrote) {
			continue
		}
		t.rollback()
		if len(group) > 1 {
			return errUndone
		}
		return nil
	}
	t.wrote = false
	err := t.flush()
	if err == nil {
		_, err = t.conn.exec("COMMIT")
	}
	if err != nil {
		t.rollback()
		return t.failed(errs, err)
	}
	if wrote || t.wrote {
		t.commits.Add(1)
	}
	return nil
}

// failed gives everyone the error: what a plan was refused for may have been
// written by a neighbour whose writes are gone.
func (t *tx) failed(errs []error, err error) error {
	err = fmt.Errorf("transaction: %w", err)
	for i := range errs {
		errs[i] = err
	}
	return err
}

// rollback ends the transaction; SQLite may have done so already, and then
// refuses.
func (t *tx) rollback() { _, _ = t.conn.exec("ROLLBACK") }

func (t *tx) exec(sql string, args ...driver.Value) (int64, error) {
	n, err := t.conn.exec(sql, args...)
	t.wrote = t.wrote || n > 0
	t.broken = t.broken || err != nil
	return n, err
}

func (t *tx) query(sql string, each func(*row) error, args ...driver.Value) error {
	err := t.conn.query(sql, each, args...)
	t.broken = t.broken || err != nil
	return err
}

const (
	selectLimit = `SELECT counts, keep_until FROM limits WHERE key = ?`
	upsertLimit = `INSERT INTO limits (key, counts, keep_until) VALUES (?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET counts = excluded.counts, keep_until = excluded.keep_until`
)

// limit gives a row as it is after the changes before this one.
func (t *tx) limit(key string) (*limit, error) {
	if l, ok := t.limits[key]; ok {
		return l, nil
	}
	l := &limit{}
	err := t.query(selectLimit, func(r *row) (err error) {
		l.found = true
		l.row, err = guard.DecodeRow(r.bytes())
		l.keep = r.int64()
		return err
	}, key)
	if err != nil {
		return nil, err
	}
	t.limits[key] = l
	return l, nil
}

// setLimit replaces a row; flush writes it.
func (t *tx) setLimit(key string, r guard.Row, keep int64) {
	t.limits[key] = &limit{row: r, keep: keep, found: true, dirty: true}
}

// flush writes the rows that were changed.
func (t *tx) flush() error {
	for key, l := range t.limits {
		if !l.dirty {
			continue
		}
		if _, err := t.exec(upsertLimit, key, l.row.Encode(), l.keep); err != nil {
			return err
		}
		l.dirty = false
	}
	return nil
}
