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
	"strconv"
	"time"

	"github.com/pincall/pincall/bench/internal/load"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "echo" {
		echo()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-verify:", err)
		os.Exit(1)
	}
}

// setting reads a number from the environment.
func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

func run(ctx context.Context) error {
	each := time.Duration(setting("SECONDS_EACH", 5)) * time.Second
	g := load.New(setting("CLIENTS", 64))
	s, err := begin(ctx)
	if err != nil {
		return err
	}
	defer s.end()
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
		if r.Failed > 0 {
			return fmt.Errorf("%d starts failed: %s", r.Failed, r.FirstFailure)
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
