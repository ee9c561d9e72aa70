package sqlite

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

const (
	selectAttemptOwner = `SELECT verification FROM attempts WHERE id = ?`
	selectToken        = `SELECT account, token_hash FROM verifications
		WHERE id = ? AND status = 'pending' AND token_hash IS NOT NULL`
	selectOverdue = `SELECT account, id FROM verifications
		WHERE status = 'pending' AND expires_at <= ? ORDER BY expires_at LIMIT ?`
	selectStops = `SELECT id, stop FROM attempts WHERE stop <> '' AND state <> 'ended'`
	selectOver  = `SELECT n, key FROM limits WHERE keep_until > 0 AND keep_until <= ? LIMIT ?`
	forgetOnce  = `DELETE FROM once WHERE key IN (SELECT key FROM once WHERE keep_until <= ? LIMIT ?)`
)

// forgetBatch is how many rows are forgotten in one transaction, so that nobody
// waits long behind it.
const forgetBatch = 500

// Read gives a verification with its attempts.
func (s *Store) Read(ctx context.Context, account, id string) (verify.State, error) {
	st := verify.State{Now: store.Time(s.clock.Micros())}
	err := s.snapshot(ctx, func(c *conn) error { return load(c, &st, account, id) })
	if err != nil {
		return verify.State{}, fmt.Errorf("read a verification: %w", err)
	}
	return st, nil
}

// ReadAttempt gives the verification of an attempt, as this process last committed
// it.
func (s *Store) ReadAttempt(ctx context.Context, id string) (verify.State, error) {
	if k, ok := s.recent.of(id); ok {
		return k.state(s.clock.Micros()), nil
	}
	st := verify.State{Now: store.Time(s.clock.Micros())}
	err := s.snapshot(ctx, func(c *conn) error {
		var owner string
		err := c.query(selectAttemptOwner, func(r *row) error {
			owner = r.text()
			return nil
		}, id)
		if err != nil {
			return err
		}
		return load(c, &st, "", owner)
	})
	if err != nil {
		return verify.State{}, fmt.Errorf("read an attempt: %w", err)
	}
	return st, nil
}

func load(c *conn, st *verify.State, account, id string) (err error) {
	var n int64
	if st.Verification, n, err = verification(c, account, id); err != nil {
		return err
	}
	st.Attempts, err = attemptsOf(c, n)
	return err
}

// Token gives account and token hash of a pending verification.
func (s *Store) Token(ctx context.Context, id string) (account string, hash []byte, err error) {
	err = s.read(ctx, func(c *conn) error {
		err := c.query(selectToken, func(r *row) error {
			account, hash = r.text(), r.bytes()
			return nil
		}, id)
		if err == nil && hash == nil {
			return verify.ErrAbsent
		}
		return err
	})
	if err != nil {
		return "", nil, fmt.Errorf("read a token: %w", err)
	}
	return account, hash, nil
}

// Overdue lists pending verifications whose time is up, most overdue first.
func (s *Store) Overdue(ctx context.Context, n int) ([]verify.Overdue, error) {
	var out []verify.Overdue
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectOverdue, func(r *row) error {
			out = append(out, verify.Overdue{Account: r.text(), ID: r.text()})
			return nil
		}, s.clock.Micros(), int64(n))
	})
	if err != nil {
		return nil, fmt.Errorf("list the overdue: %w", err)
	}
	return out, nil
}

// Stops tells which of the attempts must stop; those that have ended need not.
func (s *Store) Stops(ctx context.Context, attempts []string) (map[string]string, error) {
	all, out := make(map[string]string), make(map[string]string)
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectStops, func(r *row) error {
			all[r.text()] = r.text()
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the stops: %w", err)
	}
	for _, id := range attempts {
		if why, ok := all[id]; ok {
			out[id] = why
		}
	}
	return out, nil
}

// Forget deletes limit rows and kept answers whose time is over. It is called each
// minute, and when there was little to do the memory of rows goes back to the system.
func (s *Store) Forget(ctx context.Context) error {
	for more := true; more; {
		var over []fresh
		err := s.after(ctx, func(t *tx) (err error) {
			if over, err = t.forgetLimits(); err != nil {
				return err
			}
			kept, err := t.exec(forgetOnce, t.now, int64(forgetBatch))
			more = len(over) == forgetBatch || kept == forgetBatch
			return err
		}, func() { s.recent.dropLimits(over) })
		if err != nil {
			return fmt.Errorf("forget: %w", err)
		}
	}
	if s.recent.rest() {
		debug.FreeOSMemory()
	}
	return nil
}

// forgetLimits deletes rows of counters whose time is over, and says which.
func (t *tx) forgetLimits() (over []fresh, err error) {
	err = t.query(selectOver, func(r *row) error {
		over = append(over, fresh{n: r.int64(), key: r.text()})
		return nil
	}, t.now, int64(forgetBatch))
	for _, l := range over {
		if err == nil {
			err = t.deleteLimit(l.key, l.n)
		}
	}
	return over, err
}
