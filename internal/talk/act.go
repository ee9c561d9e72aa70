package talk

import (
	"context"
	"errors"
	"time"
)

// say says one part; see during. Where the line can begin to play and return,
// no goroutine waits for each part: a call then has one, and not two.
func (r *run) say(ctx context.Context, p handle, wanted func(byte) bool) (byte, error) {
	if l, ok := r.c.Line.(*line); ok && l.beginner != nil {
		return r.hear(ctx, l, p, wanted)
	}
	return r.during(ctx, func(ctx context.Context) error { return r.c.Line.Say(ctx, p.Value()) }, wanted)
}

// hear is during for a part that was begun on a line.
func (r *run) hear(ctx context.Context, l *line, p handle, wanted func(byte) bool) (byte, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	playing, err := l.begin(ctx, p)
	if err != nil || playing == nil {
		return 0, ended(ctx, err)
	}
	for {
		select {
		case <-playing.Done():
			return 0, ended(ctx, l.told(playing.End()))
		case <-l.Gone():
			return 0, ended(ctx, l.told(playing.End()))
		case <-ctx.Done():
			_ = playing.End() // ctx is why
			return 0, ended(ctx, l.told(ctx.Err()))
		case k := <-l.Keys():
			if wanted == nil || !wanted(k) {
				continue
			}
			if err := l.told(playing.End()); errors.Is(err, ErrHungUp) {
				return 0, err
			}
			return k, nil
		}
	}
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
