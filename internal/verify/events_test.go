package verify_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/verify"
)

// report lets a carrier say anything of a call that is on its way, in any order
// and more than once.
func (w *world) report(d verify.Delivery) {
	w.t.Helper()
	kinds := []carrier.EventKind{carrier.Ringing, carrier.Answered, carrier.GatePassed, carrier.ReadOnce}
	for range w.rng.IntN(4) {
		e := carrier.Event{Kind: kinds[w.rng.IntN(len(kinds))], Readout: w.rng.IntN(3)}
		if _, err := w.Progress(w.t.Context(), d, e); err != nil && !errors.Is(err, jobs.ErrLeaseLost) {
			w.t.Fatal(err)
		}
	}
}

// events checks that what was told after the act before is told again, and what
// is new stands behind it. The clock moves only now and then, so most acts
// happen at one and the same time.
func (w *world) events(id string, s verify.State) {
	w.t.Helper()
	old, now := w.told[id], verify.Events(s)
	if len(now) < len(old) || !slices.Equal(old, now[:len(old)]) {
		w.t.Fatalf("what was told has changed: %s", cmp.Diff(old, now))
	}
	open := 0
	for i, e := range now {
		if e.Position != i+1 || e.At.IsZero() || !slices.Contains(verify.EventKinds(), e.Kind) {
			w.t.Fatalf("event %d: %+v", i+1, e)
		}
		switch e.Kind {
		case verify.EventQueued:
			open++
		case verify.EventSettled:
			open--
		}
	}
	ended := slices.ContainsFunc(now, func(e verify.Event) bool { return e.Kind == verify.EventEnded })
	if now[0].Kind != verify.EventStarted || ended != (s.Verification.Status != verify.Pending) {
		w.t.Fatalf("%s: %+v", s.Verification.Status, now)
	}
	for _, a := range s.Attempts {
		if a.State != verify.StateEnded {
			open--
		}
	}
	if open != 0 {
		w.t.Fatalf("the events leave other attempts open than there are: %+v", now)
	}
	w.told[id] = now
}

func kindsOf(events []verify.Event) (kinds []verify.EventKind) {
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestEventsOfACall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{}) // its clock stands still
	id := h.start(verify.StartRequest{}).View.ID
	code := h.code(id)
	d := h.dial()
	for _, k := range []carrier.EventKind{carrier.Ringing, carrier.Ringing, carrier.Answered, carrier.Ringing, carrier.GatePassed, carrier.GatePassed} {
		_, err := h.Progress(t.Context(), d, carrier.Event{Kind: k})
		h.ok(err)
	}
	if a := last(h.read(id)); a.State != verify.StateInCall {
		t.Errorf("a late ringing took the call back to %s", a.State)
	}
	_, err := h.check(id, code)
	h.ok(err)
	got, err := h.History(t.Context(), alice, id)
	h.ok(err)
	if !got.Ended || got.Complete {
		t.Errorf("ended %v, complete %v while the call goes on", got.Ended, got.Complete)
	}
	h.ok(h.Settle(t.Context(), d, heard))
	got, err = h.History(t.Context(), alice, id)
	h.ok(err)
	want := []verify.EventKind{verify.EventStarted, verify.EventQueued, verify.EventDialling, verify.EventRinging, verify.EventAnswered,
		verify.EventGatePassed, verify.EventEnded, verify.EventSettled}
	if diff := cmp.Diff(want, kindsOf(got.Events)); diff != "" || !got.Complete {
		t.Errorf("complete %v, %s", got.Complete, diff)
	}
	if e := got.Events[6]; e.Status != verify.Approved {
		t.Errorf("the end: %+v", e)
	}
	if e := got.Events[7]; e.Outcome != outcome.Heard || !e.MayHaveRung || e.Route != "one" || e.N != 1 {
		t.Errorf("the call's end: %+v", e)
	}
}

func TestHistoryIsForItsOwner(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	for _, who := range []verify.Caller{{}, {Account: "bob", Key: "k"}, {Account: alice.Account, Verification: "other"}} {
		_, err := h.History(t.Context(), who, id)
		wantCode(t, err, verify.NotFound)
	}
}

// Everything that changes a verification wakes who subscribed to it, also what
// was done to another one.
func TestSubscribersAreWoken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	news, leave := h.Subscribe(id)
	other, leaveOther := h.Subscribe("other")
	defer leaveOther()
	woken := func(what string) {
		t.Helper()
		select {
		case <-news:
		case <-time.After(5 * time.Second):
			t.Fatalf("not woken by %s", what)
		}
	}
	_, err := h.check(id, wrong(h.code(id)))
	h.ok(err)
	woken("a check")
	d := h.dial()
	woken("dialling")
	h.ok(h.Settle(t.Context(), d, heard))
	woken("a settlement")
	h.start(verify.StartRequest{})
	woken("being superseded")
	leave()
	second := h.start(verify.StartRequest{Purpose: "second"}).View.ID
	swept, end := h.Subscribe(second)
	defer end()
	h.wait(time.Hour)
	_, err = h.Sweep(t.Context())
	h.ok(err)
	select {
	case <-swept:
	case <-time.After(5 * time.Second):
		t.Error("not woken by the sweep")
	}
	select {
	case <-other:
		t.Error("woken by what is another's")
	case <-news:
		t.Error("woken after leaving")
	default:
	}
}
