package postgres

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/store/storetest"
	"github.com/pincall/pincall/internal/verify"
)

// sampleStart is a verification that begins now.
func sampleStart() storetest.Sample { return storetest.NewSample(time.Now()) }

const clients = 64

// The benchmarks can be run against another server, or by another mode of
// statements.
var (
	benchDSN  = flag.String("bench-dsn", "", "a database to migrate and to write to, instead of one of our own")
	benchMode = flag.String("bench-mode", "", "default_query_exec_mode")
)

func openBench(b *testing.B, cfg Config) *Store {
	b.Helper()
	cfg.DSN = *benchDSN
	if cfg.DSN == "" {
		c := pgtest.Durable(b)
		cfg.DSN = c.DSN(c.Database(b, template()))
	} else if err := Migrate(b.Context(), Config{DSN: cfg.DSN}); err != nil {
		b.Fatal(err)
	}
	if *benchMode != "" {
		cfg.DSN += " default_query_exec_mode=" + *benchMode
	}
	return openTest(b, cfg)
}

// run64 lets the clients do b.N things.
func run64(b *testing.B, do func() error, after ...func()) {
	b.Helper()
	pid := 0
	if *benchDSN == "" {
		pid = pgtest.Durable(b).PID()
	}
	b.SetParallelism(clients)
	before, server := cpu(b), serverCPU(pid)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(); err != nil {
				b.Error(err)
			}
		}
	})
	for _, f := range after {
		f()
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64((serverCPU(pid)-server).Microseconds())/float64(b.N), "server-us/op")
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

// serverCPU is what the processes of a server have used that are alive now, where
// the system tells (Linux); of server 0 all that are called postgres.
func serverCPU(server int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, d := range dirs {
		b, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		name, rest, ok := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		if !ok || !strings.HasSuffix(name, "(postgres") || len(f) < 13 || server != 0 && f[1] != strconv.Itoa(server) {
			continue
		}
		for _, ticks := range f[11:13] { // utime, stime
			n, _ := strconv.ParseInt(ticks, 10, 64)
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

func BenchmarkStart64(b *testing.B) {
	for _, writers := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b, Config{Writers: writers})
			run64(b, func() error { return s.Do(b.Context(), sampleStart().Start()) })
		})
	}
}

// BenchmarkCheck64 is checks of which half are right.
func BenchmarkCheck64(b *testing.B) {
	for _, writers := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b, Config{Writers: writers})
			all := make(chan storetest.Sample, 2*b.N+clients)
			var g errgroup.Group
			g.SetLimit(clients)
			for range b.N/2 + 1 {
				g.Go(func() error {
					x := sampleStart()
					all <- x
					return s.Do(b.Context(), x.Start())
				})
			}
			if err := g.Wait(); err != nil {
				b.Fatal(err)
			}
			var i atomic.Int64
			run64(b, func() error {
				x := <-all
				if i.Add(1)%2 == 0 {
					return s.Do(b.Context(), approve(x.V))
				}
				all <- x
				return s.Do(b.Context(), x.Check())
			})
		})
	}
}

// carried is a worker that carries deliveries out as a node's does.
type carried struct {
	s    *Store
	node string
	wake chan struct{}
	todo sync.WaitGroup
	fail func(error)
}

// Reserve is of a jobs.Taker.
func (c *carried) Reserve(n int) (string, int) { return c.node, n }

// Take is of a jobs.Taker.
func (c *carried) Take(leased []jobs.Job, _ int) {
	for _, j := range leased {
		go c.deliver(j)
	}
}

// deliver reads, dials and settles.
func (c *carried) deliver(j jobs.Job) {
	defer c.todo.Done()
	ctx := context.Background()
	st, err := c.s.ReadAttempt(ctx, j.Subject)
	if err != nil {
		c.fail(err)
		return
	}
	for _, op := range []verify.Op{dialOp(*st.Verification, j), settleOp(*st.Verification, j)} {
		if err := c.s.Do(ctx, op); err != nil {
			c.fail(err)
		}
	}
}

// poll leases what was not handed over.
func (c *carried) poll(ctx context.Context) {
	for ctx.Err() == nil {
		got, err := c.s.Lease(ctx, c.node, 0, 64)
		if err != nil && ctx.Err() == nil {
			c.fail(err)
		}
		c.Take(got, 0)
		if len(got) == 0 {
			select {
			case <-ctx.Done():
			case <-c.wake:
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

func leasedOp(v verify.Verification, j jobs.Job, change func(verify.State, verify.Attempt) verify.Writes) verify.Op {
	return verify.Op{
		Need: verify.Need{Account: v.Account, Verification: v.ID, Limits: []string{"a/" + v.Account}, Lease: &j.Lease},
		Plan: func(s verify.State) (verify.Writes, error) {
			if !s.Leased || len(s.Attempts) != 1 {
				return verify.Writes{}, jobs.ErrLeaseLost
			}
			return change(s, s.Attempts[0]), nil
		},
	}
}

// dialOp is the operation before a call leaves.
func dialOp(v verify.Verification, j jobs.Job) verify.Op {
	return leasedOp(v, j, func(s verify.State, a verify.Attempt) verify.Writes {
		a.State, a.Route, a.DialledAt, a.Gate = verify.StateDialling, "trunk", s.Now, script.GateAnyKey
		return verify.Writes{Attempts: []verify.Attempt{a}}
	})
}

// settleOp is the operation after its end.
func settleOp(v verify.Verification, j jobs.Job) verify.Op {
	limits, acc := guard.Limits{}.WithDefaults(), "a/"+v.Account
	return leasedOp(v, j, func(s verify.State, a verify.Attempt) verify.Writes {
		a.State, a.Ref, a.Outcome, a.Reason, a.EndedAt, a.MayHaveRung = verify.StateEnded, "ref", outcome.Heard, "it was heard", s.Now, true
		a.RungAt, a.AnsweredAt, a.GateAt, a.GatePassed, a.Readouts = s.Now, s.Now, s.Now, true, 2
		row := guard.CallEnded(s.Limits[acc])
		return verify.Writes{
			Attempts: []verify.Attempt{a}, Finish: &j.Lease,
			Limits: map[string]verify.LimitRow{acc: {Row: row, KeepUntil: limits.KeepUntil(row, s.Now)}},
		}
	})
}

// BenchmarkDelivered64 is starts with their whole delivery.
func BenchmarkDelivered64(b *testing.B) {
	for _, writers := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b, Config{Writers: writers})
			node, err := s.Join(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			c := &carried{s: s, node: node, wake: make(chan struct{}, 1), fail: func(err error) { b.Error(err) }}
			var loops sync.WaitGroup
			loops.Go(func() { c.poll(ctx) })
			loops.Go(func() {
				for ctx.Err() == nil {
					_ = s.Beat(ctx, node)
					select {
					case <-ctx.Done():
					case <-time.After(jobs.HeartbeatEvery):
					}
				}
			})
			s.Offer(c)
			run64(b, func() error {
				c.todo.Add(1)
				err := s.Do(b.Context(), sampleStart().Start())
				select {
				case c.wake <- struct{}{}:
				default:
				}
				return err
			}, c.todo.Wait)
			s.Offer(nil)
			cancel()
			loops.Wait()
		})
	}
}
