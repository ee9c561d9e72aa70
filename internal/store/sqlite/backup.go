package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pincall/pincall/internal/secret"
)

// ErrDamaged says that a database is not whole.
var ErrDamaged = errors.New("the database is damaged")

// Backup writes a whole copy of the database, as it is at one moment, to a new
// file with mode 0600, while others work on the database. The copy was opened
// and found whole, and is on disk, when this returns. fs.ErrExist where the file
// is there already.
func (s *Store) Backup(ctx context.Context, file string) error {
	if err := s.backup(ctx, file); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	return nil
}

func (s *Store) backup(ctx context.Context, file string) error {
	path, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return &os.PathError{Op: "create", Path: path, Err: os.ErrExist}
	}
	dir := filepath.Dir(path)
	// VACUUM INTO takes an empty file that is there, and with it its mode.
	tmp, err := os.CreateTemp(dir, ".pincall-backup-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := copyTo(ctx, s.path, tmp.Name()); err != nil {
		return err
	}
	if err := examine(ctx, tmp.Name()); err != nil {
		return err
	}
	if err := syncFile(tmp.Name()); err != nil {
		return err
	}
	// Link, unlike rename, fails where the name was taken meanwhile.
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	return syncFile(dir)
}

// copyTo copies a database in one reading transaction: writers go on.
func copyTo(ctx context.Context, from, to string) error {
	c, err := connect(ctx, from, false)
	if err != nil {
		return err
	}
	return errors.Join(runScript(c, "VACUUM INTO '"+strings.ReplaceAll(to, "'", "''")+"'"), c.close())
}

// examine reads a whole database and says whether it is sound. It leaves no
// files beside it.
func examine(ctx context.Context, path string) error {
	c, err := dial(ctx, path, url.Values{"mode": {"ro"}, "_query_only": {"on"}})
	if err != nil {
		return err
	}
	found := ""
	err = c.query("PRAGMA integrity_check(1)", func(r *row) error {
		found = r.text()
		return nil
	})
	if err == nil && found != "ok" {
		err = ErrDamaged
	}
	return errors.Join(err, c.close())
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

const (
	selectTables  = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	selectColumns = `SELECT name, type FROM pragma_table_info(?)`
)

// KeyInUse says whether anything is on record that was made with a key of the
// keyring: a sealed value, in whatever table, or the hash of a code. What begins
// like a sealed value by chance counts as well.
func (s *Store) KeyInUse(ctx context.Context, id string) (bool, error) {
	mark := secret.KeyMark(id)
	used := false
	err := s.snapshot(ctx, func(c *conn) error {
		columns, err := blobColumns(c)
		if err != nil {
			return err
		}
		hit := func(*row) error { used = true; return nil }
		for _, col := range columns {
			sql := `SELECT 1 FROM "` + col.table + `" WHERE substr("` + col.name + `", 1, ?) = ? LIMIT 1`
			if err := c.query(sql, hit, int64(len(mark)), mark); err != nil || used {
				return err
			}
		}
		return c.query(`SELECT 1 FROM verifications WHERE key_id = ? LIMIT 1`, hit, id)
	})
	if err != nil {
		return false, fmt.Errorf("look for what needs a key: %w", err)
	}
	return used, nil
}

// column is a place where sealed values can be.
type column struct{ table, name string }

func blobColumns(c *conn) ([]column, error) {
	var tables []string
	err := c.query(selectTables, func(r *row) error {
		tables = append(tables, r.text())
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []column
	for _, table := range tables {
		err := c.query(selectColumns, func(r *row) error {
			if name, kind := r.text(), r.text(); kind == "BLOB" {
				out = append(out, column{table, name})
			}
			return nil
		}, table)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
