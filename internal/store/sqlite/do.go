package sqlite

import (
	"context"
	"errors"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// Do carries out an operation together with those that wait at the same moment.
func (s *Store) Do(ctx context.Context, op verify.Op) error {
	if op.Need.Lease != nil {
		return s.writer.DoWork(ctx, member{op: op})
	}
	return s.writer.Do(ctx, member{op: op})
}

const selectKept = `SELECT account, body, answer, keep_until, verification FROM once WHERE key = ?`

// load has the group know what an operation needs: what it does not know yet is
// looked up in memory, else read.
func (t *tx) load(need verify.Need) error {
	o := t.group
	if need.Verification != "" {
		if err := t.loadOne(need.Verification); err != nil {
			return err
		}
	}
	if len(need.Binding) > 0 {
		if err := t.loadPending(need.Binding); err != nil {
			return err
		}
	}
	for _, key := range need.Limits {
		if err := t.loadLimit(key); err != nil {
			return err
		}
	}
	if len(need.Once) > 0 {
		if err := t.loadKept(need.Once); err != nil {
			return err
		}
	}
	if l := need.Lease; l != nil {
		if _, ok := o.Finished[l.Job]; !ok {
			o.Jobs[l.Job] = t.backlog.holder(l.Job)
		}
	}
	return nil
}

// loadOne loads a verification with its attempts and its counters.
func (t *tx) loadOne(id string) error {
	o := t.group
	if h := o.Verifications[id]; h != nil {
		return t.loadLimit(h.LimitKey)
	}
	if k, ok := t.recent.get(id); ok {
		o.Hold(k.v)
		o.HoldAttempts(id, k.attempts)
		t.numbers[id] = k.n
		return t.loadLimit(k.v.LimitKey)
	}
	v, n, err := verification(t.conn, "", id)
	if errors.Is(err, verify.ErrAbsent) {
		return nil
	}
	if err != nil {
		t.broken = true
		return err
	}
	attempts, err := attemptsOf(t.conn, n)
	if err != nil {
		t.broken = true
		return err
	}
	o.Hold(v)
	o.HoldAttempts(id, attempts)
	t.numbers[id] = n
	return t.loadLimit(v.LimitKey)
}

// loadPending loads the pending verifications of a binding.
func (t *tx) loadPending(binding []byte) error {
	for _, id := range t.bindings[keyOf(binding)] {
		if err := t.loadOne(id); err != nil {
			return err
		}
	}
	for _, key := range t.group.LimitKeys(binding) { // those that the group has begun itself, too
		if err := t.loadLimit(key); err != nil {
			return err
		}
	}
	return nil
}

// loadLimit loads a row of counters.
func (t *tx) loadLimit(key string) error {
	o := t.group
	if key == "" || o.Limits[key] != nil {
		return nil
	}
	if l := t.recent.limit(key); l != nil {
		o.Limits[key] = l
		return nil
	}
	l, err := t.readLimit(key)
	o.Limits[key] = l
	return err
}

// loadKept loads a kept answer.
func (t *tx) loadKept(key []byte) error {
	o := t.group
	if o.Once[string(key)] != nil {
		return nil
	}
	k := &store.Kept{}
	err := t.query(selectKept, func(r *row) error {
		k.Found, k.Stored = true, true
		k.Kept = verify.Kept{Key: key, Account: r.text(), Body: r.bytes(), Answer: r.bytes(), KeepUntil: r.time(), Verification: r.text()}
		return nil
	}, key)
	o.Once[string(key)] = k
	return err
}
