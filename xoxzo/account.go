package xoxzo

import (
	"context"
	"errors"
	"net/http"
)

// Credits returns what is left on the account, in Xoxzo's credits. A voice call needs a minimum of credits whatever it
// costs in the end (40 or 50 in Xoxzo's texts).
func (c *Client) Credits(ctx context.Context) (float64, error) {
	const op = "credits"
	var answer struct {
		Credits *number `json:"credits"`
	}
	if err := c.get(ctx, request{op: op, path: "/you/credits/"}, &answer); err != nil {
		return 0, err
	}
	if answer.Credits == nil { // nil is not nought: a caller would stop calling for nothing
		return 0, &Error{Op: op, Status: http.StatusOK, MaySent: true, Err: errors.New("the answer has no credits")}
	}
	return float64(*answer.Credits), nil
}
