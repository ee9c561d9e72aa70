package postgres

import (
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
)

// insertJobs leases to the node $2 those of its jobs that may be ($7): where nothing
// of their order is there, and the node is alive. What it asks of the order is asked
// for each by itself (a scalar subquery is never made into a scan of the table).
const insertJobs = `INSERT INTO jobs (kind, subject, order_key, due_at, node, leases)
	SELECT kind, subject, order_key, due_at, node, 0 FROM (
		SELECT kind, subject, order_key, due_at, CASE WHEN may
			AND (SELECT alive_until >= ` + now + ` FROM nodes WHERE id = $2::text)
			AND (order_key IS NULL OR (SELECT o.id FROM jobs AS o WHERE o.order_key = w.order_key LIMIT 1) IS NULL)
			THEN $2::text END AS node
		FROM (SELECT unnest($3::text[]) AS kind, unnest($4::text[]) AS subject, unnest($5::bytea[]) AS order_key,
			unnest($6::bigint[]) AS due_at, unnest($7::bool[]) AS may) AS w
		OFFSET 0) AS new
	RETURNING id, kind, subject, node IS NOT NULL`

// taker is who takes jobs as they are written, if anybody. Safe for concurrent use.
type taker struct {
	mu sync.Mutex
	t  jobs.Taker
}

// Offer has jobs leased as they are written.
func (s *Store) Offer(t jobs.Taker) {
	s.taker.mu.Lock()
	defer s.taker.mu.Unlock()
	s.taker.t = t
}

func (t *taker) get() jobs.Taker {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.t
}

// handover is a group's jobs on their way to the taker. Its places are given back
// by end, whatever becomes of the group.
type handover struct {
	taker  jobs.Taker // nil: none was asked
	node   string
	places int
	may    []bool     // of the new jobs: it may be leased
	leased []jobs.Job // by the group's statement
	// What the group's transaction is known by, and that its answer was lost.
	mark       mark
	unanswered bool
}

// reserve keeps places for jobs that are due, of each order for the first.
func (s *Store) reserve(o overlay, h *handover) {
	h.may = make([]bool, len(o.NewJobs))
	t, n := s.taker.get(), 0
	if t == nil {
		return
	}
	orders := make(map[string]bool)
	for i, j := range o.NewJobs {
		if len(j.Order) > 0 && orders[string(j.Order)] {
			continue
		}
		orders[string(j.Order)] = true
		if store.Micros(j.Due) <= o.Now {
			h.may[i] = true
			n++
		}
	}
	if n == 0 {
		return
	}
	h.taker = t
	h.node, h.places = t.Reserve(n)
	for i, left := 0, h.places; i < len(h.may); i++ {
		if h.may[i] {
			h.may[i] = left > 0
			left--
		}
	}
}

// insert queues the new jobs.
func (h *handover) insert(b *pgx.Batch, at *int64, rows []jobs.New) {
	type J = jobs.New
	b.Queue(insertJobs, at, h.node, texts(rows, func(j *J) string { return string(j.Kind) }),
		texts(rows, func(j *J) string { return j.Subject }), blobs(rows, func(j *J) []byte { return j.Order }),
		column(rows, func(j *J) int64 { return store.Micros(j.Due) }), h.may).Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			j, leased := jobs.Job{Lease: jobs.Lease{Node: h.node}}, false
			err := rows.Scan(&j.Lease.Job, (*string)(&j.Kind), &j.Subject, &leased)
			if leased {
				h.leased = append(h.leased, j)
			}
			return err
		})
	})
}

// hand gives the taker what was leased by a group that has ended with err. Where
// its end is not known, or its answer was lost, nobody works on what may have been
// leased: it is given back.
func (s *Store) hand(o overlay, h *handover, err error) {
	if h.taker == nil {
		return
	}
	switch {
	case judge(err, false) != none && !isUnknown(err):
		h.leased = nil
	case err != nil || h.unanswered:
		h.leased = nil
		for i, may := range h.may {
			if may {
				s.unsure.add(born{h.node, o.NewJobs[i].Subject, h.mark})
			}
		}
	}
	for _, j := range h.leased {
		s.recent.add(o, j)
	}
	h.taker.Take(h.leased, h.places-len(h.leased))
}
