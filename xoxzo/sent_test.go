package xoxzo_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pincall/pincall/xoxzo"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// deafClient returns a client of a base URL that is nobody's.
func deafClient(t *testing.T, base string, hc *http.Client) *xoxzo.Client {
	t.Helper()
	client, err := xoxzo.New(xoxzo.Config{
		SID: "s", AuthToken: "t", BaseURL: base, HTTPClient: hc, RetryWait: time.Millisecond, Timeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestNothingWasSent(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + lis.Addr().String()
	_ = lis.Close()
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsServer.StartTLS() // its certificate is not trusted
	t.Cleanup(tlsServer.Close)
	noName := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	}}}
	noHooks := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	})}
	slowDial := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	soon, cancelSoon := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancelSoon)
	for name, tc := range map[string]struct {
		client *xoxzo.Client
		ctx    context.Context
		is     error
	}{
		"refused":        {deafClient(t, closed, nil), t.Context(), nil},
		"tls":            {deafClient(t, tlsServer.URL, nil), t.Context(), nil},
		"name":           {deafClient(t, "https://api.example.invalid", noName), t.Context(), nil},
		"no hooks":       {deafClient(t, closed, noHooks), t.Context(), nil},
		"ended before":   {deafClient(t, closed, nil), ended, context.Canceled},
		"while dialling": {deafClient(t, closed, slowDial), soon, context.DeadlineExceeded},
	} {
		_, err := tc.client.CallTTSPlayback(tc.ctx, playback())
		if err == nil || xoxzo.MayHaveBeenSent(err) || tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%s: sent %t: %v", name, xoxzo.MayHaveBeenSent(err), err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestItMayHaveBeenSent(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, func(c *xoxzo.Config) { c.Timeout = 200 * time.Millisecond })
	server.Fail(xoxzotest.OpPlayback, xoxzotest.Fault{Hang: true, Acts: true})
	_, err := client.CallTTSPlayback(t.Context(), playback())
	if !xoxzo.MayHaveBeenSent(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hang: %v", err)
	}
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("hang: not a time-out: %v", err)
	}
	if n := len(server.Calls()); n != 1 {
		t.Errorf("%d calls placed, want the 1 whose answer was lost", n)
	}
	server.DropConnections(1)
	if _, err := client.CallTTSPlayback(t.Context(), playback()); !xoxzo.MayHaveBeenSent(err) {
		t.Errorf("dropped: %v", err)
	}
	strange := deafClient(t, server.URL, &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("something broke")
	})})
	if _, err := strange.CallTTSPlayback(t.Context(), playback()); !xoxzo.MayHaveBeenSent(err) {
		t.Errorf("unknown transport: %v", err)
	}
	if xoxzo.MayHaveBeenSent(nil) || !xoxzo.MayHaveBeenSent(errors.New("foreign")) {
		t.Error("nil or foreign errors")
	}
}

// quitter is a server that answers the first request of every connection, keeps the connection open, and closes it
// without an answer when a second request comes: what a client sees whose kept connection died as it was used.
func quitter(t *testing.T) (base string, posts *atomic.Int32) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	posts = new(atomic.Int32)
	serve := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for i := 0; ; i++ {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if req.Method == http.MethodPost {
				posts.Add(1)
			}
			if i > 0 {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"credits\": 10}"))
		}
	}
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return "http://" + lis.Addr().String(), posts
}

func TestAPostIsNeverRepeatedOnAStaleConnection(t *testing.T) {
	t.Parallel()
	base, posts := quitter(t)
	given := &http.Client{Transport: &http.Transport{}}
	client := deafClient(t, base, given)
	if _, err := client.Credits(t.Context()); err != nil { // leaves a kept connection
		t.Fatal(err)
	}
	_, err := client.CallTTSPlayback(t.Context(), playback())
	if err == nil || !xoxzo.MayHaveBeenSent(err) {
		t.Errorf("sent %t: %v", xoxzo.MayHaveBeenSent(err), err)
	}
	if n := posts.Load(); n != 1 {
		t.Errorf("the server saw %d POSTs, want exactly 1", n)
	}
	// The control: net/http does repeat the same request when it is allowed to, so this server can tell.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", "x")
	warm, err := given.Get(base)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, warm.Body) // a connection is kept only when its answer was read
	_ = warm.Body.Close()
	posts.Store(0)
	resp, err := given.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if posts.Load() != 2 {
		t.Errorf("control: %d POSTs, want 2", posts.Load())
	}
}

func TestPostsUseFreshConnections(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	for range 3 {
		if _, err := client.CallTTSPlayback(t.Context(), playback()); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Credits(t.Context()); err != nil {
			t.Fatal(err)
		}
		server.CloseIdleConnections() // the next POST must not notice
	}
	if n := len(server.Calls()); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestStaleReadsAndIdleClose(t *testing.T) {
	t.Parallel()
	base, _ := quitter(t)
	client := deafClient(t, base, nil)
	for range 5 { // every second read meets a connection that dies
		if _, err := client.Credits(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
