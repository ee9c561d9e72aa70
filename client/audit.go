package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"
)

// AuditEntry is one administrative act on the account.
type AuditEntry struct {
	ID     int64           `json:"id"` // 1, 2, ... within the account
	At     time.Time       `json:"at"`
	By     string          `json:"by"`               // id of the key that acted, or cli
	Action string          `json:"action"`           // such as service.changed
	Target string          `json:"target"`           // id of what was changed
	Before json.RawMessage `json:"before,omitempty"` // nil: it was not there
	After  json.RawMessage `json:"after,omitempty"`  // nil: it is no longer there
}

// Audit gives at most limit entries of the log, the newest first, of those whose
// id is smaller than before (zero: all). A limit of zero leaves it to the server.
// Fewer entries than limit: there are no older ones.
func (c *Client) Audit(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	type answer struct {
		Entries []AuditEntry `json:"entries"`
	}
	r := get("audit log", "v1", "audit")
	r.query = url.Values{}
	if before > 0 {
		r.query.Set("before", strconv.FormatInt(before, 10))
	}
	if limit > 0 {
		r.query.Set("limit", strconv.Itoa(limit))
	}
	got, err := send[answer](ctx, c, r)
	return got.Entries, err
}

// Erased says how many rows of a person were removed.
type Erased struct {
	Verifications int `json:"verifications"`
	Attempts      int `json:"attempts"`
	Jobs          int `json:"jobs"`
	Limits        int `json:"limits"`
	Answers       int `json:"answers"`
	BlocksKept    int `json:"blocks_kept"` // keyed hashes that stay, because the person reported a service
}

type eraseWire struct {
	Number       string `json:"number"`
	ForgetBlocks bool   `json:"forget_blocks,omitempty"`
}

// Erase removes a number (E.164) from the account. Pending verifications are
// canceled first, which can take 15 s. With forgetBlocks it is also forgotten
// that the person reported a service, who may then be called again.
func (c *Client) Erase(ctx context.Context, number string, forgetBlocks bool, opts ...Option) (Erased, error) {
	return send[Erased](ctx, c, post("erase", eraseWire{number, forgetBlocks}, opts, "v1", "erasures"))
}

// Count sums up verifications that were alike and are no longer kept.
type Count struct {
	Day           string `json:"day"` // of the start, UTC, such as 2026-01-02
	Service       string `json:"service"`
	Country       string `json:"country"`
	Channel       string `json:"channel,omitempty"` // of the last attempt
	Status        string `json:"status"`
	Outcome       string `json:"outcome,omitempty"` // of the last attempt
	Verifications int64  `json:"verifications"`
	Sends         int64  `json:"sends"`
	Guesses       int64  `json:"guesses"` // wrong ones
}

// Statistics gives the counts of what is no longer kept, from the first day to
// the last (such as 2026-01-31; empty: the server's choice), oldest first.
func (c *Client) Statistics(ctx context.Context, first, last string) ([]Count, error) {
	type answer struct {
		Counts []Count `json:"counts"`
	}
	r := get("statistics", "v1", "statistics")
	r.query = url.Values{}
	for name, day := range map[string]string{"from": first, "to": last} {
		if day != "" {
			r.query.Set(name, day)
		}
	}
	got, err := send[answer](ctx, c, r)
	return got.Counts, err
}
