package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/store"
)

const (
	insertAccount = `INSERT INTO accounts (id, name, disabled, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	selectAccount = `SELECT id, name, disabled, created_at FROM accounts`
	// Which service is the default does not change.
	upsertService = `INSERT INTO services (account, id, is_default, settings) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, id) DO UPDATE SET settings = excluded.settings`
	selectServices = `SELECT id, is_default, settings FROM services WHERE account = $1`
	selectKey      = `SELECT id, account, name, scopes, hash, created_at, revoked_at FROM keys`
)

// InsertAccount writes an account with its default service.
func (s *Store) InsertAccount(ctx context.Context, a account.Account, def account.Service) error {
	settings, err := json.Marshal(def)
	if err != nil {
		return fmt.Errorf("insert an account: %w", err)
	}
	err = s.change(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		tag, err := c.Exec(ctx, insertAccount, a.ID, a.Name, a.Disabled, store.Micros(a.CreatedAt))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return account.ErrExists
		}
		_, err = c.Exec(ctx, upsertService, a.ID, def.ID, true, string(settings))
		return err
	})
	if err != nil {
		return fmt.Errorf("insert an account: %w", err)
	}
	return nil
}

// Accounts lists all, oldest first.
func (s *Store) Accounts(ctx context.Context) ([]account.Account, error) {
	out, err := list(ctx, s, readAccount, selectAccount+` ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("list the accounts: %w", err)
	}
	return out, nil
}

// Account gives one.
func (s *Store) Account(ctx context.Context, id string) (account.Account, error) {
	return one(ctx, s, readAccount, selectAccount+` WHERE id = $1`, id)
}

// list gives what read makes of each row.
func list[T any](ctx context.Context, s *Store, read func(pgx.Rows) (T, error), sql string, args ...any) (out []T, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		out, err = collect(rows, read)
		return err
	}, sql, args...)
	return out, err
}

func collect[T any](rows pgx.Rows, read func(pgx.Rows) (T, error)) (out []T, err error) {
	err = each(rows, func() error {
		v, err := read(rows)
		out = append(out, v)
		return err
	})
	return out, err
}

// one gives what read makes of the only row. account.ErrNotFound.
func one[T any](ctx context.Context, s *Store, read func(pgx.Rows) (T, error), sql string, args ...any) (v T, err error) {
	all, err := list(ctx, s, read, sql, args...)
	if err == nil && len(all) == 0 {
		err = account.ErrNotFound
	}
	if err != nil {
		return v, fmt.Errorf("read an account: %w", err)
	}
	return all[0], nil
}

func readAccount(rows pgx.Rows) (a account.Account, err error) {
	var created int64
	err = rows.Scan(&a.ID, &a.Name, &a.Disabled, &created)
	a.CreatedAt = store.Time(created)
	return a, err
}

// Services lists an account's services.
func (s *Store) Services(ctx context.Context, acc string) ([]account.Service, error) {
	out, err := list(ctx, s, readService(acc), selectServices+` ORDER BY is_default DESC, id`, acc)
	if err != nil {
		return nil, fmt.Errorf("list the services: %w", err)
	}
	return out, nil
}

// Service gives one of an account's services, or its default one.
func (s *Store) Service(ctx context.Context, acc, id string) (account.Service, error) {
	if id == "" {
		return one(ctx, s, readService(acc), selectServices+` AND is_default`, acc)
	}
	return one(ctx, s, readService(acc), selectServices+` AND id = $2`, acc, id)
}

func readService(acc string) func(pgx.Rows) (account.Service, error) {
	return func(rows pgx.Rows) (account.Service, error) {
		out := account.Service{Account: acc}
		var settings string
		if err := rows.Scan(&out.ID, &out.Default, &settings); err != nil {
			return out, err
		}
		if err := json.Unmarshal([]byte(settings), &out); err != nil {
			return account.Service{}, fmt.Errorf("stored settings of a service cannot be read: %w", err)
		}
		return out, nil
	}
}

// Key gives one by id.
func (s *Store) Key(ctx context.Context, id string) (account.Key, error) {
	return one(ctx, s, readKey, selectKey+` WHERE id = $1`, id)
}

// Keys lists an account's keys, oldest first.
func (s *Store) Keys(ctx context.Context, acc string) ([]account.Key, error) {
	out, err := list(ctx, s, readKey, selectKey+` WHERE account = $1 ORDER BY created_at, id`, acc)
	if err != nil {
		return nil, fmt.Errorf("list the keys: %w", err)
	}
	return out, nil
}

func readKey(rows pgx.Rows) (k account.Key, err error) {
	var scopes string
	var created, revoked int64
	err = rows.Scan(&k.ID, &k.Account, &k.Name, &scopes, &k.Hash, &created, &revoked)
	for _, sc := range strings.Fields(scopes) {
		k.Scopes = append(k.Scopes, account.Scope(sc))
	}
	k.CreatedAt, k.RevokedAt = store.Time(created), store.Time(revoked)
	return k, err
}
