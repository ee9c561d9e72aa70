package verify

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// sweepBatch is how many overdue verifications are ended at a time.
const sweepBatch = 256

// Sweep writes down the expiry of verifications whose time is up, which erases
// their secrets and hangs up their calls. It says how many there were.
func (c *Core) Sweep(ctx context.Context) (int, error) {
	due, err := c.cfg.Store.Overdue(ctx, sweepBatch)
	if err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	// Together, so that they share a transaction.
	var g errgroup.Group
	for _, o := range due {
		g.Go(func() error { return c.expire(ctx, o) })
	}
	if err := g.Wait(); err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	return len(due), nil
}

func (c *Core) expire(ctx context.Context, o Overdue) error {
	var did Writes
	op := Op{
		Need: Need{Account: o.Account, Verification: o.ID, Limits: []string{accountKey(o.Account)}},
		Plan: func(s State) (Writes, error) {
			d := c.draft(s, o.Account)
			if v := s.Verification; v != nil && v.expired(s.Now) {
				d.end(Group{*v, s.Attempts}, Expired, ReasonExpired)
			}
			did = d.writes()
			return did, nil
		},
	}
	if err := c.cfg.Store.Do(ctx, op); err != nil {
		return err
	}
	c.tell(did)
	return nil
}
