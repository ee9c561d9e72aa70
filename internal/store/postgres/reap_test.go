package postgres

import (
	"testing"
	"testing/synctest"
	"time"
)

// The jobs are looked at first of all, for a while after a node was lost, and from
// time to time.
func TestWhenJobsAreLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c census
		both, one, sick := map[string]bool{"a": true, "b": true}, map[string]bool{"a": true}, map[string]bool{"a": true, "b": false}
		for i, step := range []struct {
			after time.Duration
			alive map[string]bool
			want  bool
		}{
			{0, one, true},
			{500 * time.Millisecond, both, false}, // one more
			{500 * time.Millisecond, sick, true},
			{time.Second, one, true},
			{lookFor - 2*time.Second, one, true},
			{2 * time.Second, one, false},
			{lookEvery, one, true},
			{0, map[string]bool{}, true}, // itself
		} {
			time.Sleep(step.after)
			if got := c.lost(step.alive); got != step.want {
				t.Errorf("%d: %v", i, got)
			}
			if step.want {
				c.looked()
			}
		}
	})
}
