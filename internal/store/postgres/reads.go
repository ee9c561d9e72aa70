package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

const (
	// Of one moment, in one round trip.
	beginSnapshot = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`

	selectVerification = `SELECT ` + verificationColumns + ` FROM verifications WHERE id = $1 AND ($2 = '' OR account = $2)`
	selectAttempts     = `SELECT ` + attemptColumns + ` FROM attempts WHERE verification = $1`
	// By the id of an attempt.
	ownerOf             = `(SELECT verification FROM attempts WHERE id = $1)`
	selectOwner         = `SELECT ` + verificationColumns + ` FROM verifications WHERE id = ` + ownerOf
	selectOwnerAttempts = `SELECT ` + attemptColumns + ` FROM attempts WHERE verification = ` + ownerOf

	selectToken = `SELECT account, token_hash FROM verifications
		WHERE id = $1 AND status = 'pending' AND token_hash IS NOT NULL`
	selectOverdue = `SELECT account, id FROM verifications
		WHERE status = 'pending' AND expires_at <= ` + now + ` ORDER BY expires_at LIMIT $2`
	selectStops  = `SELECT id, stop FROM attempts WHERE id = ANY ($1::text[]) AND stop <> '' AND state <> 'ended'`
	forgetLimits = `DELETE FROM limits WHERE key IN (SELECT key FROM limits
		WHERE keep_until > 0 AND keep_until <= ` + now + ` ORDER BY keep_until LIMIT $2 FOR UPDATE SKIP LOCKED)`
	forgetOnce = `DELETE FROM once WHERE key IN (SELECT key FROM once
		WHERE keep_until <= ` + now + ` ORDER BY keep_until LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// forgetBatch is how many rows are forgotten in one transaction, so that nobody
// waits long behind it.
const forgetBatch = 500

// forgetMarksAfter is how long after its last transaction a writer is taken for
// one of a process that is no more. One that lives writes its row again.
const forgetMarksAfter = 24 * time.Hour

// Read gives a verification with its attempts.
func (s *Store) Read(ctx context.Context, account, id string) (verify.State, error) {
	st, err := s.state(ctx, func(b *pgx.Batch) (v, a *pgx.QueuedQuery) {
		id := store.Text(id)
		return b.Queue(selectVerification, id, store.Text(account)), b.Queue(selectAttempts, id)
	})
	if err != nil {
		return verify.State{}, fmt.Errorf("read a verification: %w", err)
	}
	return st, nil
}

// ReadAttempt gives the verification of an attempt. Whose job was handed over just
// now needs no reading.
func (s *Store) ReadAttempt(ctx context.Context, id string) (verify.State, error) {
	if st, ok := s.recent.take(id); ok {
		return st, nil
	}
	st, err := s.state(ctx, func(b *pgx.Batch) (v, a *pgx.QueuedQuery) {
		id := store.Text(id)
		return b.Queue(selectOwner, id), b.Queue(selectOwnerAttempts, id)
	})
	if err != nil {
		return verify.State{}, fmt.Errorf("read an attempt: %w", err)
	}
	return st, nil
}

// state reads a verification and its attempts as they are at one moment.
func (s *Store) state(ctx context.Context, queue func(*pgx.Batch) (v, a *pgx.QueuedQuery)) (verify.State, error) {
	all, err := s.states(ctx, queue)
	if err == nil && len(all) == 0 {
		err = verify.ErrAbsent
	}
	for _, st := range all {
		return *st, err
	}
	return verify.State{}, err
}

// states reads verifications and their attempts as they are at one moment. What
// comes twice is there once.
func (s *Store) states(ctx context.Context, queue func(*pgx.Batch) (v, a *pgx.QueuedQuery)) (all map[string]*verify.State, err error) {
	err = s.simply(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		all = make(map[string]*verify.State)
		b := &pgx.Batch{}
		b.Queue(beginSnapshot)
		v, a := queue(b)
		v.Query(func(rows pgx.Rows) error {
			return each(rows, func() error {
				v, err := s.scanVerification(rows)
				all[v.ID] = &verify.State{Verification: &v}
				return err
			})
		})
		a.Query(func(rows pgx.Rows) error {
			return each(rows, func() error {
				a, err := scanAttempt(rows)
				if st := all[a.Verification]; st != nil && !slices.ContainsFunc(st.Attempts, func(b verify.Attempt) bool { return b.ID == a.ID }) {
					st.Attempts = append(st.Attempts, a)
				}
				return err
			})
		})
		b.Queue(readClock).QueryRow(func(r pgx.Row) error {
			var at int64
			err := r.Scan(&at)
			now := store.Time(s.time(at))
			for _, st := range all {
				st.Now = now
				store.SortAttempts(st.Attempts)
			}
			return err
		})
		b.Queue("COMMIT")
		return c.SendBatch(ctx, b).Close()
	})
	return all, err
}

// Token gives account and token hash of a pending verification.
func (s *Store) Token(ctx context.Context, id string) (account string, hash []byte, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error { return rows.Scan(&account, &hash) })
	}, selectToken, id)
	if err == nil && hash == nil {
		err = verify.ErrAbsent
	}
	if err != nil {
		return "", nil, fmt.Errorf("read a token: %w", err)
	}
	return account, hash, nil
}

// Overdue lists pending verifications whose time is up, most overdue first.
func (s *Store) Overdue(ctx context.Context, n int) ([]verify.Overdue, error) {
	out, err := s.named(ctx, selectOverdue, s.at(), n)
	if err != nil {
		return nil, fmt.Errorf("list the overdue: %w", err)
	}
	return out, nil
}

// named lists verifications.
func (s *Store) named(ctx context.Context, sql string, args ...any) ([]verify.Overdue, error) {
	return collectOverdue(func(each func(pgx.Rows) error) error { return s.query(ctx, each, sql, args...) })
}

// collectOverdue lists the verifications that a query gives.
func collectOverdue(query func(each func(pgx.Rows) error) error) (out []verify.Overdue, err error) {
	err = query(func(rows pgx.Rows) error {
		out = nil
		return each(rows, func() error {
			var o verify.Overdue
			err := rows.Scan(&o.Account, &o.ID)
			out = append(out, o)
			return err
		})
	})
	return out, err
}

// Stops tells which of the attempts must stop; those that have ended need not.
func (s *Store) Stops(ctx context.Context, attempts []string) (map[string]string, error) {
	out := make(map[string]string)
	if len(attempts) == 0 {
		return out, nil
	}
	err := s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error {
			var id, stop string
			err := rows.Scan(&id, &stop)
			out[id] = stop
			return err
		})
	}, selectStops, attempts)
	if err != nil {
		return nil, fmt.Errorf("read the stops: %w", err)
	}
	return out, nil
}

// Forget deletes limit rows and kept answers whose time is over. Several nodes may
// do so at once: each takes what no other has in hand.
func (s *Store) Forget(ctx context.Context) error {
	for _, sql := range []string{forgetLimits, forgetOnce} {
		for more := true; more; {
			n, err := s.exec(ctx, sql, s.at(), forgetBatch)
			if err != nil {
				return fmt.Errorf("forget: %w", err)
			}
			more = n == forgetBatch
		}
	}
	if _, err := s.exec(ctx, forgetMarks, s.at(), forgetMarksAfter.Microseconds()); err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	if _, err := s.exec(ctx, forgetHints); err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	return nil
}
