package account_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	good := account.Service{
		Name: "Shop", Brand: "Acme", Domain: "example.com", CodeLength: 10, Validity: 2 * time.Minute, MaxGuesses: 10, MaxSends: 1,
		Language: "en-GB", Gate: script.GateNone, GatePolicy: account.GateRequire, Countries: []string{"JP"},
		Workflow: []account.Step{{Channel: phone.SMS, Timeout: 5 * time.Second}, {Channel: phone.Voice}},
	}
	for _, s := range []account.Service{good, {Name: "x"}, {Name: "ünïcode 日本 2026-01-01"}} {
		if f := s.Check(); len(f) > 0 {
			t.Errorf("%s: %v", s.Name, f)
		}
	}
	for field, change := range map[string]func(*account.Service){
		"name":                        func(s *account.Service) { s.Name = strings.Repeat("x", 65) },
		"brand":                       func(s *account.Service) { s.Brand = "call +1 415" },
		"domain":                      func(s *account.Service) { s.Domain = "Example.com" },
		"code_length":                 func(s *account.Service) { s.CodeLength = -1 },
		"validity_seconds":            func(s *account.Service) { s.Validity = 125500 * time.Millisecond },
		"max_guesses":                 func(s *account.Service) { s.MaxGuesses = 11 },
		"max_sends":                   func(s *account.Service) { s.MaxSends = 11 },
		"language":                    func(s *account.Service) { s.Language = "tlh" },
		"gate":                        func(s *account.Service) { s.Gate = "two_keys" },
		"gate_policy":                 func(s *account.Service) { s.GatePolicy = "maybe" },
		"countries[1]":                func(s *account.Service) { s.Countries = []string{"JP", "jp"} },
		"countries":                   func(s *account.Service) { s.Countries = slices.Repeat([]string{"JP"}, 301) },
		"workflow":                    func(s *account.Service) { s.Workflow = slices.Repeat(s.Workflow, 3) },
		"workflow[0].channel":         func(s *account.Service) { s.Workflow = []account.Step{{Channel: "fax"}} },
		"workflow[0].timeout_seconds": func(s *account.Service) { s.Workflow = []account.Step{{Channel: phone.SMS, Timeout: time.Hour}} },
	} {
		bad := good
		change(&bad)
		if f := bad.Check(); len(f) != 1 || f[0].Field != field || f[0].Reason == "" {
			t.Errorf("%s: got the faults %v", field, f)
		}
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	for label, ok := range map[string]bool{
		"": true, "Shop 2026-01-01": true, "日本": true, strings.Repeat("é", 64): true,
		strings.Repeat("é", 65): false, "a\nb": false, "\xff": false, "+81 3 1234 5678": false, "PCK_a_b": false, "pct_": false,
	} {
		if err := account.CheckLabel(label); (err == nil) != ok {
			t.Errorf("%q: %v", label, err)
		}
	}
}

func TestNewAccount(t *testing.T) {
	t.Parallel()
	f := open(t)
	made, err := f.Clerk("new", account.ByCLI).NewAccount(t.Context(), "New")
	f.ok(err)
	if made.ID != "new" || made.Name != "New" || made.Disabled || made.CreatedAt.IsZero() {
		t.Errorf("made %+v", made)
	}
	if _, err := f.Clerk("new", account.ByCLI).NewAccount(t.Context(), "Again"); !errors.Is(err, account.ErrExists) {
		t.Errorf("again: %v", err)
	}
	s, err := f.Service(t.Context(), "new", "")
	f.ok(err)
	if s.ID != account.DefaultService || !s.Default {
		t.Errorf("its service: %+v", s)
	}
	_, tok, err := f.NewKey(t.Context(), "new", "", []account.Scope{account.ScopeRead})
	f.ok(err)
	if k, err := f.Authenticate(t.Context(), tok.Reveal()); err != nil || k.Account != "new" {
		t.Errorf("its key: %v", err)
	}
	if _, _, err := f.NewKey(t.Context(), "none", "", account.Scopes()); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("a key of no account: %v", err)
	}
}

// Disabling works at once here, and within two seconds where another process did
// it; so does what it does to a service.
func TestChangesAreSeen(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, tok, err := f.NewKey(t.Context(), "a", "", []account.Scope{account.ScopeRead})
	f.ok(err)
	for name, from := range map[string]*account.Directory{"here": f.Directory, "elsewhere": f.elsewhere()} {
		clerk := from.Clerk("a", account.ByCLI)
		for _, on := range []bool{false, true} {
			_, err := f.Authenticate(t.Context(), tok.Reveal()) // fills the caches
			before, _ := f.Enabled(t.Context(), "a")
			if before != !on || (err == nil) != before {
				t.Errorf("%s: before, enabled %v, key %v", name, before, err)
			}
			_, err = f.Service(t.Context(), "a", "")
			f.ok(err)
			f.ok(clerk.Disable(t.Context(), !on))
			_, err = clerk.SetService(t.Context(), account.Service{ID: "a", Name: "x", MaxGuesses: map[bool]int{false: 2, true: 3}[on]})
			f.ok(err)
			if name == "elsewhere" {
				f.now = f.now.Add(2 * time.Second)
			}
			_, err = f.Authenticate(t.Context(), tok.Reveal())
			if enabled, _ := f.Enabled(t.Context(), "a"); enabled != on || (err == nil) != on {
				t.Errorf("%s: enabled %v, key %v", name, enabled, err)
			}
			s, err := f.Service(t.Context(), "a", "")
			f.ok(err)
			if want := map[bool]int{false: 2, true: 3}[on]; s.MaxGuesses != want {
				t.Errorf("%s: %d guesses, want %d", name, s.MaxGuesses, want)
			}
		}
	}
	if on, err := f.Enabled(t.Context(), "none"); on || err != nil {
		t.Errorf("no account: %v %v", on, err)
	}
}

// slow is a store whose reading of a service lets something happen between the
// read and the answer.
type slow struct {
	account.Store
	meanwhile func()
}

func (s *slow) Service(ctx context.Context, acc, id string) (account.Service, error) {
	out, err := s.Store.Service(ctx, acc, id)
	if s.meanwhile != nil {
		f := s.meanwhile
		s.meanwhile = nil
		f()
	}
	return out, err
}

// What was read before a change is not kept after it.
func TestChangeWhileLoading(t *testing.T) {
	t.Parallel()
	f := open(t)
	store := &slow{Store: f.store}
	d, err := account.New(account.Config{Store: store, Now: func() time.Time { return f.now }})
	f.ok(err)
	store.meanwhile = func() {
		_, err := d.Clerk("a", account.ByCLI).SetService(t.Context(), account.Service{ID: "a", Name: "x", MaxSends: 2})
		f.ok(err)
	}
	for i, want := range []int{account.DefaultMaxSends, 2} {
		s, err := d.Service(t.Context(), "a", "")
		f.ok(err)
		if s.MaxSends != want {
			t.Errorf("read %d: %d sends, want %d", i, s.MaxSends, want)
		}
	}
}

// An act and its entry are one: what fails or changes nothing leaves no entry.
func TestEntries(t *testing.T) {
	t.Parallel()
	f := open(t)
	clerk := f.Clerk("a", "key1")
	tpl := script.Template{Lang: "en", SMS: "{{code}}"}
	_, err := clerk.SetService(t.Context(), account.Service{ID: "none", Name: "x"})
	if !errors.Is(err, account.ErrNotFound) {
		t.Errorf("an unknown service: %v", err)
	}
	if _, err = clerk.DeleteTemplate(t.Context(), "a", "en"); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("an unknown template: %v", err)
	}
	if _, err = clerk.DeleteService(t.Context(), "a"); !errors.Is(err, account.ErrDefault) {
		t.Errorf("the default service: %v", err)
	}
	if _, err = clerk.Service(t.Context(), ""); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("no id: %v", err)
	}
	var faults account.Faults
	if _, _, err = clerk.NewService(t.Context(), account.Service{}, account.Once{}); !errors.As(err, &faults) {
		t.Errorf("bad settings: %v", err)
	}
	for range 2 {
		f.ok(clerk.Disable(t.Context(), false)) // it is enabled
		_, err = clerk.PutTemplate(t.Context(), "a", tpl)
		f.ok(err)
	}
	before, err := f.Service(t.Context(), "a", "")
	f.ok(err)
	tpl.SMS = "Code {{code}}"
	_, err = clerk.PutTemplate(t.Context(), "a", tpl)
	f.ok(err)
	if before.Templates["en"].SMS != "{{code}}" {
		t.Error("the change reached into what somebody holds")
	}
	list, err := clerk.Log(t.Context(), 0, 10)
	f.ok(err)
	var got []string
	for _, e := range list {
		got = append(got, strings.Join([]string{e.By, string(e.Action), e.Target, string(e.Before), string(e.After)}, " "))
		if !slices.Contains(account.Actions(), e.Action) || e.At.IsZero() {
			t.Errorf("entry %+v", e)
		}
	}
	want := []string{
		`key1 template.saved a/en {"lang":"en","sms":"{{code}}"} {"lang":"en","sms":"Code {{code}}"}`,
		`key1 template.saved a/en  {"lang":"en","sms":"{{code}}"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
