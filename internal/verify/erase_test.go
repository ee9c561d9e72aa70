package verify_test

import (
	"testing"
	"time"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/verify"
)

func TestEraseEndsAndRemoves(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	v, other := h.start(verify.StartRequest{}), h.start(verify.StartRequest{To: "+818012345679"})
	ids := []string{v.View.ID}
	h.start(verify.StartRequest{Purpose: "else"})
	got := h.lease() // the two calls to the number stand in a row: one of them, and the other number's
	if len(got) != 2 {
		t.Fatalf("%d jobs", len(got))
	}
	if open := h.row("a/alice").Open; open != 3 {
		t.Fatalf("%d calls are open", open)
	}
	d, err := h.Delivery(t.Context(), got[0].Lease, got[0].Subject)
	h.ok(err)
	if d.Verification.ID == other.View.ID {
		d, err = h.Delivery(t.Context(), got[1].Lease, got[1].Subject)
		h.ok(err)
	}
	stopped, unwatch := h.Signal().Watch(d.Attempt.ID)
	defer unwatch()
	_, err = h.Dial(t.Context(), d, verify.Dialling{Route: "one"})
	h.ok(err)
	settled := make(chan error, 1)
	go func() { // the worker, which hangs up
		<-stopped.Done()
		settled <- h.Settle(t.Context(), d, outcome.Ending{Outcome: outcome.Canceled, Reason: "hung up", MayHaveRung: true})
	}()
	did, err := h.Erase(t.Context(), alice, verify.EraseRequest{Number: number})
	h.ok(err)
	h.ok(<-settled)
	if did.Verifications != 2 || did.Attempts != 2 || did.Limits != 1 {
		t.Errorf("erased %+v", did)
	}
	for _, id := range ids {
		_, err := h.Get(t.Context(), alice, id)
		wantCode(t, err, verify.NotFound)
	}
	if open := h.row("a/alice").Open; open != 1 {
		t.Errorf("%d calls are open, want the other number's", open)
	}
	if h.read(other.View.ID).Verification.Status != verify.Pending {
		t.Error("another number's verification has ended")
	}
	again, err := h.Erase(t.Context(), alice, verify.EraseRequest{Number: number})
	h.ok(err)
	if again != (verify.Erased{}) {
		t.Errorf("erased again: %+v", again)
	}
}

// Where the node that called is lost, nobody is waited for, and the account gets
// the call's place back.
func TestEraseWithoutANode(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.start(verify.StartRequest{})
	h.dial()
	h.clock.add(time.Minute)
	_, err := h.Erase(t.Context(), alice, verify.EraseRequest{Number: number})
	h.ok(err)
	if open := h.row("a/alice").Open; open != 0 {
		t.Errorf("%d calls are open", open)
	}
	h.wait(time.Second)
	h.idle()
}

func TestEraseIsBoundToTheAccount(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	v := h.start(verify.StartRequest{})
	bob := verify.Caller{Account: "bob", Key: "k9"}
	did, err := h.Erase(t.Context(), bob, verify.EraseRequest{Number: number})
	if h.ok(err); did != (verify.Erased{}) {
		t.Errorf("another account erased %+v", did)
	}
	for _, who := range []verify.Caller{{}, {Account: "alice", Verification: v.View.ID}} {
		_, err := h.Erase(t.Context(), who, verify.EraseRequest{Number: number})
		wantCode(t, err, verify.Forbidden)
		_, err = h.Statistics(t.Context(), who, verify.Days{})
		wantCode(t, err, verify.Forbidden)
	}
	_, err = h.Erase(t.Context(), alice, verify.EraseRequest{Number: "08012345678"})
	if e := wantCode(t, err, verify.BadInput); e.Field != "number" {
		t.Errorf("field %s", e.Field)
	}
	all, err := h.EraseEverywhere(t.Context(), verify.EraseRequest{Number: number})
	if h.ok(err); all.Verifications != 1 || all.Accounts["alice"] != 1 {
		t.Errorf("erased everywhere: %+v", all)
	}
}

// The block of a report stays, and does what it is for, unless it is forgotten.
func TestEraseAndBlocks(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.start(verify.StartRequest{})
	h.settle(outcome.Ending{Outcome: outcome.Reported, Reason: "reported", MayHaveRung: true})
	did, err := h.Erase(t.Context(), alice, verify.EraseRequest{Number: number})
	if h.ok(err); did.BlocksKept != 1 || did.Limits != 0 {
		t.Errorf("erased %+v", did)
	}
	_, err = h.Start(t.Context(), alice, verify.StartRequest{To: number}, verify.Once[verify.Started]{})
	wantCode(t, err, verify.NumberDenied)
}

func TestRetention(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	done := h.start(verify.StartRequest{})
	_, err := h.check(done.View.ID, h.code(done.View.ID))
	h.ok(err)
	h.clock.add(verify.DefaultRetention - time.Second)
	h.ok(h.Forget(t.Context()))
	h.read(done.View.ID)
	h.clock.add(2 * time.Second)
	h.ok(h.Forget(t.Context()))
	_, err = h.Get(t.Context(), alice, done.View.ID)
	wantCode(t, err, verify.NotFound)
	got, err := h.Statistics(t.Context(), alice, verify.Days{From: "2026-03-04"})
	if h.ok(err); len(got) != 1 || got[0].N != 1 || got[0].Status != verify.Approved {
		t.Errorf("counts %+v", got)
	}
	_, err = h.Statistics(t.Context(), alice, verify.Days{To: "yesterday"})
	if e := wantCode(t, err, verify.BadInput); e.Field != "to" {
		t.Errorf("field %s", e.Field)
	}
	if _, err := verify.New(verify.Config{Store: h.store, Keys: h.keys, Services: services{}, Retention: time.Hour}); err == nil {
		t.Error("an hour's retention was taken")
	}
}
