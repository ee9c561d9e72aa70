package deliver

import (
	"sync"
	"testing"
	"testing/synctest"
)

// TestCrew shows that everything is done, each beside the others, that only so many
// goroutines stay, and that none does when they are dismissed.
func TestCrew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails where a goroutine is left
		c := newCrew()
		for range 3 {
			var done, begun sync.WaitGroup
			for range 2 * maxFree {
				done.Add(1)
				begun.Add(1)
				c.do(func() {
					begun.Done()
					begun.Wait() // all are at it at once
					done.Done()
				})
			}
			done.Wait()
			synctest.Wait()
			if c.free != maxFree {
				t.Errorf("%d stayed", c.free)
			}
		}
		c.dismiss()
	})
}
