package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/verify"
)

// Watcher tells what happens to verifications: verify.Core.
type Watcher interface {
	// History tells what has happened so far. A *verify.Error with NotFound for a
	// verification that the caller may not see.
	History(ctx context.Context, who verify.Caller, id string) (verify.History, error)
	// Subscribe gives a channel that yields once or more after something happened
	// to the verification in this process, and a function that ends that.
	Subscribe(id string) (<-chan struct{}, func())
}

// StreamTimes say how patient event streams are. The zero value is the defaults.
type StreamTimes struct {
	Poll    time.Duration // between two looks for what another node did; 1 s
	Beat    time.Duration // between two comments on a silent stream; 15 s
	Readmit time.Duration // between two looks whether the caller still may; 2 s
}

func (t StreamTimes) withDefaults() StreamTimes {
	if t.Poll <= 0 {
		t.Poll = time.Second
	}
	if t.Beat <= 0 {
		t.Beat = 15 * time.Second
	}
	if t.Readmit <= 0 {
		t.Readmit = 2 * time.Second
	}
	return t
}

// Event is something that happened to a verification.
type Event struct {
	Type         string    `json:"type" enum:"verification.started,attempt.queued,attempt.dialling,attempt.ringing,attempt.answered,attempt.gate_passed,attempt.ended,verification.ended" doc:"What happened. A resend and the next step of a workflow show as a new attempt. More kinds may come." example:"attempt.ended"`
	Verification string    `json:"verification" doc:"The verification." example:"01jd3c8t5w0zq4n7m2r9kx6yva"`
	At           time.Time `json:"at" doc:"UTC." example:"2026-01-02T03:05:00Z"`
	Attempt      string    `json:"attempt,omitempty" doc:"The attempt, where it is one's event." example:"01jd3c8t5x7c1hs9d0e4b8g3fm"`
	N            int       `json:"n,omitempty" doc:"The attempt's number, counted from 1." example:"1"`
	Channel      string    `json:"channel,omitempty" enum:"voice,sms" doc:"What the attempt is: a call or a message." example:"voice"`
	Route        string    `json:"route,omitempty" doc:"The configured carrier, from attempt.dialling on." example:"sim"`
	Ungated      bool      `json:"ungated,omitempty" doc:"A gate was wanted, and the route takes no keys." example:"false"`
	Status       string    `json:"status,omitempty" enum:"approved,canceled,expired,max_attempts_reached,failed" doc:"Of verification.ended." example:"approved"`
	Outcome      string    `json:"outcome,omitempty" doc:"Of attempt.ended: how it ended." example:"heard"`
	Reason       string    `json:"reason,omitempty" doc:"Of the ends: why." example:"the code was read twice"`
	MayHaveRung  *bool     `json:"may_have_rung,omitempty" doc:"Of attempt.ended, for API keys: the phone may have rung." example:"true"`
}

// tell gives an event the form that the caller gets.
func tell(id string, who verify.Caller, e verify.Event) (edge.Event, error) {
	out := Event{
		Type: string(e.Kind), Verification: id, At: e.At.UTC(), Attempt: e.Attempt, N: e.N, Channel: string(e.Channel), Route: e.Route,
		Ungated: e.Ungated, Status: string(e.Status), Outcome: string(e.Outcome), Reason: e.Reason,
	}
	if e.Kind == verify.EventSettled && who.Key != "" {
		out.MayHaveRung = &e.MayHaveRung
	}
	b, err := encode(out)
	return edge.Event{ID: e.Position, Name: out.Type, Data: b}, err
}

// events: GET /v1/verifications/{id}/events. It is no action of huma's, which
// would hold the answer until it is whole.
func (s *server) events(m *edge.Mux) {
	s.describeEvents()
	m.Handle(edge.Route{Method: http.MethodGet, Pattern: collection + "/{id}/events", Access: watchers()},
		func(w http.ResponseWriter, r *edge.Request) error {
			id, err := One{ID: r.PathValue("id")}.id()
			if err != nil {
				return err
			}
			after, err := edge.LastEventID(r)
			if err != nil {
				return err
			}
			return (&telling{Watcher: s.cfg.Core, times: s.cfg.Streams.withDefaults(), r: r, id: id, told: after}).run(w)
		})
}

// telling is one event stream of one verification.
type telling struct {
	Watcher
	times  StreamTimes
	r      *edge.Request
	id     string
	told   int // position of the last event that the caller has
	stream *edge.Stream
}

// errTold says that everything was told.
var errTold = errors.New("api: nothing more will happen")

// run answers the request. Before the first event every refusal is an ordinary
// one; later the stream just ends, and who comes back is told why.
func (t *telling) run(w http.ResponseWriter) error {
	// First, so that nothing which happens after the look below is missed.
	news, leave := t.Subscribe(t.id)
	defer leave()
	h, err := t.History(t.r.Context(), t.r.Caller, t.id)
	if err != nil {
		return err
	}
	if t.told > len(h.Events) {
		return edge.BadEventID("header.Last-Event-ID")
	}
	if t.over(h) && t.told == len(h.Events) || t.r.Method == http.MethodHead {
		w.WriteHeader(http.StatusNoContent) // which tells a browser not to come back
		return nil
	}
	if t.stream, err = edge.OpenStream(w, t.r); err != nil {
		return err
	}
	defer t.stream.Close()
	if t.send(h) == nil {
		t.follow(news)
	}
	return nil
}

// over says that the stream ends with this. A client token dies with its
// verification, so it is told no more than the end.
func (t *telling) over(h verify.History) bool {
	return h.Complete || h.Ended && t.r.Caller.Verification != ""
}

// send tells what is new. errTold where that was all.
func (t *telling) send(h verify.History) error {
	var batch []edge.Event
	for _, e := range h.Events[min(t.told, len(h.Events)):] {
		out, err := tell(t.id, t.r.Caller, e)
		if err != nil {
			return err
		}
		batch, t.told = append(batch, out), e.Position
	}
	if len(batch) > 0 {
		if err := t.stream.Send(batch...); err != nil {
			return err
		}
	}
	if t.over(h) {
		return errTold
	}
	return nil
}

// follow tells what happens from now on, until the end, or until the caller is
// gone, may not watch any more, or the server stops.
func (t *telling) follow(news <-chan struct{}) {
	poll, beat, readmit := time.NewTicker(t.times.Poll), time.NewTicker(t.times.Beat), time.NewTicker(t.times.Readmit)
	defer poll.Stop()
	defer beat.Stop()
	defer readmit.Stop()
	gone, stopping := t.stream.Done()
	for {
		var err error
		select {
		case <-gone:
			return
		case <-stopping:
			return
		case <-beat.C:
			err = t.stream.Beat()
		case <-readmit.C:
			err = t.readmit()
		case <-news:
			err = t.look()
		case <-poll.C:
			err = t.look()
		}
		if err != nil {
			return
		}
	}
}

// look tells what has happened since the last look.
func (t *telling) look() error {
	h, err := t.History(t.r.Context(), t.r.Caller, t.id)
	if err != nil {
		return err
	}
	return t.send(h)
}

// readmit ends the stream of a caller who may not watch any more. A client token
// that died with its verification is told of that end first; any other has been
// revoked.
func (t *telling) readmit() error {
	refusal := t.r.Readmit()
	if refusal == nil || t.r.Caller.Verification == "" {
		return refusal
	}
	h, err := t.History(t.r.Context(), t.r.Caller, t.id)
	if err != nil || !h.Ended {
		return refusal
	}
	return t.send(h)
}

// describeEvents adds the stream to the document.
func (s *server) describeEvents() {
	schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Event](), true, "")
	after := &huma.Schema{Type: huma.TypeInteger, Minimum: ptrTo(0.0)}
	op := operation{
		access: watchers(),
		errs:   []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusTooManyRequests},
		Operation: huma.Operation{
			OperationID: "events", Method: http.MethodGet, Path: collection + "/{id}/events", Summary: "Watch a verification", Tags: []string{tag},
			Description: "Server-sent events: each has an id (1, 2, ... within the verification), the event's type, and data, which is one Event in JSON. " +
				"It begins with what has happened so far, or after the event that Last-Event-ID names, and ends when nothing more can happen; " +
				"a client token's ends with its verification. It also ends when the server stops: come back with Last-Event-ID, as browsers do. " +
				"What is not in an event is not in any: to show screen digits to the person, get the verification at attempt.ringing.",
			Parameters: []*huma.Param{
				{Name: "id", In: "path", Required: true, Description: "The verification.", Example: "01jd3c8t5w0zq4n7m2r9kx6yva", Schema: &huma.Schema{Type: huma.TypeString}},
				{Name: "Last-Event-ID", In: "header", Description: "The last event that you have: what comes after it is sent.", Example: 4, Schema: after},
				{Name: "last_event_id", In: "query", Description: "Last-Event-ID for who cannot set the header, which goes before it.", Example: 4, Schema: after},
			},
			Responses: map[string]*huma.Response{
				strconv.Itoa(http.StatusOK): {
					Description: "The events.", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: schema}},
				},
				strconv.Itoa(http.StatusNoContent): {Description: "You have every event, and no more will come."},
			},
		},
	}
	s.describeRefusals(&op)
	s.huma.OpenAPI().AddOperation(&op.Operation)
}

func ptrTo(f float64) *float64 { return &f }
