package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/store/postgres"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
)

// dbPassword stands in the URL, and nowhere else. (The server asks for none.)
const dbPassword = "hush4711db"

// shared is a PostgreSQL database with its keyring and an API key.
type shared struct {
	t       *testing.T
	cluster *pgtest.Cluster
	name    string // of the database
	keyring string
	key     string
}

// newShared makes a migrated database with a key. Services, if any, are those of
// the default account.
func newShared(t *testing.T, c *pgtest.Cluster, services ...account.Service) *shared {
	t.Helper()
	s := &shared{t: t, cluster: c, keyring: filepath.Join(t.TempDir(), "keyring.json")}
	s.name = c.Database(t, pgtest.Template{Name: "app", Make: func(ctx context.Context, dsn string) error {
		return postgres.Migrate(ctx, postgres.Config{DSN: dsn})
	}})
	s.ok(app.NewKeyring(s.keyring))
	for _, svc := range services {
		keys, err := secret.LoadKeyring(s.keyring)
		s.ok(err)
		db, err := postgres.Open(t.Context(), postgres.Config{DSN: s.dsn(), KeyCheck: keys.CheckValue()})
		s.ok(err)
		s.ok(db.InsertAccount(t.Context(), account.Account{ID: svc.Account, Name: svc.Account, CreatedAt: time.Now()}, svc))
		s.ok(db.Close())
	}
	admin, err := app.OpenAdmin(t.Context(), s.config())
	s.ok(err)
	tok, _, err := admin.NewKey(t.Context(), app.DefaultAccount, "tests", []account.Scope{account.ScopeAdmin, account.ScopeVerify, account.ScopeRead})
	s.ok(err)
	s.ok(admin.Close())
	s.key = tok.Reveal()
	return s
}

func (s *shared) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shared) dsn() string { return s.cluster.DSN(s.name) + " password=" + dbPassword }

// options are those of the configuration file.
func (s *shared) options() string {
	return fmt.Sprintf("database: {url: %q, max_conns: 12}\nkeyring: %q\n", s.dsn(), s.keyring)
}

// config is that of a command.
func (s *shared) config() app.Config {
	env := map[string]string{"PINCALL_DATABASE_URL": s.dsn(), "PINCALL_KEYRING": s.keyring}
	return app.Config{Data: filepath.Join(s.t.TempDir(), "data"), Getenv: func(k string) string { return env[k] }, Log: slog.New(slog.DiscardHandler)}
}

// folder is the data folder of a node, with a configuration and the API key.
func (s *shared) folder(config string) string {
	s.t.Helper()
	dir := s.t.TempDir()
	s.ok(os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(s.options()+config), 0o600))
	s.ok(os.WriteFile(filepath.Join(dir, "api-key"), []byte(s.key+"\n"), 0o600))
	return dir
}

// run starts a node in this process.
func (s *shared) run(config string, env map[string]string) *running {
	s.t.Helper()
	r := run(s.t, s.folder(config), s.options()+config, env)
	r.dump = s.dump
	return r
}

// rows asks the database, and gives the first two columns as text.
func (s *shared) rows(sql string) [][2]string {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.dsn())
	s.ok(err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(s.t.Context(), sql)
	s.ok(err)
	out, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (row [2]string, err error) {
		err = r.Scan(&row[0], &row[1])
		return row, err
	})
	s.ok(err)
	return out
}

// dump is every row of every table, with bytes in hex, and the server's log.
func (s *shared) dump() string {
	s.t.Helper()
	var b strings.Builder
	for _, table := range s.rows(`SELECT tablename, '' FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`) {
		for _, row := range s.rows(`SELECT t::text, '' FROM ` + table[0] + ` AS t`) {
			b.WriteString(table[0] + ": " + row[0] + "\n")
		}
	}
	if b.Len() == 0 {
		s.t.Fatal("the database is empty")
	}
	return b.String() + s.cluster.Log()
}
