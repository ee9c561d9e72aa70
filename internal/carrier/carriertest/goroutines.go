package carriertest

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// How long goroutines may take to end after a test.
const (
	leftLooks = 200
	leftEvery = 10 * time.Millisecond
)

// watch runs body and gives the stack of a goroutine that it started and that
// does not end; empty: none. Goroutines inherit the labels of their starter, so
// tests that run beside each other are told apart.
func watch(t *testing.T, body func()) string {
	t.Helper()
	const label = "carriertest"
	// The name alone is not unique: a test may run twice in one process.
	mark := t.Name() + " " + time.Now().Format(time.RFC3339Nano)
	pprof.Do(context.Background(), pprof.Labels(label, mark), func(context.Context) { body() })
	var left string
	for range leftLooks {
		if left = labelled(mark); left == "" {
			return ""
		}
		time.Sleep(leftEvery) // real time: nothing announces the end of a goroutine
	}
	return left
}

// labelled is the first entry of the goroutine profile with the mark in its
// labels.
func labelled(mark string) string {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return "the goroutine profile cannot be read"
	}
	for _, entry := range strings.Split(b.String(), "\n\n") {
		if strings.Contains(entry, mark) {
			return entry
		}
	}
	return ""
}
