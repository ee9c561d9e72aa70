package sipcall_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

const number, callerID = "+819012345678", "+815011112222"

// The stream of *media.Stream is what Open gives in the program.
var _ sipcall.Stream = (*media.Stream)(nil)

// stream is media without sound: it remembers what it was told.
type stream struct {
	mu      sync.Mutex
	remotes []media.Remote
	closed  int
	keys    chan byte
	told    chan media.Remote
}

func newStream() *stream {
	return &stream{keys: make(chan byte, 8), told: make(chan media.Remote, 32)}
}

func (s *stream) Local() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:30000") }
func (s *stream) Keys() <-chan byte     { return s.keys }
func (s *stream) Stats() media.Stats    { return media.Stats{Sent: 7} }
func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}
func (s *stream) Connect(r media.Remote) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed > 0 {
		return media.ErrClosed
	}
	s.remotes = append(s.remotes, r)
	s.told <- r
	return nil
}
func (s *stream) wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func (s *stream) Play(ctx context.Context, _ *audio.Clip) error    { return s.wait(ctx) }
func (s *stream) Pause(ctx context.Context, _ time.Duration) error { return s.wait(ctx) }
func (s *stream) Begin(context.Context, media.Act) (*media.Playing, error) {
	return nil, errors.ErrUnsupported
}
func (s *stream) SendKeys(ctx context.Context, _ string) error           { return s.wait(ctx) }
func (s *stream) Quiet(ctx context.Context, longest time.Duration) error { return s.wait(ctx) }

// trunk is a started caller against peers, and what it opened and logged.
type trunk struct {
	*sipcall.Caller
	log     *safeLog
	mu      sync.Mutex
	streams []*stream
}

// stream is the n-th stream that was opened.
func (tr *trunk) stream(n int) *stream {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.streams[n]
}

// closed says how often the stream was closed.
func (s *stream) closings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// safeLog is a log that is read while it is written.
type safeLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *safeLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start runs a caller towards the peers. It is stopped with the test, and the
// log is then searched for the number.
func start(t *testing.T, cfg sipcall.Config, peers ...*siptest.Peer) *trunk {
	t.Helper()
	tr := &trunk{log: &safeLog{}}
	for _, p := range peers {
		cfg.Proxies = append(cfg.Proxies, p.Addr())
	}
	cfg.Open = or(cfg.Open != nil, cfg.Open, func() (sipcall.Stream, error) {
		s := newStream()
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.streams = append(tr.streams, s)
		return s, nil
	})
	if cfg.OptionsInterval == 0 {
		cfg.OptionsInterval = -1
	}
	if !cfg.Bind.IsValid() {
		cfg.Bind = netip.MustParseAddrPort("127.0.0.1:0")
	}
	cfg.Log = slog.New(slog.NewTextHandler(tr.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if tr.Caller, err = sipcall.New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := tr.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = tr.Stop(ctx) // a silent peer keeps a transaction longer than that
		if strings.Contains(tr.log.String(), number[3:]) || strings.Contains(tr.log.String(), callerID[3:]) {
			t.Error("a number is in the log")
		}
	})
	return tr
}

func or[T any](cond bool, a, b T) T {
	if cond {
		return a
	}
	return b
}

// result is what Call returned.
type result struct {
	call     *sipcall.Call
	failure  *sipcall.Failure
	progress []sipcall.Progress
}

// place calls in the background.
func (tr *trunk) place(ctx context.Context, inv sipcall.Invite) <-chan result {
	out := make(chan result, 1)
	if inv.To == "" {
		inv.To, inv.From = number, callerID
	}
	go func() {
		var r result
		var err error
		r.call, err = tr.Call(ctx, inv, func(p sipcall.Progress) { r.progress = append(r.progress, p) })
		if err != nil && !errors.As(err, &r.failure) {
			panic("Call's error is no *Failure: " + err.Error())
		}
		out <- r
	}()
	return out
}

// get waits for a result.
func get[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(siptest.Patience):
		t.Fatal("nothing came in time")
	}
	panic("unreachable")
}

// failed waits for a call that must fail.
func failed(t *testing.T, c <-chan result) *sipcall.Failure {
	t.Helper()
	r := get(t, c)
	if r.failure == nil {
		t.Fatal("the call was answered")
	}
	if strings.Contains(r.failure.Error(), number[3:]) || r.failure.Err != nil && strings.Contains(r.failure.Err.Error(), number[3:]) {
		t.Error("the number is in the failure")
	}
	return r.failure
}

// connected answers the next INVITE and gives the call, the INVITE and the ACK.
func connected(t *testing.T, tr *trunk, p *siptest.Peer, a siptest.Answer) (*sipcall.Call, *siptest.Message) {
	t.Helper()
	out := tr.place(t.Context(), sipcall.Invite{})
	inv := p.Next("INVITE")
	if a.Body == "" {
		a.Body = siptest.SDP()
	}
	a.Tag = "peer1"
	a.Headers = append(a.Headers, p.Contact())
	p.Reply(inv, "200 OK", a)
	p.Next("ACK")
	r := get(t, out)
	if r.call == nil {
		t.Fatalf("the call failed: %v", r.failure)
	}
	return r.call, inv
}

// hangup ends a call against a peer that answers the BYE.
func hangup(t *testing.T, call *sipcall.Call, p *siptest.Peer) *siptest.Message {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call.Hangup(context.Background()) }()
	bye := p.Next("BYE")
	p.Reply(bye, "200 OK", siptest.Answer{})
	if err := get(t, done); err != nil {
		t.Errorf("Hangup: %v", err)
	}
	return bye
}

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	limit := time.Now().Add(siptest.Patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(limit) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
}
