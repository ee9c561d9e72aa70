package sqlite

import (
	"context"
	"fmt"
)

// The index on due times holds only the jobs that nobody has: nothing else is
// read.
const selectDepth = `SELECT count(*), coalesce(sum(due_at <= ?), 0) FROM jobs WHERE node IS NULL`

// Depth counts the jobs that nobody has: those that are due, and those whose time
// has not come.
func (s *Store) Depth(ctx context.Context) (due, waiting int64, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(selectDepth, func(r *row) error {
			all := r.int64()
			due = r.int64()
			waiting = all - due
			return nil
		}, s.clock.Micros())
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count the jobs: %w", err)
	}
	return due, waiting, nil
}
