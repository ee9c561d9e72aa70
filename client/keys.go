package client

import (
	"context"
	"time"
)

// The scopes of API keys.
const (
	ScopeVerify   = "verify"   // start, check, resend, cancel
	ScopeRead     = "read"     // show
	ScopeAnnounce = "announce" // free text and recordings
	ScopeAdmin    = "admin"    // verify, read and the administration
)

// Key is an API key without its secret.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	Scopes    []string  `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// MadeKey is a new key. Its Secret is shown this once and can be had from nobody
// again.
type MadeKey struct {
	Key
	Secret Secret `json:"key"`
}

type newKeyWire struct {
	Name   string   `json:"name,omitempty"`
	Scopes []string `json:"scopes"`
}

// Keys lists the account's keys, the oldest first, revoked ones too.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	type answer struct {
		Keys []Key `json:"keys"`
	}
	got, err := send[answer](ctx, c, get("list keys", "v1", "keys"))
	return got.Keys, err
}

// NewKey makes a key. It is sent once: the server keeps no answer that holds a
// secret. After an error that is no *Error a key may have been made: look at
// Keys, and revoke it.
func (c *Client) NewKey(ctx context.Context, name string, scopes ...string) (MadeKey, error) {
	r := post("new key", newKeyWire{name, scopes}, nil, "v1", "keys")
	r.once, r.safe = "", false
	return send[MadeKey](ctx, c, r)
}

// RevokeKey ends a key. A revoked one again is no error.
func (c *Client) RevokeKey(ctx context.Context, id string) (Key, error) {
	return send[Key](ctx, c, remove("revoke key", "v1", "keys", id))
}
