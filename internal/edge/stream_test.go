package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/verify"
)

// streaming is a real server with one stream, at GET /s.
type streaming struct {
	*httptest.Server
	mux  *Mux
	ends chan error // what each handler ended with
}

// stay sends one event and stays until the stream must end.
func stay(s *Stream) error {
	if err := s.Send(Event{ID: 1, Name: "hello", Data: []byte("{}")}); err != nil {
		return err
	}
	gone, stopping := s.Done()
	select {
	case <-gone:
		return context.Canceled
	case <-stopping:
		return nil
	}
}

func newStreaming(t *testing.T, limits StreamLimits, h func(*Stream) error, change func(*httptest.Server)) *streaming {
	t.Helper()
	m := New(Config{
		Keys:   keys{"pck_reader": {ID: "k1", Account: "acc", Scopes: []account.Scope{account.ScopeRead}}},
		Tokens: tokens("pct_token"), Log: slog.New(slog.DiscardHandler), Streams: limits,
	})
	out := &streaming{mux: m, ends: make(chan error, 16)}
	m.Handle(Route{Method: "GET", Pattern: "/s", Access: Access{Scopes: []account.Scope{account.ScopeRead}, Token: true}},
		func(w http.ResponseWriter, r *Request) error {
			s, err := OpenStream(w, r)
			if err != nil {
				return err
			}
			defer s.Close()
			out.ends <- h(s)
			return nil
		})
	out.Server = httptest.NewUnstartedServer(m)
	if change != nil {
		change(out.Server)
	}
	if out.EnableHTTP2 {
		out.StartTLS()
	} else {
		out.Start()
	}
	t.Cleanup(func() { m.CloseStreams(); out.Close() })
	return out
}

// open asks for the stream.
func (s *streaming) open(t *testing.T, credential string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/s", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// end waits for a handler to end.
func (s *streaming) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ends:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the stream goes on")
		return nil
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	s := newStreaming(t, StreamLimits{PerCaller: 2, InAll: 3}, stay, nil)
	first := s.open(t, "pck_reader")
	s.open(t, "pck_reader")
	refused := s.open(t, "pck_reader")
	if refused.StatusCode != 429 || refused.Header.Get("Retry-After") != "5" || refused.Header.Get("Content-Type") != ProblemType {
		t.Errorf("one too many for the key: %d %v", refused.StatusCode, refused.Header)
	}
	if r := s.open(t, "pct_token"); r.StatusCode != 200 {
		t.Errorf("the token's: %d", r.StatusCode)
	}
	if r := s.open(t, "pct_token"); r.StatusCode != 429 {
		t.Errorf("one too many in all: %d", r.StatusCode)
	}
	_ = first.Body.Close()
	if err := s.end(t); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by the caller's leaving with %v", err)
	}
	if again := s.eventually(t, "pck_reader"); !again {
		t.Error("a place that was left is not free")
	}
	s.mux.CloseStreams()
	s.mux.CloseStreams() // harmless
	for range 3 {
		if err := s.end(t); err != nil {
			t.Errorf("ended by the server's stop with %v", err)
		}
	}
}

// eventually opens a stream as soon as there is room: the handler that made it
// has ended a moment before it is counted out.
func (s *streaming) eventually(t *testing.T, credential string) bool {
	t.Helper()
	for range 200 {
		if s.open(t, credential).StatusCode == 200 {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// The server's time-outs are for requests that are answered at once.
func TestStreamOutlivesTheServersTimeouts(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outlives(t, name, http2)
		})
	}
}

func outlives(t *testing.T, proto string, http2 bool) {
	t.Helper()
	s := newStreaming(t, StreamLimits{}, func(s *Stream) error {
		gone, _ := s.Done()
		select {
		case <-gone:
			return errors.New("cut off")
		case <-time.After(400 * time.Millisecond):
		}
		if err := s.Beat(); err != nil {
			return err
		}
		return s.Send(Event{ID: 7, Name: "late", Data: []byte(`{"a":1}`)})
	}, func(srv *httptest.Server) {
		srv.EnableHTTP2 = http2
		srv.Config.ReadTimeout, srv.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	})
	r := s.open(t, "pck_reader")
	b, err := io.ReadAll(r.Body)
	want := "retry: 2000\n\n:\n\nid: 7\nevent: late\ndata: {\"a\":1}\n\n"
	if err != nil || string(b) != want || r.Proto != proto || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v: %q as %s", err, b, r.Header.Get("Content-Type"))
	}
	if err := s.end(t); err != nil {
		t.Error(err)
	}
}

// A caller that takes nothing is cut off; one that reads is not.
func TestSlowReaderIsCut(t *testing.T) {
	t.Parallel()
	const write = 300 * time.Millisecond
	s := newStreaming(t, StreamLimits{Write: write}, func(s *Stream) error {
		data := []byte(strings.Repeat("a", 1<<20))
		for id := range 200 { // more than any system keeps for a connection
			began := time.Now()
			if err := s.Send(Event{ID: id + 1, Name: "much", Data: data}); err != nil {
				if took := time.Since(began); took > 10*write {
					t.Errorf("it was waited for %v", took)
				}
				return err
			}
		}
		return nil
	}, nil)
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer pck_reader\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	if err := s.end(t); err == nil {
		t.Error("a reader that takes nothing was not cut off")
	}
}

func TestLastEventID(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		header, query string
		want          int
		bad           bool
	}{
		"neither": {}, "header": {header: "12", want: 12}, "query": {query: "?last_event_id=3", want: 3},
		"header first": {header: "4", query: "?last_event_id=3", want: 4}, "zero": {header: "0"},
		"letters": {header: "a", bad: true}, "negative": {header: "-1", bad: true}, "sign": {header: "+1", bad: true},
		"huge": {header: "99999999999999999999", bad: true}, "too large": {query: "?last_event_id=2147483648", bad: true},
		"empty query": {query: "?last_event_id=", bad: true}, "half": {header: "1.5", bad: true}, "space": {header: "1 2", bad: true},
	} {
		r := &Request{Request: httptest.NewRequest("GET", "/s"+row.query, nil)}
		if row.header != "" {
			r.Header.Set("Last-Event-ID", row.header)
		}
		got, err := LastEventID(r)
		var e *verify.Error
		if bad := errors.As(err, &e) && e.Code == verify.BadInput; got != row.want || bad != row.bad || !bad && err != nil {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

// One account's many client tokens leave room for the others.
func TestStreamsOfOneAccount(t *testing.T) {
	t.Parallel()
	s := newStreams(StreamLimits{PerCaller: 2, InAll: 50})
	for i := range 20 {
		if err := s.enter(verify.Caller{Account: "greedy", Verification: string(rune('a' + i))}); err != nil {
			t.Fatal(err)
		}
	}
	next := verify.Caller{Account: "greedy", Verification: "z"}
	if err := s.enter(next); err == nil {
		t.Error("more than the account's share")
	}
	if err := s.enter(verify.Caller{Account: "other", Key: "k"}); err != nil {
		t.Errorf("another account: %v", err)
	}
	s.leave(verify.Caller{Account: "greedy", Verification: "a"})
	if err := s.enter(next); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
}
