package storetest

import (
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/verify"
)

func recordCases() []testCase {
	return []testCase{
		{"what ended long ago becomes counts", retire},
		{"retiring goes on where it stopped", retireInSteps},
		{"erasing", erase},
		{"a block outlives an erasure", eraseBlocked},
		{"answers of unknown verifications", answersOfOthers},
		{"calls in progress", followed},
	}
}

// finished writes an ended verification with one attempt.
func (s *suite) finished(acc string, n int) verify.Verification {
	v := s.sample(acc, n)
	v.Status, v.Sealed, v.TokenHash, v.EndedAt = verify.Approved, nil, nil, s.clock.Now()
	a := s.attempt(v, 1)
	a.State, a.Outcome = verify.StateEnded, outcome.Heard
	s.put(verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{a}})
	return v
}

func (s *suite) gone(v verify.Verification) bool {
	_, err := s.Read(s.Context(), v.Account, v.ID)
	return err != nil
}

// allDays is from the first day to the last.
func allDays() verify.Days { return verify.Days{From: "0001-01-01", To: "9999-12-31"} }

func retire(s *suite) {
	pending := s.sample("acc", 0)
	s.put(verify.Writes{Verifications: []verify.Verification{pending}})
	old := []verify.Verification{s.finished("acc", 1), s.finished("acc", 2), s.finished("other", 3)}
	s.clock.Advance(48 * time.Hour)
	young := s.finished("acc", 4)
	n, err := s.Retire(s.Context(), 47*time.Hour, 10)
	s.ok(err)
	same(s, "retired", 3, n)
	for _, v := range old {
		if !s.gone(v) {
			s.Errorf("%s is still there", v.ID)
		}
	}
	if s.gone(young) || s.gone(pending) {
		s.Error("what is young or pending is gone")
	}
	count := verify.Count{
		Day: "2025-03-04", Account: "acc", Service: "svc", Country: "JP", Channel: string(phone.Voice), Status: verify.Approved,
		Outcome: string(outcome.Heard), Sends: 4, Guesses: 2, N: 2,
	}
	got, err := s.Statistics(s.Context(), "acc", allDays(), 10)
	s.ok(err)
	same(s, "counts", []verify.Count{count}, got)
	// The same again is added; other days are counts of their own.
	s.clock.Advance(48 * time.Hour)
	_, err = s.Retire(s.Context(), time.Hour, 10)
	s.ok(err)
	second := count
	second.Day, second.Sends, second.Guesses, second.N = "2025-03-06", 2, 1, 1
	got, err = s.Statistics(s.Context(), "acc", allDays(), 10)
	s.ok(err)
	same(s, "counts of two days", []verify.Count{count, second}, got)
	got, err = s.Statistics(s.Context(), "acc", verify.Days{From: "2025-03-05", To: "2025-03-06"}, 10)
	s.ok(err)
	same(s, "counts of a day", []verify.Count{second}, got)
	got, err = s.Statistics(s.Context(), "acc", allDays(), 1)
	s.ok(err)
	same(s, "one count", []verify.Count{count}, got)
}

func retireInSteps(s *suite) {
	for i := range 7 {
		s.finished("acc", i)
	}
	s.clock.Advance(25 * time.Hour)
	for _, want := range []int{3, 3, 1, 0} {
		n, err := s.Retire(s.Context(), 24*time.Hour, 3)
		s.ok(err)
		same(s, "retired", want, n)
	}
	got, err := s.Statistics(s.Context(), "acc", allDays(), 10)
	s.ok(err)
	if len(got) != 1 || got[0].N != 7 || got[0].Sends != 14 || got[0].Guesses != 7 {
		s.Errorf("counts %+v", got)
	}
}

func erase(s *suite) {
	v, other, foreign := s.sample("acc", 1), s.sample("acc", 2), s.sample("other", 3)
	foreign.NumberIndex = v.NumberIndex
	all := []verify.Verification{v, other, foreign}
	w := verify.Writes{Verifications: all, Limits: map[string]verify.LimitRow{"n/unrelated": {Row: s.row(1)}, "n/named": {Row: s.row(1)}}}
	for i, x := range all {
		a := s.attempt(x, 1)
		w.Attempts = append(w.Attempts, a)
		w.Limits[x.LimitKey] = verify.LimitRow{Row: s.row(0)}
		w.Jobs = append(w.Jobs, jobs.New{Kind: jobs.Deliver, Subject: a.ID}, jobs.New{Kind: jobs.Step, Subject: x.Account + "/" + x.ID})
		s.put(verify.Writes{Once: &verify.Kept{Key: fmt.Append(nil, "key", i), Account: x.Account, Verification: x.ID, Answer: []byte("a"),
			KeepUntil: s.clock.Now().Add(time.Hour)}})
	}
	s.put(w)
	mine, err := s.Numbered(s.Context(), "acc", v.NumberIndex)
	s.ok(err)
	same(s, "of the account", []verify.Overdue{{Account: "acc", ID: v.ID}}, mine)
	anyones, err := s.Numbered(s.Context(), "", v.NumberIndex)
	s.ok(err)
	same(s, "of all", 2, len(anyones))
	did, err := s.Erase(s.Context(), verify.Erasure{Account: "acc", Verifications: []string{v.ID}, LimitKeys: []string{"n/named", "n/none"}})
	s.ok(err)
	same(s, "erased", verify.Erased{Verifications: 1, Attempts: 1, Jobs: 2, Limits: 2, Answers: 1}, did)
	if !s.gone(v) || s.gone(other) || s.gone(foreign) {
		s.Error("the wrong rows are gone")
	}
	st := s.state(verify.Need{Account: "acc", Limits: []string{"n/named", "n/unrelated", v.LimitKey, other.LimitKey}, Once: []byte("key0")})
	if len(st.Limits) != 2 || st.Once != nil {
		s.Errorf("%d rows of counters, kept answer %v", len(st.Limits), st.Once)
	}
	if st := s.state(verify.Need{Account: "acc", Once: []byte("key1")}); st.Once == nil || st.Once.Verification != other.ID {
		s.Error("another's kept answer is gone")
	}
	s.ok(s.Scrub(s.Context()))
	did, err = s.Erase(s.Context(), verify.Erasure{Account: "acc", Verifications: []string{v.ID}})
	s.ok(err)
	same(s, "erased again", verify.Erased{}, did)
}

func eraseBlocked(s *suite) {
	v := s.sample("acc", 1)
	s.put(verify.Writes{Verifications: []verify.Verification{v}, Limits: map[string]verify.LimitRow{v.LimitKey: {Row: guard.Block(s.row(2))}}})
	did, err := s.Erase(s.Context(), verify.Erasure{Account: "acc", Verifications: []string{v.ID}})
	s.ok(err)
	same(s, "erased", verify.Erased{Verifications: 1, BlocksKept: 1}, did)
	st := s.state(verify.Need{Limits: []string{v.LimitKey}})
	same(s, "the block alone", guard.Block(guard.Row{}), st.Limits[v.LimitKey])
	did, err = s.Erase(s.Context(), verify.Erasure{Account: "acc", LimitKeys: []string{v.LimitKey}, ForgetBlocks: true})
	s.ok(err)
	same(s, "erased with its block", verify.Erased{Limits: 1}, did)
	if st := s.state(verify.Need{Limits: []string{v.LimitKey}}); len(st.Limits) != 0 {
		s.Error("the block is still there")
	}
}

// An answer that tells of no verification is nobody's trace.
func answersOfOthers(s *suite) {
	s.put(verify.Writes{Once: &verify.Kept{Key: []byte("key"), Account: "acc", Answer: []byte("a"), KeepUntil: s.clock.Now().Add(time.Hour)}})
	did, err := s.Erase(s.Context(), verify.Erasure{Account: "acc"})
	s.ok(err)
	same(s, "erased", verify.Erased{}, did)
	if s.state(verify.Need{Account: "acc", Once: []byte("key")}).Once == nil {
		s.Error("an answer of no verification is gone")
	}
}

func followed(s *suite) {
	v := s.sample("acc", 1)
	call := s.attempt(v, 1)
	s.put(verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{call},
		Jobs: []jobs.New{{Kind: jobs.Deliver, Subject: call.ID, Due: s.clock.Now()}}})
	is := func(what string, want bool) {
		s.Helper()
		got, err := s.Followed(s.Context(), []string{"unknown", v.ID})
		s.ok(err)
		same(s, what, want, got)
	}
	is("nobody has the job", false)
	node, err := s.Join(s.Context())
	s.ok(err)
	_, err = s.Lease(s.Context(), node, 0, 1)
	s.ok(err)
	is("a node has the job", true)
	s.clock.Advance(jobs.HeartbeatTTL + time.Second)
	is("the node is lost", false)
	brands, err := s.Brands(s.Context(), "")
	s.ok(err)
	same(s, "services", 0, len(brands))
}
