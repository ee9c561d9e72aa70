package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
)

// TestOnPostgres runs the manual's part on several servers, and a whole
// verification, on a PostgreSQL server of its own.
func TestOnPostgres(t *testing.T) {
	t.Parallel()
	cluster, err := pgtest.Start(pgtest.Config{Fsync: true}) // doctor would tell of less
	if errors.Is(err, pgtest.ErrNoBinaries) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	database := func() string {
		empty := pgtest.Template{Name: "empty", Make: func(context.Context, string) error { return nil }}
		return cluster.DSN(cluster.Database(t, empty)) + " password=secretpassword"
	}
	t.Run("scripts", func(t *testing.T) {
		t.Parallel()
		p := scripts("testdata/postgres")
		setup := p.Setup
		p.Setup = func(env *testscript.Env) error {
			env.Setenv("PINCALL_DATABASE_URL", database())
			return setup(env)
		}
		testscript.Run(t, p)
	})
	t.Run("call", func(t *testing.T) {
		t.Parallel()
		callThroughServer(t, sharedFolder(t, database()))
	})
}

// sharedFolder is the data folder of a server on a new database.
func sharedFolder(t *testing.T, url string) string {
	t.Helper()
	dir := t.TempDir()
	keyring := filepath.Join(dir, "its-keyring.json")
	if err := app.NewKeyring(keyring); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("database: {url: %q}\nkeyring: %q\nsim: {pace: fast}\n", url, keyring)
	if err := os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	migrated := begin(t.Context(), dir, "migrate")
	migrated.wait(t, exitOK)
	return dir
}
