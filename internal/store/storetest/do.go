package storetest

import (
	"errors"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/verify"
)

var errRefused = errors.New("refused by the plan")

func doCases() []testCase {
	return []testCase{
		{"round trip of every field", roundTrip},
		{"a row is replaced as a whole", replaced},
		{"what is missing is missing", missing},
		{"a plan's error comes back and nothing is written", planError},
		{"a write that fails undoes its operation", allOrNothing},
		{"a plan that panics fails alone", planPanics},
		{"accounts are apart", isolation},
		{"limit rows", limitRows},
		{"kept answers", keptAnswers},
		{"ended work is dropped before new work is written", dropBeforeJobs},
	}
}

func roundTrip(s *suite) {
	v := s.sample("acc", 1)
	a, b := s.attempt(v, 1), s.attempt(v, 2)
	b.Channel, b.Screen, b.Stop = "sms", nil, ""
	s.put(verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{b, a}})
	want := verify.State{Now: s.clock.Now(), Verification: &v, Attempts: []verify.Attempt{a, b}}

	got, err := s.Read(s.Context(), "acc", v.ID)
	s.ok(err)
	same(s, "Read", want, got)
	got, err = s.ReadAttempt(s.Context(), b.ID)
	s.ok(err)
	same(s, "ReadAttempt", want, got)
	same(s, "a plan's state", want, s.state(verify.Need{Account: "acc", Verification: v.ID}))
	want = verify.State{Now: s.clock.Now(), Pending: []verify.Group{{Verification: v, Attempts: []verify.Attempt{a, b}}}}
	same(s, "a plan's state by binding", want, s.state(verify.Need{Account: "acc", Binding: v.Binding}))
}

func replaced(s *suite) {
	v := s.sample("acc", 1)
	a := s.attempt(v, 1)
	s.put(verify.Writes{Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{a}})
	// All but the names of the rows.
	w := verify.Verification{
		ID: v.ID, Account: v.Account, Status: verify.Expired, CreatedAt: v.CreatedAt, ExpiresAt: v.ExpiresAt,
		Settings: verify.Settings{Language: "en"},
	}
	b := verify.Attempt{ID: a.ID, Verification: v.ID, Account: v.Account, N: 7}
	s.put(verify.Writes{Verifications: []verify.Verification{w}, Attempts: []verify.Attempt{b}})
	gotV, gotA := s.read(v)
	same(s, "verification", w, gotV)
	same(s, "attempts", []verify.Attempt{b}, gotA)
}

func missing(s *suite) {
	st := s.state(verify.Need{
		Account: "acc", Verification: "none", Binding: []byte("none"), Limits: []string{"none"}, Once: []byte("none"),
		Lease: &jobs.Lease{Job: 1, Node: "none", N: 1},
	})
	same(s, "state", verify.State{Now: s.clock.Now()}, st)
	_, err := s.Read(s.Context(), "acc", "none")
	s.is(verify.ErrAbsent, err)
	_, err = s.ReadAttempt(s.Context(), "none")
	s.is(verify.ErrAbsent, err)
	_, _, err = s.Token(s.Context(), "none")
	s.is(verify.ErrAbsent, err)
}

func planError(s *suite) {
	v := s.sample("acc", 1)
	err := s.Do(s.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) {
		return verify.Writes{Verifications: []verify.Verification{v}}, errRefused
	}})
	if err != errRefused { //nolint:errorlint // unchanged is the contract
		s.Errorf("the plan's error came back as %v", err)
	}
	_, err = s.Read(s.Context(), "acc", v.ID)
	s.is(verify.ErrAbsent, err)
}

// everything is an operation's worth of writes of all kinds.
func (s *suite) everything(acc string, n int) (verify.Writes, verify.Verification) {
	v := s.sample(acc, n)
	a := s.attempt(v, 1)
	return verify.Writes{
		Verifications: []verify.Verification{v}, Attempts: []verify.Attempt{a},
		Limits: map[string]verify.LimitRow{v.LimitKey: {Row: s.row(1)}},
		Jobs:   []jobs.New{{Kind: jobs.Deliver, Subject: a.ID, Order: v.Order, Due: s.clock.Now()}},
		Once: &verify.Kept{
			Key: v.Binding, Account: acc, Body: []byte("body"), Answer: []byte("answer"), KeepUntil: s.clock.Now().Add(time.Hour),
		},
	}, v
}

func allOrNothing(s *suite) {
	w, v := s.everything("acc", 1)
	w.Finish = &jobs.Lease{Job: 99, Node: "nobody", N: 1} // nobody holds this
	s.is(jobs.ErrLeaseLost, s.Do(s.Context(), writing(w)))
	_, err := s.Read(s.Context(), "acc", v.ID)
	s.is(verify.ErrAbsent, err)
	st := s.state(verify.Need{Account: "acc", Binding: v.Binding, Limits: []string{v.LimitKey}, Once: v.Binding})
	same(s, "state", verify.State{Now: s.clock.Now()}, st)
	if _, ok, err := s.NextDue(s.Context()); ok || err != nil {
		s.Errorf("a job was written: %v %v", ok, err)
	}
	// Another account's row is not replaced, and nothing beside it is written.
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	w, _ = s.everything("other", 2)
	w.Verifications[0].ID = v.ID
	if s.Do(s.Context(), writing(w)) == nil {
		s.Error("another account's verification was replaced")
	}
	got, _ := s.read(v)
	same(s, "verification", v, got)
}

func planPanics(s *suite) {
	v := s.sample("acc", 1)
	errs := s.together([]verify.Op{
		{Plan: func(verify.State) (verify.Writes, error) { panic("a mistake") }},
		writing(verify.Writes{Verifications: []verify.Verification{v}}),
	})
	if errs[0] == nil || errs[1] != nil {
		s.Errorf("answers: %v", errs)
	}
	s.read(v)
}

func isolation(s *suite) {
	w, v := s.everything("acc", 1)
	s.put(w)
	_, err := s.Read(s.Context(), "other", v.ID)
	s.is(verify.ErrAbsent, err)
	st := s.state(verify.Need{Account: "other", Verification: v.ID, Binding: v.Binding, Once: v.Binding})
	same(s, "what another account sees", verify.State{Now: s.clock.Now()}, st)
	st = s.state(verify.Need{Account: "acc", Verification: v.ID, Binding: v.Binding, Once: v.Binding})
	if st.Verification == nil || len(st.Pending) != 1 || st.Once == nil {
		s.Error("the account itself does not see its rows")
	}
}

func limitRows(s *suite) {
	v := s.sample("acc", 1)
	now := s.clock.Now()
	s.put(verify.Writes{Verifications: []verify.Verification{v}, Limits: map[string]verify.LimitRow{
		v.LimitKey: {Row: s.row(1)}, "soon": {Row: s.row(2), KeepUntil: now.Add(time.Minute)},
		"late": {Row: s.row(3), KeepUntil: now.Add(time.Hour)},
	}})
	keys := []string{"soon", "late"}
	want := map[string]guard.Row{v.LimitKey: s.row(1), "soon": s.row(2), "late": s.row(3)}
	same(s, "rows", want, s.state(verify.Need{Account: "acc", Verification: v.ID, Limits: keys}).Limits)
	same(s, "rows by binding", want, s.state(verify.Need{Account: "acc", Binding: v.Binding, Limits: keys}).Limits)
	s.ok(s.Forget(s.Context()))
	same(s, "before their time", want, s.state(verify.Need{Account: "acc", Verification: v.ID, Limits: keys}).Limits)
	s.clock.Advance(15 * time.Minute) // an engine may keep them some minutes longer
	want2 := map[string]guard.Row{v.LimitKey: want[v.LimitKey], "late": want["late"]}
	s.ok(s.Forget(s.Context()))
	same(s, "after it", want2, s.state(verify.Need{Account: "acc", Verification: v.ID, Limits: keys}).Limits)
}

func keptAnswers(s *suite) {
	key := []byte("key")
	need := verify.Need{Account: "acc", Once: key}
	k := &verify.Kept{
		Key: key, Account: "acc", Body: []byte("body"), Answer: []byte("answer"), KeepUntil: s.clock.Now().Add(time.Hour),
	}
	s.put(verify.Writes{Once: k})
	s.ok(s.Forget(s.Context()))
	same(s, "kept", k, s.state(need).Once)
	s.clock.Advance(time.Hour)
	same(s, "after its time", (*verify.Kept)(nil), s.state(need).Once)
	s.ok(s.Forget(s.Context()))
	k.Answer, k.KeepUntil = []byte("again"), s.clock.Now().Add(time.Hour)
	s.put(verify.Writes{Once: k})
	same(s, "kept anew", k, s.state(need).Once)
}

func dropBeforeJobs(s *suite) {
	due := s.clock.Now()
	s.put(verify.Writes{Jobs: []jobs.New{{Kind: jobs.Step, Subject: "a", Due: due}, {Kind: jobs.Step, Subject: "b", Due: due}}})
	s.put(verify.Writes{
		Drop: []string{"a", "unknown"}, Jobs: []jobs.New{{Kind: jobs.Deliver, Subject: "a", Due: due.Add(time.Second)}},
	})
	s.clock.Advance(time.Minute)
	node, err := s.Join(s.Context())
	s.ok(err)
	same(s, "jobs", []string{"step b", "deliver a"}, s.lease(node, 9))
	// A job in somebody's hands is not dropped.
	s.put(verify.Writes{Drop: []string{"a", "b"}})
	s.ok(s.Leave(s.Context(), node))
	node, err = s.Join(s.Context())
	s.ok(err)
	same(s, "jobs that were leased", []string{"step b", "deliver a"}, s.lease(node, 9))
}
