package verify

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
)

// ReasonErased is why a verification ended whose number was erased. It is on
// record until its row is gone, and stops its calls.
const ReasonErased = "erased"

// Times of an erasure.
const (
	eraseWait = 15 * time.Second // for calls to end that were hung up
	erasePoll = 100 * time.Millisecond
	// eraseRounds bounds how often new verifications of the number are looked for:
	// somebody may go on starting them.
	eraseRounds = 5
)

// EraseRequest says whose traces to remove.
type EraseRequest struct {
	Number string // E.164
	// ForgetBlocks removes also that the person reported a service. Otherwise the
	// keyed hash that keeps the service from calling again stays.
	ForgetBlocks bool
}

// Erased says how many rows were removed.
type Erased struct {
	Verifications int
	Attempts      int
	Jobs          int
	Limits        int // rows of counters
	Answers       int // kept for Idempotency-Keys
	BlocksKept    int // keyed hashes that stay
}

// Erasure is what a store is to remove.
type Erasure struct {
	// Account whose kept answers are removed where it is not known of which
	// verification they tell, as it was not written down once; "" is any.
	Account string
	// Index is the number's: it must be in no file after Scrub.
	Index         []byte
	Verifications []string
	LimitKeys     []string
	ForgetBlocks  bool
}

// Brand names a service.
type Brand struct{ Account, Service string }

// Erase removes a person from the caller's account: the verifications of the
// number with their attempts and jobs, what was counted of it, and the answers
// that tell of them. Pending ones are canceled and hung up first. When it
// returns, nothing of it is left in the store's files.
func (c *Core) Erase(ctx context.Context, who Caller, req EraseRequest) (Erased, error) {
	if who.Account == "" || who.Verification != "" {
		return Erased{}, fail(Forbidden, "only an account's API key can erase a number")
	}
	did, err := c.erase(ctx, who.Account, req)
	return did.Erased, err
}

// Everywhere is what was removed in all accounts.
type Everywhere struct {
	Erased
	Accounts map[string]int // verifications by account
}

// EraseEverywhere is Erase in every account, for whoever runs the server.
func (c *Core) EraseEverywhere(ctx context.Context, req EraseRequest) (Everywhere, error) {
	return c.erase(ctx, "", req)
}

func (c *Core) erase(ctx context.Context, account string, req EraseRequest) (Everywhere, error) {
	sum := Everywhere{Accounts: make(map[string]int)}
	n, err := phone.Parse(req.Number)
	if err != nil {
		return sum, bad("number", plainly(err))
	}
	keys, err := c.limitKeys(ctx, account, n)
	if err != nil {
		return sum, storeError(err)
	}
	index := c.cfg.Keys.Index("number", n.E164())
	for range eraseRounds {
		found, err := c.cfg.Store.Numbered(ctx, account, index)
		if err != nil {
			return sum, storeError(err)
		}
		if err := c.endAll(ctx, found); err != nil {
			return sum, storeError(err)
		}
		did, err := c.cfg.Store.Erase(ctx, Erasure{account, index, ids(found), keys, req.ForgetBlocks})
		if err != nil {
			return sum, storeError(err)
		}
		sum.add(did)
		for _, o := range found {
			sum.Accounts[o.Account]++
		}
		if len(found) == 0 {
			break
		}
	}
	if err := c.cfg.Store.Scrub(ctx); err != nil {
		return sum, &Error{Code: Unavailable, RetryAfter: time.Second, Err: fmt.Errorf("scrub: %w", err),
			Message: "the rows are deleted, and copies of them may still be in the files: ask for the same again"}
	}
	return sum, nil
}

// add counts one more round. A block that is kept is met again in each.
func (e *Erased) add(d Erased) {
	e.Verifications += d.Verifications
	e.Attempts += d.Attempts
	e.Jobs += d.Jobs
	e.Limits += d.Limits
	e.Answers += d.Answers
	e.BlocksKept = max(e.BlocksKept, d.BlocksKept)
}

func ids(of []Overdue) []string {
	out := make([]string, len(of))
	for i, o := range of {
		out[i] = o.ID
	}
	return out
}

// limitKeys names the rows that count a number, at every service.
func (c *Core) limitKeys(ctx context.Context, account string, n phone.Number) ([]string, error) {
	services, err := c.cfg.Store.Brands(ctx, account)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(services))
	for i, s := range services {
		out[i] = c.limitKey(s.Account, s.Service, n)
	}
	return out, nil
}

// limitKey names the row that counts a number at a service.
func (c *Core) limitKey(account, service string, n phone.Number) string {
	return "n/" + hex.EncodeToString(c.cfg.Keys.Index("limit", joined(account, service, n.E164())))
}

// endAll ends the verifications, and returns when no call of theirs goes on as
// far as can be seen and waited for.
func (c *Core) endAll(ctx context.Context, of []Overdue) error {
	for _, o := range of {
		if err := c.close(ctx, o, false); err != nil {
			return err
		}
	}
	if err := c.awaitCalls(ctx, ids(of)); err != nil {
		return err
	}
	for _, o := range of {
		if err := c.close(ctx, o, true); err != nil {
			return err
		}
	}
	return nil
}

// awaitCalls waits until no call goes on any more. A carrier that cannot hang up
// is not waited for until its call is over.
func (c *Core) awaitCalls(ctx context.Context, verifications []string) error {
	enough := time.NewTimer(eraseWait)
	defer enough.Stop()
	tick := time.NewTicker(erasePoll)
	defer tick.Stop()
	for {
		busy, err := c.cfg.Store.Followed(ctx, verifications)
		if err != nil || !busy {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-enough.C:
			return nil
		case <-tick.C:
		}
	}
}

// close ends a verification and tells its calls to stop; with settle it writes
// down the end of what nobody works on any more, which gives back the account's
// places.
func (c *Core) close(ctx context.Context, o Overdue, settle bool) error {
	var did Writes
	op := Op{
		Need: Need{Account: o.Account, Verification: o.ID, Limits: []string{accountKey(o.Account)}},
		Plan: func(s State) (Writes, error) {
			did = Writes{}
			if s.Verification == nil {
				return did, nil
			}
			d := c.draft(s, o.Account)
			switch v := *s.Verification; {
			case v.Status == Pending:
				d.end(Group{v, s.Attempts}, Canceled, ReasonErased)
			default:
				for _, a := range s.Attempts {
					if settle && a.open() {
						d.settled(a, outcome.Ending{Outcome: outcome.Canceled, Reason: "its number was erased", MayHaveRung: a.State != StateQueued})
					} else {
						d.stop(a, ReasonErased)
					}
				}
			}
			did = d.writes()
			return did, nil
		},
	}
	if err := c.cfg.Store.Do(ctx, op); err != nil {
		return err
	}
	c.tell(did)
	return nil
}
