package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/account"
)

const (
	insertAccount = `INSERT INTO accounts (id, name, disabled, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`
	selectAccount = `SELECT id, name, disabled, created_at FROM accounts`
	upsertService = `INSERT INTO services (account, id, is_default, settings) VALUES (?, ?, ?, ?)
		ON CONFLICT (account, id) DO UPDATE SET settings = excluded.settings`
	selectService = `SELECT id, settings FROM services WHERE account = ? AND id = ?`
	selectDefault = `SELECT id, settings FROM services WHERE account = ? AND is_default = 1`
	insertKey     = `INSERT INTO keys (id, account, name, scopes, hash, created_at, revoked_at)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	selectKey = `SELECT id, account, name, scopes, hash, created_at, revoked_at FROM keys`
	// The first revocation is the one that counts.
	revokeKey = `UPDATE keys SET revoked_at = iif(revoked_at = 0, ?, revoked_at) WHERE account = ? AND id = ?`
)

// InsertAccount writes an account with its default service.
func (s *Store) InsertAccount(ctx context.Context, a account.Account, def account.Service) error {
	settings, err := json.Marshal(def)
	if err != nil {
		return fmt.Errorf("insert an account: %w", err)
	}
	err = s.write(ctx, func(t *tx) error {
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

// Service gives one of an account's services, or its default one.
func (s *Store) Service(ctx context.Context, acc, id string) (account.Service, error) {
	out := account.Service{Account: acc}
	got := func(r *row) error {
		out.ID = r.text()
		return json.Unmarshal([]byte(r.text()), &out)
	}
	var err error
	if id == "" {
		err = s.one(ctx, selectDefault, []string{acc}, got)
	} else {
		err = s.one(ctx, selectService, []string{acc, id}, got)
	}
	if err != nil {
		return account.Service{}, err
	}
	return out, nil
}

// PutService writes a service's settings. Which one is the default does not
// change.
func (s *Store) PutService(ctx context.Context, svc account.Service) error {
	settings, err := json.Marshal(svc)
	if err != nil {
		return fmt.Errorf("write a service: %w", err)
	}
	err = s.write(ctx, func(t *tx) error {
		_, err := t.exec(upsertService, svc.Account, svc.ID, flag(false), string(settings))
		return err
	})
	if err != nil {
		return fmt.Errorf("write a service: %w", err)
	}
	return nil
}

// InsertKey writes a key.
func (s *Store) InsertKey(ctx context.Context, k account.Key) error {
	scopes := make([]string, len(k.Scopes))
	for i, sc := range k.Scopes {
		scopes[i] = string(sc)
	}
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec(insertKey, k.ID, k.Account, k.Name, strings.Join(scopes, " "), blob(k.Hash), at(k.CreatedAt),
			at(k.RevokedAt))
		if err == nil && n == 0 {
			return account.ErrExists
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("insert a key: %w", err)
	}
	return nil
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

// RevokeKey ends a key of the account.
func (s *Store) RevokeKey(ctx context.Context, acc, id string, when time.Time) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.exec(revokeKey, at(when), acc, id)
		if err == nil && n == 0 {
			return account.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke a key: %w", err)
	}
	return nil
}
