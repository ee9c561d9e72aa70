package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

const (
	// Who holds an account's row reads the counters of its numbers without a lock, and
	// would write them again after they were deleted.
	lockAccounts = `SELECT count(*) FROM (SELECT key FROM limits
		WHERE key >= 'a/' AND key < 'a0' AND ($1::text = '' OR key = 'a/' || $1::text) ORDER BY key FOR UPDATE) AS a`

	// No index: an erasure is rare, and an index would cost every start.
	selectNumbered = `SELECT account, id FROM verifications WHERE number_index = $1 AND ($2 = '' OR account = $2) ORDER BY id`
	// Statistics remember services that were deleted: their counters are still there.
	selectBrands = `SELECT account, id FROM services WHERE $1 = '' OR account = $1
		UNION SELECT account, service FROM statistics WHERE $1 = '' OR account = $1 ORDER BY 1, 2`
	selectFollowed = `SELECT EXISTS (SELECT FROM attempts AS a JOIN jobs AS j ON j.subject = a.id JOIN nodes ON nodes.id = j.node
		WHERE a.verification = ANY ($2::text[]) AND a.state <> 'ended' AND a.channel = 'voice' AND alive_until >= ` + now + `)`

	deleteJobs = `DELETE FROM jobs WHERE subject IN (SELECT account || '/' || id FROM verifications WHERE id = ANY ($1::text[])
		UNION ALL SELECT id FROM attempts WHERE verification = ANY ($1::text[]))`
	deleteAttempts      = `DELETE FROM attempts WHERE verification = ANY ($1::text[])`
	deleteVerifications = `DELETE FROM verifications WHERE id = ANY ($1::text[])`
	deleteKept          = `DELETE FROM once WHERE verification = ANY ($1::text[]) AND verification <> ''`
	deleteLimits        = `DELETE FROM limits WHERE key = ANY ($1::text[])`
	setLimit            = `UPDATE limits SET counts = $2, keep_until = 0 WHERE key = $1`
)

// Numbered lists the verifications of a number.
func (s *Store) Numbered(ctx context.Context, account string, index []byte) ([]verify.Overdue, error) {
	out, err := collectOverdue(func(each func(pgx.Rows) error) error {
		return s.scan(ctx, each, selectNumbered, index, store.Text(account))
	})
	if err != nil {
		return nil, fmt.Errorf("list the verifications of a number: %w", err)
	}
	return out, nil
}

// Brands lists the services there are.
func (s *Store) Brands(ctx context.Context, account string) ([]verify.Brand, error) {
	out, err := list(ctx, s, func(rows pgx.Rows) (b verify.Brand, err error) {
		err = rows.Scan(&b.Account, &b.Service)
		return b, err
	}, selectBrands, account)
	if err != nil {
		return nil, fmt.Errorf("list the services: %w", err)
	}
	return out, nil
}

// Followed says whether a living node works on a call of these.
func (s *Store) Followed(ctx context.Context, verifications []string) (followed bool, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error { return rows.Scan(&followed) })
	}, selectFollowed, s.at(), verifications)
	if err != nil {
		return false, fmt.Errorf("look for calls in progress: %w", err)
	}
	return followed, nil
}

// Erase deletes verifications and what belongs to them, all or nothing.
func (s *Store) Erase(ctx context.Context, e verify.Erasure) (did verify.Erased, err error) {
	err = s.change(ctx, func(ctx context.Context, c *pgxpool.Conn) error {
		did, err = s.erase(ctx, c, e)
		return err
	})
	if err != nil {
		return verify.Erased{}, fmt.Errorf("erase: %w", err)
	}
	return did, nil
}

// erase locks the rows as a group of operations does, and deletes them.
func (s *Store) erase(ctx context.Context, c *pgxpool.Conn, e verify.Erasure) (did verify.Erased, err error) {
	n := needs{ids: slices.Clone(e.Verifications), limits: slices.Clone(e.LimitKeys), careful: true}
	slices.Sort(n.ids)
	slices.Sort(n.limits)
	o := overlay{store.NewOverlay()}
	b := &pgx.Batch{}
	s.loadVerifications(b, n, o)
	b.Queue(lockAccounts, e.Account)
	loadLimits(b, n, o)
	if err := c.SendBatch(ctx, b).Close(); err != nil {
		return did, err
	}
	b = &pgx.Batch{}
	for _, d := range []struct {
		n   *int
		sql string
	}{
		{&did.Jobs, deleteJobs}, {&did.Attempts, deleteAttempts}, {&did.Verifications, deleteVerifications}, {&did.Answers, deleteKept},
	} {
		b.Queue(d.sql, n.ids).Exec(func(tag pgconn.CommandTag) error {
			*d.n = int(tag.RowsAffected())
			return nil
		})
	}
	var gone []string
	for _, key := range slices.Sorted(maps.Keys(o.Limits)) {
		switch l := o.Limits[key]; {
		case !l.Found:
		case l.Row.Blocked && !e.ForgetBlocks: // of a block, the block alone stays
			b.Queue(setLimit, key, guard.Block(guard.Row{}).Encode())
			did.BlocksKept++
		default:
			gone = append(gone, key)
		}
	}
	did.Limits = len(gone)
	b.Queue(deleteLimits, gone)
	return did, c.SendBatch(ctx, b).Close()
}

// vacuumUpTo is the size of the tables, in bytes, up to which Scrub has them
// vacuumed while the caller waits: some seconds.
const vacuumUpTo = 512 << 20

const (
	selectSize = `SELECT sum(pg_total_relation_size(c))::bigint FROM
		unnest('{verifications,attempts,jobs,once,limits}'::regclass[]) AS c`
	vacuum = `VACUUM (SKIP_LOCKED) verifications, attempts, jobs, once, limits`
)

// Scrub has the database take deleted rows out of their tables now, where that is
// a matter of seconds; otherwise its own autovacuum does so within its time. What
// no program can reach through PostgreSQL, namely the free room of pages until it is
// used again, the write-ahead log, replicas and archives, is the operator's; it
// is sealed or a keyed hash, and tells nothing without the keyring.
func (s *Store) Scrub(ctx context.Context) error {
	var size int64
	err := s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error { return rows.Scan(&size) })
	}, selectSize)
	if err == nil && size <= vacuumUpTo {
		err = s.scan(ctx, func(rows pgx.Rows) error { return each(rows, func() error { return nil }) }, vacuum)
	}
	if err != nil {
		return fmt.Errorf("scrub: %w", err)
	}
	return nil
}
