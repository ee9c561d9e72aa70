package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	selectNodes = `SELECT id, alive_until >= ` + now + ` FROM nodes`
	// Whatever is held by a node that is not there, too: it may have leased a job in
	// the moment in which another declared it dead. A row that is being written is
	// freed the next time. The dead are named, not the living: a job that one who has
	// just joined took meanwhile is his. (Who they are is asked once, and the jobs are
	// an array, so that no plan of when there were none looks at all of them for each.)
	// The nodes' rows stay until nothing is left to free.
	reap = `WITH held AS (SELECT id FROM jobs WHERE node = ANY (ARRAY(
				SELECT node FROM jobs WHERE node IS NOT NULL EXCEPT SELECT id FROM nodes WHERE alive_until >= ` + now + `))
			ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED),
		gone AS (DELETE FROM nodes WHERE alive_until < ` + now + ` AND (SELECT count(*) FROM held) < $2)
		UPDATE jobs SET node = NULL WHERE id = ANY (ARRAY(SELECT id FROM held))`
)

// reapBatch is how many jobs are freed by one statement: there may be more than can be
// freed in the time of one.
const reapBatch = 5000

// Reap frees the jobs of expired nodes and deletes their rows. The jobs are looked at
// when a node was lost, and now and then. (What was remembered for this node's own
// jobs is looked through here, too: who has any does this all the time.)
func (s *Store) Reap(ctx context.Context) (int, error) {
	s.recent.sweep()
	var alive map[string]bool
	err := s.query(ctx, func(rows pgx.Rows) error {
		alive = make(map[string]bool)
		return each(rows, func() error {
			var id string
			var lives bool
			err := rows.Scan(&id, &lives)
			alive[id] = lives
			return err
		})
	}, selectNodes, s.at())
	if err != nil {
		return 0, fmt.Errorf("look for lost nodes: %w", err)
	}
	if !s.census.lost(alive) {
		return 0, nil
	}
	freed := 0
	for more := true; more; {
		n, err := s.exec(ctx, reap, s.at(), reapBatch)
		freed += int(n)
		if err != nil {
			return freed, fmt.Errorf("free the jobs of lost nodes: %w", err)
		}
		more = n == reapBatch
	}
	s.census.looked()
	return freed, nil
}

// When the jobs are looked at: for so long after a node was lost, of which leases may
// still be on their way, and then from time to time.
const (
	lookFor   = groupTimeout + 5*time.Second
	lookEvery = 2 * time.Second
)

// census remembers the nodes that there were. Safe for concurrent use; the zero value
// has seen none.
type census struct {
	mu    sync.Mutex
	alive map[string]bool // that is false of those that have expired
	until time.Time       // until then the jobs are looked at every time
	last  time.Time       // when they were looked at
}

// lost takes over which nodes there are, and says whether one may be lost that has
// jobs.
func (c *census) lost(alive map[string]bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for id, lived := range c.alive {
		if lived && !alive[id] {
			c.until = now.Add(lookFor)
		}
	}
	for _, lives := range alive {
		if !lives {
			c.until = now.Add(lookFor)
		}
	}
	c.alive = alive
	return now.Before(c.until) || now.Sub(c.last) >= lookEvery
}

// looked notes that the jobs were looked at.
func (c *census) looked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
}
