// Command race sends the right code of a verification eight times at the same
// moment, for many verifications, and counts how often it approved. Run it with
//
//	make bench-race [TRIALS=10000] [DB=sqlite|postgres] [AT_ONCE=8]
//
// The exit status is 1 unless exactly one answer approves in every trial.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/pincall/pincall/bench/internal/api"
	"github.com/pincall/pincall/bench/internal/pg"
	"github.com/pincall/pincall/bench/internal/recorder"
	"github.com/pincall/pincall/bench/internal/server"
	"github.com/pincall/pincall/bench/internal/settings"
)

// groups is how many trials are under way at a time.
const groups = 8

// codeWait is how long a call may take to reach the carrier.
const codeWait = time.Minute

func main() {
	ctx, cancel := settings.Context(30 * time.Minute)
	defer cancel()
	ok, err := run(ctx, settings.Number("TRIALS", 10_000))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-race:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// found is how many answers approved, by trial.
type found struct {
	mu              sync.Mutex
	none, one, more int
	failed          int
	first           error
}

// ring is everything that takes part.
type ring struct {
	rec    *recorder.Recorder
	api    *api.Client
	atOnce int
}

func run(ctx context.Context, trials int) (ok bool, err error) {
	rec, err := recorder.New()
	if err != nil {
		return false, err
	}
	defer rec.Close()
	cfg := server.Config{Carrier: rec.URL}
	if settings.Word("DB", "sqlite") == "postgres" {
		c, err := pg.Start()
		if err != nil {
			return false, err
		}
		defer func() { _ = c.Close() }()
		cfg.Database = c.URL()
	}
	s, err := server.New(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer s.Close()
	if _, err := s.Run(ctx); err != nil {
		return false, err
	}
	r := ring{rec: rec, atOnce: settings.Number("AT_ONCE", 8)}
	r.api = api.New(s.URL, s.Key, groups*r.atOnce)
	began := time.Now()
	f := r.trials(ctx, trials)
	took := time.Since(began)
	fmt.Printf("%d verifications, each with %d right answers at the same moment, in %s: %d approved once, %d more often, %d never\n",
		trials, r.atOnce, took.Round(time.Second), f.one, f.more, f.none)
	if f.first != nil {
		fmt.Println("first failure:", f.first)
	}
	fmt.Printf("trials=%d one_approval=%d more=%d none=%d failed=%d\n", trials, f.one, f.more, f.none, f.failed)
	return f.one == trials, nil
}

func (r ring) trials(ctx context.Context, trials int) *found {
	f := &found{}
	todo := make(chan int)
	var all sync.WaitGroup
	for range groups {
		all.Go(func() {
			for n := range todo {
				approvals, err := r.trial(ctx, n)
				f.count(approvals, err)
			}
		})
	}
	for n := range trials {
		todo <- n
	}
	close(todo)
	all.Wait()
	return f
}

func (f *found) count(approvals int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		if f.failed++; f.failed == 1 {
			f.first = err
		}
	}
	switch approvals {
	case 0:
		f.none++
	case 1:
		f.one++
	default:
		f.more++
	}
}

// trial starts a verification and answers it; it gives how often it approved.
func (r ring) trial(ctx context.Context, n int) (approvals int, err error) {
	to := api.Number(n)
	v, _, err := r.api.Start(ctx, api.Body(to, "voice"), "")
	if err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	code, err := r.code(ctx, to)
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	now := make(chan struct{})
	for range r.atOnce {
		all.Go(func() {
			<-now
			got, _, checkErr := r.api.Check(ctx, v.ID, code, "")
			mu.Lock()
			defer mu.Unlock()
			if checkErr == nil && got.Valid {
				approvals++
			}
			if !api.Final(checkErr) {
				err = fmt.Errorf("check: %w", checkErr)
			}
		})
	}
	close(now)
	all.Wait()
	return approvals, err
}

// code waits until the carrier was told.
func (r ring) code(ctx context.Context, to string) (string, error) {
	for end := time.Now().Add(codeWait); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if code, ok := r.rec.Code(to); ok {
			return code, nil
		}
	}
	return "", errors.New("a call did not reach the carrier")
}
