// Package edge is what every front end shares: handlers that return errors, who
// is asking, limits on bodies, strict JSON, refusals as problem documents, and
// one log line for each request. It knows HTTP and the words of verify; it knows
// no action and no front end's shapes. Paths, bodies, keys and numbers never
// reach the log, and nothing that was sent comes back in a refusal.
package edge

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/verify"
)

// Handler answers a request. What it returns as an error is written by the Mux:
// a *verify.Error as a problem document, anything else as an internal error of
// which the caller learns nothing. After an error it must not have written.
type Handler func(w http.ResponseWriter, r *Request) error

// Request is a request whose caller is known and whose body has been read.
type Request struct {
	*http.Request
	// Caller is who asks; zero on a public route.
	Caller verify.Caller
	// Body is the whole body: empty, or one JSON value that passed CheckJSON.
	Body []byte
	// ClientIP is the peer, or whom a trusted proxy says it stands for; zero
	// where that cannot be told. With an API key it is the tenant's server, not
	// the person.
	ClientIP netip.Addr

	mux    *Mux
	access Access // of the route
}

// Route is a method and a pattern, and who may come there.
type Route struct {
	Method  string
	Pattern string // a path of http.ServeMux, without a host; it must not end in "/"
	Access  Access
	// SameOrigin refuses requests with an Origin that is not this host, whoever
	// asks: what a browser's page on another site could set off.
	SameOrigin bool
	// Unread leaves the body alone, whatever it is: for callbacks of which only
	// the address counts.
	Unread bool
	// Quiet logs successes as debug lines: for what is polled.
	Quiet bool
}

// Access says who may use a route. The zero value lets nobody in.
type Access struct {
	Public bool            // anybody, and no credential is looked at
	Scopes []account.Scope // API keys with one of these
	Token  bool            // client tokens
	// Page knows the cookie of a page that this server shows itself: it says whom
	// the request stands for, and whether its cookie is one. It is asked where there
	// is no Authorization header and the browser says that the page itself asks; nil:
	// there is no such page.
	Page func(*http.Request) (verify.Caller, bool)
}

// Config of a Mux.
type Config struct {
	Keys   Keys   // nil: no API key works
	Tokens Tokens // nil: no client token works
	// Accounts stops the client tokens of disabled accounts; nil: none is looked up.
	// The keys of disabled ones are refused by Keys.
	Accounts Accounts
	Log      *slog.Logger     // slog.Default()
	Now      func() time.Time // time.Now
	// Streams bound the event streams.
	Streams StreamLimits
	// Proxies are the networks whose X-Forwarded-For or Forwarded is believed.
	Proxies []netip.Prefix
	// Observe is told of every request that has ended; nil: nobody.
	Observe func(Observation)
}

// Observation is a request as statistics have it: every text is of a bounded
// set.
type Observation struct {
	Method string // "other" for one that HTTP does not have
	Route  string // the pattern; empty: none matched
	Status int
	Code   verify.Code // of the refusal; empty: none
	Took   time.Duration
}

// Mux routes requests to handlers. Handlers are added before it serves; from
// then on it is safe for concurrent use.
type Mux struct {
	cfg     Config
	routes  *http.ServeMux
	cross   *http.CrossOriginProtection
	streams *streams
}

// New makes a Mux without routes: every path is unknown to it.
func New(cfg Config) *Mux {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Mux{cfg: cfg, routes: http.NewServeMux(), cross: http.NewCrossOriginProtection(), streams: newStreams(cfg.Streams)}
}

// Handle adds a route. It panics on a malformed pattern and on one that is
// there already: programmer's mistakes, as with http.ServeMux.
func (m *Mux) Handle(route Route, h Handler) {
	m.routes.HandleFunc(route.Method+" "+route.Pattern, func(w http.ResponseWriter, r *http.Request) {
		seeks, ok := w.(*seeking)
		if !ok { // only ServeHTTP calls these handlers, with what an exchange seeks by
			panic("edge: a route was called from outside its Mux")
		}
		x := seeks.exchange
		seeks.found = true
		x.route, x.quiet = route.Pattern, route.Quiet
		x.err = m.serve(x, r, route, h)
	})
}

// serve lets a request through to its handler.
func (m *Mux) serve(x *exchange, r *http.Request, route Route, h Handler) error {
	if route.SameOrigin && foreignOrigin(r) {
		return &verify.Error{Code: verify.Forbidden, Message: "this address is not for pages of other origins"}
	}
	req := &x.asked
	*req = Request{Request: r, ClientIP: x.client, mux: m, access: route.Access}
	if !route.Access.Public {
		caller, err := m.admit(r, route.Access)
		if err != nil {
			return err
		}
		req.Caller, x.caller = caller, caller
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !route.Unread {
		body, err := readBody(x.ResponseWriter, r)
		if err != nil {
			return err
		}
		req.Body, x.in = body, len(body)
	}
	return h(x, req)
}

// ServeHTTP answers one request and logs it.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := m.begin(w, r)
	defer m.end(x) // recovers
	if !canonical(r) {
		x.err = unknownPath()
		return
	}
	m.routes.ServeHTTP(&x.seeks, r)
	if x.seeks.found {
		return
	}
	x.err = x.seeks.unmatched()
	if e := (*notAllowed)(nil); errors.As(x.err, &e) {
		x.Header().Set("Allow", e.allow)
	}
}

// canonical says that http.ServeMux would not redirect to a cleaner path: a
// redirect repeats the path, and a client that posts does not follow it.
func canonical(r *http.Request) bool {
	p := r.URL.EscapedPath()
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") {
		return false
	}
	return !strings.Contains(p, "/.") || !strings.Contains(p+"/", "/./") && !strings.Contains(p+"/", "/../")
}

// unmatched turns the standard library's answer to a path or method without a
// route into an error, keeping the methods that the path has.
func (s *seeking) unmatched() error {
	if s.status == http.StatusMethodNotAllowed {
		return &notAllowed{s.header.Get("Allow")}
	}
	return unknownPath()
}

func unknownPath() error {
	return &verify.Error{Code: verify.NotFound, Message: "there is nothing at this address"}
}

// notAllowed is the refusal of a method, with those that would do.
type notAllowed struct{ allow string }

func (e *notAllowed) Error() string { return "method not allowed" }

// Unwrap gives what the caller is told.
func (e *notAllowed) Unwrap() error {
	return &verify.Error{Code: verify.MethodNotAllowed, Message: "this address takes " + e.allow}
}

// seeking is what http.ServeMux is given to answer with. A route finds its exchange
// there; of what the standard library says where there is none, only the status
// and headers matter.
type seeking struct {
	exchange *exchange
	found    bool
	header   http.Header
	status   int
}

// Header gives the headers.
func (s *seeking) Header() http.Header {
	if s.header == nil {
		s.header = http.Header{}
	}
	return s.header
}

// Write drops what it is given.
func (s *seeking) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader keeps the status.
func (s *seeking) WriteHeader(status int) { s.status = status }
