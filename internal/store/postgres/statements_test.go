package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// parameters is how many a statement has.
func parameters(sql string) int {
	n := 0
	for strings.Contains(sql, fmt.Sprintf("$%d", n+1)) {
		n++
	}
	return n
}

// planOf prepares a statement by a name, and gives the lines of its plan.
func planOf(t *testing.T, conn *pgxpool.Conn, name, sql string) []string {
	t.Helper()
	if _, err := conn.Exec(t.Context(), "PREPARE "+name+" AS "+sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	args := ""
	if n := parameters(sql); n > 0 {
		args = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	rows, err := conn.Query(t.Context(), "EXPLAIN EXECUTE "+name+args, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return plan
}

// wholly says that a plan reads a table from end to end, by itself or by its primary
// key. (The nodes are few, and what a partial index holds is being worked on.)
func wholly(plan []string) bool {
	for i, line := range plan {
		found := i+1 < len(plan) && strings.Contains(plan[i+1], "Index Cond")
		if strings.Contains(line, "Seq Scan") && !strings.Contains(line, " on nodes") || strings.Contains(line, "_pkey on ") && !found {
			return true
		}
	}
	return false
}

// TestStatementsUseIndexes guards what keeps the cost of a statement from growing
// with what is stored: none reads a table from end to end, but for those that are
// named with the reason.
func TestStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	// A table is read whole only where there is no other way.
	for _, sql := range []string{"SET enable_seqscan = off", "SET plan_cache_mode = force_generic_plan"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const unindexed = `SELECT FROM verifications WHERE country = $1`
	whole := map[string]string{
		unindexed: "or else this test could not fail",
		reap:      "jobs are only what is in somebody's hands, and what waits; this is rare, and an index would cost every start",
		leaveNode: "the same",
		retire:    "the oldest, no more than are wanted",
	}
	for i, sql := range []string{
		unindexed, lockVerifications + inOrder, lockVerifications + orOfBinding + inOrder, readLimits, readTheirs, readOnce,
		sureMark, sureJobs, insertJobs, endVerifications, deliverAttempts, dialAttempts, queueAttempts, freeWritten, anyDue,
		readAttempts, lockLimits, lockAlso, lockOnce, lockJobs, countVerifications, dropJobs, finishJobs, freeLeases, setMark, fenceMark, endMark,
		selectVerification, selectAttempts, selectOwner, selectOwnerAttempts, selectToken, selectOverdue, selectStops, forgetLimits,
		forgetOnce, leaseJobs, selectNextDue, postponeJob, beatNode, leaveNode, selectNodes, reap, selectDepth, selectServices + " AND is_default",
		selectServices + " AND id = $2", selectKey + " WHERE id = $1", selectKey + " WHERE account = $1", selectInUse, selectEntries,
		deleteAttempts, deleteVerifications, deleteLimits, deleteKept, deleteJobs, selectFollowed, retire, selectStatistics, leaveHint, takeHints,
		selectOwners, selectOwnersAttempts, findAttempts, findLimits,
	} {
		plan := planOf(t, conn, fmt.Sprint("p", i), sql)
		if wholly(plan) != (whole[sql] != "") {
			t.Errorf("%s\nis carried out by\n%s", sql, strings.Join(plan, "\n"))
		}
	}
}

// A table that was filled at once, and has no statistics yet, is not read whole.
func TestReadsWithoutStatistics(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, sql := range []string{
		`ALTER TABLE attempts SET (autovacuum_enabled = off)`,
		`INSERT INTO attempts (` + attemptColumns + `) SELECT i::text, i::text, '', 0, 0, 0, '', '', '', '', '', '', false, '', false, '',
			false, NULL, false, 0, '', 0, 0, 0, 0, 0, 0 FROM generate_series(1, 50000) AS i`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for i := range 128 {
		ids = append(ids, fmt.Sprint(i*97))
	}
	rows, err := conn.Query(t.Context(), "EXPLAIN "+readAttempts, ids)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || strings.Contains(strings.Join(plan, ""), "Seq Scan") {
		t.Errorf("%s, %v", strings.Join(plan, "\n"), err)
	}
}

func TestKeyInUse(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	in := func(id string, want bool) {
		t.Helper()
		if got, err := s.KeyInUse(t.Context(), id); err != nil || got != want {
			t.Errorf("key %s in use: %v, %v", id, got, err)
		}
	}
	in("k1", false)
	x := sampleStart()
	x.V.Context = append(secret.KeyMark("k2"), "sealed"...)
	kept := verify.Kept{Key: []byte("key"), Account: "acc", Answer: append(secret.KeyMark("k33"), "sealed"...), KeepUntil: time.Now().Add(time.Hour)}
	put(t, s, verify.Writes{Verifications: []verify.Verification{x.V}, Once: &kept})
	for id, want := range map[string]bool{"k1": true, "k2": true, "k3": false, "k33": true, "k4": false} {
		in(id, want)
	}
}

// What only one process can do with a file of its own is done otherwise, or not.
func TestOfManyNodes(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	now := time.Now()
	put(t, stores[0], verify.Writes{Jobs: []jobs.New{
		{Kind: jobs.Step, Subject: "a", Due: now.Add(-time.Minute)}, {Kind: jobs.Step, Subject: "b", Due: now.Add(time.Hour)},
	}})
	ready, waiting, err := stores[1].Depth(t.Context())
	if err != nil || ready != 1 || waiting != 1 {
		t.Errorf("%d ready, %d waiting, %v", ready, waiting, err)
	}
	if n, err := stores[1].Newest(t.Context()); err != nil || n != 2 {
		t.Errorf("the newest is %d, %v", n, err)
	}
	node, err := stores[0].Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stores[0].Lease(t.Context(), node, 0, 9); err != nil || len(got) != 1 {
		t.Fatalf("leased %v, %v", got, err)
	}
	if n, err := stores[1].Takeover(t.Context()); err != nil || n != 0 {
		t.Errorf("took %d over from a living node, %v", n, err)
	}
	if err := stores[0].Backup(t.Context(), "x"); !errors.Is(err, ErrBackup) || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("a backup gave %v", err)
	}
}

// Many bindings share few locks only by chance, and one binding has one.
func TestLocks(t *testing.T) {
	t.Parallel()
	var n needs
	for i := range 1000 {
		n.bindings = append(n.bindings, fmt.Append(nil, "binding", i), fmt.Append(nil, "binding", i))
	}
	if got := len(n.locks()); got != 1000 {
		t.Errorf("%d locks for 1000 bindings", got)
	}
}

// A plan may be made while a table is empty, and kept until it is not: none reads an
// index from end to end, as would do no harm just then.
func TestPlansOfEmptyTables(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if !isOwn(conn.Conn()) {
		t.Fatal("the session is not its own")
	}
	if _, err := conn.Exec(t.Context(), "VACUUM verifications, attempts, limits, once, jobs", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	for i, sql := range []string{
		lockVerifications + inOrder, lockVerifications + orOfBinding + inOrder, readAttempts, readLimits, readTheirs, lockLimits, readOnce,
		findAttempts, findLimits, sureMark, sureJobs, insertJobs, countVerifications, endVerifications, deliverAttempts, dialAttempts, dropJobs, anyDue, leaseJobs,
	} {
		plan := planOf(t, conn, fmt.Sprint("p", i), sql)
		for n, line := range plan {
			scans := strings.Contains(line, "Scan using") || strings.Contains(line, "Seq Scan")
			if scans && (n+1 == len(plan) || !strings.Contains(plan[n+1], "Index Cond")) && !strings.Contains(line, " on nodes") {
				t.Errorf("%s\nis carried out by\n%s", sql, strings.Join(plan, "\n"))
				break
			}
		}
	}
}
