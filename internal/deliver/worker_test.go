package deliver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/verify"
)

func TestCallIsComposedPlacedAndSettled(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := newHouse(t, f)
	stop := h.work()
	id := h.start(verify.StartRequest{Screen: true, Brand: "Acme"})
	a := h.ended(id, 1)[0]
	if a.Outcome != outcome.Heard || a.Route != "a" || !a.GatePassed || a.Readouts != 1 || a.Ungated {
		t.Errorf("got %+v", a)
	}
	c := f.calls()[0]
	if c.To.E164() != number || c.Channel != phone.Voice || c.Script.Lang != "ja" || len(c.ScreenDigits.Reveal()) != 2 {
		t.Errorf("asked for %v by %s in %s", c.To, c.Channel, c.Script.Lang)
	}
	if p := script.Lint(c.Script); len(p) != 0 {
		t.Errorf("the linter says %v", p)
	}
	codes, err := script.ReadBack(c.Script.AfterGate().Text(), "ja", 6)
	h.ok(err)
	got, err := h.Check(t.Context(), alice, id, verify.CheckRequest{Code: codes[0]}, verify.Once[verify.Checked]{})
	h.ok(err)
	if !got.Value.Valid {
		t.Error("what was read is not what is checked")
	}
	stop() // the line is written after the end is on record
	if log := h.log.String(); strings.Contains(log, codes[0]) || strings.Contains(log, number[1:]) || !strings.Contains(log, "outcome=heard") {
		t.Error("the log: one line, without the code and the number")
	}
}

func TestRouteWithoutKeysIsUngated(t *testing.T) {
	t.Parallel()
	f := &fake{can: carrier.Abilities{Voice: true, Text: true, Payee: true, Languages: []string{"ja"}}}
	h := newHouse(t, f)
	h.work()
	a := h.ended(h.start(verify.StartRequest{}), 1)[0]
	if !a.Ungated {
		t.Error("the attempt is not marked as ungated")
	}
	for _, p := range f.calls()[0].Script.Parts {
		if p.Kind == script.KindGate || p.Kind == script.KindMenu {
			t.Errorf("a route without keys was given a %v", p.Kind)
		}
	}
}

func TestMessageCarriesTheCode(t *testing.T) {
	t.Parallel()
	f := &fake{follow: func(context.Context, carrier.Ref, func(carrier.Event)) (outcome.Ending, error) {
		return outcome.Ending{Outcome: outcome.Delivered, Reason: "arrived", MayHaveRung: true}, nil
	}}
	h := newHouse(t, f)
	h.work()
	id := h.start(verify.StartRequest{Channel: "sms", Locale: "en"})
	h.ended(id, 1)
	text := f.calls()[0].Text.Reveal()
	var tried bool
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if len(word) == 6 {
			got, err := h.Check(t.Context(), alice, id, verify.CheckRequest{Code: word}, verify.Once[verify.Checked]{})
			h.ok(err)
			tried = got.Value.Valid
		}
	}
	if !tried {
		t.Error("the message does not carry the code")
	}
}

func TestOtherRouteOnlyWhereNothingRang(t *testing.T) {
	t.Parallel()
	refuse := func(e outcome.Ending) func(carrier.Call) (carrier.Ref, error) {
		return func(carrier.Call) (carrier.Ref, error) { return "", &carrier.Refusal{Ending: e} }
	}
	tests := []struct {
		name   string
		place  func(carrier.Call) (carrier.Ref, error)
		second int
	}{
		{"refused", refuse(outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs, Permanent: true}), 1},
		{"unreachable carrier", refuse(outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier}), 1},
		{"answer lost", refuse(outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier, MayHaveRung: true}), 0},
		{"unclassified", func(carrier.Call) (carrier.Ref, error) { return "", errors.New("what") }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			first, second := &fake{place: tt.place}, &fake{}
			h := newHouse(t, first, second)
			h.work()
			id := h.start(verify.StartRequest{})
			h.ended(id, 1+tt.second)
			time.Sleep(100 * time.Millisecond)
			if len(first.calls()) != 1 || len(second.calls()) != tt.second {
				t.Errorf("%d and %d calls, want 1 and %d", len(first.calls()), len(second.calls()), tt.second)
			}
		})
	}
}

func TestCancelHangsUp(t *testing.T) {
	t.Parallel()
	f := &fake{}
	hung := make(chan struct{})
	f.follow = func(ctx context.Context, _ carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
		report(carrier.Event{Kind: carrier.Ringing})
		for {
			f.mu.Lock()
			n := len(f.hung)
			f.mu.Unlock()
			if n > 0 {
				close(hung)
				return outcome.Ending{Outcome: outcome.Canceled, Reason: "hung up", MayHaveRung: true}, nil
			}
			select {
			case <-ctx.Done():
				return outcome.Ending{}, ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	h := newHouse(t, f)
	h.work()
	id := h.start(verify.StartRequest{})
	h.until(id, "ringing", func(v verify.View) bool { return v.Attempts[0].State == verify.StateRinging })
	_, err := h.Cancel(t.Context(), alice, id, verify.Once[verify.View]{})
	h.ok(err)
	<-hung
	if a := h.ended(id, 1)[0]; a.Outcome != outcome.Canceled {
		t.Errorf("got %+v", a)
	}
}

func TestStepsFollow(t *testing.T) {
	t.Parallel()
	f := &fake{follow: func(_ context.Context, _ carrier.Ref, _ func(carrier.Event)) (outcome.Ending, error) {
		return outcome.Ending{Outcome: outcome.Undelivered, Reason: "no", MayHaveRung: true}, nil
	}}
	h := newHouse(t, f)
	h.work()
	id := h.start(verify.StartRequest{Workflow: []account.Step{{Channel: phone.SMS}, {Channel: phone.Voice}}})
	h.ended(id, 2)
	if c := f.calls(); len(c) != 2 || c[0].Channel != phone.SMS || c[1].Channel != phone.Voice {
		t.Errorf("%d calls", len(c))
	}
}

// What a worker that vanished left behind.
func TestLostWorker(t *testing.T) {
	t.Parallel()
	resume := everything
	resume.Resume = true
	tests := []struct {
		name string
		can  carrier.Abilities
		// upTo takes the delivery as far as the lost worker came.
		upTo  func(*house, verify.Delivery)
		calls int
		want  outcome.Outcome
	}{
		{"leased only", everything, func(*house, verify.Delivery) {}, 1, outcome.Heard},
		{"dialling", everything, dialled, 0, outcome.CarrierFailed},
		{"dialling at a carrier that can be asked", resume, dialled, 0, outcome.CarrierFailed},
		{"placed", everything, placed, 0, outcome.CarrierFailed},
		{"placed at a carrier that can be asked", resume, placed, 0, outcome.Heard},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{can: tt.can}
			h := newHouse(t, f)
			id := h.start(verify.StartRequest{})
			node, err := h.store.Join(t.Context())
			h.ok(err)
			got, err := h.store.Lease(t.Context(), node, 0, 1)
			h.ok(err)
			d, err := h.Delivery(t.Context(), got[0].Lease, got[0].Subject)
			h.ok(err)
			tt.upTo(h, d)
			_, err = h.store.Takeover(t.Context())
			h.ok(err)
			h.work()
			a := h.ended(id, 1)[0]
			if a.Outcome != tt.want || len(f.calls()) != tt.calls {
				t.Errorf("outcome %s after %d calls, want %s after %d", a.Outcome, len(f.calls()), tt.want, tt.calls)
			}
			if err := h.Settle(t.Context(), d, outcome.Ending{Outcome: outcome.Busy}); err == nil {
				t.Error("the lost worker could still write")
			}
		})
	}
}

func dialled(h *house, d verify.Delivery) {
	_, err := h.Dial(h.t.Context(), d, verify.Dialling{Route: "a", Gate: script.GateAnyKey})
	h.ok(err)
}

func placed(h *house, d verify.Delivery) {
	dialled(h, d)
	_, err := h.Placed(h.t.Context(), d, "ref")
	h.ok(err)
}

// A stopping process hangs up what does not end by itself.
func TestStopHangsUpAndSettles(t *testing.T) {
	t.Parallel()
	f := &fake{}
	f.follow = func(ctx context.Context, _ carrier.Ref, _ func(carrier.Event)) (outcome.Ending, error) {
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
	h := newHouse(t, f)
	stop := h.work()
	id := h.start(verify.StartRequest{})
	h.until(id, "placed", func(v verify.View) bool { return v.Attempts[0].State == verify.StatePlaced })
	stop()
	if a := h.view(id).Attempts[0]; a.Outcome != outcome.Canceled {
		t.Errorf("got %+v", a)
	}
}
