package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// with is a client of a node with another credential.
func (r *running) with(key client.Secret) *client.Client {
	r.t.Helper()
	c, err := client.New(client.Config{BaseURL: "http://" + r.main.Addr(), Key: key})
	r.ok(err)
	return c
}

// status is the HTTP status of a refusal; 0 for none.
func status(err error) int {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Whichever node is asked: the call is followed, told of and checked; keys,
// services and client tokens hold on all of them within 5 s.
func TestNodesAreOne(t *testing.T) {
	t.Parallel()
	s := newShared(t, pgtest.Shared(t))
	a := s.run(limitless, nil)
	b := s.run(limitless+"routes: [{carrier: sim, serve: false}]\n", nil) // calls are a's
	const to = "+818012345678"
	v := b.begin(client.StartRequest{To: to, Locale: "en", Gate: "any_key"})
	told := make(chan string, 100)
	go func() {
		defer close(told)
		for e, err := range b.with(client.Secret(v.ClientToken.Reveal())).Events(t.Context(), v.ID, 0) {
			if err == nil {
				told <- e.Type
			}
		}
	}()
	a.until(v.ID, "ringing", func(v client.Verification) bool { return v.Attempts[0].State == "ringing" })
	a.ok(a.Phone(to).Answer(t.Context()))
	a.ok(a.Phone(to).Press(t.Context(), "1"))
	var heard []string
	a.until(v.ID, "a readout", func(client.Verification) bool {
		p, err := a.Phone(to).State(t.Context())
		a.ok(err)
		heard = p.Heard
		return strings.Contains(strings.Join(heard, " "), "I repeat")
	})
	b.until(v.ID, "the end", attemptEnded)
	codes, err := script.ReadBack(strings.Join(heard, ". "), "en", 6)
	if err != nil || len(codes) == 0 {
		t.Fatalf("nothing read back: %v", err)
	}
	got, err := b.with(client.Secret(v.ClientToken.Reveal())).Check(t.Context(), v.ID, client.CheckRequest{Code: client.Secret(codes[0])})
	b.ok(err)
	if !got.Valid {
		t.Error("the right code is not approved on another node")
	}
	var types []string
	for e := range told {
		types = append(types, e)
	}
	want := []string{client.EventStarted, client.EventAttemptQueued, client.EventDialling, client.EventRinging, client.EventAnswered,
		client.EventGatePassed, client.EventAttemptEnded, client.EventVerificationEnded}
	if !slices.Equal(types, want) {
		t.Errorf("the stream on the other node told %q", types)
	}
	administered(t, a, b)
}

// A node starts although the jobs of a lost one cannot be freed just now, and frees
// them when they can be.
func TestTakeoverIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newShared(t, pgtest.Shared(t))
	conn, err := pgx.Connect(t.Context(), s.dsn())
	s.ok(err)
	defer conn.Close(context.Background())
	exec := func(sql string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql)
		s.ok(err)
	}
	exec(`INSERT INTO jobs (kind, subject, due_at, node, leases) VALUES ('deliver', 'x', 9000000000000000, 'lost', 1)`)
	exec(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not now''; END'`)
	exec(`CREATE TRIGGER fail BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION fail()`)
	r := s.run(limitless, nil)
	if log := r.log.String(); !strings.Contains(log, "jobs of lost nodes cannot be freed yet") {
		t.Errorf("the log says %s", log)
	}
	exec(`DROP TRIGGER fail ON jobs`)
	for end := time.Now().Add(20 * time.Second); len(s.rows(`SELECT id::text, '' FROM jobs WHERE node IS NOT NULL`)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the job was never freed")
		}
	}
}

// administered changes a key and a service on one node, and looks for them on the
// other.
func administered(t *testing.T, a, b *running) {
	t.Helper()
	made, err := a.NewKey(t.Context(), "till", "verify")
	a.ok(err)
	till := b.with(client.Secret(made.Secret.Reveal()))
	begin := func() (client.Verification, error) {
		return till.Start(t.Context(), client.StartRequest{To: "+14155550101", Channel: "sms"})
	}
	if _, err := begin(); err != nil {
		t.Errorf("the key of another node does not work: %v", err)
	}
	def, err := a.Service(t.Context(), "default")
	a.ok(err)
	def.Settings.MaxGuesses = 7
	_, err = a.SetService(t.Context(), "default", def.Settings)
	a.ok(err)
	since := time.Now()
	eventually(t, "the service's change", func() bool {
		v, err := begin()
		return err == nil && v.Remaining == 7
	})
	_, err = a.RevokeKey(t.Context(), made.ID)
	a.ok(err)
	eventually(t, "the revocation", func() bool { _, err := begin(); return status(err) == http.StatusUnauthorized })
	if took := time.Since(since); took > 5*time.Second {
		t.Errorf("a service and a key changed on the other node after %v", took)
	}
}

// Two nodes, each serving another route: calls are shared by weight, whoever was
// asked. What only a node that is gone serves goes over the other's route.
func TestNodesServeRoutes(t *testing.T) {
	t.Parallel()
	s := newShared(t, pgtest.Shared(t))
	east, west := xoxzotest.New(t), xoxzotest.New(t)
	node := func(here string, x *xoxzotest.Server) *running {
		var routes strings.Builder
		for name, server := range map[string]*xoxzotest.Server{"east": east, "west": west} {
			fmt.Fprintf(&routes, "- {carrier: xoxzo, name: %s, weight: 1, serve: %t, caller: \"815012345678\", base_url: %q}\n",
				name, name == here, server.URL)
		}
		return s.run("guard: {countries: [JP]}\nroutes:\n"+routes.String(),
			map[string]string{"XOXZO_API_SID": x.SID, "XOXZO_API_AUTH_TOKEN": x.AuthToken})
	}
	a, b := node("east", east), node("west", west)
	const calls = 16
	var ids []string
	began := time.Now()
	for i := range calls {
		v := []*running{a, b}[i%2].begin(client.StartRequest{To: fmt.Sprintf("+8180123456%02d", i), Locale: "en"})
		ids = append(ids, v.ID)
	}
	eventually(t, "the calls", func() bool { return len(east.Calls())+len(west.Calls()) == calls })
	t.Logf("%d calls were placed within %v", calls, time.Since(began).Round(time.Millisecond))
	for _, id := range ids {
		v := b.until(id, "the end", attemptEnded)
		if got := v.Attempts[0]; len(v.Attempts) != 1 || got.Outcome != "answered" {
			t.Errorf("%d attempts, %s: %s", len(v.Attempts), got.Outcome, got.Reason)
		}
	}
	if e, w := len(east.Calls()), len(west.Calls()); e == 0 || w == 0 || e+w != calls {
		t.Errorf("%d calls in the east, %d in the west, of %d", e, w, calls)
	}
	b.stop()
	before := len(east.Calls())
	for i := range 4 {
		a.begin(client.StartRequest{To: fmt.Sprintf("+8180123457%02d", i), Locale: "en"})
	}
	began = time.Now()
	eventually(t, "the other route's turn", func() bool { return len(east.Calls()) == before+4 })
	t.Logf("without the other node, calls were placed within %v", time.Since(began).Round(time.Millisecond))
}

// lostReason begins what an attempt says whose node died.
const lostReason = "the node that placed it was lost"

// lostWithin is how long after a node's death its calls are settled; what a busy
// machine may add is not the node's.
const (
	lostWithin = 10 * time.Second
	busy       = 5 * time.Second
)

// Three nodes with 102 calls between them; one is killed. Its calls are settled
// in time, no number is called twice, and who watches on another node sees it.
func TestNodeLost(t *testing.T) {
	t.Parallel()
	const calls = 102
	s, x := newShared(t, pgtest.Shared(t)), xoxzotest.New(t)
	x.SetCredits(1e9)
	// No answer comes while the calls are being placed: nobody knows whether the
	// phones ring.
	x.Fail(xoxzotest.OpPlayback, slices.Repeat([]xoxzotest.Fault{{Hang: true, Acts: true}}, calls+1)...)
	var nodes []*victim
	for range 3 {
		nodes = append(nodes, launch(t, s.folder(crashConfig(x)), x))
	}
	all := make([]client.Verification, calls)
	start := func(i int) { all[i] = nodes[i%3].start(fmt.Sprintf("+818012345%03d", i), "") }
	// One after the other, each is called by the node that was asked, but for those
	// that another's look comes upon: so every node has some. Of many at once one
	// node may take nearly all.
	const singly = 15
	for i := range singly {
		start(i)
		eventually(t, "a call", func() bool { return len(x.Calls()) == i+1 })
	}
	var starts sync.WaitGroup
	for i := singly; i < calls; i++ {
		starts.Go(func() { start(i) })
	}
	starts.Wait()
	eventually(t, "the calls", func() bool { return len(x.Calls()) == calls })
	held := map[string]string{} // node by attempt
	for _, row := range s.rows(`SELECT a.verification, coalesce(j.node, '') FROM jobs AS j JOIN attempts AS a ON a.id = j.subject`) {
		held[row[0]] = row[1]
	}
	ended := watch(t, nodes[1:], all)

	killed := time.Now()
	nodes[0].kill()
	alive := map[string]bool{}
	eventually(t, "the loss of a node", func() bool {
		clear(alive)
		for _, row := range s.rows(`SELECT id, '' FROM nodes`) {
			alive[row[0]] = true
		}
		return len(alive) == 2
	})
	eventually(t, "the end of its calls", func() bool {
		return !slices.ContainsFunc(s.rows(`SELECT verification, '' FROM attempts WHERE state <> 'ended'`), func(open [2]string) bool {
			return !alive[held[open[0]]]
		})
	})
	took := time.Since(killed)
	share := map[string]int{} // calls by node
	lost := 0
	for _, v := range all {
		id := v.ID
		share[held[id]]++
		if alive[held[id]] {
			continue
		}
		lost++
		got, err := nodes[1].Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if a := got.Attempts[0]; len(got.Attempts) != 1 || a.Outcome != "carrier_failed" || !strings.HasPrefix(a.Reason, lostReason) {
			t.Errorf("%d attempts, %s: %s", len(got.Attempts), a.Outcome, a.Reason)
		}
		if e := ended(id); e.Outcome != "carrier_failed" {
			t.Errorf("the stream told %q", e.Outcome)
		}
	}
	if n := s.rows(`SELECT count(*)::text, '' FROM attempts WHERE state = 'ended' AND NOT may_have_rung`)[0][0]; n != "0" {
		t.Errorf("of %s calls it is said that no phone rang", n)
	}
	called := map[string]int{}
	for _, c := range x.Calls() {
		if called[c.Recipient]++; called[c.Recipient] > 1 {
			t.Error("a number was called twice")
		}
	}
	t.Logf("%d of %d calls of the lost node settled %v after its death; by node %v", lost, calls, took.Round(10*time.Millisecond), share)
	if took > lostWithin+busy {
		t.Errorf("settled only after %v", took)
	}
	if len(share) != 3 || lost == 0 {
		t.Errorf("the work was not spread: %v", share)
	}
}

// watch follows verifications on several nodes, as their persons do, and gives the
// end of each one's attempt.
func watch(t *testing.T, nodes []*victim, all []client.Verification) func(id string) client.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ends := make(map[string]chan client.Event, len(all))
	var open sync.WaitGroup
	for i, v := range all {
		ch := make(chan client.Event, 1)
		ends[v.ID] = ch
		c, err := client.New(client.Config{BaseURL: nodes[i%len(nodes)].BaseURL(), Key: client.Secret(v.ClientToken.Reveal())})
		if err != nil {
			t.Fatal(err)
		}
		open.Add(1)
		go func() {
			begun := sync.OnceFunc(open.Done)
			defer begun()
			for e, err := range c.Events(ctx, v.ID, 0) {
				begun()
				if err != nil && ctx.Err() == nil {
					t.Errorf("a stream: %v", err)
				}
				if err == nil && e.Type == client.EventAttemptEnded {
					ch <- e
					return
				}
			}
		}()
	}
	open.Wait() // each has told something
	return func(id string) client.Event {
		select {
		case e := <-ends[id]:
			return e
		case <-time.After(30 * time.Second):
			t.Error("a stream does not go on")
			return client.Event{}
		}
	}
}
