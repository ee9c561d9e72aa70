package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/sqlite"
)

// DefaultAccount is the id of the account, and of its service, that are made at
// the first start.
const DefaultAccount = "default"

// base is what every command needs: the folder's keyring and store, with the
// default account in it.
type base struct {
	keys  *secret.Keyring
	store *sqlite.Store
	dir   *account.Directory
}

// openBase opens a data folder, and makes it where it is new.
func openBase(ctx context.Context, data string) (*base, error) {
	if err := ensureFolder(data); err != nil {
		return nil, err
	}
	keys, err := openKeyring(data)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(data, databaseFile), KeyCheck: keys.CheckValue()})
	if err != nil {
		return nil, err
	}
	b := &base{keys: keys, store: store}
	if b.dir, err = account.New(account.Config{Store: store, Keys: keys}); err == nil {
		err = b.ensureAccount(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return b, nil
}

// openKeyring reads the folder's keyring. It makes one only where there is no
// database yet: beside one, a new keyring could open nothing.
func openKeyring(data string) (*secret.Keyring, error) {
	path := filepath.Join(data, keyringFile)
	if !exists(filepath.Join(data, databaseFile)) {
		keys, _, err := secret.LoadOrCreateKeyring(path)
		return keys, err
	}
	if !exists(path) {
		return nil, fmt.Errorf("%s is missing, and %s cannot be read without it: restore it from your copy", path, databaseFile)
	}
	return secret.LoadKeyring(path)
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

// OpenAdmin opens a data folder, and makes it where it is new. A server may run
// on it at the same time.
func OpenAdmin(ctx context.Context, data string) (*Admin, error) {
	b, err := openBase(ctx, data)
	if err != nil {
		return nil, err
	}
	return &Admin{base: b}, nil
}

// OpenAdminExisting opens a data folder that is there already.
func OpenAdminExisting(ctx context.Context, data string) (*Admin, error) {
	if !exists(filepath.Join(data, databaseFile)) {
		return nil, fmt.Errorf("there is no data folder %s: name the server's with --data", data)
	}
	return OpenAdmin(ctx, data)
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
