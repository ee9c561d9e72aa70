package xoxzo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
)

const templatesPath = "/sms/templates/"

// TemplateStatus is Xoxzo's word for where the approval of a template stands, upper case.
type TemplateStatus string

// The documented statuses.
const (
	TemplateApproved TemplateStatus = "APPROVED"
	TemplatePending  TemplateStatus = "PENDING"
)

// Template is the text of a message with placeholders, {name}, that Xoxzo must approve before it is sent
// (docs.xoxzo.com/en/smstemplates). The ready-made command of the answer (api_usage_example) is left out.
type Template struct {
	ID   string
	Name string
	// Approved is the text that is sent; empty while there is none.
	Approved string
	// Pending is the text that waits for approval; empty when none does.
	Pending string
	Status  TemplateStatus
}

// Usable reports whether messages may be sent with the template.
func (t Template) Usable() bool { return t.Status == TemplateApproved }

// Templates lists the account's templates.
func (c *Client) Templates(ctx context.Context) ([]Template, error) {
	type answer struct {
		ID       text `json:"id"`
		Name     text `json:"name"`
		Approved text `json:"approved_content"`
		Pending  text `json:"pending_content"`
		Status   text `json:"status"`
	}
	var out []Template
	err := getList(ctx, c, request{op: "templates", path: templatesPath}, func(a answer) error {
		if !validID(string(a.ID)) {
			return errors.New("a template of the list has no usable id")
		}
		out = append(out, Template{
			ID: string(a.ID), Name: string(a.Name), Approved: string(a.Approved), Pending: string(a.Pending),
			Status: TemplateStatus(statusWord(string(a.Status))),
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// TemplateSMS is a message made from an approved template.
type TemplateSMS struct {
	// TemplateID names the template. Required.
	TemplateID string
	// Sender and Recipient are those of SMS; both are required here.
	Sender, Recipient string
	// Variables are the texts for the template's placeholders, by name without braces. Each may hold a code: none is
	// ever printed.
	Variables map[string]string
	// CallbackURL and Tags are those of SMS.
	CallbackURL string
	Tags        []string
}

// String hides the variables and the number.
func (m TemplateSMS) String() string {
	return fmt.Sprintf("xoxzo.TemplateSMS(template %s, to %s)", maskDigits(m.TemplateID), maskNumber(m.Recipient))
}

// GoString is String.
func (m TemplateSMS) GoString() string { return m.String() }

// Format writes String for every verb.
func (m TemplateSMS) Format(f fmt.State, _ rune) { writeMasked(f, m.String()) }

// LogValue is String.
func (m TemplateSMS) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (m TemplateSMS) MarshalJSON() ([]byte, error) { return jsonString(m.String()) }

// SendTemplateSMS asks for a message made from a template and returns its identifier for [Client.SMS]. It is sent as JSON,
// the only form that is documented for it. Errors are as for [Client.SendSMS]; a template that Xoxzo does not know gives one
// for which [IsNotFound] is true.
func (c *Client) SendTemplateSMS(ctx context.Context, m TemplateSMS) (msgID string, err error) {
	const op = "send template sms"
	sender := strings.TrimPrefix(m.Sender, "+")
	switch {
	case !validID(m.TemplateID):
		return "", badInput(op, "template_id", "is not an identifier")
	case sender == "":
		return "", badInput(op, "sender", "must not be empty")
	case !e164(m.Recipient):
		return "", badInput(op, "recipient", "must be E.164: + and 7 to 15 digits")
	}
	options := url.Values{}
	if err := addOptions(op, options, m.CallbackURL, m.Tags); err != nil {
		return "", err
	}
	body := struct {
		Sender    string            `json:"sender"`
		Recipient string            `json:"recipient"`
		Variables map[string]string `json:"variables"`
		Callback  string            `json:"callbackurl,omitempty"`
		Tags      string            `json:"tags,omitempty"`
	}{sender, m.Recipient, m.Variables, options.Get("callbackurl"), options.Get("tags")}
	if body.Variables == nil {
		body.Variables = map[string]string{} // a JSON object, not null
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return "", badInput(op, "variables", "cannot be written as JSON")
	}
	values := slices.Sorted(maps.Values(m.Variables))
	return c.postForID(ctx, request{
		op: op, path: templatesPath + m.TemplateID + "/messages/", json: raw,
		text: strings.Join(values, "|"), values: values, // the bar keeps the digits of two values apart
	}, "msgid")
}
