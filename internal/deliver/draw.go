package deliver

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

// draw chooses the route of an attempt among those that may be tried, best first:
// of the routes that share the first one's priority and have a weight, one by its
// weight; where none has, the first. intN gives a number from 0 to n-1.
func draw(routes []carrier.Route, intN func(n int) int) carrier.Route {
	total := 0
	for _, r := range routes {
		if r.Priority == routes[0].Priority {
			total += r.Weight
		}
	}
	if total == 0 {
		return routes[0]
	}
	at := intN(total)
	for _, r := range routes {
		if r.Priority != routes[0].Priority {
			continue
		}
		if at < r.Weight {
			return r
		}
		at -= r.Weight
	}
	return routes[0] // unreachable: at is below the sum of the weights
}

// A job whose route this node does not serve is given back for another node, due
// again after handOverWait. Once it has been leased handOvers times, which takes
// 5 s at least, nobody who serves the route has come for it: the routes that a
// node serves itself are then all there is.
const (
	handOverWait = 250 * time.Millisecond
	handOvers    = 20
	// longestFollow is how long after the dialling a call may still be followed.
	longestFollow = verify.PlaceTimeout + verify.RingTimeout + verify.LongestCall
)

// choose chooses the route of a queued attempt, and says whether this node serves
// it. All nodes choose the same one.
func (w *Worker) choose(j jobs.Job, d *verify.Delivery) (r carrier.Route, here bool) {
	r = draw(d.Routes, numberOf(d.Attempt.ID))
	if w.serves(r) {
		return r, true
	}
	own := slices.DeleteFunc(slices.Clone(d.Routes), func(r carrier.Route) bool { return !w.serves(r) })
	if j.Lease.N <= handOvers || len(own) == 0 {
		return r, false
	}
	return draw(own, numberOf(d.Attempt.ID)), true
}

// numberOf draws by an attempt's id, which is as good as a random number and the
// same on every node.
func numberOf(attempt string) func(n int) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(attempt)) // never fails
	sum := h.Sum64()
	return func(n int) int { return int(sum % uint64(n)) }
}

// serves says whether this node places on a route.
func (w *Worker) serves(r carrier.Route) bool { return !slices.Contains(w.cfg.Elsewhere, r.Name) }

// handOver gives a job back for another node.
func (w *Worker) handOver(ctx context.Context, j jobs.Job) {
	_ = w.persist(ctx, func(ctx context.Context) error { return w.cfg.Queue.Postpone(ctx, j.Lease, handOverWait) })
}
