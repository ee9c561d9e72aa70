package deliver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"syscall"
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

// quick is a carrier whose calls are answered and heard at once.
type quick struct{ n atomic.Int64 }

func (*quick) Can() carrier.Abilities { return everything }

func (q *quick) Place(context.Context, carrier.Call) (carrier.Ref, error) {
	return carrier.Ref(fmt.Sprint(q.n.Add(1))), nil
}

func (*quick) Follow(_ context.Context, _ carrier.Ref, report func(carrier.Event)) (outcome.Ending, error) {
	for _, k := range []carrier.EventKind{carrier.Ringing, carrier.Answered, carrier.GatePassed} {
		report(carrier.Event{Kind: k})
	}
	return outcome.Ending{Outcome: outcome.Heard, Reason: "heard", MayHaveRung: true}, nil
}

func (*quick) Hangup(context.Context, carrier.Ref) error { return nil }

// settings are a service's, filled in once.
type settings struct{ svc account.Service }

func (settings) Enabled(context.Context, string) (bool, error) { return true, nil }

func (s settings) Service(context.Context, string, string) (account.Service, error) {
	return s.svc, nil
}

// BenchmarkDelivery starts verifications from 64 goroutines and has each of them
// delivered: everything of a verification but HTTP and the check.
func BenchmarkDelivery(b *testing.B) {
	s, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(b.TempDir(), "p.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	keys, err := secret.NewKeyring(nil, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	var ended atomic.Int64
	core, err := verify.New(verify.Config{
		Store: s, Keys: keys, Services: settings{account.Service{ID: "s", Account: "alice"}.WithDefaults()},
		Routes: []carrier.Route{{Name: "quick", Carrier: &quick{}}},
		Limits: guard.Limits{Countries: []string{"JP"}, AccountStarts: guard.Limit{N: 1 << 40}, Calls: guard.Limit{N: 1 << 40}, ConcurrentCalls: 1 << 40},
	})
	if err != nil {
		b.Fatal(err)
	}
	w, err := deliver.New(deliver.Config{
		Core: core, Queue: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Observe: deliver.Observer{Ended: func(deliver.Attempted) { ended.Add(1) }},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	before := cpu(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := verify.StartRequest{To: fmt.Sprintf("+8180%08d", 10_000_000+n.Add(1)), Channel: "voice", Locale: "en"}
			if _, err := core.Start(b.Context(), alice, req, verify.Once[verify.Started]{}); err != nil {
				b.Error(err)
			}
		}
	})
	for ended.Load() < n.Load() {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
	if err := w.Stop(context.Background()); err != nil {
		b.Error(err)
	}
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
