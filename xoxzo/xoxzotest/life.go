package xoxzotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Life is what a status shows over time. The last of Statuses is the end: with it the end time is set.
type Life struct {
	// Statuses are shown in order; the last one stays. Any word is allowed, unknown ones too. Empty means the default:
	// IN_PROGRESS, ANSWERED (without an end time), ANSWERED; for messages QUEUED, DELIVERING, DELIVERED.
	Statuses []string
	// Reads is how many reads each status is shown for; 0 means 1. Not used when Every is set.
	Reads int
	// Every moves on by time instead: each status lasts so long on the server's clock. It is looked at when the status
	// is read, so a callback comes with the first read after the end, or with End.
	Every time.Duration
	// Duration is how long the conversation took, shown at the end; 0 means 15 s when the last status is ANSWERED.
	Duration time.Duration
	// NoEndTime leaves "0000-00-00 00:00:00" as the end time for ever.
	NoEndTime bool
}

// ScriptCalls sets the life of calls to recipient placed from now on; "" is every recipient without a life of its own.
func (s *Server) ScriptCalls(recipient string, life Life) { s.script(s.lives, recipient, life) }

// ScriptMessages does the same for messages.
func (s *Server) ScriptMessages(recipient string, life Life) { s.script(s.texts, recipient, life) }

func (s *Server) script(lives map[string]Life, recipient string, life Life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(life.Statuses) == 0 {
		life.Statuses = lives[""].Statuses
	}
	lives[recipient] = life
}

// End ends the call or message with this identifier now and makes its callback. It reports whether there is one.
func (s *Server) End(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range append(append([]*record(nil), s.calls...), s.messages...) {
		if r.id == id {
			r.step = len(r.life.Statuses) - 1
			s.settle(r)
			return true
		}
	}
	return false
}

// record is one call or message.
type record struct {
	id         string
	kind       string // of a call: "simple/playbacks"
	form       url.Values
	life       Life
	start, end time.Time // end is zero until the last step
	step       int       // index into life.Statuses
	reads      int
	view       func(*record) view
}

// view is an object of the API as it goes over the wire.
type view map[string]any

// read returns what a GET shows, and moves the life on. The caller holds s.mu.
func (s *Server) read(r *record) view {
	last := len(r.life.Statuses) - 1
	if r.end.IsZero() {
		step := r.reads / max(r.life.Reads, 1)
		if r.life.Every > 0 {
			step = int(s.now().Sub(r.start) / r.life.Every)
		}
		r.step = min(max(step, r.step), last)
		if r.step == last {
			s.settle(r)
		}
	}
	r.reads++
	return r.view(r)
}

// settle ends r once and sends its callback. The caller holds s.mu.
func (s *Server) settle(r *record) {
	if !r.end.IsZero() {
		return
	}
	r.end = s.now()
	target := r.form.Get("callbackurl")
	if target == "" {
		return
	}
	form := url.Values{}
	for key, value := range r.view(r) {
		form.Set(key, fmt.Sprint(value))
	}
	form.Set("tags", r.form.Get("tags"))
	select {
	case <-s.closing: // no new work once Close waits
	default:
		s.pending.Go(func() { s.callback(target, form) })
	}
}

// callback posts form to target, once. Only loopback addresses are ever called: a test must not knock at strangers' doors.
func (s *Server) callback(target string, form url.Values) {
	attempt := CallbackAttempt{URL: target, Form: form}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.callbacks = append(s.callbacks, attempt)
	}()
	u, err := url.Parse(target)
	if err != nil || u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
		attempt.Err = "not a loopback address: not called"
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callbackTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		attempt.Err = err.Error()
		return
	}
	req.Header.Set("Content-Type", formType)
	hc := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := hc.Do(req)
	if err != nil {
		attempt.Err = err.Error()
		return
	}
	attempt.Status = resp.StatusCode
	_ = resp.Body.Close()
}

// callView is the answer of GET /voice/calls/{callid}/.
func (s *Server) callView(r *record) view {
	v := view{
		"callid": r.id, "call_type": r.kind, "direction": "outbound",
		"caller": r.form.Get("caller"), "recipient": r.form.Get("recipient"), "status": r.life.Statuses[r.step],
		"start_time": wireTime(r.start), "end_time": unset, "duration": 0, "cost": 0,
		"tags": splitTags(r.form.Get("tags")), "url": s.URL + "/voice/calls/" + r.id + "/",
	}
	if r.end.IsZero() {
		return v
	}
	v["cost"] = CallCost
	duration := r.life.Duration
	if duration == 0 && v["status"] == "ANSWERED" {
		duration = 15 * time.Second
	}
	v["duration"] = int(duration.Seconds())
	if !r.life.NoEndTime {
		v["end_time"] = wireTime(r.end)
	}
	return v
}

// messageView is the answer of GET /sms/messages/{msgid}/.
func (s *Server) messageView(r *record) view {
	v := view{
		"msgid": r.id, "status": r.life.Statuses[r.step], "sent_time": unset, "cost": MessageCost,
		"sender": r.form.Get("sender"), "recipient": r.form.Get("recipient"),
		"tags": splitTags(r.form.Get("tags")), "url": s.URL + "/sms/messages/" + r.id + "/",
	}
	if r.step > 0 || !r.end.IsZero() {
		v["sent_time"] = wireTime(r.start)
	}
	return v
}

// unset is how times that are not set were seen.
const unset = "0000-00-00 00:00:00"

func wireTime(t time.Time) string { return t.UTC().Format(time.DateTime) }

func splitTags(s string) []string {
	if s == "" {
		return []string{}
	}
	return strings.Split(s, ",")
}

// encode writes v as JSON without HTML escapes, as Django does. It panics for a value that JSON cannot hold: all values
// are made in this package.
func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("xoxzotest: " + err.Error())
	}
	return strings.TrimSpace(b.String())
}
