package verify

import (
	"errors"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/phone"
)

// Code names a kind of error. The list is closed: see Codes.
type Code string

// The error codes.
const (
	BadInput         Code = "invalid_input"           // Field says where
	Unauthorized     Code = "unauthorized"            // no or bad credential
	Forbidden        Code = "forbidden"               // the credential may not do this
	CountryDenied    Code = "country_not_allowed"     //
	NumberDenied     Code = "number_not_allowed"      // premium rate, or reported by its owner
	NotFound         Code = "not_found"               // unknown, or another account's
	AlreadyEnded     Code = "verification_ended"      //
	InProgress       Code = "attempt_in_progress"     // a call to this person is on its way
	NoStep           Code = "no_next_step"            //
	OnceMismatch     Code = "idempotency_mismatch"    // the key was used for another request
	OnceInFlight     Code = "idempotency_in_progress" //
	Limited          Code = "limit_reached"           // a limit of the guard
	SendsSpent       Code = "max_sends_reached"       // of this verification
	NoRoute          Code = "no_route"                // no configured carrier can do this
	Unavailable      Code = "unavailable"             // a component is down; try again
	Internal         Code = "internal"                // our fault
	MethodNotAllowed Code = "method_not_allowed"      //
	TooLarge         Code = "body_too_large"          //
	BadMedia         Code = "unsupported_media_type"  //
)

// Codes lists every code: a front end's table must have them all.
func Codes() []Code {
	return []Code{BadInput, Unauthorized, Forbidden, CountryDenied, NumberDenied, NotFound, AlreadyEnded, InProgress,
		NoStep, OnceMismatch, OnceInFlight, Limited, SendsSpent, NoRoute, Unavailable, Internal, MethodNotAllowed,
		TooLarge, BadMedia}
}

// Error is what a caller is told, and the cause that only the log sees.
type Error struct {
	Code    Code
	Message string // one safe line that says what to do; never a value that was sent
	Field   string // the field at fault, for BadInput
	// RetryAfter is how long to wait; zero where waiting does not help.
	RetryAfter time.Duration
	Rule       guard.Rule // the guard's, where one of them refused; empty: none did
	Err        error
}

// Error gives code and message, not the cause.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func bad(field, message string) *Error {
	return &Error{Code: BadInput, Field: field, Message: message}
}

// internal hides a cause that the caller can do nothing about. One that says
// itself that it may pass stays that.
func internal(op string, err error) *Error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Code == Unavailable {
		return &Error{Code: e.Code, Message: e.Message, RetryAfter: e.RetryAfter, Err: fmt.Errorf("%s: %w", op, err)}
	}
	return &Error{Code: Internal, Message: "something went wrong on our side", Err: fmt.Errorf("%s: %w", op, err)}
}

// ended says why nothing more can be done with a verification.
func ended(s Status) *Error {
	return fail(AlreadyEnded, "the verification has ended (%s): start a new one", s)
}

// refused turns the guard's decision into what the caller is told.
func refused(d guard.Decision, country string) *Error {
	e := refusal(d, country)
	e.Rule = d.Rule
	return e
}

// refusal is refused, in words.
func refusal(d guard.Decision, country string) *Error {
	switch d.Rule {
	case guard.RuleCountry:
		if len(country) != 2 || country == phone.Unknown {
			return fail(NumberDenied, "the number belongs to no one country (satellite, toll-free, shared codes): "+
				"such numbers are not called")
		}
		return fail(CountryDenied, "calls and messages to %s are not allowed: add %s to guard.countries in the "+
			"configuration (and to the service's countries, where it has any)", country, country)
	case guard.RulePremium:
		return fail(NumberDenied, "premium-rate and shared-cost numbers are never called")
	case guard.RuleBlocked:
		return fail(NumberDenied, "the person at this number has reported the service")
	}
	e := fail(Limited, "limit %s reached (%d of %d): try again later", d.Rule, d.Used, d.Limit)
	e.RetryAfter = max(d.RetryAfter, time.Second)
	return e
}
