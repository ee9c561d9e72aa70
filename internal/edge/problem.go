package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

// Problem is a refusal as RFC 9457 has it, with the code of verify.
type Problem struct {
	Type   string       `json:"type" doc:"Names the kind of problem; it belongs to the code." example:"urn:pincall:problem:limit_reached"`
	Title  string       `json:"title" doc:"The kind of problem in words; it does not change from case to case." example:"A limit was reached"`
	Status int          `json:"status" doc:"The HTTP status." example:"429"`
	Detail string       `json:"detail" doc:"What to do about this case, in one line." example:"limit starts_per_number reached (5 of 5): try again later"`
	Code   string       `json:"code" doc:"The kind of problem for programs." example:"limit_reached"`
	Errors []FieldError `json:"errors,omitempty" doc:"What is wrong with which field."`
}

// FieldError is what is wrong with one field. It never holds the field's value.
type FieldError struct {
	Message  string `json:"message" doc:"What is wanted there." example:"expected string"`
	Location string `json:"location" doc:"Where it is." example:"body.workflow[0].channel"`
}

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// Invalid is bad input in several places at once. It is a verify.BadInput with
// the message of the first.
type Invalid struct{ Errors []FieldError }

// Error gives the first fault.
func (e *Invalid) Error() string { return e.first().Error() }

// Unwrap gives the *verify.Error that it is.
func (e *Invalid) Unwrap() error { return e.first() }

func (e *Invalid) first() *verify.Error {
	if len(e.Errors) == 0 {
		return &verify.Error{Code: verify.BadInput, Message: "the request is not valid"}
	}
	first := e.Errors[0]
	return &verify.Error{Code: verify.BadInput, Message: first.Location + ": " + first.Message}
}

// WrongPhoneState is a code that is not verify's: a simulated phone cannot
// do this now.
const WrongPhoneState verify.Code = "wrong_phone_state"

// Conflict is another: an administrative act is not possible as things are.
const Conflict verify.Code = "conflict"

// kind is how a code appears in HTTP.
type kind struct {
	status int
	title  string
}

// kinds has every code of verify, WrongPhoneState and Conflict.
var kinds = map[verify.Code]kind{
	verify.BadInput:         {http.StatusUnprocessableEntity, "The request is not valid"},
	verify.Unauthorized:     {http.StatusUnauthorized, "No credential that works"},
	verify.Forbidden:        {http.StatusForbidden, "Not allowed"},
	verify.CountryDenied:    {http.StatusForbidden, "The country is not allowed"},
	verify.NumberDenied:     {http.StatusForbidden, "The number is not allowed"},
	verify.NotFound:         {http.StatusNotFound, "Not found"},
	verify.AlreadyEnded:     {http.StatusConflict, "The verification has ended"},
	verify.InProgress:       {http.StatusConflict, "An attempt is in progress"},
	verify.NoStep:           {http.StatusConflict, "There is no further step"},
	verify.OnceMismatch:     {http.StatusConflict, "The Idempotency-Key was used for another request"},
	verify.OnceInFlight:     {http.StatusConflict, "The same request is being worked on"},
	verify.Limited:          {http.StatusTooManyRequests, "A limit was reached"},
	verify.SendsSpent:       {http.StatusTooManyRequests, "The code was sent often enough"},
	verify.NoRoute:          {http.StatusServiceUnavailable, "No carrier can do this"},
	verify.Unavailable:      {http.StatusServiceUnavailable, "Not available now"},
	verify.Internal:         {http.StatusInternalServerError, "Internal error"},
	verify.MethodNotAllowed: {http.StatusMethodNotAllowed, "Method not allowed"},
	verify.TooLarge:         {http.StatusRequestEntityTooLarge, "The body is too large"},
	verify.BadMedia:         {http.StatusUnsupportedMediaType, "The media type is not supported"},
	Conflict:                {http.StatusConflict, "Not possible as things are"},
	WrongPhoneState:         {http.StatusConflict, "The phone is in another state"},
}

// asError finds the error for the caller; what is not meant for them is an
// internal one.
func asError(err error) *verify.Error {
	if e := (*verify.Error)(nil); errors.As(err, &e) {
		if _, ok := kinds[e.Code]; ok {
			return e
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &verify.Error{Code: verify.Unavailable, Message: "the request ended before it was carried out: try again", RetryAfter: time.Second, Err: err}
	}
	return &verify.Error{Code: verify.Internal, Message: "something went wrong on our side", Err: err}
}

// problem gives the document for an error.
func problem(err error) Problem {
	e := asError(err)
	k := kinds[e.Code]
	p := Problem{Type: "urn:pincall:problem:" + string(e.Code), Title: k.title, Status: k.status, Detail: e.Message, Code: string(e.Code)}
	if many := (*Invalid)(nil); errors.As(err, &many) {
		p.Errors = many.Errors
	} else if e.Field != "" {
		p.Errors = []FieldError{{Message: e.Message, Location: location(e.Field)}}
	}
	return p
}

// location says where a field is: verify names fields of the body.
func location(field string) string { return "body." + field }

// writeProblem writes an error as an answer.
func writeProblem(w http.ResponseWriter, err error) {
	e, p := asError(err), problem(err)
	h := w.Header()
	h.Set("Content-Type", ProblemType)
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	b, err := json.Marshal(p)
	if err != nil { // strings and a number: it cannot fail
		panic("edge: a problem document cannot be written: " + err.Error())
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(b) // a caller that is gone cannot be told
}

// WriteJSON answers with a document that is ready.
func WriteJSON(w http.ResponseWriter, status int, document []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(document) // as above
	return nil
}
