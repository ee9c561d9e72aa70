package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/sqlite"
	"github.com/pincall/pincall/internal/verify"
)

// able is a carrier of which only the abilities are asked.
type able struct {
	carrier.Carrier
	can carrier.Abilities
}

func (a able) Can() carrier.Abilities { return a.can }

var everything = carrier.Abilities{Voice: true, SMS: true, Gate: true, Keys: true, Text: true, Payee: true}

func route(name string, can carrier.Abilities) carrier.Route {
	return carrier.Route{Name: name, Carrier: able{can: can}}
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// services answers with one service for every account.
type services struct{ s account.Service }

func (services) Enabled(_ context.Context, acc string) (bool, error) { return acc != "disabled", nil }

func (s services) Service(_ context.Context, acc, id string) (account.Service, error) {
	if id != "" && id != "default" {
		return account.Service{}, account.ErrNotFound
	}
	out := s.s.WithDefaults()
	out.ID, out.Account = "default", acc
	return out, nil
}

// house is a core over the real embedded store, with time in the test's hands.
type house struct {
	*verify.Core
	t     *testing.T
	store *sqlite.Store
	keys  *secret.Keyring
	clock *clock
	node  string
}

type setup struct {
	service account.Service
	routes  []carrier.Route
	limits  guard.Limits
}

var alice = verify.Caller{Account: "alice", Key: "k1"}

const number = "+818012345678"

func newHouse(t *testing.T, s setup) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{t: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}}
	var err error
	h.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "p.db"), Now: h.clock.now})
	h.ok(err)
	t.Cleanup(func() { h.store.Close() })
	h.keys, err = secret.NewKeyring(nil, h.clock.now())
	h.ok(err)
	if s.routes == nil {
		s.routes = []carrier.Route{route("one", everything)}
	}
	if s.limits.Countries == nil {
		s.limits.Countries = []string{"JP", "US"}
	}
	h.Core, err = verify.New(verify.Config{
		Store: h.store, Keys: h.keys, Services: services{s.service}, Routes: s.routes, Limits: s.limits, Now: h.clock.now,
	})
	h.ok(err)
	h.node, err = h.store.Join(t.Context())
	h.ok(err)
	return h
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// start begins a verification and gives its view.
func (h *house) start(req verify.StartRequest) verify.Started {
	h.t.Helper()
	if req.To == "" {
		req.To = number
	}
	a, err := h.Start(h.t.Context(), alice, req, verify.Once[verify.Started]{})
	h.ok(err)
	return a.Value
}

func (h *house) check(id, code string) (verify.Checked, error) {
	a, err := h.Check(h.t.Context(), alice, id, verify.CheckRequest{Code: code}, verify.Once[verify.Checked]{})
	return a.Value, err
}

// read gives what is stored.
func (h *house) read(id string) verify.State {
	h.t.Helper()
	s, err := h.store.Read(h.t.Context(), alice.Account, id)
	h.ok(err)
	return s
}

// code opens the sealed code of a pending verification.
func (h *house) code(id string) string {
	h.t.Helper()
	v := h.read(id).Verification
	b, err := h.keys.Open(v.Sealed, "code", v.Account, v.ID)
	h.ok(err)
	var plain struct{ Code string }
	h.ok(json.Unmarshal(b, &plain))
	return plain.Code
}

func wrong(code string) string { return fmt.Sprintf("%c%s", '0'+(code[0]-'0'+1)%10, code[1:]) }

// lease gives the jobs that are due.
func (h *house) lease() []jobs.Job {
	h.t.Helper()
	h.ok(ignoreExpired(h.store.Beat(h.t.Context(), h.node)))
	got, err := h.store.Lease(h.t.Context(), h.node, 0, 100)
	h.ok(err)
	return got
}

// ignoreExpired lets a test jump over a heartbeat: it joins anew.
func ignoreExpired(err error) error {
	if errors.Is(err, jobs.ErrNodeExpired) {
		return nil
	}
	return err
}

// wait moves the time, keeping the node alive.
func (h *house) wait(d time.Duration) {
	h.t.Helper()
	h.clock.add(d)
	var err error
	if h.store.Beat(h.t.Context(), h.node) != nil {
		h.node, err = h.store.Join(h.t.Context())
		h.ok(err)
	}
}

// delivery leases the one job that is due and opens it.
func (h *house) delivery() verify.Delivery {
	h.t.Helper()
	got := h.lease()
	if len(got) != 1 || got[0].Kind != jobs.Deliver {
		h.t.Fatalf("%d jobs are due, want one delivery", len(got))
	}
	d, err := h.Delivery(h.t.Context(), got[0].Lease, got[0].Subject)
	h.ok(err)
	return d
}

// dial takes the one delivery up to the placed call.
func (h *house) dial() verify.Delivery {
	h.t.Helper()
	d := h.delivery()
	may, err := h.Dial(h.t.Context(), d, verify.Dialling{Route: d.Routes[0].Name, Gate: script.GateAnyKey})
	h.ok(err)
	if !may {
		h.t.Fatal("the attempt may not be placed")
	}
	_, err = h.Placed(h.t.Context(), d, "ref")
	h.ok(err)
	return d
}

// settle takes the one delivery to an end.
func (h *house) settle(e outcome.Ending) {
	h.t.Helper()
	d := h.dial()
	h.ok(h.Settle(h.t.Context(), d, e))
}

// step does the one step job that is due.
func (h *house) step() {
	h.t.Helper()
	got := h.lease()
	if len(got) != 1 || got[0].Kind != jobs.Step {
		h.t.Fatalf("%d jobs are due, want one step", len(got))
	}
	h.ok(h.Step(h.t.Context(), got[0].Lease, got[0].Subject))
}

func (h *house) idle() {
	h.t.Helper()
	if got := h.lease(); len(got) != 0 {
		h.t.Fatalf("%d jobs are due, want none", len(got))
	}
}

// wantCode fails unless err is the core's error of that code.
func wantCode(t *testing.T, err error, code verify.Code) *verify.Error {
	t.Helper()
	var e *verify.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	return e
}

func last(s verify.State) verify.Attempt { return s.Attempts[len(s.Attempts)-1] }

// row reads a row of counters.
func (h *house) row(key string) (r guard.Row) {
	h.t.Helper()
	h.ok(h.store.Do(h.t.Context(), verify.Op{Need: verify.Need{Limits: []string{key}}, Plan: func(s verify.State) (verify.Writes, error) {
		r = s.Limits[key]
		return verify.Writes{}, nil
	}}))
	return r
}
