// Package pg is a throw-away PostgreSQL cluster for the benchmarks: durable, with
// fsync on, killed hard where that is the point, and with what the system counts
// of its processes.
package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pincall/pincall/bench/internal/server"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
)

// Database is the name of the database that the benchmarks use.
const Database = "pincall"

// restartWait is how long the server's helpers may take to notice that it was
// killed, and its log to be replayed.
const restartWait = 60 * time.Second

// Cluster is a running server.
type Cluster struct {
	*pgtest.Cluster
	dir string // of the data
}

// Start makes a cluster with an empty database. Close it.
func Start() (*Cluster, error) {
	c, err := pgtest.Start(pgtest.Config{Fsync: true, Settings: map[string]string{
		"shared_buffers": "512MB", "autovacuum_naptime": "60s", "log_min_messages": "fatal",
	}})
	if err != nil {
		return nil, err
	}
	if err := c.Exec(context.Background(), "postgres", "CREATE DATABASE "+Database); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	out := &Cluster{Cluster: c}
	for field := range strings.FieldsSeq(c.DSN(Database)) {
		if host, ok := strings.CutPrefix(field, "host="); ok {
			out.dir = filepath.Join(host, "data")
		}
	}
	return out, nil
}

// URL names the database.
func (c *Cluster) URL() string { return c.DSN(Database) }

// PID is the postmaster's: the first line of its file.
func (c *Cluster) PID() (int, error) {
	b, err := os.ReadFile(filepath.Join(c.dir, "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strconv.Atoi(strings.TrimSpace(line))
}

// Crash ends the server at once: with hard by kill -9 of the postmaster, whose
// helpers then notice and end; else by its own immediate shutdown.
func (c *Cluster) Crash(hard bool) error {
	if !hard {
		return c.Kill()
	}
	pid, err := c.PID()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the postmaster: %w", err)
	}
	return c.Kill() // waits until it has ended
}

// Revive starts the server again, as often as it takes until the helpers of the
// killed one are gone.
func (c *Cluster) Revive() error {
	var err error
	for end := time.Now().Add(restartWait); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = c.Restart(); err == nil {
			return nil
		}
	}
	return err
}

// CPU is the processor time that the cluster's processes have used, those that
// have ended included.
func (c *Cluster) CPU() time.Duration {
	pid, err := c.PID()
	if err != nil {
		return 0
	}
	sum := server.CPUWithEnded(pid)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return sum
	}
	for _, f := range bytes.Fields(children) {
		if child, err := strconv.Atoi(string(f)); err == nil {
			sum += server.CPUOf(child)
		}
	}
	return sum
}
