package postgres

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/verify"
)

// What a proxy does with a COMMIT that follows a write.
const (
	pass    int32 = iota
	swallow       // the connection is lost before the server gets it
	forget        // the server carries it out, the answer is lost
	isolate       // as forget, and nobody can connect from then on
)

// proxy stands between a store and the server, to lose the connection at the
// worst moment. Safe for concurrent use.
type proxy struct {
	dir    string
	server string
	next   atomic.Int32 // what happens to the next COMMIT
	away   atomic.Bool
	lost   atomic.Int32
}

const socket = ".s.PGSQL.5432"

func startProxy(t *testing.T, c *pgtest.Cluster) *proxy {
	t.Helper()
	host, _, _ := strings.Cut(strings.TrimPrefix(c.DSN(""), "host="), " ")
	p := &proxy{dir: t.TempDir(), server: filepath.Join(host, socket)}
	l, err := net.Listen("unix", filepath.Join(p.dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	if p.away.Load() {
		return
	}
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool
	answered := make(chan struct{})
	go func() { // ends with either
		defer client.Close()
		buf := make([]byte, 1<<20)
		for told := false; ; {
			n, err := server.Read(buf)
			switch {
			case err != nil:
				return
			case !mute.Load():
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			case !told:
				told = true
				close(answered)
			}
		}
	}()
	buf := make([]byte, 1<<20)
	wrote := false
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		wrote = wrote || bytes.Contains(buf[:n], []byte("UPDATE commits"))
		commits := bytes.Contains(buf[:n], []byte("COMMIT\x00"))
		if how := p.next.Load(); commits && wrote && how != pass && p.next.CompareAndSwap(how, pass) {
			p.lose(how, client, func() {
				mute.Store(true)
				_, _ = server.Write(buf[:n])
				select { // the server has carried it out
				case <-answered:
				case <-time.After(time.Second):
				}
			})
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// lose ends a connection.
func (p *proxy) lose(how int32, client net.Conn, deliver func()) {
	p.lost.Add(1)
	p.away.Store(how == isolate)
	if how == swallow {
		return
	}
	deliver()
	client.Close()
}

func openBehind(t *testing.T) (*Store, *proxy) {
	t.Helper()
	c := pgtest.Shared(t)
	p := startProxy(t, c)
	dsn := fmt.Sprintf("host=%s user=pincall dbname=%s sslmode=disable default_query_exec_mode=cache_describe", p.dir, c.Database(t, template()))
	return openTest(t, Config{DSN: dsn, Writers: 1}), p
}

// Whether the commit was carried out or not before the connection was lost: the
// guess counts once, and its caller is told so.
func TestLostCommitIsFoundOut(t *testing.T) {
	t.Parallel()
	s, p := openBehind(t)
	x := sampleStart()
	put(t, s, verify.Writes{Verifications: []verify.Verification{x.V}})
	guesses := 0
	for i := range 5 {
		if i == 2 {
			putSure(t, s, sampleStart().V) // of the same account: from here on no group is careful
		}
		for _, how := range []int32{swallow, forget} {
			p.next.Store(how)
			if err := s.Do(t.Context(), x.Check()); err != nil {
				t.Fatalf("when it was lost like %d: %v", how, err)
			}
			guesses++
		}
	}
	if n := p.lost.Load(); n != 10 {
		t.Errorf("%d connections were lost", n)
	}
	st, err := s.Read(t.Context(), x.V.Account, x.V.ID)
	if err != nil || st.Verification.Guesses != guesses {
		t.Errorf("%d guesses were counted of %d, %v", st.Verification.Guesses, guesses, err)
	}
}

// Where it cannot be found out, nobody is told that it was done, whether the group
// was careful or not.
func TestUnknownCommitIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, careful := range []bool{true, false} {
		s, p := openBehind(t)
		x := sampleStart()
		put(t, s, verify.Writes{Verifications: []verify.Verification{x.V}})
		op := approve(x.V)
		if careful {
			op.Need.Limits = nil // not its account's row either
		} else {
			other := sampleStart().V
			putSure(t, s, other)
			if err := s.Do(t.Context(), approve(other)); err != nil { // the statements are known to the connection
				t.Fatal(err)
			}
		}
		if s.union([]verify.Op{op}).careful != careful {
			t.Fatalf("the group is not careful: %v", careful)
		}
		p.next.Store(isolate)
		if err := s.Do(t.Context(), op); !isUnavailable(err) {
			t.Errorf("careful %v: the approval gave %v", careful, err)
		}
		p.away.Store(false)
		st, err := s.Read(t.Context(), x.V.Account, x.V.ID)
		if err != nil || st.Verification.Status != verify.Approved {
			t.Fatalf("careful %v: it is %s, %v: the test lost it too early", careful, st.Verification.Status, err)
		}
	}
}

// Jobs that were leased by a commit whose answer was lost are not left with a node
// that does not know of them.
func TestLostLeaseIsGivenBack(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	put(t, s, verify.Writes{Jobs: []jobs.New{{Kind: jobs.Step, Subject: "a", Due: time.Now().Add(-time.Second)}}})
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Lease(t.Context(), node, 0, 1)
	if err != nil || len(got) != 1 {
		t.Fatalf("leased %v, %v", got, err)
	}
	s.unsure.addLeases([]jobs.Lease{got[0].Lease, {Job: 99, Node: node, N: 1}})
	again, err := s.Lease(t.Context(), node, 0, 1)
	if err != nil || len(again) != 1 || again[0].Lease.N != 2 {
		t.Errorf("leased %v, %v; want the same job anew", again, err)
	}
}

// A writer whose row was taken for that of a process that is no more goes on.
func TestForgottenMark(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	if _, err := s.pool.Exec(t.Context(), "DELETE FROM commits"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := s.Do(t.Context(), sampleStart().Start()); err != nil {
			t.Fatal(err)
		}
	}
}

// Finding out needs a connection: the one that was lost may have been the only one.
func TestLostCommitIsFoundOutWithOneConnection(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	p := startProxy(t, c)
	dsn := fmt.Sprintf("host=%s user=pincall dbname=%s sslmode=disable default_query_exec_mode=cache_describe", p.dir, c.Database(t, template()))
	s := openTest(t, Config{DSN: dsn, Writers: 1, MaxConns: 1})
	x := sampleStart()
	put(t, s, verify.Writes{Verifications: []verify.Verification{x.V}})
	for _, how := range []int32{swallow, forget} {
		p.next.Store(how)
		if err := s.Do(t.Context(), x.Check()); err != nil {
			t.Errorf("when it was lost like %d: %v", how, err)
		}
	}
	if _, err := s.pool.Exec(t.Context(), "DELETE FROM commits"); err != nil {
		t.Fatal(err)
	}
	if err := s.Do(t.Context(), x.Check()); err != nil {
		t.Errorf("without a mark: %v", err)
	}
}

// After a switch connections to the old server may be left, which can only be read.
func TestLostCommitIsFoundOutAfterASwitch(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{Writers: 1, MaxConns: 1})
	if _, err := s.pool.Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	m := <-s.marks
	defer func() { s.marks <- m }()
	if done, err := s.committed(m); err != nil || !done {
		t.Errorf("%v, %v", done, err)
	}
}

// keeper takes what is handed over, and works on nothing. Safe for concurrent use.
type keeper struct {
	node string
	mu   sync.Mutex
	kept int // places
	got  []jobs.Job
}

// Reserve is of jobs.Taker.
func (k *keeper) Reserve(n int) (string, int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept += n
	return k.node, n
}

// Take is of jobs.Taker.
func (k *keeper) Take(leased []jobs.Job, unused int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept -= len(leased) + unused
	k.got = append(k.got, leased...)
}

// A job that was leased by a commit whose answer was lost is not handed over: it is
// leased anew, whether the group was careful or not.
func TestLostHandoverIsGivenBack(t *testing.T) {
	t.Parallel()
	s, p := openBehind(t)
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{node: node}
	s.Offer(k)
	for _, how := range []int32{forget, swallow, pass, forget, swallow} { // the first group is a careful one
		p.next.Store(how)
		x, handed := sampleStart(), len(k.got)
		if err := s.Do(t.Context(), x.Start()); err != nil {
			t.Fatal(err)
		}
		got, err := s.Lease(t.Context(), node, 0, 9)
		if err != nil || k.kept != 0 {
			t.Fatalf("%d places are kept, %v", k.kept, err)
		}
		switch {
		case how == forget && (len(k.got) > handed || len(got) != 1 || got[0].Subject != x.A.ID || got[0].Lease.N != 1):
			t.Errorf("handed over %v, leased %v; want the same job anew", k.got[handed:], got)
		case how != forget && (len(k.got) != handed+1 || k.got[handed].Subject != x.A.ID || len(got) > 0):
			t.Errorf("handed over %v, leased %v", k.got[handed:], got)
		}
	}
}
