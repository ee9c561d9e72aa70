package deliver

import (
	"context"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
)

// hearOf follows an attempt with its carrier, which is asked at once when it hints
// that it has news.
func (w *Worker) hearOf(ctx context.Context, f *following, report func(carrier.Event)) (outcome.Ending, error) {
	c, ok := f.carrier.(carrier.Hinted)
	if !ok {
		return f.carrier.Follow(ctx, f.ref, report)
	}
	hints, done := w.wake.Heed(f.d.Attempt.ID)
	defer done()
	return c.FollowHinted(ctx, f.ref, hints, report)
}

// hints passes on the hints that came to other processes, or came to this one
// before the attempt was followed.
func (w *Worker) hints(ctx context.Context) {
	if w.InProgress() == 0 {
		return
	}
	hinted, err := w.cfg.Queue.Hinted(ctx, w.name())
	if err != nil && ctx.Err() == nil {
		w.cfg.Log.Error("hints of carriers cannot be read", "error", err)
	}
	for _, attempt := range hinted {
		w.wake.Hint(attempt)
	}
}
