package sqlite

import (
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// tx is the writing connection, with what is known about the group in hand.
type tx struct {
	*conn
	clock   *store.Clock
	recent  *recent
	backlog *backlog
	log     *walLog
	works   *atomic.Bool // this is the process that works on the file
	version int64        // of the file's content, as it was at the last look: see notice
	mark    string       // the last change of another process's, or erasure, that is known of
	unsure  bool         // a COMMIT failed: what the file has is to be looked for

	bindings bindings
	counters *counters
	// The last numbers that were given.
	last, lastLimit int64
	group           *store.Overlay   // of operations
	numbers         map[string]int64 // of the group's verifications, by id
	ahead           ahead            // what the group does to the backlog
	// Of the change in hand.
	now    int64 // microseconds
	wrote  bool
	broken bool // a statement failed: SQLite may have ended the transaction
}

// member is a piece of work for the writer: an operation, or a change of another
// kind, which gets a transaction of its own.
type member struct {
	op     verify.Op
	change change // nil: op
	scope  scope  // of the change
	then   func() // what the writer does once the change is committed; nil: nothing
}

// scope says which rows a change may have touched that are known in memory, too.
type scope int

const (
	elsewhere scope = iota // none, or then sees to them
	everything
)

// errUndone says that a group was rolled back and nothing of it happened.
var errUndone = errors.New("sqlite: the group was undone")

// apply carries out a group: operations that stand together in one transaction. An
// operation that is refused by its own plan has written nothing and harms nobody,
// so there are no savepoints; when something else goes wrong the transaction is
// undone and each operation is carried out alone.
func (t *tx) apply(group []member, errs []error) {
	for i := 0; i < len(group); {
		if group[i].change != nil {
			errs[i] = t.alone(group[i])
			i++
			continue
		}
		n := i + 1
		for n < len(group) && group[n].change == nil {
			n++
		}
		if errors.Is(t.together(group[i:n], errs[i:n]), errUndone) {
			for k := i; k < n; k++ {
				// Alone, what went wrong is in errs.
				_ = t.together(group[k:k+1], errs[k:k+1])
			}
		}
		i = n
	}
}

// together carries out operations in one transaction. errUndone when they must be
// carried out one by one; errs is then to be ignored.
func (t *tx) together(ops []member, errs []error) error {
	t.group.Reset()
	clear(t.numbers)
	if err := t.begin(); err != nil {
		return t.failed(errs, err)
	}
	for i := range ops {
		t.group.Now = t.clock.Micros()
		t.group.Clock = t.group.Now
		errs[i] = t.load(ops[i].op.Need)
		if errs[i] == nil {
			errs[i] = t.group.CarryOut(ops[i].op)
		}
		if t.broken {
			return t.undo(ops)
		}
	}
	err := t.flush()
	if err == nil && t.wrote && !t.works.Load() {
		_, err = t.setMark()
	}
	if err != nil {
		errs[0] = err
		return t.undo(ops)
	}
	if err := t.commit(); err != nil {
		return t.failed(errs, err)
	}
	t.publish()
	return nil
}

// commit ends a transaction.
func (t *tx) commit() error {
	err := t.log.commit(t.wrote, func() error {
		_, err := t.conn.exec("COMMIT")
		return err
	})
	if err != nil {
		t.unsure = true
		t.rollback()
	}
	return err
}

// undo ends a transaction in which a statement failed.
func (t *tx) undo(ops []member) error {
	t.rollback()
	if len(ops) > 1 {
		return errUndone
	}
	return nil
}

// publish has everybody know what was committed.
func (t *tx) publish() {
	for _, h := range t.group.Verifications {
		if h.Dirty {
			t.bindings.note(h.Verification)
		}
	}
	t.recent.publish(t.group, t.numbers)
	t.counters.commit(t.works.Load())
	t.backlog.commit(&t.ahead, t.clock.Micros())
}

// alone carries out a change in a transaction of its own.
func (t *tx) alone(m member) error {
	if err := t.begin(); err != nil {
		return err
	}
	t.now = t.clock.Micros()
	err := m.change(t)
	mark := ""
	if m.scope == everything && err == nil && t.wrote {
		mark, err = t.setMark()
	}
	if t.broken || err != nil {
		t.rollback()
		return err
	}
	if err := t.commit(); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	t.counters.commit(t.works.Load())
	if m.then != nil {
		m.then()
	}
	if mark != "" {
		t.mark = mark
		t.recent.forget()
	}
	return nil
}

// begin begins a transaction.
func (t *tx) begin() error {
	t.wrote, t.broken = false, false
	t.counters.begin()
	if _, err := t.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	err := t.notice()
	if err != nil {
		t.rollback()
	}
	return err
}

const (
	upsertMark = `INSERT INTO meta (name, value) VALUES ('changed', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	selectMark = `SELECT value FROM meta WHERE name = 'changed'`
	selectLast = `SELECT coalesce((SELECT max(n) FROM verifications), 0), coalesce((SELECT max(n) FROM limits), 0)`
)

// setMark leaves word for the process that works on the file: rows that it may
// know are not as it knows them. A command that ends calls beside the server does
// that, and whoever erases.
func (t *tx) setMark() (mark string, err error) {
	mark = rand.Text()
	_, err = t.exec(upsertMark, mark)
	return mark, err
}

// notice looks for the mark: nothing that is known may be older than the
// transaction. The version that SQLite tells moves on with every other writer, and
// with an emptied log, too.
func (t *tx) notice() error {
	version, mark := t.version, t.mark
	err := t.query("PRAGMA data_version", func(r *row) error { version = r.int64(); return nil })
	if err == nil && version != t.version {
		err = t.query(selectMark, func(r *row) error { mark = r.text(); return nil })
	}
	if err != nil {
		return err
	}
	if t.unsure || mark != t.mark || version != t.version && !t.works.Load() { // the server leaves no mark for commands
		err = t.lookAgain()
	}
	if err == nil {
		t.version, t.mark, t.unsure = version, mark, false
	}
	return err
}

// lookAgain forgets what is known, and reads anew what is worked on.
func (t *tx) lookAgain() error {
	t.recent.forget()
	err := t.query(selectLast, func(r *row) error {
		t.last, t.lastLimit = max(t.last, r.int64()), max(t.lastLimit, r.int64())
		return nil
	})
	if err == nil {
		err = t.counters.read(t.conn)
		t.lastLimit = max(t.lastLimit, t.counters.listed) // a number is not given again that may be listed
	}
	if err == nil {
		err = t.bindings.read(t.conn)
	}
	if err == nil {
		err = t.backlog.read(t.conn)
	}
	return err
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
func (t *tx) rollback() {
	_, _ = t.conn.exec("ROLLBACK")
	t.backlog.undo(&t.ahead)
}

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
