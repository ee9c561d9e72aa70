package postgres

import (
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

const (
	insertLimits = `INSERT INTO limits (key, counts, keep_until) SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[])
		ON CONFLICT (key) DO `
	setLimits = `UPDATE SET counts = excluded.counts, keep_until = excluded.keep_until`

	insertOnce = `INSERT INTO once (key, account, body, answer, keep_until, verification)
		SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[], $6::text[]) ON CONFLICT (key) DO `
	setOnce = `UPDATE SET account = excluded.account, body = excluded.body, answer = excluded.answer,
		keep_until = excluded.keep_until, verification = excluded.verification`

	dropJobs   = `DELETE FROM jobs WHERE subject = ANY ($1::text[]) AND node IS NULL`
	insertJobs = `INSERT INTO jobs (kind, subject, order_key, due_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[])`
	finishJobs = `DELETE FROM jobs USING unnest($1::bigint[], $2::text[], $3::int[]) AS l (id, node, leases)
		WHERE jobs.id = l.id AND jobs.node = l.node AND jobs.leases = l.leases`
)

// exactly is the check that a statement changed n rows; or else err.
func exactly(n int, err error) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(n) {
			return err
		}
		return nil
	}
}

// flush queues everything that the members wrote, one statement a table. It says
// whether there is anything.
func (o overlay) flush(b *pgx.Batch) (bool, error) {
	if err := o.flushVerifications(b); err != nil {
		return false, err
	}
	if len(o.Written) > 0 {
		rows := make([]verify.Attempt, 0, len(o.Written))
		for _, id := range store.Sorted(o.Written) {
			rows = append(rows, o.Written[id].Attempt)
		}
		b.Queue(upsertAttempts, bindAttempts(rows)...).Exec(exactly(len(rows), store.ErrForeign))
	}
	o.flushLimits(b)
	o.flushOnce(b)
	o.flushJobs(b)
	return b.Len() > 0, nil
}

func (o overlay) flushVerifications(b *pgx.Batch) error {
	var whole, counts []verify.Verification
	for _, id := range store.Sorted(o.Verifications) {
		switch h := o.Verifications[id]; {
		case !h.Dirty:
		case h.Stored != nil && store.ChangeOf(h.Stored, h.Verification) == store.Counts:
			counts = append(counts, *h.Verification)
		default:
			whole = append(whole, *h.Verification)
		}
	}
	if len(whole) > 0 {
		args, err := bindVerifications(whole)
		if err != nil {
			return err
		}
		b.Queue(upsertVerifications, args...).Exec(exactly(len(whole), store.ErrForeign))
	}
	if len(counts) > 0 {
		b.Queue(countVerifications, bindCounts(counts)...).Exec(exactly(len(counts), errRace))
	}
	return nil
}

// keepStep is what the time to keep a row of counters is rounded up to, in
// microseconds. It moves on with every use of the row, and an index has it: a row
// whose indexed columns stay as they are is replaced on its page, without a word
// to any index.
const keepStep = int64(10 * time.Minute / time.Microsecond)

func roundKeep(micros int64) int64 { return (micros + keepStep - 1) / keepStep * keepStep }

// limitRow is a row to be written.
type limitRow struct {
	key string
	*store.Limit
}

func (o overlay) flushLimits(b *pgx.Batch) {
	var set, insert []limitRow
	for _, key := range store.Sorted(o.Limits) {
		switch l := o.Limits[key]; {
		case !l.Dirty:
		case l.Stored || l.Blind:
			set = append(set, limitRow{key, l})
		default:
			insert = append(insert, limitRow{key, l})
		}
	}
	bind := func(rows []limitRow) []any {
		return []any{
			texts(rows, func(l *limitRow) string { return l.key }), column(rows, func(l *limitRow) []byte { return l.Row.Encode() }),
			column(rows, func(l *limitRow) int64 { return roundKeep(l.Keep) }),
		}
	}
	if len(set) > 0 {
		b.Queue(insertLimits+setLimits, bind(set)...)
	}
	if len(insert) > 0 {
		b.Queue(insertLimits+"NOTHING", bind(insert)...).Exec(exactly(len(insert), errRace))
	}
}

func (o overlay) flushOnce(b *pgx.Batch) {
	var set, insert []verify.Kept
	for _, key := range store.Sorted(o.Once) {
		switch k := o.Once[key]; {
		case !k.Dirty:
		case k.Stored || k.Blind:
			set = append(set, k.Kept)
		default:
			insert = append(insert, k.Kept)
		}
	}
	if len(set) > 0 {
		b.Queue(insertOnce+setOnce, bindOnce(set)...)
	}
	if len(insert) > 0 {
		b.Queue(insertOnce+"NOTHING", bindOnce(insert)...).Exec(exactly(len(insert), errRace))
	}
}

func bindOnce(rows []verify.Kept) []any {
	type K = verify.Kept
	return []any{
		column(rows, func(k *K) []byte { return k.Key }), texts(rows, func(k *K) string { return k.Account }),
		blobs(rows, func(k *K) []byte { return k.Body }), blobs(rows, func(k *K) []byte { return k.Answer }),
		column(rows, func(k *K) int64 { return store.Micros(k.KeepUntil) }), texts(rows, func(k *K) string { return k.Verification }),
	}
}

func (o overlay) flushJobs(b *pgx.Batch) {
	if len(o.Drop) > 0 {
		b.Queue(dropJobs, store.Sorted(o.Drop))
	}
	if rows := o.NewJobs; len(rows) > 0 {
		type J = jobs.New
		b.Queue(insertJobs, texts(rows, func(j *J) string { return string(j.Kind) }), texts(rows, func(j *J) string { return j.Subject }),
			blobs(rows, func(j *J) []byte { return j.Order }), column(rows, func(j *J) int64 { return store.Micros(j.Due) }))
	}
	if len(o.Finished) > 0 {
		rows := bindLeases(slices.Collect(maps.Values(o.Finished)))
		b.Queue(finishJobs, rows...).Exec(exactly(len(o.Finished), jobs.ErrLeaseLost))
	}
}

// bindLeases gives jobs, nodes and numbers of leases.
func bindLeases(rows []jobs.Lease) []any {
	type L = jobs.Lease
	return []any{
		column(rows, func(l *L) int64 { return l.Job }), texts(rows, func(l *L) string { return l.Node }),
		numbers(rows, func(l *L) int { return l.N }),
	}
}
