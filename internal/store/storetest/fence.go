package storetest

import (
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

func fenceCases() []testCase {
	return []testCase{
		{"an older lease can write nothing", olderLease},
		{"a lease ends with its node's row", leaseOfExpired},
		{"a finished job is gone", finished},
	}
}

// leased says whether a plan behind this lease may write.
func (s *suite) leased(l jobs.Lease) bool {
	s.Helper()
	return s.state(verify.Need{Lease: &l}).Leased
}

func olderLease(s *suite) {
	s.add("", "a")
	dead := s.join()
	old := s.take(dead, 1)[0].Lease
	same(s, "while it is new", true, s.leased(old))
	same(s, "of another number", false, s.leased(jobs.Lease{Job: old.Job, Node: old.Node, N: old.N + 1}))
	same(s, "of another node", false, s.leased(jobs.Lease{Job: old.Job, Node: s.join(), N: old.N}))
	s.clock.Advance(jobs.HeartbeatTTL + time.Second)
	_, err := s.Reap(s.Context())
	s.ok(err)
	same(s, "after it was reaped", false, s.leased(old))
	fresh := s.take(s.join(), 1)[0].Lease
	same(s, "after another has it", false, s.leased(old))
	same(s, "the other's", true, s.leased(fresh))
	// Finishing by the old lease undoes all of its operation.
	v := s.sample("acc", 1)
	s.is(jobs.ErrLeaseLost, s.Do(s.Context(), writing(verify.Writes{
		Verifications: []verify.Verification{v}, Finish: &old,
	})))
	_, err = s.Read(s.Context(), "acc", v.ID)
	s.is(verify.ErrAbsent, err)
	same(s, "the other's, after that", true, s.leased(fresh))
}

func leaseOfExpired(s *suite) {
	s.add("", "a")
	l := s.take(s.join(), 1)[0].Lease
	s.clock.Advance(jobs.HeartbeatTTL)
	same(s, "to the last moment", true, s.leased(l))
	s.clock.Advance(time.Microsecond)
	same(s, "after it", false, s.leased(l))
}

func finished(s *suite) {
	s.add("x", "a", "b")
	node := s.join()
	l := s.take(node, 1)[0].Lease
	s.finish(l)
	same(s, "after the end", false, s.leased(l))
	s.is(jobs.ErrLeaseLost, s.Postpone(s.Context(), l, time.Second))
	next := s.take(node, 9)
	if len(next) != 1 || next[0].Subject != "b" || next[0].Lease.Job <= l.Job {
		s.Errorf("after %v came %v", l, next)
	}
	s.finish(next[0].Lease)
	// A job's number is never given again: an old lease would fit.
	s.add("", "c")
	if got := s.take(node, 9); len(got) != 1 || got[0].Lease.Job <= next[0].Lease.Job {
		s.Errorf("after %v came %v", next[0].Lease, got)
	}
}
