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
	maxList      = 8 << 20 // of a list, which has no pages
	maxErrorBody = 64 << 10
)

// request is one exchange to be made.
type request struct {
	op   string // the prefix of errors: "call", "sms", ...
	path string // below the base URL, with the trailing slash, and the raw query if there is one
	form url.Values
	json []byte // the body instead of form, when not nil
	// text is what must not come back in an error: the words to be spoken or sent, the code to be checked.
	text string
	// values are short parts of the same, none of which must come back.
	values []string
	limit  int // bytes of the answer that are read; 0 means maxAnswer
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

// post sends the form once and reads the answer into out; nil drops it.
func (c *Client) post(ctx context.Context, r request, out any) error {
	return c.exchange(ctx, http.MethodPost, r, out)
}

// delete sends a DELETE once. Xoxzo's Ruby client expects a 200; a 204, which is usual elsewhere, is a success too.
func (c *Client) delete(ctx context.Context, r request) error {
	return c.exchange(ctx, http.MethodDelete, r, nil)
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
	if method != http.MethodGet {
		hc = c.writes
	}
	resp, err := hc.Do(req)
	if err != nil {
		return &Error{Op: r.op, MaySent: seen.maySent(err), Err: hide(err, scrub)}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNoContent && method == http.MethodDelete:
		return nil
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return refusal(r.op, resp, scrub)
	case out == nil: // the status says all that is documented
		return nil
	}
	if err := decode(resp.Body, orDefault(r.limit, maxAnswer), out); err != nil {
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
		body, kind := r.form.Encode(), "application/x-www-form-urlencoded"
		if r.json != nil {
			body, kind = string(r.json), "application/json"
		}
		req.Body = io.NopCloser(strings.NewReader(body))
		req.ContentLength = int64(len(body))
		req.GetBody = nil
		req.Header.Set("Content-Type", kind)
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
func decode(body io.Reader, limit int, out any) error {
	raw, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(raw) > limit {
		return fmt.Errorf("the answer is larger than %d bytes", limit)
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

// ids reads the answer to a POST: a list of objects, or one object, with the identifier under one of keys, the first of
// them first.
func ids(raw json.RawMessage, keys ...string) (string, error) {
	list, err := objects(raw)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		for _, item := range list {
			var fields map[string]json.RawMessage
			var id text
			if json.Unmarshal(item, &fields) == nil && json.Unmarshal(fields[key], &id) == nil && validID(string(id)) {
				return string(id), nil
			}
		}
	}
	return "", fmt.Errorf("the answer has no usable %s", strings.Join(keys, " or "))
}

// objects splits a list into its elements; an object stands for a list of itself.
func objects(raw json.RawMessage) ([]json.RawMessage, error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return []json.RawMessage{raw}, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("decode the answer: %w", err)
	}
	return list, nil
}

// each decodes every object of a list. An element that cannot be read fails the whole: a list with a silent gap is worse
// than none.
func each[T any](raw json.RawMessage, keep func(T) error) error {
	list, err := objects(raw)
	if err != nil {
		return err
	}
	for _, item := range list {
		var v T
		if err := json.Unmarshal(item, &v); err != nil {
			return fmt.Errorf("decode the answer: %w", err)
		}
		if err := keep(v); err != nil {
			return err
		}
	}
	return nil
}

// getList reads the list at r.path and keeps its elements.
func getList[T any](ctx context.Context, c *Client, r request, keep func(T) error) error {
	var raw json.RawMessage
	r.limit = maxList
	if err := c.get(ctx, r, &raw); err != nil {
		return err
	}
	if err := each(raw, keep); err != nil {
		return &Error{Op: r.op, Status: http.StatusOK, MaySent: true, Err: hide(err, c.scrubber(r))}
	}
	return nil
}

// postForID sends the form and returns the identifier that the server gave to what it made. A success without an
// identifier is an error after the fact: MaySent is true.
func (c *Client) postForID(ctx context.Context, r request, keys ...string) (string, error) {
	var id string
	err := c.postAndRead(ctx, r, func(raw json.RawMessage) (err error) {
		id, err = ids(raw, keys...)
		return err
	})
	return id, err
}

// postAndRead sends the form and lets read make sense of the answer. What read cannot make sense of has happened all the
// same: MaySent is true.
func (c *Client) postAndRead(ctx context.Context, r request, read func(json.RawMessage) error) error {
	var raw json.RawMessage
	if err := c.post(ctx, r, &raw); err != nil {
		return err
	}
	if err := read(raw); err != nil {
		return &Error{Op: r.op, Status: http.StatusCreated, MaySent: true, Err: hide(err, c.scrubber(r))}
	}
	return nil
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
