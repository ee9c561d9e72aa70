package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorder is an engine that writes down its groups; each waits at the gate.
type recorder struct {
	gate   chan struct{}
	mu     sync.Mutex
	groups [][]int
}

var errOdd = errors.New("odd")

func (r *recorder) apply(group []int, errs []error) {
	<-r.gate
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = append(r.groups, append([]int(nil), group...))
	for i, op := range group {
		if op%2 == 1 {
			errs[i] = errOdd
		}
	}
}

func sizes(groups [][]int) []int {
	var n []int
	for _, g := range groups {
		n = append(n, len(g))
	}
	return n
}

func TestWriterGroupsWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{gate: make(chan struct{})}
		w := NewWriter(r.apply)
		got := make([]error, 300)
		for i := range got {
			go func() { got[i] = w.Do(t.Context(), i) }()
			if i == 0 {
				synctest.Wait() // the first is taken alone
			}
		}
		synctest.Wait()
		close(r.gate)
		synctest.Wait()
		if diff := cmp.Diff([]int{1, maxGroup, maxGroup, 299 - 2*maxGroup}, sizes(r.groups)); diff != "" {
			t.Errorf("group sizes (-want +got):\n%s", diff)
		}
		for i, err := range got {
			if (i%2 == 1) != errors.Is(err, errOdd) {
				t.Errorf("operation %d got the answer %v", i, err)
			}
		}
		w.Close()
	})
}

func TestWriterContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{gate: make(chan struct{})}
		w := NewWriter(r.apply)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var taken, waiting error
		var ends atomic.Int32
		go func() { taken = w.Do(ctx, 2); ends.Add(1) }()
		synctest.Wait()
		go func() { waiting = w.Do(ctx, 4); ends.Add(1) }()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := ends.Load(); n != 1 || !errors.Is(waiting, context.DeadlineExceeded) {
			t.Fatalf("%d operations ended, the waiting one with %v: only it should be taken back", n, waiting)
		}
		close(r.gate)
		w.Close()
		synctest.Wait()
		if taken != nil {
			t.Errorf("an operation that was carried out got %v", taken)
		}
		if diff := cmp.Diff([][]int{{2}}, r.groups); diff != "" {
			t.Errorf("carried out (-want +got):\n%s", diff)
		}
		if err := w.Do(ctx, 6); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an ended context gave %v", err)
		}
	})
}

func TestWriterCloseDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{gate: make(chan struct{})}
		w := NewWriter(r.apply)
		var good atomic.Int32
		for range 200 {
			go func() {
				if w.Do(t.Context(), 2) == nil {
					good.Add(1)
				}
			}()
		}
		synctest.Wait()
		go w.Close()
		synctest.Wait()
		if err := w.Do(t.Context(), 2); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed writer answered %v", err)
		}
		close(r.gate)
		synctest.Wait()
		if n := good.Load(); n != 200 {
			t.Errorf("%d of 200 waiting operations were carried out", n)
		}
		w.Close() // once more is harmless
	})
}

func TestWriterRace(t *testing.T) {
	t.Parallel()
	var sum, want atomic.Int64
	w := NewWriter(func(group []int, _ []error) {
		for _, op := range group {
			sum.Add(int64(op))
		}
	})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%3 == 0 {
					go cancel()
				}
				if w.Do(ctx, g+i) == nil {
					want.Add(int64(g + i))
				}
				cancel()
			}
		})
	}
	wg.Wait()
	w.Close()
	if sum.Load() != want.Load() {
		t.Errorf("carried out %d, acknowledged %d", sum.Load(), want.Load())
	}
}

// While both wait, work has its share and requests the rest; alone, either fills a
// group.
func TestWriterShares(t *testing.T) {
	t.Parallel()
	const works, asked = 300, 100
	share := maxGroup / workShare
	for name, test := range map[string]struct {
		size Size
		want [][2]int
	}{
		"as it is": {Size{}, [][2]int{
			{0, 1}, {maxGroup - share, share}, {asked - maxGroup + share, share}, {0, maxGroup}, {0, works - 2*share - maxGroup},
		}},
		"most for work":     {Size{100, 60}, [][2]int{{0, 1}, {40, 60}, {40, 60}, {20, 60}, {0, 100}, {0, 20}}},
		"more than is work": {Size{400, 350}, [][2]int{{0, 1}, {100, 300}}},
		"all for work":      {Size{100, 100}, [][2]int{{0, 1}, {1, 99}, {1, 99}, {1, 99}, {97, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(test.want, shares(t, test.size, works, asked)); diff != "" {
					t.Errorf("requests and work of the groups (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Groups of one go to both lanes in turn.
func TestWriterTakesTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		want := [][2]int{{0, 1}, {1, 0}, {0, 1}, {1, 0}, {0, 1}, {1, 0}, {1, 0}}
		if diff := cmp.Diff(want, shares(t, Size{Group: 1}, 2, 4)); diff != "" {
			t.Errorf("requests and work of the groups (-want +got):\n%s", diff)
		}
	})
}

// shares has so much work and so many requests wait for a Writer, and gives how many
// of each are in its groups.
func shares(t *testing.T, size Size, works, asked int) (got [][2]int) {
	r := &recorder{gate: make(chan struct{})}
	w := NewWriters(1, size, r.apply)
	defer w.Close()
	go func() { _ = w.DoWork(t.Context(), 0) }() // the first is taken alone
	synctest.Wait()
	for range works {
		go func() { _ = w.DoWork(t.Context(), 2) }()
	}
	for range asked {
		go func() { _ = w.Do(t.Context(), 4) }()
	}
	synctest.Wait()
	close(r.gate)
	synctest.Wait()
	for _, g := range r.groups {
		var n [2]int
		for _, op := range g {
			if op == 4 {
				n[requests]++
			} else {
				n[work]++
			}
		}
		got = append(got, n)
	}
	return got
}

// A group is answered when it is settled, and the next is carried out meanwhile.
func TestWriterSettles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{gate: make(chan struct{})}
		close(r.gate)
		settling, settled := make(chan struct{}), make(chan error)
		w := NewSettled(0, r.apply, func() error {
			settling <- struct{}{}
			return <-settled
		})
		answers := make(chan error, 9)
		ask := func(op int) {
			go func() { answers <- w.Do(t.Context(), op) }()
			synctest.Wait()
		}
		ask(1)
		<-settling
		ask(2) // carried out while the first is not settled
		ask(4)
		synctest.Wait()
		if diff := cmp.Diff([][]int{{1}, {2}}, r.groups); diff != "" || len(answers) > 0 {
			t.Errorf("before anything is settled: groups (-want +got):\n%s\n%d answers", diff, len(answers))
		}
		settled <- nil
		if err := <-answers; !errors.Is(err, errOdd) {
			t.Errorf("the first got the answer %v", err)
		}
		<-settling
		lost := errors.New("lost")
		settled <- lost
		for range 2 { // 4 came into the same settling, or into the next
			select {
			case <-settling:
				settled <- lost
			default:
			}
			synctest.Wait()
			select {
			case <-settling:
				settled <- lost
			case err := <-answers:
				if !errors.Is(err, lost) {
					t.Errorf("after a failure the answer is %v", err)
				}
			}
		}
		go func() {
			for range settling {
				settled <- nil
			}
		}()
		w.Close()
		close(settling)
		if err := w.Do(t.Context(), 6); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close the answer is %v", err)
		}
	})
}
