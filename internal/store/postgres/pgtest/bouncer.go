package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bouncer starts PgBouncer in transaction mode before the cluster, ends it with
// the test, and gives what names a database through it. Where it is not installed
// the test is skipped.
func (c *Cluster) Bouncer(t testing.TB) (dsn func(database string) string) {
	t.Helper()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			t.Skip("PgBouncer is not installed")
		}
	}
	dir, err := os.MkdirTemp("", "pincall-pgb-")
	if err != nil {
		t.Fatal(err)
	}
	attr, err := attributes(dir)
	if err != nil {
		t.Fatal(err)
	}
	ini := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s user=%s
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = %s
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 500
server_idle_timeout = 1
logfile = %s/log
`, c.dir, superuser, dir, dir)
	if err := os.WriteFile(ini, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-q", ini)
	cmd.SysProcAttr, cmd.Dir = attr, dir
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // see Cluster.Restart
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed below
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-ended
		_ = os.RemoveAll(dir)
	})
	dsn = func(database string) string {
		return fmt.Sprintf("host=%s port=6432 user=%s dbname=%s sslmode=disable", dir, superuser, database)
	}
	for try := 0; ; try++ {
		conn, err := pgx.Connect(t.Context(), dsn("postgres"))
		if err == nil {
			_ = conn.Close(t.Context())
			return dsn
		}
		if try == 200 {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("PgBouncer does not answer: %v: %s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
