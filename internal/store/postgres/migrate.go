package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Errors of a schema that does not fit the program.
var (
	ErrOldSchema = errors.New("the database's schema is older than this program: run pincall migrate")
	ErrNewSchema = errors.New("the database's schema is too new for this program: use the newer program")
	// ErrNodes says that nodes are at work that a migration would break.
	ErrNodes = errors.New("the new schema does not suit the nodes that are running: stop them, and run pincall migrate again")
	// ErrInTheWay says that others kept a migration from a lock.
	ErrInTheWay = errors.New("a table is in use for long, and nothing was changed: run pincall migrate again after this has ended")
)

// compatible begins the line of a migration that names the oldest schema whose
// programs work on this one as well:
//
//	-- compatible: 3
//
// A migration that adds a table, or a column with a default, is compatible with
// the version before it. Without the line it is compatible with nothing older.
// So nodes are upgraded one by one: first pincall migrate, with the new program,
// then each node in its turn. A program never works on a schema older than its
// own; it works on a newer one as far as that says so. What takes a lock that stops
// the nodes stands last in its migration.
const compatible = "-- compatible: "

// step is a migration, with the oldest schema whose programs may go on.
type step struct {
	store.Migration
	oldest int
}

// steps are the migrations of this program.
func steps(fsys fs.FS) ([]step, error) {
	folder, err := fs.Sub(fsys, "migrations")
	if err != nil {
		return nil, err
	}
	all, err := store.Migrations(folder)
	if err != nil {
		return nil, err
	}
	out := make([]step, len(all))
	for i, m := range all {
		out[i] = step{m, m.Version}
		for line := range strings.Lines(m.SQL) {
			if word, ok := strings.CutPrefix(strings.TrimSpace(line), compatible); ok {
				if out[i].oldest, err = strconv.Atoi(word); err != nil || out[i].oldest < 1 || out[i].oldest > m.Version {
					return nil, fmt.Errorf("migration %d: bad line %q", m.Version, strings.TrimSpace(line))
				}
			}
		}
	}
	return out, nil
}

// migrationLock is the number of the lock that one migration at a time holds, to
// its transaction's end.
const migrationLock = 0x70696e63616c6c // "pincall"

// Migrate brings the schema up to date, all of it or nothing. One at a time does
// so; the others find nothing left to do. ErrNewSchema; ErrNodes; ErrInTheWay.
func Migrate(ctx context.Context, cfg Config) error {
	all, err := steps(migrations)
	if err != nil {
		return err
	}
	return migrate(ctx, cfg, all)
}

func migrate(ctx context.Context, cfg Config, all []step) error {
	return migrateIn(ctx, cfg, all, haste{wait: time.Second, pause: 2 * time.Second, all: 45 * time.Second})
}

// haste is how a migration waits for others' locks. What the nodes ask for waits
// behind it, so it does not wait for long; then they go on for longer than that,
// before it tries again.
type haste struct{ wait, pause, all time.Duration }

func migrateIn(ctx context.Context, cfg Config, all []step, h haste) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	until := time.Now().Add(h.all)
	for {
		if err = migrateOnce(ctx, conn, all, h.wait); !isInTheWay(err) {
			break
		}
		if !oneMore(ctx, h.pause, until) {
			err = inTheWay(conn, h.wait)
			break
		}
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// oneMore pauses, and says whether there is time for another try.
func oneMore(ctx context.Context, pause time.Duration, until time.Time) bool {
	if time.Now().Add(pause).After(until) {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// migrateOnce migrates in one transaction, if no lock takes longer to get.
func migrateOnce(ctx context.Context, conn *pgx.Conn, all []step, wait time.Duration) error {
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT set_config('lock_timeout', $1, true)", strconv.FormatInt(wait.Milliseconds(), 10)); err != nil {
			return err
		}
		return migrateTo(ctx, tx, all)
	})
}

// isInTheWay says that a lock was not to be had.
func isInTheWay(err error) bool { return hasCode(err, "55P03") || hasCode(err, "40P01") }

// The oldest transaction that holds a lock on a table. (Those of other roles may not
// be told of.)
const selectInTheWay = `SELECT format('process %s (%s), in a transaction since %s', pid, coalesce(nullif(application_name, ''), backend_type, 'unknown'),
		to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'))
	FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
		AND xact_start <= clock_timestamp() - $1::bigint * interval '1 microsecond'
		AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'relation' AND granted)
	ORDER BY xact_start LIMIT 1`

// inTheWay says what has kept a migration from its locks for so long.
func inTheWay(conn *pgx.Conn, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	who := ""
	if err := conn.QueryRow(ctx, selectInTheWay, wait.Microseconds()).Scan(&who); err != nil {
		who = "a transaction that pg_stat_activity tells of"
	}
	return fmt.Errorf("%w: %s", ErrInTheWay, who)
}

func migrateTo(ctx context.Context, tx pgx.Tx, all []step) error {
	_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, compatible integer NOT NULL,
		at timestamptz NOT NULL DEFAULT now())`)
	if err != nil {
		return err
	}
	have, _, err := schema(ctx, tx)
	if err != nil {
		return err
	}
	if have > len(all) {
		return ErrNewSchema
	}
	for _, m := range all[have:] {
		if err := m.run(ctx, tx, have); err != nil {
			return fmt.Errorf("%d (%s): %w", m.Version, m.Name, err)
		}
	}
	return nil
}

// run carries out one step, on a database that had the version have.
func (m step) run(ctx context.Context, tx pgx.Tx, have int) error {
	if have > 0 && m.oldest > have {
		working := false
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM nodes WHERE alive_until >= `+now+`)`, nil).Scan(&working)
		if err != nil {
			return err
		}
		if working {
			return ErrNodes
		}
	}
	// Without arguments several statements go at once.
	if _, err := tx.Conn().PgConn().Exec(ctx, m.SQL).ReadAll(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO schema_version (version, compatible) VALUES ($1, $2)", m.Version, m.oldest)
	return err
}

// querier is a connection, a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// schema gives the database's version, 0 for none, and the oldest one whose
// programs may work on it.
func schema(ctx context.Context, q querier) (version, oldest int, err error) {
	there := false
	if err := q.QueryRow(ctx, "SELECT to_regclass('schema_version') IS NOT NULL").Scan(&there); err != nil || !there {
		return 0, 0, err
	}
	// Of several steps the strictest counts, for a program older than all of them.
	err = q.QueryRow(ctx, "SELECT coalesce(max(version), 0), coalesce(max(compatible), 0) FROM schema_version").Scan(&version, &oldest)
	return version, oldest, err
}

// fits says whether a program that knows so many steps may work on the database.
func fits(ctx context.Context, q querier, known int) error {
	version, oldest, err := schema(ctx, q)
	switch {
	case err != nil:
		return err
	case version < known:
		return ErrOldSchema
	case version > known && oldest > known:
		return ErrNewSchema
	}
	return nil
}
