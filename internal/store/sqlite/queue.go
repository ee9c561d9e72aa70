package sqlite

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
)

// A lease holds while its job's row has it and its node's row is alive.
const (
	holds = `id = ? AND node = ? AND leases = ?
		AND EXISTS (SELECT 1 FROM nodes WHERE nodes.id = jobs.node AND alive_until >= ?)`
	selectLeased = `SELECT 1 FROM jobs WHERE ` + holds
	postponeJob  = `UPDATE jobs SET node = NULL, due_at = ? WHERE ` + holds

	// Of an order's unfinished jobs only the oldest can be leased.
	oldest = `NOT EXISTS (SELECT 1 FROM jobs AS o WHERE o.order_key = j.order_key AND o.id < j.id)`
	// The due index gives the order: nothing is sorted. A LIMIT that is a bare
	// parameter makes SQLite prepare the statement anew every time; a sum does not.
	leaseJobs = `UPDATE jobs SET node = ?, leases = leases + 1 WHERE id IN (SELECT id FROM jobs AS j
		WHERE node IS NULL AND due_at <= ? AND id > ? AND ` + oldest + ` ORDER BY due_at LIMIT ? + 0)
		RETURNING due_at, id, leases, kind, subject`
	selectNextDue = `SELECT due_at FROM jobs AS j WHERE node IS NULL AND ` + oldest + ` ORDER BY due_at LIMIT 1`

	// AUTOINCREMENT keeps the greatest number there ever was.
	selectNewest = `SELECT seq FROM sqlite_sequence WHERE name = 'jobs'`

	insertNode  = `INSERT INTO nodes (id, alive_until) VALUES (?, ?)`
	selectAlive = `SELECT 1 FROM nodes WHERE id = ? AND alive_until >= ?`
	beatNode    = `UPDATE nodes SET alive_until = ? WHERE id = ? AND alive_until >= ?`
	freeNode    = `UPDATE jobs SET node = NULL WHERE node = ?`
	deleteNode  = `DELETE FROM nodes WHERE id = ?`
	freeExpired = `UPDATE jobs SET node = NULL
		WHERE node IN (SELECT id FROM nodes WHERE alive_until < ?)`
	deleteExpired = `DELETE FROM nodes WHERE alive_until < ?`
	freeAll       = `UPDATE jobs SET node = NULL WHERE node IS NOT NULL`
	deleteAll     = `DELETE FROM nodes`
)

// Join writes a new node's row.
func (s *Store) Join(ctx context.Context) (string, error) {
	node := rand.Text()
	err := s.write(ctx, func(t *tx) error {
		_, err := t.exec(insertNode, node, t.now+jobs.HeartbeatTTL.Microseconds())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("join: %w", err)
	}
	return node, nil
}

// Beat renews a node's row, unless it has expired.
func (s *Store) Beat(ctx context.Context, node string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(beatNode, t.now+jobs.HeartbeatTTL.Microseconds(), node, t.now)
		if err == nil && n == 0 {
			return jobs.ErrNodeExpired
		}
		return err
	})
}

// Leave deletes a node's row and frees its jobs.
func (s *Store) Leave(ctx context.Context, node string) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(freeNode, node); err != nil {
			return err
		}
		_, err := t.exec(deleteNode, node)
		return err
	})
}

// Offer has jobs leased as they are written.
func (s *Store) Offer(jobs.Taker) {}

// Newest is the number of the job that was written last.
func (s *Store) Newest(ctx context.Context) (n int64, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(selectNewest, func(r *row) error { n = r.int64(); return nil })
	})
	if err != nil {
		return 0, fmt.Errorf("newest job: %w", err)
	}
	return n, nil
}

// Lease takes due jobs, the longest due first; none for a node that has expired.
func (s *Store) Lease(ctx context.Context, node string, after int64, n int) ([]jobs.Job, error) {
	type leased struct {
		jobs.Job
		due int64
	}
	var got []leased
	err := s.write(ctx, func(t *tx) error {
		got = got[:0]
		alive := false
		err := t.query(selectAlive, func(*row) error { alive = true; return nil }, node, t.now)
		if err != nil || !alive {
			return err
		}
		t.wrote = true
		return t.query(leaseJobs, func(r *row) error {
			j := leased{due: r.int64()}
			j.Lease = jobs.Lease{Job: r.int64(), Node: node, N: r.int()}
			j.Kind, j.Subject = jobs.Kind(r.text()), r.text()
			got = append(got, j)
			return nil
		}, node, t.now, after, int64(n))
	})
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	// RETURNING promises no order.
	slices.SortFunc(got, func(a, b leased) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.Lease.Job, b.Lease.Job))
	})
	var out []jobs.Job
	for _, j := range got {
		out = append(out, j.Job)
	}
	return out, nil
}

// leased says whether a lease still holds.
func (t *tx) leased(l jobs.Lease) (bool, error) {
	held := false
	err := t.query(selectLeased, func(*row) error { held = true; return nil }, l.Job, l.Node, int64(l.N), t.now)
	return held, err
}

// Reap frees the jobs of expired nodes and deletes their rows.
func (s *Store) Reap(ctx context.Context) (int, error) {
	return s.free(ctx, func(t *tx) (int64, error) {
		n, err := t.exec(freeExpired, t.now)
		if err != nil {
			return 0, err
		}
		_, err = t.exec(deleteExpired, t.now)
		return n, err
	})
}

// Takeover forgets all nodes and frees their jobs, and says how many. It is for
// the start of the one process that works on the file: whoever held them is gone.
func (s *Store) Takeover(ctx context.Context) (int, error) {
	return s.free(ctx, func(t *tx) (int64, error) {
		n, err := t.exec(freeAll)
		if err != nil {
			return 0, err
		}
		_, err = t.exec(deleteAll)
		return n, err
	})
}

func (s *Store) free(ctx context.Context, f func(*tx) (int64, error)) (int, error) {
	var freed int64
	err := s.write(ctx, func(t *tx) (err error) {
		freed, err = f(t)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("free the jobs of lost nodes: %w", err)
	}
	return int(freed), nil
}

// Postpone gives a leased job back.
func (s *Store) Postpone(ctx context.Context, l jobs.Lease, d time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(postponeJob, t.now+d.Microseconds(), l.Job, l.Node, int64(l.N), t.now)
		if err == nil && n == 0 {
			return jobs.ErrLeaseLost
		}
		return err
	})
}

// NextDue says when the earliest job that could be leased is due. One that
// stands behind another of its order is not looked at: it is that one's end that
// brings it up.
func (s *Store) NextDue(ctx context.Context) (due time.Time, ok bool, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(selectNextDue, func(r *row) error {
			due, ok = store.Time(r.int64()), true
			return nil
		})
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the next due time: %w", err)
	}
	return due, ok, nil
}
