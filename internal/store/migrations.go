package store

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Migration is one numbered step of a database's schema. Steps go forward only,
// and a step that was ever released is never changed.
type Migration struct {
	Version int // from 1, without gaps
	Name    string
	SQL     string
}

// Migrations reads the steps from files named like 0001_start.sql, in order.
func Migrations(fsys fs.FS) ([]Migration, error) {
	names, err := fs.Glob(fsys, "*.sql") // in lexical order
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	var all []Migration
	for _, name := range names {
		number, rest, ok := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil || version != len(all)+1 {
			return nil, fmt.Errorf("migrations: %s should be number %04d", name, len(all)+1)
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		all = append(all, Migration{Version: version, Name: rest, SQL: string(text)})
	}
	return all, nil
}

// Missing gives the steps that a database of the given version (0: empty) lacks.
// A database that is ahead of the program is refused: an older program would
// write rows that the newer one misreads.
func Missing(all []Migration, version int) ([]Migration, error) {
	if version < 0 || version > len(all) {
		return nil, fmt.Errorf("the database has schema %d and this program knows up to %d: use the newer program",
			version, len(all))
	}
	return all[version:], nil
}
