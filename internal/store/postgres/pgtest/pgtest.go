// Package pgtest runs throw-away PostgreSQL clusters for tests, from the binaries
// that are installed or that $PINCALL_TEST_PG_BIN names: a socket in a temporary folder, no TCP, nothing left when
// the tests end. It knows how to start, stop and kill a server and how to make
// databases; it knows no schema.
package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config of a Cluster.
type Config struct {
	// Fsync makes commits durable, as in real use. Without it the tests are fast.
	Fsync bool
	// Settings of postgresql.conf, beside those that a test needs.
	Settings map[string]string
}

// Cluster is one server with its folder. Safe for concurrent use, except that
// Kill and Restart are one test's own affair.
type Cluster struct {
	cfg    Config
	bin    string
	dir    string // of everything
	server *exec.Cmd
	ended  chan struct{} // closed when the server has ended

	mu        sync.Mutex
	templates map[string]string // database by name of the template
}

// ErrNoBinaries says that PostgreSQL's server is not installed.
var ErrNoBinaries = errors.New("pgtest: no PostgreSQL server in /usr/lib/postgresql/*/bin, nor where $PINCALL_TEST_PG_BIN says")

// How long a server may take to start, and to stop.
const (
	startWait = 60 * time.Second
	stopWait  = 30 * time.Second
)

// binaries finds the server: in the folder that $PINCALL_TEST_PG_BIN names, an
// absolute path; without it the newest of Debian's packages.
func binaries() (string, error) {
	if dir := os.Getenv("PINCALL_TEST_PG_BIN"); dir != "" {
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", ErrNoBinaries
	}
	slices.SortFunc(found, func(a, b string) int { // 9 before 15
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return filepath.Dir(found[len(found)-1]), nil
}

// Start makes a cluster and starts its server. ErrNoBinaries. Close it.
func Start(cfg Config) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pincall-pg-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg, bin: bin, dir: dir, templates: make(map[string]string)}
	if err := c.init(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) init() error {
	attr, err := attributes(c.dir)
	if err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(c.bin, "initdb"), "-D", c.data(), "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, c.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return c.Restart()
}

// superuser is the cluster's superuser.
const superuser = "pincall"

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// Log is the server's log so far.
func (c *Cluster) Log() string {
	b, _ := os.ReadFile(filepath.Join(c.dir, "log")) // without one it is empty
	return string(b)
}

// PID is the server's first process, the parent of all others.
func (c *Cluster) PID() int { return c.server.Process.Pid }

// DSN names a database of the cluster.
func (c *Cluster) DSN(database string) string {
	return fmt.Sprintf("host=%s user=%s dbname=%s sslmode=disable", c.dir, superuser, database)
}

// Restart starts the server after Kill, and returns when it takes connections.
func (c *Cluster) Restart() error {
	fsync := "off"
	if c.cfg.Fsync {
		fsync = "on"
	}
	settings := map[string]string{
		"listen_addresses": "", "unix_socket_directories": c.dir, "fsync": fsync, "full_page_writes": fsync, "max_connections": "200",
		"shared_buffers": "128MB", "autovacuum_naptime": "10s", "log_min_messages": "warning", "max_wal_size": "4GB",
	}
	for k, v := range c.cfg.Settings {
		settings[k] = v
	}
	args := []string{"-D", c.data()}
	for k, v := range settings {
		args = append(args, "-c", k+"="+v)
	}
	attr, err := attributes("")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	c.server = exec.Command(filepath.Join(c.bin, "postgres"), args...)
	c.server.Dir, c.server.SysProcAttr, c.server.Stderr, c.server.Stdout = c.dir, attr, log, log
	c.ended = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// The signal that ends the server with its parent comes when the parent's
		// thread ends: so this one does not.
		runtime.LockOSThread()
		err := c.server.Start()
		started <- err
		if err == nil {
			_ = c.server.Wait() // how it ended is in its log
		}
		_ = log.Close()
		close(c.ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	return c.await()
}

// await returns when the server takes connections.
func (c *Cluster) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-c.ended:
			return fmt.Errorf("postgres ended: %s", c.Log())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w: %s", err, c.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server at once, as a crash does: nothing is flushed.
func (c *Cluster) Kill() error { return c.stop(syscall.SIGQUIT) }

func (c *Cluster) stop(sig os.Signal) error {
	if c.server == nil || c.server.Process == nil {
		return nil
	}
	if err := c.server.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
		return nil
	case <-time.After(stopWait):
		return errors.Join(errors.New("postgres does not stop"), c.server.Process.Kill())
	}
}

// Close stops the server and removes the folder.
func (c *Cluster) Close() error { return errors.Join(c.Kill(), os.RemoveAll(c.dir)) }

// Exec runs statements in a database, as the superuser.
func (c *Cluster) Exec(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, c.DSN(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// Template is a database that others are cloned from.
type Template struct {
	Name string // names it within the cluster
	// Make fills the empty database that the DSN names.
	Make func(ctx context.Context, dsn string) error
}

// Database makes a database like the template, drops it when the test ends, and
// gives its name: see DSN. Another name than the template's is the database's.
func (c *Cluster) Database(t testing.TB, from Template) string {
	t.Helper()
	ctx := context.Background()
	name := "t_" + strings.ToLower(rand.Text()[:16])
	if err := c.clone(ctx, from, name); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Exec(ctx, "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop a database: %v", err)
		}
	})
	return name
}

func (c *Cluster) clone(ctx context.Context, from Template, name string) error {
	c.mu.Lock() // two copies of one template at once are refused
	defer c.mu.Unlock()
	template, ok := c.templates[from.Name]
	if !ok {
		template = "template_" + from.Name
		if err := c.Exec(ctx, "postgres", "CREATE DATABASE "+template); err != nil {
			return err
		}
		if err := from.Make(ctx, c.DSN(template)); err != nil {
			return err
		}
		c.templates[from.Name] = template
	}
	return c.Exec(ctx, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template)
}
