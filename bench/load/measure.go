package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pincall/pincall/bench/internal/api"
	"github.com/pincall/pincall/bench/internal/echo"
	"github.com/pincall/pincall/bench/internal/load"
	"github.com/pincall/pincall/bench/internal/pg"
	"github.com/pincall/pincall/bench/internal/recorder"
	"github.com/pincall/pincall/bench/internal/recording"
	"github.com/pincall/pincall/bench/internal/server"
	"github.com/pincall/pincall/bench/internal/stored"
)

// slices is into how many parts each phase is cut; the parts of the yardstick and
// of the server take turns, so that a machine that slows down slows both.
const slices = 2

// Waits that are not measured.
const (
	drainWait = 3 * time.Minute
	oneWait   = 20 * time.Second
)

// figures of one database.
type figures struct {
	stored       int
	echo, echoed load.Result // the yardstick's answers to starts and to checks
	starts       load.Result
	checks       load.Result
	delivered    int           // calls and messages that the carrier took
	drained      time.Duration // from the first start until nothing was left to deliver
	server, db   spent
	own          spent         // the generator's
	filled       time.Duration // how long filling the database took
}

// spent is processor time.
type spent struct {
	echoing    time.Duration // while the yardstick was asked for starts
	starting   time.Duration // while starts were sent
	delivering time.Duration // until all of them were delivered
	checking   time.Duration
}

// carrier is what the server's calls and messages go to.
type carrier interface {
	Code(to string) (string, bool)
	Placed() (all, repeats int)
	Close()
}

// bench is one database with all around it.
type bench struct {
	plan
	carrier
	server  *server.Server
	cluster *pg.Cluster // nil: SQLite
	yard    *echo.Yardstick
	api     *api.Client

	next  atomic.Int64 // numbers given out
	mu    sync.Mutex
	begun []started // not yet checked
}

// started is what is kept of a start.
type started struct{ id, to string }

// measure sets everything up, fills the database and takes the figures.
func measure(ctx context.Context, p plan, n int) (f figures, err error) {
	b := &bench{plan: p}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.setUp(ctx); err != nil {
		return f, err
	}
	f.stored = n
	if n > 0 {
		began := time.Now()
		if err := b.fill(ctx, n); err != nil {
			return f, err
		}
		f.filled = time.Since(began)
	}
	if err := b.warm(ctx); err != nil {
		return f, err
	}
	for range slices {
		if err := b.slice(ctx, &f); err != nil {
			return f, err
		}
	}
	placed, repeats := b.Placed()
	if repeats > 0 {
		return f, fmt.Errorf("%d of %d numbers were called twice", repeats, placed)
	}
	return f, errors.Join(f.echo.Err("requests of the yardstick"), f.echoed.Err("requests of the yardstick"), f.starts.Err("starts"), f.checks.Err("checks"))
}

func (b *bench) setUp(ctx context.Context) (err error) {
	cfg, err := b.takeCalls()
	if err != nil {
		return err
	}
	if b.postgres {
		if b.cluster, err = pg.Start(); err != nil {
			return err
		}
		cfg.Database = b.cluster.URL()
	}
	if b.yard, err = echo.Start(ctx); err != nil {
		return err
	}
	if b.server, err = server.New(ctx, cfg); err != nil {
		return err
	}
	b.api = api.New(b.server.URL, b.server.Key, b.gen.Clients)
	_, err = b.server.Run(ctx)
	return err
}

// takeCalls makes the carrier, and says how the server comes to it.
func (b *bench) takeCalls() (server.Config, error) {
	if b.http {
		r, err := recorder.New()
		if err != nil {
			return server.Config{}, err
		}
		b.carrier = r
		return server.Config{Carrier: r.URL}, nil
	}
	s, err := recording.New()
	if err != nil {
		return server.Config{}, err
	}
	b.carrier = s
	command, err := s.Command()
	return server.Config{Command: command}, err
}

func (b *bench) close() error {
	if b.server != nil {
		b.server.Close()
	}
	if b.yard != nil {
		b.yard.Stop()
	}
	if b.carrier != nil {
		b.carrier.Close()
	}
	if b.cluster != nil {
		return b.cluster.Close()
	}
	return nil
}

// fill finishes one verification and has it copied, while no server runs.
func (b *bench) fill(ctx context.Context, n int) error {
	if err := b.finishOne(ctx); err != nil {
		return err
	}
	if err := b.server.Stop(); err != nil {
		return err
	}
	var err error
	if b.postgres {
		err = stored.Postgres(ctx, b.cluster.URL(), n)
	} else {
		err = stored.SQLite(ctx, b.server.Dir, n)
	}
	if err != nil {
		return err
	}
	_, err = b.server.Run(ctx)
	return err
}

// finishOne starts a verification and approves it.
func (b *bench) finishOne(ctx context.Context) error {
	to := api.Number(int(b.next.Add(1)))
	v, _, err := b.api.Start(ctx, api.Body(to, b.channel), "")
	if err != nil {
		return fmt.Errorf("the first start: %w", err)
	}
	if err := b.server.Drain(ctx, oneWait); err != nil {
		return err
	}
	code, ok := b.Code(to)
	if !ok || code == "" {
		return errors.New("the first call did not reach the carrier")
	}
	if c, _, err := b.api.Check(ctx, v.ID, code, ""); err != nil || !c.Valid {
		return fmt.Errorf("the first check did not approve: %w", err)
	}
	return nil
}

// warm lets both sides run in for a moment: caches, connections, the heap's size.
func (b *bench) warm(ctx context.Context) error {
	b.gen.Run(ctx, time.Second, b.startAt(b.yard.URL, false))
	r := b.gen.Run(ctx, time.Second, b.startAt(b.server.URL, false))
	return errors.Join(r.Err("first starts"), b.server.Drain(ctx, drainWait))
}

// slice measures a part of every phase.
func (b *bench) slice(ctx context.Context, f *figures) error {
	part := b.each / slices
	ownWas := own()
	f.echo.Add(b.gen.Run(ctx, part, b.startAt(b.yard.URL, false)))
	f.own.echoing += own() - ownWas
	ownWas = own()

	serverWas, dbWas, began := b.server.CPU(), b.dbCPU(), time.Now()
	placedWas, _ := b.Placed()
	f.starts.Add(b.gen.Run(ctx, part, b.startAt(b.server.URL, true)))
	f.own.starting += own() - ownWas
	f.server.starting += b.server.CPU() - serverWas
	f.db.starting += b.dbCPU() - dbWas
	if err := b.server.Drain(ctx, drainWait); err != nil {
		return err
	}
	f.drained += time.Since(began)
	placed, _ := b.Placed()
	f.delivered += placed - placedWas
	f.server.delivering += b.server.CPU() - serverWas
	f.db.delivering += b.dbCPU() - dbWas

	f.echoed.Add(b.gen.Run(ctx, part, b.checkAtYard()))
	ownWas = own()
	serverWas, dbWas = b.server.CPU(), b.dbCPU()
	f.checks.Add(b.gen.Run(ctx, part, b.guesses()))
	f.own.checking += own() - ownWas
	f.server.checking += b.server.CPU() - serverWas
	f.db.checking += b.dbCPU() - dbWas
	return nil
}

// own is what the generator has used.
func own() time.Duration { return server.CPUOf(os.Getpid()) }

func (b *bench) dbCPU() time.Duration {
	if b.cluster == nil {
		return 0
	}
	return b.cluster.CPU()
}

// startAt gives starts of new numbers, and keeps what is to be checked.
func (b *bench) startAt(url string, keep bool) func(int, int) (load.Request, bool) {
	return func(int, int) (load.Request, bool) {
		n := int(b.next.Add(1))
		to := api.Number(n)
		r := load.Request{Method: http.MethodPost, URL: url + "/v1/verifications", Body: api.Body(to, b.channel), Key: b.server.Key, Want: http.StatusCreated}
		if b.once {
			r.Once = fmt.Sprintf("start-%012d", n)
		}
		if keep {
			r.Read = func(body []byte) { b.keep(to, body) }
		}
		return r, true
	}
}

// beforeID is what an answer has before the id, which it begins with.
var beforeID = []byte(`{"id":"`)

func (b *bench) keep(to string, body []byte) {
	rest, ok := bytes.CutPrefix(body, beforeID)
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return // a start without an id is missed by the checks
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun = append(b.begun, started{string(rest[:end]), to})
}

// take gives one that nobody has checked.
func (b *bench) take() (started, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.begun) == 0 {
		return started{}, false
	}
	v := b.begun[len(b.begun)-1]
	b.begun = b.begun[:len(b.begun)-1]
	return v, true
}

func checkBody(code string) []byte { return fmt.Appendf(nil, `{"code":%q}`, code) }

// checkAtYard asks the yardstick what the server is asked next.
func (b *bench) checkAtYard() func(int, int) (load.Request, bool) {
	return func(int, int) (load.Request, bool) {
		return load.Request{Method: http.MethodPost, URL: b.yard.URL + "/v1/verifications/01jd5x7k3v9q2m4n6p8r0s1t2v/check", Body: checkBody("123456"),
			Key: b.server.Key, Want: http.StatusOK}, true
	}
}

// guesses has every client send a wrong code of a verification, and then its right
// one, until the time or the verifications are used up.
func (b *bench) guesses() func(int, int) (load.Request, bool) {
	now := make([]started, b.gen.Clients) // each client's own
	return func(client, n int) (load.Request, bool) {
		if n%2 == 0 {
			var ok bool
			if now[client], ok = b.take(); !ok {
				return load.Request{}, false
			}
		}
		code, _ := b.Code(now[client].to)
		if code == "" {
			code = "000000" // never told: the check shows it
		}
		if n%2 == 0 {
			code = api.Wrong(code)
		}
		return load.Request{Method: http.MethodPost, URL: b.server.URL + "/v1/verifications/" + now[client].id + "/check", Body: checkBody(code),
			Key: b.server.Key, Want: http.StatusOK}, true
	}
}
