package verify

import (
	"context"
	"errors"

	"github.com/pincall/pincall/internal/secret"
)

// ClientToken tells whom a client token stands for. A malformed token, an
// unknown one, and that of a verification that has ended get the same answer:
// Unauthorized.
func (c *Core) ClientToken(ctx context.Context, presented string) (Caller, error) {
	dead := fail(Unauthorized, "this client token does not work: it is malformed, or its verification has ended")
	tok, err := secret.ParseToken(presented)
	if err != nil || tok.Prefix() != TokenPrefix {
		return Caller{}, dead
	}
	account, hash, err := c.cfg.Store.Token(ctx, tok.ID())
	if errors.Is(err, ErrAbsent) {
		return Caller{}, dead
	}
	if err != nil {
		return Caller{}, storeError(err)
	}
	if !tok.Matches(hash) {
		return Caller{}, dead
	}
	return Caller{Account: account, Verification: tok.ID()}, nil
}
