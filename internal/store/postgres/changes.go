package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

const (
	// An account that is not there cannot be locked.
	lockAccount   = `SELECT pg_advisory_xact_lock(hashtextextended('pincall account ' || $1::text, 0))`
	upsertAccount = `INSERT INTO accounts (id, name, disabled, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, disabled = excluded.disabled`
	deleteService = `DELETE FROM services WHERE account = $1 AND id = $2 AND NOT is_default`
	// Without an index of its own: all pending verifications are at most ten
	// minutes old, and a service is rarely deleted.
	selectInUse = `SELECT FROM verifications WHERE status = 'pending' AND account = $1 AND service = $2 LIMIT 1`
	// A key's id may be taken, by another account too; then nothing is written.
	upsertKey = `INSERT INTO keys AS k (id, account, name, scopes, hash, created_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at
		WHERE k.account = excluded.account AND k.revoked_at = 0 AND excluded.revoked_at > 0`
	insertEntry = `INSERT INTO audit (account, n, actor, action, target, was, became, at)
		VALUES ($1, (SELECT coalesce(max(n), 0) + 1 FROM audit WHERE account = $1), $2, $3, $4, $5, $6, $7)`
	selectEntries = `SELECT n, actor, action, target, was, became, at FROM audit
		WHERE account = $1 AND n < $2 ORDER BY n DESC LIMIT $3`
)

// Change carries out one administrative act. Those on one account are carried out
// one after the other.
func (s *Store) Change(ctx context.Context, ch account.Change) error {
	return s.change(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		held, err := s.held(ctx, c, ch)
		if err != nil {
			return fmt.Errorf("read an account: %w", err)
		}
		w, err := store.RunPlan(ch.Plan, held)
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		if err := queueChange(b, ch.Account, w); err != nil {
			return err
		}
		return c.SendBatch(ctx, b).Close()
	})
}

// held reads what an act needs.
func (s *Store) held(ctx context.Context, c *pgxpool.Conn, ch account.Change) (h account.Held, err error) {
	ch.Account, ch.Service, ch.Key = store.Text(ch.Account), store.Text(ch.Service), store.Text(ch.Key)
	b := &pgx.Batch{}
	b.Queue(lockAccount, ch.Account)
	b.Queue(selectAccount+` WHERE id = $1`, ch.Account).Query(into(&h.Account, readAccount))
	if ch.Service != "" {
		b.Queue(selectServices+` AND id = $2`, ch.Account, ch.Service).Query(into(&h.Service, readService(ch.Account)))
		b.Queue(selectInUse, ch.Account, ch.Service).Query(func(rows pgx.Rows) error {
			return each(rows, func() error { h.Pending = true; return nil })
		})
	}
	if ch.Key != "" {
		b.Queue(selectKey+` WHERE account = $1 AND id = $2`, ch.Account, ch.Key).Query(into(&h.Key, readKey))
	}
	o := overlay{store.NewOverlay()}
	if len(ch.Once) > 0 {
		loadOnce(b, needs{once: [][]byte{ch.Once}, careful: true}, o)
	}
	b.Queue(readClock).QueryRow(func(r pgx.Row) error {
		err := r.Scan(&o.Now)
		o.Now = s.time(o.Now)
		return err
	})
	if err := c.SendBatch(ctx, b).Close(); err != nil {
		return h, err
	}
	h.Now = store.Time(o.Now)
	if k := o.Answer(verify.Need{Account: ch.Account, Once: ch.Once}); k != nil {
		h.Once = &account.Kept{Key: k.Key, Body: k.Body, Answer: k.Answer, KeepUntil: k.KeepUntil}
	}
	return h, nil
}

// into keeps the row that there is.
func into[T any](dst **T, read func(pgx.Rows) (T, error)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		return each(rows, func() error {
			v, err := read(rows)
			*dst = &v
			return err
		})
	}
}

// queueChange queues what an act wants written.
func queueChange(b *pgx.Batch, acc string, w account.Writes) error {
	if a := w.Account; a != nil {
		b.Queue(upsertAccount, a.ID, a.Name, a.Disabled, store.Micros(a.CreatedAt))
	}
	if svc := w.Service; svc != nil {
		settings, err := json.Marshal(svc)
		if err != nil {
			return fmt.Errorf("write a service: %w", err)
		}
		b.Queue(upsertService, acc, svc.ID, svc.Default, string(settings))
	}
	if w.DropService != "" {
		b.Queue(deleteService, acc, w.DropService)
	}
	if k := w.Key; k != nil {
		scopes := make([]string, len(k.Scopes))
		for i, sc := range k.Scopes {
			scopes[i] = string(sc)
		}
		b.Queue(upsertKey, k.ID, acc, k.Name, strings.Join(scopes, " "), blob(k.Hash), store.Micros(k.CreatedAt), store.Micros(k.RevokedAt)).
			Exec(exactly(1, account.ErrExists))
	}
	if e := w.Entry; e != nil {
		b.Queue(insertEntry, acc, e.By, string(e.Action), e.Target, string(e.Before), string(e.After), store.Micros(e.At))
	}
	if k := w.Once; k != nil {
		row := verify.Kept{Key: k.Key, Account: acc, Body: k.Body, Answer: k.Answer, KeepUntil: k.KeepUntil}
		b.Queue(setOnce, bindOnce([]verify.Kept{row})...)
	}
	return nil
}

// Log lists an account's entries, the newest first.
func (s *Store) Log(ctx context.Context, acc string, before int64, n int) ([]account.Entry, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	out, err := list(ctx, s, func(rows pgx.Rows) (account.Entry, error) {
		e := account.Entry{Account: acc}
		var was, became string
		var at int64
		err := rows.Scan(&e.N, &e.By, (*string)(&e.Action), &e.Target, &was, &became, &at)
		e.Before, e.After, e.At = document(was), document(became), store.Time(at)
		return e, err
	}, selectEntries, acc, before, n)
	if err != nil {
		return nil, fmt.Errorf("read the log of acts: %w", err)
	}
	return out, nil
}

// document reads a stored JSON document; empty is none.
func document(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
