package xoxzotest

import (
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	formType = "application/x-www-form-urlencoded"
	maxBody  = 64 << 10
)

// answer is what goes back: body as JSON, or raw as it is.
type answer struct {
	status      int
	body        any
	raw         string
	contentType string
}

// complaints are the messages of a 400 by parameter.
type complaints map[string][]string

func (c complaints) add(field, message string) { c[field] = append(c[field], message) }

func detail(status int, text string) answer {
	return answer{status: status, body: map[string]string{"detail": text}}
}

// serve records the request, answers it, and records the answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	index := len(s.requests)
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path})
	s.mu.Unlock()
	a := s.answer(w, r, index)
	if a.raw == "" && a.body != nil {
		a.raw = encode(a.body)
	}
	if a.contentType == "" {
		a.contentType = "application/json"
	}
	s.mu.Lock()
	s.requests[index].Status = a.status
	s.mu.Unlock()
	w.Header().Set("Content-Type", a.contentType)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.raw) // a client that went away has nothing to be told
}

// answer decides what to say: credentials first, as Xoxzo does, then the path, the ordered faults, the request itself.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, index int) answer {
	if !s.known(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="api"`)
		return detail(http.StatusUnauthorized, "Invalid sid/token")
	}
	op, id, method := route(r.URL.EscapedPath())
	switch {
	case op == "":
		return detail(http.StatusNotFound, "Not found.")
	case r.Method != method:
		w.Header().Set("Allow", method)
		return detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", r.Method))
	case r.URL.RawQuery != "":
		return answer{status: http.StatusBadRequest, body: complaints{"non_field_errors": {"Unexpected query."}}}
	}
	var form url.Values
	if method == http.MethodPost {
		var problem answer
		if form, problem = readForm(r); problem.status != 0 {
			return problem
		}
		s.mu.Lock()
		s.requests[index].Form = form
		s.mu.Unlock()
	}
	fault, ordered := s.takeFault(op)
	if ordered && !fault.Acts {
		return s.play(w, r, fault)
	}
	a := s.perform(w, r, action{op: op, id: id, form: form})
	if ordered && (a.status == http.StatusCreated || a.status == http.StatusOK) {
		return s.play(w, r, fault)
	}
	return a
}

func (s *Server) known(r *http.Request) bool {
	sid, token, ok := r.BasicAuth()
	return ok && subtle.ConstantTimeCompare([]byte(sid), []byte(s.SID)) == 1 &&
		subtle.ConstantTimeCompare([]byte(token), []byte(s.AuthToken)) == 1
}

// route names the operation of a path. A missing trailing slash is no path.
func route(path string) (op Op, id, method string) {
	switch path {
	case "/voice/simple/playbacks/":
		return OpPlayback, "", http.MethodPost
	case "/sms/messages/":
		return OpSend, "", http.MethodPost
	case "/you/credits/":
		return OpCredits, "", http.MethodGet
	}
	id, slash := strings.CutSuffix(path, "/")
	for prefix, op := range map[string]Op{"/voice/calls/": OpCall, "/sms/messages/": OpMessage} {
		if rest, ok := strings.CutPrefix(id, prefix); ok && slash && rest != "" && !strings.Contains(rest, "/") {
			return op, rest, http.MethodGet
		}
	}
	return "", "", ""
}

// readForm is stricter than a web framework: only the media type that Xoxzo's clients send, no more than maxBody bytes, no
// escapes that cannot be decoded. A non-zero status in the answer means refused.
//
// It reads the body of a POST, or says why not.
func readForm(r *http.Request) (url.Values, answer) {
	if ct := r.Header.Get("Content-Type"); ct != formType && ct != formType+"; charset=utf-8" {
		return nil, detail(http.StatusUnsupportedMediaType, "Unsupported media type in request.")
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, detail(http.StatusBadRequest, "The request broke off.")
	case len(raw) > maxBody:
		return nil, detail(http.StatusRequestEntityTooLarge, "The request is too large.")
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, detail(http.StatusBadRequest, "The form cannot be decoded.")
	}
	return form, answer{}
}

// action is a request that has passed the outer checks.
type action struct {
	op   Op
	id   string
	form url.Values
}

// perform makes the request happen, or says why it is refused. Unknown identifiers are 404; Xoxzo's body for it is not
// documented, so this is Django REST framework's own.
func (s *Server) perform(w http.ResponseWriter, r *http.Request, act action) answer {
	switch act.op {
	case OpPlayback:
		if bad := checkPlayback(act.form); len(bad) > 0 {
			return answer{status: http.StatusBadRequest, body: bad}
		}
		return s.accept(w, r, act)
	case OpSend:
		if bad := checkMessage(act.form); len(bad) > 0 {
			return answer{status: http.StatusBadRequest, body: bad}
		}
		return s.accept(w, r, act)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if act.op == OpCredits {
		return answer{status: http.StatusOK, body: map[string]float64{"credits": s.credits}}
	}
	records := s.calls
	if act.op == OpMessage {
		records = s.messages
	}
	for _, rec := range records {
		if rec.id == act.id {
			return answer{status: http.StatusOK, body: s.read(rec)}
		}
	}
	return detail(http.StatusNotFound, "Not found.")
}

// accept takes a checked call or message, unless its recipient is one that was told to fail or the credits do not suffice.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, act action) answer {
	recipient := act.form.Get("recipient")
	s.mu.Lock()
	fault, refused := s.refusals[recipient]
	s.mu.Unlock()
	if refused && !fault.Acts {
		return s.play(w, r, fault)
	}
	a := s.place(act)
	if refused && a.status == http.StatusCreated {
		return s.play(w, r, fault)
	}
	return a
}

// place takes the credits and makes the record, all or nothing.
func (s *Server) place(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, cost, lives, shelf, show := "callid", CallCost, s.lives, &s.calls, s.callView
	if act.op == OpSend {
		key, cost, lives, shelf, show = "msgid", MessageCost, s.texts, &s.messages, s.messageView
	}
	if s.credits < float64(cost) {
		text := fmt.Sprintf("Not enough credits, required: %d", cost)
		return answer{status: http.StatusForbidden, body: complaints{"non_field_errors": {text}}}
	}
	s.credits -= float64(cost)
	life, ok := lives[act.form.Get("recipient")]
	if !ok {
		life = lives[""]
	}
	rec := &record{id: newID(), form: act.form, life: life, start: s.now(), view: show}
	*shelf = append(*shelf, rec)
	return answer{status: http.StatusCreated, body: []map[string]string{{key: rec.id}}}
}
