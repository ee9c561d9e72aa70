package trunk_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/carrier/carriertest"
	"github.com/pincall/pincall/internal/carrier/trunk"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/speech"
	"github.com/pincall/pincall/internal/talk"
)

const (
	number   = "+819012345678"
	callerID = "+815011112222"
)

func loopback() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:0") }

func peers() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// fake is a voice without words: every phrase lasts one frame, and each of its
// samples tells which digit it was, 100 times it and 1000.
type fake struct{ words []string }

func (fake) Languages() []string { return []string{"en", "ja"} }
func (f fake) Words() []string   { return f.words }

func (f fake) Speak(ctx context.Context, s script.Script) (talk.Sound, error) {
	for _, p := range s.Parts {
		if (p.Kind == script.KindPayee || p.Kind == script.KindText) && !slices.Contains(f.words, s.Lang) {
			return nil, speech.ErrUnspeakable
		}
	}
	return fakeSound{}, ctx.Err()
}

type fakeSound struct{}

func (fakeSound) Clip(p script.Part, _ int) *audio.Clip {
	switch p.Kind {
	case script.KindSilence:
		return nil
	case script.KindDigit:
		return level(1000 + 1000*int16(p.Digit-'0'))
	}
	return level(-5000)
}

// level is one frame of one value.
func level(v int16) *audio.Clip {
	return audio.NewClip(slices.Repeat([]int16{v}, audio.FrameSamples))
}

// engine is media for the length of a test. A busy machine does not close it.
func engine(t *testing.T) *media.Engine {
	t.Helper()
	e, err := media.New(media.Config{Workers: 1, LateLimit: -1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// open gives streams of the engine.
func open(t *testing.T, e *media.Engine) func() (sipcall.Stream, error) {
	t.Helper()
	p, err := e.Pool(media.PoolConfig{Bind: loopback().Addr(), Sockets: media.PerCall, DSCP: -1})
	if err != nil {
		t.Fatal(err)
	}
	return func() (sipcall.Stream, error) {
		s, err := p.Open()
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// log is written while it is read.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// rig is a trunk and, where a test has one, the phone behind it.
type rig struct {
	*trunk.Carrier
	phone *handset
	log   *log
}

// start runs a trunk towards a proxy. Its log is searched for the number and the
// code at the end.
func start(t *testing.T, proxy string, cfg trunk.Config) rig {
	t.Helper()
	return startOn(t, engine(t), proxy, cfg)
}

func startOn(t *testing.T, e *media.Engine, proxy string, cfg trunk.Config) rig {
	t.Helper()
	r := rig{log: &log{}}
	cfg.Caller.Proxies, cfg.Caller.Bind, cfg.Caller.OptionsInterval = []string{proxy}, loopback(), -1
	if cfg.Caller.Open == nil {
		cfg.Caller.Open = open(t, e)
	}
	cfg.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Caller.Log = cfg.Log
	if cfg.Speaker == nil {
		cfg.Speaker = fake{}
	}
	if cfg.CallerIDs == nil {
		cfg.CallerIDs = []trunk.CallerID{{Number: callerID}}
	}
	var err error
	if r.Carrier, err = trunk.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close() // a peer that is gone answers no BYE
		for what, text := range map[string]string{"called number": number[3:], "caller ID": callerID[3:], "code": carriertest.Code().Reveal()} {
			if strings.Contains(r.log.String(), text) {
				t.Errorf("the log holds the %s", what)
			}
		}
	})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// handset is a phone behind a trunk: another caller, to which calls come.
type handset struct {
	*sipcall.Caller
	mu   sync.Mutex
	does func(context.Context, *sipcall.Incoming)
	from []string // whom it was shown
	to   []string
}

// act sets what the phone does with calls.
func (h *handset) act(does func(context.Context, *sipcall.Incoming)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.does = does
}

func (h *handset) rings(ctx context.Context, in *sipcall.Incoming) {
	h.mu.Lock()
	does := h.does
	h.from, h.to = append(h.from, in.From), append(h.to, in.To)
	h.mu.Unlock()
	if does != nil {
		does(ctx, in)
	}
}

// seen are whom the phone was shown, and as whom it was called.
func (h *handset) seen() (from, to []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.from), slices.Clone(h.to)
}

// pair is a trunk with a phone behind it.
func pair(t *testing.T, cfg trunk.Config) rig {
	t.Helper()
	e := engine(t)
	h := newHandset(t, e)
	r := startOn(t, e, h.Addr().String(), cfg)
	r.phone = h
	return r
}

func newHandset(t *testing.T, e *media.Engine) *handset {
	t.Helper()
	h := &handset{}
	var err error
	h.Caller, err = sipcall.New(sipcall.Config{
		Proxies: []string{"127.0.0.1:9"}, Bind: loopback(), OptionsInterval: -1, MaxIncoming: 100, Open: open(t, e),
		Peers: peers(), Incoming: h.rings,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = h.Stop(ctx)
	})
	return h
}

// answers takes the call, presses keys after a while, again and again if it
// repeats, and stays until it is hung up on.
func answers(keys string, after time.Duration, repeats bool) func(context.Context, *sipcall.Incoming) {
	return func(ctx context.Context, in *sipcall.Incoming) {
		line, err := in.Answer(ctx)
		if err != nil {
			return
		}
		defer func() { _ = line.Hangup(context.Background()) }()
		for line.Pause(ctx, after) == nil && keys != "" {
			if line.SendKeys(ctx, keys) != nil || !repeats {
				break
			}
		}
		<-line.Gone()
	}
}

// rejects refuses with a status.
func rejects(status int) func(context.Context, *sipcall.Incoming) {
	return func(_ context.Context, in *sipcall.Incoming) { _ = in.Reject(status) }
}

// hangsUp answers and is gone a moment later.
func hangsUp(ctx context.Context, in *sipcall.Incoming) {
	if line, err := in.Answer(ctx); err == nil {
		_ = line.Pause(ctx, 200*time.Millisecond)
		_ = line.Hangup(context.Background())
	}
}

// lies lets it ring until the caller gives up.
func lies(ctx context.Context, _ *sipcall.Incoming) { <-ctx.Done() }

// voice is a call whose silences and menu are left out: they take real time.
func voice(t *testing.T, gate script.Gate) carrier.Call {
	t.Helper()
	c := carriertest.Voice(t, number, gate)
	c.Script.Parts = slices.DeleteFunc(slices.Clone(c.Script.Parts), func(p script.Part) bool {
		return p.Kind == script.KindSilence || p.Kind == script.KindMenu
	})
	return c
}

func parse(t *testing.T, s string) phone.Number {
	t.Helper()
	n, err := phone.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
