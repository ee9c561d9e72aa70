package xoxzo

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sentinel is an error that is its own text; being a constant, nobody can change it.
type sentinel string

func (s sentinel) Error() string { return string(s) }

// ErrInput is wrapped by the errors of requests that were refused before anything was sent: Fields says what is wrong.
const ErrInput = sentinel("bad input")

// Error is every error of a Client's methods. Its texts are masked when it is made: it holds no token, no message, and
// no run of five digits or more.
type Error struct {
	// Op is the operation: "call tts playback", "call", "send sms", ...
	Op string
	// Status is the HTTP status, 0 when no answer was read.
	Status int
	// Fields are the server's complaints by parameter ("recipient"), or "non_field_errors". At most 16 parameters.
	Fields map[string][]string
	// Detail is the server's general complaint.
	Detail string
	// RetryAfter is the server's Retry-After, 0 when it gave none.
	RetryAfter time.Duration
	// MaySent says whether the request may have had an effect: see [MayHaveBeenSent]. Of a read it says nothing of use.
	MaySent bool
	// Err is the cause where there was no refusal by the server: errors.Is finds context.DeadlineExceeded, ErrInput, ...
	Err error

	creditsShort   bool // the text said so before it was masked
	countryRefused bool
	registered     bool
}

// Error gives the operation, the status and the masked complaints.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("xoxzo: " + e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		b.WriteString(": " + name + ": " + strings.Join(e.Fields[name], " "))
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// MayHaveBeenSent reports whether the request behind err may have had an effect: a call placed, a message sent.
//
// It is false only on proof: the name did not resolve, the connection was refused, the TLS handshake failed, the context
// ended before there was a connection, the input was refused here, or the server answered with a refusal (400, 401, 403,
// 404, 429, ...). It is true for everything after bytes may have left: time-outs, broken connections, 5xx answers,
// redirects, and a success whose identifier cannot be read. It is false for nil and true for errors of other packages.
func MayHaveBeenSent(err error) bool {
	if err == nil || errors.Is(err, ErrNoCredentials) {
		return false
	}
	var e *Error
	return !errors.As(err, &e) || e.MaySent
}

// IsUnauthorized reports whether the server refused the credentials (401).
func IsUnauthorized(err error) bool { return hasStatus(err, http.StatusUnauthorized) }

// IsNotFound reports whether the server does not know the identifier (404).
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsThrottled reports whether the server asks to slow down (429); Error.RetryAfter may say by how much.
func IsThrottled(err error) bool { return hasStatus(err, http.StatusTooManyRequests) }

// IsNotEnoughCredits reports whether the account cannot pay for the request. Xoxzo says so in a text only
// (docs.xoxzo.com/en/errors): 403 {"non_field_errors":["Not enough credits, required: 20"]}.
func IsNotEnoughCredits(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.creditsShort
}

// IsCountryNotAllowed reports whether the account may not reach the recipient's country (the documented text "Country not
// allowed").
func IsCountryNotAllowed(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.countryRefused
}

// IsAlreadyRegistered reports whether [Client.RegisterWebsite] was refused because the website is registered already. Xoxzo
// says so in a text only (docs.xoxzo.com/en/otp): 400 {"website":["website info with this website already exists."]}.
func IsAlreadyRegistered(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.registered
}

func hasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// badInput is the error of a request that is not sent.
func badInput(op, field, problem string) error {
	return &Error{Op: op, Fields: map[string][]string{field: {problem}}, Err: ErrInput}
}

// Bounds on what an Error keeps of a server's answer.
const (
	maxFields   = 16
	maxMessages = 8   // per field
	maxText     = 200 // runes
)

// parseRefusal reads the shapes of Django REST framework: {"field":["text"]}, {"detail":"text"}, a list of texts; single
// texts where lists are usual, nested objects as Django's serializers nest them. Anything else (HTML, nothing, half a
// body) gives an Error without texts: foreign pages do not belong in error messages.
func parseRefusal(raw []byte, scrub scrubber) *Error {
	e := &Error{}
	var body any
	if json.Unmarshal(raw, &body) != nil {
		return e
	}
	object, ok := body.(map[string]any)
	if !ok {
		object = map[string]any{"non_field_errors": body}
	}
	names := slices.Sorted(maps.Keys(object))
	for _, name := range names[:min(len(names), maxFields)] {
		texts := collect(object[name], nil, 0)
		e.classify(texts)
		for i := range texts {
			texts[i] = scrub.clean(texts[i])
		}
		switch {
		case len(texts) == 0:
		case name == "detail":
			e.Detail = strings.Join(texts, " ")
		default:
			if e.Fields == nil {
				e.Fields = make(map[string][]string)
			}
			key := scrub.clean(name)
			e.Fields[key] = append(e.Fields[key], texts...)
		}
	}
	return e
}

// classify notes the documented refusals that only their text tells apart.
func (e *Error) classify(texts []string) {
	for _, t := range texts {
		t = strings.ToLower(t)
		e.creditsShort = e.creditsShort || strings.Contains(t, "not enough credits")
		e.countryRefused = e.countryRefused || strings.Contains(t, "country not allowed")
		e.registered = e.registered || strings.Contains(t, "website already exists")
	}
}

// collect appends the texts found in v, at most maxMessages, at most three levels down.
func collect(v any, texts []string, depth int) []string {
	if len(texts) >= maxMessages || depth > 3 {
		return texts
	}
	switch v := v.(type) {
	case string:
		if v != "" {
			texts = append(texts, v)
		}
	case float64, bool:
		texts = append(texts, fmt.Sprint(v))
	case []any:
		for _, item := range v {
			texts = collect(item, texts, depth+1)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			texts = collect(v[key], texts, depth+1)
		}
	}
	return texts[:min(len(texts), maxMessages)]
}
