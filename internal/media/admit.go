package media

import (
	"math"
	"sync"
	"time"
)

// The histogram of lateness: buckets of 0.1 ms up to 20 ms, one frame; the last
// one holds all that is later.
const (
	bucketWidth = 100 * time.Microsecond
	buckets     = 201
)

// lateWindow is how long a histogram is filled. Two count: the one that is being
// filled and the one before it.
const lateWindow = time.Second

// lateness is how late frames left recently. It is safe for concurrent use.
type lateness struct {
	mu    sync.Mutex
	start time.Time // of the window being filled
	now   [buckets]uint32
	last  [buckets]uint32
}

// add counts frames that left so late, unless the lock is taken: a pacer does not
// wait.
func (l *lateness) add(now time.Time, late time.Duration, frames int) {
	if !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	l.turn(now)
	l.now[min(max(late/bucketWidth, 0), buckets-1)] += uint32(frames)
}

// p99 is the lateness that 99 of 100 recent frames stayed below; zero without any.
func (l *lateness) p99(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	var total uint64
	for i := range l.now {
		total += uint64(l.now[i]) + uint64(l.last[i])
	}
	above := uint64(math.Floor(float64(total) / 100)) // as many may be later
	for i := buckets - 1; i >= 0 && total > 0; i-- {
		n := uint64(l.now[i]) + uint64(l.last[i])
		if n > above {
			return time.Duration(i+1) * bucketWidth
		}
		above -= n
	}
	return 0
}

// turn begins a new window when it is time. The lock is held.
func (l *lateness) turn(now time.Time) {
	switch gone := now.Sub(l.start); {
	case gone < lateWindow:
		return
	case gone < 2*lateWindow:
		l.last = l.now
	default:
		l.last = [buckets]uint32{}
	}
	l.now = [buckets]uint32{}
	l.start = now
}

// fewStreams on a worker take a few percent of a core at most: when they run
// late, others have the machine, and refusing calls would not help those that
// are there.
const fewStreams = 64

// gate says whether new calls are taken: not from the moment that frames leave
// later than the limit until they leave in half of it. It is safe for concurrent
// use.
type gate struct {
	limit  time.Duration
	mu     sync.Mutex
	closed bool
}

// refuses takes the streams of a worker and the p99 of lateness.
func (g *gate) refuses(streams int, late time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.limit < 0, streams < fewStreams, late <= g.limit/2:
		g.closed = false
	case late > g.limit:
		g.closed = true
	}
	return g.closed
}
