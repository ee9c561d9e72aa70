// Package jobs is the contract of the durable queue: work that has been
// promised in the same transaction as the state that needs it. It knows leases,
// fences and due times; it does not know what the work is.
//
// One row per node is its heartbeat. A leased job belongs to (node, lease
// number): whoever holds an older pair can write nothing more. A node that
// cannot renew its row must stop starting work before the row expires, and an
// expired row is never revived: the process goes on under a new node id.
package jobs

import (
	"context"
	"errors"
	"time"
)

// Kind says which worker a job is for.
type Kind string

// The kinds of work.
const (
	Deliver Kind = "deliver" // subject: an attempt
	Step    Kind = "step"    // subject: a verification whose next step is due
)

// Heartbeat timing. A dead node's jobs are back within TTL plus one reaping; up to 2 s
// later where no other has known it, or it leased in the moment of being declared dead.
const (
	HeartbeatEvery = 2 * time.Second
	HeartbeatTTL   = 8 * time.Second
	ReapEvery      = 500 * time.Millisecond
)

// ErrLeaseLost says that the job now belongs to somebody else, or is finished:
// stop, and write nothing more.
var ErrLeaseLost = errors.New("jobs: lease lost")

// ErrNodeExpired says that the node's row has expired: take a new node id.
var ErrNodeExpired = errors.New("jobs: node expired")

// New is a job to be written with the state that needs it.
type New struct {
	Kind    Kind
	Subject string
	// Order serialises: of the unfinished jobs of one order key only the oldest
	// can be leased. Empty means no order.
	Order []byte
	Due   time.Time
}

// Lease is the fence: the right to write on behalf of a job.
type Lease struct {
	Job  int64
	Node string
	N    int // how often the job has been leased, this time included; or 0 for one that was leased as it was written
}

// Job is leased work.
type Job struct {
	Lease   Lease
	Kind    Kind
	Subject string
}

// Queue is what a worker needs of the store. All times are the store's own
// clock.
type Queue interface {
	// Join writes a new node's row and gives back its id.
	Join(ctx context.Context) (node string, err error)
	// Beat renews the row. ErrNodeExpired when it is too late.
	Beat(ctx context.Context, node string) error
	// Leave deletes the row and frees what the node still holds.
	Leave(ctx context.Context, node string) error
	// Offer has jobs leased to a taker's node as they are written, as far as it has
	// room for them, they are due, and nothing of their order stands before them. Nil
	// ends that.
	Offer(t Taker)
	// Newest is the number of the job that was written last; 0 before the first.
	Newest(ctx context.Context) (int64, error)
	// Lease takes at most n due jobs whose number is greater than after.
	Lease(ctx context.Context, node string, after int64, n int) ([]Job, error)
	// Reap frees the jobs of nodes whose row has expired, and says how many.
	Reap(ctx context.Context) (int, error)
	// Postpone gives a leased job back, due again after d. ErrLeaseLost.
	Postpone(ctx context.Context, l Lease, d time.Duration) error
	// Hint leaves word for the node that holds the job of a subject: there is news
	// of it. Once is as good as often; where nobody holds the job nothing is left.
	// It may be lost, and costs its reader no more than waiting.
	Hint(ctx context.Context, subject string) error
	// Hinted takes the word that was left for a node, and gives the subjects.
	Hinted(ctx context.Context, node string) ([]string, error)
	// NextDue says when the earliest job that nobody holds is due.
	NextDue(ctx context.Context) (due time.Time, ok bool, err error)
}

// Taker is a node that takes jobs as they are written, without asking for them.
// Its methods are called by the store's writers: they must be quick.
type Taker interface {
	// Reserve keeps places for at most n jobs, and says for which node and how many.
	Reserve(n int) (node string, places int)
	// Take is given what was leased in reserved places, and gives back the places that
	// were not used. What the jobs stand for is committed, and may not be on the disk
	// yet: before anything leaves on its account, something later must be.
	Take(leased []Job, unused int)
}
