// Package deliver makes phones ring: it takes jobs, chooses a route, composes
// the message, places the call, follows it, and has the core settle how it
// ended. It knows the contract of carriers and no adapter.
//
// The order of its steps is what keeps a phone from ringing twice: "dialling"
// is durable before anything leaves; the reference of a carrier that can be asked
// later is durable before the call is followed, that of a line of our own with the
// first that is heard of it; and a node that cannot renew its heartbeat places
// nothing.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

// Timing of the loops. Polling is the truth; signals only save waiting.
const (
	pollEvery   = time.Second
	blockedWait = 100 * time.Millisecond
	// Between looks for jobs that found none, when something happens all the time.
	shortestPause = 2 * time.Millisecond
	longestPause  = 64 * time.Millisecond
	sweepEvery    = time.Second
	forgetEvery   = time.Minute
	// spare is what must be left of the heartbeat's validity when a call is
	// placed.
	spare = 2 * time.Second
	// hangupWait is how long calls get to end after they were hung up.
	hangupWait = 5 * time.Second
)

// Config of a Worker.
type Config struct {
	Core  *verify.Core // required
	Queue jobs.Queue   // required
	Slots int          // calls in progress at a time; 5000
	// OwnOnly takes only work that is promised after Start, and leaves what
	// another process has left behind: for a command that makes one call.
	OwnOnly bool
	// Shared says that other nodes work off the same queue: what this one cannot
	// do, another may.
	Shared bool
	// Elsewhere are the names of the routes on which this node does not place:
	// other nodes do.
	Elsewhere []string
	// StopAfter is how long calls in progress may go on when the process stops,
	// before they are hung up; 3 s.
	StopAfter time.Duration
	// Observe is told of attempts.
	Observe Observer
	Rand    io.Reader    // screen digits; crypto/rand
	Log     *slog.Logger // slog.Default()
}

// Worker works off the queue of one node.
type Worker struct {
	cfg  Config
	wake *verify.Signal

	mu     sync.Mutex
	node   string
	until  time.Time             // by the monotonic clock: the heartbeat surely holds
	active map[jobs.Lease]string // the subject of each job being worked on
	parked int                   // of them, messages that have left and are only followed
	kept   int                   // places kept for what is being written: see Reserve
	after  int64                 // only jobs with a greater number are taken

	running   sync.WaitGroup // attempts
	crew      *crew
	loops     sync.WaitGroup
	stopping  atomic.Bool        // nothing more is taken or placed
	hangingUp atomic.Bool        // what is placed all the same is hung up
	cancel    context.CancelFunc // ends the loops
	drop      context.CancelFunc // ends the attempts' contexts
	attempts  context.Context
}

// New makes a Worker.
func New(cfg Config) (*Worker, error) {
	if cfg.Core == nil || cfg.Queue == nil {
		return nil, errors.New("deliver: Config.Core and Queue are required")
	}
	if cfg.Slots == 0 {
		cfg.Slots = 5000
	}
	if cfg.StopAfter == 0 {
		cfg.StopAfter = 3 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Worker{cfg: cfg, wake: cfg.Core.Signal(), active: make(map[jobs.Lease]string), crew: newCrew()}, nil
}

// Start joins the nodes and begins to work. Stop must follow.
func (w *Worker) Start(ctx context.Context) error {
	if err := w.join(ctx); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	if w.cfg.OwnOnly {
		var err error
		if w.after, err = w.cfg.Queue.Newest(ctx); err != nil {
			return fmt.Errorf("deliver: %w", err)
		}
	}
	loop, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	w.attempts, w.drop = context.WithCancel(context.WithoutCancel(ctx))
	w.cfg.Queue.Offer(w)
	w.loops.Go(func() { w.lease(loop) })
	w.loops.Go(func() { every(loop, jobs.HeartbeatEvery, w.beat) })
	w.loops.Go(func() { every(loop, jobs.ReapEvery, w.reap) })
	w.loops.Go(func() { every(loop, pollEvery, w.stops) })
	w.loops.Go(func() { every(loop, pollEvery, w.hints) })
	w.loops.Go(func() { every(loop, sweepEvery, w.sweep) })
	w.loops.Go(func() { every(loop, forgetEvery, w.forget) })
	return nil
}

// Stop takes no more work, lets calls in progress go on for a while, hangs up
// what is left and leaves the nodes. What could not be settled is settled by
// the next process.
func (w *Worker) Stop(ctx context.Context) error {
	w.cfg.Queue.Offer(nil)
	w.mu.Lock()
	w.stopping.Store(true)
	w.mu.Unlock()
	if !w.wait(ctx, w.cfg.StopAfter) {
		w.hangupAll()
		w.wait(ctx, hangupWait)
	}
	w.drop()
	w.running.Wait()
	w.crew.dismiss()
	w.cancel()
	w.loops.Wait()
	if err := w.cfg.Queue.Leave(context.WithoutCancel(ctx), w.name()); err != nil {
		return fmt.Errorf("deliver: leave: %w", err)
	}
	return nil
}

// wait says whether all attempts ended within d.
func (w *Worker) wait(ctx context.Context, d time.Duration) bool {
	done := make(chan struct{})
	go func() { w.running.Wait(); close(done) }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// every runs f at an interval until ctx ends.
func every(ctx context.Context, d time.Duration, f func(context.Context)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f(ctx)
		}
	}
}

// lease takes due jobs as long as there is room. Most jobs are handed over as they
// are written (see Take), and there is little to find when something happens: who
// has looked in vain looks again when it happens, but not at once.
func (w *Worker) lease(ctx context.Context) {
	pause := shortestPause
	for ctx.Err() == nil {
		if n := w.take(ctx); n > 0 {
			pause = shortestPause
			continue
		}
		looked := time.Now()
		t := time.NewTimer(w.untilDue(ctx))
		select {
		case <-ctx.Done():
		case <-w.wake.Work():
			sleep(ctx, pause-time.Since(looked))
			pause = min(2*pause, longestPause)
		case <-t.C:
			pause = shortestPause
		}
		t.Stop()
	}
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// maxLease bounds one taking, so that several nodes share a burst.
const maxLease = 64

// take leases and starts what there is room for, and says how many.
func (w *Worker) take(ctx context.Context) int {
	node, places := w.Reserve(maxLease)
	if places == 0 {
		return 0
	}
	leased, err := w.cfg.Queue.Lease(ctx, node, w.after, places)
	if err != nil && ctx.Err() == nil {
		w.cfg.Log.Error("jobs cannot be leased", "error", err)
	}
	w.Take(leased, places-len(leased))
	return len(leased)
}

// Reserve keeps places for jobs that are being written; see jobs.Taker.
func (w *Worker) Reserve(n int) (node string, places int) {
	if w.stopping.Load() || !w.fresh() {
		return "", 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	places = max(min(n, w.cfg.Slots-len(w.active)+w.parked-w.kept), 0)
	w.kept += places
	return w.node, places
}

// Take begins what was leased in places that were kept for it.
func (w *Worker) Take(leased []jobs.Job, unused int) {
	w.mu.Lock()
	w.kept -= len(leased) + unused
	w.mu.Unlock()
	for _, j := range leased {
		w.begin(j)
	}
}

// begin works on one job beside the others. What remains to be followed gets a
// goroutine of its own: those of the crew have stacks as deep as the work was.
func (w *Worker) begin(j jobs.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping.Load() {
		return // Leave gives it back
	}
	w.active[j.Lease] = j.Subject
	w.running.Add(1)
	w.crew.do(func() {
		defer w.running.Done()
		f := w.work(w.attempts, j)
		if f == nil {
			w.done(j.Lease)
			return
		}
		w.running.Go(func() {
			defer w.done(f.d.Lease)
			w.follow(w.attempts, f)
		})
	})
}

// done says that a job is not worked on any more.
func (w *Worker) done(l jobs.Lease) {
	w.mu.Lock()
	delete(w.active, l)
	w.mu.Unlock()
	w.wake.Wake() // a job of the same order may be free now
}

// untilDue is how long there is nothing to do, as far as is known.
func (w *Worker) untilDue(ctx context.Context) time.Duration {
	if w.room() <= 0 { // the next job that ends wakes us; nothing need be read until then
		return pollEvery
	}
	due, ok, err := w.cfg.Queue.NextDue(ctx)
	if err != nil || !ok {
		return pollEvery
	}
	wait := time.Until(due)
	if wait <= 0 { // due, and not to be had: no room, or behind another of its order
		return blockedWait
	}
	return min(wait, pollEvery)
}

// InProgress is how many jobs are being worked on, messages that are only
// followed included.
func (w *Worker) InProgress() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.active)
}

// inProgress counts what takes a place: calls, and messages until they have
// left. A message that is only followed may take many minutes.
func (w *Worker) inProgress() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.active) - w.parked + w.kept
}

// room is how many more jobs may be taken.
func (w *Worker) room() int { return w.cfg.Slots - w.inProgress() }

// park gives back the place of a message that is only followed from now on,
// until the function that it gives is called.
func (w *Worker) park() func() {
	w.mu.Lock()
	w.parked++
	w.mu.Unlock()
	w.wake.Wake() // there is room
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.parked--
	}
}

func (w *Worker) name() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.node
}
