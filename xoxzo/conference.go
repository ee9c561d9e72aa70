package xoxzo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const conferencesPath = "/voice/simple/conferences/"

// Bounds on what is read of a conference's answer.
const (
	maxLegs  = 100
	maxDepth = 5 // objects and lists inside each other
)

// ConferenceCall is a call that rings several telephones and lets those who answer talk to each other.
type ConferenceCall struct {
	// Caller is the number shown to everybody: digits; a leading "+" is dropped. Required.
	Caller string
	// Participants are the numbers to be called, E.164 with their "+", two or more, each once.
	Participants []string
}

// String hides the numbers.
func (c ConferenceCall) String() string {
	return fmt.Sprintf("xoxzo.ConferenceCall(%d participants)", len(c.Participants))
}

// GoString is String.
func (c ConferenceCall) GoString() string { return c.String() }

// Format writes String for every verb.
func (c ConferenceCall) Format(f fmt.State, _ rune) { writeMasked(f, c.String()) }

// LogValue is String.
func (c ConferenceCall) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (c ConferenceCall) MarshalJSON() ([]byte, error) { return jsonString(c.String()) }

// ConferenceRef names a conference that was asked for.
type ConferenceRef struct {
	// ID is for [Client.Conference].
	ID string
	// CallIDs name the legs, for [Client.Call], in the order of the answer, one for each participant as far as it said.
	CallIDs []string
}

// CallConference asks for a conference: every participant's telephone rings, and every leg is paid for like a call. When
// [MayHaveBeenSent] is true for its error, some or all telephones may ring although there is no identifier.
func (c *Client) CallConference(ctx context.Context, call ConferenceCall) (ConferenceRef, error) {
	const op = "call conference"
	caller := strings.TrimPrefix(call.Caller, "+")
	switch {
	case !digitsOnly(caller):
		return ConferenceRef{}, badInput(op, "caller", "must be digits")
	case len(call.Participants) < 2:
		return ConferenceRef{}, badInput(op, "participants", "must be two or more")
	}
	for i, number := range call.Participants {
		switch {
		case !e164(number):
			return ConferenceRef{}, badInput(op, "participants", "must be E.164: + and 7 to 15 digits")
		case slices.Contains(call.Participants[:i], number): // would ring twice
			return ConferenceRef{}, badInput(op, "participants", "must not contain a number twice")
		}
	}
	form := url.Values{"caller": {caller}, "participants": {strings.Join(call.Participants, ",")}}
	var ref ConferenceRef
	err := c.postAndRead(ctx, request{op: op, path: conferencesPath, form: form}, func(raw json.RawMessage) (err error) {
		ref, err = conferenceRef(raw)
		return err
	})
	return ref, err
}

// conferenceRef finds the identifiers in the answer to a POST. Xoxzo shows that it holds one conferenceid and a callid for
// each leg, not how they lie in each other, so they are taken from wherever they are.
func conferenceRef(raw []byte) (ConferenceRef, error) {
	var body any
	if err := unmarshalNumber(raw, &body); err != nil {
		return ConferenceRef{}, fmt.Errorf("decode the answer: %w", err)
	}
	var ref ConferenceRef
	walk(body, 0, func(object map[string]any) {
		if id := usableID(object["conferenceid"]); id != "" && ref.ID == "" {
			ref.ID = id
		}
		calls, ok := object["callid"].([]any)
		if !ok {
			calls = []any{object["callid"]}
		}
		for _, v := range calls {
			if id := usableID(v); id != "" && !slices.Contains(ref.CallIDs, id) && len(ref.CallIDs) < maxLegs {
				ref.CallIDs = append(ref.CallIDs, id)
			}
		}
	})
	if ref.ID == "" {
		return ConferenceRef{}, errors.New("the answer has no usable conferenceid")
	}
	return ref, nil
}

// walk visits the objects in v, outer ones first, fields in the order of their names, down to maxDepth.
func walk(v any, depth int, visit func(map[string]any)) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			walk(item, depth+1, visit)
		}
	case map[string]any:
		visit(v)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			walk(v[name], depth+1, visit)
		}
	}
}

// usableID is an identifier of a decoded answer, or "".
func usableID(v any) string {
	var id string
	switch v := v.(type) {
	case string:
		id = v
	case json.Number:
		id = v.String()
	}
	if !validID(id) {
		return ""
	}
	return id
}

// Conference is what Xoxzo knows of a conference. The fields of its answer are not documented: those of a call are read
// where they are, and what is missing stays zero.
type Conference struct {
	ID        string
	Caller    string
	Status    CallStatus
	StartTime time.Time // UTC; zero while unset
	EndTime   time.Time // UTC; zero while unset
	Cost      float64   // credits
	Legs      []Call    // one for each participant, as far as the answer has them
	URL       string
}

// Ended reports whether the conference is over: it has an end time, or all its legs ended. One without legs and end time
// is not over; ask for its calls one by one.
func (c Conference) Ended() bool {
	return !c.EndTime.IsZero() || len(c.Legs) > 0 && !slices.ContainsFunc(c.Legs, func(leg Call) bool { return !leg.Ended() })
}

// String hides the numbers.
func (c Conference) String() string {
	return fmt.Sprintf("xoxzo.Conference(%s, %d legs, %s, ended %t)", c.ID, len(c.Legs), c.Status, c.Ended())
}

// GoString is String.
func (c Conference) GoString() string { return c.String() }

// Format writes String for every verb.
func (c Conference) Format(f fmt.State, _ rune) { writeMasked(f, c.String()) }

// LogValue is String.
func (c Conference) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes String as a JSON string, because a list of values is logged as JSON.
func (c Conference) MarshalJSON() ([]byte, error) { return jsonString(c.String()) }

// Conference reads the state of a conference. An identifier that Xoxzo does not know gives an error for which [IsNotFound]
// is true.
func (c *Client) Conference(ctx context.Context, conferenceID string) (Conference, error) {
	const op = "conference"
	if !validID(conferenceID) {
		return Conference{}, badInput(op, "conferenceid", "is not an identifier")
	}
	r := request{op: op, path: conferencesPath + conferenceID + "/"}
	var raw json.RawMessage
	if err := c.get(ctx, r, &raw); err != nil {
		return Conference{}, err
	}
	conference, err := parseConference(raw, conferenceID)
	if err != nil {
		return Conference{}, &Error{Op: op, Status: http.StatusOK, MaySent: true, Err: hide(err, c.scrubber(r))}
	}
	return conference, nil
}

// parseConference reads the conference with this identifier.
func parseConference(raw []byte, id string) (Conference, error) {
	var head struct {
		callAnswer
		ConferenceID text `json:"conferenceid"`
	}
	list, err := objects(raw)
	switch {
	case err != nil:
		return Conference{}, err
	case len(list) == 0:
		return Conference{}, errors.New("the answer is empty")
	}
	if err := json.Unmarshal(list[0], &head); err != nil {
		return Conference{}, fmt.Errorf("decode the answer: %w", err)
	}
	if head.ConferenceID != "" && string(head.ConferenceID) != id {
		return Conference{}, errors.New("the answer is about another conference")
	}
	legs, err := parseLegs(raw)
	if err != nil {
		return Conference{}, err
	}
	return Conference{
		ID: id, Caller: string(head.Caller), Status: CallStatus(statusWord(string(head.Status))),
		StartTime: time.Time(head.Start), EndTime: time.Time(head.End), Cost: float64(head.Cost),
		Legs: legs, URL: string(head.URL),
	}, nil
}

// parseLegs reads every object that has a callid of its own, the first maxLegs of them.
func parseLegs(raw []byte) ([]Call, error) {
	var body any
	if err := unmarshalNumber(raw, &body); err != nil {
		return nil, fmt.Errorf("decode the answer: %w", err)
	}
	var legs []Call
	var fault error
	walk(body, 0, func(object map[string]any) {
		id := usableID(object["callid"])
		known := slices.ContainsFunc(legs, func(leg Call) bool { return leg.ID == id })
		if id == "" || known || fault != nil || len(legs) == maxLegs {
			return
		}
		var leg callAnswer
		again, err := json.Marshal(object)
		if err == nil {
			err = json.Unmarshal(again, &leg)
		}
		if err != nil {
			fault = fmt.Errorf("decode a leg: %w", err)
			return
		}
		legs = append(legs, leg.call(id))
	})
	return legs, fault
}
