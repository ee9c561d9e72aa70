// Package storetest is the conformance suite of the storage engines: what every
// engine must do, whatever its statements look like. It knows the contracts of
// verify, jobs and account, and no engine.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// Engine is all that an engine implements. One that carries out several groups of
// operations at once says with a method Writers() int how many.
type Engine interface {
	verify.Store
	jobs.Queue
	account.Store
	// Close ends the engine after what is waiting was done.
	Close() error
}

// Open makes an engine over an empty database, with the given clock, and closes
// it when the test ends.
type Open func(t *testing.T, now func() time.Time) Engine

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, group := range [][]testCase{doCases(), batchCases(), readCases(), queueCases(), handoverCases(), fenceCases(), accountCases(), recordCases(), textCases()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				clock := &Clock{at: time.Date(2025, 3, 4, 5, 6, 7, 123456000, time.UTC)}
				c.run(&suite{T: t, Engine: open(t, clock.Now), clock: clock})
			})
		}
	}
}

type testCase struct {
	name string
	run  func(*suite)
}

// suite is one test with its own engine and clock.
type suite struct {
	*testing.T
	Engine
	clock *Clock
}

// Clock is a clock that a test moves. Safe for concurrent use.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now reads the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// same compares what was stored with what came back: an empty list or BLOB and
// none are the same, and rows of limits are compared in their stored form.
func same[T any](s *suite, what string, want, got T) {
	s.Helper()
	diff := cmp.Diff(want, got, cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b guard.Row) bool { return string(a.Encode()) == string(b.Encode()) }))
	if diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ok ends the test at an error.
func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// is wants a certain error.
func (s *suite) is(want, got error) {
	s.Helper()
	if !errors.Is(got, want) {
		s.Errorf("got the error %v, want %v", got, want)
	}
}

// put writes, without reading anything.
func (s *suite) put(w verify.Writes) {
	s.Helper()
	s.ok(s.Do(s.Context(), writing(w)))
}

// writing is an operation that needs nothing.
func writing(w verify.Writes) verify.Op {
	return verify.Op{Plan: func(verify.State) (verify.Writes, error) { return w, nil }}
}

// state gives what a plan with this need would see.
func (s *suite) state(need verify.Need) verify.State {
	s.Helper()
	var seen verify.State
	s.ok(s.Do(s.Context(), verify.Op{Need: need, Plan: func(st verify.State) (verify.Writes, error) {
		seen = st
		return verify.Writes{}, nil
	}}))
	return seen
}

// read gives a verification as it is stored.
func (s *suite) read(v verify.Verification) (verify.Verification, []verify.Attempt) {
	s.Helper()
	st, err := s.Read(s.Context(), v.Account, v.ID)
	s.ok(err)
	return *st.Verification, st.Attempts
}

// settle is how long goroutines are given to reach the queue. Too short a time
// makes a batch smaller and a test weaker, never wrong.
const settle = 30 * time.Millisecond

// together carries out operations that have all waited while every writer was
// held by a plan, and gives their answers.
func (s *suite) together(ops []verify.Op) []error {
	s.Helper()
	release := s.hold(context.Background(), verify.Writes{})
	errs := make([]error, len(ops))
	var wg sync.WaitGroup
	for i, op := range ops {
		wg.Go(func() { errs[i] = s.Do(context.Background(), op) })
	}
	time.Sleep(settle)
	release()
	wg.Wait()
	return errs
}

// hold keeps the engine's writers busy with plans that wait for release, which
// returns when they were carried out: each writes w.
func (s *suite) hold(ctx context.Context, w verify.Writes) (release func()) {
	s.Helper()
	writers := 1
	if e, ok := s.Engine.(interface{ Writers() int }); ok {
		writers = e.Writers()
	}
	open := make(chan struct{})
	var wg sync.WaitGroup
	for range writers {
		held := make(chan struct{})
		var once sync.Once
		wg.Go(func() {
			err := s.Do(ctx, verify.Op{Plan: func(verify.State) (verify.Writes, error) {
				once.Do(func() { close(held) })
				<-open
				return w, nil
			}})
			if err != nil {
				s.Errorf("a holding operation that was carried out: %v", err)
			}
		})
		<-held
	}
	return func() {
		close(open)
		wg.Wait()
	}
}

// sample is a verification with every field set, different for each n.
func (s *suite) sample(acc string, n int) verify.Verification {
	now := s.clock.Now()
	b := func(name string) []byte { return fmt.Appendf(nil, "%s-%s-%d", name, acc, n) }
	return verify.Verification{
		ID: secret.NewID(now, nil), Account: acc, Service: "svc", Purpose: "login", NumberIndex: b("index"),
		NumberSealed: b("number"), Country: "JP", Prefix: "818012", LimitKey: "n/" + string(b("limit")),
		Binding: b("binding"), Order: b("order"), Status: verify.Pending, Reason: "why", KeyID: "k1", CodeMAC: b("mac"),
		Sealed: b("sealed"), TokenHash: b("token"), Guesses: 1, Sends: 2, Step: 1, CreatedAt: now,
		ExpiresAt: now.Add(10 * time.Minute), EndedAt: now.Add(time.Second), Context: b("context"),
		Settings: verify.Settings{
			StartedBy: "key1", Language: "ja", Brand: "Acme", CodeLength: 6, MaxGuesses: 100, MaxSends: 4,
			Gate: script.GateAnyKey, GatePolicy: account.GatePrefer, PlainDigits: true, Words: true,
			Workflow: []account.Step{{Channel: phone.SMS, Timeout: time.Minute}, {Channel: phone.Voice, Timeout: time.Hour}},
		},
	}
}

// attempt is an attempt with every field set.
func (s *suite) attempt(v verify.Verification, n int) verify.Attempt {
	now := s.clock.Now()
	return verify.Attempt{
		ID: secret.NewID(now, nil), Verification: v.ID, Account: v.Account, N: n, Send: n, Step: 1, Channel: phone.Voice,
		Route: "trunk", State: verify.StateInCall, Ref: "ref", Outcome: outcome.Answered, Reason: "because",
		MayHaveRung: true, Fault: outcome.FaultCarrier, Permanent: true, Gate: script.GateScreenDigits, Ungated: true,
		Screen: []byte("screen"), GatePassed: true, Readouts: 2, Stop: "canceled", CreatedAt: now,
		DialledAt: now.Add(time.Second), AnsweredAt: now.Add(2 * time.Second), EndedAt: now.Add(3 * time.Second),
		RungAt: now.Add(1500 * time.Millisecond), GateAt: now.Add(2500 * time.Millisecond),
	}
}

// row is a limit row with something in it.
func (s *suite) row(open int64) guard.Row {
	w := guard.Window{}.Add(s.clock.Now(), time.Hour, 3)
	return guard.Row{Windows: map[guard.Rule]guard.Window{guard.RuleStarts: w}, Open: open}
}
