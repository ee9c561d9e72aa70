package storetest

import (
	"time"

	"github.com/pincall/pincall/internal/verify"
)

func readCases() []testCase {
	return []testCase{
		{"tokens", tokens},
		{"overdue", overdue},
		{"stops", stops},
		{"pending ones, oldest first", pendingOrder},
		{"the clock never goes back", monotone},
	}
}

func tokens(s *suite) {
	v := s.sample("acc", 1)
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	acc, hash, err := s.Token(s.Context(), v.ID)
	s.ok(err)
	same(s, "token", []string{"acc", string(v.TokenHash)}, []string{acc, string(hash)})
	v.Status, v.Sealed, v.TokenHash = verify.Approved, nil, nil
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	_, _, err = s.Token(s.Context(), v.ID)
	s.is(verify.ErrAbsent, err)
	got, _ := s.read(v)
	if got.Sealed != nil || got.TokenHash != nil {
		s.Error("the secrets of an ended verification are still there")
	}
	// What is left of a token opens nothing once the verification has ended.
	v.TokenHash = []byte("left over")
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	_, _, err = s.Token(s.Context(), v.ID)
	s.is(verify.ErrAbsent, err)
}

func overdue(s *suite) {
	var all []verify.Overdue
	for i := range 4 {
		v := s.sample("acc", i)
		v.ExpiresAt = s.clock.Now().Add(time.Duration(i) * time.Minute)
		if i == 1 {
			v.Status = verify.Approved
		}
		s.put(verify.Writes{Verifications: []verify.Verification{v}})
		all = append(all, verify.Overdue{Account: v.Account, ID: v.ID})
	}
	s.clock.Advance(2 * time.Minute)
	got, err := s.Overdue(s.Context(), 10)
	s.ok(err)
	same(s, "overdue", []verify.Overdue{all[0], all[2]}, got)
	got, err = s.Overdue(s.Context(), 1)
	s.ok(err)
	same(s, "the first", all[:1], got)
}

func stops(s *suite) {
	v := s.sample("acc", 1)
	stop, goOn, over := s.attempt(v, 1), s.attempt(v, 2), s.attempt(v, 3)
	goOn.Stop, over.State = "", verify.StateEnded
	s.put(verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{stop, goOn, over}})
	got, err := s.Stops(s.Context(), []string{stop.ID, goOn.ID, over.ID, "unknown"})
	s.ok(err)
	same(s, "stops", map[string]string{stop.ID: "canceled"}, got)
	got, err = s.Stops(s.Context(), nil)
	s.ok(err)
	same(s, "stops of nothing", map[string]string{}, got)
}

func pendingOrder(s *suite) {
	first := s.sample("acc", 1)
	want := []string{first.ID}
	s.put(verify.Writes{Verifications: []verify.Verification{first}})
	for i := range 3 {
		s.clock.Advance(time.Second)
		v := s.sample("acc", i+2)
		v.Binding = first.Binding
		if i == 1 {
			v.Status = verify.Failed
		} else {
			want = append(want, v.ID)
		}
		s.put(verify.Writes{Verifications: []verify.Verification{v}})
	}
	var got []string
	for _, g := range s.state(verify.Need{Account: "acc", Binding: first.Binding}).Pending {
		got = append(got, g.Verification.ID)
	}
	same(s, "pending", want, got)
}

func monotone(s *suite) {
	before := s.state(verify.Need{}).Now
	s.clock.Advance(-time.Hour)
	if after := s.state(verify.Need{}).Now; after.Before(before) {
		s.Errorf("the store's clock went from %v back to %v", before, after)
	}
}
