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
	jsonType = "application/json"
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
	act, allowed := route(r.Method, r.URL.EscapedPath())
	switch {
	case len(allowed) == 0:
		return detail(http.StatusNotFound, "Not found.")
	case act.op == "":
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", r.Method))
	case r.URL.RawQuery != "" && !act.op.takesQuery():
		return answer{status: http.StatusBadRequest, body: complaints{"non_field_errors": {"Unexpected query."}}}
	}
	act.query = r.URL.RawQuery
	if r.Method == http.MethodPost {
		var problem answer
		if act.form, problem = readBody(r, act.op.takesJSON()); problem.status != 0 {
			return problem
		}
	}
	s.mu.Lock()
	s.requests[index].Form, s.requests[index].Query = act.form, act.query
	s.mu.Unlock()
	fault, ordered := s.takeFault(act.op)
	if ordered && !fault.Acts {
		return s.play(w, r, fault)
	}
	a := s.perform(w, r, act)
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

// readBody reads the body of a POST, or says why not: a non-zero status in the answer means refused. It is stricter than a
// web framework: only the media types that Xoxzo's clients and tutorials send, no more than maxBody bytes, no escapes that
// cannot be decoded.
func readBody(r *http.Request, json bool) (url.Values, answer) {
	ct := strings.TrimSuffix(r.Header.Get("Content-Type"), "; charset=utf-8")
	if ct != formType && (ct != jsonType || !json) {
		return nil, detail(http.StatusUnsupportedMediaType, "Unsupported media type in request.")
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, detail(http.StatusBadRequest, "The request broke off.")
	case len(raw) > maxBody:
		return nil, detail(http.StatusRequestEntityTooLarge, "The request is too large.")
	}
	if ct == jsonType {
		return formOf(raw)
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, detail(http.StatusBadRequest, "The form cannot be decoded.")
	}
	return form, answer{}
}

// action is a request that has passed the outer checks.
type action struct {
	op    Op
	id    string     // of the path
	query string     // raw
	form  url.Values // nil unless it is a POST
}

// perform makes the request happen, or says why it is refused. Unknown identifiers are 404; Xoxzo's body for it is not
// documented, so this is Django REST framework's own.
func (s *Server) perform(w http.ResponseWriter, r *http.Request, act action) answer {
	check, do := checks()[act.op], s.deeds()[act.op]
	if check != nil {
		if bad := check(act.form); len(bad) > 0 {
			return answer{status: http.StatusBadRequest, body: bad}
		}
	}
	fault, refused := s.refused(act.form)
	if refused && !fault.Acts {
		return s.play(w, r, fault)
	}
	a := do(act)
	if refused && (a.status == http.StatusCreated || a.status == http.StatusOK) {
		return s.play(w, r, fault)
	}
	return a
}

// refused returns the fault of the first number in the form that was told to fail.
func (s *Server) refused(form url.Values) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := append(strings.Split(form.Get("participants"), ","), form.Get("recipient"), form.Get("phone_number"))
	for _, number := range numbers {
		if fault, ok := s.refusals[number]; ok && number != "" {
			return fault, true
		}
	}
	return Fault{}, false
}

// checks are the complaints about forms that need no look at the account.
func checks() map[Op]func(url.Values) complaints {
	return map[Op]func(url.Values) complaints{
		OpPlayback: checkPlayback, OpConfer: checkConference, OpSend: checkMessage, OpTemplate: checkTemplate,
		OpLookup: checkLookup, OpRegister: checkRegister, OpRequestOTP: checkRequestOTP, OpVerifyOTP: checkVerifyOTP,
		OpSubscribeDIN: checkUID("din_uid"), OpSubscribeSIN: checkUID("sin_uid"),
		OpDINAction: checkAction, OpSINAction: checkAction,
	}
}

// deeds are what the operations do.
func (s *Server) deeds() map[Op]func(action) answer {
	return map[Op]func(action) answer{
		OpPlayback: s.place, OpSend: s.place, OpCall: s.show, OpMessage: s.show, OpCredits: s.showCredits,
		OpConfer: s.confer, OpConference: s.showConference, OpSent: s.showSent,
		OpTemplates: s.showTemplates, OpTemplate: s.sendTemplate, OpLookup: s.lookUp,
		OpRegister: s.register, OpRequestOTP: s.requestOTP, OpVerifyOTP: s.verifyOTP,
		OpDINs: s.showNumbers, OpSubscribeDIN: s.subscribe, OpDINSubs: s.showSubscriptions,
		OpDINAction: s.setAction, OpUnsubscribeDIN: s.unsubscribe,
		OpSINs: s.showNumbers, OpSubscribeSIN: s.subscribe, OpSINSubs: s.showSubscriptions,
		OpSINAction: s.setAction, OpUnsubscribeSIN: s.unsubscribe,
	}
}

func (s *Server) showCredits(action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer{status: http.StatusOK, body: map[string]float64{"credits": s.credits}}
}

// show answers with a call or a message.
func (s *Server) show(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
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

// place takes the credits for a call or a message and makes the record, all or nothing.
func (s *Server) place(act action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, cost := "callid", CallCost
	if act.op != OpPlayback {
		key, cost = "msgid", MessageCost
	}
	if a := s.charge(float64(cost)); a.status != 0 {
		return a
	}
	if act.op == OpPlayback {
		return answer{status: http.StatusCreated, body: []map[string]string{{key: s.addCall("simple/playbacks", act.form).id}}}
	}
	return answer{status: http.StatusCreated, body: []map[string]string{{key: s.addMessage(act.form).id}}}
}

// charge takes credits; a non-zero status in the answer means that there are not enough, and none were taken. The caller
// holds s.mu.
func (s *Server) charge(cost float64) answer {
	if s.credits < cost {
		text := fmt.Sprintf("Not enough credits, required: %v", cost)
		return answer{status: http.StatusForbidden, body: complaints{"non_field_errors": {text}}}
	}
	s.credits -= cost
	return answer{}
}

// addCall and addMessage make a record. The caller holds s.mu.
func (s *Server) addCall(kind string, form url.Values) *record {
	rec := &record{id: newID(), kind: kind, form: form, life: lifeOf(s.lives, form), start: s.now(), view: s.callView}
	s.calls = append(s.calls, rec)
	return rec
}

func (s *Server) addMessage(form url.Values) *record {
	rec := &record{id: newID(), form: form, life: lifeOf(s.texts, form), start: s.now(), view: s.messageView}
	s.messages = append(s.messages, rec)
	return rec
}

func lifeOf(lives map[string]Life, form url.Values) Life {
	if life, ok := lives[form.Get("recipient")]; ok {
		return life
	}
	return lives[""]
}
