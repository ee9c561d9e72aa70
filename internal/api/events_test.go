package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/api"
	"github.com/pincall/pincall/internal/carrier"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// streamTimes are those of the tests: nothing is found by polling, so what
// arrives was told.
func streamTimes() api.StreamTimes {
	return api.StreamTimes{Poll: time.Hour, Readmit: 100 * time.Millisecond}
}

// told is one event as it came over the network.
type told struct {
	id   int
	kind string
	data string
}

// stream is an open event stream; a closed channel is its end.
type stream struct {
	status int
	header http.Header
	events chan told
	close  func()
}

func (w *world) serve(t *testing.T) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(w.Mux)
	t.Cleanup(func() { w.CloseStreams(); srv.Close() })
	return srv
}

// watch opens a stream; headers are pairs.
func watch(t *testing.T, url, credential string, headers ...string) stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+credential)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	s := stream{status: resp.StatusCode, header: resp.Header, events: make(chan told, 100), close: cancel}
	go func() {
		defer close(s.events)
		defer resp.Body.Close()
		var e told
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id, _ = strconv.Atoi(value)
			case "event":
				e.kind = value
			case "data":
				e.data = value
				s.events <- e
			}
		}
	}()
	return s
}

// next waits for an event; false: the stream has ended.
func (s stream) next(t *testing.T) (told, bool) {
	t.Helper()
	select {
	case e, ok := <-s.events:
		return e, ok
	case <-time.After(5 * time.Second):
		t.Fatal("nothing is told for 5 s")
		return told{}, false
	}
}

// rest reads to the end.
func (s stream) rest(t *testing.T) (all []told) {
	t.Helper()
	for {
		e, ok := s.next(t)
		if !ok {
			return all
		}
		all = append(all, e)
	}
}

// want reads events of these kinds, and no more.
func (s stream) want(t *testing.T, kinds ...string) {
	t.Helper()
	for _, k := range kinds {
		if e, ok := s.next(t); e.kind != k {
			t.Fatalf("got %+v (%v), want %s", e, ok, k)
		}
	}
}

// lease takes the one delivery that is due.
func (w *world) lease(t *testing.T) verify.Delivery {
	t.Helper()
	node, err := w.store.Join(t.Context())
	must(t, err)
	jobs, err := w.store.Lease(t.Context(), node, 0, 10)
	must(t, err)
	if len(jobs) != 1 {
		t.Fatalf("%d jobs are due", len(jobs))
	}
	d, err := w.core.Delivery(t.Context(), jobs[0].Lease, jobs[0].Subject)
	must(t, err)
	return d
}

func (w *world) dial(t *testing.T) verify.Delivery {
	t.Helper()
	d := w.lease(t)
	_, err := w.core.Dial(t.Context(), d, verify.Dialling{Route: "silent", Gate: script.GateScreenDigits, Screen: secret.NewText("73")})
	must(t, err)
	_, err = w.core.Placed(t.Context(), d, "ref")
	must(t, err)
	return d
}

func (w *world) hear(t *testing.T, d verify.Delivery, kinds ...carrier.EventKind) {
	t.Helper()
	for _, k := range kinds {
		_, err := w.core.Progress(t.Context(), d, carrier.Event{Kind: k, Readout: 1})
		must(t, err)
	}
}

const (
	started, queued, dialling, ringing  = "verification.started", "attempt.queued", "attempt.dialling", "attempt.ringing"
	answered, passed, settled, finished = "attempt.answered", "attempt.gate_passed", "attempt.ended", "verification.ended"
)

var heard = outcome.Ending{Outcome: outcome.Heard, Reason: "the code was read twice", MayHaveRung: true}

func TestStreamTellsACall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv, v := w.serve(t), w.started(t)
	url := srv.URL + "/v1/verifications/" + v.ID + "/events"
	s := watch(t, url, w.keys["one"])
	if s.status != 200 || s.header.Get("Content-Type") != "text/event-stream" || s.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", s.status, s.header)
	}
	s.want(t, started, queued)
	d := w.dial(t)
	code := d.Message.Code.Reveal()
	s.want(t, dialling)
	w.hear(t, d, carrier.Ringing, carrier.Answered, carrier.GatePassed, carrier.ReadOnce)
	s.want(t, ringing, answered, passed)
	read[api.Checked](t, w.as(w.keys["one"], "POST /v1/verifications/"+v.ID+"/check", `{"code":"`+code+`"}`), 200)
	s.want(t, finished)
	must(t, w.core.Settle(t.Context(), d, heard))
	if end := s.rest(t); len(end) != 1 || end[0].id != 8 || end[0].kind != settled || !strings.Contains(end[0].data, `"may_have_rung":true`) {
		t.Errorf("the end: %+v", end)
	}

	all := watch(t, url+"?last_event_id=0", w.keys["one"]).rest(t)
	if len(all) != 8 {
		t.Fatalf("%d events", len(all))
	}
	for after := range 8 {
		got := watch(t, url, w.keys["one"], "Last-Event-ID", strconv.Itoa(after)).rest(t)
		if !slices.Equal(got, all[after:]) {
			t.Errorf("after %d: %+v", after, got)
		}
	}
	for id, status := range map[string]int{"8": 204, "9": 422, "x": 422} {
		if got := watch(t, url, w.keys["one"], "Last-Event-ID", id); got.status != status {
			t.Errorf("after %s: %d", id, got.status)
		}
	}
	if got := watch(t, url, w.keys["two"]); got.status != 404 {
		t.Errorf("another account's key got %d", got.status)
	}
	var e api.Event
	must(t, json.Unmarshal([]byte(all[6].data), &e))
	want := api.Event{Type: finished, Verification: v.ID, At: e.At, Status: "approved"}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	for _, one := range all {
		var e api.Event
		must(t, json.Unmarshal([]byte(one.data), &e))
		e.At, e.Verification, e.Attempt = time.Time{}, "", "" // hold any digits
		b, err := json.Marshal(e)
		must(t, err)
		for _, secret := range []string{code, "12345678", "73"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s tells too much", e.Type)
			}
		}
	}
}

// A client token dies with its verification, and is told of that all the same.
func TestStreamOfAClientToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv, v := w.serve(t), w.started(t)
	s := watch(t, srv.URL+"/v1/verifications/"+v.ID+"/events", v.ClientToken)
	s.want(t, started, queued)
	d := w.dial(t)
	w.hear(t, d, carrier.Ringing)
	s.want(t, dialling, ringing)
	time.Sleep(250 * time.Millisecond) // readmitted meanwhile
	read[api.Verification](t, w.as(v.ClientToken, "POST /v1/verifications/"+v.ID+"/cancel", ""), 200)
	if end := s.rest(t); len(end) != 1 || end[0].kind != finished || !strings.Contains(end[0].data, `"status":"canceled"`) {
		t.Errorf("the end: %+v", end)
	}
	if again := watch(t, srv.URL+"/v1/verifications/"+v.ID+"/events", v.ClientToken); again.status != 401 {
		t.Errorf("the dead token got %d", again.status)
	}
	other := w.started(t)
	if got := watch(t, srv.URL+"/v1/verifications/"+v.ID+"/events", other.ClientToken); got.status != 404 {
		t.Errorf("another verification's token got %d", got.status)
	}
}

func TestRevokedKeysStreamEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv, v := w.serve(t), w.started(t)
	s := watch(t, srv.URL+"/v1/verifications/"+v.ID+"/events", w.keys["one"])
	s.want(t, started, queued)
	key, err := secret.ParseToken(w.keys["one"])
	must(t, err)
	must(t, w.dir.Revoke(t.Context(), "one", key.ID()))
	if more := s.rest(t); len(more) != 0 {
		t.Errorf("told to a revoked key: %+v", more)
	}
}

// What another node did is found by looking.
func TestStreamFindsWhatAnotherNodeDid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.started(t)
	other, err := verify.New(verify.Config{
		Store: w.store, Keys: w.ring, Services: w.dir, Routes: []carrier.Route{{Name: "silent", Embedded: true, Carrier: silent{}}},
	})
	must(t, err)
	var log bytes.Buffer
	m := edge.New(edge.Config{Keys: w.dir, Tokens: other, Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, api.Register(m, api.Config{Core: other, Streams: api.StreamTimes{Poll: 50 * time.Millisecond, Beat: 20 * time.Millisecond}}))
	srv := httptest.NewServer(m)
	defer srv.Close()
	s := watch(t, srv.URL+"/v1/verifications/"+v.ID+"/events", w.keys["one"])
	s.want(t, started, queued)
	read[api.Verification](t, w.as(w.keys["one"], "POST /v1/verifications/"+v.ID+"/cancel", ""), 200)
	if end := s.rest(t); len(end) != 2 || end[0].kind != settled || end[1].kind != finished {
		t.Errorf("the end: %+v", end)
	}
}

// A server that stops ends its streams instead of waiting for them.
func TestStoppingServerEndsStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.started(t)
	srv := httptest.NewServer(w.Mux)
	srv.Config.RegisterOnShutdown(w.CloseStreams)
	s := watch(t, srv.URL+"/v1/verifications/"+v.ID+"/events", w.keys["one"])
	s.want(t, started, queued)
	began := time.Now()
	must(t, srv.Config.Shutdown(t.Context()))
	if more := s.rest(t); len(more) != 0 || time.Since(began) > 3*time.Second {
		t.Errorf("%+v after %v", more, time.Since(began))
	}
}

func TestAttemptsTellKeysMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.started(t)
	d := w.dial(t)
	w.hear(t, d, carrier.Ringing)
	must(t, w.core.Settle(t.Context(), d, outcome.Ending{Outcome: outcome.Busy, Reason: "busy", MayHaveRung: true, Fault: outcome.FaultNumber}))
	path := "GET /v1/verifications/" + v.ID + "/attempts"
	got := read[api.Attempts](t, w.as(w.keys["one"], path, ""), 200).Attempts
	if len(got) != 1 || got[0].MayHaveRung == nil || !*got[0].MayHaveRung || got[0].Fault != "number" || got[0].N != 1 || got[0].Send != 1 ||
		got[0].DialledAt == nil || got[0].RungAt == nil || got[0].AnsweredAt != nil || got[0].EndedAt == nil || got[0].Outcome != "busy" {
		t.Errorf("a key sees %+v", got)
	}
	got = read[api.Attempts](t, w.as(v.ClientToken, path, ""), 200).Attempts
	if len(got) != 1 || got[0].MayHaveRung != nil || got[0].Fault != "" || got[0].Outcome != "busy" {
		t.Errorf("a client token sees %+v", got)
	}
	if r := w.as(w.keys["two"], path, ""); r.StatusCode != 404 {
		t.Errorf("another account's key got %d", r.StatusCode)
	}
	if r := w.as(w.keys["one"], "HEAD /v1/verifications/"+v.ID+"/events", ""); r.StatusCode != 204 {
		b, _ := io.ReadAll(r.Body)
		t.Errorf("HEAD: %d %s", r.StatusCode, b)
	}
}
