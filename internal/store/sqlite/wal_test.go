package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

// gated holds every sync of the log until it is told to go on.
type gated struct {
	begun chan struct{}
	end   chan error
}

func gateLog(s *Store) gated {
	g := gated{make(chan struct{}), make(chan error)}
	s.log.sync = func(*os.File) error {
		g.begun <- struct{}{}
		return <-g.end
	}
	return g
}

// Nothing is told before it is on the disk: neither to whom it was written for,
// nor to who reads it.
func TestNothingIsToldBeforeTheSync(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	g := gateLog(s)
	x := sample(s.clock)
	wrote, read := make(chan error, 1), make(chan error, 1)
	go func() { wrote <- s.Do(t.Context(), x.Start()) }()
	<-g.begun
	go func() {
		_, err := s.Read(t.Context(), x.V.Account, x.V.ID)
		read <- err
	}()
	select {
	case err := <-wrote:
		t.Errorf("the start was answered with %v", err)
	case err := <-read:
		t.Errorf("the read was answered with %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	g.end <- nil
	if err := errors.Join(<-wrote, <-read); err != nil {
		t.Error(err)
	}
	s.log.sync = datasync
}

// A read that comes between the COMMIT and what follows it waits as well.
func TestWhatIsShownIsWaitedFor(t *testing.T) {
	t.Parallel()
	l := newWalLog(filepath.Join(t.TempDir(), "log"))
	if err := os.WriteFile(l.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	err := l.commit(true, func() error {
		go func() { waited <- l.wait() }()
		if err := l.settle(); err != nil { // of what was committed before: nothing
			t.Error(err)
		}
		select {
		case err := <-waited:
			t.Errorf("a read in the middle of the COMMIT was answered with %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		return nil
	})
	if err := errors.Join(err, l.settle(), <-waited, l.close()); err != nil {
		t.Error(err)
	}
}

// A disk that does not keep what is written: nobody is told that something is
// done, nor is anything done any more.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	s, broken := openTest(t, Config{}), errors.New("I/O error")
	x := sample(s.clock)
	if err := s.Do(t.Context(), x.Start()); err != nil {
		t.Fatal(err)
	}
	s.log.sync = func(*os.File) error { return broken }
	if err := s.Do(t.Context(), sample(s.clock).Start()); !errors.Is(err, broken) {
		t.Errorf("an operation got the answer %v", err)
	}
	s.log.sync = datasync
	refused := errors.New("refused")
	if err := s.Do(t.Context(), verify.Op{Plan: func(verify.State) (verify.Writes, error) { return verify.Writes{}, refused }}); !errors.Is(err, broken) {
		t.Errorf("the next one got the answer %v", err)
	}
	if _, err := s.Read(t.Context(), x.V.Account, x.V.ID); !errors.Is(err, broken) {
		t.Errorf("a read got the answer %v", err)
	}
}

// Under load the log's content comes into the file while the log is written on.
func TestTheLogIsCopiedAhead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pincall.db")
	s := openTest(t, Config{Path: path})
	size := func(name string) int64 {
		i, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return i.Size()
	}
	before := size(path)
	for until := time.Now().Add(keeperEvery - time.Second); size(path) == before; {
		if time.Now().After(until) {
			t.Fatal("the file has not grown")
		}
		x := sample(s.clock)
		if err := s.Do(t.Context(), x.Start()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // or else the log is soon so long that a commit copies it
	}
	if size(path+"-wal") == 0 {
		t.Error("the log was emptied, which has the writer wait")
	}
}
