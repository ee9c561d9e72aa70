package web

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/pincall/pincall/internal/edge"
)

// phoneEvents: GET /sim/phones/{number}/events: the phone, and again whenever it
// has changed.
func (s *server) phoneEvents(w http.ResponseWriter, r *edge.Request) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	return s.watch(w, r, "phone", func() ([]byte, error) {
		p := whole(s.cfg.Phones.Phone(r.Caller.Account, n))
		p.Number = n.E164()
		return encode(p)
	})
}

// listEvents: GET /sim/events: the list of phones, and again whenever it has
// changed.
func (s *server) listEvents(w http.ResponseWriter, r *edge.Request) error {
	return s.watch(w, r, "phones", func() ([]byte, error) { return encode(s.listed(r.Caller.Account)) })
}

// watch answers with a stream of what look sees. Who is slow misses states in
// between, never the last.
func (s *server) watch(w http.ResponseWriter, r *edge.Request, name string, look func() ([]byte, error)) error {
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	stream, err := edge.OpenStream(w, r)
	if err != nil {
		return err
	}
	defer stream.Close()
	// Outside the loop: however often something changes, they are due in time.
	due := dues{time.NewTicker(s.cfg.Times.Beat), time.NewTicker(s.cfg.Times.Readmit)}
	defer due.stop()
	var last []byte
	for id := 1; ; {
		changed := s.cfg.Phones.Changed() // before the look: nothing falls between
		seen, err := look()
		if err != nil {
			return nil // the answer has begun: the stream just ends
		}
		if !bytes.Equal(seen, last) {
			if stream.Send(edge.Event{ID: id, Name: name, Data: seen}) != nil {
				return nil
			}
			last, id = seen, id+1
		}
		if !s.wait(stream, r, due, changed) {
			return nil
		}
	}
}

// dues are what a stream does from time to time.
type dues struct{ beat, readmit *time.Ticker }

func (d dues) stop() {
	d.beat.Stop()
	d.readmit.Stop()
}

// wait waits for a change, and a little longer, so that many are told as one. It
// is false when the stream must end.
func (s *server) wait(stream *edge.Stream, r *edge.Request, due dues, changed <-chan struct{}) bool {
	gone, stopping := stream.Done()
	var gap <-chan time.Time
	for {
		select {
		case <-gone:
			return false
		case <-stopping:
			return false
		case <-due.beat.C:
			if stream.Beat() != nil {
				return false
			}
		case <-due.readmit.C:
			if r.Readmit() != nil {
				return false
			}
		case <-changed:
			changed, gap = nil, time.After(s.cfg.Times.Gap)
		case <-gap:
			return true
		}
	}
}

// sound: GET /sim/phones/{number}/sound: the call as it goes to the line, from
// now to its end, as raw G.711 mu-law at 8 kHz (audio/basic, RFC 2046, 4.3).
func (s *server) sound(w http.ResponseWriter, r *edge.Request) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel() // which also gives the listener's place back
	frames, err := s.cfg.Phones.Listen(ctx, r.Caller.Account, n)
	if err != nil {
		return err
	}
	stream, err := edge.OpenBytes(w, r, "audio/basic")
	if err != nil {
		return err
	}
	defer stream.Close()
	_, stopping := stream.Done()
	go func() { // while the phone rings there is no frame to notice it by
		select {
		case <-stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	admitted := time.Now()
	for frame := range frames {
		if time.Since(admitted) > s.cfg.Times.Readmit {
			if r.Readmit() != nil {
				return nil
			}
			admitted = time.Now()
		}
		if stream.SendBytes(frame) != nil {
			return nil
		}
	}
	return nil
}
