package deliver

import (
	"context"
	crand "crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// Timing of one attempt.
const (
	hangTimeout = 10 * time.Second
	retryAfter  = 2 * time.Second // of a job whose state could not be read
	// A write that must not be lost is tried again after firstWait, doubled up to
	// longestWait.
	firstWait   = 100 * time.Millisecond
	longestWait = 2 * time.Second
)

// work does one job, but for following an attempt: that is returned.
func (w *Worker) work(ctx context.Context, j jobs.Job) *following {
	if j.Kind == jobs.Step {
		if err := w.cfg.Core.Step(ctx, j.Lease, j.Subject); err != nil {
			w.giveBack(ctx, j, err)
		}
		return nil
	}
	read, err := w.cfg.Core.Delivery(ctx, j.Lease, j.Subject)
	d := &read
	switch {
	case errors.Is(err, verify.ErrGone):
		w.discard(ctx, j)
	case errors.Is(err, verify.ErrUnreadable) && w.cfg.Shared && j.Lease.N <= handOvers:
		w.handOver(ctx, j) // a new keyring may not have come here yet
	case errors.Is(err, verify.ErrUnreadable):
		w.cfg.Log.Error("an attempt cannot be made", "attempt", d.Attempt.ID, "error", err)
		w.settle(ctx, d, outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultOurs,
			Reason: "the stored number or code cannot be opened"})
	case err != nil:
		w.giveBack(ctx, j, err)
	case d.Attempt.State == verify.StateQueued:
		return w.place(ctx, j, d)
	case d.Attempt.State == verify.StateEnded:
		w.settle(ctx, d, outcome.Ending{Outcome: d.Attempt.Outcome, Reason: d.Attempt.Reason})
	default:
		return w.resume(ctx, j, d)
	}
	return nil
}

// giveBack returns a job that could not be worked on.
func (w *Worker) giveBack(ctx context.Context, j jobs.Job, why error) {
	if ctx.Err() != nil || errors.Is(why, jobs.ErrLeaseLost) {
		return
	}
	w.cfg.Log.Error("a job could not be worked on and will be tried again", "kind", j.Kind, "job", j.Lease.Job, "error", why)
	_ = w.persist(ctx, func(ctx context.Context) error { return w.cfg.Queue.Postpone(ctx, j.Lease, retryAfter) })
}

// discard finishes a job that has no attempt: there is nothing to settle.
func (w *Worker) discard(ctx context.Context, j jobs.Job) {
	w.cfg.Log.Error("a job without an attempt was dropped", "job", j.Lease.Job)
	_ = w.persist(ctx, func(ctx context.Context) error { return w.cfg.Core.Discard(ctx, j.Lease) })
}

// resume goes on with an attempt that a lost worker had begun. Where the carrier
// can still be asked, it is followed; otherwise nobody knows whether the phone
// rang, so it is settled and never placed again.
func (w *Worker) resume(ctx context.Context, j jobs.Job, d *verify.Delivery) *following {
	r, known := w.route(d)
	if d.Attempt.Ref != "" && known && r.Carrier.Can().Resume {
		if !w.serves(r) && d.Now.Sub(d.Attempt.DialledAt) < longestFollow {
			w.handOver(ctx, j)
			return nil
		}
		f := &following{d: d, carrier: r.Carrier, ref: carrier.Ref(d.Attempt.Ref)}
		f.stopped, f.unwatch = w.wake.Watch(d.Attempt.ID)
		return f
	}
	w.settle(ctx, d, outcome.Ending{
		Outcome: outcome.CarrierFailed, Reason: "the node that placed it was lost; the phone may have rung",
		MayHaveRung: true, Fault: outcome.FaultOurs,
	})
	return nil
}

// place chooses a route, composes, records that it is dialling, and places.
func (w *Worker) place(ctx context.Context, j jobs.Job, d *verify.Delivery) *following {
	if w.stopping.Load() {
		return nil // Leave gives the job back
	}
	began := time.Now()
	if !d.Enabled {
		w.settle(ctx, d, outcome.Ending{Outcome: outcome.Canceled, Reason: "the account is disabled"})
		return nil
	}
	if len(d.Routes) == 0 {
		w.settle(ctx, d, refusal("no configured carrier can serve this"))
		return nil
	}
	route, here := w.choose(j, d)
	if !here {
		w.handOver(ctx, j)
		return nil
	}
	call, what, err := w.compose(d, route)
	if err != nil {
		w.cfg.Log.Error("a message cannot be composed", "attempt", d.Attempt.ID, "language", d.Message.Lang, "error", err)
		w.settle(ctx, d, refusal("the message could not be composed"))
		return nil
	}
	if !w.fresh() {
		w.giveBack(ctx, j, errors.New("the heartbeat does not hold"))
		return nil
	}
	f := &following{d: d, carrier: route.Carrier}
	f.stopped, f.unwatch = w.wake.Watch(d.Attempt.ID) // from before it can be told to stop
	switch may, err := w.cfg.Core.Dial(ctx, *d, what); {
	case err != nil:
		w.giveBack(ctx, j, err)
	case !may:
	case !w.fresh():
		w.settle(ctx, d, outcome.Ending{Outcome: outcome.CarrierFailed, Fault: outcome.FaultOurs,
			Reason: "the node could not renew its heartbeat and placed nothing"})
	default:
		w.cfg.Observe.dialled(*d, began)
		d.Attempt.Route = route.Name
		return w.dial(ctx, f, call)
	}
	f.unwatch()
	return nil
}

// dial asks the carrier.
func (w *Worker) dial(ctx context.Context, f *following, call carrier.Call) *following {
	pctx, cancel := context.WithTimeout(ctx, verify.PlaceTimeout)
	ref, err := f.carrier.Place(pctx, call)
	cancel()
	if err != nil {
		f.unwatch()
		w.settle(ctx, f.d, carrier.EndingOf(err))
		return nil
	}
	f.ref = ref
	return w.placed(ctx, f)
}

// placed sees to the reference. Where a lost call could be followed by it, or the
// time of a message's step begins, it is on record before the attempt is followed.
// A line of our own dies with the node: its reference is recorded with the first
// that is heard of it.
func (w *Worker) placed(ctx context.Context, f *following) *following {
	d, c, ref := f.d, f.carrier, f.ref
	d.Message, d.Extension, d.Routes = script.Message{}, secret.Text{}, nil // were for placing it; a call in progress keeps no code here
	if d.Attempt.Channel == phone.Voice && !c.Can().Resume {
		if w.hangingUp.Load() {
			w.wake.Stop(d.Attempt.ID)
		}
		d.Ref = ref
		return f
	}
	err := w.persist(ctx, func(ctx context.Context) error {
		stop, err := w.cfg.Core.Placed(ctx, *d, ref)
		if stop != "" || w.hangingUp.Load() { // it was decided before the watching began
			w.wake.Stop(d.Attempt.ID)
		}
		return err
	})
	if errors.Is(err, jobs.ErrLeaseLost) {
		f.unwatch()
		w.hangup(ctx, d, c, ref)
		return nil
	}
	if err != nil {
		w.cfg.Log.Error("a reference cannot be recorded", "attempt", d.Attempt.ID, "error", err)
	}
	if d.Attempt.Channel == phone.SMS {
		f.unpark = w.park()
	}
	return f
}

// compose makes the call or the message, and what must be recorded of it.
func (w *Worker) compose(d *verify.Delivery, r carrier.Route) (carrier.Call, verify.Dialling, error) {
	what := verify.Dialling{Route: r.Name, Gate: script.GateNone}
	call := carrier.Call{
		Attempt: d.Attempt.ID, Account: d.Verification.Account, To: d.To, Channel: d.Attempt.Channel,
		RingTimeout: verify.RingTimeout, Longest: verify.LongestCall, Extension: d.Extension,
	}
	if d.Message.Code.IsZero() {
		return call, what, nil // the verification has ended: Dial will say no
	}
	if _, ok := r.Carrier.(carrier.Hinted); ok {
		call.Callback = w.cfg.Core.CallbackToken(d.Attempt.ID)
	}
	m := d.Message
	m.Longest = verify.LongestCall
	if d.Attempt.Channel == phone.SMS {
		m.Valid = d.Verification.ExpiresAt.Sub(d.Now).Round(time.Minute)
		call.Text = secret.NewText(script.SMS(m))
		return call, what, nil
	}
	can := r.Carrier.Can()
	m.Menu = can.Keys
	m.Gate = script.GateNone
	if can.Gate {
		m.Gate = d.Verification.Settings.Gate
	}
	what.Gate = m.Gate
	what.Ungated = !can.Gate && d.Verification.Settings.Gate != script.GateNone
	if m.Gate == script.GateScreenDigits {
		digits, err := w.screenDigits()
		if err != nil {
			return call, what, err
		}
		what.Screen, call.ScreenDigits = digits, digits
	}
	s, err := script.Compose(m)
	call.Script = s
	return call, what, err
}

// screenDigits draws two digits, new for every call.
func (w *Worker) screenDigits() (secret.Text, error) {
	r := w.cfg.Rand
	if r == nil {
		r = crand.Reader
	}
	var out []byte
	var b [1]byte
	for len(out) < 2 {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return secret.Text{}, err
		}
		if b[0] < 250 { // 250 = 25 * 10: no digit is likelier than another
			out = append(out, '0'+b[0]%10)
		}
	}
	return secret.NewText(string(out)), nil
}

func refusal(reason string) outcome.Ending {
	return outcome.Ending{Outcome: outcome.CarrierRefused, Reason: reason, Fault: outcome.FaultOurs, Permanent: true}
}
