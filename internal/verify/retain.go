package verify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How long finished verifications are kept.
const (
	DefaultRetention = 30 * 24 * time.Hour
	// MinRetention is how long an answer kept for an Idempotency-Key may tell of a
	// verification: it must not outlive it.
	MinRetention = keepAnswers
	// retireBatch is how many verifications are reduced in one transaction, so
	// that nobody waits long behind it.
	retireBatch = 200
)

// Records is the part of a Store that removes what it has kept.
type Records interface {
	// Retire reduces verifications that ended at least age ago to counts: of the n
	// oldest, those that have. It says how many there were.
	Retire(ctx context.Context, age time.Duration, n int) (int, error)
	// Statistics gives at most n of an account's counts, of the days from and to
	// and those between, oldest day first.
	Statistics(ctx context.Context, account string, days Days, n int) ([]Count, error)

	// Numbered lists the verifications of a number by its index; account "" is any.
	Numbered(ctx context.Context, account string, index []byte) ([]Overdue, error)
	// Brands lists the services of an account with their account; "" is any.
	Brands(ctx context.Context, account string) ([]Brand, error)
	// Followed says whether a living node works on a call of these.
	Followed(ctx context.Context, verifications []string) (bool, error)
	// Erase deletes the rows of verifications and what was counted and kept of
	// them, and says how many.
	Erase(ctx context.Context, e Erasure) (Erased, error)
	// Scrub sees to it that what was deleted is in no file any more.
	Scrub(ctx context.Context) error
}

// Days is a stretch of days, UTC, written 2026-01-02; both are in it.
type Days struct{ From, To string }

// Count is what is left of finished verifications that are alike: how many there
// were, and their sends and wrong guesses together.
type Count struct {
	Day     string // UTC, of the start: 2026-01-02
	Account string
	Service string
	Country string
	Channel string // of the last attempt; empty: there was none
	Status  Status
	Outcome string // of the last attempt
	Sends   int64
	Guesses int64
	N       int64
}

// mostCounts bounds one answer.
const mostCounts = 10_000

// Statistics tells what is left of an account's verifications that are no longer
// kept. An empty day is the first or the last there is.
func (c *Core) Statistics(ctx context.Context, who Caller, days Days) ([]Count, error) {
	if who.Account == "" || who.Verification != "" {
		return nil, fail(Forbidden, "only an account's API key can read statistics")
	}
	for _, d := range []struct {
		name string
		day  *string
		none string
	}{{"from", &days.From, "0001-01-01"}, {"to", &days.To, "9999-12-31"}} {
		if *d.day == "" {
			*d.day = d.none
		}
		if _, err := time.Parse(time.DateOnly, *d.day); err != nil {
			return nil, bad(d.name, d.name+" is a day, such as 2026-01-02")
		}
	}
	out, err := c.cfg.Store.Statistics(ctx, who.Account, days, mostCounts+1)
	if err != nil {
		return nil, storeError(err)
	}
	if len(out) > mostCounts {
		return nil, bad("to", "these are too many counts for one answer: ask for fewer days")
	}
	return out, nil
}

// Forget lets the store drop what is past its time, and reduces what has been
// finished for long to counts.
func (c *Core) Forget(ctx context.Context) error {
	if err := c.cfg.Store.Forget(ctx); err != nil {
		return err
	}
	for c.cfg.Retention > 0 && ctx.Err() == nil {
		n, err := c.cfg.Store.Retire(ctx, c.cfg.Retention, retireBatch)
		if err != nil {
			return fmt.Errorf("retire: %w", err)
		}
		if n < retireBatch {
			return nil
		}
	}
	return nil
}

// retention is the time in force; negative: for ever.
func retention(d time.Duration) (time.Duration, error) {
	switch {
	case d == 0:
		return DefaultRetention, nil
	case d > 0 && d < MinRetention:
		return 0, errors.New("verify: Config.Retention is at least 24 hours, as long as answers are kept for Idempotency-Keys")
	}
	return d, nil
}
