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

const messagesPath = "/sms/messages/"

// SMS is a text message to be sent. Newer accounts may send free text only when Xoxzo trusts them.
type SMS struct {
	// Message is the text. Required.
	Message string
	// Recipient is the number to be reached, E.164 with its "+". Required.
	Recipient string
	// Sender is what the telephone shows: at most 10 letters and digits, or a number of at most 15 digits, whose
	// leading "+" is dropped. Xoxzo asks for it; an empty one is left out of the request.
	Sender string
	// CallbackURL is posted to when the state changes; empty means never.
	CallbackURL string
	// Tags label the message in Xoxzo's records; none may contain a comma.
	Tags []string
}

// String hides the message and the number.
func (m SMS) String() string { return fmt.Sprintf("xoxzo.SMS(to %s)", maskNumber(m.Recipient)) }

// GoString is String.
func (m SMS) GoString() string { return m.String() }

// Format writes String for every verb.
func (m SMS) Format(f fmt.State, _ rune) { writeMasked(f, m.String()) }

// LogValue is String.
func (m SMS) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (m SMS) MarshalJSON() ([]byte, error) { return jsonString(m.String()) }

// SendSMS asks for a message to be sent and returns its identifier for [Client.SMS]. Errors are as for
// [Client.CallTTSPlayback]: when [MayHaveBeenSent] is true the message may arrive although there is no identifier.
func (c *Client) SendSMS(ctx context.Context, m SMS) (msgID string, err error) {
	const op = "send sms"
	switch {
	case strings.TrimSpace(m.Message) == "":
		return "", badInput(op, "message", "must not be empty")
	case !e164(m.Recipient):
		return "", badInput(op, "recipient", "must be E.164: + and 7 to 15 digits")
	}
	form := url.Values{"message": {m.Message}, "recipient": {m.Recipient}}
	if sender := strings.TrimPrefix(m.Sender, "+"); sender != "" {
		form.Set("sender", sender)
	}
	if err := addOptions(op, form, m.CallbackURL, m.Tags); err != nil {
		return "", err
	}
	return c.postForID(ctx, request{op: op, path: messagesPath, form: form, text: m.Message}, "msgid")
}

// MessageStatus is the state of a message in Xoxzo's words, upper case.
type MessageStatus string

// The statuses of Xoxzo's reference (QUEUED, DELIVERING, DELIVERED, FAIL) and of its help pages (OK, FAILED), which
// disagree. Everything else is unknown, which is not an error.
const (
	MessageQueued     MessageStatus = "QUEUED"
	MessageDelivering MessageStatus = "DELIVERING"
	MessageDelivered  MessageStatus = "DELIVERED"
	MessageOK         MessageStatus = "OK"
	MessageFail       MessageStatus = "FAIL"
	MessageFailed     MessageStatus = "FAILED"
)

// Known reports whether s is one of this package's constants.
func (s MessageStatus) Known() bool {
	return s == MessageQueued || s == MessageDelivering || s.Ended()
}

// Delivered reports whether the message arrived, in either vocabulary.
func (s MessageStatus) Delivered() bool { return s == MessageDelivered || s == MessageOK }

// Failed reports whether the message will not arrive, in either vocabulary.
func (s MessageStatus) Failed() bool { return s == MessageFail || s == MessageFailed }

// Ended reports whether s is final. An unknown status is not.
func (s MessageStatus) Ended() bool { return s.Delivered() || s.Failed() }

// Message is what Xoxzo knows of a text message. It does not contain the text.
type Message struct {
	ID        string
	Status    MessageStatus
	SentTime  time.Time // UTC; zero while unset
	Cost      float64   // credits
	Sender    string
	Recipient string
	Tags      []string
	URL       string
}

// String hides the number.
func (m Message) String() string {
	return fmt.Sprintf("xoxzo.Message(%s, to %s, %s)", m.ID, maskNumber(m.Recipient), m.Status)
}

// GoString is String.
func (m Message) GoString() string { return m.String() }

// Format writes String for every verb.
func (m Message) Format(f fmt.State, _ rune) { writeMasked(f, m.String()) }

// LogValue is String.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (m Message) MarshalJSON() ([]byte, error) { return jsonString(m.String()) }

// SMS reads the state of a message. An identifier that Xoxzo does not know gives an error for which [IsNotFound] is true.
func (c *Client) SMS(ctx context.Context, msgID string) (Message, error) {
	const op = "sms"
	if !validID(msgID) {
		return Message{}, badInput(op, "msgid", "is not an identifier")
	}
	var a messageAnswer
	if err := c.get(ctx, request{op: op, path: messagesPath + msgID + "/"}, &a); err != nil {
		return Message{}, err
	}
	if a.ID != "" && string(a.ID) != msgID {
		return Message{}, &Error{Op: op, Status: http.StatusOK, MaySent: true, Err: sentinel("the answer is about another message")}
	}
	return a.message(msgID), nil
}

// messageAnswer is a message as it comes over the wire, alone or in a list.
type messageAnswer struct {
	ID        text   `json:"msgid"`
	Status    text   `json:"status"`
	Sent      moment `json:"sent_time"`
	Cost      number `json:"cost"`
	Sender    text   `json:"sender"`
	Recipient text   `json:"recipient"`
	Tags      labels `json:"tags"`
	URL       text   `json:"url"`
}

func (a messageAnswer) message(id string) Message {
	return Message{
		ID: id, Status: MessageStatus(statusWord(string(a.Status))), SentTime: time.Time(a.Sent),
		Cost: float64(a.Cost), Sender: string(a.Sender), Recipient: string(a.Recipient),
		Tags: a.Tags, URL: string(a.URL),
	}
}
