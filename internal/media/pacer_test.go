package media

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
)

// slow is a system whose time the test makes: sleeping takes none, sending takes
// cost for each packet.
type slow struct {
	mu   sync.Mutex
	time time.Time
	cost time.Duration
	port uint16
	sent []sending
	wait chan struct{} // receives one value before each sleep ends; nil: none
}

type sending struct {
	ssrc uint32
	ts   uint32
	at   time.Time
}

func newSlow() *slow { return &slow{time: time.Unix(1e9, 0), port: 10000, wait: make(chan struct{})} }

func (d *slow) thread()      {}
func (d *slow) close() error { return nil }
func (d *slow) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.time
}

func (d *slow) sleep(until time.Time) {
	<-d.wait
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.time.Before(until) {
		d.time = until
	}
}

func (d *slow) pass(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.time = d.time.Add(t)
}

func (d *slow) bind(b binding) (wire, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b.at.Port() == 0 {
		d.port += 2
		b.at = netip.AddrPortFrom(b.at.Addr(), d.port)
	}
	return slowWire{d, b.at}, nil
}

type slowWire struct {
	d  *slow
	at netip.AddrPort
}

func (w slowWire) local() netip.AddrPort { return w.at }
func (w slowWire) close()                {}
func (w slowWire) send(packets []packet) int {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	for _, p := range packets {
		if h, _, ok := parseRTP(p.data); ok && h.payload < 72 {
			w.d.time = w.d.time.Add(w.d.cost)
			w.d.sent = append(w.d.sent, sending{h.ssrc, h.ts, w.d.time})
		}
	}
	return len(packets)
}

// slowly starts an engine of one pacer on a slow system. run lets it send n times.
func slowly(t *testing.T, cfg Config) (e *Engine, d *slow, run func(n int)) {
	t.Helper()
	d = newSlow()
	cfg.Workers = 1
	e = newEngine(cfg, d)
	t.Cleanup(func() {
		over := make(chan struct{})
		go func() {
			for {
				select {
				case d.wait <- struct{}{}:
				case <-over:
					return
				}
			}
		}()
		_ = e.Close()
		close(over)
	})
	return e, d, func(n int) {
		for range n {
			d.wait <- struct{}{}
		}
	}
}

func to(n int) Remote {
	return Remote{RTP: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 4000)}
}

func TestDeadlinesAreAbsolute(t *testing.T) {
	t.Parallel()
	e, d, run := slowly(t, Config{})
	d.cost = 700 * time.Microsecond
	s := open(t, pool(t, e, PoolConfig{}))
	connect(t, s, to(1))
	run(101)
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.sent[0]
	for i, x := range d.sent {
		if want := first.at.Add(time.Duration(i) * audio.FrameDuration); !x.at.Equal(want) || x.ts != first.ts+uint32(160*i) {
			t.Fatalf("frame %d: %v after the first, timestamp %d", i, x.at.Sub(first.at), x.ts-first.ts)
		}
	}
}

func TestSlotsFillEvenly(t *testing.T) {
	t.Parallel()
	e, _, _ := slowly(t, Config{LateLimit: -1})
	p := pool(t, e, PoolConfig{Size: 2})
	for i := range 1000 {
		connect(t, open(t, p), to(i))
	}
	pacer := e.pacers[0]
	pacer.mu.Lock()
	defer pacer.mu.Unlock()
	least, most := 1000, 0
	for _, n := range pacer.count {
		least, most = min(least, n), max(most, n)
	}
	if most > least*5/4+homeSlack+1 {
		t.Errorf("slots of %d to %d streams", least, most)
	}
}

func TestAStallMovesTheTimeLine(t *testing.T) {
	t.Parallel()
	e, d, run := slowly(t, Config{})
	s := open(t, pool(t, e, PoolConfig{}))
	connect(t, s, to(1))
	run(3)
	d.pass(10 * time.Second)
	run(5)
	d.mu.Lock()
	defer d.mu.Unlock()
	burst := 0
	for i := 1; i < len(d.sent); i++ {
		if d.sent[i].ts != d.sent[i-1].ts+160 {
			t.Error("a frame is missing")
		}
		if d.sent[i].at.Equal(d.sent[i-1].at) {
			burst++
		}
	}
	if burst > 1 {
		t.Errorf("%d frames at once after a stall", burst)
	}
}

func TestBusyWhenSlotsRunLate(t *testing.T) {
	t.Parallel()
	e, d, run := slowly(t, Config{})
	p := pool(t, e, PoolConfig{})
	var all []*Stream
	for i := range 2 * fewStreams {
		s := open(t, p)
		connect(t, s, to(i))
		all = append(all, s)
	}
	run(100)
	open(t, p) // on time: there is room
	d.mu.Lock()
	d.cost = 500 * time.Microsecond // 6 or more streams to a slot take 3 ms of it
	d.mu.Unlock()
	run(200)
	if _, err := p.Open(); !errors.Is(err, ErrBusy) {
		t.Fatalf("Open: %v; %+v", err, e.Load())
	}
	if l := e.Load(); !l.Refusing || l.Late <= defaultLateLimit || l.Streams != len(all) {
		t.Errorf("%+v", l)
	}
	d.mu.Lock()
	d.cost = 0
	d.mu.Unlock()
	run(100 * slots) // some 2 s
	if _, err := p.Open(); err != nil {
		t.Errorf("Open: %v; %+v", err, e.Load())
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	g := gate{limit: 2 * ms}
	for i, c := range []struct {
		streams int
		late    time.Duration
		want    bool
	}{
		{fewStreams, 2 * ms, false},
		{fewStreams, 2*ms + 1, true},
		{fewStreams, ms + 1, true}, // not until half of the limit
		{fewStreams, ms, false},
		{fewStreams, 2 * ms, false},
		{fewStreams - 1, time.Hour, false},
	} {
		if got := g.refuses(c.streams, c.late); got != c.want {
			t.Errorf("%d: refuses %d streams %v late: %v", i, c.streams, c.late, got)
		}
	}
	if g := (gate{limit: -1}); g.refuses(1e6, time.Hour) {
		t.Error("refuses without a limit")
	}
}

func TestLateness(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	var l lateness
	if p := l.p99(now); p != 0 {
		t.Errorf("of nothing: %v", p)
	}
	l.add(now, 250*time.Microsecond, 990)
	l.add(now, 5*time.Millisecond, 10)
	if p := l.p99(now); p != 300*time.Microsecond {
		t.Errorf("1 of 100 late: %v", p)
	}
	l.add(now, time.Hour, 1)
	if p := l.p99(now); p != 5100*time.Microsecond {
		t.Errorf("more than 1 of 100 late: %v", p)
	}
	if p := l.p99(now.Add(1900 * time.Millisecond)); p == 0 {
		t.Error("forgotten within two seconds")
	}
	if p := l.p99(now.Add(4 * time.Second)); p != 0 {
		t.Errorf("not forgotten: %v", p)
	}
}

func TestCloseFreesEverything(t *testing.T) {
	// Counts the process's descriptors and goroutines: other tests must not run beside it.
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip("no /proc/self/fd to count descriptors in")
	}
	count := func() (fds, routines int) {
		dir, _ := os.ReadDir("/proc/self/fd")
		return len(dir), runtime.NumGoroutine()
	}
	round := func(portable bool) {
		e, err := New(Config{Portable: portable, Workers: 2, LateLimit: -1})
		if err != nil {
			t.Fatal(err)
		}
		p := pool(t, e, PoolConfig{Sockets: Shared})
		for _, sockets := range []Sockets{Pooled, PerCall} {
			q := pool(t, e, PoolConfig{Sockets: sockets})
			for range 5 {
				a, b := open(t, p), open(t, q)
				connect(t, a, Remote{RTP: b.Local()})
				connect(t, b, Remote{RTP: a.Local()})
				go func() { _ = a.Play(t.Context(), counted(1000)) }()
				eventually(t, "heard", func() bool { return b.Stats().Received > 0 })
				_ = errors.Join(a.Close(), b.Close())
			}
			open(t, q)
		}
		if err := errors.Join(e.Close(), e.Close()); err != nil {
			t.Error(err)
		}
		if _, err := e.Pool(PoolConfig{}); err == nil {
			t.Error("a pool of a closed engine")
		}
	}
	round(true) // what the runtime itself opens once: netpoller, timers
	fds, routines := count()
	for _, portable := range []bool{false, true} {
		round(portable)
		eventually(t, "all closed", func() bool { f, r := count(); return f <= fds && r <= routines })
	}
}
