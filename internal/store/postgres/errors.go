package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// Times of what a caller waits for.
const (
	connectTimeout = 3 * time.Second  // unless the DSN says otherwise
	readTimeout    = 5 * time.Second  // of one read, the wait for a connection included
	groupTimeout   = 10 * time.Second // of one try of a transaction
	scanTimeout    = time.Hour        // of an operator's act that reads whole tables
	// patience is how long a transaction is tried again while the database cannot
	// be reached, and everyone in its group waits: a switch to another server is
	// often over by then.
	patience = 3 * time.Second
	retryIn  = 2 * time.Second // what a caller is told to wait
)

// Errors within a transaction, which is tried again or taken apart.
var (
	// errRace says that somebody else has inserted a row that was not there when it
	// was looked for.
	errRace = errors.New("postgres: another writer was first")
	// errLost says that the connection was lost before anything was committed.
	errLost = errors.New("postgres: connection lost")
	// errUnknown says that it is not known whether the transaction was committed.
	errUnknown = errors.New("postgres: it is not known whether this was committed")
	errConfig  = errors.New("the DSN cannot be read: want postgres://user:password@host:5432/database, or host=HOST user=USER dbname=DATABASE")
)

// trouble says what can be done about an error.
type trouble int

const (
	none    trouble = iota
	fault           // of what was asked for: again is no better
	again           // at once: somebody else was in the way
	waiting         // in a moment: the database cannot be reached, or not written to
)

// judge sorts an error. closed says that the connection is lost.
// The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
func judge(err error, closed bool) trouble {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return none
	case errors.Is(err, errUnknown), errors.Is(err, errLost):
		return waiting
	case errors.Is(err, errRace), errors.Is(err, errUnusual):
		return again
	case errors.As(err, &pg):
		return judgeCode(pg.Code)
	case closed, errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return waiting
	}
	var connecting *pgconn.ConnectError
	var broken *net.OpError
	if errors.As(err, &connecting) || errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF) {
		return waiting
	}
	return fault
}

func judgeCode(code string) trouble {
	switch code {
	case "40001", "40P01": // serialization failure, deadlock
		return again
	case "55P03", "57014", // lock timeout, statement canceled
		"25006",                   // read only: this server is no longer, or not yet, the one to write to
		"57P01", "57P02", "57P03", // shutting down, crashed, starting up
		"25P03", "25P04", // an idle or long transaction was ended
		"53300", "53200", "53400": // too many connections, out of memory (of locks), limit exceeded
		return waiting
	}
	if strings.HasPrefix(code, "08") { // connection
		return waiting
	}
	return fault
}

// unavailable is what a caller is told of trouble that may pass.
func unavailable(err error) error {
	return &verify.Error{
		Code: verify.Unavailable, Message: "the database cannot be reached just now: try again", RetryAfter: retryIn, Err: err,
	}
}

// told is the error for a caller: trouble that may pass is verify.Unavailable.
func (s *Store) told(err error) error {
	switch t := judge(err, false); {
	case t == none:
		return nil
	case s.isClosed() && t != fault:
		return store.ErrClosed
	case t == fault:
		return err
	}
	return unavailable(err)
}

// isNone says that a query gave no row.
func isNone(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
