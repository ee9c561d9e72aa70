package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
)

const (
	// Of an order's unfinished jobs only the oldest can be leased, and none while
	// another is in somebody's hands: a job may be committed after a younger one.
	// Two nodes that do not see each other's lease yet are kept apart by the index
	// jobs_one.
	// (A scalar subquery is looked up for each job, never made into a join.)
	leasable = `(SELECT o.id FROM jobs AS o WHERE o.order_key = j.order_key AND o.id <> j.id
		AND (o.id < j.id OR o.node IS NOT NULL) LIMIT 1) IS NULL`
	// The due index gives the order: nothing is sorted. What another node leases
	// just now is passed over.
	leaseJobs = `WITH due AS (SELECT j.id FROM jobs AS j WHERE j.node IS NULL AND j.due_at <= ` + now + ` AND j.id + 0 > $3 AND ` + leasable + `
			AND EXISTS (SELECT FROM nodes WHERE nodes.id = $2 AND alive_until >= ` + now + `)
			ORDER BY j.due_at, j.id LIMIT $4 FOR UPDATE OF j SKIP LOCKED)
		UPDATE jobs SET node = $2, leases = leases + 1 WHERE id = ANY (ARRAY(SELECT id FROM due))
		RETURNING due_at, id, leases, kind, subject`
	anyDue        = `SELECT EXISTS (SELECT FROM jobs AS j WHERE node IS NULL AND due_at <= ` + now + ` AND id + 0 > $2 AND ` + leasable + `)`
	selectNextDue = `SELECT due_at FROM jobs AS j WHERE node IS NULL AND ` + leasable + ` ORDER BY due_at, id LIMIT 1`
	freeLeases    = `UPDATE jobs SET node = NULL FROM unnest($1::bigint[], $2::text[], $3::int[]) AS l (id, node, leases)
		WHERE jobs.id = l.id AND jobs.id = ANY ($1::bigint[]) AND jobs.node = l.node AND jobs.leases = l.leases`
	// A job that was leased as it was written has this lease number until it is freed;
	// one that was leased later never has it.
	freeWritten = `UPDATE jobs SET node = NULL FROM unnest($1::text[], $2::text[]) AS l (node, subject)
		WHERE jobs.subject = l.subject AND jobs.subject = ANY ($2::text[]) AND jobs.node = l.node AND jobs.leases = 0`
	postponeJob = `UPDATE jobs SET node = NULL, due_at = ` + now + ` + $2::bigint WHERE id = $3 AND node = $4 AND leases = $5
		AND EXISTS (SELECT FROM nodes WHERE nodes.id = jobs.node AND alive_until >= ` + now + `)`

	// A sequence counts on even where a number's transaction was undone.
	selectNewest = `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM jobs_id_seq`
	selectDepth  = `SELECT count(*), count(*) FILTER (WHERE due_at <= ` + now + `) FROM jobs WHERE node IS NULL`

	insertNode = `INSERT INTO nodes (id, alive_until) VALUES ($2, ` + now + ` + $3::bigint) ON CONFLICT DO NOTHING`
	beatNode   = `UPDATE nodes SET alive_until = ` + now + ` + $3::bigint WHERE id = $2 AND alive_until >= ` + now
	leaveNode  = `WITH gone AS (DELETE FROM nodes WHERE id = $1) UPDATE jobs SET node = NULL
		WHERE id = ANY (ARRAY(SELECT id FROM jobs WHERE node = $1 ORDER BY id FOR UPDATE))`
)

// Join writes a new node's row.
func (s *Store) Join(ctx context.Context) (string, error) {
	node := rand.Text()
	if _, err := s.exec(ctx, insertNode, s.at(), node, jobs.HeartbeatTTL.Microseconds()); err != nil {
		return "", fmt.Errorf("join: %w", err)
	}
	return node, nil
}

// Beat renews a node's row, unless it has expired.
func (s *Store) Beat(ctx context.Context, node string) error {
	n, err := s.exec(ctx, beatNode, s.at(), node, jobs.HeartbeatTTL.Microseconds())
	if err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	if n == 0 {
		return jobs.ErrNodeExpired
	}
	return nil
}

// Leave deletes a node's row and frees its jobs.
func (s *Store) Leave(ctx context.Context, node string) error {
	if _, err := s.exec(ctx, leaveNode, node); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// Newest is the number of the job that was written last.
func (s *Store) Newest(ctx context.Context) (n int64, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error { return rows.Scan(&n) })
	}, selectNewest)
	if err != nil {
		return 0, fmt.Errorf("newest job: %w", err)
	}
	return n, nil
}

// unsure are leases of which it is not known whether they were committed: nobody
// works on them. Safe for concurrent use.
type unsure struct {
	mu   sync.Mutex
	list []jobs.Lease
	born []born
}

// born is a job that may have been leased as it was written, in the transaction
// that a mark stands for.
type born struct {
	node, subject string
	mark          mark
}

// addLeases notes leases.
func (u *unsure) addLeases(list []jobs.Lease) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.list = append(u.list, list...)
}

// add notes jobs that may have been leased as they were written.
func (u *unsure) add(list ...born) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.born = append(u.born, list...)
}

func (u *unsure) take() (list []jobs.Lease, jobs []born) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list, jobs = u.list, u.born
	u.list, u.born = nil, nil
	return list, jobs
}

// due is a job with its time.
type due struct {
	jobs.Job
	at int64
}

// Lease takes due jobs, the longest due first; none for a node that has expired.
func (s *Store) Lease(ctx context.Context, node string, after int64, n int) ([]jobs.Job, error) {
	if err := s.freeUnsure(ctx); err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	some := false
	err := s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error { return rows.Scan(&some) })
	}, anyDue, s.at(), after)
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	if !some { // which costs a tenth of looking for it with a lock
		return nil, nil
	}
	var got []due
	err = s.change(ctx, func(ctx context.Context, c *pgxpool.Conn) (err error) {
		got, err = s.lease(ctx, c, node, after, n)
		return err
	})
	if errors.Is(err, errUnknown) {
		s.unsure.addLeases(column(got, func(d *due) jobs.Lease { return d.Lease }))
	}
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	// RETURNING promises no order.
	slices.SortFunc(got, func(a, b due) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.Lease.Job, b.Lease.Job)) })
	var out []jobs.Job
	for _, j := range got {
		out = append(out, j.Job)
	}
	s.foresee(ctx, out)
	return out, nil
}

// lease leases jobs; two nodes that lease of one order at once make one of them
// begin again.
func (s *Store) lease(ctx context.Context, c *pgxpool.Conn, node string, after int64, n int) ([]due, error) {
	rows, err := c.Query(ctx, leaseJobs, s.at(), node, after, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var got []due
	err = each(rows, func() error {
		j := due{Job: jobs.Job{Lease: jobs.Lease{Node: node}}}
		err := rows.Scan(&j.at, &j.Lease.Job, &j.Lease.N, (*string)(&j.Kind), &j.Subject)
		got = append(got, j)
		return err
	})
	if hasCode(err, "23505") {
		err = errRace
	}
	return got, err
}

// freeUnsure gives back what may have been leased without anybody knowing.
func (s *Store) freeUnsure(ctx context.Context) error {
	list, written := s.unsure.take()
	var err error
	if len(list) > 0 {
		if _, err = s.exec(ctx, freeLeases, bindLeases(list)...); err != nil {
			s.unsure.addLeases(list)
		}
	}
	if len(written) > 0 {
		if failed := s.freeBorn(ctx, written); failed != nil {
			s.unsure.add(written...)
			err = errors.Join(err, failed)
		}
	}
	return err
}

// freeBorn gives back jobs that were leased as they were written, when the
// transactions that wrote them have ended, or can no longer be carried out.
func (s *Store) freeBorn(ctx context.Context, written []born) error {
	ended := make(map[mark]bool)
	for _, b := range written {
		if !ended[b.mark] {
			if _, err := s.exec(ctx, endMark, b.mark.writer, b.mark.last); err != nil {
				return err
			}
		}
		ended[b.mark] = true
	}
	_, err := s.exec(ctx, freeWritten, column(written, func(b *born) string { return b.node }), column(written, func(b *born) string { return b.subject }))
	return err
}

// Postpone gives a leased job back.
func (s *Store) Postpone(ctx context.Context, l jobs.Lease, d time.Duration) error {
	n, err := s.exec(ctx, postponeJob, s.at(), d.Microseconds(), l.Job, l.Node, l.N)
	if err != nil {
		return fmt.Errorf("postpone: %w", err)
	}
	if n == 0 {
		return jobs.ErrLeaseLost
	}
	return nil
}

// NextDue says when the earliest job that could be leased is due. One that
// stands behind another of its order is not looked at: it is that one's end that
// brings it up.
func (s *Store) NextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error {
			var micros int64
			err := rows.Scan(&micros)
			at, ok = store.Time(micros), true
			return err
		})
	}, selectNextDue)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the next due time: %w", err)
	}
	return at, ok, nil
}

// Depth counts the jobs that nobody has: those that are due, and those whose time
// has not come. The index on due times holds nothing else.
func (s *Store) Depth(ctx context.Context) (ready, waiting int64, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error { return rows.Scan(&waiting, &ready) })
	}, selectDepth, s.at())
	if err != nil {
		return 0, 0, fmt.Errorf("count the jobs: %w", err)
	}
	return ready, waiting - ready, nil
}
