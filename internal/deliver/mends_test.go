package deliver_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/deliver"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// sick is a store that refuses writes while it is told to.
type sick struct {
	verify.Store
	jobs.Queue
	now   atomic.Bool
	spare atomic.Int64 // so many writes still pass
}

func (s *sick) Do(ctx context.Context, op verify.Op) error {
	if s.now.Load() && s.spare.Add(-1) < 0 {
		return errors.New("disk full")
	}
	return s.Store.Do(ctx, op)
}

func (s *sick) Postpone(ctx context.Context, l jobs.Lease, d time.Duration) error {
	if s.now.Load() {
		return errors.New("disk full")
	}
	return s.Queue.Postpone(ctx, l, d)
}

// sickHouse is a house whose core and worker use a store that can fail.
func sickHouse(t *testing.T, f *fake) (*house, *sick) {
	t.Helper()
	h := newHouse(t, f)
	s := &sick{Store: h.store, Queue: h.store}
	keys, err := secret.NewKeyring(nil, time.Now())
	h.ok(err)
	h.Core, err = verify.New(verify.Config{
		Store: s, Keys: keys, Services: services{}, Routes: []carrier.Route{{Name: "a", Carrier: f}},
		Limits: guard.Limits{Countries: []string{"JP"}},
	})
	h.ok(err)
	w, err := deliver.New(deliver.Config{Core: h.Core, Queue: s, StopAfter: 100 * time.Millisecond, Log: slog.New(slog.NewTextHandler(h.log, nil))})
	h.ok(err)
	h.ok(w.Start(t.Context()))
	t.Cleanup(func() { h.ok(w.Stop(context.Background())) })
	return h, s
}

// A store that fails for a moment loses no job.
func TestStoreFailsWhenDialling(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h, s := sickHouse(t, f)
	s.spare.Store(1) // the start itself
	s.now.Store(true)
	id := h.start(verify.StartRequest{})
	time.Sleep(300 * time.Millisecond)
	s.now.Store(false)
	if a := h.ended(id, 1)[0]; a.Outcome != outcome.Heard || len(f.calls()) != 1 {
		t.Errorf("%s after %d calls", a.Outcome, len(f.calls()))
	}
}

func TestStoreFailsWhenSettling(t *testing.T) {
	t.Parallel()
	f := &fake{}
	var h *house
	var s *sick
	ready := make(chan struct{})
	f.follow = func(context.Context, carrier.Ref, func(carrier.Event)) (outcome.Ending, error) {
		<-ready
		s.now.Store(true)
		time.AfterFunc(4*time.Second, func() { s.now.Store(false) })
		return outcome.Ending{Outcome: outcome.Heard, Reason: "heard", MayHaveRung: true}, nil
	}
	h, s = sickHouse(t, f)
	close(ready)
	if a := h.ended(h.start(verify.StartRequest{}), 1)[0]; a.Outcome != outcome.Heard {
		t.Errorf("got %s", a.Outcome)
	}
}

// hungUp follows a call until it is hung up.
func hungUp(f *fake) func(context.Context, carrier.Ref, func(carrier.Event)) (outcome.Ending, error) {
	return func(ctx context.Context, _ carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
		report(carrier.Event{Kind: carrier.Ringing})
		for ctx.Err() == nil {
			f.mu.Lock()
			n := len(f.hung)
			f.mu.Unlock()
			if n > 0 {
				return outcome.Ending{Outcome: outcome.Canceled, Reason: "hung up", MayHaveRung: true}, nil
			}
			time.Sleep(5 * time.Millisecond)
		}
		return outcome.Ending{}, ctx.Err()
	}
}

// After a stop that cut the call, the next process goes on with the workflow.
func TestStopDoesNotEndTheWorkflow(t *testing.T) {
	t.Parallel()
	f := &fake{}
	f.follow = hungUp(f)
	h := newHouse(t, f)
	stop := h.work()
	id := h.start(verify.StartRequest{Workflow: []account.Step{{Channel: phone.Voice}, {Channel: phone.SMS}}})
	h.until(id, "ringing", func(v verify.View) bool { return v.Attempts[0].State == verify.StateRinging })
	stop()
	h.work()
	if a := h.ended(id, 2); a[1].Channel != phone.SMS {
		t.Errorf("then %s", a[1].Channel)
	}
}

// A call that is being placed while everything is hung up is hung up, too.
func TestStopWhilePlacing(t *testing.T) {
	t.Parallel()
	f := &fake{}
	placing := make(chan struct{})
	f.place = func(carrier.Call) (carrier.Ref, error) {
		close(placing)
		time.Sleep(700 * time.Millisecond)
		return "r", nil
	}
	f.follow = hungUp(f)
	h := newHouse(t, f)
	stop := h.work()
	id := h.start(verify.StartRequest{})
	<-placing
	stop()
	if a := h.view(id).Attempts[0]; a.Outcome != outcome.Canceled {
		t.Errorf("%s, %s", a.State, a.Outcome)
	}
}

// What is learned in the last moment of a stop is written down.
func TestEndingDuringTheStopIsKept(t *testing.T) {
	t.Parallel()
	f := &fake{}
	placing, answer := make(chan struct{}), make(chan struct{})
	f.place = func(carrier.Call) (carrier.Ref, error) {
		close(placing)
		<-answer
		return "", &carrier.Refusal{Ending: outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultOurs, Reason: "not placed"}}
	}
	h := newHouse(t, f)
	stop := h.work()
	id := h.start(verify.StartRequest{})
	<-placing
	time.AfterFunc(6*time.Second, func() { close(answer) })
	stop()
	if a := h.view(id).Attempts[0]; a.Reason != "not placed" {
		t.Errorf("%s, %q", a.State, a.Reason)
	}
}

// Whoever loses the lease in mid-call hangs up: nobody could stop the call any
// more. A report counts all the same.
func TestLeaseLostInTheCall(t *testing.T) {
	t.Parallel()
	t.Run("hangs up", func(t *testing.T) {
		t.Parallel()
		f := &fake{}
		h := newHouse(t, f)
		f.follow = func(ctx context.Context, ref carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
			_, err := h.store.Takeover(context.Background())
			h.ok(err)
			report(carrier.Event{Kind: carrier.Answered})
			return hungUp(f)(ctx, ref, report)
		}
		h.work()
		h.ended(h.start(verify.StartRequest{}), 1)
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.hung) == 0 {
			t.Error("the call goes on")
		}
	})
	t.Run("reports", func(t *testing.T) {
		t.Parallel()
		f := &fake{}
		h := newHouse(t, f)
		f.follow = func(context.Context, carrier.Ref, func(carrier.Event)) (outcome.Ending, error) {
			_, err := h.store.Takeover(context.Background())
			h.ok(err)
			return outcome.Ending{Outcome: outcome.Reported, Reason: "reported", MayHaveRung: true}, nil
		}
		h.work()
		id := h.start(verify.StartRequest{})
		h.until(id, "the end", func(v verify.View) bool { return v.Status == verify.Failed })
		_, err := h.Start(t.Context(), alice, verify.StartRequest{To: number}, verify.Once[verify.Started]{})
		var e *verify.Error
		if !errors.As(err, &e) || e.Code != verify.NumberDenied {
			t.Errorf("got %v", err)
		}
	})
}

// Messages that wait for their report take no call's place.
func TestMessagesDoNotStarveCalls(t *testing.T) {
	t.Parallel()
	f := &fake{follow: func(ctx context.Context, _ carrier.Ref, _ func(carrier.Event)) (outcome.Ending, error) {
		<-ctx.Done()
		return outcome.Ending{}, ctx.Err()
	}}
	h := newHouse(t, f)
	w, err := deliver.New(deliver.Config{Core: h.Core, Queue: h.store, Slots: 1, StopAfter: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	h.ok(err)
	h.ok(w.Start(t.Context()))
	defer func() { h.ok(w.Stop(context.Background())) }()
	for _, purpose := range []string{"a", "b", "c"} {
		h.start(verify.StartRequest{Channel: "sms", Purpose: purpose})
	}
	id := h.start(verify.StartRequest{Purpose: "d"})
	h.until(id, "the call", func(v verify.View) bool { return v.Attempts[0].State == verify.StatePlaced })
}

// A command's own server leaves alone what others were promised.
func TestOwnOnly(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := newHouse(t, f)
	other := h.start(verify.StartRequest{})
	w, err := deliver.New(deliver.Config{Core: h.Core, Queue: h.store, OwnOnly: true, Log: slog.New(slog.DiscardHandler)})
	h.ok(err)
	h.ok(w.Start(t.Context()))
	defer func() { h.ok(w.Stop(context.Background())) }()
	mine := h.start(verify.StartRequest{To: "+818012345679"})
	h.ended(mine, 1)
	if a := h.view(other).Attempts[0]; a.State != verify.StateQueued {
		t.Errorf("the other's call: %s", a.State)
	}
}

// What a disabled account had queued is not placed.
func TestDisabledAccountCallsNobody(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := newHouse(t, f)
	h.work()
	who := verify.Caller{Account: "disabled", Key: "k"}
	a, err := h.Start(t.Context(), who, verify.StartRequest{To: number}, verify.Once[verify.Started]{})
	h.ok(err)
	for range 500 {
		v, err := h.Get(t.Context(), who, a.Value.View.ID)
		h.ok(err)
		if last := v.Attempts[0]; last.State == verify.StateEnded {
			if last.Outcome != outcome.Canceled || len(f.calls()) != 0 {
				t.Errorf("%s after %d calls", last.Outcome, len(f.calls()))
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the attempt does not end")
}
