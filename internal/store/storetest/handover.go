package storetest

import (
	"sync"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

func handoverCases() []testCase {
	return []testCase{
		{"jobs are handed over as they are written", handedOver},
		{"what waits behind another is not handed over", handedInOrder},
		{"nothing is handed over to a dead node", handedToTheDead},
		{"a refused member hands nothing over", handedByRefused},
	}
}

// hands is a taker with so many places. Safe for concurrent use.
type hands struct {
	node string

	mu     sync.Mutex
	places int // negative: more were used than kept
	taken  []jobs.Job
}

// Reserve is of jobs.Taker.
func (h *hands) Reserve(n int) (string, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n = min(n, h.places)
	h.places -= n
	return h.node, n
}

// Take is of jobs.Taker.
func (h *hands) Take(leased []jobs.Job, unused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.places += unused
	h.taken = append(h.taken, leased...)
}

// got gives the subjects that were handed over, and the places left.
func (h *hands) got() (subjects []string, places int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, j := range h.taken {
		subjects = append(subjects, j.Subject)
	}
	return subjects, h.places
}

// offer has jobs handed over to a new node. Where the engine hands nothing over, the
// test is skipped.
func (s *suite) offer(places int) *hands {
	s.Helper()
	h := &hands{node: s.join(), places: places + 1}
	s.Offer(h)
	s.add("", "probe")
	if len(h.taken) == 0 {
		s.Skip("the engine hands nothing over")
	}
	s.finish(h.taken[0].Lease)
	h.taken = nil
	return h
}

func handedOver(s *suite) {
	h := s.offer(2)
	v := s.sample("acc", 1)
	a := s.attempt(v, 1)
	s.put(verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{a}, Jobs: []jobs.New{
		{Kind: jobs.Deliver, Subject: a.ID, Order: v.Order, Due: s.clock.Now()},
		{Kind: jobs.Step, Subject: "later", Due: s.clock.Now().Add(time.Second)},
	}})
	got, places := h.got()
	same(s, "handed over", []string{a.ID}, got)
	same(s, "places left", 1, places)
	l := h.taken[0].Lease
	same(s, "the kind", jobs.Deliver, h.taken[0].Kind)
	same(s, "the lease", true, s.leased(l))
	if l.N > 1 {
		s.Errorf("its number is %d", l.N)
	}
	for _, what := range []string{"what its worker reads", "what it reads again"} {
		st, err := s.ReadAttempt(s.Context(), a.ID)
		s.ok(err)
		same(s, what, verify.State{Now: s.clock.Now(), Verification: &v, Attempts: []verify.Attempt{a}}, st)
	}
	same(s, "nobody else has it", []string(nil), s.lease(s.join(), 9))
	// No more than there are places for; the rest is leased as ever.
	s.add("", "b", "c", "d")
	got, places = h.got()
	same(s, "handed over", 2, len(got))
	same(s, "places left", 0, places)
	same(s, "the others", 2, len(s.lease(h.node, 9)))
	// Its jobs come back as others do, and nothing is handed over any more.
	s.Offer(nil)
	s.ok(s.Leave(s.Context(), h.node))
	s.add("", "e")
	same(s, "after it left", 5, len(s.lease(s.join(), 9)))
}

func handedInOrder(s *suite) {
	h := s.offer(10)
	s.add("x", "x1", "x2")
	s.add("x", "x3")
	s.add("y", "y1")
	got, places := h.got()
	same(s, "handed over", []string{"x1", "y1"}, got)
	same(s, "places left", 8, places)
	s.finish(h.taken[0].Lease)
	same(s, "then", []string{"deliver x2"}, s.lease(h.node, 9))
}

func handedToTheDead(s *suite) {
	h := s.offer(10)
	s.clock.Advance(jobs.HeartbeatTTL + time.Microsecond)
	s.add("", "a")
	got, places := h.got()
	same(s, "handed over", []string(nil), got)
	same(s, "places left", 10, places)
	same(s, "left for others", []string{"deliver a"}, s.lease(s.join(), 9))
}

func handedByRefused(s *suite) {
	h := s.offer(10)
	w := verify.Writes{Jobs: []jobs.New{{Kind: jobs.Step, Subject: "a", Due: s.clock.Now()}}}
	s.is(errRefused, s.Do(s.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) { return w, errRefused }}))
	w.Finish = &jobs.Lease{Job: 99, Node: "nobody", N: 1}
	s.is(jobs.ErrLeaseLost, s.Do(s.Context(), writing(w)))
	got, places := h.got()
	same(s, "handed over", []string(nil), got)
	same(s, "places left", 10, places)
}
