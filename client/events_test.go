package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// connections answers each connection by a function of its own; the last stays.
type connections struct {
	answers []func(w http.ResponseWriter, r *http.Request)
	after   []string // the Last-Event-IDs
	n       atomic.Int32
}

func (s *connections) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := int(s.n.Add(1)) - 1
	s.after = append(s.after, r.Header.Get("Last-Event-ID"))
	s.answers[min(i, len(s.answers)-1)](w, r)
}

// brings answers with an event stream that ends.
func brings(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
	}
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func line(id int, kind string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: {\"type\":%q,\"verification\":\"v1\",\"n\":1}\n\n", id, kind, kind)
}

// types reads all events.
func types(ctx context.Context, c *Client, after int) (got []string, last error) {
	for e, err := range c.Events(ctx, "v1", after) {
		if err != nil {
			return got, err
		}
		got = append(got, fmt.Sprint(e.ID, " ", e.Type))
	}
	return got, nil
}

// A stream that breaks off is taken up where it was; nothing is missed or told
// twice, and half an event is not told.
func TestEventsAreTakenUpAgain(t *testing.T) {
	t.Parallel()
	s := &connections{answers: []func(http.ResponseWriter, *http.Request){
		brings("retry: 2000\n\n" + line(1, EventStarted) + ":\n\n" + line(2, EventAttemptQueued) + "id: 3\ndata: {\"ty"),
		status(http.StatusBadGateway),
		brings(line(2, EventAttemptQueued) + line(3, EventDialling) + "data: {\"type\":\"no id\"}\n\n" + "id: 4\ndata:{\"type\":\"new.kind\"}\n\n"),
		brings(line(5, EventVerificationEnded)),
		status(http.StatusNoContent),
	}}
	got, err := types(t.Context(), serve(t, s), 0)
	want := []string{"1 " + EventStarted, "2 " + EventAttemptQueued, "3 " + EventDialling, "4 new.kind", "5 " + EventVerificationEnded}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if diff := cmp.Diff([]string{"", "2", "2", "4", "5"}, s.after); diff != "" {
		t.Error(diff)
	}
}

func TestEventsEnd(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answers []func(http.ResponseWriter, *http.Request)
		status  int  // of the error; 0: none
		other   bool // another error
		asked   int32
	}{
		"unknown":           {answers: []func(http.ResponseWriter, *http.Request){status(404)}, status: 404, asked: 1},
		"revoked":           {answers: []func(http.ResponseWriter, *http.Request){brings(line(1, EventStarted)), status(401)}, status: 401, asked: 2},
		"token died":        {answers: []func(http.ResponseWriter, *http.Request){brings(line(1, EventVerificationEnded)), status(401)}, asked: 2},
		"down":              {answers: []func(http.ResponseWriter, *http.Request){status(502)}, status: 502, asked: maxTries},
		"no stream":         {answers: []func(http.ResponseWriter, *http.Request){status(200)}, other: true, asked: 1},
		"ends without news": {answers: []func(http.ResponseWriter, *http.Request){brings("retry: 1\n\n")}, other: true, asked: maxTries},
		"nothing to tell":   {answers: []func(http.ResponseWriter, *http.Request){status(204)}, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &connections{answers: row.answers}
			_, err := types(t.Context(), serve(t, s), 0)
			var refused *Error
			got := 0
			if errors.As(err, &refused) {
				got = refused.Status
			}
			if got != row.status || (err != nil && got == 0) != row.other || s.n.Load() != row.asked {
				t.Errorf("%v after %d connections", err, s.n.Load())
			}
		})
	}
}

func TestEventsStopWhenToldTo(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 2)
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		brings(line(8, EventRinging))(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		gone <- struct{}{}
	}))
	for e, err := range c.Events(t.Context(), "v1", 7) {
		if err != nil || e.ID != 8 || e.N != 1 {
			t.Errorf("%+v, %v", e, err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range c.Events(ctx, "v1", 0) {
		if n++; n == 1 {
			cancel()
			continue
		}
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	for range 2 {
		select {
		case <-gone:
		case <-time.After(5 * time.Second):
			t.Fatal("the connection stays open")
		}
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	s := &recorder{status: 200, answer: `{"attempts":[{"id":"a1","n":1,"send":1,"state":"ended","may_have_rung":true,"fault":"number","dialled_at":"2026-01-02T03:04:05Z"}]}`}
	got, err := serve(t, s).Attempts(t.Context(), "v1")
	want := []AttemptInFull{{N: 1, Send: 1, MayHaveRung: true, Fault: "number",
		Attempt: Attempt{ID: "a1", State: StateEnded, DialledAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if s.got[0].Method != "GET" || s.got[0].Path != "/v1/verifications/v1/attempts" {
		t.Errorf("%+v", s.got[0])
	}
}
