package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/verify"
)

// following is a placed attempt that is only followed from now on. It is as much
// as is kept of a call in progress, with a goroutine that stays small.
type following struct {
	d       *verify.Delivery
	carrier carrier.Carrier
	ref     carrier.Ref
	stopped context.Context // ends when the attempt must stop
	unwatch func()
	unpark  func() // nil: it keeps its place
	watch   stopwatch
	notes   notes
}

// follow records what the carrier reports until the attempt has ended, and
// hangs up when the core says so.
func (w *Worker) follow(ctx context.Context, f *following) {
	if f.unpark != nil {
		defer f.unpark()
	}
	defer f.unwatch()
	defer context.AfterFunc(f.stopped, func() { w.hangup(ctx, f.d, f.carrier, f.ref) })()
	f.watch.placed = time.Now()
	f.notes.d = f.d
	f.notes.write = func(d verify.Delivery, events []carrier.Event) error { return w.record(ctx, f, d, events) }
	f.notes.begin()
	e, err := w.hearOf(ctx, f, f.happened)
	last := f.notes.close()
	if err != nil {
		// The process stops, or the lease is lost: whoever holds the job next
		// goes on with it.
		return
	}
	if w.cfg.Observe.Called != nil && f.d.Attempt.Channel == phone.Voice {
		w.cfg.Observe.Called(f.watch.stop())
	}
	w.settle(ctx, f.d, e, last...)
}

// happened takes an event of the carrier. It does nothing that takes a while, or
// much of a stack.
func (f *following) happened(e carrier.Event) {
	switch e.Kind {
	case carrier.Ringing:
		f.watch.ring()
	case carrier.Answered:
		f.watch.answer()
	case carrier.Reading: // which is not recorded
		return
	}
	f.notes.add(e)
}

// hangup ends a call, where the carrier can do that.
func (w *Worker) hangup(ctx context.Context, d *verify.Delivery, c carrier.Carrier, ref carrier.Ref) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangTimeout)
	defer cancel()
	if err := c.Hangup(ctx, ref); err != nil && !errors.Is(err, carrier.ErrCannot) {
		w.cfg.Log.Warn("a call cannot be hung up", "attempt", d.Attempt.ID, "error", err)
	}
}

// settle has the core record the ending, with what came last before it, and writes
// the attempt's one log line.
func (w *Worker) settle(ctx context.Context, d *verify.Delivery, e outcome.Ending, last ...carrier.Event) {
	err := w.persist(ctx, func(ctx context.Context) error { return w.cfg.Core.Settle(ctx, *d, e, last...) })
	if errors.Is(err, jobs.ErrLeaseLost) && e.Outcome == outcome.Reported {
		err = w.persist(ctx, func(ctx context.Context) error { return w.cfg.Core.Block(ctx, *d) })
	}
	if errors.Is(err, jobs.ErrLeaseLost) {
		return
	}
	if err != nil {
		w.cfg.Log.Error("an attempt cannot be settled", "attempt", d.Attempt.ID, "error", err)
		return
	}
	w.cfg.Observe.ended(*d, e)
	w.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "attempt ended", slog.String("attempt", d.Attempt.ID), slog.String("verification", d.Verification.ID),
		slog.String("channel", string(d.Attempt.Channel)), slog.String("route", d.Attempt.Route), slog.String("country", d.Verification.Country),
		slog.String("outcome", string(e.Outcome)), slog.String("reason", e.Reason), slog.String("fault", string(e.Fault)),
		slog.Bool("may_have_rung", e.MayHaveRung), slog.String("detail", e.Detail))
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
func (w *Worker) route(d *verify.Delivery) (carrier.Route, bool) {
	return w.cfg.Core.Route(d.Attempt.Route)
}
