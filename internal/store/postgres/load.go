package postgres

import (
	"errors"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// The reads of a group. Each account has a row of counters, which every operation
// on it names, and whose lock is held to the transaction's end: so of the groups
// that work on an account one is at it at a time, and what belongs to the account
// is read after that, without a lock: each statement sees what was committed before
// it began. Two locks come before it, for the sake of nodes of an earlier version,
// which read attempts after them and before that row: those on bindings and on
// verifications. A job's lease belongs to nobody's account: who claims it is
// believed until the group writes, which fails where it is not so (see sureJobs).
//
// A careful group locks everything that it reads, each row by itself: one that is
// not all about accounts whose rows there are, or that has met with what it did not
// expect.
//
// Everyone locks in this order, and within a statement in the order of keys, so
// that two groups do not wait for each other; where that fails (rows that were
// written without having been read), PostgreSQL ends one of them and it is tried
// again.
//
// Rows that are not there cannot be locked. For the pending verifications of a
// binding a lock on its hash stands in, held to the transaction's end: the
// statements after it see what its last holder committed. A row of counters, or a
// kept answer, that was not there is inserted, and who comes second starts anew.
const (
	// A process that stops in the middle must not keep others from their rows for
	// long; nor must others be waited for without end.
	setTimeouts = `SELECT set_config('idle_in_transaction_session_timeout', '10000', true), set_config('lock_timeout', '8000', true)`

	lockBindings = `SELECT count(pg_advisory_xact_lock(k)) FROM unnest($1::bigint[]) AS k`

	// One table: where a row was changed while it was waited for, PostgreSQL looks at
	// it again, alone, and one that a join had named would be lost. What is no longer
	// pending by then is left out by the overlay.
	lockVerifications = `SELECT ` + verificationColumns + ` FROM verifications WHERE id = ANY ($1::text[]`
	// In order, so that it is the index on bindings that is read, and not the other one
	// of what is pending, which seems as good while that is little.
	orOfBinding = ` || ARRAY(SELECT v.id FROM unnest($2::bytea[]) AS w (binding), LATERAL (SELECT id FROM verifications
		WHERE status = 'pending' AND binding BETWEEN w.binding AND w.binding ORDER BY binding OFFSET 0) AS v)`
	inOrder = `) ORDER BY id FOR UPDATE`

	// One by one (the OFFSET keeps it so): of a table without statistics, as it is
	// after a restore or an upgrade, PostgreSQL thinks that a hundred verifications
	// have half of the attempts, and reads it whole; of one that was empty, that this
	// does no harm.
	// A session of its own cannot think so, and looks for all at once, which is cheaper.
	// Attempts are written only under the lock on their verification.
	findAttempts = `SELECT ` + attemptColumns + ` FROM attempts WHERE verification = ANY ($1::text[])`
	readAttempts = `SELECT a.* FROM unnest($1::text[]) AS w (id),
		LATERAL (SELECT ` + attemptColumns + ` FROM attempts WHERE verification = w.id OFFSET 0) AS a`
	// With the time, in a row without counts. It is read last: no holder of the locks
	// before us has seen a later one.
	findLimits = `SELECT key, counts, keep_until FROM limits WHERE key = ANY ($1::text[])` + andClock
	readLimits = `SELECT l.* FROM unnest($1::text[]) AS w (key),
		LATERAL (SELECT key, counts, keep_until FROM limits WHERE key = w.key OFFSET 0) AS l` + andClock
	andClock = ` UNION ALL SELECT '', NULL, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`
	// The key of a verification's counters does not change.
	readTheirs = `SELECT l.* FROM unnest($1::text[]) AS w (id),
		LATERAL (SELECT limit_key FROM verifications WHERE id = w.id OFFSET 0) AS v,
		LATERAL (SELECT key, counts, keep_until FROM limits WHERE key = v.limit_key OFFSET 0) AS l`
	lockLimits = `SELECT key, counts, keep_until FROM limits WHERE key = ANY ($1::text[]) ORDER BY key FOR UPDATE`
	lockAlso   = `SELECT key, counts, keep_until FROM limits
		WHERE key = ANY ($1::text[] || ARRAY(SELECT limit_key FROM verifications WHERE id = ANY ($2::text[]))) ORDER BY key FOR UPDATE`
	// What is not there cannot be locked. Whom nobody counts then is forgotten soon.
	haveLimits = `INSERT INTO limits (key, counts, keep_until) SELECT unnest($2::text[]), $3::bytea, (` + now + ` / $4::bigint + 2) * $4::bigint
		ON CONFLICT (key) DO NOTHING`
	readOnce = `SELECT o.* FROM unnest($1::bytea[]) AS w (key),
		LATERAL (SELECT key, account, body, answer, keep_until, verification FROM once WHERE key = w.key OFFSET 0) AS o`
	lockOnce = `SELECT key, account, body, answer, keep_until, verification FROM once WHERE key = ANY ($1::bytea[])
		ORDER BY key FOR UPDATE`
	lockJobs = `SELECT j.id, j.node, j.leases, coalesce(n.alive_until, 0) FROM jobs AS j LEFT JOIN nodes AS n ON n.id = j.node
		WHERE j.id = ANY ($1::bigint[]) AND j.node IS NOT NULL ORDER BY j.id FOR UPDATE OF j`
	readClock = `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`
)

// load queues everything that a group has to do before its plans, which is one
// round trip, unless pending verifications of a binding are found: see complete.
func (s *Store) load(b *pgx.Batch, n needs) overlay {
	o := overlay{store.NewOverlay()}
	b.Queue(beginChange)
	if !n.own {
		b.Queue(setTimeouts)
	}
	if len(n.bindings) > 0 {
		b.Queue(lockBindings, n.locks())
	}
	s.loadVerifications(b, n, o)
	if n.careful {
		s.loadCarefully(b, n, o)
		return o
	}
	for id, l := range n.leases {
		o.Jobs[id] = store.Leased{Lease: l, Alive: math.MaxInt64}
	}
	if len(n.accounts) > 0 {
		loadLimits(b, needs{limits: n.accounts, careful: true}, o)
	}
	loadAttempts(b, n, o)
	if len(n.once) > 0 {
		loadOnce(b, n, o)
	}
	if len(n.theirs) > 0 {
		b.Queue(readTheirs, n.theirs).Query(func(rows pgx.Rows) error { return s.readCounters(rows, n, o) })
	}
	b.Queue(either(n.own, findLimits, readLimits), n.limits).Query(func(rows pgx.Rows) error { return s.readCounters(rows, n, o) })
	return o
}

// loadCarefully queues the rest of what a careful group has to do.
func (s *Store) loadCarefully(b *pgx.Batch, n needs, o overlay) {
	loadAttempts(b, n, o)
	if len(n.accounts) > 0 {
		b.Queue(haveLimits, s.at(), n.accounts, guard.Row{}.Encode(), store.RoundKeep(1))
	}
	n.limits = slices.Concat(n.accounts, n.limits) // the statement puts them in order
	loadLimits(b, n, o)
	if len(n.once) > 0 {
		loadOnce(b, n, o)
	}
	if len(n.jobs) > 0 {
		loadJobs(b, n, o)
	}
	s.loadClock(b, o)
}

// missing says that the row of an account is not there: nothing stands for it.
func (n needs) missing(o overlay) bool {
	return slices.ContainsFunc(n.accounts, func(key string) bool { return !o.Limits[key].Stored })
}

func (s *Store) loadClock(b *pgx.Batch, o overlay) {
	b.Queue(readClock).QueryRow(func(r pgx.Row) error {
		var at int64
		err := r.Scan(&at)
		s.setClock(o, at)
		return err
	})
}

// setClock takes over a reading of the database's clock.
func (s *Store) setClock(o overlay, at int64) {
	o.Now, o.Clock = s.time(at), at
	if s.cfg.Now != nil {
		o.Clock = o.Now
	}
}

// complete queues what belongs to pending verifications that were found by their
// binding, and says whether that is anything: few starts find one.
func (s *Store) complete(b *pgx.Batch, n needs, o overlay) bool {
	more := needs{careful: n.careful, own: n.own}
	for _, id := range store.Sorted(o.Verifications) {
		if _, asked := slices.BinarySearch(n.ids, id); asked {
			continue
		}
		more.ids = append(more.ids, id)
		if key := o.Verifications[id].LimitKey; key != "" && o.Limits[key] == nil {
			more.limits = append(more.limits, key)
		}
	}
	if len(more.ids) == 0 {
		return false
	}
	slices.Sort(more.limits)
	loadAttempts(b, more, o)
	more.limits = slices.Compact(more.limits)
	if n.careful {
		loadLimits(b, needs{limits: more.limits, careful: true}, o)
		s.loadClock(b, o)
		return true
	}
	b.Queue(either(n.own, findLimits, readLimits), more.limits).Query(func(rows pgx.Rows) error { return s.readCounters(rows, more, o) })
	return true
}

func (s *Store) loadVerifications(b *pgx.Batch, n needs, o overlay) {
	var q *pgx.QueuedQuery
	switch {
	case len(n.bindings) > 0:
		q = b.Queue(lockVerifications+orOfBinding+inOrder, n.ids, n.bindings)
	case len(n.ids) > 0:
		q = b.Queue(lockVerifications+inOrder, n.ids)
	default:
		return
	}
	q.Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			v, err := s.scanVerification(rows)
			o.Hold(&v)
			return err
		})
	})
}

func loadAttempts(b *pgx.Batch, n needs, o overlay) {
	if len(n.ids) == 0 {
		return
	}
	b.Queue(either(n.own, findAttempts, readAttempts), n.ids).Query(func(rows pgx.Rows) error {
		lists := make(map[string][]verify.Attempt, len(n.ids))
		err := each(rows, func() error {
			a, err := scanAttempt(rows)
			lists[a.Verification] = append(lists[a.Verification], a)
			return err
		})
		for id, list := range lists {
			store.SortAttempts(list)
			o.HoldAttempts(id, list)
		}
		return err
	})
}

// loadLimits locks and reads the rows named, and those of the verifications named.
func loadLimits(b *pgx.Batch, n needs, o overlay) {
	var q *pgx.QueuedQuery
	switch {
	case len(n.ids) > 0:
		q = b.Queue(lockAlso, n.limits, n.ids)
	case len(n.limits) > 0:
		q = b.Queue(lockLimits, n.limits)
	default:
		return
	}
	q.Query(func(rows pgx.Rows) error {
		var key string
		var counts []byte
		var keep int64
		err := each(rows, func() error {
			return errors.Join(rows.Scan(&key, &counts, &keep), holdLimit(o, key, counts, keep))
		})
		lookedFor(n, o)
		return err
	})
}

// readCounters takes over the rows of readLimits and of readTheirs.
func (s *Store) readCounters(rows pgx.Rows, n needs, o overlay) error {
	err := each(rows, func() error {
		var key string
		var counts []byte
		var keep int64
		if err := rows.Scan(&key, &counts, &keep); err != nil {
			return err
		}
		if counts == nil {
			s.setClock(o, keep)
			return nil
		}
		return holdLimit(o, key, counts, keep)
	})
	lookedFor(n, o)
	return err
}

func holdLimit(o overlay, key string, counts []byte, keep int64) (err error) {
	l := &store.Limit{Keep: keep, Found: true, Stored: true}
	o.Limits[key] = l
	l.Row, err = guard.DecodeRow(counts)
	return err
}

// lookedFor notes for which rows of counters was looked.
func lookedFor(n needs, o overlay) {
	for _, key := range n.limits {
		o.LookedFor(key)
	}
	for _, id := range n.ids {
		if h := o.Verifications[id]; h != nil {
			o.LookedFor(h.LimitKey)
		}
	}
}

func loadOnce(b *pgx.Batch, n needs, o overlay) {
	for _, key := range n.once {
		o.Once[string(key)] = &store.Kept{}
	}
	b.Queue(either(n.careful, lockOnce, readOnce), n.once).Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			k := &store.Kept{Found: true, Stored: true}
			var until int64
			err := rows.Scan(&k.Key, &k.Account, &k.Body, &k.Answer, &until, &k.Verification)
			k.KeepUntil = store.Time(until)
			o.Once[string(k.Key)] = k
			return err
		})
	})
}

func loadJobs(b *pgx.Batch, n needs, o overlay) {
	for _, id := range n.jobs {
		o.Jobs[id] = store.Leased{}
	}
	b.Queue(lockJobs, n.jobs).Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			var j store.Leased
			err := rows.Scan(&j.Lease.Job, &j.Lease.Node, &j.Lease.N, &j.Alive)
			o.Jobs[j.Lease.Job] = j
			return err
		})
	})
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// each calls f for every row.
func each(rows pgx.Rows, f func() error) error {
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}
