package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/store"
)

// Inspection is what can be learned of a file without touching it.
type Inspection struct {
	Version, Known int    // of the schema: the file's, and the newest that this program knows
	KeyCheck       string // of the keyring it was made with; empty: none was noted
	Newest         time.Time
	Services       []account.Service
	// WorkingKeys are the keys that are not revoked, with their scopes.
	WorkingKeys map[string][]account.Scope
}

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
	i.WorkingKeys = map[string][]account.Scope{}
	// Every table of the first version of the schema, and no column of a later one.
	for _, part := range []struct {
		table, sql string
		each       func(*row) error
	}{
		{"schema_version", `SELECT coalesce(max(version), 0) FROM schema_version`, func(r *row) error { i.Version = r.int(); return nil }},
		{"meta", `SELECT value FROM meta WHERE name = 'key_check'`, func(r *row) error { i.KeyCheck = r.text(); return nil }},
		{"verifications", `SELECT created_at FROM verifications ORDER BY n DESC LIMIT 1`, i.note},
		{"keys", `SELECT coalesce(max(created_at), 0) FROM keys`, i.note},
		{"services", `SELECT account, id, settings FROM services ORDER BY account, id`, i.service},
		{"keys", `SELECT id, scopes FROM keys WHERE revoked_at = 0`, func(r *row) error {
			id := r.text()
			for _, s := range strings.Fields(r.text()) {
				i.WorkingKeys[id] = append(i.WorkingKeys[id], account.Scope(s))
			}
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

// note keeps the newest time.
func (i *Inspection) note(r *row) error {
	if t := r.time(); t.After(i.Newest) {
		i.Newest = t
	}
	return nil
}

func (i *Inspection) service(r *row) error {
	s := account.Service{Account: r.text(), ID: r.text()}
	if err := json.Unmarshal([]byte(r.text()), &s); err != nil {
		return errors.New("the settings of service " + s.ID + " cannot be read")
	}
	i.Services = append(i.Services, s)
	return nil
}
