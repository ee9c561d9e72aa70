package postgres

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// What many attempts belong to, with all the attempts of that, looked up one by one:
// see readAttempts.
const (
	owners = `FROM unnest($1::text[]) AS w (id),
		LATERAL (SELECT verification FROM attempts WHERE id = w.id OFFSET 0) AS o, `
	selectOwners = `SELECT v.* ` + owners + `LATERAL (SELECT ` + verificationColumns + ` FROM verifications
		WHERE id = o.verification OFFSET 0) AS v`
	selectOwnersAttempts = `SELECT a.* ` + owners + `LATERAL (SELECT ` + attemptColumns + ` FROM attempts
		WHERE verification = o.verification OFFSET 0) AS a`
)

// foresee reads what leased jobs are about, so that their workers need not ask for
// each by itself. Where that fails, they do.
func (s *Store) foresee(ctx context.Context, leased []jobs.Job) {
	var ids []string
	for _, j := range leased {
		if j.Kind == jobs.Deliver {
			ids = append(ids, j.Subject)
		}
	}
	if len(ids) == 0 {
		return
	}
	since := time.Now()
	all, err := s.states(ctx, func(b *pgx.Batch) (v, a *pgx.QueuedQuery) {
		return b.Queue(selectOwners, ids), b.Queue(selectOwnersAttempts, ids)
	})
	if err != nil {
		return
	}
	owner := make(map[string]*verify.State, len(ids))
	for _, st := range all {
		for i := range st.Attempts {
			owner[st.Attempts[i].ID] = st
		}
	}
	for _, id := range ids {
		if st := owner[id]; st != nil {
			s.recent.put(id, remembered{*st, since})
		}
	}
}

// recent are the attempts of the jobs that were handed over or leased just now, as
// they were committed: their worker asks for them at once, and needs not ask the
// database. What has changed since, the worker's next operation sees under the lock.
// Safe for concurrent use.
type recent struct {
	mu    sync.Mutex
	known map[string]remembered // by attempt
	swept time.Time             // when what is too old was last dropped
}

type remembered struct {
	verify.State
	since time.Time // when it was read, at the latest, or committed
}

// Of recent: how many, and for how long.
const (
	maxRecent = 4096
	maxAge    = time.Second
)

// add remembers what a job is about.
func (r *recent) add(o overlay, j jobs.Job) {
	a, ok := o.Written[j.Subject]
	if !ok {
		return
	}
	h := o.Verifications[a.Verification]
	if h == nil {
		return
	}
	v := h.Verification
	st := verify.State{Now: store.Time(o.Now), Verification: v, Attempts: o.Attempts(v.ID)}
	r.put(j.Subject, remembered{st, time.Now()})
}

// put remembers the state of an attempt.
func (r *recent) put(attempt string, m remembered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) >= maxRecent {
		r.known = make(map[string]remembered)
	}
	r.known[attempt] = m
}

// sweep drops what is too old, now and then: nothing of a person stays for whom nobody
// asks.
func (r *recent) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.swept) > maxAge {
		maps.DeleteFunc(r.known, func(_ string, m remembered) bool { return now.Sub(m.since) > maxAge })
		r.swept = now
	}
}

// take gives what is remembered of an attempt, once.
func (r *recent) take(attempt string) (verify.State, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.known[attempt]
	delete(r.known, attempt)
	return m.State, ok && time.Since(m.since) < maxAge
}
