package sqlite

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/store/storetest"
	"github.com/pincall/pincall/internal/verify"
)

func sample(clock *store.Clock) storetest.Sample {
	return storetest.NewSample(store.Time(clock.Micros()))
}

const clients = 64

// run64 lets the clients carry out b.N operations.
func run64(b *testing.B, s *Store, next func() verify.Op, after ...func()) {
	b.Helper()
	b.SetParallelism(clients)
	before := cpu(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Do(b.Context(), next()); err != nil {
				b.Error(err)
			}
		}
	})
	for _, f := range after {
		f()
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// cpu is what the process has used: it says more than the clock on a machine
// that has other work.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkStart64(b *testing.B) {
	s := openTest(b, Config{})
	run64(b, s, func() verify.Op { return sample(s.clock).Start() })
}

func BenchmarkCheck64(b *testing.B) {
	s := openTest(b, Config{})
	all := make([]storetest.Sample, 1000)
	for i := range all {
		all[i] = sample(s.clock)
		if err := s.Do(b.Context(), all[i].Start()); err != nil {
			b.Fatal(err)
		}
	}
	var i atomic.Int64
	run64(b, s, func() verify.Op { return all[i.Add(1)%int64(len(all))].Check() })
}

// worker delivers as the server does: it takes jobs as they are written, notes
// that a call leaves, and how it ended.
type worker struct {
	b      *testing.B
	s      *Store
	node   string
	places chan struct{}
	done   chan struct{} // one for each that was delivered
}

func newWorker(b *testing.B, s *Store) *worker {
	b.Helper()
	node, err := s.Join(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	w := &worker{b: b, s: s, node: node, places: make(chan struct{}, 1<<20), done: make(chan struct{}, 1<<20)}
	s.Offer(w)
	go w.beat()
	return w
}

// beat keeps the node alive until the benchmark ends.
func (w *worker) beat() {
	for tick := time.Tick(jobs.HeartbeatEvery); ; {
		select {
		case <-w.b.Context().Done():
			return
		case <-tick:
		}
		if err := w.s.Beat(w.b.Context(), w.node); err != nil && w.b.Context().Err() == nil {
			w.b.Error(err)
		}
	}
}

func (w *worker) Reserve(n int) (string, int) {
	got := 0
	for ; got < n; got++ {
		select {
		case w.places <- struct{}{}:
		default:
			return w.node, got
		}
	}
	return w.node, got
}

func (w *worker) Take(leased []jobs.Job, unused int) {
	for range unused {
		<-w.places
	}
	for _, j := range leased {
		go w.deliver(j)
	}
}

func (w *worker) deliver(j jobs.Job) {
	defer func() { <-w.places; w.done <- struct{}{} }()
	st, err := w.s.ReadAttempt(w.b.Context(), j.Subject)
	if err != nil {
		w.b.Error(err)
		return
	}
	v := st.Verification.ID
	dial := func(s verify.State, a verify.Attempt) verify.Writes {
		a.State, a.Route, a.Gate, a.DialledAt = verify.StateDialling, "main", script.GateAnyKey, s.Now
		return verify.Writes{Attempts: []verify.Attempt{a}}
	}
	settle := func(s verify.State, a verify.Attempt) verify.Writes {
		a.State, a.Outcome, a.Ref, a.MayHaveRung, a.Readouts, a.GatePassed = verify.StateEnded, outcome.Heard, "reference-of-the-line", true, 2, true
		a.RungAt, a.AnsweredAt, a.GateAt, a.EndedAt = s.Now, s.Now, s.Now, s.Now
		acc := "a/" + a.Account
		row := s.Limits[acc]
		row.Open--
		return verify.Writes{Attempts: []verify.Attempt{a}, Limits: map[string]verify.LimitRow{acc: {Row: row}}, Finish: &j.Lease}
	}
	for _, plan := range []func(verify.State, verify.Attempt) verify.Writes{dial, settle} {
		err := w.s.Do(w.b.Context(), verify.Op{
			Need: verify.Need{Account: st.Verification.Account, Verification: v, Limits: []string{"a/" + st.Verification.Account}, Lease: &j.Lease},
			Plan: func(s verify.State) (verify.Writes, error) { return plan(s, s.Attempts[0]), nil },
		})
		if err != nil {
			w.b.Error(err)
		}
	}
}

// BenchmarkDelivered64 is starts with their deliveries.
func BenchmarkDelivered64(b *testing.B) {
	s := openTest(b, Config{})
	deliver64(b, s)
}

// deliver64 starts and delivers b.N.
func deliver64(b *testing.B, s *Store) []storetest.Sample {
	b.Helper()
	w := newWorker(b, s)
	all := make([]storetest.Sample, b.N)
	var i atomic.Int64
	run64(b, s, func() verify.Op {
		n := i.Add(1) - 1
		all[n] = sample(s.clock)
		return all[n].Start()
	}, func() {
		for range b.N {
			<-w.done
		}
	})
	return all
}

// BenchmarkGuess64 is one guess of each that was delivered before.
func BenchmarkGuess64(b *testing.B) {
	s := openTest(b, Config{})
	all := deliver64(b, s)
	var i atomic.Int64
	run64(b, s, func() verify.Op { return all[i.Add(1)%int64(len(all))].Check() })
}
