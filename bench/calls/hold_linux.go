//go:build amd64 || arm64

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What a stream must keep: at most one packet of a hundred later than the first,
// none later than the second.
const (
	limitP99 = 5.0  // ms
	limitMax = 20.0 // ms
	// settle is left out after the last call was answered: set-up is another
	// figure.
	settle = time.Second
	margin = 300 * time.Millisecond
	probe  = 8 * time.Second // that a search holds its calls, beside their set-up
)

// result is one plan's figures, of the time in which all its calls were up.
type result struct {
	calls   int
	cores   float64
	late    late
	setting late    // the same while calls were being set up
	kB      float64 // RSS above idle, a call
	setups  float64 // a second, from the first INVITE to the last ACK
	cpuEach float64 // CPU seconds a call, from its start to its end
	heard   heard
	window  time.Duration
}

func (r result) perCore() float64 { return float64(r.calls) / max(r.cores, 1e-9) }

func (r result) passes() bool {
	return r.calls > 0 && r.late.P99 < limitP99 && r.late.Over20 == 0 && r.late.Missing == 0 && r.late.Streams == r.calls
}

func heading() {
	fmt.Printf("%6s %6s %10s %7s %7s %7s %7s %8s %9s %8s %8s %9s %9s  %s\n", "calls", "cores", "calls/core", "p50 ms", "p99 ms", "max ms",
		">20 ms", "missing", "setup p99", "kB/call", "setups/s", "CPU s/call", "heard", "verdict")
}

func (r result) print() {
	verdict := "PASS"
	if !r.passes() {
		verdict = "FAIL"
	}
	fmt.Printf("%6d %6.2f %10.0f %7.2f %7.2f %7.2f %7d %8d %9.2f %8.1f %8.0f %10.4f %9d  %s\n", r.calls, r.cores, r.perCore(), r.late.P50, r.late.P99,
		r.late.Max, r.late.Over20, r.late.Missing, r.setting.P99, r.kB, r.setups, r.cpuEach, r.heard.received, verdict)
	if r.late.Spoken > 0 {
		fmt.Printf("       the called side sent %d packets: the server received %d and missed %d by their sequence numbers\n",
			r.late.Spoken, r.heard.received, r.heard.lost)
	}
	if r.late.Dropped > 0 {
		fmt.Printf("       the sink itself dropped %d packets: they count as missing\n", r.late.Dropped)
	}
}

// hold sets up n calls, holds them, and measures.
func (b *bench) hold(ctx context.Context, set settings) (r result, err error) {
	o := order{Op: "plan", Calls: set.n, Hold: set.hold, Return: set.returns, InBand: set.keyed, Record: true}
	if _, err := b.ask(o); err != nil {
		return r, err
	}
	acc := accounting{logged: b.server.logged()}
	if acc.began, err = b.server.use(); err != nil {
		return r, err
	}
	st, err := b.setUp(ctx, set, acc.logged)
	if err != nil {
		return r, err
	}
	r.calls = set.n
	r.setups = float64(set.n) / (float64(st.LastACK-st.FirstInvite) / 1e9)
	acc.from = time.Unix(0, st.LastACK).Add(settle)
	acc.to = time.Unix(0, st.FirstACK).Add(set.hold - margin)
	if acc.to.Sub(acc.from) < time.Second {
		return r, b.incomplete(ctx, set, acc.logged)
	}
	if err := b.window(&r, acc.from, acc.to); err != nil {
		return r, err
	}
	if st, err = b.until(ctx, "the calls did not end", func(s state) bool { return s.Ended == set.n }); err != nil {
		return r, err
	}
	time.Sleep(margin) // the log's last lines
	return r, b.account(&r, st, acc)
}

// setUp starts the calls and returns when all are up.
func (b *bench) setUp(ctx context.Context, set settings, logged int64) (state, error) {
	s := b.starter.start(ctx, set.n, set.rate)
	if s.failed > 0 {
		return state{}, fmt.Errorf("%d of %d starts failed: %w", s.failed, set.n, s.first)
	}
	st, err := b.until(ctx, fmt.Sprintf("%d calls are not up", set.n), func(s state) bool { return s.Answered == set.n || s.Ended > 0 })
	if err == nil && st.Ended > 0 {
		err = b.incomplete(ctx, set, logged)
	}
	return st, err
}

// incomplete says why not all calls were up at a time, after they have ended.
func (b *bench) incomplete(ctx context.Context, set settings, logged int64) error {
	st, err := b.until(ctx, "the calls did not end", func(s state) bool { return s.Ended == s.Invited })
	if err != nil {
		return err
	}
	h, err := b.server.heard(logged)
	switch {
	case err != nil:
		return err
	case h.noRoom > 0:
		return fmt.Errorf("the server refused %d of %d calls: those in progress ran late", h.noRoom, set.n)
	case st.Answered < set.n:
		return fmt.Errorf("%d of %d calls were answered", st.Answered, set.n)
	}
	return errors.New("calls ended before all were up: make DURATION longer (a message lasts about 30 s) or RATE higher")
}

// window measures the server between two moments.
func (b *bench) window(r *result, from, to time.Time) error {
	time.Sleep(time.Until(from))
	r.window = time.Until(to)
	first, err := b.server.use()
	if err != nil {
		return err
	}
	time.Sleep(time.Until(to))
	last, err := b.server.use()
	if err != nil {
		return err
	}
	r.cores = (last.cpu - first.cpu) / r.window.Seconds()
	r.kB = (last.kB - b.idle.kB) / float64(r.calls)
	return nil
}

type accounting struct {
	from, to time.Time
	began    use
	logged   int64
}

// account asks the sink and the server's log what became of the calls.
func (b *bench) account(r *result, st state, acc accounting) error {
	if st.Early > 0 {
		return fmt.Errorf("the server hung up %d calls before DURATION: a message lasts about 30 s", st.Early)
	}
	ended, err := b.server.use()
	if err != nil {
		return err
	}
	r.cpuEach = (ended.cpu - acc.began.cpu) / float64(r.calls)
	a, err := b.ask(order{Op: "late", From: acc.from.UnixNano(), To: acc.to.UnixNano()})
	if err != nil {
		return err
	}
	r.late = a.Late
	if a, err = b.ask(order{Op: "late", From: st.FirstInvite, To: acc.from.UnixNano()}); err != nil {
		return err
	}
	r.setting = a.Late
	r.heard, err = b.server.heard(acc.logged)
	return err
}

// search doubles the number of calls until it is too many, and then halves the
// difference until that is a tenth.
func (b *bench) search(ctx context.Context, set settings) (best result, err error) {
	good, bad := 0, 0
	for bad == 0 || bad-good > max(good/10, 50) {
		n := 2 * good
		switch {
		case bad > 0:
			n = (good + bad) / 2
		case good == 0:
			n = set.n
		}
		set.n, set.hold = n, probe+time.Duration(n)*time.Second/time.Duration(set.rate)*3/2
		r, err := b.hold(ctx, set)
		if err != nil {
			fmt.Printf("%6d %v\n", n, err)
			if ctx.Err() != nil {
				return best, err
			}
			time.Sleep(5 * time.Second)
		} else {
			r.print()
		}
		if err == nil && r.passes() {
			good, best = n, r
		} else if bad = n; good == 0 && n < 100 {
			return best, fmt.Errorf("%d calls are too many already", n)
		}
	}
	return best, nil
}
