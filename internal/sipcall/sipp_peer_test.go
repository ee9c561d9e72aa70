package sipcall_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// scenario is a call to SIPp, which plays testdata/sipp/FILE.xml.
type scenario struct {
	file string
	cfg  sipcall.Config
	args []string // of SIPp
	ring time.Duration
	// want is how the call fails; its zero value: it is answered.
	want sipcall.Failure
	// answered is the call; nil: something is played, and we hang up.
	answered func(*testing.T, *sippCall)
}

// sippCall is a call that SIPp answered.
type sippCall struct {
	*sipcall.Call
	trunk *trunk
	sound *siptest.Sound // SIPp's RTP socket
	run   *siptest.Run
	r     result
	begun time.Time // the INVITE
}

// realMedia gives streams of a real engine, each with ports of its own, so that a
// stream that is left behind is an open file.
func realMedia(t *testing.T, e *media.Engine) func() (sipcall.Stream, error) {
	t.Helper()
	pool, err := e.Pool(media.PoolConfig{Bind: netip.MustParseAddr("127.0.0.1"), Sockets: media.PerCall, DSCP: -1})
	if err != nil {
		t.Fatal(err)
	}
	return func() (sipcall.Stream, error) {
		s, err := pool.Open()
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

func newEngine(t *testing.T) *media.Engine {
	t.Helper()
	e, err := media.New(media.Config{Workers: 1, LateLimit: -1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// chirp is a second of sound.
func chirp() *audio.Clip {
	key, _ := audio.Tone('5', time.Second) // 5 is a key
	return audio.NewClip(key)
}

// TestSIPp calls SIPp in every way that a call can end.
func TestSIPp(t *testing.T) {
	// Not parallel: after each call it counts the process's goroutines and files.
	credentials := sipcall.Config{Auth: sipcall.Auth{User: "shop", Password: "open sesame"}}
	short := 400 * time.Millisecond
	for _, s := range []scenario{
		{file: "busy", want: sipcall.Failure{Class: sipcall.Busy, Fault: sipcall.FaultPerson, Status: 486, MayHaveRung: true}},
		{file: "decline", want: sipcall.Failure{Class: sipcall.Rejected, Fault: sipcall.FaultPerson, Status: 603, Q850: 21, MayHaveRung: true}},
		{file: "not_found", want: sipcall.Failure{Class: sipcall.Unreachable, Fault: sipcall.FaultNumber, Status: 404}},
		{file: "unavailable", want: sipcall.Failure{Class: sipcall.Unreachable, Fault: sipcall.FaultNumber, Status: 480, Q850: 20}},
		{file: "overloaded", want: sipcall.Failure{Class: sipcall.Failed, Fault: sipcall.FaultCarrier, Status: 503, RetryAfter: 30 * time.Second}},
		{file: "no_answer", ring: short, want: sipcall.Failure{Class: sipcall.NoAnswer, Fault: sipcall.FaultPerson, Status: 487, MayHaveRung: true}},
		{file: "many_then_nothing", ring: short, want: sipcall.Failure{Class: sipcall.NoAnswer, Fault: sipcall.FaultPerson, Status: 487, MayHaveRung: true}},
		{file: "record_route_cancel", ring: short, want: sipcall.Failure{Class: sipcall.NoAnswer, Fault: sipcall.FaultPerson, Status: 487, MayHaveRung: true}},
		{file: "glare", ring: short, want: sipcall.Failure{Class: sipcall.NoAnswer, Fault: sipcall.FaultPerson, Status: 200, MayHaveRung: true}},
		{file: "silent", ring: short, want: sipcall.Failure{Class: sipcall.Failed, Fault: sipcall.FaultCarrier, MayHaveRung: true}},
		{file: "many_provisionals"},
		{file: "unauthorized", cfg: credentials, answered: digestAnswered},
		{file: "proxy_auth", cfg: credentials, answered: digestAnswered},
		{file: "early_media", answered: earlyAnswered},
		{file: "remote_bye", answered: hungUpOnUs},
		{file: "hold", answered: held},
		{file: "update", answered: held},
		{file: "forked"},
		{file: "repeated_ok", args: []string{"-nr"}},
		{file: "keys", answered: keysOfTwoTypes},
	} {
		t.Run(s.file, s.run)
	}
}

// run plays the scenario, and looks for what it left behind: first beside the
// running caller, then after all is closed.
func (s scenario) run(t *testing.T) {
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	engine, sound := newEngine(t), siptest.Listen(t)
	run := siptest.SIPp(t, siptest.Scenario{
		File: "testdata/sipp/" + s.file + ".xml", Keys: map[string]string{"sound_port": sound.Port()}, Args: s.args,
	})
	s.cfg.Proxies, s.cfg.Open = []string{run.Addr()}, realMedia(t, engine)
	tr := start(t, s.cfg)
	idleFiles, idle := openFiles(t), runtime.NumGoroutine()
	begun := time.Now()
	r := get(t, tr.place(t.Context(), sipcall.Invite{To: number, From: callerID, RingTimeout: or(s.ring > 0, s.ring, 5*time.Second)}))
	if s.want.Class != "" {
		s.mustFail(t, r)
	} else {
		s.mustAnswer(t, &sippCall{Call: r.call, trunk: tr, sound: sound, run: run, r: r, begun: begun})
	}
	if n := tr.Calls(); n != 0 {
		t.Errorf("%d calls are left", n)
	}
	if s.file != "silent" { // whose INVITE is followed for as long as it may still be answered
		settled(t, idle)
		filesSettled(t, idleFiles)
	}
	run.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := tr.Stop(ctx); err != nil && s.file != "silent" {
		t.Error(err)
	}
	_ = engine.Close()
	sound.Close()
	settled(t, goroutines)
	filesSettled(t, files)
}

func (s scenario) mustFail(t *testing.T, r result) {
	t.Helper()
	if r.failure == nil {
		t.Fatal("the call was answered")
	}
	f := r.failure
	got := sipcall.Failure{Class: f.Class, Fault: f.Fault, Status: f.Status, Q850: f.Q850, MayHaveRung: f.MayHaveRung, RetryAfter: f.RetryAfter}
	if d := cmp.Diff(s.want, got); d != "" {
		t.Error(d)
	}
}

func (s scenario) mustAnswer(t *testing.T, c *sippCall) {
	t.Helper()
	if c.Call == nil {
		t.Fatalf("the call failed: %v", c.r.failure)
	}
	if s.answered != nil {
		s.answered(t, c)
	} else if err := c.Play(t.Context(), audio.NewClip(audio.Silence(100*time.Millisecond))); err != nil {
		t.Error(err)
	}
	if err := c.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
}

// openFiles is the number of this process's open files.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("this system does not tell of open files: %v", err)
	}
	return len(all)
}

// filesSettled waits until no more files are open than before.
func filesSettled(t *testing.T, before int) {
	t.Helper()
	for limit := time.Now().Add(siptest.Patience); openFiles(t) > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d open files, %d before", openFiles(t), before)
		}
	}
}

// digestAnswered recomputes the credentials (RFC 2617 3.2.2) that SIPp was given.
func digestAnswered(t *testing.T, c *sippCall) {
	t.Helper()
	if err := c.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	c.run.Wait()
	text := c.run.Log()
	field := func(name string) string {
		m := regexp.MustCompile(`\b` + name + `="?([^",\s]+)`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in what SIPp was sent", name)
		}
		return m[1]
	}
	sum := func(parts ...string) string { return fmt.Sprintf("%x", md5.Sum([]byte(strings.Join(parts, ":")))) }
	want := sum(sum("shop", "carrier.example", "open sesame"), field("nonce"), field("nc"), field("cnonce"), "auth", sum("INVITE", field("uri")))
	if got := field("response"); got != want || field("username") != "shop" || field("nc") != "00000001" {
		t.Errorf("the credentials are wrong: response %s, want %s", got, want)
	}
}

// earlyAnswered looks for sound before the answer: there is none.
func earlyAnswered(t *testing.T, c *sippCall) {
	t.Helper()
	kinds := map[sipcall.ProgressKind]bool{}
	for _, p := range c.r.progress {
		kinds[p.Kind] = true
	}
	if waited := c.Answered().Sub(c.begun); waited < 600*time.Millisecond || !kinds[sipcall.Early] {
		t.Errorf("answered after %v, progress %v", waited, c.r.progress)
	}
	if err := c.Play(t.Context(), chirp()); err != nil {
		t.Error(err)
	}
	c.sound.Await(0, 50)
	if before := c.sound.First().Sub(c.begun); before < 600*time.Millisecond {
		t.Errorf("sound came %v after the INVITE, before the answer", before)
	}
}

// hungUpOnUs plays until the other end hangs up.
func hungUpOnUs(t *testing.T, c *sippCall) {
	t.Helper()
	err := c.Play(t.Context(), audio.NewClip(audio.Silence(20*time.Second)))
	at := time.Now()
	if !errors.Is(err, sipcall.ErrGone) {
		t.Errorf("Play: %v", err)
	}
	if end, _ := c.End(); end.By != sipcall.ByThem {
		t.Errorf("end %+v", end)
	}
	time.Sleep(100 * time.Millisecond) // five frames that must not come
	if n, last := c.sound.Packets(0); n < 20 || last.Sub(at) > 60*time.Millisecond {
		t.Errorf("%d packets, the last one %v after the end", n, last.Sub(at))
	}
}

// held is a call that is put on hold for 0.6 s: nothing is sent then, and what
// plays waits: all of it is heard.
func held(t *testing.T, c *sippCall) {
	t.Helper()
	begun := time.Now()
	if err := c.Play(t.Context(), audio.NewClip(audio.Silence(1500*time.Millisecond))); err != nil {
		t.Error(err)
	}
	lasted := time.Since(begun)
	n, _ := c.sound.Packets(0)
	if n < 70 || n > 90 || lasted < 2000*time.Millisecond || lasted > 3000*time.Millisecond {
		t.Errorf("%d packets in %v, want 75 in 2.1 s", n, lasted)
	}
}

// keysOfTwoTypes takes keys of the type that we offered, and sends those of the
// type that was answered: each end says what it receives (RFC 3264 section 5.1).
func keysOfTwoTypes(t *testing.T, c *sippCall) {
	t.Helper()
	c.sound.Await(0, 1)
	c.sound.Press(101, 7)
	if k := get(t, c.Keys()); k != '7' {
		t.Errorf("key %q", k)
	}
	if err := c.SendKeys(t.Context(), "4"); err != nil {
		t.Error(err)
	}
	c.sound.Await(96, 3)
	if n, _ := c.sound.Packets(101); n != 0 {
		t.Errorf("%d packets of our own type went out", n)
	}
}
