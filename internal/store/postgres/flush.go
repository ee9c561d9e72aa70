package postgres

import (
	"cmp"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

const (
	newLimits = `INSERT INTO limits (key, counts, keep_until) SELECT unnest($1::text[]), unnest($2::bytea[]), unnest($3::bigint[])`
	tryLimits = newLimits + ` ON CONFLICT (key) DO NOTHING`
	setLimits = newLimits + ` ON CONFLICT (key) DO UPDATE SET counts = excluded.counts, keep_until = excluded.keep_until`

	newOnce = `INSERT INTO once (key, account, body, answer, keep_until, verification)
		SELECT unnest($1::bytea[]), unnest($2::text[]), unnest($3::bytea[]), unnest($4::bytea[]), unnest($5::bigint[]), unnest($6::text[])`
	tryOnce = newOnce + ` ON CONFLICT (key) DO NOTHING`
	setOnce = newOnce + ` ON CONFLICT (key) DO UPDATE SET account = excluded.account, body = excluded.body, answer = excluded.answer,
		keep_until = excluded.keep_until, verification = excluded.verification`

	// Who has a job is said so that the indexes of those that somebody has, and nobody,
	// are of no use: they may have been empty when this was planned.
	dropJobs   = `DELETE FROM jobs WHERE subject = ANY ($1::text[]) AND coalesce(node, '') = ''`
	finishJobs = `DELETE FROM jobs USING (SELECT unnest($1::bigint[]) AS id, unnest($2::text[]) AS node, unnest($3::int[]) AS leases) AS l
		WHERE jobs.id = l.id AND jobs.id = ANY ($1::bigint[]) AND coalesce(jobs.node, '') = l.node AND jobs.leases = l.leases`
)

// A group that is not careful sends COMMIT along with its writes: it must fail by
// itself where anything is not as it was read. Rows that it inserts are new, or
// their key is taken. Rows that it changes are locked, or, of a number's counters,
// are written whether they are there or not. What may have happened meanwhile is
// that a lease was lost, or the writer's mark: these statements divide by zero then.
const (
	sureMark = `WITH m AS (UPDATE commits SET last = $2, at = $3 WHERE writer = $1 AND last < $2 RETURNING 1) SELECT 1 / count(*) FROM m`
	// A job that is not finished stays locked, so that it is nobody else's before its
	// attempt says what has become of it.
	sureJobs = `WITH m AS (UPDATE commits SET last = $10, at = $11 WHERE writer = $9 AND last < $10 RETURNING 1),
		gone AS (DELETE FROM jobs
			USING (SELECT unnest($2::bigint[]) AS id, unnest($3::text[]) AS node, unnest($4::int[]) AS leases) AS l
			WHERE jobs.id = l.id AND jobs.id = ANY ($2::bigint[]) AND coalesce(jobs.node, '') = l.node AND jobs.leases = l.leases
			RETURNING 1),
		held AS (SELECT FROM jobs
			JOIN (SELECT unnest($5::bigint[]) AS id, unnest($6::text[]) AS node, unnest($7::int[]) AS leases) AS l
			ON jobs.id = l.id AND coalesce(jobs.node, '') = l.node AND jobs.leases = l.leases
			WHERE jobs.id = ANY ($5::bigint[]) FOR UPDATE OF jobs)
		SELECT 1 / ((SELECT count(*) FROM m) = 1 AND (SELECT count(*) FROM gone) = cardinality($2::bigint[])
			AND (SELECT count(*) FROM held) = cardinality($5::bigint[])
			AND (SELECT count(*) FROM nodes WHERE id = ANY ($8::text[]) AND alive_until >= ` + now + `) = cardinality($8::text[]))::int`
)

// errUnusual says that only a careful group can do this.
var errUnusual = errors.New("postgres: this group must be careful")

// exactly is the check that a statement changed n rows; or else err.
func exactly(n int, err error) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(n) {
			return err
		}
		return nil
	}
}

// dirty says whether there is anything to write.
func (o overlay) dirty() bool {
	return len(o.Written)+len(o.Drop)+len(o.NewJobs)+len(o.Finished) > 0 || anyDirty(o.Verifications, func(h *store.Held) bool { return h.Dirty }) ||
		anyDirty(o.Limits, func(l *store.Limit) bool { return l.Dirty }) || anyDirty(o.Once, func(k *store.Kept) bool { return k.Dirty })
}

func anyDirty[V any](m map[string]V, dirty func(V) bool) bool {
	for _, v := range m {
		if dirty(v) {
			return true
		}
	}
	return false
}

// flush queues everything that the members wrote, one statement a table or two.
// errUnusual.
func (o overlay) flush(b *pgx.Batch, at *int64, careful bool, h *handover) error {
	if careful {
		return o.flushCarefully(b, at, h)
	}
	if err := o.flushVerifications(b); err != nil {
		return err
	}
	if err := o.flushAttempts(b); err != nil {
		return err
	}
	set, insert := o.dirtyLimits()
	if len(set)+len(insert) < fewRows {
		set, insert = slices.Concat(set, insert), nil
	}
	queueSome(b, setLimits, set, bindLimits)
	queueSome(b, newLimits, insert, bindLimits)
	setKept, insertKept := o.dirtyOnce()
	queueSome(b, setOnce, setKept, bindOnce)
	queueSome(b, newOnce, insertKept, bindOnce)
	o.flushJobs(b, at, h)
	return nil
}

// flushSure queues the writer's mark, and what makes sure of the leases.
func (o overlay) flushSure(b *pgx.Batch, at *int64, m *mark) {
	if len(o.Jobs) == 0 {
		b.Queue(sureMark, m.writer, m.last, o.Now)
		return
	}
	finished, held, nodes := o.claimed()
	args := append([]any{at}, bindLeases(finished)...)
	b.Queue(sureJobs, append(append(args, bindLeases(held)...), nodes, m.writer, m.last, o.Now)...)
}

// queueSome queues a statement, if there are rows for it.
func queueSome[R any](b *pgx.Batch, sql string, rows []R, bind func([]R) []any) *pgx.QueuedQuery {
	if len(rows) == 0 {
		return &pgx.QueuedQuery{} // nobody's
	}
	return b.Queue(sql, bind(rows)...)
}

// claimed are the leases that members came with, those of jobs that are finished
// apart, and their nodes.
func (o overlay) claimed() (finished, held []jobs.Lease, nodes []string) {
	of := make(map[string]bool)
	for id, j := range o.Jobs {
		l, over := o.Finished[id]
		if over {
			finished = append(finished, l)
		} else {
			l = j.Lease
			held = append(held, l)
		}
		of[store.Text(l.Node)] = true
	}
	return finished, held, store.Sorted(of)
}

func (o overlay) flushVerifications(b *pgx.Batch) error {
	var fresh, counts, ends []verify.Verification
	for _, id := range store.Sorted(o.Verifications) {
		switch h := o.Verifications[id]; {
		case !h.Dirty:
		case h.Stored == nil:
			fresh = append(fresh, *h.Verification)
		case store.ChangeOf(h.Stored, h.Verification) == store.Counts:
			counts = append(counts, *h.Verification)
		case onlyEnd(*h.Stored, *h.Verification):
			ends = append(ends, *h.Verification)
		default:
			return errUnusual
		}
	}
	if len(fresh) > 0 {
		args, err := bindVerifications(fresh)
		if err != nil {
			return err
		}
		b.Queue(insertVerifications, args...)
	}
	queueSome(b, countVerifications, counts, bindCounts)
	queueSome(b, endVerifications, ends, bindEnds)
	return nil
}

// onlyEnd says that b is a, ended.
func onlyEnd(a, b verify.Verification) bool {
	a.Status, a.Reason, a.Sealed, a.TokenHash, a.EndedAt = b.Status, b.Reason, b.Sealed, b.TokenHash, b.EndedAt
	return store.ChangeOf(&a, &b) == store.Counts
}

func (o overlay) flushAttempts(b *pgx.Batch) error {
	var fresh, queued, dialled, delivered []verify.Attempt
	for _, id := range store.Sorted(o.Written) {
		w := o.Written[id]
		switch w.Change() {
		case store.Queued:
			queued = append(queued, w.Attempt)
		case store.Dialled:
			dialled = append(dialled, w.Attempt)
		case store.Delivered:
			delivered = append(delivered, w.Attempt)
		default:
			if w.Stored {
				return errUnusual
			}
			fresh = append(fresh, w.Attempt)
		}
	}
	queueSome(b, queueAttempts, queued, bindQueued)
	queueSome(b, insertAttempts, fresh, bindAttempts)
	if len(delivered) > 0 && len(dialled) < fewRows {
		delivered, dialled = append(delivered, dialled...), nil
	}
	queueSome(b, dialAttempts, dialled, bindDialled)
	queueSome(b, deliverAttempts, delivered, bindDelivered)
	return nil
}

// fewRows are not worth a statement of their own.
const fewRows = 8

// limitRow is a row to be written.
type limitRow struct {
	key string
	*store.Limit
}

func bindLimits(rows []limitRow) []any {
	return []any{
		texts(rows, func(l *limitRow) string { return l.key }), column(rows, func(l *limitRow) []byte { return l.Row.Encode() }),
		column(rows, func(l *limitRow) int64 { return store.RoundKeep(l.Keep) }),
	}
}

// dirtyLimits gives the rows that may be there, and those that were looked for in
// vain.
func (o overlay) dirtyLimits() (set, insert []limitRow) {
	for _, key := range store.Sorted(o.Limits) {
		switch l := o.Limits[key]; {
		case !l.Dirty:
		case l.Stored || l.Blind:
			set = append(set, limitRow{key, l})
		default:
			insert = append(insert, limitRow{key, l})
		}
	}
	return set, insert
}

// dirtyOnce is dirtyLimits for the kept answers.
func (o overlay) dirtyOnce() (set, insert []verify.Kept) {
	for _, key := range store.Sorted(o.Once) {
		switch k := o.Once[key]; {
		case !k.Dirty:
		case k.Stored || k.Blind:
			set = append(set, k.Kept)
		default:
			insert = append(insert, k.Kept)
		}
	}
	return set, insert
}

func bindOnce(rows []verify.Kept) []any {
	type K = verify.Kept
	return []any{
		column(rows, func(k *K) []byte { return k.Key }), texts(rows, func(k *K) string { return k.Account }),
		blobs(rows, func(k *K) []byte { return k.Body }), blobs(rows, func(k *K) []byte { return k.Answer }),
		column(rows, func(k *K) int64 { return store.Micros(k.KeepUntil) }), texts(rows, func(k *K) string { return k.Verification }),
	}
}

// flushJobs queues what is dropped and what is new.
func (o overlay) flushJobs(b *pgx.Batch, at *int64, h *handover) {
	if len(o.Drop) > 0 {
		b.Queue(dropJobs, store.Sorted(o.Drop))
	}
	if len(o.NewJobs) > 0 {
		h.insert(b, at, o.NewJobs)
	}
}

// bindLeases gives jobs, nodes and numbers of leases, in the order of jobs.
func bindLeases(rows []jobs.Lease) []any {
	type L = jobs.Lease
	slices.SortFunc(rows, func(a, b L) int { return cmp.Compare(a.Job, b.Job) })
	return []any{
		column(rows, func(l *L) int64 { return l.Job }), texts(rows, func(l *L) string { return l.Node }),
		numbers(rows, func(l *L) int { return l.N }),
	}
}
