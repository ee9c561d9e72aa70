package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

func queueCases() []testCase {
	return []testCase{
		{"jobs are leased when due, oldest due first", dueOrder},
		{"an order key serialises", orderKey},
		{"the next due time", nextDue},
		{"postponed", postponed},
		{"a node that leaves frees its jobs", leaves},
		{"the jobs of a dead node come back", reaped},
		{"an expired node is never revived", expired},
		{"word for the node that holds a job", hinted},
	}
}

// add writes jobs of the given subjects, due now.
func (s *suite) add(order string, subjects ...string) {
	s.Helper()
	var w verify.Writes
	for _, sub := range subjects {
		w.Jobs = append(w.Jobs, jobs.New{Kind: jobs.Deliver, Subject: sub, Order: []byte(order), Due: s.clock.Now()})
	}
	s.put(w)
}

func (s *suite) join() string {
	s.Helper()
	node, err := s.Join(s.Context())
	s.ok(err)
	return node
}

// take leases jobs.
func (s *suite) take(node string, n int) []jobs.Job {
	s.Helper()
	got, err := s.Lease(s.Context(), node, 0, n)
	s.ok(err)
	return got
}

// lease leases jobs and gives their kinds and subjects.
func (s *suite) lease(node string, n int) []string {
	s.Helper()
	var out []string
	for _, j := range s.take(node, n) {
		out = append(out, fmt.Sprintf("%s %s", j.Kind, j.Subject))
	}
	return out
}

// finish ends a job by its lease.
func (s *suite) finish(l jobs.Lease) {
	s.Helper()
	s.ok(s.Do(s.Context(), verify.Op{Need: verify.Need{Lease: &l}, Plan: func(st verify.State) (verify.Writes, error) {
		if !st.Leased {
			return verify.Writes{}, jobs.ErrLeaseLost
		}
		return verify.Writes{Finish: &l}, nil
	}}))
}

func dueOrder(s *suite) {
	now := s.clock.Now()
	var w verify.Writes
	for i, after := range []time.Duration{5, 1, 3, 2, 4} {
		w.Jobs = append(w.Jobs, jobs.New{Kind: jobs.Step, Subject: fmt.Sprint(i), Due: now.Add(after * time.Second)})
	}
	s.put(w)
	node := s.join()
	same(s, "before", []string(nil), s.lease(node, 9))
	s.clock.Advance(4 * time.Second)
	same(s, "first", []string{"step 1", "step 3"}, s.lease(node, 2))
	same(s, "then", []string{"step 2", "step 4"}, s.lease(node, 9))
	same(s, "no more", []string(nil), s.lease(node, 9))
}

func orderKey(s *suite) {
	s.add("x", "x1", "x2", "x3")
	s.clock.Advance(time.Millisecond)
	s.add("y", "y1")
	s.add("", "free1", "free2")
	node := s.join()
	first := s.take(node, 9)
	var got []string
	for _, j := range first {
		got = append(got, j.Subject)
	}
	same(s, "first", []string{"x1", "y1", "free1", "free2"}, got)
	same(s, "while it is worked on", []string(nil), s.lease(node, 9))
	s.ok(s.Postpone(s.Context(), first[0].Lease, time.Minute))
	same(s, "while it waits", []string(nil), s.lease(node, 9))
	s.finish(first[1].Lease)
	same(s, "after another's end", []string(nil), s.lease(node, 9))
	s.put(verify.Writes{Drop: []string{"x1"}})
	second := s.take(node, 9)
	same(s, "after its end", []string{"x2"}, []string{second[0].Subject})
	s.finish(second[0].Lease)
	same(s, "the last", []string{"deliver x3"}, s.lease(node, 9))
}

func nextDue(s *suite) {
	none := func() {
		s.Helper()
		if due, ok, err := s.NextDue(s.Context()); ok || err != nil {
			s.Errorf("next due is %v, %v, %v, want none", due, ok, err)
		}
	}
	none()
	s.put(verify.Writes{Jobs: []jobs.New{
		{Kind: jobs.Step, Subject: "later", Due: s.clock.Now().Add(time.Hour)},
		{Kind: jobs.Step, Subject: "soon", Due: s.clock.Now().Add(time.Minute)},
	}})
	due, ok, err := s.NextDue(s.Context())
	s.ok(err)
	same(s, "next due", s.clock.Now().Add(time.Minute), due)
	same(s, "found", true, ok)
	s.clock.Advance(2 * time.Hour)
	s.take(s.join(), 2)
	none()
	s.add("x", "x1")
	s.take(s.join(), 1)
	s.add("x", "x2") // waits behind x1, not for a time
	none()
}

func postponed(s *suite) {
	s.add("", "a")
	node := s.join()
	l := s.take(node, 1)[0].Lease
	s.ok(s.Postpone(s.Context(), l, 3*time.Second))
	s.is(jobs.ErrLeaseLost, s.Postpone(s.Context(), l, time.Second))
	same(s, "at once", 0, len(s.take(node, 1)))
	s.clock.Advance(3 * time.Second)
	again := s.take(node, 1)
	same(s, "again", jobs.Lease{Job: l.Job, Node: node, N: 2}, again[0].Lease)
	// An older lease of the same node is refused too.
	s.is(jobs.ErrLeaseLost, s.Postpone(s.Context(), l, time.Second))
	s.clock.Advance(jobs.HeartbeatTTL + time.Millisecond)
	s.is(jobs.ErrLeaseLost, s.Postpone(s.Context(), again[0].Lease, time.Second))
}

func leaves(s *suite) {
	s.add("", "a", "b")
	one, two := s.join(), s.join()
	s.take(one, 1)
	s.take(two, 1)
	s.ok(s.Leave(s.Context(), one))
	s.is(jobs.ErrNodeExpired, s.Beat(s.Context(), one))
	same(s, "of one that left", 0, len(s.take(one, 9)))
	same(s, "freed", 1, len(s.take(two, 9)))
}

func reaped(s *suite) {
	s.add("", "a", "b")
	dead, live := s.join(), s.join()
	l := s.take(dead, 1)[0].Lease
	s.take(live, 1)
	s.clock.Advance(jobs.HeartbeatTTL)
	s.ok(s.Beat(s.Context(), live))
	n, err := s.Reap(s.Context())
	s.ok(err)
	same(s, "reaped in time", 0, n)
	s.clock.Advance(time.Microsecond)
	n, err = s.Reap(s.Context())
	s.ok(err)
	same(s, "reaped", 1, n)
	got := s.take(live, 9)
	same(s, "jobs", []jobs.Lease{{Job: l.Job, Node: live, N: 2}}, []jobs.Lease{got[0].Lease})
	n, err = s.Reap(s.Context())
	s.ok(err)
	same(s, "reaped again", 0, n)
}

func expired(s *suite) {
	s.add("", "a")
	node := s.join()
	if other := s.join(); other == node {
		s.Error("two nodes have one id")
	}
	s.clock.Advance(jobs.HeartbeatTTL)
	s.ok(s.Beat(s.Context(), node))
	s.clock.Advance(jobs.HeartbeatTTL + time.Microsecond)
	s.is(jobs.ErrNodeExpired, s.Beat(s.Context(), node))
	same(s, "leased by an expired node", 0, len(s.take(node, 1)))
	_, err := s.Reap(s.Context())
	s.ok(err)
	s.is(jobs.ErrNodeExpired, s.Beat(s.Context(), node))
	s.is(jobs.ErrNodeExpired, s.Beat(s.Context(), "unknown"))
	same(s, "leased by a reaped node", 0, len(s.take(node, 1)))
	same(s, "leased by a new node", 1, len(s.take(s.join(), 1)))
}

// word is what was left for a node.
func (s *suite) word(node string) []string {
	s.Helper()
	got, err := s.Hinted(s.Context(), node)
	s.ok(err)
	slices.Sort(got)
	return got
}

func hinted(s *suite) {
	s.add("", "a", "b", "c")
	s.clock.Advance(time.Millisecond)
	s.add("", "nobody's")
	one, two := s.join(), s.join()
	held := s.take(one, 2)
	s.take(two, 1)
	for range 3 { // once is as good as often
		for _, subject := range []string{"a", "b", "c", "nobody's", "unknown"} {
			s.ok(s.Hint(s.Context(), subject))
		}
	}
	same(s, "for one", []string{"a", "b"}, s.word(one))
	same(s, "for one again", []string(nil), s.word(one))
	same(s, "for the other", []string{"c"}, s.word(two))
	s.ok(s.Hint(s.Context(), "a"))
	same(s, "new word", []string{"a"}, s.word(one))
	s.finish(held[0].Lease)
	s.ok(s.Hint(s.Context(), held[0].Subject))
	same(s, "of what is finished", []string(nil), s.word(one))
	s.ok(s.Hint(s.Context(), held[1].Subject))
	s.ok(s.Leave(s.Context(), one))
	s.ok(s.Forget(s.Context()))
	s.ok(s.Hint(s.Context(), held[1].Subject)) // nobody has it
	same(s, "for the other, who did not take it over", []string(nil), s.word(two))
	same(s, "taken over", []string{"deliver " + held[1].Subject, "deliver nobody's"}, s.lease(two, 9))
	s.ok(s.Hint(s.Context(), held[1].Subject))
	same(s, "for the new holder", []string{held[1].Subject}, s.word(two))
}
