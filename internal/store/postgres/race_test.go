package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/store/storetest"
	"github.com/pincall/pincall/internal/verify"
)

// nodes opens stores over one database.
func nodes(t testing.TB, n int) []*Store {
	t.Helper()
	c := pgtest.Shared(t)
	dsn := c.DSN(c.Database(t, template()))
	out := make([]*Store, n)
	for i := range out {
		out[i] = openTest(t, Config{DSN: dsn})
	}
	return out
}

var errRefused = errors.New("refused by the plan")

// put writes, without reading anything.
func put(t testing.TB, s *Store, w verify.Writes) {
	t.Helper()
	if err := s.Do(t.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) { return w, nil }}); err != nil {
		t.Fatal(err)
	}
}

// putSure writes a verification with its account's row of counters: groups that
// work on it need not be careful then.
func putSure(t testing.TB, s *Store, v verify.Verification) {
	t.Helper()
	put(t, s, verify.Writes{
		Verifications: []verify.Verification{v}, Limits: map[string]verify.LimitRow{"a/" + v.Account: {Row: guard.Row{Open: 1}}},
	})
}

// atOnce carries out n operations at once, one node after the other, and counts
// those that succeeded and those that were refused.
func atOnce(t testing.TB, stores []*Store, n int, op func(i int) verify.Op) (done, refused int) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = stores[i%len(stores)].Do(context.Background(), op(i)) })
	}
	wg.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			done++
		case errors.Is(err, errRefused):
			refused++
		default:
			t.Error(err)
		}
	}
	return done, refused
}

// approve is the operation of a right guess.
func approve(v verify.Verification) verify.Op {
	return verify.Op{
		Need: verify.Need{Account: v.Account, Verification: v.ID, Limits: []string{"a/" + v.Account}},
		Plan: func(st verify.State) (verify.Writes, error) {
			w := *st.Verification
			if w.Status != verify.Pending {
				return verify.Writes{}, errRefused
			}
			w.Status, w.Sealed, w.TokenHash, w.EndedAt = verify.Approved, nil, nil, st.Now
			return verify.Writes{Verifications: []verify.Verification{w}}, nil
		},
	}
}

func TestGuessesFromTwoNodesAllCount(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	x := sampleStart()
	put(t, stores[0], verify.Writes{Verifications: []verify.Verification{x.V}})
	const rounds = 10
	for i := range rounds {
		if i == rounds/2 {
			putSure(t, stores[0], sampleStart().V) // whose account is the same
		}
		if done, _ := atOnce(t, stores, 64, func(int) verify.Op { return x.Check() }); done != 64 {
			t.Errorf("%d guesses of 64 were taken", done)
		}
	}
	st, err := stores[1].Read(t.Context(), x.V.Account, x.V.ID)
	if err != nil || st.Verification.Guesses != 64*rounds {
		t.Errorf("%d guesses were counted, want %d, %v", st.Verification.Guesses, 64*rounds, err)
	}
}

func TestOneApprovalFromTwoNodes(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	for i := range 200 {
		x := sampleStart()
		put(t, stores[0], verify.Writes{Verifications: []verify.Verification{x.V}})
		if i == 100 {
			putSure(t, stores[0], sampleStart().V)
		}
		if done, refused := atOnce(t, stores, 8, func(int) verify.Op { return approve(x.V) }); done != 1 || refused != 7 {
			t.Fatalf("%d approvals, %d refusals", done, refused)
		}
	}
}

// Of starts for one number at once each supersedes the one before, whether or not
// anything was there to lock.
func TestStartsFromTwoNodesSupersede(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	for round := range 40 {
		first := sampleStart()
		n := 2 + round%7
		all := make([]storetest.Sample, n)
		for i := range all {
			all[i] = sampleStart()
			all[i].V.Binding = first.V.Binding
			if round%2 == 0 { // otherwise nothing but the binding is shared
				all[i].V.LimitKey, all[i].V.Order = first.V.LimitKey, first.V.Order
			}
		}
		if done, _ := atOnce(t, stores, n, func(i int) verify.Op { return all[i].Start() }); done != n {
			t.Fatalf("%d starts of %d", done, n)
		}
		pending := 0
		for _, x := range all {
			st, err := stores[0].Read(t.Context(), x.V.Account, x.V.ID)
			if err != nil {
				t.Fatal(err)
			}
			if st.Verification.Status == verify.Pending {
				pending++
			}
		}
		if pending != 1 {
			t.Fatalf("round %d: %d of %d are pending", round, pending, n)
		}
	}
}

// Who has waited for the lock on a binding sees what its holder wrote, also in a
// database whose transactions see, unless told otherwise, only what was there when
// they began.
func TestStartSeesWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t, template())
	if err := c.Exec(t.Context(), "postgres", "ALTER DATABASE "+name+" SET default_transaction_isolation = 'repeatable read'"); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, Config{DSN: c.DSN(name)})
	first, second := sampleStart(), sampleStart()
	second.V.Binding = first.V.Binding
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), lockBindings, needs{bindings: [][]byte{first.V.Binding}}.locks()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Do(context.Background(), second.Start()) }()
	for waits := false; !waits; time.Sleep(10 * time.Millisecond) {
		err := s.pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "+
			"(SELECT oid FROM pg_database WHERE datname = current_database()))").Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
	args, err := bindVerifications([]verify.Verification{first.V})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), upsertVerifications, args...); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tx.Commit(t.Context()), <-done); err != nil {
		t.Fatal(err)
	}
	st, err := s.Read(t.Context(), first.V.Account, first.V.ID)
	if err != nil || st.Verification.Status != verify.Canceled {
		t.Errorf("the first is %s, %v", st.Verification.Status, err)
	}
}

// A row of counters that is not there is not made twice.
func TestLimitsAreExactAcrossNodes(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 3)
	limit := guard.Limit{N: 10, Window: time.Hour}
	for round := range 20 {
		key := fmt.Sprint("k", round)
		done, refused := atOnce(t, stores, 60, func(int) verify.Op {
			return verify.Op{Need: verify.Need{Account: "acc", Limits: []string{key}}, Plan: func(st verify.State) (verify.Writes, error) {
				w := st.Limits[key].Windows[guard.RuleStarts]
				if w.Used(st.Now, limit.Window) >= limit.N {
					return verify.Writes{}, errRefused
				}
				row := guard.Row{Windows: map[guard.Rule]guard.Window{guard.RuleStarts: w.Add(st.Now, limit.Window, 1)}}
				return verify.Writes{Limits: map[string]verify.LimitRow{key: {Row: row}}}, nil
			}}
		})
		if done != 10 || refused != 50 {
			t.Fatalf("%d allowed, %d refused", done, refused)
		}
	}
}

// Two requests with one Idempotency-Key at two nodes: one is carried out, the
// other is given its answer.
func TestOnceAcrossNodes(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	for round := range 40 {
		key := fmt.Append(nil, "key", round)
		done, refused := atOnce(t, stores, 6, func(int) verify.Op {
			x := sampleStart()
			return verify.Op{Need: verify.Need{Account: "acc", Once: key}, Plan: func(st verify.State) (verify.Writes, error) {
				if st.Once != nil {
					return verify.Writes{}, errRefused
				}
				k := verify.Kept{Key: key, Account: "acc", Answer: []byte("a"), KeepUntil: st.Now.Add(time.Hour), Verification: x.V.ID}
				return verify.Writes{Verifications: []verify.Verification{x.V}, Once: &k}, nil
			}}
		})
		if done != 1 || refused != 5 {
			t.Fatalf("%d carried out, %d told the answer", done, refused)
		}
	}
}

// Nodes that lease at once share the jobs, and of an order only one is in
// anybody's hands.
func TestLeasesAreFenced(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 3)
	const orders, each = 20, 5
	var w verify.Writes
	for i := range orders * each {
		w.Jobs = append(w.Jobs, jobs.New{Kind: jobs.Deliver, Subject: fmt.Sprint(i), Order: fmt.Append(nil, "order", i%orders), Due: time.Now()})
	}
	put(t, stores[0], w)
	var mu sync.Mutex
	busy, done := make(map[string]bool), 0 // by order
	var wg sync.WaitGroup
	for _, s := range stores {
		wg.Go(func() {
			node, err := s.Join(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
				got, err := s.Lease(t.Context(), node, 0, 3)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, j := range got {
					var i int
					_, _ = fmt.Sscan(j.Subject, &i)
					order := fmt.Sprint(i % orders)
					if busy[order] {
						t.Errorf("two jobs of one order were leased at once")
					}
					busy[order] = true
				}
				mu.Unlock()
				for _, j := range got {
					mu.Lock()
					var i int
					_, _ = fmt.Sscan(j.Subject, &i)
					busy[fmt.Sprint(i%orders)] = false
					done++
					mu.Unlock()
					put(t, s, verify.Writes{Finish: &j.Lease})
				}
				mu.Lock()
				over := done == orders*each
				mu.Unlock()
				if over {
					return
				}
			}
		})
	}
	wg.Wait()
	if done != orders*each {
		t.Errorf("%d jobs of %d were done", done, orders*each)
	}
}

// A node that leases in the moment in which it is declared dead: its job comes
// back all the same.
func TestJobOfMissingNodeComesBack(t *testing.T) {
	t.Parallel()
	s := nodes(t, 1)[0]
	put(t, s, verify.Writes{Jobs: []jobs.New{{Kind: jobs.Step, Subject: "a", Due: time.Now().Add(-time.Second)}}})
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lease(t.Context(), node, 0, 1); err != nil || len(got) != 1 {
		t.Fatalf("leased %v, %v", got, err)
	}
	if _, err := s.pool.Exec(t.Context(), "DELETE FROM nodes"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Reap(t.Context()); n != 1 || err != nil {
		t.Errorf("freed %d, %v", n, err)
	}
}
