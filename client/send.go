package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// How often and how patiently a request is sent again.
const (
	maxTries   = 4
	firstPause = 200 * time.Millisecond // doubled each time, before the jitter
	// maxPause is the longest wait between two tries. A server that asks for
	// more gets none: its refusal goes to the caller, who can plan.
	maxPause = 5 * time.Second
)

// Option changes one request.
type Option func(*request)

// WithIdempotencyKey names the operation instead of a random name: give the
// same one to repeat an operation after a restart of the caller. It is 1 to 255
// visible ASCII characters and belongs to one request body.
func WithIdempotencyKey(key string) Option { return func(r *request) { r.once = key } }

// request is one operation, whatever number of tries it takes.
type request struct {
	op     string // for errors
	method string
	path   string
	query  url.Values
	body   func() ([]byte, error) // nil: none
	once   string                 // Idempotency-Key; empty: none
	safe   bool                   // may be sent again
}

func get(op string, path ...string) request {
	return request{op: op, method: http.MethodGet, path: join(path), safe: true}
}

func post[B any](op string, body B, opts []Option, path ...string) request {
	// 128 random bits: two operations never share a name.
	r := request{op: op, method: http.MethodPost, path: join(path), once: rand.Text(), safe: true}
	r.body = func() ([]byte, error) { return json.Marshal(body) }
	for _, o := range opts {
		o(&r)
	}
	return r
}

// put replaces and remove deletes what is there: to do so again changes nothing.
func put[B any](op string, body B, path ...string) request {
	return request{op: op, method: http.MethodPut, path: join(path), safe: true, body: func() ([]byte, error) { return json.Marshal(body) }}
}

func remove(op string, path ...string) request {
	return request{op: op, method: http.MethodDelete, path: join(path), safe: true}
}

// join escapes path segments: an id cannot lead to another place.
func join(segments []string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// check refuses what would reach another resource or break a header.
func (r request) check() error {
	if strings.Contains(r.path+"/", "//") || strings.Contains(r.path+"/", "/./") || strings.Contains(r.path+"/", "/../") {
		return errors.New("malformed or empty id")
	}
	hidden := func(c rune) bool { return c <= ' ' || c > '~' }
	if r.method == http.MethodPost && r.safe &&
		(r.once == "" || len(r.once) > 255 || strings.ContainsFunc(r.once, hidden)) {
		return errors.New("malformed idempotency key: want 1 to 255 visible ASCII characters")
	}
	return nil
}

// discard takes an answer whose content does not matter.
type discard struct{}

// send carries out a request and reads its answer.
func send[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	raw, err := c.tries(ctx, r)
	if err != nil {
		return out, fmt.Errorf("%s: %w", r.op, err)
	}
	if _, skip := any(out).(discard); skip {
		return out, nil
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		// The decoder's error may quote the answer, which can hold a token.
		return out, fmt.Errorf("%s: the server's answer is not what this client reads: is %s a pincall server?", r.op, c.base)
	}
	return out, nil
}

// tries sends a request until it is answered, must not be sent again, or has
// been sent maxTries times.
func (c *Client) tries(ctx context.Context, r request) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	for n := 1; ; n++ {
		raw, err := c.try(ctx, r)
		if err == nil {
			return raw, nil
		}
		wait, again := pause(err, n)
		if !r.safe || !again || n == maxTries {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}

// pause is how long to wait after the n-th try, and whether to try again.
func pause(err error, n int) (time.Duration, bool) {
	if errors.Is(err, context.Canceled) || errors.Is(err, errRequest) {
		return 0, false
	}
	// Between half and all of it: clients that failed together come back apart.
	full := firstPause << (n - 1)
	wait := full/2 + mathrand.N(full/2)
	var refused *Error
	if !errors.As(err, &refused) {
		return wait, true // the network's: the server may not even have seen it
	}
	if !refused.temporary() || refused.RetryAfter > maxPause {
		return 0, false
	}
	return max(wait, refused.RetryAfter), true
}

// errRequest marks what is wrong on our side and will be wrong again.
var errRequest = errors.New("the request cannot be made")

// try sends a request once.
func (c *Client) try(ctx context.Context, r request) ([]byte, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, refusal(resp, time.Now())
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(raw) > maxAnswer {
		return nil, fmt.Errorf("%w: the answer is longer than %d bytes", errRequest, maxAnswer)
	}
	return raw, nil
}

func (c *Client) request(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		raw, err := r.body()
		if err != nil {
			return nil, fmt.Errorf("%w: encode body: %w", errRequest, err)
		}
		body = bytes.NewReader(raw)
	}
	at := c.base + r.path
	if len(r.query) > 0 {
		at += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, at, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRequest, withoutURL(err))
	}
	req.Header.Set("Authorization", "Bearer "+c.key())
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.once != "" {
		req.Header.Set("Idempotency-Key", r.once)
	}
	return req, nil
}

// withoutURL drops the address from an error: a simulator's holds a number.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
