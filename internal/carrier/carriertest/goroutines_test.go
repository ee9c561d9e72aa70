package carriertest

import (
	"strings"
	"testing"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	if left := watch(t, func() {
		done := make(chan struct{})
		go close(done)
		<-done
	}); left != "" {
		t.Errorf("a goroutine that ended is told: %s", left)
	}
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	left := watch(t, func() { go wait(release) })
	if !strings.Contains(left, "carriertest.wait") {
		t.Errorf("a goroutine that waits is not told: %q", left)
	}
}

func wait(c chan struct{}) { <-c }
