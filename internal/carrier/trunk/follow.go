package trunk

import (
	"context"
	"fmt"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
)

// Follow reports what happened to a call and what happens until it ends. It may
// begin late: events are kept. A call is followed by one at a time; after its
// ending was given it is forgotten. What is not known is said to have failed, and
// may have rung.
func (c *Carrier) Follow(ctx context.Context, ref carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
	c.mu.Lock()
	now := c.calls[ref]
	if now == nil || now.followed {
		c.mu.Unlock()
		return outcome.Ending{
			Outcome: outcome.CarrierFailed, Reason: "the trunk does not know this call",
			MayHaveRung: true, Fault: outcome.FaultOurs,
		}, nil
	}
	now.followed = true
	c.mu.Unlock()
	for {
		events, end := c.unseen(now)
		for _, e := range events {
			report(e)
		}
		if end != nil {
			return *end, nil
		}
		select {
		case <-now.news:
		case <-ctx.Done():
			c.mu.Lock()
			now.followed = false
			c.mu.Unlock()
			return outcome.Ending{}, fmt.Errorf("trunk: follow: %w", ctx.Err())
		}
	}
}

// unseen takes the events that were not reported, and the ending if they were
// the last; the call is then forgotten.
func (c *Carrier) unseen(now *call) ([]carrier.Event, *outcome.Ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	events := now.events
	now.events = nil
	if now.end == nil {
		return events, nil
	}
	c.forget(now)
	return events, now.end
}

// Hangup ends the call: one in progress after a short phrase, a ringing one at
// once. It returns at once and never fails.
func (c *Carrier) Hangup(_ context.Context, ref carrier.Ref) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.calls[ref]; now != nil {
		now.cancel(errHangup)
	}
	return nil
}
