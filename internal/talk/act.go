package talk

import (
	"context"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/script"
)

// say says one part; see during.
func (r *run) say(ctx context.Context, p script.Part, wanted func(byte) bool) (byte, error) {
	return r.during(ctx, func(ctx context.Context) error { return r.c.Line.Say(ctx, p) }, wanted)
}

func (r *run) quiet(ctx context.Context) error { return r.c.Line.Quiet(ctx, helloLongest) }

// during runs one act of the line to its end. The first key that is wanted
// breaks in: it ends the act and is returned. Other keys are dropped; a nil
// wanted drops all. Without a key the answer is 0.
//
// When ctx ended, the error is ctx's cause, so that a cap, a gate's limit and a
// cancellation are told apart.
func (r *run) during(ctx context.Context, act func(context.Context) error, wanted func(byte) bool) (byte, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- act(inner) }()
	for {
		select {
		case err := <-done:
			return 0, ended(ctx, err)
		case k := <-r.c.Line.Keys():
			if wanted == nil || !wanted(k) {
				continue
			}
			stop()
			if err := <-done; errors.Is(err, ErrHungUp) {
				return 0, err
			}
			return k, nil
		}
	}
}

// ended is why an act ended: its own error, or the cause where ctx was the
// reason.
func ended(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ErrHungUp) || ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// key waits for one key that is wanted; a nil wanted wants all. Without a key
// within wait the answer is 0.
func (r *run) key(ctx context.Context, wait time.Duration, wanted func(byte) bool) (byte, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case k := <-r.c.Line.Keys():
			if wanted == nil || wanted(k) {
				return k, nil
			}
		case <-timer.C:
			return 0, nil
		case <-r.c.Line.Gone():
			return 0, ErrHungUp
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// dropKeys drops what was pressed until now.
func (r *run) dropKeys() {
	for {
		select {
		case <-r.c.Line.Keys():
		default:
			return
		}
	}
}
