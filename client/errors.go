package client

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is the server's refusal, an RFC 9457 problem. It holds nothing of what
// was sent. What never reached the server, or came back unreadable, is another
// error.
type Error struct {
	Status int    // of HTTP
	Code   string // what kind of refusal, such as invalid_input or limit_reached
	Detail string // one line that says what to do
	Fields []Field
	// RetryAfter is how long to wait before asking again; zero where the server
	// does not say.
	RetryAfter time.Duration
}

// Field is what is wrong with one field of a request.
type Field struct {
	Message  string `json:"message"`
	Location string `json:"location"` // such as body.to
}

// Error gives the code, the detail and the fields in one line, each thing once:
// the detail may tell of a field itself.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(cmp.Or(e.Code, "status "+strconv.Itoa(e.Status)))
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	for _, f := range e.Fields {
		told := strings.TrimPrefix(f.Location, "body.") + ": " + f.Message
		if f.Message != "" && f.Message != e.Detail && !strings.Contains(b.String(), told) {
			b.WriteString("; " + told)
		}
	}
	return b.String()
}

// inFlight is the code of a request whose first try is still at work.
const inFlight = "idempotency_in_progress"

// temporary says that the same request may do better a moment later. A limit or
// a missing route (429, 503) passes only where the server says when.
func (e *Error) temporary() bool {
	switch e.Status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return e.RetryAfter > 0
	case http.StatusConflict:
		return e.Code == inFlight
	}
	return false
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// refusal reads an answer that is no success. One that is no problem document
// (a proxy's, say) keeps its status and nothing else.
func refusal(resp *http.Response, now time.Time) *Error {
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
	var problem struct {
		Title  string  `json:"title"`
		Detail string  `json:"detail"`
		Code   string  `json:"code"`
		Errors []Field `json:"errors"`
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || json.Unmarshal(raw, &problem) != nil {
		e.Detail = fmt.Sprintf("the server answered %d without saying why", resp.StatusCode)
		return e
	}
	e.Code, e.Fields = problem.Code, problem.Errors
	e.Detail = cmp.Or(problem.Detail, problem.Title, http.StatusText(resp.StatusCode))
	return e
}

// retryAfter reads the header of RFC 9110, 10.2.3: seconds or a date.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
