package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/verify"
)

// isUnavailable says that a caller is told to try again later.
func isUnavailable(err error) bool {
	var e *verify.Error
	return errors.As(err, &e) && e.Code == verify.Unavailable && e.RetryAfter > 0
}

// open opens a database of the shared cluster and gives its name.
func openNamed(t *testing.T, cfg Config) (*Store, *pgtest.Cluster, string) {
	t.Helper()
	c := pgtest.Shared(t)
	name := c.Database(t, template())
	cfg.DSN = c.DSN(name)
	return openTest(t, cfg), c, name
}

const terminate = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()`

// TestKilledBackends ends all sessions again and again under load: what was
// acknowledged is there, once, and who was not told so was told to try again.
func TestKilledBackends(t *testing.T) {
	t.Parallel()
	s, c, name := openNamed(t, Config{})
	other := openTest(t, Config{DSN: c.DSN(name)})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	var kills, told atomic.Int64
	var mu sync.Mutex
	started, approved := map[string]bool{}, map[string]int{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := c.Exec(context.Background(), name, terminate); err != nil {
				t.Error(err)
			}
			kills.Add(1)
			time.Sleep(40 * time.Millisecond)
		}
	})
	for range 12 {
		wg.Go(func() {
			for ctx.Err() == nil {
				x := sampleStart()
				if err := s.Do(context.Background(), x.Start()); err != nil {
					if !isUnavailable(err) {
						t.Errorf("a start: %v", err)
					}
					told.Add(1)
					continue
				}
				mu.Lock()
				started[x.V.ID] = true
				mu.Unlock()
				var both sync.WaitGroup
				for _, node := range []*Store{s, other} {
					both.Go(func() {
						err := node.Do(context.Background(), approve(x.V))
						switch {
						case err == nil:
							mu.Lock()
							approved[x.V.ID]++
							mu.Unlock()
						case isUnavailable(err):
							told.Add(1)
						case !errors.Is(err, errRefused):
							t.Errorf("an approval: %v", err)
						}
					})
				}
				both.Wait()
			}
		})
	}
	wg.Wait()
	for id := range started {
		st, err := s.Read(t.Context(), "01k0000000000000000000acct", id)
		if err != nil {
			t.Fatalf("an acknowledged start is gone: %v", err)
		}
		if n := approved[id]; n > 1 || n == 1 && st.Verification.Status != verify.Approved {
			t.Errorf("approved %d times, and is %s", n, st.Verification.Status)
		}
	}
	t.Logf("%d kills, %d starts, %d approvals, %d told to try again", kills.Load(), len(started), len(approved), told.Load())
	if len(started) == 0 || kills.Load() < 5 {
		t.Error("there was no load, or no trouble")
	}
}

// TestReadOnly is what a switch to another server looks like while it lasts.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s, c, name := openNamed(t, Config{})
	x := sampleStart()
	put(t, s, verify.Writes{Verifications: []verify.Verification{x.V}})
	if err := c.Exec(t.Context(), name, "ALTER DATABASE "+name+" SET default_transaction_read_only = on", terminate); err != nil {
		t.Fatal(err)
	}
	if err := s.Do(t.Context(), sampleStart().Start()); !isUnavailable(err) {
		t.Errorf("a start gave %v", err)
	}
	if _, err := s.Join(t.Context()); !isUnavailable(err) {
		t.Errorf("a new node got %v", err)
	}
	if _, err := s.Read(t.Context(), x.V.Account, x.V.ID); err != nil {
		t.Errorf("a read gave %v", err)
	}
	// Who waits while it ends does not notice.
	time.AfterFunc(300*time.Millisecond, func() {
		err := c.Exec(context.Background(), "postgres", "ALTER DATABASE "+name+" RESET default_transaction_read_only")
		if err != nil {
			t.Error(err)
		}
	})
	s.health.down.Store(false)
	if err := s.Do(t.Context(), sampleStart().Start()); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// calls is one call of every kind.
func calls(s *Store) map[string]func(context.Context) error {
	x := sampleStart()
	return map[string]func(context.Context) error{
		"Do":            func(ctx context.Context) error { return s.Do(ctx, x.Start()) },
		"Read":          func(ctx context.Context) error { _, err := s.Read(ctx, "a", "b"); return err },
		"ReadAttempt":   func(ctx context.Context) error { _, err := s.ReadAttempt(ctx, "a"); return err },
		"Token":         func(ctx context.Context) error { _, _, err := s.Token(ctx, "a"); return err },
		"Overdue":       func(ctx context.Context) error { _, err := s.Overdue(ctx, 1); return err },
		"Stops":         func(ctx context.Context) error { _, err := s.Stops(ctx, []string{"a"}); return err },
		"Forget":        s.Forget,
		"Retire":        func(ctx context.Context) error { _, err := s.Retire(ctx, time.Hour, 1); return err },
		"Statistics":    func(ctx context.Context) error { _, err := s.Statistics(ctx, "a", verify.Days{}, 1); return err },
		"Numbered":      func(ctx context.Context) error { _, err := s.Numbered(ctx, "a", nil); return err },
		"Brands":        func(ctx context.Context) error { _, err := s.Brands(ctx, "a"); return err },
		"Followed":      func(ctx context.Context) error { _, err := s.Followed(ctx, []string{"a"}); return err },
		"Erase":         func(ctx context.Context) error { _, err := s.Erase(ctx, verify.Erasure{}); return err },
		"Join":          func(ctx context.Context) error { _, err := s.Join(ctx); return err },
		"Beat":          func(ctx context.Context) error { return s.Beat(ctx, "a") },
		"Leave":         func(ctx context.Context) error { return s.Leave(ctx, "a") },
		"Newest":        func(ctx context.Context) error { _, err := s.Newest(ctx); return err },
		"Lease":         func(ctx context.Context) error { _, err := s.Lease(ctx, "a", 0, 1); return err },
		"Reap":          func(ctx context.Context) error { _, err := s.Reap(ctx); return err },
		"Postpone":      func(ctx context.Context) error { return s.Postpone(ctx, jobs.Lease{}, 0) },
		"NextDue":       func(ctx context.Context) error { _, _, err := s.NextDue(ctx); return err },
		"Depth":         func(ctx context.Context) error { _, _, err := s.Depth(ctx); return err },
		"InsertAccount": func(ctx context.Context) error { return s.InsertAccount(ctx, account.Account{}, account.Service{}) },
		"Accounts":      func(ctx context.Context) error { _, err := s.Accounts(ctx); return err },
		"Account":       func(ctx context.Context) error { _, err := s.Account(ctx, "a"); return err },
		"Services":      func(ctx context.Context) error { _, err := s.Services(ctx, "a"); return err },
		"Service":       func(ctx context.Context) error { _, err := s.Service(ctx, "a", ""); return err },
		"Key":           func(ctx context.Context) error { _, err := s.Key(ctx, "a"); return err },
		"Keys":          func(ctx context.Context) error { _, err := s.Keys(ctx, "a"); return err },
		"Change": func(ctx context.Context) error {
			return s.Change(ctx, account.Change{Plan: func(account.Held) (account.Writes, error) { return account.Writes{}, nil }})
		},
		"Log":      func(ctx context.Context) error { _, err := s.Log(ctx, "a", 0, 1); return err },
		"KeyInUse": func(ctx context.Context) error { _, err := s.KeyInUse(ctx, "a"); return err },
		"Scrub":    s.Scrub,
	}
}

// Without the right to anything every call fails, and says so.
func TestNoRights(t *testing.T) {
	t.Parallel()
	s, c, name := openNamed(t, Config{})
	if err := c.Exec(t.Context(), name, "ALTER SCHEMA public RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	for what, call := range calls(s) {
		if err := call(t.Context()); err == nil || isUnavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := c.Exec(t.Context(), name, "ALTER SCHEMA elsewhere RENAME TO public"); err != nil {
		t.Fatal(err)
	}
	for what, call := range calls(s) {
		var never *verify.Error
		if err := call(t.Context()); errors.As(err, &never) || err != nil && strings.Contains(err.Error(), "SQLSTATE 42P01") {
			t.Errorf("%s, when it is mended: %v", what, err)
		}
	}
}

// While the server is away every call says that it is, soon; when it is back,
// everything that was acknowledged is there.
func TestCrashedServer(t *testing.T) {
	t.Parallel()
	pgtest.Shared(t) // skips without a server
	c, err := pgtest.Start(pgtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := Migrate(t.Context(), Config{DSN: c.DSN("postgres")}); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, Config{DSN: c.DSN("postgres")})
	x := sampleStart()
	if err := s.Do(t.Context(), x.Start()); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for what, call := range calls(s) {
		if err := call(t.Context()); !isUnavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if d := time.Since(begin); d > 3*patience {
		t.Errorf("they waited for %v together", d)
	}
	if err := c.Restart(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), x.V.Account, x.V.ID); err != nil {
		t.Error(err)
	}
	if err := s.Do(t.Context(), sampleStart().Start()); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for what, call := range calls(s) {
		if err := call(t.Context()); !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s gave %v", what, err)
		}
	}
}

// More callers than connections wait for each other.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{MaxConns: 2})
	if done, _ := atOnce(t, []*Store{s}, 200, func(int) verify.Op { return sampleStart().Start() }); done != 200 {
		t.Errorf("%d of 200", done)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := s.Accounts(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// No error repeats the password.
func TestPasswordIsNotTold(t *testing.T) {
	t.Parallel()
	const password = "hunter2-is-secret"
	for _, dsn := range []string{
		"postgres://u:" + password + "@127.0.0.1:1/db?connect_timeout=1", "postgres://u:" + password + "@[bad/db", "host=/nowhere password=" + password,
		"password=" + password + " x", "password='" + password, "postgres://u:%zz" + password + "@h/d", "host=/nowhere password=" + password + " pool_max_conns=x",
		"host=/nowhere password=" + password + " sslmode=x",
	} {
		cfg := Config{DSN: dsn}
		_, openErr := Open(t.Context(), cfg)
		_, inspectErr := Inspect(t.Context(), cfg)
		for _, err := range []error{openErr, Migrate(t.Context(), cfg), inspectErr} {
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error is %v", err)
			}
		}
	}
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("no DSN was accepted")
	}
}

// A process that stops in the middle of a transaction does not keep the others
// from its rows for ever: the database ends its session.
func TestTransactionsHaveAnEnd(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	s := openTest(t, Config{DSN: c.DSN(c.Database(t, template())) + " default_query_exec_mode=cache_describe"})
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	b.Queue(setTimeouts)
	var idle, lock string
	b.Queue("SHOW idle_in_transaction_session_timeout").QueryRow(func(r pgx.Row) error { return r.Scan(&idle) })
	b.Queue("SHOW lock_timeout").QueryRow(func(r pgx.Row) error { return r.Scan(&lock) })
	b.Queue("ROLLBACK")
	if err := s.pool.SendBatch(t.Context(), b).Close(); err != nil || idle != "10s" || lock != "8s" {
		t.Errorf("%s, %s, %v", idle, lock, err)
	}
	// Nothing of it is left in the session.
	if err := s.pool.QueryRow(t.Context(), "SHOW lock_timeout").Scan(&lock); err != nil || lock != "0" {
		t.Errorf("%s, %v", lock, err)
	}
	// One of its own has them all the time, but for what may take long.
	own := openTest(t, Config{MaxConns: 1})
	for range 2 {
		err := own.pool.QueryRow(t.Context(), "SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')").Scan(&idle, &lock)
		if err != nil || idle != "10s" || lock != "8s" {
			t.Errorf("%s, %s, %v", idle, lock, err)
		}
		if err := own.Scrub(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A caller in a hurry does not make the others believe that the database is away.
func TestHasteIsNoOutage(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := s.Accounts(ctx); err == nil {
		t.Fatal("a call after its deadline was carried out")
	}
	if s.health.patience() == 0 {
		t.Error("the database is taken to be away")
	}
}

// Where the DSN names several servers, the one that can be written to is found,
// wherever it stands.
func TestServerThatCanBeWrittenTo(t *testing.T) {
	t.Parallel()
	primary := pgtest.Shared(t)
	for dsn, want := range map[string]bool{
		"host=a,b user=u":                              true,
		"postgres://u@a:5432,a:5433/db":                true,
		"host=a,b user=u target_session_attrs=primary": true,
		"host=a user=u sslmode=prefer":                 false,
		primary.DSN("db"):                              false,
	} {
		pc, _, err := poolConfig(Config{DSN: dsn})
		if err != nil || (pc.ConnConfig.ValidateConnect != nil) != want {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

// Another server, whose clock is behind, took over: leases are judged by the clock
// that they are written by.
func TestLeaseUnderAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	s.clock.NotBefore(time.Now().Add(time.Hour).UnixMicro())
	put(t, s, verify.Writes{Jobs: []jobs.New{{Kind: jobs.Step, Subject: "a", Due: time.Now().Add(-time.Second)}}})
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Lease(t.Context(), node, 0, 1)
	if err != nil || len(got) != 1 {
		t.Fatalf("leased %v, %v", got, err)
	}
	err = s.Do(t.Context(), verify.Op{Need: verify.Need{Lease: &got[0].Lease}, Plan: func(st verify.State) (verify.Writes, error) {
		if !st.Leased {
			return verify.Writes{}, jobs.ErrLeaseLost
		}
		return verify.Writes{Finish: &got[0].Lease}, nil
	}})
	if err != nil {
		t.Error(err)
	}
}

// An erasure reads a whole table: that takes longer than a request may.
func TestErasureMayTakeLong(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	x := sampleStart()
	put(t, s, verify.Writes{Verifications: []verify.Verification{x.V}})
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE verifications IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(readTimeout+time.Second, func() { _ = tx.Rollback(context.Background()) }).Stop()
	if got, err := s.Numbered(t.Context(), "", x.V.NumberIndex); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Error(err)
	}
}
