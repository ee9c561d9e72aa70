package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/secret"
)

// DefaultAccount is the id of the account, and of its service, that are made at
// the first start.
const DefaultAccount = "default"

// base is what every command needs: the keyring and the store, with the default
// account in it.
type base struct {
	place
	keys  *secret.Keyring
	store engine
	dir   *account.Directory
}

// openBase opens what is kept at a place.
func openBase(ctx context.Context, p place) (*base, error) {
	b := &base{place: p}
	var err error
	if b.keys, b.store, err = p.open(ctx); err != nil {
		return nil, err
	}
	if b.dir, err = account.New(account.Config{Store: b.store, Keys: b.keys}); err == nil {
		err = b.ensureAccount(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, b.store.Close())
	}
	return b, nil
}

// do works on what is there already.
func (p place) do(ctx context.Context, do func(*base) error) error {
	if err := p.mustBe(); err != nil {
		return err
	}
	b, err := openBase(ctx, p)
	if err != nil {
		return err
	}
	return errors.Join(do(b), b.store.Close())
}

// ensureAccount makes the default account with its service.
func (b *base) ensureAccount(ctx context.Context) error {
	_, err := b.store.Account(ctx, DefaultAccount)
	if !errors.Is(err, account.ErrNotFound) {
		return err
	}
	a := account.Account{ID: DefaultAccount, Name: "Default", CreatedAt: time.Now()}
	err = b.store.InsertAccount(ctx, a, account.Service{ID: DefaultAccount, Account: a.ID, Name: "Default"})
	if errors.Is(err, account.ErrExists) { // another process was quicker
		return nil
	}
	return err
}

// Admin is the store without a server: for commands that manage keys.
type Admin struct{ base *base }

// OpenAdmin opens what a configuration names; a data folder is made where it is
// new. Servers may run on it at the same time.
func OpenAdmin(ctx context.Context, cfg Config) (*Admin, error) {
	p, err := cfg.find()
	if err != nil {
		return nil, err
	}
	b, err := openBase(ctx, p)
	if err != nil {
		return nil, err
	}
	return &Admin{base: b}, nil
}

// OpenAdminExisting is OpenAdmin for a data folder that is there already.
func OpenAdminExisting(ctx context.Context, cfg Config) (*Admin, error) {
	p, err := cfg.find()
	if err != nil {
		return nil, err
	}
	if err := p.mustBe(); err != nil {
		return nil, err
	}
	return OpenAdmin(ctx, cfg)
}

// NewAccount makes an account with its default service; its id is drawn.
func (a *Admin) NewAccount(ctx context.Context, name string) (account.Account, error) {
	id := secret.NewID(time.Now(), nil)
	return a.base.dir.Clerk(id, account.ByCLI).NewAccount(ctx, name)
}

// Accounts lists all accounts, oldest first.
func (a *Admin) Accounts(ctx context.Context) ([]account.Account, error) {
	return a.base.store.Accounts(ctx)
}

// DisableAccount stops an account's keys and client tokens, in a running server
// within two seconds, or lets them work again.
func (a *Admin) DisableAccount(ctx context.Context, acc string, disabled bool) error {
	err := a.base.dir.Clerk(acc, account.ByCLI).Disable(ctx, disabled)
	if errors.Is(err, account.ErrNotFound) {
		return noAccount(acc)
	}
	return err
}

// Clerk acts on an account that is there.
func (a *Admin) Clerk(ctx context.Context, acc string) (account.Clerk, error) {
	if err := a.mustHave(ctx, acc); err != nil {
		return account.Clerk{}, err
	}
	return a.base.dir.Clerk(acc, account.ByCLI), nil
}

// NewKey makes an API key. Its secret is shown here and never again.
func (a *Admin) NewKey(ctx context.Context, acc, name string, scopes []account.Scope) (secret.Token, account.Key, error) {
	if err := a.mustHave(ctx, acc); err != nil {
		return secret.Token{}, account.Key{}, err
	}
	k, tok, err := a.base.dir.NewKey(ctx, acc, name, scopes)
	return tok, k, err
}

// Keys lists an account's keys, oldest first.
func (a *Admin) Keys(ctx context.Context, acc string) ([]account.Key, error) {
	if err := a.mustHave(ctx, acc); err != nil {
		return nil, err
	}
	return a.base.store.Keys(ctx, acc)
}

// Revoke ends a key. A running server refuses it within two seconds.
func (a *Admin) Revoke(ctx context.Context, acc, id string) error {
	err := a.base.dir.Revoke(ctx, acc, id)
	if errors.Is(err, account.ErrNotFound) {
		return errors.New("the account has no such key: pincall key list shows them")
	}
	return err
}

func (a *Admin) mustHave(ctx context.Context, acc string) error {
	_, err := a.base.store.Account(ctx, acc)
	if errors.Is(err, account.ErrNotFound) {
		return noAccount(acc)
	}
	return err
}

func noAccount(id string) error {
	return fmt.Errorf("there is no account %q: pincall account list shows them", id)
}

// Close closes the store.
func (a *Admin) Close() error { return a.base.store.Close() }
