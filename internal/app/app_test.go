package app_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
	"github.com/pincall/pincall/internal/app"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// running is a whole pincall in this process, with a client of its API.
type running struct {
	*client.Client
	t    *testing.T
	dir  string
	out  *buffer
	log  *buffer
	main *app.Main
	stop func()
	dump func() string // the rows of a shared database; nil: the database is in dir
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// run starts a pincall on a folder with a configuration.
func run(t *testing.T, dir, config string, env map[string]string) *running {
	t.Helper()
	if !strings.Contains(config, "stop_after:") { // a test does not wait for simulated calls
		config = "stop_after: 100ms\n" + config
	}
	if err := os.WriteFile(filepath.Join(dir, "pincall.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, dir: dir, out: &buffer{}, log: &buffer{}}
	cfg := app.Config{
		Listen: "127.0.0.1:0", Data: dir, Getenv: func(k string) string { return env[k] }, Stdout: r.out,
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	var err error
	if r.main, err = app.New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.main.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, r.main.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	key, err := app.ReadKeyFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Client, err = client.New(client.Config{BaseURL: "http://" + r.main.Addr(), Key: client.Secret(key)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *running) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) begin(req client.StartRequest) client.Verification {
	r.t.Helper()
	v, err := r.Start(r.t.Context(), req)
	r.ok(err)
	return v
}

// until waits for a verification that satisfies a condition.
func (r *running) until(id, what string, ok func(client.Verification) bool) client.Verification {
	r.t.Helper()
	for range 1500 {
		v, err := r.Get(r.t.Context(), id)
		r.ok(err)
		if ok(v) {
			return v
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("%s does not come", what)
	return client.Verification{}
}

func attemptEnded(v client.Verification) bool {
	return v.Attempts[len(v.Attempts)-1].State == "ended"
}

// xoxzoConfig has one route, to a test server.
func xoxzoConfig(s *xoxzotest.Server) (string, map[string]string) {
	return "guard: {countries: [JP, US]}\nroutes:\n- {carrier: xoxzo, caller: \"815012345678\", sender: Acme, base_url: \"" + s.URL + "\"}\n",
		map[string]string{"XOXZO_API_SID": s.SID, "XOXZO_API_AUTH_TOKEN": s.AuthToken}
}

// The tutorial's path: a TTS call in the right language, read back, approved.
func TestThroughXoxzo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ to, locale, lang string }{
		"mobile":            {"+818012345678", "", "ja"},
		"landline":          {"+81312345678", "en", "en"},
		"another country":   {"+14155550100", "", "en"},
		"region of English": {"+818012345679", "en-GB", "en"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := xoxzotest.New(t)
			config, env := xoxzoConfig(x)
			r := run(t, t.TempDir(), config, env)
			v := r.begin(client.StartRequest{To: tt.to, Locale: tt.locale, Brand: "Acme"})
			r.until(v.ID, "the call", func(client.Verification) bool { return len(x.Calls()) == 1 })
			call := x.Calls()[0]
			if call.Recipient != tt.to || call.Lang != tt.lang || call.Caller != "815012345678" {
				t.Errorf("call to the right number: %v, lang %s, caller %s", call.Recipient == tt.to, call.Lang, call.Caller)
			}
			heard, err := script.ReadBack(call.Message, tt.lang, 6)
			if err != nil || len(heard) < 2 || heard[0] != heard[1] {
				t.Fatalf("read back %d times, %v", len(heard), err)
			}
			code, err := secret.ParseCode(heard[0])
			r.ok(err)
			if p := script.LintText(call.Message, tt.lang, code); len(p) != 0 {
				t.Errorf("the linter says %v", p)
			}
			got, err := r.Check(t.Context(), v.ID, client.CheckRequest{Code: client.Secret(heard[0])})
			r.ok(err)
			if !got.Valid || got.Status != "approved" {
				t.Errorf("got %+v", got)
			}
			done := r.until(v.ID, "the end of the call", attemptEnded)
			if a := done.Attempts[0]; a.Outcome != "answered" || !a.Ungated {
				t.Errorf("outcome %s, ungated %v: an answered call is not a heard one, and it had no gate", a.Outcome, a.Ungated)
			}
		})
	}
}

// What Xoxzo can answer, and what a caller is told of it.
func TestXoxzoRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		fault   xoxzotest.Fault
		prepare func(*xoxzotest.Server, map[string]string)
		outcome string
		status  string
		placed  int
	}{
		{name: "no credentials", prepare: func(_ *xoxzotest.Server, env map[string]string) { clear(env) },
			outcome: "carrier_refused", status: "failed"},
		{name: "wrong credentials", prepare: func(_ *xoxzotest.Server, env map[string]string) { env["XOXZO_API_AUTH_TOKEN"] = "no" },
			outcome: "carrier_refused", status: "failed"},
		{name: "no credit", fault: xoxzotest.NotEnoughCredits(), outcome: "carrier_refused", status: "pending"},
		{name: "number refused", fault: xoxzotest.BadField("recipient", "This field is wrong: +818012345678"),
			outcome: "carrier_refused", status: "failed"},
		{name: "caller refused", fault: xoxzotest.BadField("caller", "Bad caller."), outcome: "carrier_refused", status: "pending"},
		{name: "broken", fault: xoxzotest.Fault{Status: 502, Body: "<html>"}, outcome: "carrier_failed", status: "pending"},
		{name: "answer lost", fault: xoxzotest.Fault{Drop: true, Acts: true}, outcome: "carrier_failed", status: "pending", placed: 1},
		{name: "gone", prepare: func(x *xoxzotest.Server, _ map[string]string) { x.Close() }, outcome: "carrier_failed", status: "pending"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := xoxzotest.New(t)
			config, env := xoxzoConfig(x)
			if tt.prepare != nil {
				tt.prepare(x, env)
			} else {
				x.Fail(xoxzotest.OpPlayback, tt.fault)
			}
			r := run(t, t.TempDir(), config, env)
			v := r.begin(client.StartRequest{To: "+818012345678"})
			v = r.until(v.ID, "the end", attemptEnded)
			a := v.Attempts[0]
			if a.Outcome != tt.outcome || v.Status != tt.status || len(v.Attempts) != 1 {
				t.Errorf("%s, %s after %d attempts, want %s, %s", a.Outcome, v.Status, len(v.Attempts), tt.outcome, tt.status)
			}
			if a.Reason == "" || strings.Contains(a.Reason, "credits, required") || strings.Contains(a.Reason, "caller.") {
				t.Errorf("the reason is ours, not the carrier's: %q", a.Reason)
			}
			if len(x.Calls()) != tt.placed {
				t.Errorf("%d calls placed, want %d", len(x.Calls()), tt.placed)
			}
			if log := r.log.String(); !strings.Contains(log, "detail=") || strings.Contains(log, "8012345678") {
				t.Error("the log has the carrier's reason, and not the number")
			}
		})
	}
}

// Callbacks are for the tokens that were given out; what is posted is not read.
func TestUnknownCallback(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	config, env := xoxzoConfig(x)
	r := run(t, t.TempDir(), config, env)
	res, err := http.PostForm("http://"+r.main.Addr()+"/callbacks/xoxzo/0123456789abcdef", url.Values{"status": {"ANSWERED"}})
	r.ok(err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", res.StatusCode)
	}
	if strings.Contains(r.log.String(), "0123456789abcdef") {
		t.Error("the token is in the log")
	}
}

func TestRealCarrierWithoutCountriesRefuses(t *testing.T) {
	t.Parallel()
	x := xoxzotest.New(t)
	config, env := xoxzoConfig(x)
	config = strings.Replace(config, "guard: {countries: [JP, US]}\n", "", 1)
	r := run(t, t.TempDir(), config, env)
	_, err := r.Start(t.Context(), client.StartRequest{To: "+818012345678"})
	var e *client.Error
	if !errors.As(err, &e) || e.Status != 403 || !strings.Contains(e.Detail, "guard.countries") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(r.log.String(), "guard.countries") || len(x.Requests()) != 0 {
		t.Error("the start says so, too, and nothing is asked of the carrier")
	}
}
