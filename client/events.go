package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The types of events. A resend and the next step of a workflow show as a new
// attempt. A server may send types that are not listed here.
const (
	EventStarted           = "verification.started"
	EventAttemptQueued     = "attempt.queued"
	EventDialling          = "attempt.dialling"
	EventRinging           = "attempt.ringing"
	EventAnswered          = "attempt.answered"
	EventGatePassed        = "attempt.gate_passed"
	EventAttemptEnded      = "attempt.ended"
	EventVerificationEnded = "verification.ended"
)

// Event is something that happened to a verification.
type Event struct {
	ID           int       `json:"-"` // 1, 2, ... within the verification
	Type         string    `json:"type"`
	Verification string    `json:"verification"`
	At           time.Time `json:"at"`

	// Of an attempt.
	Attempt string `json:"attempt,omitempty"` // id
	N       int    `json:"n,omitempty"`       // 1, 2, ... within the verification
	Channel string `json:"channel,omitempty"`
	Route   string `json:"route,omitempty"`
	Ungated bool   `json:"ungated,omitempty"`

	// Of the ends.
	Status      string `json:"status,omitempty"`  // of EventVerificationEnded
	Outcome     string `json:"outcome,omitempty"` // of EventAttemptEnded
	Reason      string `json:"reason,omitempty"`
	MayHaveRung bool   `json:"may_have_rung,omitempty"` // of EventAttemptEnded
}

const (
	// quietLongest is how long a stream may be silent: the server sends something
	// every 15 s.
	quietLongest = 45 * time.Second
	maxEvent     = 64 << 10 // bytes of a line
	// comeBack is how long to wait before a stream that broke off is asked for
	// again, where it had lasted or told something; else the pauses between tries
	// apply.
	comeBack = firstPause
)

// Events tells what happens to a verification, from the event after that with
// the id after (zero: from the start), until nothing more can happen. A stream
// that breaks off is taken up again where it was, so no event is missed or told
// twice. The sequence ends with the one error it may give: the server's refusal
// (an *Error), ctx's, or the network's, once it has failed several times on end.
func (c *Client) Events(ctx context.Context, id string, after int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := watching{c: c, request: get("watch verification", "v1", "verifications", id, "events"), last: after}
		err := w.request.check()
		if err == nil {
			err = w.all(ctx, func(e Event) bool { return yield(e, nil) })
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(Event{}, fmt.Errorf("%s: %w", w.request.op, err))
		}
	}
}

// errEnough says that the caller wants no more events.
var errEnough = errors.New("enough")

// watching is a stream over all its connections.
type watching struct {
	c       *Client
	request request
	last    int  // id of the last event told
	ended   bool // the verification's end was told
}

// all tells everything, with as many connections as it takes.
func (w *watching) all(ctx context.Context, tell func(Event) bool) error {
	for failed := 1; ; failed++ {
		before, began := w.last, time.Now()
		complete, err := w.once(ctx, tell)
		var refused *Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case complete || errors.Is(err, errEnough):
			return err
		case w.ended && errors.As(err, &refused) && refused.Status == http.StatusUnauthorized:
			return nil // a client token dies with its verification
		case err == nil:
			err = io.ErrUnexpectedEOF
		}
		wait, again := pause(err, failed)
		if w.last > before || errors.Is(err, io.ErrUnexpectedEOF) && time.Since(began) > maxPause {
			wait, failed = comeBack, 0
		}
		if !again || failed >= maxTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// once tells what one connection brings. It says whether the server has nothing
// more to tell.
func (w *watching) once(ctx context.Context, tell func(Event) bool) (complete bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(quietLongest, cancel)
	defer silent.Stop()
	req, err := w.c.request(ctx, w.request)
	if err != nil {
		return false, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if w.last > 0 {
		req.Header.Set("Last-Event-ID", strconv.Itoa(w.last))
	}
	patient := *w.c.http
	patient.Timeout = 0 // silent is the time-out
	resp, err := patient.Do(req)
	if err != nil {
		return false, broken(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNoContent:
		return true, nil
	case resp.StatusCode != http.StatusOK:
		return false, refusal(resp, time.Now())
	case !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		return false, fmt.Errorf("%w: the answer is no event stream: is %s a pincall server?", errRequest, w.c.base)
	}
	return false, w.read(resp.Body, silent, tell)
}

// broken is what is wrong with the network. Our own time-out is not the
// caller's giving up.
func broken(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("the server is silent")
	}
	return withoutURL(err)
}

// read takes events (HTML Living Standard, 9.2.6) from a connection until its
// end. An event that is not whole is not told.
func (w *watching) read(body io.Reader, silent *time.Timer, tell func(Event) bool) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	var id int
	var data string
	for lines.Scan() {
		silent.Reset(quietLongest)
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if data != "" && !w.tell(id, data, tell) {
				return errEnough
			}
			data = ""
		case name == "id":
			id, _ = strconv.Atoi(value) // no number: no event of ours, and dropped
		case name == "data":
			data += value
		}
	}
	if err := lines.Err(); err != nil {
		return broken(err)
	}
	return nil
}

// tell tells one event, unless it was told before or cannot be read. It says
// whether more are wanted.
func (w *watching) tell(id int, data string, tell func(Event) bool) bool {
	var e Event
	if id <= w.last || json.Unmarshal([]byte(data), &e) != nil {
		return true
	}
	e.ID, w.last = id, id
	w.ended = w.ended || e.Type == EventVerificationEnded
	return tell(e)
}
