package sqlite

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
)

// Bounds of a search.
const (
	shortest    = 8       // bytes; anything shorter could be there by chance
	searchBlock = 1 << 20 // bytes read at a time
	// largest is the largest file that is searched, and written anew where
	// something is found: while that lasts nobody can write, and it takes twice
	// its size in memory.
	largest = 64 << 20
)

// traces are values that were erased and must not be in the file any more. Safe
// for concurrent use; add never waits for a search.
type traces struct {
	mu   sync.Mutex // list
	list [][]byte
	one  sync.Mutex // one search at a time; it guards file
	// file stays open as long as the connections do: POSIX drops all locks that a
	// process has on a file when it closes the file once, SQLite's as well.
	file *os.File
}

// close closes the file; only after the last connection.
func (t *traces) close() error {
	t.one.Lock()
	defer t.one.Unlock()
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

func (t *traces) add(list ...[]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range list {
		if len(b) >= shortest {
			t.list = append(t.list, bytes.Clone(b))
		}
	}
}

// take gives the list and begins a new one.
func (t *traces) take() [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.list
	t.list = nil
	return list
}

// in says whether one of the values is in a file of at most largest bytes; a
// larger one is not searched. Blocks overlap by the longest value, so that none
// is missed between two.
func (t *traces) in(ctx context.Context, path string, list [][]byte) (bool, error) {
	longest := 0
	for _, b := range list {
		longest = max(longest, len(b))
	}
	if longest == 0 {
		return false, nil
	}
	t.one.Lock()
	defer t.one.Unlock()
	if t.file == nil {
		var err error
		if t.file, err = os.Open(path); err != nil {
			return false, err
		}
	}
	if info, err := t.file.Stat(); err != nil || info.Size() > largest {
		return false, err
	}
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	return search(ctx, t.file, list, longest)
}

// search reads the whole file.
func search(ctx context.Context, file io.Reader, list [][]byte, longest int) (bool, error) {
	buf := make([]byte, longest+searchBlock)
	kept := 0
	for ctx.Err() == nil {
		n, err := io.ReadFull(file, buf[kept:])
		for _, b := range list {
			if bytes.Contains(buf[:kept+n], b) {
				return true, nil
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(buf, buf[kept+n-longest:kept+n])
	}
	return false, ctx.Err()
}
