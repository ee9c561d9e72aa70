package xoxzo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
)

// Carrier is the mobile network of a number, as far as Xoxzo knows it. A ported number shows the network that it was issued
// by. A landline and an unknown number have none: every field but Recipient is empty.
type Carrier struct {
	ID     string // of the look-up
	MCC    string // the country's three digits (ITU-T E.212), "440"
	MNC    string // the network's two or three digits, "54"
	MCCMNC string // both together, "44054"
	Name   string // "KDDI"
	// Country is ISO 3166-1, two letters.
	Country   string
	Recipient string  // the number that was asked for
	Cost      float64 // credits
}

// Known reports whether the number belongs to a mobile network.
func (c Carrier) Known() bool { return c.MCC != "" || c.MCCMNC != "" || c.Name != "" }

// String hides the number. The network's codes stay out: they are the only digits of use, and too few to matter.
func (c Carrier) String() string {
	return fmt.Sprintf("xoxzo.Carrier(of %s, %q, %q)", maskNumber(c.Recipient), maskDigits(c.Name), maskDigits(c.Country))
}

// GoString is String.
func (c Carrier) GoString() string { return c.String() }

// Format writes String for every verb.
func (c Carrier) Format(f fmt.State, _ rune) { writeMasked(f, c.String()) }

// LogValue is String.
func (c Carrier) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (c Carrier) MarshalJSON() ([]byte, error) { return jsonString(c.String()) }

// LookUpCarrier asks which mobile network a number belongs to, without calling it. Each look-up costs credits, so it is
// never tried again; when [MayHaveBeenSent] is true for its error it may have been paid for.
func (c *Client) LookUpCarrier(ctx context.Context, recipient string) (Carrier, error) {
	const op = "look up carrier"
	if !e164(recipient) {
		return Carrier{}, badInput(op, "recipient", "must be E.164: + and 7 to 15 digits")
	}
	var out Carrier
	r := request{op: op, path: "/utilities/carrierlookup/", form: url.Values{"recipient": {recipient}}}
	err := c.postAndRead(ctx, r, func(raw json.RawMessage) (err error) {
		out, err = parseCarrier(raw, recipient)
		return err
	})
	return out, err
}

// parseCarrier reads the answer for one number: a list of one object, or the object.
func parseCarrier(raw []byte, recipient string) (Carrier, error) {
	type answer struct {
		ID        text   `json:"id"`
		MCC       text   `json:"mcc"`
		MNC       text   `json:"mnc"`
		MCCMNC    text   `json:"mccmnc"`
		Carrier   text   `json:"carrier"`
		Country   text   `json:"country"`
		Recipient text   `json:"recipient"`
		Cost      number `json:"cost"`
	}
	var out []Carrier
	err := each(raw, func(fields map[string]json.RawMessage) error {
		if _, present := fields["mcc"]; !present { // null says that there is no network, silence says nothing
			return errors.New("the answer has no mcc")
		}
		again, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("decode the answer: %w", err)
		}
		var a answer
		if err := json.Unmarshal(again, &a); err != nil {
			return fmt.Errorf("decode the answer: %w", err)
		}
		if a.Recipient != "" && string(a.Recipient) != recipient && "+"+string(a.Recipient) != recipient {
			return errors.New("the answer is about another number")
		}
		out = append(out, Carrier{
			ID: string(a.ID), MCC: string(a.MCC), MNC: string(a.MNC), MCCMNC: string(a.MCCMNC), Name: string(a.Carrier),
			Country: string(a.Country), Recipient: recipient, Cost: float64(a.Cost),
		})
		return nil
	})
	switch {
	case err != nil:
		return Carrier{}, err
	case len(out) != 1:
		return Carrier{}, fmt.Errorf("the answer has %d networks for one number", len(out))
	}
	return out[0], nil
}
