package app_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// approvals counts, by verification, how often a right code was told to be
// accepted.
type approvals struct {
	mu    sync.Mutex
	count map[string]int
}

// run gives the right code of every call to two nodes at once, until stop is
// called.
func (a *approvals) run(t *testing.T, x *xoxzotest.Server, l *load, nodes []*victim) (stop func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for seen := 0; ; {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			calls := x.Calls()
			for _, c := range calls[min(seen, len(calls)):] {
				l.mu.Lock()
				id := l.acknowledged[c.Recipient]
				l.mu.Unlock()
				if codes, err := script.ReadBack(c.Message, "en", 6); id != "" && err == nil && len(codes) > 0 {
					for _, v := range nodes {
						all.Go(func() { a.check(t, v, id, codes[0]) })
					}
				}
			}
			seen = len(calls)
		}
	})
	return func() { close(done); all.Wait() }
}

func (a *approvals) check(t *testing.T, v *victim, id, code string) {
	got, err := v.Check(t.Context(), id, client.CheckRequest{Code: client.Secret(code)})
	if err == nil && got.Valid {
		a.mu.Lock()
		a.count[id]++
		a.mu.Unlock()
	}
}

// PostgreSQL is killed again and again under load of two nodes: every
// acknowledged start is on record, no right code is accepted twice, what was told
// to be approved is, and no number is called twice.
func TestKillPostgres(t *testing.T) {
	t.Parallel()
	pgtest.Shared(t) // where there is no PostgreSQL, the test is skipped here
	cluster, err := pgtest.Start(pgtest.Config{Fsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	x := xoxzotest.New(t)
	x.SetCredits(1e9)
	x.ScriptCalls("", xoxzotest.Life{Statuses: []string{"ANSWERED"}})
	s := newShared(t, cluster)
	var nodes []*victim
	for range 2 {
		nodes = append(nodes, launch(t, s.folder(crashConfig(x)), x))
	}
	l, a := &load{acknowledged: map[string]string{}}, &approvals{count: map[string]int{}}
	var stops []func()
	for _, v := range nodes {
		stops = append(stops, l.run(t, v.Client))
	}
	stops = append(stops, a.run(t, x, l, nodes))
	for range 4 {
		l.more(20)
		time.Sleep(time.Duration(50+rand.IntN(350)) * time.Millisecond)
		s.ok(cluster.Kill())
		s.ok(cluster.Restart())
	}
	l.more(20)
	for _, stop := range stops {
		stop()
	}
	audit(t, nodes[0], x, l.acknowledged)
	approved := 0
	for id, n := range a.count {
		got, err := nodes[1].Get(t.Context(), id)
		s.ok(err)
		if n > 1 || got.Status != "approved" {
			t.Errorf("accepted %d times, and %s", n, got.Status)
		}
		approved += n
	}
	twice := len(s.rows(`SELECT verification, '' FROM attempts GROUP BY 1 HAVING count(*) > 1`)) > 0
	if twice || approved == 0 {
		t.Errorf("attempts made twice: %v; %d approvals", twice, approved)
	}
	t.Logf("%d starts acknowledged, %d approved", l.count(), approved)
}
