package pgtest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// holder is a cluster that is started when it is first asked for.
type holder struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

func (h *holder) get(cfg Config) (*Cluster, error) {
	h.once.Do(func() { h.cluster, h.err = Start(cfg) })
	return h.cluster, h.err
}

// close ends the cluster; afterwards there is none.
func (h *holder) close() error {
	h.once.Do(func() { h.err = errors.New("pgtest: the tests have ended") })
	if h.cluster == nil {
		return nil
	}
	return h.cluster.Close()
}

// The clusters of the test binary: one that is fast, one that is durable.
var (
	fast    = sync.OnceValue(func() *holder { return &holder{} })
	durable = sync.OnceValue(func() *holder { return &holder{} })
)

// Main runs the tests of a binary and ends its clusters; it is for TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if err := errors.Join(fast().close(), durable().close()); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Shared gives the binary's one cluster; Main ends it. Without a server the test
// is skipped, and fails where $CI is "true".
func Shared(t testing.TB) *Cluster {
	t.Helper()
	return shared(t, fast(), Config{})
}

// Durable is Shared with fsync on: for figures.
func Durable(t testing.TB) *Cluster {
	t.Helper()
	return shared(t, durable(), Config{Fsync: true})
}

func shared(t testing.TB, h *holder, cfg Config) *Cluster {
	t.Helper()
	c, err := h.get(cfg)
	if errors.Is(err, ErrNoBinaries) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}
