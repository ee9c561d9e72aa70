package xoxzo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
)

// rental is one of the two kinds of numbers that can be rented. Its value is the name of the number's field in answers; the
// field of its identifier adds "_uid".
type rental string

const (
	dinRental rental = "din"
	sinRental rental = "sin"
)

func (r rental) path() string {
	if r == sinRental {
		return "/sms/sins/"
	}
	return "/voice/dins/"
}

func (r rental) uidField() string { return string(r) + "_uid" }

// NumberFilter chooses numbers to rent. Set one field or none.
type NumberFilter struct {
	// Country is ISO 3166-1, two letters: "JP".
	Country string
	// Prefix is the beginning of the number with its country's code: "813" is Tokyo.
	Prefix string
}

// query is the query of a list, with its question mark.
func (f NumberFilter) query(op string) (string, error) {
	switch {
	case f == NumberFilter{}:
		return "", nil
	case f.Country != "" && f.Prefix != "":
		return "", badInput(op, "prefix", "must not stand beside a country")
	case f.Prefix == "":
		return "?" + url.Values{"country": {f.Country}}.Encode(), nil
	case !digitsOnly(f.Prefix):
		return "", badInput(op, "prefix", "must be digits")
	}
	return "?prefix=" + f.Prefix, nil
}

// Number is a number that can be rented, or is.
type Number struct {
	UID         string // for subscribing
	Number      string // digits with the country's code, without "+"
	CountryCode string // "81"
	Prefix      string // the area's, without the trunk 0: "3"
	MonthlyCost float64
	// MinuteCost is that of calls that come in, in credits like MonthlyCost. Zero for numbers that take messages.
	MinuteCost float64
}

// String hides the number.
func (n Number) String() string {
	return fmt.Sprintf("xoxzo.Number(%s, %s)", n.UID, maskNumber(n.Number))
}

// GoString is String.
func (n Number) GoString() string { return n.String() }

// Format writes String for every verb.
func (n Number) Format(f fmt.State, _ rune) { writeMasked(f, n.String()) }

// LogValue is String.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (n Number) MarshalJSON() ([]byte, error) { return jsonString(n.String()) }

// Subscription is a number that the account rents.
type Subscription struct {
	Number Number
	// ActionURL is asked what to do when somebody calls or writes; empty while unset. It may hold a secret of its own: it
	// is never printed.
	ActionURL string
}

// String hides the number and the URL.
func (s Subscription) String() string {
	return fmt.Sprintf("xoxzo.Subscription(%s, action %t)", s.Number, s.ActionURL != "")
}

// GoString is String.
func (s Subscription) GoString() string { return s.String() }

// Format writes String for every verb.
func (s Subscription) Format(f fmt.State, _ rune) { writeMasked(f, s.String()) }

// LogValue is String.
func (s Subscription) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (s Subscription) MarshalJSON() ([]byte, error) { return jsonString(s.String()) }

// DINs lists the dial-in numbers, which take calls, that can be rented (docs.xoxzo.com/en/din).
func (c *Client) DINs(ctx context.Context, f NumberFilter) ([]Number, error) {
	return c.numbers(ctx, dinRental, f)
}

// SubscribeDIN rents a dial-in number from now on. The month is charged at once, so the request is never tried again: when
// [MayHaveBeenSent] is true for its error, look at [Client.DINSubscriptions] before asking again.
func (c *Client) SubscribeDIN(ctx context.Context, uid string) error {
	return c.subscribe(ctx, dinRental, uid)
}

// DINSubscriptions lists the dial-in numbers that the account rents.
func (c *Client) DINSubscriptions(ctx context.Context) ([]Subscription, error) {
	return c.subscriptions(ctx, dinRental)
}

// SetDINAction says which URL is asked what to do with a call; see [ParseIncoming] and [ActionPlayback].
func (c *Client) SetDINAction(ctx context.Context, uid, actionURL string) error {
	return c.setAction(ctx, dinRental, uid, actionURL)
}

// UnsubscribeDIN gives a dial-in number back. It may be somebody else's the moment after.
func (c *Client) UnsubscribeDIN(ctx context.Context, uid string) error {
	return c.unsubscribe(ctx, dinRental, uid)
}

// SINs lists the numbers, which take text messages, that can be rented. What their answers look like is not documented; the
// fields are those of dial-in numbers with "sin" for "din", and "din" is understood too.
func (c *Client) SINs(ctx context.Context, f NumberFilter) ([]Number, error) {
	return c.numbers(ctx, sinRental, f)
}

// SubscribeSIN rents a number for messages; see [Client.SubscribeDIN].
func (c *Client) SubscribeSIN(ctx context.Context, uid string) error {
	return c.subscribe(ctx, sinRental, uid)
}

// SINSubscriptions lists the numbers for messages that the account rents.
func (c *Client) SINSubscriptions(ctx context.Context) ([]Subscription, error) {
	return c.subscriptions(ctx, sinRental)
}

// SetSINAction says which URL is told of a message.
func (c *Client) SetSINAction(ctx context.Context, uid, actionURL string) error {
	return c.setAction(ctx, sinRental, uid, actionURL)
}

// UnsubscribeSIN gives a number for messages back.
func (c *Client) UnsubscribeSIN(ctx context.Context, uid string) error {
	return c.unsubscribe(ctx, sinRental, uid)
}

// numberAnswer is a number as it comes over the wire, rented or not.
type numberAnswer struct {
	DIN         text   `json:"din"`
	DINUID      text   `json:"din_uid"`
	SIN         text   `json:"sin"`
	SINUID      text   `json:"sin_uid"`
	CountryCode text   `json:"country_code"`
	Prefix      text   `json:"prefix"`
	MonthlyCost number `json:"monthly_cost"`
	MinuteCost  number `json:"minute_cost"`
	ActionURL   text   `json:"action_url"`
}

// subscription checks that the number can be asked for again.
func (a numberAnswer) subscription() (Subscription, error) {
	n := Number{
		UID: orDefault(string(a.DINUID), string(a.SINUID)), Number: orDefault(string(a.DIN), string(a.SIN)),
		CountryCode: string(a.CountryCode), Prefix: string(a.Prefix),
		MonthlyCost: float64(a.MonthlyCost), MinuteCost: float64(a.MinuteCost),
	}
	if !validID(n.UID) {
		return Subscription{}, errors.New("a number of the list has no usable identifier")
	}
	return Subscription{Number: n, ActionURL: string(a.ActionURL)}, nil
}

func (c *Client) numbers(ctx context.Context, kind rental, f NumberFilter) ([]Number, error) {
	op := string(kind) + "s"
	query, err := f.query(op)
	if err != nil {
		return nil, err
	}
	list, err := c.numberList(ctx, op, kind.path()+query)
	if err != nil {
		return nil, err
	}
	var out []Number
	for _, s := range list {
		out = append(out, s.Number)
	}
	return out, nil
}

func (c *Client) subscriptions(ctx context.Context, kind rental) ([]Subscription, error) {
	return c.numberList(ctx, string(kind)+" subscriptions", kind.path()+"subscriptions/")
}

func (c *Client) numberList(ctx context.Context, op, path string) ([]Subscription, error) {
	var out []Subscription
	err := getList(ctx, c, request{op: op, path: path}, func(a numberAnswer) error {
		s, err := a.subscription()
		out = append(out, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// subscribe reads nothing of the answer, of which only the status is documented (201).
func (c *Client) subscribe(ctx context.Context, kind rental, uid string) error {
	op := "subscribe " + string(kind)
	if !validID(uid) {
		return badInput(op, kind.uidField(), "is not an identifier")
	}
	return c.post(ctx, request{op: op, path: kind.path() + "subscriptions/", form: url.Values{kind.uidField(): {uid}}}, nil)
}

func (c *Client) setAction(ctx context.Context, kind rental, uid, actionURL string) error {
	op := "set " + string(kind) + " action"
	switch {
	case !validID(uid):
		return badInput(op, kind.uidField(), "is not an identifier")
	case !webURL(actionURL):
		return badInput(op, "action_url", "must be an http or https URL")
	}
	path := kind.path() + "subscriptions/" + uid + "/"
	return c.post(ctx, request{op: op, path: path, form: url.Values{"action_url": {actionURL}}, text: actionURL}, nil)
}

func (c *Client) unsubscribe(ctx context.Context, kind rental, uid string) error {
	op := "unsubscribe " + string(kind)
	if !validID(uid) {
		return badInput(op, kind.uidField(), "is not an identifier")
	}
	return c.delete(ctx, request{op: op, path: kind.path() + "subscriptions/" + uid + "/"})
}
