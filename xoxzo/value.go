package xoxzo

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// The types below read what Xoxzo was seen to write, and its near relatives: numbers as texts, lists as comma lists,
// null for anything.

// text is a JSON string or number; null is empty.
type text string

// UnmarshalJSON reads a string, a number or null.
func (t *text) UnmarshalJSON(raw []byte) error {
	var v any
	if err := unmarshalNumber(raw, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		*t = ""
	case string:
		*t = text(v)
	case json.Number:
		*t = text(v)
	default:
		return errors.New("neither a text nor a number")
	}
	return nil
}

func unmarshalNumber(raw []byte, v *any) error {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	return dec.Decode(v)
}

// number is a JSON number, also as a text; null and "" are 0. Never infinite, never NaN.
type number float64

// UnmarshalJSON reads a number, a text that is one, or null.
func (n *number) UnmarshalJSON(raw []byte) error {
	var t text
	if err := t.UnmarshalJSON(raw); err != nil {
		return err
	}
	if strings.TrimSpace(string(t)) == "" {
		*n = 0
		return nil
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(string(t)), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return errors.New("not a number") // without the cause, which quotes the text
	}
	*n = number(f)
	return nil
}

// seconds turns a number of seconds into a duration between 0 and 24 h.
func (n number) seconds() time.Duration {
	return time.Duration(min(max(float64(n), 0), 86400) * float64(time.Second))
}

// labels is a list of tags, also as a comma list; null is empty.
type labels []string

// UnmarshalJSON reads a list of texts, a comma list or null.
func (l *labels) UnmarshalJSON(raw []byte) error {
	*l = nil
	var list []text
	if json.Unmarshal(raw, &list) == nil {
		for _, t := range list {
			*l = append(*l, string(t))
		}
		return nil
	}
	var t text
	if err := t.UnmarshalJSON(raw); err != nil {
		return errors.New("neither a list nor a text")
	}
	for tag := range strings.SplitSeq(string(t), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			*l = append(*l, tag)
		}
	}
	return nil
}

// moment is a time of the API: UTC without a zone. Unset times are the zero time.
type moment time.Time

// UnmarshalJSON reads a text or null.
func (m *moment) UnmarshalJSON(raw []byte) error {
	var t text
	if err := t.UnmarshalJSON(raw); err != nil {
		return err
	}
	parsed, err := ParseTime(string(t))
	*m = moment(parsed)
	return err
}

// ParseTime reads a time as the API writes it: "2018-06-18 20:50:40" in UTC; also RFC 3339, with or without a zone. Empty
// texts and "0000-00-00 00:00:00" (seen for times not yet set) give the zero time. Errors do not repeat the text.
func ParseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0-:. TZ+") == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateTime, time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not a time like 2006-01-02 15:04:05")
}
