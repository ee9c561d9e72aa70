package edge

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

// StreamLimits bound event streams. The zero value is the defaults.
type StreamLimits struct {
	PerCaller int           // open at the same time for one key or client token; 20
	InAll     int           // for everybody together; 10,000
	Write     time.Duration // for one event to be taken by the caller's side; 10 s
}

func (l StreamLimits) withDefaults() StreamLimits {
	if l.PerCaller <= 0 {
		l.PerCaller = 20
	}
	if l.InAll <= 0 {
		l.InAll = 10_000
	}
	if l.Write <= 0 {
		l.Write = 10 * time.Second
	}
	return l
}

// streamRetry is after how many milliseconds a browser comes back to a stream
// that broke off.
const streamRetry = 2000

// retryStream is when it is worth asking for a stream again that was one too many.
const retryStream = 5 * time.Second

// perAccount is an account's share: a tenth of all, or ten callers' worth, so that
// its many client tokens cannot take everybody's place.
func (l StreamLimits) perAccount() int { return max(l.InAll/10, 10*l.PerCaller) }

// streams counts the open streams and closes them all.
type streams struct {
	limits StreamLimits
	mu     sync.Mutex
	open   map[verify.Caller]int
	of     map[string]int // by account
	all    int
	closed chan struct{} // once they must all end
	once   sync.Once
}

func newStreams(l StreamLimits) *streams {
	return &streams{limits: l.withDefaults(), open: map[verify.Caller]int{}, of: map[string]int{}, closed: make(chan struct{})}
}

// enter counts a stream, if there is room.
func (s *streams) enter(who verify.Caller) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := func(whose string, n int) error {
		return &verify.Error{Code: verify.Limited, RetryAfter: retryStream,
			Message: fmt.Sprintf("%s has %d event streams open, which is all: close one, or ask without a stream", whose, n)}
	}
	switch {
	case s.open[who] >= s.limits.PerCaller:
		return full("this credential", s.limits.PerCaller)
	case s.of[who.Account] >= s.limits.perAccount():
		return full("this account", s.limits.perAccount())
	case s.all >= s.limits.InAll:
		return full("this server", s.limits.InAll)
	}
	s.open[who]++
	s.of[who.Account]++
	s.all++
	return nil
}

func (s *streams) leave(who verify.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.open[who]--; s.open[who] == 0 {
		delete(s.open, who)
	}
	if s.of[who.Account]--; s.of[who.Account] == 0 {
		delete(s.of, who.Account)
	}
}

// CloseStreams ends every event stream, and each that is opened from now on, at
// once. It is for http.Server.RegisterOnShutdown, which would wait for them.
func (m *Mux) CloseStreams() { m.streams.once.Do(func() { close(m.streams.closed) }) }

// Stream is an answer that is open for as long as its handler runs: server-sent
// events (HTML Living Standard, 9.2), or bytes. Only the handler's goroutine may
// use it, and it starts no other.
type Stream struct {
	m    *Mux
	who  verify.Caller
	out  http.ResponseWriter
	ctl  *http.ResponseController
	gone <-chan struct{} // closed when the caller is
	buf  bytes.Buffer
}

// OpenStream begins a stream of events as the answer to a request, and must be
// followed by Close. A *verify.Error with the code Limited where there are too
// many.
func OpenStream(w http.ResponseWriter, r *Request) (*Stream, error) {
	return openStream(w, r, "text/event-stream", fmt.Sprintf("retry: %d\n\n", streamRetry))
}

// OpenBytes is OpenStream for bytes of another media type: SendBytes sends them.
func OpenBytes(w http.ResponseWriter, r *Request, mediaType string) (*Stream, error) {
	return openStream(w, r, mediaType, "")
}

// openStream begins a stream with its first words.
func openStream(w http.ResponseWriter, r *Request, mediaType, first string) (*Stream, error) {
	if err := r.mux.streams.enter(r.Caller); err != nil {
		return nil, err
	}
	s := &Stream{m: r.mux, who: r.Caller, out: w, ctl: http.NewResponseController(w), gone: r.Context().Done()}
	// The server's own deadlines are for requests that are answered at once: that
	// for reading, which serves to notice that the caller is gone, would end the
	// stream. Where a test's writer has no deadlines there is nothing to lift.
	_ = s.ctl.SetReadDeadline(time.Time{})
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	s.buf.WriteString(first)
	_ = s.flush() // a caller that is gone is noticed by the next write
	return s, nil
}

// SendBytes sends bytes and hands them to the network. Its error is that of Send.
func (s *Stream) SendBytes(b []byte) error {
	s.buf.Write(b)
	return s.flush()
}

// Close ends the counting; the answer ends with the handler.
func (s *Stream) Close() { s.m.streams.leave(s.who) }

// Done yields when the stream must end: the caller is gone, or the server
// stops.
func (s *Stream) Done() (gone, stopping <-chan struct{}) {
	return s.gone, s.m.streams.closed
}

// Event is one event to send.
type Event struct {
	ID   int    // what Last-Event-ID resumes after
	Name string // without line breaks
	Data []byte // one line
}

// Send writes events and hands them to the network. An error says that the
// caller is gone, or did not take them in time; the stream is then over.
func (s *Stream) Send(events ...Event) error {
	for _, e := range events {
		if bytes.ContainsAny(e.Data, "\r\n") {
			panic("edge: an event's data is one line") // encoding/json writes no line breaks
		}
		fmt.Fprintf(&s.buf, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Name, e.Data)
	}
	return s.flush()
}

// Beat writes a comment, which keeps what stands between from closing a silent
// connection. Its error is that of Send.
func (s *Stream) Beat() error {
	s.buf.WriteString(":\n\n")
	return s.flush()
}

// flush writes what is gathered, within the time for a write. HTTP/2 would end
// the stream at the deadline though nothing is being written, so it is lifted.
func (s *Stream) flush() error {
	_ = s.ctl.SetWriteDeadline(time.Now().Add(s.m.streams.limits.Write))
	_, err := s.out.Write(s.buf.Bytes())
	s.buf.Reset()
	if err == nil {
		err = s.ctl.Flush()
	}
	if err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	_ = s.ctl.SetWriteDeadline(time.Time{})
	return nil
}

// LastEventID reads after which event a stream goes on: the header that browsers
// send when they come back, else the parameter last_event_id. Zero without
// either; a *verify.Error with the code BadInput for what is no such number.
func LastEventID(r *Request) (int, error) {
	text := r.Header.Get("Last-Event-ID")
	where := "header.Last-Event-ID"
	if text == "" {
		query := r.URL.Query()
		if !query.Has("last_event_id") {
			return 0, nil
		}
		text, where = query.Get("last_event_id"), "query.last_event_id"
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, BadEventID(where)
	}
	return int(n), nil
}

// BadEventID is the refusal of a Last-Event-ID that no event of the stream had.
func BadEventID(where string) error {
	return &Invalid{Errors: []FieldError{{Message: "want the id of an event of this stream", Location: where}}}
}

// Readmit asks again whether the caller of a request may still make it: a key
// may have been revoked since, an account disabled, a client token may have
// died. The errors are those of the request itself.
func (r *Request) Readmit() error {
	if r.access.Public {
		return nil
	}
	who, err := r.mux.admit(r.Request, r.access)
	if err == nil && who != r.Caller {
		return badCredential()
	}
	return err
}
