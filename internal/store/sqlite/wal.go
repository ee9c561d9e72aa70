package sqlite

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// walLog is the write-ahead log, as far as it must be on the disk. The writing
// connection commits with synchronous NORMAL: its transactions are in the log and
// seen by everybody, and the log is synced apart from it, while the next one is
// being written. Nothing is answered before that, neither an operation nor a read
// that may have seen it, so an answer says what FULL would say. (A log whose end
// was not synced is cut by SQLite at the first frame that is not whole; and a
// checkpoint syncs the log before it touches the file.) Safe for concurrent use.
type walLog struct {
	path string
	// Transactions that wrote something: those that readers may see already, and those
	// whose frames are all in the log.
	shown, committed atomic.Int64

	mu     sync.Mutex
	moved  sync.Cond // synced or failed has changed
	synced int64     // of those committed
	failed error
	file   *os.File // nil: not opened yet
	sync   func(*os.File) error
}

func newWalLog(path string) *walLog {
	l := &walLog{path: path, sync: datasync}
	l.moved.L = &l.mu
	return l
}

// settle has everything that was committed on the disk. After a failure it is not
// known what is: nothing works any more until the process has begun anew.
func (l *walLog) settle() error {
	to := l.committed.Load()
	l.mu.Lock()
	done, err := l.synced >= to, l.failed
	l.mu.Unlock()
	if done || err != nil {
		return err
	}
	err = l.flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = fmt.Errorf("sqlite: the disk does not keep what is written: %w: mend it and start again", err)
	} else {
		l.synced = to
	}
	l.moved.Broadcast()
	return l.failed
}

// flush syncs the file. Only settle calls it.
func (l *walLog) flush() error {
	if l.file == nil {
		f, err := os.OpenFile(l.path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		l.file = f
	}
	return l.sync(l.file)
}

// commit runs a COMMIT of the one connection that writes.
func (l *walLog) commit(wrote bool, commit func() error) error {
	if !wrote {
		return commit()
	}
	shown := l.shown.Add(1) // before anybody can see it
	err := commit()
	l.committed.Store(shown)
	return err
}

// wait returns when everything that can be seen by now is on the disk.
func (l *walLog) wait() error {
	to := l.shown.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.synced < to && l.failed == nil {
		l.moved.Wait()
	}
	return l.failed
}

// close closes the file, after the last settle.
func (l *walLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil && l.synced < l.shown.Load() {
		l.failed = errors.New("sqlite: closed") // whoever waits
	}
	l.moved.Broadcast()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
