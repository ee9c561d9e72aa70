package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

const (
	upsertAccount = `INSERT INTO accounts (id, name, disabled, created_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, disabled = excluded.disabled`
	deleteService = `DELETE FROM services WHERE account = ? AND id = ? AND is_default = 0`
	// Without an index of its own: all pending verifications are at most ten
	// minutes old, and a service is rarely deleted.
	selectInUse = `SELECT 1 FROM verifications INDEXED BY verifications_expiry
		WHERE status = 'pending' AND expires_at > 0 AND account = ? AND service = ? LIMIT 1`
	// A key's id may be taken, by another account too; then nothing is written.
	upsertKey = `INSERT INTO keys (id, account, name, scopes, hash, created_at, revoked_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at
		WHERE account = excluded.account AND revoked_at = 0 AND excluded.revoked_at > 0`
	insertEntry = `INSERT INTO audit (account, n, actor, action, target, was, became, at)
		VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM audit WHERE account = ?1), ?2, ?3, ?4, ?5, ?6, ?7)`
	selectEntries = `SELECT n, actor, action, target, was, became, at FROM audit
		WHERE account = ? AND n < ? ORDER BY n DESC LIMIT ?`
)

// Change carries out one administrative act.
func (s *Store) Change(ctx context.Context, ch account.Change) error {
	return s.change(ctx, elsewhere, func(t *tx) error {
		held, err := t.held(ch)
		if err != nil {
			return err
		}
		w, err := store.RunPlan(ch.Plan, held)
		if err != nil {
			return err
		}
		if err := t.carryOutChange(ch.Account, w); err != nil {
			t.broken = true // something may be written
			return err
		}
		return nil
	})
}

// held reads what an act needs.
func (t *tx) held(ch account.Change) (account.Held, error) {
	h := account.Held{Now: store.Time(t.now)}
	err := t.query(selectAccount+` WHERE id = ?`, func(r *row) error {
		a := readAccount(r)
		h.Account = &a
		return nil
	}, ch.Account)
	if err == nil && ch.Service != "" {
		err = t.heldService(&h, ch)
	}
	if err == nil && ch.Key != "" {
		err = t.query(selectKey+` WHERE account = ? AND id = ?`, func(r *row) error {
			k := readKey(r)
			h.Key = &k
			return nil
		}, ch.Account, ch.Key)
	}
	if err == nil && len(ch.Once) > 0 {
		t.group.Reset()
		t.group.Now = t.now
		err = t.loadKept(ch.Once)
		if k := t.group.Answer(verify.Need{Account: ch.Account, Once: ch.Once}); k != nil {
			h.Once = &account.Kept{Key: k.Key, Body: k.Body, Answer: k.Answer, KeepUntil: k.KeepUntil}
		}
	}
	return h, err
}

func (t *tx) heldService(h *account.Held, ch account.Change) error {
	err := t.query(selectServices+` AND id = ?`, func(r *row) error {
		svc, err := readService(r, ch.Account)
		h.Service = &svc
		return err
	}, ch.Account, ch.Service)
	if err != nil {
		return err
	}
	return t.query(selectInUse, func(*row) error {
		h.Pending = true
		return nil
	}, ch.Account, ch.Service)
}

// carryOutChange writes what an act wants.
func (t *tx) carryOutChange(acc string, w account.Writes) error {
	if a := w.Account; a != nil {
		if _, err := t.exec(upsertAccount, a.ID, a.Name, flag(a.Disabled), at(a.CreatedAt)); err != nil {
			return err
		}
	}
	if svc := w.Service; svc != nil {
		settings, err := json.Marshal(svc)
		if err != nil {
			return fmt.Errorf("write a service: %w", err)
		}
		if _, err := t.exec(upsertService, acc, svc.ID, flag(svc.Default), string(settings)); err != nil {
			return err
		}
	}
	if w.DropService != "" {
		if _, err := t.exec(deleteService, acc, w.DropService); err != nil {
			return err
		}
	}
	if w.Key != nil {
		if err := t.putKey(acc, *w.Key); err != nil {
			return err
		}
	}
	if e := w.Entry; e != nil {
		_, err := t.exec(insertEntry, acc, e.By, string(e.Action), e.Target, string(e.Before), string(e.After), at(e.At))
		if err != nil {
			return err
		}
	}
	if k := w.Once; k != nil {
		return t.putKept(verify.Kept{Key: k.Key, Account: acc, Body: k.Body, Answer: k.Answer, KeepUntil: k.KeepUntil})
	}
	return nil
}

// putKey inserts a key or revokes it.
func (t *tx) putKey(acc string, k account.Key) error {
	scopes := make([]string, len(k.Scopes))
	for i, sc := range k.Scopes {
		scopes[i] = string(sc)
	}
	n, err := t.exec(upsertKey, k.ID, acc, k.Name, strings.Join(scopes, " "), blob(k.Hash), at(k.CreatedAt), at(k.RevokedAt))
	if err == nil && n == 0 {
		return account.ErrExists
	}
	return err
}

// Log lists an account's entries, the newest first.
func (s *Store) Log(ctx context.Context, acc string, before int64, n int) ([]account.Entry, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	var out []account.Entry
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectEntries, func(r *row) error {
			e := account.Entry{N: r.int64(), Account: acc, By: r.text(), Action: account.Action(r.text()), Target: r.text()}
			e.Before, e.After, e.At = document(r.text()), document(r.text()), r.time()
			out = append(out, e)
			return nil
		}, acc, before, int64(n))
	})
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
