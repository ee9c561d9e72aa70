package deliver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStopwatch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		acts []func(*stopwatch) // a second apart; the first a second after the placing
		want CallTimes
	}{
		"nothing is heard of it":   {nil, CallTimes{}},
		"rings out":                {[]func(*stopwatch){(*stopwatch).ring}, CallTimes{Rang: true, Ring: time.Second}},
		"is answered":              {[]func(*stopwatch){(*stopwatch).ring, (*stopwatch).answer}, CallTimes{true, time.Second, true, time.Second}},
		"answered without ringing": {[]func(*stopwatch){(*stopwatch).answer}, CallTimes{true, time.Second, true, time.Second}},
		"told twice": {[]func(*stopwatch){(*stopwatch).ring, (*stopwatch).ring, (*stopwatch).answer, (*stopwatch).answer},
			CallTimes{true, 2 * time.Second, true, 2 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := stopwatch{placed: time.Now()}
				for _, act := range tt.acts {
					time.Sleep(time.Second)
					act(&s)
				}
				time.Sleep(time.Second)
				if diff := cmp.Diff(tt.want, s.stop()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
