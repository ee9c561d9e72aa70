package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// exchange is one request and its answer, as the log tells it.
type exchange struct {
	http.ResponseWriter
	request *http.Request
	id      string
	began   time.Time
	route   string // the pattern; empty: none matched
	quiet   bool   // the route is polled: its successes are worth a debug line
	caller  verify.Caller
	client  netip.Addr
	in, out int // bytes of the bodies
	status  int // zero until something was written
	err     error
}

// WriteHeader keeps the status of the answer. An informational one is no answer
// yet.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write begins the answer where it has not begun.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.out += n
	return n, err
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// begin names the request and sets the headers that every answer has.
func (m *Mux) begin(w http.ResponseWriter, r *http.Request) *exchange {
	now := m.cfg.Now()
	x := &exchange{ResponseWriter: w, request: r, id: secret.NewID(now, nil), began: now}
	x.client = clientIP(r.RemoteAddr, r.Header, m.cfg.Proxies)
	h := w.Header()
	h.Set("Request-Id", x.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	return x
}

// end writes the error, if there is one, and the log line. A handler that
// panicked is answered as an internal error where that is still possible;
// otherwise its connection is cut, so that half an answer is not taken for one.
func (m *Mux) end(x *exchange) {
	cut := false
	if p := recover(); p != nil {
		x.err = panicked(p)
		cut = x.status != 0 || errors.Is(x.err, http.ErrAbortHandler)
	}
	if x.err != nil && x.status == 0 && !cut {
		writeProblem(x, x.err)
	}
	if x.err == nil && x.status == 0 {
		x.status = http.StatusOK // net/http answers so where a handler wrote nothing
	}
	m.log(x)
	m.observe(x)
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// panicError is a recovered panic.
type panicError struct {
	what  string
	stack []byte
	err   error
}

// panicked describes a panic. Only errors of the runtime and of net/http are
// told in words; of another value, which may hold what was sent, its type is.
func panicked(p any) *panicError {
	e := &panicError{what: fmt.Sprintf("panic with a %T", p), stack: debug.Stack()}
	if err, ok := p.(runtime.Error); ok {
		e.what = "panic: " + err.Error()
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		e.what, e.err = "the handler gave up", http.ErrAbortHandler
	}
	return e
}

func (e *panicError) Error() string { return e.what }

// Unwrap gives http.ErrAbortHandler where that was the panic.
func (e *panicError) Unwrap() error { return e.err }

// observe tells the statistics.
func (m *Mux) observe(x *exchange) {
	if m.cfg.Observe == nil {
		return
	}
	o := Observation{Method: knownMethod(x.request.Method), Route: x.route, Status: x.status, Took: m.cfg.Now().Sub(x.began)}
	if x.err != nil {
		o.Code = asError(x.err).Code
	}
	m.cfg.Observe(o)
}

// log writes the request's one line. The route is the pattern, never the path.
func (m *Mux) log(x *exchange) {
	level := slog.LevelInfo
	switch {
	case x.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case x.quiet && x.status < http.StatusBadRequest:
		level = slog.LevelDebug
	}
	ctx := context.WithoutCancel(x.request.Context())
	if !m.cfg.Log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs, slog.String("request", x.id), slog.String("method", knownMethod(x.request.Method)),
		slog.String("route", x.route), slog.Int("status", x.status), slog.Duration("took", m.cfg.Now().Sub(x.began)),
		slog.Int("bytes_in", x.in), slog.Int("bytes_out", x.out), slog.String("remote", coarse(x.client)))
	if x.Header().Get("Idempotent-Replayed") != "" {
		attrs = append(attrs, slog.Bool("replayed", true))
	}
	if x.caller.Verification != "" {
		attrs = append(attrs, slog.Bool("token", true))
	}
	if x.caller.Account != "" {
		attrs = append(attrs, slog.String("account", x.caller.Account), slog.String("key", x.caller.Key))
	}
	if x.err != nil {
		e := asError(x.err)
		attrs = append(attrs, slog.String("code", string(e.Code)), slog.String("error", cause(x.err, e)))
	}
	if p := (*panicError)(nil); errors.As(x.err, &p) && p.err == nil {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	m.cfg.Log.LogAttrs(ctx, level, "request", attrs...)
}

// cause is what the log tells of an error: its own words, and what is behind it.
func cause(err error, e *verify.Error) string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	if own := (*verify.Error)(nil); errors.As(err, &own) {
		return e.Message
	}
	return err.Error()
}

// knownMethod keeps words that a caller made up out of the log.
func knownMethod(method string) string {
	if slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}, method) {
		return method
	}
	return "other"
}
