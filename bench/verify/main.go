// Command verify measures starts and checks per second over HTTP, with every
// answer on disk before it is given, beside a bare net/http handler that decodes
// and answers the same JSON: the machine's yardstick. Run it with
//
//	make bench-verify [SECONDS_EACH=5] [CLIENTS=64]
//
// The server is a process of its own with the simulator; the generator shares
// the machine with it.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/pincall/pincall/bench/internal/echo"
	"github.com/pincall/pincall/bench/internal/load"
	"github.com/pincall/pincall/bench/internal/server"
	"github.com/pincall/pincall/bench/internal/settings"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == echo.Argument {
		fmt.Fprintln(os.Stderr, echo.Serve(os.Args[2]))
		os.Exit(1)
	}
	ctx, cancel := settings.Context(5 * time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-verify:", err)
		os.Exit(1)
	}
}

// subject is the program under test with what was measured before any load.
type subject struct {
	*server.Server
	startup time.Duration // median of 5, from the exec to the first answer
	idleMB  float64
}

// begin measures how the program starts and leaves it running.
func begin(ctx context.Context) (*subject, error) {
	s, err := server.New(ctx, server.Config{})
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	for range 5 {
		s.Kill()
		d, err := s.Run(ctx)
		if err != nil {
			s.Close()
			return nil, err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	time.Sleep(3 * time.Second)
	idle, err := s.Resident()
	if err != nil {
		s.Close()
		return nil, err
	}
	return &subject{s, took[2], idle}, nil
}

func run(ctx context.Context) error {
	each := time.Duration(settings.Number("SECONDS_EACH", 5)) * time.Second
	g := load.New(settings.Number("CLIENTS", 64))
	s, err := begin(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	yard, err := yardstick(ctx, g, each)
	if err != nil {
		return err
	}
	delivered, begun := measureStarts(ctx, g, s, each, "sms")
	checks, err := measureChecks(ctx, g, s, begun)
	if err != nil {
		return err
	}
	starts, _ := measureStarts(ctx, g, s, each, "voice")
	for _, r := range []load.Result{delivered, starts} {
		if err := r.Err("starts"); err != nil {
			return err
		}
	}
	fmt.Printf("%-28s %10s %9s %9s %9s\n", fmt.Sprintf("%d clients", g.Clients), "per second", "p50 ms", "p99 ms", "of bare")
	row := func(name string, r load.Result) {
		fmt.Printf("%-28s %10.0f %9.2f %9.2f %8.0f%%\n", name, r.Rate(), ms(r.Percentile(50)), ms(r.Percentile(99)), 100*r.Rate()/yard.Rate())
	}
	row("bare net/http, same JSON", yard)
	row("starts, durable", starts)
	row("starts, durable, delivered", delivered)
	row("checks, durable", checks)
	fmt.Printf("start-up %d ms (median of 5, exec to /healthz), idle memory %.1f MB resident\n", s.startup.Milliseconds(), s.idleMB)
	fmt.Printf("starts_per_s=%.0f checks_per_s=%.0f delivered_per_s=%.0f start_p50_ms=%.2f start_p99_ms=%.2f check_p50_ms=%.2f check_p99_ms=%.2f echo_per_s=%.0f idle_mb=%.1f startup_ms=%d\n",
		starts.Rate(), checks.Rate(), delivered.Rate(), ms(starts.Percentile(50)), ms(starts.Percentile(99)), ms(checks.Percentile(50)),
		ms(checks.Percentile(99)), yard.Rate(), s.idleMB, s.startup.Milliseconds())
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
