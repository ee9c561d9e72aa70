// Package sqlite keeps everything in one SQLite file: verifications, the queue
// and the accounts. It knows its statements and what is durable when; the rules
// are in the plans it is given. One process at a time works on a file: who opens
// it holds a lock of its own.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// Config of a Store.
type Config struct {
	// Path of the file; it is made with its folder, readable by its owner only.
	// Required.
	Path string
	Now  func() time.Time // time.Now
	// KeyCheck is the check value of the keyring. The first one is kept with
	// the database, and a different one is refused. Empty: not checked.
	KeyCheck string
}

// Store is a verify.Store, a jobs.Queue and an account.Store. Safe for
// concurrent use.
type Store struct {
	path    string
	traces  traces // of what was erased and not scrubbed yet
	clock   *store.Clock
	writer  *store.Writer[member]
	recent  *recent
	backlog *backlog
	log     *walLog
	works   atomic.Bool // a node has joined: others only look in
	// w is used by the writer's goroutine alone, once Open is done.
	w       *tx
	readers chan *conn
	done    chan struct{} // closed by Close
	keeper  *keeper
	listing sync.WaitGroup // of list
	closing sync.Once
	closed  error
}

var (
	_ verify.Store  = (*Store)(nil)
	_ jobs.Queue    = (*Store)(nil)
	_ account.Store = (*Store)(nil)
)

// readers is how many reads may go on at once. They are point reads that take
// microseconds, so few are enough, and each has a cache of its own.
const readers = 4

// groupSize bounds how many operations share a transaction. They are cheap beside
// the commit: with more of them it costs each of them less.
const groupSize = 256

// Open opens a database, makes it where there is none, and brings its schema up
// to date.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Path == "" {
		return nil, errors.New("open the database: Config.Path is required")
	}
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", cfg.Path, err)
	}
	return s, nil
}

func open(ctx context.Context, cfg Config) (_ *Store, err error) {
	path, err := makeFile(cfg.Path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, clock: store.NewClock(cfg.Now), readers: make(chan *conn, readers), done: make(chan struct{}),
		recent: newRecent(), backlog: newBacklog(), log: newWalLog(path + "-wal"),
	}
	defer func() {
		if err != nil {
			s.closeConns()
		}
	}()
	w, err := connect(ctx, path, false)
	if err != nil {
		return nil, err
	}
	s.w = &tx{conn: w, clock: s.clock, group: store.NewOverlay(), numbers: make(map[string]int64), recent: s.recent, backlog: s.backlog, log: s.log, works: &s.works, counters: newCounters()}
	if err := migrate(w); err != nil {
		return nil, err
	}
	if err := s.w.lookAgain(); err != nil {
		return nil, err
	}
	if err := checkKeys(w, cfg.KeyCheck); err != nil {
		return nil, err
	}
	for range readers {
		r, err := connect(ctx, path, true)
		if err != nil {
			return nil, err
		}
		s.readers <- r
	}
	if s.keeper, err = newKeeper(ctx, path, &s.log.committed); err != nil {
		return nil, err
	}
	// The log is synced by its own hand from here on.
	if err := runScript(w, "PRAGMA synchronous = NORMAL"); err != nil {
		return nil, err
	}
	s.writer = store.NewSettled(groupSize, s.w.apply, s.log.settle)
	s.listing.Go(s.list)
	return s, nil
}

// makeFile makes file and folder where they are missing, for the owner only;
// SQLite gives its log the same mode.
func makeFile(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path) // SQLite keeps the log beside the file itself
}

// Close carries out what waits and closes the file. Reads in progress end first.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.done)
		s.writer.Close()
		s.listing.Wait()
		s.closed = s.closeConns()
	})
	return s.closed
}

func (s *Store) closeConns() error {
	var errs []error
	if s.keeper != nil {
		errs = append(errs, s.keeper.close())
	}
	// Each reader is waited for: a read in progress may end.
	for n := cap(s.readers); n > 0 && (s.writer != nil || len(s.readers) > 0); n-- {
		errs = append(errs, (<-s.readers).close())
	}
	if s.w != nil {
		errs = append(errs, s.w.close())
	}
	errs = append(errs, s.traces.close(), s.log.close())
	return errors.Join(errs...)
}

// read lends a reading connection to the function. store.ErrClosed after Close.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c := <-s.readers:
		err := f(c)
		s.readers <- c
		if unsure := s.log.wait(); unsure != nil { // what was seen is on the disk before it is told
			return unsure
		}
		return err
	case <-s.done:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// snapshot is read with all statements seeing the same state.
func (s *Store) snapshot(ctx context.Context, f func(*conn) error) error {
	return s.read(ctx, func(c *conn) error {
		if _, err := c.exec("BEGIN"); err != nil {
			return err
		}
		err := f(c)
		_, end := c.exec("ROLLBACK")
		return errors.Join(err, end)
	})
}

// change is a piece of work for the writer, in a transaction of its own.
type change func(*tx) error

// change has a change carried out durably. scope is what it touches of the rows
// that are known in memory as well.
func (s *Store) change(ctx context.Context, scope scope, f change) error {
	return s.writer.Do(ctx, member{change: f, scope: scope})
}

// after has a change carried out durably, and then something done to what is known,
// in the writer's order.
func (s *Store) after(ctx context.Context, f change, then func()) error {
	return s.writer.Do(ctx, member{change: f, then: then})
}
