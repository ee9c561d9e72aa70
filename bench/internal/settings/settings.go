// Package settings reads the variables that choose a benchmark's form, which make
// gives through the environment, and says how long it may run.
package settings

import (
	"context"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Context ends after d, or when the benchmark is told to stop: so it always ends
// the processes that it has started.
func Context(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, func() { cancel(); stop() }
}

// Number reads a number above 0.
func Number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// Word reads a word.
func Word(name, otherwise string) string {
	if w := os.Getenv(name); w != "" {
		return w
	}
	return otherwise
}
