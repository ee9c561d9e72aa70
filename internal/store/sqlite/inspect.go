package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/pincall/pincall/internal/store"
)

// Inspection is what can be learned of a file without touching it.
type Inspection = store.Inspection

// Inspect reads a database without migrating, making or changing anything; a
// process may work on it meanwhile. Tables that the file does not have are left
// out.
func Inspect(ctx context.Context, name string) (Inspection, error) {
	i, err := inspect(ctx, name)
	if err != nil {
		return Inspection{}, fmt.Errorf("read the database %s: %w", name, err)
	}
	return i, nil
}

func inspect(ctx context.Context, name string) (i Inspection, err error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return i, err
	}
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(2000)", "query_only(ON)"}}
	// Without a log nobody works on the file, and nothing is made beside it.
	if info, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		q.Set("immutable", "1")
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return i, err
	}
	dc, err := connector.Connect(ctx)
	if err != nil {
		return i, err
	}
	c := &conn{dc: dc, prepared: make(map[string]*stmt)}
	defer func() { err = errors.Join(err, c.close()) }()
	return c.inspection()
}

func (c *conn) inspection() (i Inspection, err error) {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return i, err
	}
	all, err := store.Migrations(folder)
	if err != nil {
		return i, err
	}
	i.Known = all[len(all)-1].Version
	tables := map[string]bool{}
	err = c.query(`SELECT name FROM sqlite_schema WHERE type = 'table'`, func(r *row) error { tables[r.text()] = true; return nil })
	if err != nil {
		return i, err
	}
	// Every table of the first version of the schema, and no column of a later one.
	for _, part := range []struct {
		table, sql string
		each       func(*row) error
	}{
		{"schema_version", `SELECT coalesce(max(version), 0) FROM schema_version`, func(r *row) error { i.Version = r.int(); return nil }},
		{"meta", `SELECT value FROM meta WHERE name = 'key_check'`, func(r *row) error { i.KeyCheck = r.text(); return nil }},
		{"verifications", `SELECT created_at FROM verifications ORDER BY n DESC LIMIT 1`, func(r *row) error { i.Note(r.time()); return nil }},
		{"keys", `SELECT coalesce(max(created_at), 0) FROM keys`, func(r *row) error { i.Note(r.time()); return nil }},
		{"services", `SELECT account, id, settings FROM services ORDER BY account, id`, func(r *row) error { return i.AddService(r.text(), r.text(), r.text()) }},
		{"keys", `SELECT id, scopes FROM keys WHERE revoked_at = 0`, func(r *row) error {
			i.AddKey(r.text(), r.text())
			return nil
		}},
	} {
		if !tables[part.table] {
			continue
		}
		if err := c.query(part.sql, part.each); err != nil {
			return i, err
		}
	}
	return i, nil
}
