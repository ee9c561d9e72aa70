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
	e, err := c.book.Follow(ctx, ref, report)
	if err != nil {
		return e, fmt.Errorf("trunk: follow: %w", err)
	}
	return e, nil
}

// Hangup ends the call: one in progress after a short phrase, a ringing one at
// once. It returns at once and never fails.
func (c *Carrier) Hangup(_ context.Context, ref carrier.Ref) error {
	if now, ok := c.book.Find(ref); ok {
		now.cancel(errHangup)
	}
	return nil
}
