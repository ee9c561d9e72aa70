package account_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/sqlite"
)

type fixture struct {
	*account.Directory
	t     *testing.T
	store *sqlite.Store
	now   time.Time
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	var err error
	if f.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "p.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.store.Close() })
	for _, id := range []string{"a", "b"} {
		acc := account.Account{ID: id, Name: id, CreatedAt: f.now}
		f.ok(f.store.InsertAccount(t.Context(), acc, account.Service{ID: id, Account: id, Name: "default"}))
	}
	ring, err := secret.NewKeyring(nil, f.now)
	f.ok(err)
	f.Directory, err = account.New(account.Config{Store: f.store, Keys: ring, Now: func() time.Time { return f.now }})
	f.ok(err)
	return f
}

// elsewhere is another process's directory over the same store.
func (f *fixture) elsewhere() *account.Directory {
	f.t.Helper()
	d, err := account.New(account.Config{Store: f.store, Now: func() time.Time { return f.now }})
	f.ok(err)
	return d
}

func (f *fixture) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	f := open(t)
	k, tok, err := f.NewKey(t.Context(), "a", "test", []account.Scope{account.ScopeVerify})
	f.ok(err)
	got, err := f.Authenticate(t.Context(), tok.Reveal())
	f.ok(err)
	if got.ID != k.ID || got.Account != "a" || !got.Has(account.ScopeVerify) || got.Has(account.ScopeRead) {
		t.Errorf("got %+v", got)
	}
	secret := tok.Reveal()
	swapped := "0"
	if secret[len(secret)-1] == '0' {
		swapped = "1"
	}
	for name, presented := range map[string]string{
		"empty": "", "no token": "Bearer", "another prefix": "pct" + secret[3:], "wrong secret": secret[:len(secret)-1] + swapped,
		"unknown id": "pck_" + "zzzz" + secret[8:], "longer": secret + "a", "upper case": "PCK" + secret[3:],
	} {
		if _, err := f.Authenticate(t.Context(), presented); !errors.Is(err, account.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A revocation works at once here, and within two seconds where another process
// made it.
func TestRevoke(t *testing.T) {
	t.Parallel()
	f := open(t)
	k, tok, err := f.NewKey(t.Context(), "a", "", []account.Scope{account.ScopeAdmin})
	f.ok(err)
	works := func() bool {
		_, err := f.Authenticate(t.Context(), tok.Reveal())
		return err == nil
	}
	if err := f.Revoke(t.Context(), "b", k.ID); !errors.Is(err, account.ErrNotFound) || !works() {
		t.Errorf("another account's key: %v", err)
	}
	_, err = f.elsewhere().Clerk("a", account.ByCLI).Revoke(t.Context(), k.ID)
	f.ok(err)
	f.now = f.now.Add(2 * time.Second)
	if works() {
		t.Error("revoked elsewhere, and it works two seconds later")
	}
	k, tok, err = f.NewKey(t.Context(), "a", "", []account.Scope{account.ScopeAdmin})
	f.ok(err)
	if !works() {
		t.Error("a new key works at once")
	}
	f.ok(f.Revoke(t.Context(), "a", k.ID))
	if works() {
		t.Error("revoked here, and it still works")
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	admin := account.Key{Scopes: []account.Scope{account.ScopeAdmin}}
	for _, s := range account.Scopes() {
		if want := s != account.ScopeAnnounce; admin.Has(s) != want {
			t.Errorf("admin has %s: %v", s, !want)
		}
	}
	if _, _, err := open(t).NewKey(t.Context(), "a", "", nil); err == nil {
		t.Error("a key without a scope")
	}
}

func TestServiceDefaults(t *testing.T) {
	t.Parallel()
	f := open(t)
	s, err := f.Service(t.Context(), "a", "")
	f.ok(err)
	if s.CodeLength != 6 || s.Validity != 10*time.Minute || s.MaxGuesses != 5 || s.MaxSends != 5 || len(s.Workflow) != 1 {
		t.Errorf("got %+v", s)
	}
	if _, err := f.Service(t.Context(), "a", "b"); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("another account's service: %v", err)
	}
}
