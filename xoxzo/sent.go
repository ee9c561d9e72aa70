package xoxzo

import (
	"context"
	"errors"
	"slices"
	"time"
)

// SentOp compares the day on which a message was sent with a date.
type SentOp string

// The comparisons of the sent list, written as they are sent.
const (
	SentBefore SentOp = "<"
	SentUntil  SentOp = "<="
	SentOn     SentOp = "="
	SentFrom   SentOp = ">="
	SentAfter  SentOp = ">"
)

// SentFilter chooses messages by the day they were sent on. The zero value chooses all that Xoxzo still lists.
type SentFilter struct {
	// Op is required when Date is set.
	Op SentOp
	// Date is a day; its UTC date is sent. Xoxzo refuses days more than 90 days back (400, Fields["sent_date"]).
	Date time.Time
}

// SentSMS lists the messages that the account sent. There are no pages: a list larger than 8 MiB is an error, so choose a
// day on a busy account.
func (c *Client) SentSMS(ctx context.Context, f SentFilter) ([]Message, error) {
	const op = "sent sms"
	query, err := f.query(op)
	if err != nil {
		return nil, err
	}
	var out []Message
	err = getList(ctx, c, request{op: op, path: messagesPath + query}, func(a messageAnswer) error {
		if !validID(string(a.ID)) {
			return errors.New("a message of the list has no usable msgid")
		}
		out = append(out, a.message(string(a.ID)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// query is the raw query. Xoxzo's clients append the operator to the name as it is ("?sent_date>=2016-05-18"), and the
// server reads it from there: encoding it as a value would be another query.
func (f SentFilter) query(op string) (string, error) {
	switch {
	case f == SentFilter{}:
		return "", nil
	case !slices.Contains([]SentOp{SentBefore, SentUntil, SentOn, SentFrom, SentAfter}, f.Op):
		return "", badInput(op, "sent_date", "must be compared by <, <=, =, >= or >")
	case f.Date.IsZero():
		return "", badInput(op, "sent_date", "must not be empty")
	}
	day := f.Date.UTC()
	if day.Year() < 1000 || day.Year() > 9999 {
		return "", badInput(op, "sent_date", "must have a year of four digits")
	}
	return "?sent_date" + string(f.Op) + day.Format(time.DateOnly), nil
}
