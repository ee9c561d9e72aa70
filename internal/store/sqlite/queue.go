package sqlite

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
)

// The rows of nodes tell other processes, commands, that this one works.
const (
	insertNode    = `INSERT INTO nodes (id, alive_until) VALUES (?, ?)`
	beatNode      = `UPDATE nodes SET alive_until = ? WHERE id = ? AND alive_until >= ?`
	deleteNode    = `DELETE FROM nodes WHERE id = ?`
	deleteExpired = `DELETE FROM nodes WHERE alive_until < ?`
	deleteAll     = `DELETE FROM nodes`
)

// Join writes a new node's row.
func (s *Store) Join(ctx context.Context) (string, error) {
	node := rand.Text()
	var until int64
	err := s.after(ctx, func(t *tx) error {
		until = t.now + jobs.HeartbeatTTL.Microseconds()
		_, err := t.exec(insertNode, node, until)
		return err
	}, func() {
		s.backlog.renew(node, until)
		s.works.Store(true)
	})
	if err != nil {
		return "", fmt.Errorf("join: %w", err)
	}
	return node, nil
}

// Beat renews a node's row, unless it has expired.
func (s *Store) Beat(ctx context.Context, node string) error {
	var until int64
	return s.after(ctx, func(t *tx) error {
		until = t.now + jobs.HeartbeatTTL.Microseconds()
		n, err := t.exec(beatNode, until, node, t.now)
		if err == nil && n == 0 {
			return jobs.ErrNodeExpired
		}
		return err
	}, func() { s.backlog.renew(node, until) })
}

// Leave deletes a node's row and frees its jobs.
func (s *Store) Leave(ctx context.Context, node string) error {
	return s.after(ctx, func(t *tx) error {
		_, err := t.exec(deleteNode, node)
		return err
	}, func() { s.backlog.freeOf(func(id string, _ int64) bool { return id == node }) })
}

// Offer has jobs leased as they are written.
func (s *Store) Offer(t jobs.Taker) {
	s.backlog.mu.Lock()
	defer s.backlog.mu.Unlock()
	s.backlog.taker = t
}

// Newest is the number of the job that was written last.
func (s *Store) Newest(context.Context) (n int64, err error) {
	s.backlog.mu.Lock()
	defer s.backlog.mu.Unlock()
	return s.backlog.last, nil
}

// Lease takes due jobs, the longest due first; none for a node that has expired.
func (s *Store) Lease(_ context.Context, node string, after int64, n int) ([]jobs.Job, error) {
	return s.backlog.take(node, s.clock.Micros(), after, n), nil
}

// Reap frees the jobs of expired nodes and deletes their rows.
func (s *Store) Reap(ctx context.Context) (int, error) {
	var now int64
	return s.free(ctx, func(t *tx) error {
		now = t.now
		_, err := t.exec(deleteExpired, t.now)
		return err
	}, func(_ string, until int64) bool { return until < now })
}

// Takeover forgets all nodes and frees their jobs, and says how many. It is for
// the start of the one process that works on the file: whoever held them is gone.
func (s *Store) Takeover(ctx context.Context) (int, error) {
	return s.free(ctx, func(t *tx) error {
		_, err := t.exec(deleteAll)
		return err
	}, func(string, int64) bool { return true })
}

func (s *Store) free(ctx context.Context, rows change, gone func(string, int64) bool) (int, error) {
	n := 0
	err := s.after(ctx, rows, func() { n = s.backlog.freeOf(gone) })
	if err != nil {
		return 0, fmt.Errorf("free the jobs of lost nodes: %w", err)
	}
	return n, nil
}

// Postpone gives a leased job back. That it was given back is not on record: after
// a restart it is due when it was before.
func (s *Store) Postpone(_ context.Context, l jobs.Lease, d time.Duration) error {
	if !s.backlog.postpone(l, s.clock.Micros(), d) {
		return jobs.ErrLeaseLost
	}
	return nil
}

// NextDue says when the earliest job that could be leased is due. One that
// stands behind another of its order is not looked at: it is that one's end that
// brings it up.
func (s *Store) NextDue(context.Context) (due time.Time, ok bool, err error) {
	at, ok := s.backlog.next()
	return store.Time(at), ok, nil
}

// Depth counts the jobs that nobody has: those that are due, and those whose time
// has not come.
func (s *Store) Depth(context.Context) (due, waiting int64, err error) {
	due, waiting = s.backlog.depth(s.clock.Micros())
	return due, waiting, nil
}
