// Package stored fills a database with finished verifications as fast as it can:
// copies of one that the program itself has finished, each with its own id, its own
// random bytes where the first had some, and times spread over the last four
// weeks. It reads the columns from the database and knows few of their names, so a
// new column is copied as it is.
package stored

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver
)

// column is one of a table's.
type column struct {
	name  string
	bytes bool // holds bytes
}

// dialect is how an engine says what the copies need. i is the copy's number.
type dialect struct {
	random   func(col string) string // as many random bytes as the column has
	id       func(salt string) string
	shifted  string // microseconds by which the copy is older
	template func(table string) string
}

// span is over how long the copies are spread: less than the shortest time after
// which finished verifications are dropped.
const span = 28 * 24 * time.Hour

// insert writes the statement that copies the table's newest row. The ids of copies
// stand below those of new rows.
func insert(table string, columns []column, d dialect) string {
	var names, values []string
	for _, c := range columns {
		value := "t." + c.name
		switch {
		case c.name == "n" && table == "verifications":
			value += " + i"
		case c.name == "row": // of SQLite: the verification's number, times 4096, and the attempt's
			value += " + i * 4096"
		case c.name == "id" && table == "attempts":
			value = d.id("a")
		case c.name == "id" || c.name == "verification":
			value = d.id("v")
		case c.name == "limit_key" || c.name == "ref":
			value += " || " + d.id("r")
		case strings.HasSuffix(c.name, "_at"):
			value = fmt.Sprintf("CASE WHEN t.%[1]s = 0 THEN 0 ELSE t.%[1]s - %[2]s END", c.name, d.shifted)
		case c.bytes:
			value = d.random("t." + c.name)
		}
		names, values = append(names, c.name), append(values, value)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", table, strings.Join(names, ", "), strings.Join(values, ", "), d.template(table))
}

// tables are filled in this order.
func tables() []string { return []string{"verifications", "attempts"} }

// chunk bounds one transaction.
const chunk = 500_000

// SQLite fills the database of a data folder whose server does not run. One
// finished verification must be in it.
func SQLite(ctx context.Context, dir string, n int) (err error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "pincall.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	// Nothing is at stake: a crash means to begin again.
	for _, pragma := range []string{"journal_mode=DELETE", "synchronous=OFF", "cache_size=-262144", "locking_mode=EXCLUSIVE"} {
		if _, err := db.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return err
		}
	}
	d := dialect{
		random: func(col string) string {
			return "CASE WHEN " + col + " IS NULL THEN NULL ELSE randomblob(length(" + col + ")) END"
		},
		id:      func(salt string) string { return "printf('00%012x" + salt + "00000000000', i)" },
		shifted: fmt.Sprintf("%d + (%d - i) * (%d / %d)", time.Hour.Microseconds(), n, span.Microseconds(), n),
		template: func(table string) string {
			return "(SELECT * FROM " + table + " ORDER BY id DESC LIMIT 1) t, (WITH RECURSIVE s(i) AS (SELECT ?1 UNION ALL SELECT i+1 FROM s WHERE i < ?2) SELECT i FROM s)"
		},
	}
	for _, table := range tables() {
		columns, err := sqliteColumns(ctx, db, table)
		if err != nil {
			return err
		}
		statement := insert(table, columns, d)
		for first := 1; first <= n; first += chunk {
			if _, err := db.ExecContext(ctx, statement, first, min(n, first+chunk-1)); err != nil {
				return fmt.Errorf("fill %s: %w", table, err)
			}
		}
	}
	// The change of mode, made durably, has the whole file written out: or else the
	// server's first checkpoint would wait for all that was filled in.
	for _, pragma := range []string{"synchronous=FULL", "journal_mode=WAL"} {
		if _, err := db.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return err
		}
	}
	return nil
}

func sqliteColumns(ctx context.Context, db *sql.DB, table string) (out []column, err error) {
	rows, err := db.QueryContext(ctx, "SELECT name, type FROM pragma_table_info(?1)", table)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c column
		var kind string
		if err := rows.Scan(&c.name, &kind); err != nil {
			return nil, err
		}
		c.bytes = kind == "BLOB"
		out = append(out, c)
	}
	return out, rows.Err()
}

// Postgres fills a database. One finished verification must be in it.
func Postgres(ctx context.Context, dsn string, n int) (err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	d := dialect{
		// Another 16 bytes for every column, repeated; 128 are as many as any has.
		random: func(col string) string {
			return "substring(decode(repeat(md5('" + col + "' || i), 8), 'hex') FROM 1 FOR octet_length(" + col + "))"
		},
		id:      func(salt string) string { return "('00' || lpad(to_hex(i), 12, '0') || '" + salt + "00000000000')" },
		shifted: fmt.Sprintf("(%d + (%d - i) * (%d / %d))", time.Hour.Microseconds(), n, span.Microseconds(), n),
		template: func(table string) string {
			return "(SELECT * FROM " + table + " ORDER BY id DESC LIMIT 1) t, generate_series($1::bigint, $2::bigint) i"
		},
	}
	if _, err := conn.Exec(ctx, "SET synchronous_commit = off"); err != nil {
		return err
	}
	for _, table := range tables() {
		columns, err := postgresColumns(ctx, conn, table)
		if err != nil {
			return err
		}
		statement := insert(table, columns, d)
		for first := 1; first <= n; first += chunk {
			if _, err := conn.Exec(ctx, statement, first, min(n, first+chunk-1)); err != nil {
				return fmt.Errorf("fill %s: %w", table, err)
			}
		}
	}
	for _, statement := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func postgresColumns(ctx context.Context, conn *pgx.Conn, table string) ([]column, error) {
	rows, err := conn.Query(ctx, `SELECT column_name, data_type = 'bytea' FROM information_schema.columns
		WHERE table_name = $1 AND table_schema = current_schema() ORDER BY ordinal_position`, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (c column, err error) {
		err = r.Scan(&c.name, &c.bytes)
		return c, err
	})
}

// Check has SQLite look through the database of a data folder whose server does
// not run.
func Check(ctx context.Context, dir string) (err error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "pincall.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("integrity_check: %s", said)
	}
	return nil
}
