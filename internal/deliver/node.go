package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/jobs"
)

// join takes a new node id.
func (w *Worker) join(ctx context.Context) error {
	asked := time.Now()
	node, err := w.cfg.Queue.Join(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.node, w.until = node, asked.Add(jobs.HeartbeatTTL)
	return nil
}

// beat renews the heartbeat. When that is too late, the node's jobs belong to
// others, and the process goes on under a new id.
func (w *Worker) beat(ctx context.Context) {
	asked := time.Now()
	err := w.cfg.Queue.Beat(ctx, w.name())
	switch {
	case err == nil:
		w.mu.Lock()
		w.until = asked.Add(jobs.HeartbeatTTL)
		w.mu.Unlock()
	case errors.Is(err, jobs.ErrNodeExpired):
		w.cfg.Log.Warn("the heartbeat came too late: going on as a new node")
		if err := w.join(ctx); err != nil {
			w.cfg.Log.Error("the nodes cannot be joined", "error", err)
		}
	case ctx.Err() == nil:
		w.cfg.Log.Error("the heartbeat cannot be renewed", "error", err)
	}
}

// fresh says, by the process's own monotonic clock, that the heartbeat holds
// for long enough to place a call.
func (w *Worker) fresh() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Until(w.until) > spare
}

// reap frees what dead nodes held.
func (w *Worker) reap(ctx context.Context) {
	n, err := w.cfg.Queue.Reap(ctx)
	if err != nil && ctx.Err() == nil {
		w.cfg.Log.Error("jobs of lost nodes cannot be freed", "error", err)
	}
	if n > 0 {
		w.cfg.Log.Warn("jobs of a lost node were freed", "jobs", n)
		w.wake.Wake()
	}
}

// stops looks up which calls in progress must end, for what another process
// decided.
func (w *Worker) stops(ctx context.Context) {
	w.mu.Lock()
	ids := make([]string, 0, len(w.active))
	for _, subject := range w.active {
		ids = append(ids, subject)
	}
	w.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	stop, err := w.cfg.Core.Stops(ctx, ids)
	if err != nil && ctx.Err() == nil {
		w.cfg.Log.Error("stops cannot be read", "error", err)
	}
	for id := range stop {
		w.wake.Stop(id)
	}
}

// hangupAll ends every call in progress, and those that are being placed as soon
// as they are.
func (w *Worker) hangupAll() {
	w.hangingUp.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, subject := range w.active {
		w.wake.Stop(subject)
	}
}

// sweep writes down what has expired.
func (w *Worker) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := w.cfg.Core.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			w.cfg.Log.Error("expired verifications cannot be swept", "error", err)
		}
		if n == 0 || err != nil {
			return
		}
	}
}

// forget drops what is past its time.
func (w *Worker) forget(ctx context.Context) {
	if err := w.cfg.Core.Forget(ctx); err != nil && ctx.Err() == nil {
		w.cfg.Log.Error("old rows cannot be dropped", "error", err)
	}
}
