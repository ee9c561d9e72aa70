package web

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/phone"
)

// served is a real server with phones; get asks it with the admin key.
func served(t *testing.T, p *phones) (m *edge.Mux, get func(path string) *http.Response) {
	t.Helper()
	m = edge.New(edge.Config{Keys: keys{}, Log: slog.New(slog.DiscardHandler)})
	Register(m, Config{Phones: p, Times: Times{Gap: time.Millisecond, Beat: 20 * time.Millisecond}})
	srv := httptest.NewServer(m)
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return m, func(path string) *http.Response {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer pck_admin")
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for path, row := range map[string]struct{ name, open, end string }{
		"/sim/phones/+81312345678/events": {"phone", "", ""},
		"/sim/events":                     {"phones", `{"phones":[`, `]}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := &phones{show: Phone{Number: "+81312345678", State: "ringing"}}
			m, get := served(t, p)
			resp := get(path)
			lines := bufio.NewScanner(resp.Body)
			next := func() (event, beats string) {
				for lines.Scan() {
					switch line := lines.Text(); {
					case line == ":":
						beats += line
					case strings.HasPrefix(line, "id: "), strings.HasPrefix(line, "event: "):
						event += line + " "
					case strings.HasPrefix(line, "data: "):
						return event + strings.TrimPrefix(line, "data: "), beats
					}
				}
				return "the end", beats
			}
			first, _ := next()
			want := func(id, state, heard string) string {
				return "id: " + id + " event: " + row.name + " " + row.open + `{"number":"+81312345678","state":"` + state + `","heard":[` + heard + `],"messages":[]}` + row.end
			}
			if first != want("1", "ringing", "") || resp.Header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("at first: %s", first)
			}
			p.becomes(p.show) // no news
			time.Sleep(50 * time.Millisecond)
			p.becomes(Phone{Number: "+81312345678", State: "in_call", Heard: []string{"hello"}})
			second, beats := next()
			if second != want("2", "in_call", `"hello"`) || beats == "" {
				t.Errorf("then: %s, beats %q", second, beats)
			}
			m.CloseStreams()
			if last, _ := next(); last != "the end" {
				t.Errorf("after the server stopped: %s", last)
			}
		})
	}
}

// revoked are keys of which the admin's stops working.
type revoked struct {
	keys
	gone atomic.Bool
}

func (k *revoked) Authenticate(ctx context.Context, presented string) (account.Key, error) {
	if k.gone.Load() {
		return account.Key{}, account.ErrUnauthorized
	}
	return k.keys.Authenticate(ctx, presented)
}

// A key that was revoked hears no more, however much happens to phones, and who
// has no news is still told that the stream lives.
func TestEventsOfBusyPhones(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]bool{"revoked": true, "beats": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, k := &phones{}, &revoked{}
			m := edge.New(edge.Config{Keys: k, Log: slog.New(slog.DiscardHandler)})
			Register(m, Config{Phones: p, Times: Times{Gap: time.Millisecond, Beat: 200 * time.Millisecond, Readmit: 200 * time.Millisecond}})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/sim/events", nil)
			r.Header.Set("Authorization", "Bearer pck_admin")
			w, over := httptest.NewRecorder(), make(chan struct{})
			go func() { defer close(over); m.ServeHTTP(w, r) }()
			busy := time.NewTicker(5 * time.Millisecond)
			defer busy.Stop()
			stop := time.After(2 * time.Second)
			for open := true; open; {
				select {
				case <-busy.C:
					watched := p.becomes(Phone{State: "idle"})
					k.gone.Store(k.gone.Load() || watched && revoke)
				case <-over:
					open = false
				case <-stop:
					open = false
					if revoke {
						t.Error("the stream goes on")
					}
				}
			}
			cancel()
			<-over
			if w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
			if !revoke && !strings.Contains(w.Body.String(), "\n:\n") {
				t.Errorf("no beat: %s", w.Body)
			}
		})
	}
}

func TestSound(t *testing.T) {
	t.Parallel()
	frame := bytes.Repeat([]byte{0x55}, 160)
	p := &phones{sound: func(yield func([]byte) bool) {
		for range 3 {
			if !yield(frame) {
				return
			}
		}
	}}
	_, get := served(t, p)
	resp := get("/sim/phones/+81312345678/sound")
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, bytes.Repeat(frame, 3)) || resp.Header.Get("Content-Type") != "audio/basic" {
		t.Errorf("%d bytes of %s, error %v", len(got), resp.Header.Get("Content-Type"), err)
	}
	for err, status := range map[error]int{ErrNotInCall: 409, ErrListeners: 429} {
		if w, _ := ask(&phones{err: err}, "GET /sim/phones/+81312345678/sound", ""); w.Code != status {
			t.Errorf("%v: %d", err, w.Code)
		}
	}
}

// A server that stops does not wait for a phone that rings.
func TestSoundEndsWithTheServer(t *testing.T) {
	t.Parallel()
	p := &silent{began: make(chan struct{})}
	m := edge.New(edge.Config{Keys: keys{}, Log: slog.New(slog.DiscardHandler)})
	Register(m, Config{Phones: p})
	over := make(chan struct{})
	go func() {
		defer close(over)
		r := httptest.NewRequest(http.MethodGet, "/sim/phones/+81312345678/sound", nil)
		r.Header.Set("Authorization", "Bearer pck_admin")
		m.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-p.began
	m.CloseStreams()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("the stream goes on")
	}
}

func TestListOfPhones(t *testing.T) {
	t.Parallel()
	w, _ := ask(&phones{show: Phone{Number: "+81312345678", State: "ended", Outcome: "machine", Next: "busy"}}, "GET /sim/phones", "")
	want := `{"phones":[{"number":"+81312345678","state":"ended","heard":[],"messages":[],"next":"busy","outcome":"machine"}]}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/sim/events", "/sim/phones/+81312345678/events", "/sim/phones/+81312345678/sound"} {
		if w, _ := ask(&phones{}, "HEAD "+path, ""); w.Code != http.StatusNoContent {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
		if w, _ := ask(&phones{}, "GET "+path, "", "Authorization", "Bearer pck_verify"); w.Code != http.StatusForbidden {
			t.Errorf("%s with a key without admin: %d", path, w.Code)
		}
	}
}

// silent is a phone that rings until nobody listens.
type silent struct {
	phones
	began chan struct{}
}

func (p *silent) Listen(ctx context.Context, _ string, _ phone.Number) (iter.Seq[[]byte], error) {
	return func(func([]byte) bool) {
		close(p.began)
		<-ctx.Done()
	}, nil
}
