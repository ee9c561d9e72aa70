package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

func batchCases() []testCase {
	return []testCase{
		{"64 guesses of one verification all count", guesses},
		{"exactly one of 64 right answers approves", approvals},
		{"a limit is exact within a batch", exactLimit},
		{"two starts of one binding see each other", twoStarts},
		{"a refused member harms no neighbour", neighbours},
		{"a member that fails while writing harms no neighbour", failingWriter},
		{"an operation is taken back before it was taken", takenBack},
		{"many at once", manyAtOnce},
	}
}

// guess is an operation that counts a wrong guess.
func guess(v verify.Verification) verify.Op {
	return verify.Op{
		Need: verify.Need{Account: v.Account, Verification: v.ID},
		Plan: func(st verify.State) (verify.Writes, error) {
			w := *st.Verification
			w.Guesses++
			return verify.Writes{Verifications: []verify.Verification{w}}, nil
		},
	}
}

func repeat(n int, op verify.Op) []verify.Op {
	ops := make([]verify.Op, n)
	for i := range ops {
		ops[i] = op
	}
	return ops
}

func guesses(s *suite) {
	v := s.sample("acc", 1)
	v.Guesses = 0
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	s.ok(errors.Join(s.together(repeat(64, guess(v)))...))
	got, _ := s.read(v)
	same(s, "guesses", 64, got.Guesses)
}

func approvals(s *suite) {
	v := s.sample("acc", 1)
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	errs := s.together(repeat(64, verify.Op{
		Need: verify.Need{Account: v.Account, Verification: v.ID},
		Plan: func(st verify.State) (verify.Writes, error) {
			w := *st.Verification
			if w.Status != verify.Pending {
				return verify.Writes{}, errRefused
			}
			w.Status, w.Sealed, w.TokenHash = verify.Approved, nil, nil
			return verify.Writes{Verifications: []verify.Verification{w}}, nil
		},
	}))
	same(s, "approvals", 1, count(errs, nil))
	same(s, "refusals", 63, count(errs, errRefused))
}

func count(errs []error, want error) int {
	n := 0
	for _, err := range errs {
		if errors.Is(err, want) {
			n++
		}
	}
	return n
}

func exactLimit(s *suite) {
	limit := guard.Limit{N: 10, Window: time.Hour}
	op := verify.Op{
		Need: verify.Need{Account: "acc", Limits: []string{"hot"}},
		Plan: func(st verify.State) (verify.Writes, error) {
			w := st.Limits["hot"].Windows[guard.RuleStarts]
			if w.Used(st.Now, limit.Window) >= limit.N {
				return verify.Writes{}, errRefused
			}
			row := guard.Row{Windows: map[guard.Rule]guard.Window{guard.RuleStarts: w.Add(st.Now, limit.Window, 1)}}
			return verify.Writes{Limits: map[string]verify.LimitRow{"hot": {Row: row}}}, nil
		},
	}
	errs := s.together(repeat(64, op))
	same(s, "allowed", 10, count(errs, nil))
	same(s, "refused", 54, count(errs, errRefused))
	used := s.state(op.Need).Limits["hot"].Windows[guard.RuleStarts].Used(s.clock.Now(), limit.Window)
	same(s, "used", int64(10), used)
}

func twoStarts(s *suite) {
	first := s.sample("acc", 1)
	var ops []verify.Op
	for i := range 20 {
		v := s.sample("acc", i)
		v.Binding = first.Binding
		ops = append(ops, verify.Op{
			Need: verify.Need{Account: "acc", Binding: first.Binding},
			Plan: func(st verify.State) (verify.Writes, error) {
				w := verify.Writes{Verifications: []verify.Verification{v}}
				for _, g := range st.Pending {
					g.Verification.Status = verify.Canceled
					w.Verifications = append(w.Verifications, g.Verification)
				}
				if len(st.Pending) > 1 {
					return w, fmt.Errorf("%d were pending", len(st.Pending))
				}
				return w, nil
			},
		})
	}
	s.ok(errors.Join(s.together(ops)...))
	same(s, "pending", 1, len(s.state(ops[0].Need).Pending))
}

func neighbours(s *suite) {
	var ops []verify.Op
	var want []verify.Verification
	for i := range 64 {
		w, v := s.everything("acc", i)
		op := writing(w)
		if i%2 == 1 {
			op.Plan = func(verify.State) (verify.Writes, error) { return w, errRefused }
		}
		ops, want = append(ops, op), append(want, v)
	}
	errs := s.together(ops)
	for i, v := range want {
		_, err := s.Read(s.Context(), "acc", v.ID)
		if i%2 == 0 {
			s.ok(errs[i])
			s.ok(err)
			continue
		}
		s.is(errRefused, errs[i])
		s.is(verify.ErrAbsent, err)
	}
}

func failingWriter(s *suite) {
	var ops []verify.Op
	var want []verify.Verification
	for i := range 9 {
		w, v := s.everything("acc", i)
		if i == 4 {
			w.Finish = &jobs.Lease{Job: 99, Node: "nobody", N: 1}
		}
		ops, want = append(ops, writing(w)), append(want, v)
	}
	errs := s.together(ops)
	for i, v := range want {
		_, err := s.Read(s.Context(), "acc", v.ID)
		if i != 4 {
			s.ok(errs[i])
			s.ok(err)
			continue
		}
		s.is(jobs.ErrLeaseLost, errs[i])
		s.is(verify.ErrAbsent, err)
	}
}

func takenBack(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	taken, waiting := s.sample("acc", 1), s.sample("acc", 2)
	release := s.hold(ctx, verify.Writes{Verifications: []verify.Verification{taken}})
	back := make(chan error)
	go func() { back <- s.Do(ctx, writing(verify.Writes{Verifications: []verify.Verification{waiting}})) }()
	time.Sleep(settle)
	cancel()
	s.is(context.Canceled, <-back)
	release()
	s.read(taken)
	_, err := s.Read(s.Context(), "acc", waiting.ID)
	s.is(verify.ErrAbsent, err)
}

func manyAtOnce(s *suite) {
	v := s.sample("acc", 0)
	v.Guesses = 0
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	node, err := s.Join(s.Context())
	s.ok(err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	leased := map[int64]int{} // how often each job was leased
	count := func(taken []jobs.Job) {
		mu.Lock()
		defer mu.Unlock()
		for _, j := range taken {
			leased[j.Lease.Job]++
		}
	}
	for g := range 8 {
		wg.Go(func() {
			for i := range 25 {
				w, mine := s.everything("acc", g*1000+i)
				err := errors.Join(s.Do(s.Context(), writing(w)), s.Do(s.Context(), guess(v)), s.Beat(s.Context(), node))
				_, readErr := s.Read(s.Context(), "acc", mine.ID)
				taken, leaseErr := s.Lease(s.Context(), node, 0, 1)
				count(taken)
				_, reapErr := s.Reap(s.Context())
				if err := errors.Join(err, readErr, leaseErr, reapErr, s.Forget(s.Context())); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, _ := s.read(v)
	same(s, "guesses", 200, got.Guesses)
	// One that leases beside others may find nothing: what it saw is taken, and what
	// came since it did not see. So a few may be left; none is lost or given twice.
	count(s.take(node, 500))
	same(s, "jobs leased", 200, len(leased))
	for job, n := range leased {
		if n != 1 {
			s.Errorf("job %d was leased %d times", job, n)
		}
	}
}
