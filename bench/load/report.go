package main

import (
	"fmt"
	"time"

	"github.com/pincall/pincall/bench/internal/load"
)

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// perOp is microseconds of processor time.
func perOp(d time.Duration, n int) float64 {
	return float64(d) / float64(time.Microsecond) / float64(max(n, 1))
}

func (f figures) deliveredRate() float64 {
	if f.drained == 0 {
		return 0
	}
	return float64(f.delivered) / f.drained.Seconds()
}

// ratio in percent.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return 100 * a / b
}

// table prints the figures for people.
func (f figures) table(p plan) {
	db, mode := "SQLite", "closed loop"
	if p.postgres {
		db = "PostgreSQL"
	}
	if p.gen.Rate > 0 {
		mode = fmt.Sprintf("open loop, %d/s", p.gen.Rate)
	}
	fmt.Printf("%s, %d finished verifications stored, %s, %d clients, %s\n", db, f.stored, p.channel, p.gen.Clients, mode)
	if f.filled > 0 {
		fmt.Printf("(filling the database took %s)\n", f.filled.Round(time.Second))
	}
	fmt.Printf("%-30s %10s %8s %8s %8s %8s %10s %12s %13s\n", "", "per second", "of bare", "p50 ms", "p99 ms", "p99.9 ms", "server us", "database us", "generator us")
	row := func(name string, r load.Result, bare float64) {
		fmt.Printf("%-30s %10.0f %7.0f%% %8.2f %8.2f %8.2f", name, r.Rate(), ratio(r.Rate(), bare), ms(r.Percentile(50)), ms(r.Percentile(99)), ms(r.Percentile(99.9)))
	}
	cost := func(server, db, own time.Duration, n int) {
		fmt.Printf(" %10.0f %12.0f %13.0f\n", perOp(server, n), perOp(db, n), perOp(own, n))
	}
	row("bare net/http, a start's JSON", f.echo, f.echo.Rate())
	fmt.Printf(" %10s %12s %13.0f\n", "", "", perOp(f.own.echoing, f.echo.Done))
	row("starts", f.starts, f.echo.Rate())
	cost(f.server.starting, f.db.starting, f.own.starting, f.starts.Done)
	fmt.Printf("%-30s %10.0f %7.0f%% %8s %8s %8s", "starts until delivered", f.deliveredRate(), ratio(f.deliveredRate(), f.echo.Rate()), "", "", "")
	cost(f.server.delivering, f.db.delivering, f.own.starting, f.delivered)
	row("bare net/http, a check's JSON", f.echoed, f.echoed.Rate())
	fmt.Println()
	row("checks, half of them right", f.checks, f.echoed.Rate())
	cost(f.server.checking, f.db.checking, f.own.checking, f.checks.Done)
}

// curve shows what a start costs with so much stored.
func curve(all []figures) {
	fmt.Printf("%12s %10s %12s %10s %10s %12s %12s\n", "stored", "starts/s", "start p99 ms", "us a start", "checks/s", "check p99 ms", "us a check")
	for _, f := range all {
		fmt.Printf("%12d %10.0f %12.2f %10.0f %10.0f %12.2f %12.0f\n", f.stored, f.starts.Rate(), ms(f.starts.Percentile(99)),
			perOp(f.server.delivering+f.db.delivering, f.delivered), f.checks.Rate(), ms(f.checks.Percentile(99)),
			perOp(f.server.checking+f.db.checking, f.checks.Done))
	}
}

// line prints the figures for scripts.
func (f figures) line(p plan) {
	fmt.Printf("starts_per_s=%.0f checks_per_s=%.0f start_p99_ms=%.2f check_p99_ms=%.2f echo_per_s=%.0f ", f.starts.Rate(), f.checks.Rate(),
		ms(f.starts.Percentile(99)), ms(f.checks.Percentile(99)), f.echo.Rate())
	fmt.Printf("echo_checks_per_s=%.0f starts_of_echo=%.3f checks_of_echo=%.3f delivered_per_s=%.0f delivered=%d ", f.echoed.Rate(),
		ratio(f.starts.Rate(), f.echo.Rate())/100, ratio(f.checks.Rate(), f.echoed.Rate())/100, f.deliveredRate(), f.delivered)
	fmt.Printf("start_p50_ms=%.2f start_p999_ms=%.2f check_p50_ms=%.2f check_p999_ms=%.2f ", ms(f.starts.Percentile(50)),
		ms(f.starts.Percentile(99.9)), ms(f.checks.Percentile(50)), ms(f.checks.Percentile(99.9)))
	fmt.Printf("server_us_per_start=%.0f server_us_per_check=%.0f db_us_per_start=%.0f db_us_per_check=%.0f stored=%d db=%s\n",
		perOp(f.server.delivering, f.delivered), perOp(f.server.checking, f.checks.Done),
		perOp(f.db.delivering, f.delivered), perOp(f.db.checking, f.checks.Done), f.stored, map[bool]string{false: "sqlite", true: "postgres"}[p.postgres])
}
