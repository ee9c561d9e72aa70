package verify_test

import (
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

var (
	canceled = outcome.Ending{Outcome: outcome.Canceled, Reason: "stopped"}
	heard    = outcome.Ending{Outcome: outcome.Heard, MayHaveRung: true}
	noAnswer = outcome.Ending{Outcome: outcome.NoAnswer, MayHaveRung: true, Fault: outcome.FaultPerson}
	notRung  = outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultCarrier}
	lost     = outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultOurs, MayHaveRung: true}
)

func smsThenVoice() verify.StartRequest {
	return verify.StartRequest{Workflow: []account.Step{
		{Channel: phone.SMS, Timeout: 30 * time.Second}, {Channel: phone.Voice, Timeout: time.Minute},
	}}
}

// One code throughout; an SMS step's time begins when the carrier took it.
func TestWorkflowGoesOnAfterItsTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(smsThenVoice()).View.ID
	code := h.code(id)
	h.wait(10 * time.Second)
	d := h.dial()
	if d.Attempt.Channel != phone.SMS || d.Message.Code.Reveal() != code {
		t.Fatal("the first step is the message with the code")
	}
	h.wait(5 * time.Second)
	h.ok(h.Settle(t.Context(), d, outcome.Ending{Outcome: outcome.Delivered}))
	h.wait(24 * time.Second)
	h.idle()
	h.wait(time.Second)
	h.step()
	call := h.dial()
	if call.Attempt.Channel != phone.Voice || call.Attempt.Step != 1 || call.Message.Code.Reveal() != code {
		t.Errorf("second: %s, step %d, the same code: %v", call.Attempt.Channel, call.Attempt.Step, call.Message.Code.Reveal() == code)
	}
	h.ok(h.Settle(t.Context(), call, heard))
	if got, err := h.check(id, code); err != nil || !got.Valid {
		t.Errorf("got %+v, %v", got, err)
	}
	h.wait(2 * time.Minute)
	h.idle()
}

func TestDefiniteFailureMovesOnAtOnce(t *testing.T) {
	t.Parallel()
	for _, e := range []outcome.Ending{
		{Outcome: outcome.Undelivered, MayHaveRung: true, Fault: outcome.FaultNumber},
		{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs, Permanent: true},
	} {
		h := newHouse(t, setup{})
		id := h.start(smsThenVoice()).View.ID
		h.settle(e)
		d := h.dial()
		if d.Attempt.Channel != phone.Voice {
			t.Errorf("after %s: %s", e.Outcome, d.Attempt.Channel)
		}
		if v := h.read(id).Verification; v.Sends != 2 || v.Step != 1 {
			t.Errorf("sends %d, step %d", v.Sends, v.Step)
		}
		h.ok(h.Settle(t.Context(), d, noAnswer))
		h.wait(time.Minute)
		h.idle() // the message's timer is gone, too
		if v := h.read(id).Verification; v.Status != verify.Pending {
			t.Errorf("no step is left: %s, want pending", v.Status)
		}
	}
}

func TestNextStepNow(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(smsThenVoice()).View.ID
	h.settle(outcome.Ending{Outcome: outcome.Sent, MayHaveRung: true})
	next := func() error {
		_, err := h.Next(t.Context(), alice, id, verify.Once[verify.View]{})
		return err
	}
	h.ok(next())
	h.settle(noAnswer)
	wantCode(t, next(), verify.NoStep)
	h.wait(2 * time.Minute)
	h.idle()
}

// Another route only where the phone cannot have rung.
func TestNoSecondRing(t *testing.T) {
	t.Parallel()
	routes := []carrier.Route{route("a", everything), route("b", everything)}
	t.Run("not rung", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, setup{routes: routes})
		id := h.start(verify.StartRequest{}).View.ID
		h.settle(notRung)
		d := h.dial()
		if d.Attempt.Route == "a" || len(d.Routes) != 1 || d.Routes[0].Name != "b" || d.Attempt.Send != 1 {
			t.Errorf("second attempt: %+v", d.Attempt)
		}
		h.ok(h.Settle(t.Context(), d, notRung))
		h.idle()
		if v := h.read(id).Verification; v.Sends != 1 || v.Status != verify.Pending {
			t.Errorf("%d sends, %s", v.Sends, v.Status)
		}
	})
	for name, e := range map[string]outcome.Ending{
		"lost": lost, "no answer": noAnswer, "the number's fault": {Outcome: outcome.Unreachable, Fault: outcome.FaultNumber},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, setup{routes: routes})
			h.start(verify.StartRequest{})
			h.settle(e)
			h.wait(5 * time.Minute)
			h.idle()
		})
	}
}

// Nobody knows whether a lost call still rings: the next waits until it cannot.
func TestCallAfterALostOneWaits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	h.settle(lost)
	_, err := h.Resend(t.Context(), alice, id, "", verify.Once[verify.View]{})
	h.ok(err)
	h.wait(verify.PlaceTimeout + verify.RingTimeout + verify.LongestCall - time.Second)
	h.idle()
	h.wait(2 * time.Second)
	h.dial()
}

func TestPermanentRefusalFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	h.settle(outcome.Ending{Outcome: outcome.CarrierRefused, Fault: outcome.FaultNumber, Permanent: true})
	if v := h.read(id).Verification; v.Status != verify.Failed || v.Reason != verify.ReasonRefused || v.Sealed != nil {
		t.Errorf("%s, %s", v.Status, v.Reason)
	}
}

func TestReportEndsAndBlocks(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	h.settle(outcome.Ending{Outcome: outcome.Reported, MayHaveRung: true})
	if v := h.read(id).Verification; v.Status != verify.Failed || v.Reason != verify.ReasonReported {
		t.Errorf("%s, %s", v.Status, v.Reason)
	}
	h.wait(400 * 24 * time.Hour)
	h.ok(h.Forget(t.Context()))
	_, err := h.Start(t.Context(), alice, verify.StartRequest{To: number}, verify.Once[verify.Started]{})
	wantCode(t, err, verify.NumberDenied)
}

func TestResend(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	code := h.code(id)
	resend := func() error {
		_, err := h.Resend(t.Context(), alice, id, "", verify.Once[verify.View]{})
		return err
	}
	if e := wantCode(t, resend(), verify.InProgress); e.RetryAfter == 0 {
		t.Error("says when to come back")
	}
	h.settle(noAnswer)
	for range 4 {
		h.ok(resend())
		d := h.dial()
		if d.Message.Code.Reveal() != code {
			t.Error("the code changed")
		}
		h.ok(h.Settle(t.Context(), d, noAnswer))
	}
	wantCode(t, resend(), verify.SendsSpent)
	_, err := h.Resend(t.Context(), alice, id, "fax", verify.Once[verify.View]{})
	wantCode(t, err, verify.BadInput)
	_, err = h.Resend(t.Context(), verify.Caller{Account: "alice", Verification: id}, id, "sms", verify.Once[verify.View]{})
	wantCode(t, err, verify.BadInput)
}

func TestNoCallWithTooLittleTimeLeft(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	h.wait(10*time.Minute - verify.NeededForCall + time.Second)
	d := h.delivery()
	may, err := h.Dial(t.Context(), d, verify.Dialling{Route: "one"})
	h.ok(err)
	if may || last(h.read(id)).Outcome != outcome.Canceled {
		t.Errorf("may dial: %v, outcome %q", may, last(h.read(id)).Outcome)
	}
	_, err = h.Resend(t.Context(), alice, id, "", verify.Once[verify.View]{})
	wantCode(t, err, verify.AlreadyEnded)
	_, err = h.Resend(t.Context(), alice, id, "sms", verify.Once[verify.View]{})
	h.ok(err)
}

func TestCancelHangsUpAndDrops(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	cancel := func(id string) error {
		_, err := h.Cancel(t.Context(), alice, id, verify.Once[verify.View]{})
		return err
	}
	id := h.start(verify.StartRequest{}).View.ID
	h.ok(cancel(id))
	h.idle()
	wantCode(t, cancel(id), verify.AlreadyEnded)

	id = h.start(verify.StartRequest{}).View.ID
	d := h.dial()
	h.ok(cancel(id))
	stop, err := h.Progress(t.Context(), d, carrier.Event{Kind: carrier.Ringing})
	h.ok(err)
	stops, err := h.Stops(t.Context(), []string{d.Attempt.ID, "unknown"})
	h.ok(err)
	if stop != verify.ReasonAsked || stops[d.Attempt.ID] != verify.ReasonAsked || len(stops) != 1 {
		t.Errorf("stop %q, stops %v", stop, stops)
	}
	h.ok(h.Settle(t.Context(), d, canceled))
	h.idle()
}

// An approval lets the call in progress finish.
func TestApprovalDoesNotHangUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{}).View.ID
	code := h.code(id)
	d := h.dial()
	if got, err := h.check(id, code); err != nil || !got.Valid {
		t.Fatalf("got %+v, %v", got, err)
	}
	stop, err := h.Progress(t.Context(), d, carrier.Event{Kind: carrier.ReadOnce, Readout: 1})
	h.ok(err)
	if stop != "" {
		t.Errorf("told to stop: %s", stop)
	}
	h.ok(h.Settle(t.Context(), d, heard))
	if a := last(h.read(id)); a.Outcome != outcome.Heard || a.Readouts != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestScreenDigitsAreShownBetweenRingingAndGate(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{})
	id := h.start(verify.StartRequest{Screen: true}).View.ID
	d := h.delivery()
	_, err := h.Dial(t.Context(), d, verify.Dialling{Route: "one", Gate: script.GateScreenDigits, Screen: secret.NewText("42")})
	h.ok(err)
	_, err = h.Placed(t.Context(), d, "ref")
	h.ok(err)
	shown := func(who verify.Caller) string {
		v, err := h.Get(t.Context(), who, id)
		h.ok(err)
		return v.ScreenDigits
	}
	token := verify.Caller{Account: "alice", Verification: id}
	stranger := verify.Caller{Account: "alice", Key: "k2"}
	want := func(moment, digits string) {
		t.Helper()
		if shown(alice) != digits || shown(token) != digits || shown(stranger) != "" {
			t.Errorf("%s: key %q, token %q, another key %q", moment, shown(alice), shown(token), shown(stranger))
		}
	}
	want("placed", "")
	for _, e := range []struct {
		kind   carrier.EventKind
		digits string
	}{{carrier.Ringing, "42"}, {carrier.Answered, "42"}, {carrier.GatePassed, ""}} {
		_, err := h.Progress(t.Context(), d, carrier.Event{Kind: e.kind})
		h.ok(err)
		want(string(e.kind), e.digits)
	}
	h.ok(h.Settle(t.Context(), d, heard))
	if last(h.read(id)).Screen != nil {
		t.Error("the end erases the screen digits")
	}
}
