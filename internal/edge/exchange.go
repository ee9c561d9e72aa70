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
	seeks   seeking
	asked   Request
	fixed   [len(fixedHeaders)]string // what Request-Id and fixedHeaders are set to
}

// fixedHeaders are set on every answer, in the form that http.Header has them;
// the request's id is the first.
var fixedHeaders = [...][2]string{
	{"Request-Id", ""},
	{"Cache-Control", "no-store"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
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
	x.seeks.exchange = x
	h := w.Header()
	for i, f := range fixedHeaders {
		x.fixed[i] = f[1]
		h[f[0]] = x.fixed[i : i+1 : i+1]
	}
	x.fixed[0] = x.id
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
	took := m.cfg.Now().Sub(x.began)
	m.log(x, took)
	m.observe(x, took)
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
func (m *Mux) observe(x *exchange, took time.Duration) {
	if m.cfg.Observe == nil {
		return
	}
	o := Observation{Method: knownMethod(x.request.Method), Route: x.route, Status: x.status, Took: took}
	if x.err != nil {
		o.Code = asError(x.err).Code
	}
	m.cfg.Observe(o)
}

// log writes the request's one line. The route is the pattern, never the path.
func (m *Mux) log(x *exchange, took time.Duration) {
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
	var few [16]slog.Attr
	attrs := append(few[:0], slog.String("request", x.id), slog.String("method", knownMethod(x.request.Method)),
		slog.String("route", x.route), slog.Int("status", x.status), slog.Duration("took", took),
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
	// Without Logger.LogAttrs, which looks for the line that logs.
	line := slog.NewRecord(time.Now(), level, "request", 0)
	line.AddAttrs(attrs...)
	_ = m.cfg.Log.Handler().Handle(ctx, line) // as the Logger does with an error
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
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE":
		return method
	}
	return "other"
}
