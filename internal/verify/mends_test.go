package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

var refusedForGood = outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs, Permanent: true}

func steps(channels ...phone.Channel) verify.StartRequest {
	var out verify.StartRequest
	for _, c := range channels {
		out.Workflow = append(out.Workflow, account.Step{Channel: c, Timeout: 30 * time.Second})
	}
	return out
}

// A refusal for good ends nothing while somebody may hold the code, or another
// route could serve.
func TestPermanentRefusalAmongOthers(t *testing.T) {
	t.Parallel()
	t.Run("after a delivered message", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, setup{})
		id := h.start(steps(phone.SMS, phone.Voice)).View.ID
		code := h.code(id)
		h.settle(outcome.Ending{Outcome: outcome.Delivered, MayHaveRung: true})
		h.wait(30 * time.Second)
		h.step()
		h.settle(refusedForGood)
		if got, err := h.check(id, code); err != nil || !got.Valid {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("after a call that was heard", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, setup{})
		id := h.start(verify.StartRequest{}).View.ID
		code := h.code(id)
		h.settle(heard)
		_, err := h.Resend(t.Context(), alice, id, "sms", verify.Once[verify.View]{})
		h.ok(err)
		h.settle(refusedForGood)
		if got, err := h.check(id, code); err != nil || !got.Valid {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("another route was only throttled", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, setup{routes: []carrier.Route{route("a", everything), route("b", everything)}})
		id := h.start(verify.StartRequest{}).View.ID
		h.settle(outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultCarrier})
		h.settle(refusedForGood)
		if v := h.read(id).Verification; v.Status != verify.Pending {
			t.Errorf("%s, %s", v.Status, v.Reason)
		}
	})
	t.Run("every route refused", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, setup{routes: []carrier.Route{route("a", everything), route("b", everything)}})
		id := h.start(verify.StartRequest{}).View.ID
		h.settle(refusedForGood)
		h.settle(refusedForGood)
		if v := h.read(id).Verification; v.Status != verify.Failed {
			t.Errorf("%s", v.Status)
		}
	})
}

// A message of which no report ever comes stands in nobody's way.
func TestMessageWithoutAReport(t *testing.T) {
	t.Parallel()
	t.Run("before two more steps", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, setup{})
		id := h.start(steps(phone.SMS, phone.Voice, phone.SMS)).View.ID
		h.dial()
		h.wait(30 * time.Second)
		h.step()
		d := h.dial()
		h.ok(h.Settle(t.Context(), d, noAnswer))
		h.dial()
		if v := h.read(id).Verification; v.Step != 2 {
			t.Errorf("step %d", v.Step)
		}
	})
	t.Run("and a call asked for by hand", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, setup{})
		id := h.start(steps(phone.SMS, phone.Voice)).View.ID
		h.dial()
		_, err := h.Resend(t.Context(), alice, id, "voice", verify.Once[verify.View]{})
		h.ok(err)
		d := h.dial()
		h.ok(h.Settle(t.Context(), d, heard))
		h.wait(30 * time.Second)
		h.step()
		h.dial()
	})
}

func TestTooLittleTimeForTheCallLeavesTheMessage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.start(steps(phone.Voice, phone.SMS))
	h.wait(9 * time.Minute)
	d := h.delivery()
	may, err := h.Dial(t.Context(), d, verify.Dialling{Route: "one"})
	h.ok(err)
	if next := h.dial(); may || next.Attempt.Channel != phone.SMS {
		t.Errorf("may dial: %v, then %s", may, next.Attempt.Channel)
	}
}

// A process that stops hangs up; what follows is up to the next process.
func TestCallThatAStopCutIsAFailedStep(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.start(steps(phone.Voice, phone.SMS))
	h.settle(outcome.Ending{Outcome: outcome.Canceled, MayHaveRung: true})
	if d := h.dial(); d.Attempt.Channel != phone.SMS {
		t.Errorf("then %s", d.Attempt.Channel)
	}
}

func TestQueuedCallToABlockedNumberDoesNotLeave(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.start(verify.StartRequest{Purpose: "a"})
	second := h.start(verify.StartRequest{Purpose: "b"}).View.ID
	h.settle(outcome.Ending{Outcome: outcome.Reported, MayHaveRung: true})
	d := h.delivery()
	may, err := h.Dial(t.Context(), d, verify.Dialling{Route: "one"})
	h.ok(err)
	if may || d.Attempt.Verification != second {
		t.Error("the number has reported the service, and is called")
	}
	h.idle()
}

func TestNewStartAfterALostCallWaits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	h.start(verify.StartRequest{})
	h.settle(lost)
	h.start(verify.StartRequest{})
	h.wait(2 * time.Minute)
	h.idle()
	h.wait(time.Minute + time.Second)
	h.dial()
}

// The screen digits are in no answer that may be kept.
func TestKeptAnswersHaveNoScreenDigits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{Screen: true}).View.ID
	d := h.delivery()
	_, err := h.Dial(t.Context(), d, verify.Dialling{Route: "one", Gate: script.GateScreenDigits, Screen: secret.NewText("42")})
	h.ok(err)
	_, err = h.Placed(t.Context(), d, "ref")
	h.ok(err)
	_, err = h.Progress(t.Context(), d, carrier.Event{Kind: carrier.Ringing})
	h.ok(err)
	once := verify.Once[verify.View]{Key: "x", Path: "p", Encode: func(v verify.View) ([]byte, error) { return json.Marshal(v.ScreenDigits) }}
	for range 2 {
		a, err := h.Resend(t.Context(), alice, id, "sms", once)
		h.ok(err)
		if a.Value.ScreenDigits != "" || a.Replay != nil && string(a.Replay) != `""` {
			t.Error("the answer shows the screen digits")
		}
	}
}

// What cannot be opened any more is settled, and never stands in the way.
func TestUnreadableAttempts(t *testing.T) {
	t.Parallel()
	for name, placed := range map[string]bool{"queued": false, "placed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, setup{})
			id := h.start(verify.StartRequest{}).View.ID
			if placed {
				h.dial()
			}
			other, err := secret.NewKeyring(nil, h.clock.now())
			h.ok(err)
			core, err := verify.New(verify.Config{
				Store: h.store, Keys: other, Services: services{}, Routes: []carrier.Route{route("one", everything)}, Now: h.clock.now,
			})
			h.ok(err)
			_, err = h.store.Takeover(t.Context())
			h.ok(err)
			h.node, err = h.store.Join(t.Context())
			h.ok(err)
			j := h.lease()[0]
			d, err := core.Delivery(t.Context(), j.Lease, j.Subject)
			if placed != (err == nil) || !placed && !errors.Is(err, verify.ErrUnreadable) {
				t.Errorf("got %v", err)
			}
			h.ok(core.Settle(t.Context(), d, outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultOurs}))
			if a := last(h.read(id)); a.State != verify.StateEnded || h.row("a/alice").Open != 0 {
				t.Errorf("%s, %d calls open", a.State, h.row("a/alice").Open)
			}
			h.idle()
		})
	}
}

// A name that nobody could say is refused at the start, not when the phone
// should ring.
func TestNameThatSoundsLikeACode(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	_, err := h.Start(context.Background(), alice, verify.StartRequest{To: number, Locale: "en", Brand: "One Two Three Four"}, verify.Once[verify.Started]{})
	wantCode(t, err, verify.BadInput)
	h.idle()
}
