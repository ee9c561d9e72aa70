package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pincall/pincall/internal/account"
)

const (
	insertAccount = `INSERT INTO accounts (id, name, disabled, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`
	selectAccount = `SELECT id, name, disabled, created_at FROM accounts`
	// Which service is the default does not change.
	upsertService = `INSERT INTO services (account, id, is_default, settings) VALUES (?, ?, ?, ?)
		ON CONFLICT (account, id) DO UPDATE SET settings = excluded.settings`
	selectServices = `SELECT id, is_default, settings FROM services WHERE account = ?`
	selectKey      = `SELECT id, account, name, scopes, hash, created_at, revoked_at FROM keys`
)

// InsertAccount writes an account with its default service.
func (s *Store) InsertAccount(ctx context.Context, a account.Account, def account.Service) error {
	settings, err := json.Marshal(def)
	if err != nil {
		return fmt.Errorf("insert an account: %w", err)
	}
	err = s.change(ctx, elsewhere, func(t *tx) error {
		n, err := t.exec(insertAccount, a.ID, a.Name, flag(a.Disabled), at(a.CreatedAt))
		if err != nil {
			return err
		}
		if n == 0 {
			return account.ErrExists
		}
		_, err = t.exec(upsertService, a.ID, def.ID, flag(true), string(settings))
		return err
	})
	if err != nil {
		return fmt.Errorf("insert an account: %w", err)
	}
	return nil
}

// Accounts lists all, oldest first.
func (s *Store) Accounts(ctx context.Context) ([]account.Account, error) {
	var out []account.Account
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectAccount+` ORDER BY created_at, id`, func(r *row) error {
			out = append(out, readAccount(r))
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list the accounts: %w", err)
	}
	return out, nil
}

// Account gives one.
func (s *Store) Account(ctx context.Context, id string) (account.Account, error) {
	var a account.Account
	err := s.one(ctx, selectAccount+` WHERE id = ?`, []string{id}, func(r *row) error {
		a = readAccount(r)
		return nil
	})
	return a, err
}

func readAccount(r *row) account.Account {
	return account.Account{ID: r.text(), Name: r.text(), Disabled: r.bool(), CreatedAt: r.time()}
}

// one reads the row that the keys name. account.ErrNotFound.
func (s *Store) one(ctx context.Context, sql string, keys []string, each func(*row) error) error {
	err := s.read(ctx, func(c *conn) error {
		found := false
		got := func(r *row) error {
			found = true
			return each(r)
		}
		var err error
		if len(keys) == 1 {
			err = c.query(sql, got, keys[0])
		} else {
			err = c.query(sql, got, keys[0], keys[1])
		}
		if err == nil && !found {
			return account.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read an account: %w", err)
	}
	return nil
}

// Services lists an account's services.
func (s *Store) Services(ctx context.Context, acc string) ([]account.Service, error) {
	var out []account.Service
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectServices+` ORDER BY is_default DESC, id`, func(r *row) error {
			svc, err := readService(r, acc)
			out = append(out, svc)
			return err
		}, acc)
	})
	if err != nil {
		return nil, fmt.Errorf("list the services: %w", err)
	}
	return out, nil
}

// Service gives one of an account's services, or its default one.
func (s *Store) Service(ctx context.Context, acc, id string) (account.Service, error) {
	var out account.Service
	got := func(r *row) (err error) {
		out, err = readService(r, acc)
		return err
	}
	var err error
	if id == "" {
		err = s.one(ctx, selectServices+` AND is_default = 1`, []string{acc}, got)
	} else {
		err = s.one(ctx, selectServices+` AND id = ?`, []string{acc, id}, got)
	}
	if err != nil {
		return account.Service{}, err
	}
	return out, nil
}

func readService(r *row, acc string) (account.Service, error) {
	out := account.Service{ID: r.text(), Account: acc, Default: r.bool()}
	if err := json.Unmarshal([]byte(r.text()), &out); err != nil {
		return account.Service{}, fmt.Errorf("stored settings of a service cannot be read: %w", err)
	}
	return out, nil
}

// Key gives one by id.
func (s *Store) Key(ctx context.Context, id string) (account.Key, error) {
	var k account.Key
	err := s.one(ctx, selectKey+` WHERE id = ?`, []string{id}, func(r *row) error {
		k = readKey(r)
		return nil
	})
	return k, err
}

// Keys lists an account's keys, oldest first.
func (s *Store) Keys(ctx context.Context, acc string) ([]account.Key, error) {
	var out []account.Key
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectKey+` WHERE account = ? ORDER BY created_at, id`, func(r *row) error {
			out = append(out, readKey(r))
			return nil
		}, acc)
	})
	if err != nil {
		return nil, fmt.Errorf("list the keys: %w", err)
	}
	return out, nil
}

func readKey(r *row) account.Key {
	k := account.Key{ID: r.text(), Account: r.text(), Name: r.text()}
	for _, sc := range strings.Fields(r.text()) {
		k.Scopes = append(k.Scopes, account.Scope(sc))
	}
	k.Hash, k.CreatedAt, k.RevokedAt = r.bytes(), r.time(), r.time()
	return k
}
