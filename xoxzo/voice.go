package xoxzo

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	playbacksPath = "/voice/simple/playbacks/"
	callsPath     = "/voice/calls/"
)

// TTSPlayback is a call in which a machine's voice reads a text.
type TTSPlayback struct {
	// Caller is the number shown to the person: digits; a leading "+" is dropped. Carriers may show another. Required.
	// In Japan it cannot be a Japanese number unless the account rents it.
	Caller string
	// Recipient is the number to be called, E.164 with its "+" ("+818012345678", without the trunk 0). Required.
	Recipient string
	// Message is what is read. "1234" is read as a number: separate digits by commas, or write words. Required.
	Message string
	// Lang is the language of Message and of the voice: "en" or "ja". A voice reads a text of another language
	// unintelligibly. Required.
	Lang string
	// CallbackURL is posted to when the call ended; empty means never.
	CallbackURL string
	// Tags label the call in Xoxzo's records; none may contain a comma.
	Tags []string
}

// String hides the message and the numbers.
func (p TTSPlayback) String() string {
	return fmt.Sprintf("xoxzo.TTSPlayback(to %s, %s)", maskNumber(p.Recipient), p.Lang)
}

// GoString is String.
func (p TTSPlayback) GoString() string { return p.String() }

// Format writes String for every verb.
func (p TTSPlayback) Format(f fmt.State, _ rune) { writeMasked(f, p.String()) }

// LogValue is String.
func (p TTSPlayback) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (p TTSPlayback) MarshalJSON() ([]byte, error) { return jsonString(p.String()) }

// RecordingPlayback is a call in which a recording is played.
type RecordingPlayback struct {
	// Caller, Recipient, CallbackURL and Tags are those of TTSPlayback.
	Caller, Recipient, CallbackURL string
	// RecordingURL is a public mp3. Xoxzo fetches http only ("https is not supported"). Required.
	RecordingURL string
	// Tags label the call in Xoxzo's records; none may contain a comma.
	Tags []string
}

// String hides the recording and the numbers.
func (p RecordingPlayback) String() string {
	return fmt.Sprintf("xoxzo.RecordingPlayback(to %s)", maskNumber(p.Recipient))
}

// GoString is String.
func (p RecordingPlayback) GoString() string { return p.String() }

// Format writes String for every verb.
func (p RecordingPlayback) Format(f fmt.State, _ rune) { writeMasked(f, p.String()) }

// LogValue is String.
func (p RecordingPlayback) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (p RecordingPlayback) MarshalJSON() ([]byte, error) { return jsonString(p.String()) }

// CallTTSPlayback asks for a call that reads a text, and returns the call's identifier for [Client.Call]. The call is
// accepted, not yet answered, when it returns. Errors are *Error; when [MayHaveBeenSent] is true the telephone may
// ring although there is no identifier, and asking again may ring it twice.
func (c *Client) CallTTSPlayback(ctx context.Context, p TTSPlayback) (callID string, err error) {
	const op = "call tts playback"
	switch {
	case strings.TrimSpace(p.Message) == "":
		return "", badInput(op, "tts_message", "must not be empty")
	case p.Lang == "":
		return "", badInput(op, "tts_lang", "must not be empty")
	}
	form, err := playbackForm(op, p.Caller, p.Recipient)
	if err != nil {
		return "", err
	}
	if err := addOptions(op, form, p.CallbackURL, p.Tags); err != nil {
		return "", err
	}
	form.Set("tts_message", p.Message)
	form.Set("tts_lang", p.Lang)
	return c.postForID(ctx, request{op: op, path: playbacksPath, form: form, text: p.Message}, "callid")
}

// CallSimplePlayback asks for a call that plays a recording. See [Client.CallTTSPlayback] for what it returns.
func (c *Client) CallSimplePlayback(ctx context.Context, p RecordingPlayback) (callID string, err error) {
	const op = "call simple playback"
	if !webURL(p.RecordingURL) {
		return "", badInput(op, "recording_url", "must be an http URL")
	}
	form, err := playbackForm(op, p.Caller, p.Recipient)
	if err != nil {
		return "", err
	}
	if err := addOptions(op, form, p.CallbackURL, p.Tags); err != nil {
		return "", err
	}
	form.Set("recording_url", p.RecordingURL)
	return c.postForID(ctx, request{op: op, path: playbacksPath, form: form, text: p.RecordingURL}, "callid")
}

func playbackForm(op, caller, recipient string) (url.Values, error) {
	caller = strings.TrimPrefix(caller, "+")
	switch {
	case !digitsOnly(caller):
		return nil, badInput(op, "caller", "must be digits")
	case !e164(recipient):
		return nil, badInput(op, "recipient", "must be E.164: + and 7 to 15 digits")
	}
	return url.Values{"caller": {caller}, "recipient": {recipient}}, nil
}

// addOptions sets the parameters that calls and messages share; empty ones stay out of the form.
func addOptions(op string, form url.Values, callback string, tags []string) error {
	if callback != "" {
		if !webURL(callback) {
			return badInput(op, "callbackurl", "must be an http or https URL")
		}
		form.Set("callbackurl", callback)
	}
	for _, tag := range tags {
		if tag == "" || strings.Contains(tag, ",") {
			return badInput(op, "tags", "must not be empty or contain a comma")
		}
	}
	if len(tags) > 0 {
		form.Set("tags", strings.Join(tags, ","))
	}
	return nil
}

func digitsOnly(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// e164 checks the form only; whether the number exists, or kept its trunk 0, is the server's to say.
func e164(s string) bool {
	rest, plus := strings.CutPrefix(s, "+")
	return plus && digitsOnly(rest) && rest[0] != '0' && len(rest) >= 7 && len(rest) <= 15
}

func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// CallStatus is the state of a call in Xoxzo's words, upper case with underscores ("no answer" becomes NO_ANSWER).
type CallStatus string

// The statuses that this package understands. Only ANSWERED was ever seen in Xoxzo's documents; the other names are those
// that a compatible server may use, taken at their word. Everything else is unknown, which is not an error.
const (
	CallInProgress CallStatus = "IN_PROGRESS" // not answered yet, or talking
	CallAnswered   CallStatus = "ANSWERED"    // somebody or something took the call; it may still go on
	CallBusy       CallStatus = "BUSY"
	CallNoAnswer   CallStatus = "NO_ANSWER"
	CallFailed     CallStatus = "FAILED"
)

// Known reports whether s is one of this package's constants.
func (s CallStatus) Known() bool {
	return s == CallInProgress || s == CallAnswered || s.Unanswered()
}

// Unanswered reports whether s says that the call ended without an answer. An unknown status never does.
func (s CallStatus) Unanswered() bool {
	return s == CallBusy || s == CallNoAnswer || s == CallFailed
}

// Call is what Xoxzo knows of a call.
type Call struct {
	ID        string
	Type      string // "simple/playbacks"
	Direction string // "outbound"
	Caller    string
	Recipient string
	Status    CallStatus
	StartTime time.Time // UTC; zero while unset
	EndTime   time.Time // UTC; zero while unset
	Duration  time.Duration
	Cost      float64 // credits
	Tags      []string
	URL       string
}

// Ended reports whether the call is over: it has an end time, or its status says that nobody answered. ANSWERED alone is
// no end, because the conversation may go on; an unknown status alone is none either, because taking it for one would
// send the next call while this telephone rings. So a caller that waits for the end needs a time limit of its own.
func (c Call) Ended() bool { return !c.EndTime.IsZero() || c.Status.Unanswered() }

// Answered reports whether the call was taken, by a person or by a machine.
func (c Call) Answered() bool { return c.Status == CallAnswered }

// String hides the numbers.
func (c Call) String() string {
	return fmt.Sprintf("xoxzo.Call(%s, to %s, %s, ended %t)", c.ID, maskNumber(c.Recipient), c.Status, c.Ended())
}

// GoString is String.
func (c Call) GoString() string { return c.String() }

// Format writes String for every verb.
func (c Call) Format(f fmt.State, _ rune) { writeMasked(f, c.String()) }

// LogValue is String.
func (c Call) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (c Call) MarshalJSON() ([]byte, error) { return jsonString(c.String()) }

// Call reads the state of a call. An identifier that Xoxzo does not know gives an error for which [IsNotFound] is true.
func (c *Client) Call(ctx context.Context, callID string) (Call, error) {
	const op = "call"
	if !validID(callID) {
		return Call{}, badInput(op, "callid", "is not an identifier")
	}
	var a callAnswer
	if err := c.get(ctx, request{op: op, path: callsPath + callID + "/"}, &a); err != nil {
		return Call{}, err
	}
	if a.ID != "" && string(a.ID) != callID {
		return Call{}, &Error{Op: op, Status: http.StatusOK, MaySent: true, Err: sentinel("the answer is about another call")}
	}
	return a.call(callID), nil
}

// callAnswer is a call as it comes over the wire.
type callAnswer struct {
	ID        text   `json:"callid"`
	Type      text   `json:"call_type"`
	Direction text   `json:"direction"`
	Caller    text   `json:"caller"`
	Recipient text   `json:"recipient"`
	Status    text   `json:"status"`
	Start     moment `json:"start_time"`
	End       moment `json:"end_time"`
	Duration  number `json:"duration"`
	Cost      number `json:"cost"`
	Tags      labels `json:"tags"`
	URL       text   `json:"url"`
}

func (a callAnswer) call(id string) Call {
	return Call{
		ID: id, Type: string(a.Type), Direction: string(a.Direction),
		Caller: string(a.Caller), Recipient: string(a.Recipient), Status: CallStatus(statusWord(string(a.Status))),
		StartTime: time.Time(a.Start), EndTime: time.Time(a.End), Duration: a.Duration.seconds(),
		Cost: float64(a.Cost), Tags: a.Tags, URL: string(a.URL),
	}
}

// statusWord writes a status as the constants are written.
func statusWord(s string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToUpper(strings.TrimSpace(s)))
}
