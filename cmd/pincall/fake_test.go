package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/client"
)

// fakeServer is the native API with one verification and the simulator with one
// phone, for what the real server cannot be made to do at a given moment. A look
// at the verification moves the call on by one state.
type fakeServer struct {
	mu      sync.Mutex
	v       client.Verification
	phone   client.PhoneState
	code    string
	noPhone bool          // the key may not touch the simulator
	got     []string      // method and path of what changed something, keys and codes
	once    []string      // Idempotency-Keys of the starts
	started chan struct{} // the first start is announced here and gets no answer; nil: it gets one
	news    chan struct{} // each becomes an event; nil: there is no event stream
	srv     *httptest.Server
}

const fakeCode = "0542"

func newFake(t *testing.T) (*fakeServer, *client.Client) {
	t.Helper()
	f := &fakeServer{code: fakeCode, v: client.Verification{
		ID: "v1", Status: client.StatusPending, Locale: "en", Channel: "voice", Remaining: 3, Step: 1, Steps: 1,
		Attempts: []client.Attempt{{ID: "a1", Channel: "voice", State: client.StateQueued}},
	}, phone: client.PhoneState{State: client.PhoneIdle, Heard: []string{"an older call"}}}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.srv = srv
	c, err := client.New(client.Config{BaseURL: srv.URL, Key: "pck_test"})
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == "/v1/verifications" {
		f.once = append(f.once, r.Header.Get("Idempotency-Key"))
		if f.started != nil && len(f.once) == 1 {
			close(f.started)
			f.mu.Unlock()
			<-r.Context().Done()
			f.mu.Lock()
			return
		}
	}
	if r.Method == http.MethodPost {
		f.got = append(f.got, strings.TrimSpace(r.URL.Path+" "+string(body)))
	}
	if strings.HasPrefix(r.URL.Path, "/sim/") {
		f.servePhone(w, r)
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/events") && f.news == nil: // an older server
		w.WriteHeader(http.StatusNotFound)
	case strings.HasSuffix(r.URL.Path, "/events"):
		f.mu.Unlock()
		f.stream(w, r)
		f.mu.Lock()
	case r.Method == http.MethodGet:
		f.advance()
		answer(w, f.v)
	case strings.HasSuffix(r.URL.Path, "/check"):
		answer(w, f.check(string(body)))
	case strings.HasSuffix(r.URL.Path, "/cancel"):
		f.v.Status, f.v.Reason = client.StatusCanceled, "canceled"
		answer(w, f.v)
	case strings.HasSuffix(r.URL.Path, "/resend"):
		w.WriteHeader(http.StatusConflict)
		answer(w, map[string]string{"code": "attempt_in_progress", "detail": "a call is on its way"})
	default:
		answer(w, f.v)
	}
}

// stream sends an event for each of f.news.
func (f *fakeServer) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for id := 1; ; id++ {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-f.news:
			_, _ = fmt.Fprintf(w, "id: %d\ndata: {\"type\":\"news\"}\n\n", id)
			time.Sleep(100 * time.Millisecond) // so that each is looked at
		}
	}
}

func (f *fakeServer) servePhone(w http.ResponseWriter, r *http.Request) {
	if f.noPhone {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	switch {
	case r.Method == http.MethodGet:
		answer(w, f.phone)
		return
	case strings.HasSuffix(r.URL.Path, "/answer"):
		f.phone = client.PhoneState{State: client.PhoneInCall, Gate: f.v.Gate, Heard: []string{"hello"}}
		f.v.Attempts[0].State = client.StateInCall
	case strings.HasSuffix(r.URL.Path, "/keys"):
		f.phone.Gate = ""
		f.phone.Heard = append(f.phone.Heard, "your code is 0 5 4 2")
		f.v.Attempts[0].GatePassed, f.v.Attempts[0].Readouts = true, 1
	}
	answer(w, struct{}{})
}

// advance moves the call on, up to the ringing, which only an answer ends.
func (f *fakeServer) advance() {
	a := &f.v.Attempts[0]
	switch a.State {
	case client.StateQueued:
		a.State, a.Route = client.StatePlaced, simulator
	case client.StatePlaced:
		a.State = client.StateRinging
		f.phone.State = client.PhoneRinging
	}
}

func (f *fakeServer) check(body string) client.Checked {
	if strings.Contains(body, `"`+f.code+`"`) {
		f.v.Status = client.StatusApproved
		return client.Checked{Status: f.v.Status, Valid: true}
	}
	f.v.Remaining--
	if f.v.Remaining == 0 {
		f.v.Status = client.StatusMaxAttempts
	}
	return client.Checked{Status: f.v.Status, Remaining: f.v.Remaining}
}

func answer[T any](w io.Writer, v T) { _ = json.NewEncoder(w).Encode(v) }

func (f *fakeServer) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}
