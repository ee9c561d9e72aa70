//go:build amd64 || arm64

package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// rest is how long ended calls may be remembered: SIP's transactions take 32 s
	// (RFC 3261, timers B, D, F and M).
	rest = 36 * time.Second
	// scrapes make the garbage that brings the next collection about.
	scrapes = 3000
	// firstCalls open all media sockets, which then stay.
	firstCalls = 500
)

// leak makes n short calls and compares what the server holds before and after.
func (b *bench) leak(ctx context.Context, n int) error {
	rate := max(setting("RATE", 300), 1)
	before, err := b.heldAfter(ctx, firstCalls, rate)
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := b.short(ctx, n, rate); err != nil {
		return err
	}
	took := time.Since(began)
	at, err := b.server.measured()
	if err != nil {
		return err
	}
	b.starter.client.CloseIdleConnections()
	time.Sleep(rest)
	after, err := b.held()
	if err != nil {
		return err
	}
	fmt.Printf("%d calls in %.1f s, all answered and ended\n", n, took.Seconds())
	fmt.Printf("%-28s %12s %12s %12s\n", "", "before", "at the end", "after 36 s")
	for _, name := range []string{"go_goroutines", "process_open_fds", "go_memstats_heap_alloc_bytes", "process_resident_memory_bytes"} {
		fmt.Printf("%-28s %12.0f %12.0f %12.0f\n", name, before[name], at[name], after[name])
	}
	fmt.Printf("leak_calls=%d leak_goroutines=%.0f leak_fds=%.0f leak_heap_kb=%.0f\n", n, after["go_goroutines"]-before["go_goroutines"],
		after["process_open_fds"]-before["process_open_fds"], (after["go_memstats_heap_alloc_bytes"]-before["go_memstats_heap_alloc_bytes"])/1e3)
	return nil
}

// heldAfter is what the server holds when n short calls are forgotten.
func (b *bench) heldAfter(ctx context.Context, n, rate int) (map[string]float64, error) {
	if _, err := b.short(ctx, n, rate); err != nil {
		return nil, err
	}
	b.starter.client.CloseIdleConnections()
	time.Sleep(rest)
	return b.held()
}

// held is what the server holds right after a collection of garbage.
func (b *bench) held() (map[string]float64, error) {
	const collections = "go_gc_duration_seconds_count"
	first, err := b.server.measured()
	for i := 0; err == nil && i < scrapes; i++ {
		var m map[string]float64
		if m, err = b.server.measured(); err == nil && m[collections] >= first[collections]+2 {
			return m, nil
		}
	}
	return first, err
}
