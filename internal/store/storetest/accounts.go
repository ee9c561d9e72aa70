package storetest

import (
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

func accountCases() []testCase {
	return []testCase{
		{"accounts", accounts},
		{"services", services},
		{"keys", keys},
	}
}

// newAccount writes an account with a default service.
func (s *suite) newAccount(id string) (account.Account, account.Service) {
	s.Helper()
	a := account.Account{ID: id, Name: "name of " + id, Disabled: id == "off", CreatedAt: s.clock.Now()}
	def := account.Service{ID: "d-" + id, Account: id, Name: "default"}
	s.ok(s.InsertAccount(s.Context(), a, def))
	return a, def
}

func accounts(s *suite) {
	var want []account.Account
	for _, id := range []string{"zz", "off", "aa"} {
		a, _ := s.newAccount(id)
		want = append(want, a)
		s.clock.Advance(time.Second)
	}
	got, err := s.Accounts(s.Context())
	s.ok(err)
	same(s, "accounts", want, got)
	one, err := s.Account(s.Context(), "off")
	s.ok(err)
	same(s, "account", want[1], one)
	_, err = s.Account(s.Context(), "none")
	s.is(account.ErrNotFound, err)
	// A second one of the same id changes nothing.
	err = s.InsertAccount(s.Context(), account.Account{ID: "aa"}, account.Service{ID: "x", Account: "aa"})
	s.is(account.ErrExists, err)
	one, err = s.Account(s.Context(), "aa")
	s.ok(err)
	same(s, "account", want[2], one)
	_, err = s.Service(s.Context(), "aa", "x")
	s.is(account.ErrNotFound, err)
}

func services(s *suite) {
	_, def := s.newAccount("acc")
	s.newAccount("other")
	check := func(what, id string, want account.Service) {
		s.Helper()
		got, err := s.Service(s.Context(), "acc", id)
		s.ok(err)
		same(s, what, want, got)
	}
	check("default", "", def)
	check("default by id", def.ID, def)
	full := account.Service{
		ID: "full", Account: "acc", Name: "Shop", Brand: "Acme", CodeLength: 8, Validity: time.Minute, MaxGuesses: 3,
		MaxSends: 2, Language: "ja", Gate: script.GateAnyKey, GatePolicy: account.GateRequire,
		Workflow: []account.Step{{Channel: phone.SMS, Timeout: time.Minute}}, Countries: []string{"JP", "DE"}, PlainDigits: true,
	}
	s.ok(s.PutService(s.Context(), full))
	check("a second one", "full", full)
	check("the default still", "", def)
	full.Brand, def.Brand = "Other", "New"
	s.ok(s.PutService(s.Context(), full))
	s.ok(s.PutService(s.Context(), def))
	check("changed", "full", full)
	check("the default, changed", "", def)
	_, err := s.Service(s.Context(), "other", "full")
	s.is(account.ErrNotFound, err)
	_, err = s.Service(s.Context(), "none", "")
	s.is(account.ErrNotFound, err)
}

func keys(s *suite) {
	s.newAccount("acc")
	s.newAccount("other")
	var want []account.Key
	for i := range 3 {
		k := account.Key{
			ID: fmt.Sprint("k", 3-i), Account: "acc", Name: "ci", Scopes: account.Scopes()[i:], Hash: []byte{0, byte(i)},
			CreatedAt: s.clock.Now(),
		}
		s.ok(s.InsertKey(s.Context(), k))
		want = append(want, k)
		s.clock.Advance(time.Second)
	}
	got, err := s.Keys(s.Context(), "acc")
	s.ok(err)
	same(s, "keys", want, got)
	got, err = s.Keys(s.Context(), "other")
	s.ok(err)
	same(s, "the other's keys", []account.Key(nil), got)
	clash := want[0]
	clash.Account = "other"
	s.is(account.ErrExists, s.InsertKey(s.Context(), clash))

	when := s.clock.Now()
	s.is(account.ErrNotFound, s.RevokeKey(s.Context(), "other", want[0].ID, when))
	s.is(account.ErrNotFound, s.RevokeKey(s.Context(), "acc", "none", when))
	s.ok(s.RevokeKey(s.Context(), "acc", want[0].ID, when))
	s.ok(s.RevokeKey(s.Context(), "acc", want[0].ID, when.Add(time.Hour)))
	want[0].RevokedAt = when
	one, err := s.Key(s.Context(), want[0].ID)
	s.ok(err)
	same(s, "the first revocation counts", want[0], one)
	_, err = s.Key(s.Context(), "none")
	s.is(account.ErrNotFound, err)
}
