package app

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/store/postgres"
)

// inspectTimeout bounds the look at a database that may not answer.
const inspectTimeout = 10 * time.Second

// oldestServer is PostgreSQL 14, as server_version_num has it.
const oldestServer = 140000

// shared looks at a PostgreSQL database, and at what this node needs beside it.
func (d *doctor) shared(ctx context.Context, p place, routes []carrier.Route) {
	d.readable("api-key", filepath.Join(p.data, keyFile))
	if d.cfg.Getenv("PINCALL_DATABASE_URL") == "" {
		d.readable("database.url", d.cfg.file())
	}
	c, err := pgx.ParseConfig(p.database.URL)
	if err == nil && plain(c) {
		d.say("database.url: what travels to the database can be read on the way: write sslmode=verify-full")
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	i, err := postgres.Inspect(ctx, p.postgres())
	if err != nil {
		d.keyring(p.keyring, "")
		d.say("database: it cannot be looked at: %v", err)
		return
	}
	switch {
	case i.Version == 0:
		d.say("database: it is empty: run pincall migrate")
	case i.Version < i.Known:
		d.say("database: its schema is %d, and this program needs %d: run pincall migrate", i.Version, i.Known)
	case i.Version > i.Known:
		d.say("database: a newer pincall has migrated it (schema %d, this one knows %d): use the newer one on this node, too", i.Version, i.Known)
	}
	d.keyring(p.keyring, i.KeyCheck)
	if err := d.server(ctx, c); err != nil {
		d.say("database: it cannot be looked at: %v", err)
	}
	if len(i.WorkingKeys) == 0 && i.Version > 0 {
		d.say("keys: there is no API key: make one with pincall key new --scope admin")
	}
	d.accounts(i, routes)
}

// readable says that other users may read a file that holds a secret.
func (d *doctor) readable(what, path string) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&othersMay != 0 {
		d.say("%s: other users of this machine may read %s: run chmod 600 on it", what, path)
	}
}

// server looks at the PostgreSQL server, as a connection with these settings
// finds it.
func (d *doctor) server(ctx context.Context, c *pgx.ConnConfig) error {
	c.DefaultQueryExecMode = pgx.QueryExecModeExec // PgBouncer may stand between
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version int
	var at time.Time
	var fsync, pages, commit string
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, clock_timestamp(), current_setting('fsync'),
		current_setting('full_page_writes'), current_setting('synchronous_commit')`).Scan(&version, &at, &fsync, &pages, &commit)
	if err != nil {
		return err
	}
	if version < oldestServer {
		d.say("database: PostgreSQL %d is too old: use %d or newer", version/10_000, oldestServer/10_000)
	}
	for _, s := range []struct{ name, value string }{{"fsync", fsync}, {"full_page_writes", pages}, {"synchronous_commit", commit}} {
		if s.value == "off" {
			d.say("database: %s is off, so a crash of its server loses what was acknowledged: set %s = on", s.name, s.name)
		}
	}
	if off := time.Since(at).Abs(); off > skewBy {
		d.say("clock: it differs from the database's by %s: keep both right with NTP", off.Round(time.Second))
	}
	return nil
}

// plain says that a connection to another machine may go without TLS.
func plain(c *pgx.ConnConfig) bool {
	if c.TLSConfig == nil && !nearby(c.Host) {
		return true
	}
	return slices.ContainsFunc(c.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil && !nearby(f.Host) })
}

// nearby says that a server is on this machine.
func nearby(host string) bool {
	return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || loopback(net.JoinHostPort(host, "0"))
}
