package sqlite

import (
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

const (
	insertLimit = `INSERT INTO limits (n, key, counts, keep_until) VALUES (?, ?, ?, ?)`
	countLimit  = `UPDATE limits SET counts = ? WHERE n = ?`
	updateLimit = `UPDATE limits SET counts = ?, keep_until = ? WHERE n = ?`
	upsertKept  = `INSERT INTO once (key, account, body, answer, keep_until, verification) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET account = excluded.account, body = excluded.body, answer = excluded.answer,
		keep_until = excluded.keep_until, verification = excluded.verification`
	insertJob = `INSERT INTO jobs (id, kind, subject, order_key, due_at) VALUES (?, ?, ?, ?, ?)`
	deleteJob = `DELETE FROM jobs WHERE id = ?`
)

// flush writes what the group's operations want written, each row once, in the
// order of keys.
func (t *tx) flush() error {
	o := t.group
	for _, id := range store.Sorted(o.Verifications) {
		if h := o.Verifications[id]; h.Dirty {
			if err := t.putVerification(h); err != nil {
				return err
			}
		}
	}
	for _, id := range store.Sorted(o.Written) {
		if err := t.putAttempt(o.Written[id]); err != nil {
			return err
		}
	}
	for _, key := range store.Sorted(o.Limits) {
		if l := o.Limits[key]; l.Dirty {
			if err := t.putLimit(key, l); err != nil {
				return err
			}
		}
	}
	for _, k := range o.Once {
		if k.Dirty {
			if err := t.putKept(k.Kept); err != nil {
				return err
			}
		}
	}
	return t.flushJobs()
}

// putLimit inserts or changes a row of counters.
func (t *tx) putLimit(key string, l *store.Limit) error {
	counts, keep := l.Row.Encode(), store.RoundKeep(l.Keep)
	if !l.Stored && l.Blind {
		stored, err := t.readLimit(key)
		if err != nil {
			return err
		}
		l.Stored, l.Number, l.KeptUntil = stored.Stored, stored.Number, stored.KeptUntil
	}
	if !l.Stored {
		n, err := t.insertLimit(key, counts, keep)
		l.Number, l.KeptUntil = n, keep
		return err
	}
	if l.KeptUntil == keep {
		_, err := t.exec(countLimit, counts, l.Number)
		return err
	}
	l.KeptUntil = keep
	_, err := t.exec(updateLimit, counts, keep, l.Number)
	return err
}

// putKept inserts or replaces a kept answer.
func (t *tx) putKept(k verify.Kept) error {
	_, err := t.exec(upsertKept, k.Key, k.Account, blob(k.Body), blob(k.Answer), at(k.KeepUntil), k.Verification)
	return err
}

// flushJobs deletes and writes jobs, and notes what that means for the backlog
// once it is committed.
func (t *tx) flushJobs() error {
	o := t.group
	if len(o.Drop) > 0 {
		t.backlog.drop(o.Drop, &t.ahead)
	}
	for _, j := range t.ahead.dropped {
		if _, err := t.exec(deleteJob, j.id); err != nil {
			return err
		}
	}
	for _, l := range o.Finished {
		if !t.backlog.held(l) {
			return jobs.ErrLeaseLost
		}
		if _, err := t.exec(deleteJob, l.Job); err != nil {
			return err
		}
		t.ahead.finished = append(t.ahead.finished, l.Job)
	}
	for i := range o.NewJobs {
		j := t.backlog.number(&o.NewJobs[i])
		if _, err := t.exec(insertJob, j.id, string(j.kind), j.subject, blob([]byte(j.order)), j.due); err != nil {
			return err
		}
		t.ahead.added = append(t.ahead.added, j)
	}
	return nil
}
