package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// mark is a writer's row that tells which of its transactions was committed last.
// It belongs to one goroutine at a time.
type mark struct {
	writer string
	last   int64 // number of the transaction in hand
}

const (
	insertMark = `INSERT INTO commits (writer, last, at) VALUES ($2, 0, ` + now + `) ON CONFLICT DO NOTHING`
	setMark    = `UPDATE commits SET last = $2, at = $3 WHERE writer = $1`
	// It waits for the transaction in question, where its end is not yet decided, and
	// keeps it from being carried out where it has not come to the server yet: what was
	// sent before a connection was lost may arrive late.
	fenceMark   = `UPDATE commits SET last = CASE WHEN last >= $2::bigint THEN last ELSE $2::bigint + 1 END WHERE writer = $1 RETURNING last`
	endMark     = `UPDATE commits SET last = greatest(last, $2::bigint) WHERE writer = $1`
	deleteMarks = `DELETE FROM commits WHERE writer = ANY ($1::text[])`
	forgetMarks = `DELETE FROM commits WHERE at < ` + now + ` - $2::bigint`
)

// errNoMark says that the writer's row is gone: another node has taken it for one
// of a process that is no more.
var errNoMark = errors.New("postgres: the writer has no row")

// newMark writes the row, in a transaction of its own: a first row that is not
// committed yet could not be waited for.
func (s *Store) newMark(ctx context.Context, m *mark) error {
	_, err := s.pool.Exec(ctx, insertMark, s.at(), m.writer)
	return err
}

// dropMarks removes the rows of a store that is being closed. Those that stay are
// forgotten in time.
func (s *Store) dropMarks() {
	var writers []string
	for len(s.marks) > 0 {
		writers = append(writers, (<-s.marks).writer)
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	_, _ = s.pool.Exec(ctx, deleteMarks, writers) // as said above
}

// findOut asks on another connection whether the writer's last transaction was
// committed, after an answer that did not say so. errUnknown where that is not
// possible.
func (s *Store) findOut(m *mark, unsure error) error {
	done, err := s.committed(m)
	switch {
	case err != nil:
		return errors.Join(unsure, err)
	case done:
		return nil
	}
	return lost(errors.Unwrap(unsure))
}

// commit sends COMMIT. errUnknown where the answer does not say whether it was
// carried out.
func commit(ctx context.Context, c *pgxpool.Conn) error {
	tag, err := c.Exec(ctx, "COMMIT")
	return ended(err, tag.String() != "COMMIT")
}

// ended tells how a transaction ended whose COMMIT was sent, by itself or behind
// statements of its own: an error of one of these keeps the server from it. undone
// says that its answer was another one.
func ended(err error, undone bool) error {
	var pg *pgconn.PgError
	switch {
	case err == nil && !undone:
		return nil
	case err == nil: // the answer to a transaction that has failed is ROLLBACK
		return errors.New("postgres: the transaction was rolled back")
	case errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR":
		return fmt.Errorf("commit: %w", err)
	}
	// A session that is ended may have committed before.
	return unknown{err}
}

func isUnknown(err error) bool { return errors.Is(err, errUnknown) }

// unknown is errUnknown with its cause.
type unknown struct{ cause error }

func (u unknown) Error() string        { return errUnknown.Error() + ": " + u.cause.Error() }
func (u unknown) Is(target error) bool { return target == errUnknown }
func (u unknown) Unwrap() error        { return u.cause }

// committed asks, for as long as patience lasts, whether the writer's last
// transaction was committed.
func (s *Store) committed(m *mark) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for try := 0; ; try++ {
		var last int64
		err := s.pool.QueryRow(ctx, fenceMark, m.writer, m.last).Scan(&last)
		if err == nil || isNone(err) {
			done := err == nil && last == m.last
			if err == nil {
				m.last = last
			}
			return done, nil
		}
		if hasCode(err, "25006") { // a server that was switched away from
			s.pool.Reset()
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(20 * time.Millisecond << min(try, 4)):
		}
	}
}

// hasCode says that the server gave this SQLSTATE.
func hasCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}

// taken says that a row was refused by this unique index.
func taken(err error, index string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505" && pg.ConstraintName == index
}
