package media

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// defaultLateLimit is the slot lateness above which no new call is taken: half of
// what a phone's shortest jitter buffer forgives, and far from the 20 ms after
// which a frame is heard as a gap.
const defaultLateLimit = 2 * time.Millisecond

// Config of an engine. Its zero value works.
type Config struct {
	// Workers are the threads that send, and as many receive; 0: one for each
	// core that Go uses.
	Workers int
	// Portable uses the standard library's sockets and timers although the
	// system has sendmmsg, recvmmsg and epoll. Other systems than Linux on
	// amd64 and arm64 always do.
	Portable bool
	// LateLimit is the p99 of slot lateness above which Open fails with ErrBusy,
	// until it has fallen below half of it; 0: 2 ms; negative: never.
	LateLimit time.Duration
	// Log takes what an operator should know; nil: slog.Default.
	Log *slog.Logger
}

// Engine sends the frames of many streams, each at its own time, and receives
// what their other ends send. It is safe for concurrent use.
type Engine struct {
	net     driver
	log     *slog.Logger
	pacers  []*pacer
	gate    *gate
	silence *audio.Clip   // one frame
	sockets atomic.Uint32 // opened so far: spreads them over pacers and slots

	mu     sync.Mutex
	pools  map[*Pool]struct{}
	closed bool
	done   sync.WaitGroup // pacers
}

// Load is how much an engine carries, and how well.
type Load struct {
	Streams  int           // connected
	Late     time.Duration // p99 of frame lateness, of the worst worker, in the last one to two seconds
	Refusing bool          // Open fails with ErrBusy
}

// New starts an engine's threads. They sleep while there is no stream.
func New(cfg Config) (*Engine, error) {
	if cfg.Workers <= 0 {
		cfg.Workers = min(runtime.GOMAXPROCS(0), runtime.NumCPU())
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	d, err := newDriver(cfg)
	if err != nil {
		return nil, fmt.Errorf("media: new engine: %w", err)
	}
	return newEngine(cfg, d), nil
}

// newEngine starts the pacers on a driver.
func newEngine(cfg Config, d driver) *Engine {
	if cfg.LateLimit == 0 {
		cfg.LateLimit = defaultLateLimit
	}
	e := &Engine{
		net:     d,
		log:     cfg.Log,
		gate:    &gate{limit: cfg.LateLimit},
		silence: audio.NewClip(make([]int16, audio.FrameSamples)),
		pools:   map[*Pool]struct{}{},
	}
	base := d.now()
	for range cfg.Workers {
		p := newPacer(d, base)
		e.pacers = append(e.pacers, p)
		e.done.Go(p.run)
	}
	return e
}

func newDriver(cfg Config) (driver, error) {
	if cfg.Portable {
		return newPortable(cfg), nil
	}
	return newFast(cfg)
}

// Load measures the engine.
func (e *Engine) Load() Load {
	var l Load
	for _, p := range e.pacers {
		streams, late := p.load()
		l.Streams += streams
		l.Late = max(l.Late, late)
	}
	l.Refusing = e.gate.refuses(l.Streams/len(e.pacers), l.Late)
	return l
}

// spareProcessors is how many processors are wanted beside those of the engine's threads.
const spareProcessors = 16

// Threads is by how much a program that carries many calls raises GOMAXPROCS. Two
// threads to each worker wait in system calls most of the time, and to come back
// they need one of Go's processors. Other goroutines take them all while many calls
// are set up, and keep them where the system lets their threads wait: with 4 more
// beside a load of 13 on two cores, pacers waited until new calls were refused at
// 250 of 500; with 16 more at 487. More cost little: the system still has its cores
// only.
func (e *Engine) Threads() int { return 2*len(e.pacers) + spareProcessors }

// Close ends all streams and pools, and the engine's threads. It may be called
// again.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	pools := make([]*Pool, 0, len(e.pools))
	for p := range e.pools {
		pools = append(pools, p)
	}
	e.mu.Unlock()
	for _, p := range pools {
		_ = p.Close()
	}
	for _, p := range e.pacers {
		p.stop()
	}
	e.done.Wait()
	if err := e.net.close(); err != nil {
		return fmt.Errorf("media: close engine: %w", err)
	}
	return nil
}

// home is the pacer and the slot of the next socket: neighbours in time share a
// socket, so that one system call sends many frames.
func (e *Engine) home() (p *pacer, worker, slot int) {
	n := int(e.sockets.Add(1) - 1)
	worker = n % len(e.pacers)
	return e.pacers[worker], worker, n / len(e.pacers) % slots
}
