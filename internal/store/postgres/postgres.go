// Package postgres keeps everything in a PostgreSQL database that several nodes
// share: verifications, the queue and the accounts. It knows its statements, what
// is locked in which order, what is durable when and what can be tried again; the
// rules are in the plans it is given. The database's clock decides, never a
// node's.
//
// PostgreSQL 14 and newer. Nothing here needs a session: no LISTEN, no session's
// locks, and what a session keeps only saves time. So PgBouncer may stand between
// in transaction mode; where nothing does, statements are prepared once a
// connection, which saves the database the planning. (With PgBouncer 1.21 and
// max_prepared_statements, default_query_exec_mode=cache_statement in the DSN
// does the same.)
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// Config of a Store.
type Config struct {
	// DSN names the database, as libpq does: a URL or key=value pairs. It holds a
	// password and is never told. Where it names several servers and says no
	// target_session_attrs, the one that can be written to is used. Required.
	DSN string
	// MaxConns bounds the connections of this process, DefaultMaxConns. The DSN's
	// pool_max_conns wins.
	MaxConns int
	// Writers is how many groups of operations may be in hand at once. Those that
	// work on one account wait for each other: more than one is for many accounts and
	// a database that takes long to commit. DefaultWriters.
	Writers int
	// Group bounds how many operations share a transaction, DefaultGroup. While both
	// wait, two thirds of it are for deliveries and one for requests.
	Group int
	// KeyCheck is the check value of the keyring. The first one is kept with the
	// database, and a different one is refused. Empty: not checked.
	KeyCheck string
	Now      func() time.Time // for tests: instead of the database's clock
}

// Defaults of a Config.
const (
	DefaultMaxConns = 16
	DefaultWriters  = 1
	DefaultGroup    = 192
)

// Store is a verify.Store, a jobs.Queue and an account.Store. Safe for
// concurrent use.
type Store struct {
	cfg       Config
	pool      *pgxpool.Pool
	sessions  *sessions
	clock     *store.Clock
	writer    *store.Writer[verify.Op]
	marks     chan *mark // one for each writer that is not at work
	settings  settings
	unsure    unsure
	taker     taker
	recent    recent
	limitKeys limitKeys
	census    census
	health    health
	done      chan struct{} // closed by Close
	closing   sync.Once
}

var (
	_ verify.Store  = (*Store)(nil)
	_ jobs.Queue    = (*Store)(nil)
	_ account.Store = (*Store)(nil)
)

// now is the time in a statement whose $1 is Store.at: the database's, as the
// statement began, so that an index can be searched with it.
const now = `coalesce($1::bigint, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)`

// at is NULL, or the time by a test's clock.
func (s *Store) at() *int64 {
	if s.cfg.Now == nil {
		return nil
	}
	t := s.clock.Micros()
	return &t
}

// time turns a reading of the database's clock into this store's time, which does
// not go back.
func (s *Store) time(micros int64) int64 {
	if s.cfg.Now != nil {
		return s.clock.Micros()
	}
	return s.clock.NotBefore(micros)
}

// Open opens a database whose schema is what the program needs, or newer and
// compatible. ErrOldSchema; ErrNewSchema; store.ErrWrongKeys.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, cfg Config) (*Store, error) {
	all, err := steps(migrations)
	if err != nil {
		return nil, err
	}
	return openAt(ctx, cfg, len(all))
}

// openAt is open for a program that knows so many steps of the schema.
func openAt(ctx context.Context, cfg Config, known int) (*Store, error) {
	if cfg.Writers <= 0 {
		cfg.Writers = DefaultWriters
	}
	if cfg.Group <= 0 {
		cfg.Group = DefaultGroup
	}
	pc, modes, err := poolConfig(cfg)
	if err != nil {
		return nil, err
	}
	modes.apply(pc)
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, pool: pool, sessions: modes, clock: store.NewClock(cfg.Now), marks: make(chan *mark, cfg.Writers), done: make(chan struct{}),
	}
	err = s.prepare(ctx, known)
	if errors.Is(err, errShared) { // which is found out by the first connection
		err = s.prepare(ctx, known)
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	s.writer = store.NewWriters(cfg.Writers, store.Size{Group: cfg.Group, Work: max(cfg.Group*2/3, 1)}, s.apply)
	return s, nil
}

func (s *Store) prepare(ctx context.Context, known int) error {
	if err := fits(ctx, s.pool, known); err != nil {
		return err
	}
	if err := s.checkKeys(ctx); err != nil {
		return err
	}
	for range cap(s.marks) {
		m := &mark{writer: rand.Text()}
		if err := s.newMark(ctx, m); err != nil {
			return err
		}
		s.marks <- m
	}
	return nil
}

// checkKeys keeps the keyring's check value, and refuses another one.
func (s *Store) checkKeys(ctx context.Context) error {
	if s.cfg.KeyCheck == "" {
		return nil
	}
	const selectCheck = "SELECT value FROM meta WHERE name = 'key_check'"
	kept := ""
	err := s.pool.QueryRow(ctx, selectCheck).Scan(&kept)
	if isNone(err) {
		if _, err := s.pool.Exec(ctx, "INSERT INTO meta (name, value) VALUES ('key_check', $1) ON CONFLICT DO NOTHING", s.cfg.KeyCheck); err != nil {
			return err
		}
		err = s.pool.QueryRow(ctx, selectCheck).Scan(&kept) // another node may have been first
	}
	if err == nil && kept != s.cfg.KeyCheck {
		err = store.ErrWrongKeys
	}
	return err
}

// poolConfig reads the DSN. What it says wins.
func poolConfig(cfg Config) (*pgxpool.Config, *sessions, error) {
	if cfg.DSN == "" {
		return nil, nil, errors.New("Config.DSN is required")
	}
	// The parsers' errors repeat the DSN, and hide the password only where they
	// find it.
	named, err := pgconn.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, nil, errConfig
	}
	pc, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, nil, errConfig
	}
	if _, ok := named.RuntimeParams["pool_max_conns"]; !ok {
		pc.MaxConns = int32(min(max(cfg.MaxConns, 0), 10_000))
		if pc.MaxConns == 0 {
			pc.MaxConns = DefaultMaxConns
		}
	}
	if pc.ConnConfig.ValidateConnect == nil && severalServers(named) {
		// One of them can be written to; after a switch it is another one.
		pc.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	_, said := named.RuntimeParams["default_query_exec_mode"]
	settle(pc.ConnConfig, said)
	return pc, &sessions{modeSaid: said}, nil
}

// severalServers says that the DSN names more than one; a second try at the same
// one, without TLS, is none.
func severalServers(c *pgconn.Config) bool {
	for _, f := range c.Fallbacks {
		if f.Host != c.Host || f.Port != c.Port {
			return true
		}
	}
	return false
}

// settle sets what the DSN left open.
func settle(c *pgx.ConnConfig, modeSaid bool) {
	if !modeSaid {
		// Statements are planned each time, with their real arguments: it suits
		// PgBouncer, and no plan outlives the table it was made for. The pool's
		// connections may know better: see sessions.
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "pincall"
	}
}

// connect opens one connection beside the pool.
func connect(ctx context.Context, cfg Config) (*pgx.Conn, error) {
	pc, _, err := poolConfig(cfg)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, pc.ConnConfig)
}

// Close carries out what waits and closes the connections. Reads in progress end
// first.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.done)
		s.writer.Close()
		s.dropMarks()
		s.pool.Close()
	})
	return nil
}

func (s *Store) isClosed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Do carries out an operation together with those that wait at the same moment.
// verify.Unavailable where the database cannot be reached, or where it cannot be
// said whether the operation was carried out.
func (s *Store) Do(ctx context.Context, op verify.Op) error {
	if op.Need.Lease != nil {
		return s.writer.DoWork(ctx, op)
	}
	return s.writer.Do(ctx, op)
}

// Writers is how many groups of operations may be in hand at once.
func (s *Store) Writers() int { return s.cfg.Writers }
