package sqlite

import (
	"context"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pincall/pincall/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// inTransaction runs f between BEGIN and COMMIT.
func inTransaction(c *conn, f func() error) error {
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = c.exec("COMMIT")
	}
	if err != nil {
		// The first error is the one to tell; a transaction that SQLite has
		// already rolled back refuses this one.
		_, _ = c.exec("ROLLBACK")
	}
	return err
}

// migrate brings the schema up to date, all of it or nothing.
func migrate(c *conn) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	all, err := store.Migrations(folder)
	if err != nil {
		return err
	}
	if done, err := upToDate(c, len(all)); done || err != nil {
		return err
	}
	return inTransaction(c, func() error { return migrateTo(c, all) })
}

// upToDate says whether the schema is this version, without writing: a command
// must not wait behind a server that writes all the time.
func upToDate(c *conn, version int) (bool, error) {
	found, have := false, 0
	err := c.query("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'", func(*row) error { found = true; return nil })
	if err != nil || !found {
		return false, err
	}
	err = c.query("SELECT coalesce(max(version), 0) FROM schema_version", func(r *row) error { have = r.int(); return nil })
	return have == version, err
}

func migrateTo(c *conn, all []store.Migration) error {
	if _, err := c.exec("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT"); err != nil {
		return err
	}
	version := 0
	err := c.query("SELECT coalesce(max(version), 0) FROM schema_version", func(r *row) error {
		version = r.int()
		return nil
	})
	if err != nil {
		return err
	}
	missing, err := store.Missing(all, version)
	if err != nil {
		return err
	}
	if err := refuseBesideServer(c, version); err != nil {
		return err
	}
	for _, m := range missing {
		if err := runScript(c, m.SQL); err != nil {
			return fmt.Errorf("migration %d (%s): %w", m.Version, m.Name, err)
		}
		if _, err := c.exec("INSERT INTO schema_version (version) VALUES (?)", int64(m.Version)); err != nil {
			return err
		}
	}
	return nil
}

// refuseBesideServer says whether a server of an older program may be working on
// the file: it would go on with statements that do not fit any more. One that was
// killed is thought to work until its last heartbeat is too old.
func refuseBesideServer(c *conn, version int) error {
	if version == 0 {
		return nil
	}
	works := false
	err := c.query("SELECT 1 FROM nodes WHERE alive_until >= ?", func(*row) error { works = true; return nil }, time.Now().UnixMicro())
	if err == nil && works {
		err = errors.New("a server of an older version works on the database: stop it first; after a kill, wait ten seconds")
	}
	return err
}

// runScript runs several statements, none of which is kept prepared.
func runScript(c *conn, sql string) error {
	d, ok := c.dc.(driver.ExecerContext)
	if !ok {
		return errors.New("sqlite: the driver runs no scripts")
	}
	_, err := d.ExecContext(context.Background(), sql, nil)
	return err
}

// checkKeys keeps the keyring's check value, and refuses another one.
func checkKeys(c *conn, check string) error {
	if check == "" {
		return nil
	}
	kept := ""
	err := c.query("SELECT value FROM meta WHERE name = 'key_check'", func(r *row) error { kept = r.text(); return nil })
	if err != nil || kept == check {
		return err
	}
	return inTransaction(c, func() error {
		_, err := c.exec("INSERT INTO meta (name, value) VALUES ('key_check', ?) ON CONFLICT DO NOTHING", check)
		if err != nil {
			return err
		}
		return c.query("SELECT value FROM meta WHERE name = 'key_check'", func(r *row) error {
			if r.text() != check {
				return store.ErrWrongKeys
			}
			return nil
		})
	})
}
