package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/verify"
)

// following is a placed attempt, and the news that it must stop.
type following struct {
	carrier carrier.Carrier
	ref     carrier.Ref
	stopped <-chan struct{}
}

// follow records what the carrier reports until the attempt has ended, and
// hangs up when the core says so.
func (w *Worker) follow(ctx context.Context, d verify.Delivery, f following) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-f.stopped:
			w.hangup(ctx, d, f.carrier, f.ref)
		case <-done:
		}
	}()
	watch := stopwatch{placed: time.Now()}
	e, err := f.carrier.Follow(ctx, f.ref, func(e carrier.Event) {
		switch e.Kind {
		case carrier.Ringing:
			watch.ring()
		case carrier.Answered:
			watch.answer()
		}
		if errors.Is(w.progress(ctx, d, e), jobs.ErrLeaseLost) { // nobody could stop the call any more
			w.hangup(ctx, d, f.carrier, f.ref)
		}
	})
	if err != nil {
		// The process stops, or the lease is lost: whoever holds the job next
		// goes on with it.
		return
	}
	if w.cfg.Observe.Called != nil && d.Attempt.Channel == phone.Voice {
		w.cfg.Observe.Called(watch.stop())
	}
	w.settle(ctx, d, e)
}

// progress records an event, and passes on that the call must stop.
func (w *Worker) progress(ctx context.Context, d verify.Delivery, e carrier.Event) error {
	if e.Kind == carrier.Reading {
		return nil
	}
	stop, err := w.cfg.Core.Progress(ctx, d, e)
	switch {
	case errors.Is(err, jobs.ErrLeaseLost):
	case err != nil:
		w.cfg.Log.Error("progress cannot be recorded", "attempt", d.Attempt.ID, "event", e.Kind, "error", err)
	case stop != "":
		w.wake.Stop(d.Attempt.ID)
	}
	return err
}

// hangup ends a call, where the carrier can do that.
func (w *Worker) hangup(ctx context.Context, d verify.Delivery, c carrier.Carrier, ref carrier.Ref) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangTimeout)
	defer cancel()
	if err := c.Hangup(ctx, ref); err != nil && !errors.Is(err, carrier.ErrCannot) {
		w.cfg.Log.Warn("a call cannot be hung up", "attempt", d.Attempt.ID, "error", err)
	}
}

// settle has the core record the ending, and writes the attempt's one log line.
func (w *Worker) settle(ctx context.Context, d verify.Delivery, e outcome.Ending) {
	err := w.persist(ctx, func(ctx context.Context) error { return w.cfg.Core.Settle(ctx, d, e) })
	if errors.Is(err, jobs.ErrLeaseLost) && e.Outcome == outcome.Reported {
		err = w.persist(ctx, func(ctx context.Context) error { return w.cfg.Core.Block(ctx, d) })
	}
	if errors.Is(err, jobs.ErrLeaseLost) {
		return
	}
	if err != nil {
		w.cfg.Log.Error("an attempt cannot be settled", "attempt", d.Attempt.ID, "error", err)
		return
	}
	w.cfg.Observe.ended(d, e)
	w.cfg.Log.Info("attempt ended", "attempt", d.Attempt.ID, "verification", d.Verification.ID,
		"channel", d.Attempt.Channel, "route", d.Attempt.Route, "country", d.Verification.Country,
		"outcome", e.Outcome, "reason", e.Reason, "fault", e.Fault, "may_have_rung", e.MayHaveRung, "detail", e.Detail)
}

// persist carries out a write that must not be lost: also while the process
// stops, and again and again until it is done, the lease is lost, or the process
// must end.
func (w *Worker) persist(ctx context.Context, write func(context.Context) error) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := write(context.WithoutCancel(ctx))
		if err == nil || errors.Is(err, jobs.ErrLeaseLost) || errors.Is(err, verify.ErrGone) {
			return err
		}
		w.cfg.Log.Error("a write failed and will be tried again", "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// route finds the route of an attempt that was begun.
func (w *Worker) route(d verify.Delivery) (carrier.Route, bool) {
	return w.cfg.Core.Route(d.Attempt.Route)
}
