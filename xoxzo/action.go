package xoxzo

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// Incoming is what an action URL is told about a call that comes in. Nothing in it is signed: whoever knows the URL can
// say the same, so it is good for choosing what to play, not for deciding who somebody is.
type Incoming struct {
	// Caller is the number that calls, digits with the country's code; empty when it was withheld.
	Caller string
	// Recipient is the rented number that was called.
	Recipient string
}

// String hides the numbers.
func (i Incoming) String() string {
	return fmt.Sprintf("xoxzo.Incoming(from %s, to %s)", maskNumber(i.Caller), maskNumber(i.Recipient))
}

// GoString is String.
func (i Incoming) GoString() string { return i.String() }

// Format writes String for every verb.
func (i Incoming) Format(f fmt.State, _ rune) { writeMasked(f, i.String()) }

// LogValue is String.
func (i Incoming) LogValue() slog.Value { return slog.StringValue(i.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (i Incoming) MarshalJSON() ([]byte, error) { return jsonString(i.String()) }

// ParseIncoming reads the request that Xoxzo makes to an action URL: a GET with the parameters caller and recipient
// (docs.xoxzo.com/en/din). A "+", also one that became a space on its way, is dropped. A caller that is no number counts as
// withheld. Errors name the parameter and do not repeat its value.
func ParseIncoming(r *http.Request) (Incoming, error) {
	if r.Method != http.MethodGet {
		return Incoming{}, errors.New("xoxzo: parse incoming: not a GET")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // the cause quotes the query
		return Incoming{}, errors.New("xoxzo: parse incoming: the query cannot be decoded")
	}
	for _, name := range []string{"caller", "recipient"} {
		if len(query[name]) > 1 {
			return Incoming{}, fmt.Errorf("xoxzo: parse incoming: %s is given more than once", name)
		}
	}
	in := Incoming{Caller: bareNumber(query.Get("caller")), Recipient: bareNumber(query.Get("recipient"))}
	if in.Recipient == "" {
		return Incoming{}, errors.New("xoxzo: parse incoming: recipient is not a number")
	}
	return in, nil
}

// bareNumber is the digits of a number, or "".
func bareNumber(s string) string {
	s = strings.TrimPrefix(strings.TrimSpace(s), "+")
	if !digitsOnly(s) {
		return ""
	}
	return s
}

// Action is what to do with a call, as an action URL answers it. It is an http.Handler that answers every request so.
type Action string

// ActionPlayback plays an mp3 to the caller. The URL must be http, as for [RecordingPlayback], and have neither white space
// nor control characters, which would end the command.
func ActionPlayback(recordingURL string) (Action, error) {
	u, err := url.Parse(recordingURL)
	if err != nil || u.Host == "" || u.Scheme != "http" {
		return "", badInput("action playback", "recording_url", "must be an http URL")
	}
	if strings.ContainsFunc(recordingURL, func(r rune) bool { return r <= ' ' || r == 0x7f || r > 0x7f }) {
		return "", badInput("action playback", "recording_url", "must be ASCII without white space")
	}
	return Action("playback " + recordingURL), nil
}

// ServeHTTP answers with the action as plain text.
func (a Action) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, string(a)) // a caller that hung up has nothing to be told
}
