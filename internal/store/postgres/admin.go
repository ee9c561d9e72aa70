package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store"
)

// ErrBackup says who backs a PostgreSQL database up.
var ErrBackup = errors.New("back up: this database is PostgreSQL's: use pg_dump, or the server's own backups, and keep the keyring apart")

// Backup is for databases that the program keeps itself: ErrBackup.
func (s *Store) Backup(context.Context, string) error { return ErrBackup }

// Takeover frees what nodes hold that are no more, and says how many. Other nodes
// live on: unlike one process that takes its own file over, this one leaves them
// theirs.
func (s *Store) Takeover(ctx context.Context) (int, error) { return s.Reap(ctx) }

const selectColumns = `SELECT table_name, column_name FROM information_schema.columns
	WHERE table_schema = current_schema() AND data_type = 'bytea' ORDER BY 1, 2`

// KeyInUse says whether anything is on record that was made with a key of the
// keyring: a sealed value, in whatever table, or the hash of a code. What begins
// like a sealed value by chance counts as well. It reads whole tables.
func (s *Store) KeyInUse(ctx context.Context, id string) (bool, error) {
	type column struct{ table, name string }
	columns, err := list(ctx, s, func(rows pgx.Rows) (c column, err error) {
		err = rows.Scan(&c.table, &c.name)
		return c, err
	}, selectColumns)
	if err != nil {
		return false, fmt.Errorf("look for what needs a key: %w", err)
	}
	var any strings.Builder
	any.WriteString(`SELECT EXISTS (SELECT FROM verifications WHERE key_id = $1)`)
	for _, c := range columns {
		fmt.Fprintf(&any, ` OR EXISTS (SELECT FROM %s WHERE substr(%s, 1, length($2::bytea)) = $2)`,
			pgx.Identifier{c.table}.Sanitize(), pgx.Identifier{c.name}.Sanitize())
	}
	used := false
	err = s.scan(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error { return rows.Scan(&used) })
	}, any.String(), id, secret.KeyMark(id))
	if err != nil {
		return false, fmt.Errorf("look for what needs a key: %w", err)
	}
	return used, nil
}

// Inspect reads a database without changing anything. Tables that it does not
// have are left out.
func Inspect(ctx context.Context, cfg Config) (store.Inspection, error) {
	var i store.Inspection
	conn, err := connect(ctx, cfg)
	if err == nil {
		defer conn.Close(context.WithoutCancel(ctx))
		err = inspect(ctx, conn, &i)
	}
	if err != nil {
		return store.Inspection{}, fmt.Errorf("read the database: %w", err)
	}
	return i, nil
}

func inspect(ctx context.Context, conn *pgx.Conn, i *store.Inspection) error {
	all, err := steps(migrations)
	if err != nil {
		return err
	}
	i.Known = len(all)
	if i.Version, _, err = schema(ctx, conn); err != nil || i.Version == 0 {
		return err
	}
	note := func(rows pgx.Rows) error {
		var micros int64
		err := rows.Scan(&micros)
		i.Note(store.Time(micros))
		return err
	}
	// Of the first version of the schema all, and no column of a later one.
	for _, part := range []struct {
		sql string
		row func(pgx.Rows) error
	}{
		{`SELECT value FROM meta WHERE name = 'key_check'`, func(rows pgx.Rows) error { return rows.Scan(&i.KeyCheck) }},
		{`SELECT created_at FROM verifications ORDER BY id DESC LIMIT 1`, note},
		{`SELECT coalesce(max(created_at), 0) FROM keys`, note},
		{`SELECT account, id, settings FROM services ORDER BY account, id`, func(rows pgx.Rows) error {
			var acc, id, settings string
			if err := rows.Scan(&acc, &id, &settings); err != nil {
				return err
			}
			return i.AddService(acc, id, settings)
		}},
		{`SELECT id, scopes FROM keys WHERE revoked_at = 0 ORDER BY id`, func(rows pgx.Rows) error {
			var id, scopes string
			err := rows.Scan(&id, &scopes)
			i.AddKey(id, scopes)
			return err
		}},
	} {
		rows, err := conn.Query(ctx, part.sql)
		if err != nil {
			return err
		}
		if err := each(rows, func() error { return part.row(rows) }); err != nil {
			return err
		}
	}
	return nil
}
