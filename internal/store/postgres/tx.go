package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/store"
)

// beginChange begins a transaction each of whose statements sees what was
// committed before it, whatever the database's default is: who has waited for a
// lock must see what its last holder wrote.
const beginChange = `BEGIN ISOLATION LEVEL READ COMMITTED`

// begin starts a transaction that gives its locks up by itself.
func begin(ctx context.Context, c *pgxpool.Conn) error {
	b := &pgx.Batch{}
	b.Queue(beginChange)
	b.Queue(setTimeouts)
	return c.SendBatch(ctx, b).Close()
}

// insist tries until it is done, failed for good, or not worth waiting for. The
// error is as judge knows it; with errUnknown it is not tried again, unless again
// does no harm.
func (s *Store) insist(ctx context.Context, harmless bool, try func() (closed bool, err error)) error {
	until := time.Now().Add(s.health.patience())
	for n := 0; ; n++ {
		closed, err := try()
		if misjudged(err) && !s.sessions.modeSaid { // and nothing of it was carried out
			s.sessions.shared.Store(true)
			s.pool.Reset()
			err = errRace
		}
		t := judge(err, closed)
		if t == none || t == fault {
			s.health.down.Store(false)
			return err
		}
		sure := !errors.Is(err, errUnknown)
		if t == waiting && sure {
			err = lost(err)
		}
		if ctx.Err() != nil {
			return err // which may be the caller's haste, and says nothing of the database
		}
		if !sure && !harmless || !s.wait(t, n, until) {
			s.health.down.Store(t == waiting)
			return err
		}
	}
}

// change runs f in a transaction, and again where that is safe: f may have been
// run before, and nothing of it was committed. An error of f's own undoes it.
// verify.Unavailable where it is not known whether it was carried out.
func (s *Store) change(ctx context.Context, f func(context.Context, *pgxpool.Conn) error) error {
	return s.told(s.insist(ctx, false, func() (bool, error) { return s.once(ctx, f) }))
}

// once runs f in a transaction. The caller's context can end it before it has
// begun, not in the middle.
func (s *Store) once(ctx context.Context, f func(context.Context, *pgxpool.Conn) error) (closed bool, err error) {
	if err := s.open(ctx); err != nil {
		return false, err
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTimeout)
	defer cancel()
	c, err := s.acquire(work)
	if err != nil {
		return true, err
	}
	defer func() { closed = s.release(c, err) }()
	if err := begin(work, c); err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	if err := f(work, c); err != nil {
		return false, err
	}
	return false, commit(work, c)
}

// open says whether the store and the context still are.
func (s *Store) open(ctx context.Context) error {
	if s.isClosed() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// exec runs one statement that may be run twice, and says how many rows it
// changed.
func (s *Store) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	var n int64
	err := s.simply(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		tag, err := c.Exec(ctx, sql, clean(args)...)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// clean gives arguments whose texts the database takes.
func clean(args []any) []any {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = store.Text(a)
		case []string:
			args[i] = texts(a, func(s *string) string { return *s })
		}
	}
	return args
}

// query runs one statement that may be run twice, and gives its rows to the
// function, which must be able to begin anew.
func (s *Store) query(ctx context.Context, each func(pgx.Rows) error, sql string, args ...any) error {
	return s.simply(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, sql, clean(args)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		return each(rows)
	})
}

// scan runs one statement that may read whole tables, as long as the caller has
// patience, and gives its rows to the function, which must be able to begin anew.
func (s *Store) scan(ctx context.Context, each func(pgx.Rows) error, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	return s.told(s.insist(ctx, true, func() (bool, error) { return s.scanOnce(ctx, each, sql, clean(args)) }))
}

// scanOnce is scan, without a second try.
func (s *Store) scanOnce(ctx context.Context, each func(pgx.Rows) error, sql string, args []any) (closed bool, err error) {
	if err := s.open(ctx); err != nil {
		return false, err
	}
	c, err := s.acquire(ctx)
	if err != nil {
		return true, err
	}
	defer func() { closed = s.release(c, err) }()
	if isOwn(c.Conn()) {
		if _, err = c.Exec(ctx, "SET lock_timeout = 0"); err != nil {
			return false, err
		}
		defer func() {
			if _, err := c.Exec(ctx, "SET lock_timeout = 8000"); err != nil {
				_ = c.Conn().Close(ctx) // which ends the session
			}
		}()
	}
	rows, err := c.Query(ctx, sql, args...)
	if err == nil {
		err = each(rows)
		rows.Close()
	}
	return false, err
}

// simply runs one statement, or several that are sent at once, on a connection,
// and again after trouble: it must not matter if it has been carried out before.
// A read in progress is not broken off when the caller goes: that would cost the
// connection.
func (s *Store) simply(ctx context.Context, f func(context.Context, *pgxpool.Conn) error) error {
	return s.told(s.insist(ctx, true, func() (bool, error) { return s.direct(ctx, f) }))
}

func (s *Store) direct(ctx context.Context, f func(context.Context, *pgxpool.Conn) error) (closed bool, err error) {
	if err := s.open(ctx); err != nil {
		return false, err
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	c, err := s.acquire(work)
	if err != nil {
		return true, err
	}
	defer func() { closed = s.release(c, err) }()
	return false, f(work, c)
}
