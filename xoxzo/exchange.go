package xoxzo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Bounds on what is read from the server, in bytes after decompression.
const (
	maxAnswer    = 256 << 10
	maxErrorBody = 64 << 10
)

// request is one exchange to be made.
type request struct {
	op   string // the prefix of errors: "call", "sms", ...
	path string // below the base URL, with the trailing slash
	form url.Values
	// text is what must not come back in an error: the words to be spoken or sent.
	text string
}

// get reads path into out, trying again where nothing can be harmed.
func (c *Client) get(ctx context.Context, r request, out any) error {
	pause := c.retryWait
	for try := 0; ; try++ {
		err := c.exchange(ctx, http.MethodGet, r, out)
		if err == nil || try >= c.retries || !retryable(ctx, err) {
			return err
		}
		if wait(ctx, pause) != nil {
			return err
		}
		pause *= 2
	}
}

// post sends the form once and reads the answer into out.
func (c *Client) post(ctx context.Context, r request, out any) error {
	return c.exchange(ctx, http.MethodPost, r, out)
}

// retryable reports whether a read is worth another try: no answer at all, or a gateway's passing fault.
func retryable(ctx context.Context, err error) bool {
	var e *Error
	if !errors.As(err, &e) || ctx.Err() != nil {
		return false
	}
	switch e.Status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// exchange sends one request and reads one answer. Every error is an *Error.
func (c *Client) exchange(ctx context.Context, method string, r request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return &Error{Op: r.op, Err: err}
	}
	scrub := c.scrubber(r)
	seen := new(sighting)
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, seen.trace()), method, r)
	if err != nil {
		return &Error{Op: r.op, Err: hide(err, scrub)}
	}
	hc := c.reads
	if method == http.MethodPost {
		hc = c.writes
	}
	resp, err := hc.Do(req)
	if err != nil {
		return &Error{Op: r.op, MaySent: seen.maySent(err), Err: hide(err, scrub)}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return refusal(r.op, resp, scrub)
	}
	if err := decode(resp.Body, out); err != nil {
		// The server said yes: whatever was asked for has happened, although we cannot read what it is called.
		return &Error{Op: r.op, Status: resp.StatusCode, MaySent: true, Err: hide(err, scrub)}
	}
	return nil
}

// newRequest builds a request whose body can be read only once: without GetBody, and with no Idempotency-Key header, net/http
// has no licence to send a POST a second time when a kept connection turns out to be dead.
func (c *Client) newRequest(ctx context.Context, method string, r request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+r.path, nil)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		body := r.form.Encode()
		req.Body = io.NopCloser(strings.NewReader(body))
		req.ContentLength = int64(len(body))
		req.GetBody = nil
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	_, authorization := c.credentials()
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	return req, nil
}

// sighting is what httptrace told about one request.
type sighting struct {
	asked atomic.Bool // the transport speaks httptrace at all
	got   atomic.Bool // the request was given a connection
}

func (s *sighting) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { s.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { s.got.Store(true) },
	}
}

// maySent reports whether bytes of the request may have left. A connection in hand is the last moment that is known for
// certain: the header is written by another goroutine, possibly after the caller was told that its context ended, so
// WroteHeaders not having been seen proves nothing. Resolving, dialling and the TLS handshake all come before it.
func (s *sighting) maySent(err error) bool {
	if s.asked.Load() {
		return s.got.Load()
	}
	return !dialling(err) // a transport without httptrace: only a failure that names the dialling is proof
}

// decode reads one JSON value of bounded size into out.
func decode(body io.Reader, out any) error {
	raw, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(raw) > maxAnswer {
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// refusal turns an answer that is neither 200 nor 201 into an *Error.
func refusal(op string, resp *http.Response, scrub scrubber) *Error {
	// A body that breaks off is parsed as far as it came: the status says enough.
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	e := parseRefusal(raw, scrub)
	e.Op, e.Status = op, resp.StatusCode
	e.MaySent = !refusedBeforeActing(resp.StatusCode)
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	return e
}

// refusedBeforeActing lists the answers by which a server says that it did nothing. All others leave doubt: a 408, 5xx or
// redirect may come from a gateway in front of a server that did act.
func refusedBeforeActing(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden,
		http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return true
	}
	return false
}

// retryAfter reads the seconds form of Retry-After (RFC 9110, section 10.2.3), capped at an hour.
func retryAfter(v string) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(v) + "s")
	if err != nil || d < 0 {
		return 0
	}
	return min(d, time.Hour)
}

// ids reads the answer to a POST: a list of objects, or one object, with the identifier under key.
func ids(raw json.RawMessage, key string) (string, error) {
	var list []map[string]json.RawMessage
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		raw = append(append([]byte("["), raw...), ']')
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", fmt.Errorf("decode the answer: %w", err)
	}
	for _, item := range list {
		var id text
		if err := json.Unmarshal(item[key], &id); err == nil && validID(string(id)) {
			return string(id), nil
		}
	}
	return "", fmt.Errorf("the answer has no usable %s", key)
}

// postForID sends the form and returns the identifier that the server gave to what it made. A success without an
// identifier is an error after the fact: MaySent is true.
func (c *Client) postForID(ctx context.Context, r request, key string) (string, error) {
	var raw json.RawMessage
	if err := c.post(ctx, r, &raw); err != nil {
		return "", err
	}
	id, err := ids(raw, key)
	if err != nil {
		return "", &Error{Op: r.op, Status: http.StatusCreated, MaySent: true, Err: hide(err, c.scrubber(r))}
	}
	return id, nil
}

// validID accepts the identifiers that can stand in a path as they are.
func validID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		b := id[i]
		if (b < '0' || b > '9') && (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && b != '-' && b != '_' {
			return false
		}
	}
	return true
}
