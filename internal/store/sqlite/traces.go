package sqlite

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
)

// Bounds of a search.
const (
	shortest    = 8       // bytes; anything shorter could be there by chance
	searchBlock = 1 << 20 // bytes read at a time
)

// traces are values that were erased and must not be in the file any more. Safe
// for concurrent use.
type traces struct {
	mu   sync.Mutex
	list [][]byte
	// file stays open as long as the connections do: POSIX drops all locks that a
	// process has on a file when it closes the file once, SQLite's as well.
	file *os.File
}

// close closes the file; only after the last connection.
func (t *traces) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

func (t *traces) add(b []byte) {
	if len(b) < shortest {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, bytes.Clone(b))
}

func (t *traces) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = nil
}

// in says whether one of them is in a file. Blocks overlap by the longest, so
// that none is missed between two.
func (t *traces) in(path string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	longest := 0
	for _, b := range t.list {
		longest = max(longest, len(b))
	}
	if longest == 0 {
		return false, nil
	}
	if t.file == nil {
		var err error
		if t.file, err = os.Open(path); err != nil {
			return false, err
		}
	}
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	return t.search(longest)
}

// search reads the whole file.
func (t *traces) search(longest int) (bool, error) {
	buf := make([]byte, longest+searchBlock)
	kept := 0
	for {
		n, err := io.ReadFull(t.file, buf[kept:])
		for _, b := range t.list {
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
}
