package client

import (
	"context"
)

// AttemptInFull is an attempt with what only API keys are told.
type AttemptInFull struct {
	Attempt
	N    int `json:"n"`    // 1, 2, ... within the verification
	Send int `json:"send"` // which send it belongs to: the same may be tried on another route
	// Once it has ended: whether the phone may have rung, and whose fault the end
	// was (number, person, carrier or ours; empty: nobody's).
	MayHaveRung bool   `json:"may_have_rung,omitempty"`
	Fault       string `json:"fault,omitempty"`
}

// Attempts lists the calls and messages of a verification, oldest first.
func (c *Client) Attempts(ctx context.Context, id string) ([]AttemptInFull, error) {
	type answer struct {
		Attempts []AttemptInFull `json:"attempts"`
	}
	got, err := send[answer](ctx, c, get("list attempts", "v1", "verifications", id, "attempts"))
	return got.Attempts, err
}
