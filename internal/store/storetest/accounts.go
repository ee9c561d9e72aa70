package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/verify"
)

func accountCases() []testCase {
	return []testCase{
		{"accounts", accounts},
		{"services", services},
		{"a service in use", serviceInUse},
		{"keys", keys},
		{"changes", changes},
		{"changes at once", changesAtOnce},
		{"kept answers of changes", keptChanges},
		{"log", entries},
	}
}

// newAccount writes an account with a default service.
func (s *suite) newAccount(id string) (account.Account, account.Service) {
	s.Helper()
	a := account.Account{ID: id, Name: "name of " + id, Disabled: id == "off", CreatedAt: s.clock.Now()}
	def := account.Service{ID: "d-" + id, Account: id, Default: true, Name: "default"}
	s.ok(s.InsertAccount(s.Context(), a, def))
	return a, def
}

// act writes to an account, without reading anything.
func (s *suite) act(acc string, w account.Writes) error {
	return s.Change(s.Context(), account.Change{Account: acc, Plan: func(account.Held) (account.Writes, error) { return w, nil }})
}

// held gives what a plan would see.
func (s *suite) held(ch account.Change) account.Held {
	s.Helper()
	var seen account.Held
	ch.Plan = func(h account.Held) (account.Writes, error) {
		seen = h
		return account.Writes{}, nil
	}
	s.ok(s.Change(s.Context(), ch))
	return seen
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
	// A change makes one too, and changes one: not when it was made.
	made := account.Account{ID: "new", Name: "New", CreatedAt: s.clock.Now()}
	s.ok(s.act("new", account.Writes{Account: &made, Service: &account.Service{ID: "d", Default: true, Name: "x"}}))
	made.Disabled, made.Name = true, "Newer"
	later := made
	later.CreatedAt = made.CreatedAt.Add(time.Hour)
	s.ok(s.act("new", account.Writes{Account: &later}))
	one, err = s.Account(s.Context(), "new")
	s.ok(err)
	same(s, "the changed account", made, one)
	def, err := s.Service(s.Context(), "new", "")
	s.ok(err)
	same(s, "its default service", account.Service{ID: "d", Account: "new", Default: true, Name: "x"}, def)
}

// fullService is a service with every field set.
func fullService() account.Service {
	return account.Service{
		ID: "full", Account: "acc", Name: "Shop", Brand: "Acme", Domain: "example.com", CodeLength: 8, Validity: time.Minute, MaxGuesses: 3,
		MaxSends: 2, Language: "ja", Gate: script.GateAnyKey, GatePolicy: account.GateRequire,
		Workflow: []account.Step{{Channel: phone.SMS, Timeout: time.Minute}}, Countries: []string{"JP", "DE"}, PlainDigits: true,
		Templates: map[string]script.Template{"en": {Lang: "en", Phrases: map[string]string{"bye": "Bye."}, SMS: "{{code}}"}},
	}
}

func services(s *suite) {
	_, def := s.newAccount("acc")
	_, others := s.newAccount("other")
	check := func(what, id string, want account.Service) {
		s.Helper()
		got, err := s.Service(s.Context(), "acc", id)
		s.ok(err)
		same(s, what, want, got)
	}
	check("default", "", def)
	check("default by id", def.ID, def)
	full := fullService()
	s.ok(s.act("acc", account.Writes{Service: &full}))
	check("a second one", "full", full)
	check("the default still", "", def)
	full.Brand, def.Brand = "Other", "New"
	s.ok(s.act("acc", account.Writes{Service: &full}))
	// Which one is the default does not change, whatever is written.
	written := def
	written.Default = false
	s.ok(s.act("acc", account.Writes{Service: &written}))
	check("changed", "full", full)
	check("the default, changed", "", def)
	first := account.Service{ID: "a", Account: "acc", Name: "sorts first"}
	s.ok(s.act("acc", account.Writes{Service: &first}))
	list, err := s.Services(s.Context(), "acc")
	s.ok(err)
	same(s, "the list", []account.Service{def, first, full}, list)
	_, err = s.Service(s.Context(), "other", "full")
	s.is(account.ErrNotFound, err)
	_, err = s.Service(s.Context(), "none", "")
	s.is(account.ErrNotFound, err)

	s.ok(s.act("other", account.Writes{DropService: "full"}))
	s.ok(s.act("acc", account.Writes{DropService: def.ID}))
	check("another account's deletion does nothing", "full", full)
	check("the default is not deleted", "", def)
	s.ok(s.act("acc", account.Writes{DropService: "full"}))
	_, err = s.Service(s.Context(), "acc", "full")
	s.is(account.ErrNotFound, err)
	list, err = s.Services(s.Context(), "other")
	s.ok(err)
	same(s, "the other's list", []account.Service{others}, list)
}

// A service is in use while it has pending verifications.
func serviceInUse(s *suite) {
	s.newAccount("acc")
	s.newAccount("other")
	for _, acc := range []string{"acc", "other"} {
		s.ok(s.act(acc, account.Writes{Service: &account.Service{ID: "svc", Name: "x"}}))
		s.ok(s.act(acc, account.Writes{Service: &account.Service{ID: "idle", Name: "x"}}))
	}
	v := s.sample("acc", 1)
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	inUse := func(acc, service string) bool {
		return s.held(account.Change{Account: acc, Service: service}).Pending
	}
	if !inUse("acc", "svc") || inUse("acc", "idle") || inUse("other", "svc") {
		s.Error("the service of a pending verification, and no other, is in use")
	}
	v.Status = verify.Approved
	s.put(verify.Writes{Verifications: []verify.Verification{v}})
	if inUse("acc", "svc") {
		s.Error("in use after the end")
	}
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
		s.ok(s.act("acc", account.Writes{Key: &k}))
		want = append(want, k)
		s.clock.Advance(time.Second)
	}
	got, err := s.Keys(s.Context(), "acc")
	s.ok(err)
	same(s, "keys", want, got)
	got, err = s.Keys(s.Context(), "other")
	s.ok(err)
	same(s, "the other's keys", []account.Key(nil), got)
	// A taken id is nobody's to take, nor to revoke for another account.
	clash, revoked := want[0], want[0]
	revoked.RevokedAt = s.clock.Now()
	s.is(account.ErrExists, s.act("other", account.Writes{Key: &clash}))
	s.is(account.ErrExists, s.act("acc", account.Writes{Key: &clash}))
	s.is(account.ErrExists, s.act("other", account.Writes{Key: &revoked}))
	if h := s.held(account.Change{Account: "other", Key: want[0].ID}); h.Key != nil {
		s.Error("another account's key was read")
	}
	// Nothing but the revocation changes.
	revoked.Hash, revoked.Scopes, revoked.Name = []byte{9}, account.Scopes(), "renamed"
	s.ok(s.act("acc", account.Writes{Key: &revoked}))
	want[0].RevokedAt = revoked.RevokedAt
	one, err := s.Key(s.Context(), want[0].ID)
	s.ok(err)
	same(s, "a revoked key", want[0], one)
	same(s, "as a plan sees it", want[0], *s.held(account.Change{Account: "acc", Key: want[0].ID}).Key)
	_, err = s.Key(s.Context(), "none")
	s.is(account.ErrNotFound, err)
}

// An act is carried out whole or not at all.
func changes(s *suite) {
	acc, def := s.newAccount("acc")
	s.newAccount("other")
	h := s.held(account.Change{Account: "acc", Service: def.ID, Key: "none", Once: []byte("none")})
	same(s, "what is held", account.Held{Now: s.clock.Now(), Account: &acc, Service: &def}, h)
	h = s.held(account.Change{Account: "other", Service: def.ID})
	if h.Service != nil || h.Account.ID != "other" {
		s.Error("another account's service was read")
	}
	h = s.held(account.Change{Account: "none", Service: def.ID})
	same(s, "of no account", account.Held{Now: s.clock.Now()}, h)

	refused := errors.New("refused")
	err := s.Change(s.Context(), account.Change{Account: "acc", Plan: func(account.Held) (account.Writes, error) {
		return account.Writes{Service: &account.Service{ID: "never"}}, refused
	}})
	s.is(refused, err)
	taken := account.Key{ID: "k", CreatedAt: s.clock.Now()}
	s.ok(s.act("other", account.Writes{Key: &taken}))
	s.is(account.ErrExists, s.act("acc", account.Writes{
		Service: &account.Service{ID: "never"}, Key: &taken, Entry: &account.Entry{By: "x"}, Once: &account.Kept{Key: []byte("o")},
	}))
	if err := s.Change(s.Context(), account.Change{Account: "acc", Plan: func(account.Held) (account.Writes, error) { panic("a mistake") }}); err == nil {
		s.Error("a plan that panics succeeds")
	}
	_, err = s.Service(s.Context(), "acc", "never")
	s.is(account.ErrNotFound, err)
	list, err := s.Log(s.Context(), "acc", 0, 10)
	s.ok(err)
	same(s, "the log", []account.Entry(nil), list)
}

// Of acts at once each sees those before it.
func changesAtOnce(s *suite) {
	const n = 32
	s.newAccount("acc")
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			err := s.Change(s.Context(), account.Change{Account: "acc", Service: "svc", Plan: func(h account.Held) (account.Writes, error) {
				next := account.Service{ID: "svc", CodeLength: 1}
				if h.Service != nil {
					next.CodeLength = h.Service.CodeLength + 1
				}
				return account.Writes{Service: &next, Entry: &account.Entry{By: "x", At: h.Now}}, nil
			}})
			if err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Service(s.Context(), "acc", "svc")
	s.ok(err)
	list, err := s.Log(s.Context(), "acc", 0, 2*n)
	s.ok(err)
	if got.CodeLength != n || len(list) != n || list[0].N != n || list[n-1].N != 1 {
		s.Errorf("%d acts of %d counted, %d entries", got.CodeLength, n, len(list))
	}
}

// An answer is kept with its act until its time is over, for its account.
func keptChanges(s *suite) {
	s.newAccount("acc")
	s.newAccount("other")
	want := account.Kept{Key: []byte("key"), Body: []byte("body"), Answer: []byte("answer"), KeepUntil: s.clock.Now().Add(time.Hour)}
	s.ok(s.act("acc", account.Writes{Once: &want}))
	once := func(acc string) *account.Kept { return s.held(account.Change{Account: acc, Once: want.Key}).Once }
	same(s, "the kept answer", &want, once("acc"))
	same(s, "another account's", nil, once("other"))
	s.clock.Advance(time.Hour)
	same(s, "after its time", nil, once("acc"))
}

func entries(s *suite) {
	s.newAccount("acc")
	s.newAccount("other")
	var want []account.Entry
	for i := range 5 {
		e := account.Entry{
			Account: "acc", By: "k1", Action: account.Actions()[i], Target: fmt.Sprint("t", i), At: s.clock.Now(),
			Before: json.RawMessage(fmt.Sprintf(`{"a":%d}`, i)), After: json.RawMessage(`{"b":"é"}`),
		}
		switch i {
		case 1:
			e.Before = nil
		case 2:
			e.After = nil
		}
		s.ok(s.act("acc", account.Writes{Entry: &e}))
		s.ok(s.act("other", account.Writes{Entry: &account.Entry{By: account.ByCLI, At: e.At}}))
		e.N = int64(i + 1) // of the account's own
		want = append([]account.Entry{e}, want...)
		s.clock.Advance(time.Second)
	}
	for _, page := range []struct {
		before int64
		n      int
		want   []account.Entry
	}{{0, 10, want}, {0, 2, want[:2]}, {4, 2, want[2:4]}, {2, 10, want[4:]}, {1, 10, nil}, {100, 1, want[:1]}} {
		got, err := s.Log(s.Context(), "acc", page.before, page.n)
		s.ok(err)
		same(s, fmt.Sprintf("%d before %d", page.n, page.before), page.want, got)
	}
	got, err := s.Log(s.Context(), "none", 0, 10)
	s.ok(err)
	same(s, "nobody's log", []account.Entry(nil), got)
}
