// Package xoxzotest is a server for tests that speaks the documented part of Xoxzo's telephony API and refuses more than
// the real one: what Xoxzo may let pass (an English text for a Japanese voice, a form key it does not know) is an error
// here, so that a client which passes here passes there.
//
// It knows the HTTP contract, the refusals, and how a call's life looks through the API; every fault of a network or a
// server can be ordered. It must not know package xoxzo, whose tests it serves, nor be imported by code that is not a
// test: it rings no telephone. Standard library only.
package xoxzotest

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"
)

// TB is the part of testing.TB that New uses.
type TB interface {
	// Helper marks the caller as a helper of the test.
	Helper()
	// Cleanup registers what runs at the end of the test.
	Cleanup(func())
}

// Defaults of a new Server, in credits.
const (
	DefaultCredits = 1000
	// CallCost is what a call needs and costs: "Not enough credits, required: 20".
	CallCost = 20
	// MessageCost is what a message needs and costs, also one from a template or with a one-time password.
	MessageCost = 10
	// LookupCost is what the look-up of a mobile number needs and costs.
	LookupCost = 5
)

// callbackTimeout bounds one callback.
const callbackTimeout = 5 * time.Second

// Server is an account at a telephony service. Its methods may be called at any time, from any goroutine.
type Server struct {
	// URL is the base URL, on a loopback address, without a trailing slash.
	URL string
	// SID and AuthToken are the only credentials that are accepted; new for every Server.
	SID, AuthToken string

	srv     *httptest.Server
	lis     *listener
	closing chan struct{}
	close   sync.Once
	pending sync.WaitGroup // callbacks under way

	mu        sync.Mutex
	now       func() time.Time
	credits   float64
	lives     map[string]Life   // by recipient; "" is the default of calls
	texts     map[string]Life   // the same for messages
	refusals  map[string]Fault  // by recipient
	faults    map[Op][]Fault    // queues
	calls     []*record         // in the order placed
	messages  []*record         // in the order accepted
	requests  []Request         // all, refused ones included
	callbacks []CallbackAttempt // in the order made

	conferences map[string][]*record   // legs by conferenceid
	templates   []Template             // in the order added
	networks    map[string]Network     // by number
	websites    map[string]bool        // registered
	otps        []*otp                 // in the order made
	rentals     map[string][]*rentable // by "din" and "sin"
}

// New starts a Server with 1000 credits. With a non-nil tb (a *testing.T) it is closed at the test's end; with nil, call
// Close. It panics when there is no loopback address to listen on, as httptest does.
func New(tb TB) *Server {
	s := &Server{
		SID: rand.Text(), AuthToken: rand.Text(), closing: make(chan struct{}),
		now: time.Now, credits: DefaultCredits,
		lives:    map[string]Life{"": {Statuses: []string{"IN_PROGRESS", "ANSWERED", "ANSWERED"}}},
		texts:    map[string]Life{"": {Statuses: []string{"QUEUED", "DELIVERING", "DELIVERED"}}},
		refusals: make(map[string]Fault),
		faults:   make(map[Op][]Fault),

		conferences: make(map[string][]*record),
		templates:   firstTemplates(),
		networks:    make(map[string]Network),
		websites:    make(map[string]bool),
		rentals:     firstNumbers(),
	}
	s.srv = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.lis = &listener{Listener: s.srv.Listener}
	s.srv.Listener = s.lis
	s.srv.Start()
	s.URL = s.srv.URL
	if tb != nil {
		tb.Helper()
		tb.Cleanup(s.Close)
	}
	return s
}

// Close ends hanging requests, waits for callbacks, and stops the server. Later calls do nothing.
func (s *Server) Close() {
	s.close.Do(func() {
		s.mu.Lock()
		close(s.closing) // under the lock, so that no callback starts after Wait
		s.mu.Unlock()
		s.pending.Wait()
		s.srv.CloseClientConnections()
		s.srv.Close()
	})
}

// CloseIdleConnections closes every connection that clients keep, as a real server does after some quiet.
func (s *Server) CloseIdleConnections() { s.srv.CloseClientConnections() }

// DropConnections closes the next n connections the moment they are accepted, before anything is read.
func (s *Server) DropConnections(n int) { s.lis.drop(n) }

// SetCredits sets what is left on the account.
func (s *Server) SetCredits(credits float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credits = credits
}

// Credits returns what is left on the account.
func (s *Server) Credits() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.credits
}

// SetNow replaces the clock that call times and timed lives are read from.
func (s *Server) SetNow(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Request is one request as it arrived.
type Request struct {
	Method, Path string
	Query        string     // raw
	Form         url.Values // the body's parameters, those of JSON too; nil when there was no readable form
	Status       int        // what was answered; 0 when nothing was
}

// Requests returns everything that was asked for, refused requests included, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Call is one call that was placed.
type Call struct {
	ID, Caller, Recipient string
	Message, Lang         string // empty for a recording
	RecordingURL          string // empty for a text
	CallbackURL, Tags     string // as sent
	PlacedAt              time.Time
	Reads                 int // how often its status was read
	Ended                 bool
	Type                  string // "simple/playbacks" or "simple/conferences"
}

// Calls returns the calls that were placed, in order, the legs of conferences too.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Call, 0, len(s.calls))
	for _, r := range s.calls {
		out = append(out, Call{
			ID: r.id, Caller: r.form.Get("caller"), Recipient: r.form.Get("recipient"),
			Message: r.form.Get("tts_message"), Lang: r.form.Get("tts_lang"), RecordingURL: r.form.Get("recording_url"),
			CallbackURL: r.form.Get("callbackurl"), Tags: r.form.Get("tags"),
			PlacedAt: r.start, Reads: r.reads, Ended: !r.end.IsZero(), Type: r.kind,
		})
	}
	return out
}

// Message is one text message that was accepted.
type Message struct {
	ID, Sender, Recipient, Text string
	CallbackURL, Tags           string // as sent
	Reads                       int    // how often its status was read
}

// Messages returns the messages that were accepted, in order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Message, 0, len(s.messages))
	for _, r := range s.messages {
		out = append(out, Message{
			ID: r.id, Sender: r.form.Get("sender"), Recipient: r.form.Get("recipient"), Text: r.form.Get("message"),
			CallbackURL: r.form.Get("callbackurl"), Tags: r.form.Get("tags"), Reads: r.reads,
		})
	}
	return out
}

// CallbackAttempt is one callback.
type CallbackAttempt struct {
	URL    string
	Form   url.Values
	Status int    // what the receiver answered; 0 when it did not
	Err    string // why there was no answer
}

// Callbacks returns the callbacks made so far.
func (s *Server) Callbacks() []CallbackAttempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]CallbackAttempt(nil), s.callbacks...)
}

// newID returns an identifier in the form of Xoxzo's (a random UUID).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// listener can close connections before they are served.
type listener struct {
	net.Listener
	mu    sync.Mutex
	drops int
}

func (l *listener) drop(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drops += n
}

// Accept returns the next connection that is not to be dropped.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		dropped := l.drops > 0
		if dropped {
			l.drops--
		}
		l.mu.Unlock()
		if !dropped {
			return conn, nil
		}
		_ = conn.Close()
	}
}
