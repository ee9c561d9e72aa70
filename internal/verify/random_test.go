package verify_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/verify"
)

// world does anything that can happen, in random order, and checks after every
// act what must always hold.
type world struct {
	*house
	rng      *rand.Rand
	ids      []string
	flying   []verify.Delivery
	approved map[string]int
	rang     map[string]int            // placed attempts by verification and send that may have rung
	told     map[string][]verify.Event // by verification, after the act before
}

var endings = []outcome.Ending{
	heard, noAnswer, notRung, lost, canceled,
	{Outcome: outcome.Busy, MayHaveRung: true, Fault: outcome.FaultNumber},
	{Outcome: outcome.GateMissed, MayHaveRung: true, Fault: outcome.FaultPerson},
	{Outcome: outcome.CarrierRefused, Fault: outcome.FaultOurs},
	{Outcome: outcome.CarrierRefused, Fault: outcome.FaultNumber, Permanent: true},
	{Outcome: outcome.Delivered, MayHaveRung: true},
	{Outcome: outcome.Undelivered, MayHaveRung: true, Fault: outcome.FaultNumber},
}

func TestAnythingInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			limits := guard.Limits{
				Starts: guard.Limit{N: 1000, Window: time.Hour}, Sends: guard.Limit{N: 1000, Window: time.Hour},
				Wrong: guard.Limit{N: 1000, Window: time.Hour}, ConcurrentCalls: 4,
			}
			w := &world{
				house:    newHouse(t, setup{limits: limits, routes: []carrier.Route{route("a", everything), route("b", everything)}}),
				rng:      rand.New(rand.NewPCG(seed, 3)),
				approved: map[string]int{}, rang: map[string]int{}, told: map[string][]verify.Event{},
			}
			for range 250 {
				w.act()
				w.invariants()
			}
			w.drain()
		})
	}
}

func (w *world) id() string { return w.ids[w.rng.IntN(len(w.ids))] }

func (w *world) act() {
	w.t.Helper()
	if len(w.ids) == 0 {
		w.begin()
		return
	}
	id, none := w.id(), verify.Once[verify.View]{}
	var err error
	switch w.rng.IntN(10) {
	case 0:
		w.begin()
	case 1, 2:
		w.take()
	case 3:
		w.finish()
	case 4:
		w.guess(id)
	case 5:
		_, err = w.Resend(w.t.Context(), alice, id, []string{"", "sms", "voice"}[w.rng.IntN(3)], none)
	case 6:
		_, err = w.Next(w.t.Context(), alice, id, none)
	case 7:
		if w.rng.IntN(4) == 0 {
			_, err = w.Cancel(w.t.Context(), alice, id, none)
		}
	case 8:
		if len(w.flying) > 0 {
			w.report(w.flying[w.rng.IntN(len(w.flying))])
		}
	case 9:
		w.wait(time.Duration(w.rng.IntN(100)) * time.Second)
		_, err = w.Sweep(w.t.Context())
		// What was on its way before a long wait is on its way no more.
		_, reapErr := w.store.Reap(w.t.Context())
		w.ok(reapErr)
	}
	var e *verify.Error
	if err != nil && !errors.As(err, &e) || e != nil && e.Code == verify.Internal {
		w.t.Fatal(err)
	}
}

func (w *world) begin() {
	req := verify.StartRequest{
		To: fmt.Sprintf("+81801234567%d", w.rng.IntN(3)), Purpose: []string{"", "pay"}[w.rng.IntN(2)],
		Workflow: [][]account.Step{
			nil, {{Channel: phone.SMS, Timeout: 20 * time.Second}, {Channel: phone.Voice}}, {{Channel: phone.Voice}, {Channel: phone.Voice}},
		}[w.rng.IntN(3)],
	}
	a, err := w.Start(w.t.Context(), alice, req, verify.Once[verify.Started]{})
	if err != nil {
		wantCode(w.t, err, verify.Limited)
		return
	}
	w.ids = append(w.ids, a.Value.View.ID)
}

// take works on what is due, up to the placed call.
func (w *world) take() {
	w.t.Helper()
	for _, j := range w.lease() {
		if j.Kind == jobs.Step {
			w.ok(w.Step(w.t.Context(), j.Lease, j.Subject))
			continue
		}
		d, err := w.Delivery(w.t.Context(), j.Lease, j.Subject)
		w.ok(err)
		if d.Attempt.State != verify.StateQueued { // its worker was lost
			w.ok(w.Settle(w.t.Context(), d, lost))
			continue
		}
		if len(d.Routes) == 0 {
			w.t.Fatal("a queued attempt without a route to try")
		}
		may, err := w.Dial(w.t.Context(), d, verify.Dialling{Route: d.Routes[0].Name, Gate: script.GateAnyKey})
		w.ok(err)
		if may {
			_, err = w.Placed(w.t.Context(), d, "ref")
			w.ok(err)
			w.flying = append(w.flying, d)
			w.report(d)
		}
	}
}

// finish settles one attempt that is on its way, if its lease still holds.
func (w *world) finish() {
	w.t.Helper()
	if len(w.flying) == 0 {
		return
	}
	i := w.rng.IntN(len(w.flying))
	d := w.flying[i]
	w.flying = append(w.flying[:i], w.flying[i+1:]...)
	e := endings[w.rng.IntN(len(endings))]
	if err := w.Settle(w.t.Context(), d, e); err != nil && !errors.Is(err, jobs.ErrLeaseLost) {
		w.t.Fatal(err)
	}
}

func (w *world) guess(id string) {
	w.t.Helper()
	code := w.code0(id)
	if w.rng.IntN(2) == 0 {
		code = wrong(code)
	}
	if got, err := w.check(id, code); err == nil && got.Valid {
		w.approved[id]++
	}
}

// invariants are what must hold after every act.
func (w *world) invariants() {
	w.t.Helper()
	open, pendingOf := int64(0), map[string]string{}
	for _, id := range w.ids {
		s := w.read(id)
		v := s.Verification
		if (v.Status == verify.Pending) != (v.Sealed != nil) || (v.Sealed == nil) != (v.TokenHash == nil) {
			w.t.Fatalf("%s: sealed %v, token %v", v.Status, v.Sealed != nil, v.TokenHash != nil)
		}
		if (v.Status == verify.Approved) != (w.approved[id] == 1) || w.approved[id] > 1 {
			w.t.Fatalf("%s, approved %d times", v.Status, w.approved[id])
		}
		if v.Guesses > 5 || v.Sends > 5 || v.Step >= len(v.Settings.Workflow) {
			w.t.Fatalf("guesses %d, sends %d, step %d", v.Guesses, v.Sends, v.Step)
		}
		if v.Status == verify.Pending {
			if other := pendingOf[string(v.Binding)]; other != "" {
				w.t.Fatal("two pending verifications of one number and purpose")
			}
			pendingOf[string(v.Binding)] = id
		}
		open += w.attempts(s)
		w.events(id, s)
	}
	row := w.row("a/alice")
	if row.Open != open {
		w.t.Fatalf("%d calls are counted as open, and %d are", row.Open, open)
	}
}

// attempts checks one verification's attempts, and counts the open calls.
func (w *world) attempts(s verify.State) (open int64) {
	w.t.Helper()
	rung := map[int]int{}
	calling := 0
	for i, a := range s.Attempts {
		if a.N != i+1 {
			w.t.Fatalf("attempt %d has number %d", i+1, a.N)
		}
		if a.State == verify.StateEnded {
			if !a.Outcome.Valid() || a.EndedAt.IsZero() {
				w.t.Fatalf("ended with %q at %v", a.Outcome, a.EndedAt)
			}
			if a.MayHaveRung {
				rung[a.Send]++
			}
			continue
		}
		if s.Verification.Status != verify.Pending && s.Verification.Status != verify.Approved && a.Stop == "" {
			w.t.Fatalf("%s, and an attempt %s was not told to stop", s.Verification.Status, a.State)
		}
		if a.Channel == phone.Voice {
			open++
			if a.Stop == "" {
				calling++
			}
		}
	}
	if calling > 1 {
		w.t.Fatal("two calls of one verification at a time")
	}
	for send, n := range rung {
		if n > 1 {
			w.t.Fatalf("send %d may have rung %d times", send, n)
		}
	}
	return open
}

// drain lets everything end: nothing may be left open, and nothing to do.
func (w *world) drain() {
	w.t.Helper()
	for range 100 {
		w.take()
		for len(w.flying) > 0 {
			w.finish()
		}
		w.wait(time.Minute)
		_, err := w.Sweep(w.t.Context())
		w.ok(err)
		_, err = w.store.Reap(w.t.Context())
		w.ok(err)
	}
	w.invariants()
	row := w.row("a/alice")
	if row.Open != 0 {
		w.t.Errorf("%d calls are open when all is over", row.Open)
	}
	w.idle()
	if _, ok, err := w.store.NextDue(w.t.Context()); ok || err != nil {
		w.t.Errorf("a job is left: %v, %v", ok, err)
	}
}
