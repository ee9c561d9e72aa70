package app_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
)

// What doctor finds of a shared database, and that it tells no password.
func TestDoctorOnPostgres(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(*shared, string) // the data folder
		config  string                // beside the database
		want    []string              // beginnings of the lines, in order
	}{
		"nothing": {},
		"unreachable": {config: `database: {url: "postgres://pincall:` + dbPassword + `@127.0.0.1:1/pincall?sslmode=disable"}`,
			want: []string{"database: it cannot be looked at: "}},
		"in clear": {config: `database: {url: "postgres://pincall:` + dbPassword + `@db.invalid/pincall"}`,
			want: []string{"database.url: what travels to the database can be read", "database: it cannot be looked at: "}},
		"empty": {prepare: func(s *shared, _ string) {
			s.ok(s.cluster.Exec(s.t.Context(), s.name, "DROP TABLE schema_version"))
		}, want: []string{"database: it is empty: run pincall migrate"}},
		"newer": {prepare: func(s *shared, _ string) {
			s.ok(s.cluster.Exec(s.t.Context(), s.name, "INSERT INTO schema_version (version, compatible) VALUES (99, 1)"))
		}, want: []string{"database: a newer pincall has migrated it (schema 99"}},
		"another keyring": {prepare: func(s *shared, _ string) {
			s.ok(os.Remove(s.keyring))
			s.ok(app.NewKeyring(s.keyring))
		}, want: []string{"keyring: "}},
		"no keyring": {prepare: func(s *shared, _ string) { s.ok(os.Remove(s.keyring)) }, want: []string{"keyring: "}},
		"open keyring": {prepare: func(s *shared, _ string) { s.ok(os.Chmod(s.keyring, 0o644)) },
			want: []string{"keyring: load keyring: "}},
		"open configuration": {prepare: func(s *shared, dir string) { s.ok(os.Chmod(filepath.Join(dir, "pincall.yaml"), 0o640)) },
			want: []string{"database.url: other users of this machine may read "}},
		"not durable": {prepare: func(s *shared, _ string) {
			s.ok(s.cluster.Exec(s.t.Context(), "postgres", "ALTER DATABASE "+s.name+" SET synchronous_commit = off"))
		}, want: []string{"database: synchronous_commit is off, so a crash"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShared(t, pgtest.Durable(t))
			dir := s.folder("")
			s.ok(os.Remove(filepath.Join(dir, "api-key")))
			if tt.prepare != nil {
				tt.prepare(s, dir)
			}
			if tt.config != "" {
				text := fmt.Sprintf("%s\nkeyring: %q\n", tt.config, s.keyring)
				s.ok(os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(text), 0o600))
			}
			lines, err := app.Doctor(t.Context(), app.Config{Data: dir, Getenv: func(string) string { return "" }})
			s.ok(err)
			ok := len(lines) == len(tt.want)
			for i, line := range lines {
				ok = ok && strings.HasPrefix(line, tt.want[i]) && !strings.ContainsAny(line, "\n")
			}
			if !ok || strings.Contains(strings.Join(lines, ""), dbPassword) {
				t.Errorf("%d lines: %q, want %q", len(lines), lines, tt.want)
			}
		})
	}
}

// Without fsync the durability is weakened, and doctor says so.
func TestDoctorOnFsync(t *testing.T) {
	t.Parallel()
	s := newShared(t, pgtest.Shared(t))
	cfg := s.config()
	lines, err := app.Doctor(t.Context(), cfg)
	s.ok(err)
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "database: fsync is off") || !strings.HasPrefix(lines[1], "database: full_page_writes is off") {
		t.Errorf("%q", lines)
	}
}

// What cannot work with a shared database is refused at the start, in words that
// say what to do and tell no password.
func TestSharedRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*shared)
		config  func(*shared) string
		want    string
	}{
		"no keyring is named":  {config: func(s *shared) string { return fmt.Sprintf("database: {url: %q}\n", s.dsn()) }, want: "pincall keyring new"},
		"keyring alone":        {config: func(s *shared) string { return fmt.Sprintf("keyring: %q\n", s.keyring) }, want: "keyring: it goes with database.url"},
		"serve alone":          {config: func(*shared) string { return "routes: [{carrier: sim, serve: false}]\n" }, want: "routes[0].serve"},
		"too few connections":  {config: func(s *shared) string { return "database: {max_conns: 1}\n" }, want: "database.max_conns"},
		"a keyring is missing": {prepare: func(s *shared) { s.ok(os.Remove(s.keyring)) }, want: "copy it from another node"},
		"another's keyring": {prepare: func(s *shared) { s.ok(os.Remove(s.keyring)); s.ok(app.NewKeyring(s.keyring)) },
			want: "the keyring does not belong to this database"},
		"keyring for all to read": {prepare: func(s *shared) { s.ok(os.Chmod(s.keyring, 0o604)) }, want: "chmod 600"},
		"an older schema": {prepare: func(s *shared) { s.ok(s.cluster.Exec(s.t.Context(), s.name, "DELETE FROM schema_version")) },
			want: "run pincall migrate"},
		"no such database": {prepare: func(s *shared) { s.name += "x" }, want: "does not exist"},
		"a URL that is none": {config: func(s *shared) string {
			return fmt.Sprintf("database: {url: \"postgres://pincall:%s@[/x\"}\nkeyring: %q\n", dbPassword, s.keyring)
		}, want: "want postgres://"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShared(t, pgtest.Shared(t))
			if tt.prepare != nil {
				tt.prepare(s)
			}
			dir := s.folder("")
			if tt.config != nil {
				s.ok(os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(tt.config(s)), 0o600))
			}
			m, err := app.New(t.Context(), app.Config{Listen: "127.0.0.1:0", Data: dir, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				m.Close()
				t.Fatal("it starts")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), dbPassword) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}
