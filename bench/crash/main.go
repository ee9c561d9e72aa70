// Command crash kills the server, or PostgreSQL below it, again and again under a
// load of starts and checks, starts it again, goes on, and then audits what the
// program says, what the carrier recorded and what the database holds. Run it with
//
//	make bench-crash [KILLS=10] [DB=sqlite|postgres] [KILL=server|node|postgres|upgrade OLD=REVISION] [CLIENTS=32] [NODES=2]
//
// Every request carries an Idempotency-Key and is repeated with it until it is
// answered, as a careful client does. So each number is started once and may be
// called at most once, each guess counts exactly once, and of several right
// answers at the same moment one approves. KILL=node kills one of NODES servers on
// one PostgreSQL database, and the clients go on at the others; KILL=upgrade does,
// too, where all of them begin with the program of an earlier revision (OLD, as git
// names it) and its schema: the schema is brought up to date beside them, and from
// then on whoever was killed comes back with either program. The exit status is 1
// unless nothing was lost and nothing happened twice.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/pincall/pincall/bench/internal/api"
	"github.com/pincall/pincall/bench/internal/pg"
	"github.com/pincall/pincall/bench/internal/recorder"
	"github.com/pincall/pincall/bench/internal/server"
	"github.com/pincall/pincall/bench/internal/settings"
	"github.com/pincall/pincall/bench/internal/stored"
)

// A kill comes at a moment that is equally likely anywhere between these, counted
// from when the server takes requests.
const (
	earliest = 50 * time.Millisecond
	latest   = 1500 * time.Millisecond
)

// settle is how long answers may take to arrive that were decided before a kill.
const settle = 50 * time.Millisecond

// drainWait is how long the calls may take to end after the last kill.
const drainWait = 2 * time.Minute

func main() {
	kills := settings.Number("KILLS", 10)
	ctx, cancel := settings.Context(10*time.Minute + time.Duration(kills)*30*time.Second)
	defer cancel()
	ok, err := run(ctx, kills)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-crash:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// scene is everything that takes part.
type scene struct {
	rec     *recorder.Recorder
	servers []*server.Server // one, or the nodes of a database
	cluster *pg.Cluster      // nil: SQLite
	apis    []*api.Client    // of each server
	clients int
	upgrade *upgrade // nil: all servers run one program
}

// api gives the client of any server, as a load balancer would.
func (s *scene) api() *api.Client { return s.apis[rand.IntN(len(s.apis))] }

// drain waits until no server has anything left to deliver.
func (s *scene) drain(ctx context.Context) error {
	for _, one := range s.servers {
		if err := one.Drain(ctx, drainWait); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, kills int) (ok bool, err error) {
	s := &scene{clients: settings.Number("CLIENTS", 32)}
	defer func() { err = errors.Join(err, s.close()) }()
	victim, nodes := settings.Word("KILL", "server"), 1
	switch victim {
	case "server", "postgres":
	case "node", "upgrade":
		nodes = settings.Number("NODES", 2)
	default:
		return false, errors.New("KILL: choose server, node, postgres or upgrade")
	}
	if victim == "upgrade" {
		if s.upgrade, err = newUpgrade(ctx, os.Getenv("OLD")); err != nil {
			return false, err
		}
	}
	if err := s.setUp(ctx, nodes, settings.Word("DB", "sqlite") == "postgres" || victim != "server"); err != nil {
		return false, err
	}
	l, began := newLoad(s), time.Now()
	var away []time.Duration
	for n := range kills {
		d, err := s.round(ctx, l, n, victim)
		if err != nil {
			return false, fmt.Errorf("kill %d: %w", n+1, err)
		}
		away = append(away, d)
	}
	if err := l.finish(ctx); err != nil {
		return false, err
	}
	a := l.audit(ctx)
	if s.cluster == nil {
		if err := s.servers[0].Stop(); err != nil {
			return false, err
		}
		if err := stored.Check(ctx, s.servers[0].Dir); err != nil {
			return false, err
		}
	}
	a.report(report{kills: kills, victim: victim, postgres: s.cluster != nil, took: time.Since(began), away: away})
	return a.clean(), nil
}

func (s *scene) setUp(ctx context.Context, nodes int, postgres bool) (err error) {
	if s.rec, err = recorder.New(); err != nil {
		return err
	}
	cfg := server.Config{Carrier: s.rec.URL}
	if s.upgrade != nil {
		cfg.Bin = s.upgrade.old
	}
	if postgres {
		if s.cluster, err = pg.Start(); err != nil {
			return err
		}
		cfg.Database = s.cluster.URL()
	}
	for range nodes {
		one, err := server.New(ctx, cfg)
		if err != nil {
			return err
		}
		s.servers = append(s.servers, one)
		s.apis = append(s.apis, api.New(one.URL, one.Key, 4*s.clients))
		if _, err := one.Run(ctx); err != nil {
			return err
		}
		cfg.Beside = s.servers[0]
	}
	return nil
}

func (s *scene) close() error {
	for _, one := range s.servers {
		one.Close()
	}
	if s.rec != nil {
		s.rec.Close()
	}
	if s.upgrade != nil {
		s.upgrade.close()
	}
	if s.cluster != nil {
		return s.cluster.Close()
	}
	return nil
}

// round loads the servers, kills the victim at some moment, starts it again, and
// says for how long no client got an answer. Clients go on through it all.
func (s *scene) round(ctx context.Context, l *running, n int, victim string) (time.Duration, error) {
	stop := l.begin(ctx, true)
	defer stop()
	if err := l.answer(ctx); err != nil {
		return 0, err
	}
	time.Sleep(earliest + rand.N(latest-earliest))
	killed := time.Now()
	again, err := s.strike(n, victim)
	if err != nil {
		return 0, err
	}
	var away time.Duration
	var silent error
	var watch sync.WaitGroup
	watch.Go(func() {
		if victim == "postgres" { // what was committed may still be on its way
			time.Sleep(settle)
		}
		silent = l.answer(ctx)
		away = time.Since(killed)
	})
	err = again(ctx)
	watch.Wait()
	return away, errors.Join(err, silent)
}

// strike kills the victim and gives what starts it again.
func (s *scene) strike(n int, victim string) (again func(context.Context) error, err error) {
	if victim == "postgres" {
		return func(context.Context) error { return s.cluster.Revive() }, s.cluster.Crash(n%2 == 0)
	}
	one := s.servers[rand.IntN(len(s.servers))]
	one.Kill()
	return func(ctx context.Context) error {
		if s.upgrade != nil {
			if err := s.upgrade.change(ctx, one); err != nil {
				return err
			}
		}
		_, err := one.Run(ctx)
		return err
	}, nil
}
