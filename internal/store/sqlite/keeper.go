package sqlite

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// When the log is looked after.
const (
	aheadEvery  = 500 * time.Millisecond
	fewCommits  = 5 // are left where they are
	keeperEvery = 5 * time.Second
	quietAt     = 50          // commits in that time, and fewer, are a quiet moment
	longest     = time.Minute // without a quiet moment, it is tried all the same
)

// keeper brings the log's content into the file, off the writer's path, and empties
// the log at quiet moments: it stays small, a commit that finds it long has little
// left to do (see wal_autocheckpoint), and erased secrets do not live on in old pages.
type keeper struct {
	conn    *conn
	commits *atomic.Int64 // how many wrote something
	stop    chan struct{}
	ended   chan struct{}
}

func newKeeper(ctx context.Context, path string, commits *atomic.Int64) (*keeper, error) {
	c, err := connect(ctx, path, false)
	if err != nil {
		return nil, err
	}
	// It is the writer that goes first: the keeper tries again next time.
	if err := runScript(c, "PRAGMA busy_timeout = 0"); err != nil {
		return nil, errors.Join(err, c.close())
	}
	k := &keeper{conn: c, commits: commits, stop: make(chan struct{}), ended: make(chan struct{})}
	go k.run()
	return k, nil
}

func (k *keeper) close() error {
	close(k.stop)
	<-k.ended
	return k.conn.close()
}

func (k *keeper) run() {
	defer close(k.ended)
	tick, ahead := time.NewTicker(keeperEvery), time.NewTicker(aheadEvery)
	defer tick.Stop()
	defer ahead.Stop()
	var copied, emptied, seen int64 // how many commits there were at the last copy, emptying and look
	last := time.Now()
	for {
		select {
		case <-k.stop:
			return
		case <-ahead.C:
			if now := k.commits.Load(); now-copied > fewCommits && k.copy() == nil {
				copied = now
			}
			continue
		case <-tick.C:
		}
		now := k.commits.Load()
		quiet := now-seen <= quietAt
		seen = now
		if now == emptied || !quiet && time.Since(last) < longest {
			continue
		}
		if k.checkpoint() {
			emptied, last = now, time.Now()
		}
	}
}

// copy brings what is in the log into the file as well, as far as no reader needs the
// file as it is. The writer goes on meanwhile.
func (k *keeper) copy() error {
	return k.conn.query("PRAGMA wal_checkpoint(PASSIVE)", func(*row) error { return nil })
}

// checkpoint says whether the log was emptied. A reader or the writer can be in
// the way; nothing is lost then. The writer waits for it, so the most is copied before.
func (k *keeper) checkpoint() bool {
	var busy int64
	err := k.copy()
	if err == nil {
		err = k.conn.query("PRAGMA wal_checkpoint(TRUNCATE)", func(r *row) error {
			busy = r.int64()
			return nil
		})
	}
	return err == nil && busy == 0
}
