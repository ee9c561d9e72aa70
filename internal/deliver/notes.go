package deliver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

// gatherFor is how long what was heard of a call waits for more before it is
// written down, or for the call's end, which writes it as well.
const gatherFor = 20 * time.Millisecond

// notes are what was heard of an attempt and is not on record: its reference and
// its events. Safe for concurrent use.
type notes struct {
	write func(verify.Delivery, []carrier.Event) error

	mu      sync.Mutex
	d       *verify.Delivery // its Ref is under mu, until close
	events  []carrier.Event
	timer   *time.Timer   // runs, or has run: write is on its way
	written chan struct{} // closed when that is over; nil: nothing is on its way
}

// add notes an event.
func (n *notes) add(e carrier.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
	n.arm()
}

// begin sees to it that a reference is written down where nothing else is heard.
func (n *notes) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.d.Ref != "" {
		n.arm()
	}
}

// arm has all notes written soon. The lock is held.
func (n *notes) arm() {
	if n.written == nil {
		n.written = make(chan struct{})
		n.timer = time.AfterFunc(gatherFor, n.flush)
	}
}

// flush writes what there is. What could not be written is tried again with the
// next event, or with the end.
func (n *notes) flush() {
	n.mu.Lock()
	d, events := *n.d, n.events
	n.events = nil
	n.mu.Unlock()
	err := n.write(d, events)
	n.mu.Lock()
	defer n.mu.Unlock()
	more := len(n.events) > 0
	if err == nil {
		n.d.Ref = ""
	} else {
		n.events = append(events, n.events...)
	}
	close(n.written)
	n.written = nil
	if more {
		n.arm()
	}
}

// close waits for what is on its way and gives the events that are left for the
// end. Nothing is added any more.
func (n *notes) close() []carrier.Event {
	for {
		n.mu.Lock()
		written := n.written
		if written == nil || n.timer.Stop() {
			n.written = nil
			n.mu.Unlock()
			return n.events
		}
		n.mu.Unlock()
		<-written
	}
}

// record writes notes down, and passes on that the call must stop. Where the
// lease is lost nobody could stop the call any more: it is hung up.
func (w *Worker) record(ctx context.Context, f *following, d verify.Delivery, events []carrier.Event) error {
	stop, err := w.cfg.Core.Progress(ctx, d, events...)
	switch {
	case errors.Is(err, jobs.ErrLeaseLost):
		w.hangup(ctx, f.d, f.carrier, f.ref)
	case err != nil:
		w.cfg.Log.Error("progress cannot be recorded", "attempt", d.Attempt.ID, "error", err)
	case stop != "":
		w.wake.Stop(d.Attempt.ID)
	}
	return err
}
