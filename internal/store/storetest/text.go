package storetest

import (
	"errors"
	"fmt"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

func textCases() []testCase {
	return []testCase{
		{"an id that is no text is unknown", foreignIDs},
		{"foreign text is kept", foreignText},
	}
}

// foreign are texts that not every engine takes as they are.
func foreign() []string { return []string{"a\x00b", "\x00", "a\xffb", "\xc3", "\xed\xa0\x80"} }

func foreignIDs(s *suite) {
	ctx := s.Context()
	for _, id := range foreign() {
		_, err := s.Read(ctx, "", id)
		s.is(verify.ErrAbsent, err)
		_, err = s.Read(ctx, id, "x")
		s.is(verify.ErrAbsent, err)
		_, err = s.ReadAttempt(ctx, id)
		s.is(verify.ErrAbsent, err)
		_, _, err = s.Token(ctx, id)
		s.is(verify.ErrAbsent, err)
		_, err = s.Key(ctx, id)
		s.is(account.ErrNotFound, err)
		_, err = s.Account(ctx, id)
		s.is(account.ErrNotFound, err)
		_, err = s.Service(ctx, "acc", id)
		s.is(account.ErrNotFound, err)
		if st := s.state(verify.Need{Account: id, Verification: id, Lease: &jobs.Lease{Job: 1, Node: id, N: 1}}); st.Verification != nil || st.Leased {
			s.Errorf("%q names something", id)
		}
		_, err = s.Stops(ctx, []string{id})
		s.ok(err)
		s.is(jobs.ErrNodeExpired, s.Beat(ctx, id))
		s.is(jobs.ErrLeaseLost, s.Postpone(ctx, jobs.Lease{Job: 1, Node: id, N: 1}, 0))
		s.ok(s.Change(ctx, account.Change{Account: id, Service: id, Key: id, Plan: func(h account.Held) (account.Writes, error) {
			if h.Account != nil || h.Service != nil || h.Key != nil {
				return account.Writes{}, fmt.Errorf("%q names something", id)
			}
			return account.Writes{}, nil
		}}))
	}
}

// What a carrier says must not keep its attempt from being settled, nor disturb
// the operations beside it.
func foreignText(s *suite) {
	var ops []verify.Op
	var want []verify.Attempt
	for i, text := range foreign() {
		v := s.sample("acc", i)
		v.Purpose, v.Reason = text, text
		a := s.attempt(v, 1)
		a.Ref, a.Reason, a.Route = text, text, text
		ops = append(ops, writing(verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{a}}))
		want = append(want, a)
	}
	s.ok(errors.Join(s.together(ops)...))
	for _, a := range want {
		st, err := s.ReadAttempt(s.Context(), a.ID)
		s.ok(err)
		same(s, "the reference", store.Text(a.Ref), store.Text(st.Attempts[0].Ref))
		same(s, "the purpose", store.Text(a.Ref), store.Text(st.Verification.Purpose))
	}
}
