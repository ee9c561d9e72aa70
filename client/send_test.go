package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wire answers tries from a list, without a network, so that synctest's clock
// can pass the pauses. After the last one it says 200.
type wire struct {
	answers []reply
	keys    []string    // Idempotency-Keys, one a try
	bodies  []string    // one a try
	at      []time.Time // of each try
}

type reply struct {
	status int
	after  string // Retry-After
	body   string
	err    error
}

var errNetwork = errors.New("connection reset")

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.keys = append(w.keys, r.Header.Get("Idempotency-Key"))
	w.at = append(w.at, time.Now())
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		w.bodies = append(w.bodies, string(b))
	}
	a := reply{status: http.StatusOK, body: `{}`}
	if len(w.answers) > 0 {
		a, w.answers = w.answers[0], w.answers[1:]
	}
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{}
	if a.after != "" {
		h.Set("Retry-After", a.after)
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

func over(t *testing.T, w *wire) *Client {
	t.Helper()
	c, err := New(Config{Key: testKey, HTTPClient: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRetries(t *testing.T) {
	t.Parallel()
	busy := reply{status: http.StatusBadGateway}
	lost := reply{err: errNetwork}
	for name, tc := range map[string]struct {
		answers []reply
		tries   int
		ok      bool
		least   time.Duration // spent in all
	}{
		"at once":               {nil, 1, true, 0},
		"lost answer":           {[]reply{lost}, 2, true, firstPause / 2},
		"unavailable twice":     {[]reply{busy, busy}, 3, true, firstPause / 2},
		"unavailable for good":  {[]reply{busy, busy, busy, busy, busy}, maxTries, false, 0},
		"lost for good":         {[]reply{lost, lost, lost, lost, lost}, maxTries, false, 0},
		"told when":             {[]reply{{status: 429, after: "3"}}, 2, true, 3 * time.Second},
		"limit for good":        {[]reply{{status: 429, body: `{"code":"max_sends_reached"}`}}, 1, false, 0},
		"no route":              {[]reply{{status: 503, body: `{"code":"no_route"}`}}, 1, false, 0},
		"down for a moment":     {[]reply{{status: 503, after: "1"}}, 2, true, time.Second},
		"broken once":           {[]reply{{status: 500}}, 2, true, firstPause / 2},
		"told too late":         {[]reply{{status: 429, after: "3600"}}, 1, false, 0},
		"first try still works": {[]reply{{status: 409, after: "1", body: `{"code":"idempotency_in_progress"}`}}, 2, true, time.Second},
		"ended":                 {[]reply{{status: 409, body: `{"code":"verification_ended"}`}}, 1, false, 0},
		"bad input":             {[]reply{{status: 422}}, 1, false, 0},
		"unauthorized":          {[]reply{{status: 401}}, 1, false, 0},
		"unreadable":            {[]reply{{status: 200, body: `<html>`}}, 1, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answers: tc.answers}
				began := time.Now()
				_, err := over(t, w).Start(t.Context(), StartRequest{To: testNumber})
				if (err == nil) != tc.ok {
					t.Errorf("error %v, want success: %v", err, tc.ok)
				}
				if len(w.at) != tc.tries {
					t.Errorf("%d tries, want %d", len(w.at), tc.tries)
				}
				if spent := time.Since(began); spent < tc.least || spent > maxTries*maxPause {
					t.Errorf("took %v, want at least %v", spent, tc.least)
				}
				for i := range w.keys {
					if w.keys[i] == "" || w.keys[i] != w.keys[0] || w.bodies[i] != w.bodies[0] {
						t.Error("a try differs from the first one")
					}
				}
			})
		})
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	w := &wire{}
	c := over(t, w)
	for _, opts := range [][]Option{nil, nil, {WithIdempotencyKey("order-7")}} {
		if _, err := c.Cancel(t.Context(), "v1", opts...); err != nil {
			t.Fatal(err)
		}
	}
	if w.keys[0] == w.keys[1] {
		t.Error("two operations share a key")
	}
	if diff := cmp.Diff("order-7", w.keys[2]); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "a b", "a\n", strings.Repeat("x", 256)} {
		if _, err := c.Cancel(t.Context(), "v1", WithIdempotencyKey(bad)); err == nil {
			t.Errorf("the key %q was taken", bad)
		}
	}
	for _, bad := range []string{"", ".", ".."} {
		if _, err := c.Get(t.Context(), bad); err == nil {
			t.Errorf("the id %q was taken", bad)
		}
	}
}

func TestPhoneKeysAreSentOnce(t *testing.T) {
	t.Parallel()
	w := &wire{answers: []reply{{err: errNetwork}}}
	err := over(t, w).Phone(testNumber).Press(t.Context(), "1")
	if !errors.Is(err, errNetwork) {
		t.Errorf("error %v, want the network's", err)
	}
	if len(w.at) != 1 {
		t.Errorf("%d tries: a key must not be pressed twice", len(w.at))
	}
	if strings.Contains(err.Error(), testNumber) {
		t.Error("the error holds the number")
	}
}

func TestContextEndsThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []reply{{status: 503, after: "4"}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := over(t, w).Get(ctx, "v1")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline", err)
		}
		if spent := time.Since(began); spent != time.Second {
			t.Errorf("took %v, want 1s", spent)
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reply reply
		want  Error
		text  string
	}{
		"problem": {
			reply{422, "", `{"type":"about:blank","title":"Bad","status":422,"detail":"check the fields","code":"invalid_input",
				"errors":[{"message":"write it as E.164","location":"body.to"}]}`, nil},
			Error{Status: 422, Code: "invalid_input", Detail: "check the fields",
				Fields: []Field{{"write it as E.164", "body.to"}}},
			"get verification: invalid_input: check the fields; to: write it as E.164",
		},
		"limit": {
			reply{429, "90", `{"detail":"try later","code":"limit_reached"}`, nil},
			Error{Status: 429, Code: "limit_reached", Detail: "try later", RetryAfter: 90 * time.Second},
			"get verification: limit_reached: try later",
		},
		"told once": {
			reply{422, "", `{"detail":"body.workflow: want steps","code":"invalid_input","errors":[
				{"message":"want steps","location":"body.workflow"},{"message":"want steps","location":"body.to"}]}`, nil},
			Error{Status: 422, Code: "invalid_input", Detail: "body.workflow: want steps",
				Fields: []Field{{"want steps", "body.workflow"}, {"want steps", "body.to"}}},
			"get verification: invalid_input: body.workflow: want steps; to: want steps",
		},
		"not a problem": {
			reply{404, "", `<html>no`, nil},
			Error{Status: 404, Detail: "the server answered 404 without saying why"},
			"get verification: status 404: the server answered 404 without saying why",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := over(t, &wire{answers: []reply{tc.reply}}).Get(t.Context(), "v1")
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("error %v is no *Error", err)
			}
			if diff := cmp.Diff(tc.want, *got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.text, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "0": 0, "7": 7 * time.Second, "99999999999": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add(422, "1", `{"code":"invalid_input","errors":[{"message":"m","location":"body.to"}]}`)
	f.Add(500, "Fri, 02 Jan 2026 03:05:05 GMT", `[]`)
	f.Add(302, "", ``)
	f.Fuzz(func(t *testing.T, status int, after, body string) {
		h := http.Header{}
		h.Set("Retry-After", after)
		e := refusal(&http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, time.Unix(0, 0))
		if e.Error() == "" || e.Status != status || e.RetryAfter < 0 {
			t.Errorf("a refusal that says nothing: %#v", e)
		}
	})
}
