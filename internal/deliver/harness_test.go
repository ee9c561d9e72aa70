package deliver_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/deliver"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/sqlite"
	"github.com/pincall/pincall/internal/verify"
)

// fake is a carrier that does as a test says. Its zero hooks place every call
// and end it as heard.
type fake struct {
	mu     sync.Mutex
	can    carrier.Abilities
	place  func(carrier.Call) (carrier.Ref, error)
	follow func(context.Context, carrier.Ref, func(carrier.Event)) (outcome.Ending, error)
	placed []carrier.Call
	hung   []carrier.Ref
}

func (f *fake) Can() carrier.Abilities { return f.can }

func (f *fake) Place(_ context.Context, c carrier.Call) (carrier.Ref, error) {
	f.mu.Lock()
	f.placed = append(f.placed, c)
	n := len(f.placed)
	f.mu.Unlock()
	if f.place != nil {
		return f.place(c)
	}
	return carrier.Ref(fmt.Sprint("ref", n)), nil
}

func (f *fake) Follow(ctx context.Context, ref carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
	if f.follow != nil {
		return f.follow(ctx, ref, report)
	}
	for _, k := range []carrier.EventKind{carrier.Ringing, carrier.Answered, carrier.GatePassed, carrier.Reading} {
		report(carrier.Event{Kind: k})
	}
	report(carrier.Event{Kind: carrier.ReadOnce, Readout: 1})
	return outcome.Ending{Outcome: outcome.Heard, Reason: "heard", MayHaveRung: true}, nil
}

func (f *fake) Hangup(_ context.Context, ref carrier.Ref) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hung = append(f.hung, ref)
	return nil
}

func (f *fake) calls() []carrier.Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]carrier.Call(nil), f.placed...)
}

var everything = carrier.Abilities{Voice: true, SMS: true, Gate: true, Keys: true, Text: true, Payee: true}

type services struct{}

func (services) Enabled(_ context.Context, acc string) (bool, error) { return acc != "disabled", nil }

func (services) Service(_ context.Context, acc, _ string) (account.Service, error) {
	return account.Service{ID: "s", Account: acc}.WithDefaults(), nil
}

// house is a store with a core and the routes of a test; workers come and go.
type house struct {
	*verify.Core
	t     *testing.T
	store *sqlite.Store
	log   *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHouse(t *testing.T, carriers ...*fake) *house {
	t.Helper()
	return newHouseOf(t, services{}, carriers...)
}

func newHouseOf(t *testing.T, svc verify.Services, carriers ...*fake) *house {
	t.Helper()
	h := &house{t: t, log: &logBuffer{}}
	var err error
	h.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "p.db")})
	h.ok(err)
	t.Cleanup(func() { h.store.Close() })
	keys, err := secret.NewKeyring(nil, time.Now())
	h.ok(err)
	var routes []carrier.Route
	for i, c := range carriers {
		if c.can.Languages == nil && !c.can.Voice && !c.can.SMS {
			c.can = everything
		}
		routes = append(routes, carrier.Route{Name: string(rune('a' + i)), Carrier: c})
	}
	h.Core, err = verify.New(verify.Config{
		Store: h.store, Keys: keys, Services: svc, Routes: routes,
		Limits: guard.Limits{Countries: []string{"JP"}},
	})
	h.ok(err)
	return h
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// work starts a worker, which stops with the test unless it was stopped before.
func (h *house) work() (stop func()) {
	h.t.Helper()
	w, err := deliver.New(deliver.Config{
		Core: h.Core, Queue: h.store, StopAfter: 200 * time.Millisecond, Log: slog.New(slog.NewTextHandler(h.log, nil)),
	})
	h.ok(err)
	h.ok(w.Start(h.t.Context()))
	stop = sync.OnceFunc(func() { h.ok(w.Stop(context.Background())) })
	h.t.Cleanup(stop)
	return stop
}

var alice = verify.Caller{Account: "alice", Key: "k"}

const number = "+818012345678"

func (h *house) start(req verify.StartRequest) string {
	h.t.Helper()
	if req.To == "" {
		req.To = number
	}
	a, err := h.Start(h.t.Context(), alice, req, verify.Once[verify.Started]{})
	h.ok(err)
	return a.Value.View.ID
}

func (h *house) view(id string) verify.View {
	h.t.Helper()
	v, err := h.Get(h.t.Context(), alice, id)
	h.ok(err)
	return v
}

// until waits for a view that satisfies a condition.
func (h *house) until(id, what string, ok func(verify.View) bool) verify.View {
	h.t.Helper()
	for range 1000 {
		if v := h.view(id); ok(v) {
			return v
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatalf("%s does not come: %+v", what, h.view(id).Attempts)
	return verify.View{}
}

// ended waits until n attempts have ended.
func (h *house) ended(id string, n int) []verify.AttemptView {
	h.t.Helper()
	return h.until(id, fmt.Sprint(n, " ended attempts"), func(v verify.View) bool {
		done := 0
		for _, a := range v.Attempts {
			if a.State == verify.StateEnded {
				done++
			}
		}
		return done >= n
	}).Attempts
}
