package sqlite

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// Do carries out an operation together with those that wait at the same moment.
func (s *Store) Do(ctx context.Context, op verify.Op) error {
	write := s.writer.Do
	if op.Need.Lease != nil {
		write = s.writer.DoWork
	}
	return write(ctx, func(t *tx) error {
		state, err := t.state(op.Need)
		if err != nil {
			return err
		}
		w, err := store.RunPlan(op.Plan, state)
		if err != nil {
			return err
		}
		if err := t.carryOut(w); err != nil {
			// Something may be written: the whole change must be undone.
			t.broken = true
			return err
		}
		return nil
	})
}

// state reads what an operation needs, and no more.
func (t *tx) state(need verify.Need) (verify.State, error) {
	st := verify.State{Now: store.Time(t.now)}
	var err error
	if need.Verification != "" {
		if st.Verification, err = t.one(need.Account, need.Verification, &st.Attempts); err != nil {
			return st, err
		}
	}
	if len(need.Binding) > 0 {
		if st.Pending, err = t.pending(need.Account, need.Binding); err != nil {
			return st, err
		}
	}
	if err := t.addLimits(&st, need.Limits); err != nil {
		return st, err
	}
	if len(need.Once) > 0 {
		if st.Once, err = t.kept(need.Account, need.Once); err != nil {
			return st, err
		}
	}
	if need.Lease != nil {
		st.Leased, err = t.leased(*need.Lease)
	}
	return st, err
}

// one reads a verification and its attempts; nil when there is none.
func (t *tx) one(account, id string, attempts *[]verify.Attempt) (*verify.Verification, error) {
	v, err := verification(t.conn, account, id)
	if errors.Is(err, verify.ErrAbsent) {
		return nil, nil
	}
	if err == nil {
		t.seen = append(t.seen, *v)
		*attempts, err = attemptsOf(t.conn, id)
	}
	t.broken = t.broken || err != nil
	return v, err
}

// pending reads the pending verifications of a binding, oldest first.
func (t *tx) pending(account string, binding []byte) ([]verify.Group, error) {
	type found struct {
		n  int64
		id string
	}
	var all []found
	err := t.query(selectPending, func(r *row) error {
		all = append(all, found{r.int64(), r.text()})
		return nil
	}, binding, account)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.n, b.n) })
	var out []verify.Group
	for _, f := range all {
		var g verify.Group
		v, err := t.one(account, f.id, &g.Attempts)
		if err != nil {
			return nil, err
		}
		g.Verification = *v
		out = append(out, g)
	}
	return out, nil
}

// addLimits reads the rows named, and those of what was loaded.
func (t *tx) addLimits(st *verify.State, keys []string) error {
	st.Limits = make(map[string]guard.Row, len(keys)+1)
	add := func(key string) error {
		if key == "" {
			return nil
		}
		l, err := t.limit(key)
		if err == nil && l.found {
			st.Limits[key] = l.row
		}
		return err
	}
	for _, key := range keys {
		if err := add(key); err != nil {
			return err
		}
	}
	for _, g := range st.Pending {
		if err := add(g.Verification.LimitKey); err != nil {
			return err
		}
	}
	if st.Verification != nil {
		return add(st.Verification.LimitKey)
	}
	return nil
}

const (
	selectKept = `SELECT account, body, answer, keep_until, verification FROM once
		WHERE key = ? AND account = ? AND keep_until > ?`
	upsertKept = `INSERT INTO once (key, account, body, answer, keep_until, verification) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET account = excluded.account, body = excluded.body, answer = excluded.answer,
		keep_until = excluded.keep_until, verification = excluded.verification`
	dropJobs  = `DELETE FROM jobs WHERE subject = ? AND node IS NULL`
	insertJob = `INSERT INTO jobs (kind, subject, order_key, due_at) VALUES (?, ?, ?, ?)`
	finishJob = `DELETE FROM jobs WHERE id = ? AND node = ? AND leases = ?`
)

// kept reads an answer whose time is not over; nil when there is none.
func (t *tx) kept(account string, key []byte) (*verify.Kept, error) {
	var k *verify.Kept
	err := t.query(selectKept, func(r *row) error {
		k = &verify.Kept{Key: key, Account: r.text(), Body: r.bytes(), Answer: r.bytes(), KeepUntil: r.time(), Verification: r.text()}
		return nil
	}, key, account, t.now)
	return k, err
}

// carryOut writes what a plan wants, in the order that Writes promises.
func (t *tx) carryOut(w verify.Writes) error {
	for i := range w.Verifications {
		if err := t.putVerification(&w.Verifications[i]); err != nil {
			return err
		}
	}
	for i := range w.Attempts {
		if err := t.putAttempt(&w.Attempts[i]); err != nil {
			return err
		}
	}
	for key, l := range w.Limits {
		t.setLimit(key, l.Row, store.Micros(l.KeepUntil))
	}
	for _, subject := range w.Drop {
		if _, err := t.exec(dropJobs, subject); err != nil {
			return err
		}
	}
	for _, j := range w.Jobs {
		if _, err := t.exec(insertJob, string(j.Kind), j.Subject, blob(j.Order), at(j.Due)); err != nil {
			return err
		}
	}
	if w.Finish != nil {
		n, err := t.exec(finishJob, w.Finish.Job, w.Finish.Node, int64(w.Finish.N))
		if err != nil {
			return err
		}
		if n == 0 {
			return jobs.ErrLeaseLost
		}
	}
	if k := w.Once; k != nil {
		_, err := t.exec(upsertKept, k.Key, k.Account, blob(k.Body), blob(k.Answer), at(k.KeepUntil), k.Verification)
		return err
	}
	return nil
}
