package verify

import (
	"context"
	"errors"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
)

// Store keeps verifications. Every statement carries the account, where the
// caller has one.
type Store interface {
	// Do reads and locks what op needs, runs its plan and carries out the
	// writes, all or nothing, and returns after they are durable. The plan's
	// own error comes back unchanged and nothing is written. The plan may be run
	// more than once. Operations that wait at the same moment share a
	// transaction; each sees the writes of those before it.
	Do(ctx context.Context, op Op) error

	// Read gives a verification with its attempts (oldest first) and the
	// store's time. ErrAbsent when the account has no such verification.
	Read(ctx context.Context, account, id string) (State, error)
	// ReadAttempt is Read by the id of one of the attempts, for delivery.
	ReadAttempt(ctx context.Context, id string) (State, error)
	// Token gives the account and the hash of the client token of a pending
	// verification. ErrAbsent.
	Token(ctx context.Context, id string) (account string, hash []byte, err error)
	// Overdue lists at most n pending verifications whose time is up.
	Overdue(ctx context.Context, n int) ([]Overdue, error)
	// Stops tells, of the attempts given, those that must stop, and why.
	Stops(ctx context.Context, attempts []string) (map[string]string, error)
	// Forget deletes limit rows and kept answers whose time is over; limit rows at
	// the latest ten minutes after it.
	Forget(ctx context.Context) error
	Records
}

// ErrAbsent says that the store has no such row.
var ErrAbsent = errors.New("verify: no such row")

// Op is one operation: what it needs, and a pure, repeatable plan.
type Op struct {
	Need Need
	Plan func(State) (Writes, error)
}

// Need names what an operation reads and locks.
type Need struct {
	Account string
	// Verification to load with its attempts; a missing one is nil in State.
	Verification string
	// Binding to load the pending verifications of.
	Binding []byte
	// Limits names rows to load, beside the LimitKey of every verification
	// loaded.
	Limits []string
	// Once is the key of a kept answer.
	Once []byte
	// Lease to look up: State.Leased says whether it still holds.
	Lease *jobs.Lease
}

// State is what a plan is given. It is the store's own: plans and readers change
// copies only.
type State struct {
	Now          time.Time
	Verification *Verification
	Attempts     []Attempt // of Verification, oldest first
	Pending      []Group   // of Need.Binding
	Limits       map[string]guard.Row
	Once         *Kept
	Leased       bool
}

// Group is a verification with its attempts.
type Group struct {
	Verification Verification
	Attempts     []Attempt
}

// Writes is what a plan wants written.
type Writes struct {
	Verifications []Verification // inserted or replaced by id
	Attempts      []Attempt      // inserted or replaced by id
	Limits        map[string]LimitRow
	// Drop deletes the jobs of these subjects that nobody has leased, before
	// Jobs are written.
	Drop []string
	Jobs []jobs.New
	// Finish deletes the job of Need.Lease.
	Finish *jobs.Lease
	Once   *Kept
}

// LimitRow is a row with the time after which it may be forgotten (zero:
// never).
type LimitRow struct {
	Row       guard.Row
	KeepUntil time.Time
}

// Kept is an answer kept for an Idempotency-Key.
type Kept struct {
	Key     []byte
	Account string
	// Verification is the one that the answer tells of; empty: of none.
	Verification string
	Body         []byte // keyed hash of the request's body
	Answer       []byte // sealed
	KeepUntil    time.Time
}

// Overdue names a verification whose time is up.
type Overdue struct{ Account, ID string }
