package xoxzotest

import (
	"io"
	"net/http"
)

// Op is a kind of request.
type Op string

// The requests that the server answers.
const (
	OpPlayback   Op = "playback"   // POST /voice/simple/playbacks/
	OpCall       Op = "call"       // GET /voice/calls/{callid}/
	OpConfer     Op = "confer"     // POST /voice/simple/conferences/
	OpConference Op = "conference" // GET /voice/simple/conferences/{conferenceid}/
	OpSend       Op = "send"       // POST /sms/messages/
	OpSent       Op = "sent"       // GET /sms/messages/
	OpMessage    Op = "message"    // GET /sms/messages/{msgid}/
	OpTemplates  Op = "templates"  // GET /sms/templates/
	OpTemplate   Op = "template"   // POST /sms/templates/{id}/messages/
	OpLookup     Op = "lookup"     // POST /utilities/carrierlookup/
	OpRegister   Op = "register"   // POST /otp/register-website/
	OpRequestOTP Op = "requestotp" // POST /otp/request/
	OpVerifyOTP  Op = "verifyotp"  // POST /otp/verify/
	OpCredits    Op = "credits"    // GET /you/credits/

	OpDINs           Op = "dins"           // GET /voice/dins/
	OpSubscribeDIN   Op = "subscribedin"   // POST /voice/dins/subscriptions/
	OpDINSubs        Op = "dinsubs"        // GET /voice/dins/subscriptions/
	OpDINAction      Op = "dinaction"      // POST /voice/dins/subscriptions/{din_uid}/
	OpUnsubscribeDIN Op = "unsubscribedin" // DELETE /voice/dins/subscriptions/{din_uid}/

	OpSINs           Op = "sins"           // GET /sms/sins/
	OpSubscribeSIN   Op = "subscribesin"   // POST /sms/sins/subscriptions/
	OpSINSubs        Op = "sinsubs"        // GET /sms/sins/subscriptions/
	OpSINAction      Op = "sinaction"      // POST /sms/sins/subscriptions/{sin_uid}/
	OpUnsubscribeSIN Op = "unsubscribesin" // DELETE /sms/sins/subscriptions/{sin_uid}/
)

// Fault is one way to fail. Exactly one of Status, Hang, Drop should be set.
type Fault struct {
	// Status and Body are the answer; a Status of 200 or 201 gives a success with a Body of one's choice.
	Status int
	Body   string
	// ContentType of Body; empty means application/json.
	ContentType string
	// Header is added to the answer ("Retry-After", "Location").
	Header map[string]string
	// Hang answers nothing until the client gives up or the Server is closed.
	Hang bool
	// Drop closes the connection after the request was read, without an answer.
	Drop bool
	// Acts lets a POST have its effect first: the call is placed, the credits go down, and only the answer is lost. A
	// request that is refused anyway has no effect.
	Acts bool
}

// The documented refusals (docs.xoxzo.com/en/errors and readme), for Fail and RefuseRecipient.

// Unauthorized is 401.
func Unauthorized() Fault {
	return Fault{Status: http.StatusUnauthorized, Body: `{"detail":"Invalid sid/token"}`}
}

// NotEnoughCredits is the 403 of an account that cannot pay for a call.
func NotEnoughCredits() Fault {
	return Fault{Status: http.StatusForbidden, Body: `{"non_field_errors":["Not enough credits, required: 20"]}`}
}

// CountryNotAllowed is the 403 of a country that the account may not reach. The status is not documented, the text is.
func CountryNotAllowed() Fault {
	return Fault{Status: http.StatusForbidden, Body: `{"non_field_errors":["Country not allowed"]}`}
}

// BadField is a 400 that complains of one parameter.
func BadField(field, message string) Fault {
	return Fault{Status: http.StatusBadRequest, Body: encode(map[string][]string{field: {message}})}
}

// Throttled is 429.
func Throttled() Fault {
	return Fault{
		Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "1"},
		Body: `{"detail":"Request was throttled. Expected available in 1 second."}`,
	}
}

// BrokenGateway is an answer of a proxy, with a page for people.
func BrokenGateway(status int) Fault {
	return Fault{Status: status, ContentType: "text/html", Body: "<html><body><h1>" + http.StatusText(status) + "</h1></body></html>"}
}

// Fail lets the next requests of one kind fail, one fault each. Credentials are checked before.
func (s *Server) Fail(op Op, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[op] = append(s.faults[op], faults...)
}

// RefuseRecipient lets every call, message, conference, one-time password and look-up of number fail with f.
func (s *Server) RefuseRecipient(number string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals[number] = f
}

// takeFault returns the fault that is next for op, if any.
func (s *Server) takeFault(op Op) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.faults[op]
	if len(queue) == 0 {
		return Fault{}, false
	}
	s.faults[op] = queue[1:]
	return queue[0], true
}

// play performs f as the answer to r.
func (s *Server) play(w http.ResponseWriter, r *http.Request, f Fault) answer {
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-s.closing:
		}
		panic(http.ErrAbortHandler) // net/http's way to close a connection without an answer
	case f.Drop:
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	return answer{status: f.Status, raw: f.Body, contentType: f.ContentType}
}
