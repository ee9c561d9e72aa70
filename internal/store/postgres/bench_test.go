package postgres

import (
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/verify"
)

// start is a verification with its first attempt, of the sizes that real ones
// have.
type start struct {
	v verify.Verification
	a verify.Attempt
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func sampleStart() start {
	now := time.Now().UTC().Truncate(time.Microsecond)
	v := verify.Verification{
		ID: secret.NewID(now, nil), Account: "01k0000000000000000000acct", Service: "01k0000000000000000000serv",
		Purpose: "login", NumberIndex: random(32), NumberSealed: random(60), Country: "JP", Prefix: "818012",
		LimitKey: "n/" + hex.EncodeToString(random(32)), Binding: random(32), Order: random(32), Status: verify.Pending,
		KeyID: "k1", CodeMAC: random(32), Sealed: random(64), TokenHash: random(32), Sends: 1, CreatedAt: now,
		ExpiresAt: now.Add(10 * time.Minute),
		Settings: verify.Settings{
			StartedBy: "01k00000000000000000000key", Language: "ja", Brand: "Acme", CodeLength: 6, MaxGuesses: 1 << 40,
			MaxSends: 5, Gate: script.GateAnyKey, GatePolicy: account.GatePrefer,
			Workflow: []account.Step{{Channel: phone.Voice, Timeout: time.Minute}},
		},
	}
	a := verify.Attempt{
		ID: secret.NewID(now, nil), Verification: v.ID, Account: v.Account, N: 1, Send: 1, Channel: phone.Voice,
		State: verify.StateQueued, CreatedAt: now,
	}
	return start{v, a}
}

// op is the operation of a start: two rows of limits, a verification, an
// attempt, a job. It supersedes what is pending.
func (x start) op() verify.Op {
	limits, acc := guard.Limits{Countries: []string{"JP"}}.WithDefaults(), "a/"+x.v.Account
	limits.AccountStarts.N, limits.Calls.N, limits.ConcurrentCalls = 1<<40, 1<<40, 1<<40
	limits.Starts.N = 1 << 40
	return verify.Op{
		Need: verify.Need{Account: x.v.Account, Binding: x.v.Binding, Limits: []string{x.v.LimitKey, acc}},
		Plan: func(s verify.State) (verify.Writes, error) {
			req := guard.Request{Start: true, Send: true, Call: true, Country: "JP"}
			_, n, a := limits.Decide(req, s.Limits[x.v.LimitKey], s.Limits[acc], s.Now)
			w := verify.Writes{
				Attempts: []verify.Attempt{x.a},
				Limits: map[string]verify.LimitRow{
					x.v.LimitKey: {Row: n, KeepUntil: limits.KeepUntil(n, s.Now)}, acc: {Row: a, KeepUntil: limits.KeepUntil(a, s.Now)},
				},
				Jobs: []jobs.New{{Kind: jobs.Deliver, Subject: x.a.ID, Order: x.v.Order, Due: s.Now}},
			}
			for _, g := range s.Pending {
				v := g.Verification
				v.Status, v.Reason, v.EndedAt, v.Sealed, v.TokenHash = verify.Canceled, verify.ReasonSuperseded, s.Now, nil, nil
				w.Verifications = append(w.Verifications, v)
			}
			w.Verifications = append(w.Verifications, x.v)
			return w, nil
		},
	}
}

// check is the operation of a wrong guess.
func (x start) check() verify.Op {
	limits, acc := guard.Limits{}.WithDefaults(), "a/"+x.v.Account
	return verify.Op{
		Need: verify.Need{Account: x.v.Account, Verification: x.v.ID, Limits: []string{acc}},
		Plan: func(s verify.State) (verify.Writes, error) {
			v := *s.Verification
			v.Guesses++
			row := limits.CountWrong(s.Limits[v.LimitKey], s.Now)
			return verify.Writes{
				Verifications: []verify.Verification{v},
				Limits:        map[string]verify.LimitRow{v.LimitKey: {Row: row, KeepUntil: limits.KeepUntil(row, s.Now)}},
			}, nil
		},
	}
}

const clients = 64

// The benchmarks can be run against another server, or by another mode of
// statements.
var (
	benchDSN  = flag.String("bench-dsn", "", "a database to migrate and to write to, instead of one of our own")
	benchMode = flag.String("bench-mode", "", "default_query_exec_mode")
)

func openBench(b *testing.B, writers int) *Store {
	b.Helper()
	dsn := *benchDSN
	if dsn == "" {
		c := pgtest.Durable(b)
		dsn = c.DSN(c.Database(b, template()))
	} else if err := Migrate(b.Context(), Config{DSN: dsn}); err != nil {
		b.Fatal(err)
	}
	if *benchMode != "" {
		dsn += " default_query_exec_mode=" + *benchMode
	}
	return openTest(b, Config{DSN: dsn, Writers: writers})
}

// run64 lets the clients carry out b.N operations.
func run64(b *testing.B, s *Store, next func() verify.Op) {
	b.Helper()
	b.SetParallelism(clients)
	before, server := cpu(b), serverCPU()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Do(b.Context(), next()); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64((serverCPU()-server).Microseconds())/float64(b.N), "server-us/op")
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

// serverCPU is what all processes called postgres have used that are alive now,
// where the system tells (Linux); otherwise nothing.
func serverCPU() time.Duration {
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
		if f := strings.Fields(rest); ok && strings.HasSuffix(name, "(postgres") && len(f) > 12 {
			for _, ticks := range f[11:13] { // utime, stime
				n, _ := strconv.ParseInt(ticks, 10, 64)
				sum += time.Duration(n) * tick
			}
		}
	}
	return sum
}

func BenchmarkStart64(b *testing.B) {
	for _, writers := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b, writers)
			run64(b, s, func() verify.Op { return sampleStart().op() })
		})
	}
}

func BenchmarkCheck64(b *testing.B) {
	for _, writers := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b, writers)
			all := make([]start, 1000)
			for i := range all {
				all[i] = sampleStart()
				if err := s.Do(b.Context(), all[i].op()); err != nil {
					b.Fatal(err)
				}
			}
			var i atomic.Int64
			run64(b, s, func() verify.Op { return all[i.Add(1)%int64(len(all))].check() })
		})
	}
}
