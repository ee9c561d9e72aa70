package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/verify"
)

const (
	// No index: an erasure is rare, and an index would cost every start.
	selectNumbered = `SELECT account, id FROM verifications WHERE number_index = ? AND (account = ? OR ? = '')`
	// Statistics remember services that were deleted: their counters are still there.
	selectBrands = `SELECT account, id FROM services WHERE account = ?1 OR ?2 = ''
		UNION SELECT account, service FROM statistics WHERE account = ?1 OR ?2 = ''`
	// A call that has left and is not over is worked on as long as there is somebody
	// who works. One that has not left finds its verification gone.
	selectFollowed = `SELECT 1 FROM attempts WHERE ` + ofFirst + ` AND state NOT IN ('queued', 'ended') AND channel = 'voice'
		AND EXISTS (SELECT 1 FROM nodes WHERE alive_until >= ?2)`

	selectKeys = `SELECT limit_key, account, binding, number_sealed, order_key, code_mac, context
		FROM verifications WHERE id = ?`
	selectOfFirst = `SELECT id FROM attempts WHERE ` + ofFirst
	deleteJobs    = `DELETE FROM jobs WHERE subject = ?2 OR subject IN (` + selectOfFirst + `)`
	deleteKept    = `DELETE FROM once WHERE verification = ?`
	// They were kept before it was written down of what they tell.
	deleteUnknown = `DELETE FROM once WHERE verification = '?' AND (account = ? OR ? = '')`
)

// Numbered lists the verifications of a number.
func (s *Store) Numbered(ctx context.Context, account string, index []byte) ([]verify.Overdue, error) {
	var out []verify.Overdue
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectNumbered, func(r *row) error {
			out = append(out, verify.Overdue{Account: r.text(), ID: r.text()})
			return nil
		}, blob(index), account, account)
	})
	if err != nil {
		return nil, fmt.Errorf("list the verifications of a number: %w", err)
	}
	return out, nil
}

// Brands lists the services there are.
func (s *Store) Brands(ctx context.Context, account string) ([]verify.Brand, error) {
	var out []verify.Brand
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectBrands, func(r *row) error {
			out = append(out, verify.Brand{Account: r.text(), Service: r.text()})
			return nil
		}, account, account)
	})
	if err != nil {
		return nil, fmt.Errorf("list the services: %w", err)
	}
	return out, nil
}

// Followed says whether a living node works on a call of these.
func (s *Store) Followed(ctx context.Context, verifications []string) (bool, error) {
	followed := false
	err := s.read(ctx, func(c *conn) error {
		for _, id := range verifications {
			err := c.query(selectFollowed, func(*row) error { followed = true; return nil }, id, s.clock.Micros())
			if err != nil || followed {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("look for calls in progress: %w", err)
	}
	return followed, nil
}

// erasing is what an erasure does.
type erasing struct {
	did      verify.Erased
	marks    [][]byte          // what may be left in the file
	bindings map[string][]byte // of verifications
	subjects []string          // of jobs
}

// Erase deletes verifications and what belongs to them, all or nothing.
func (s *Store) Erase(ctx context.Context, e verify.Erasure) (verify.Erased, error) {
	var x *erasing
	err := s.writer.Do(ctx, member{scope: everything, change: func(t *tx) error {
		x = &erasing{bindings: make(map[string][]byte)}
		t.group.Reset()
		err := t.erase(e, x)
		t.broken = t.broken || err != nil // something may be deleted already
		return err
	}, then: func() {
		s.w.bindings.drop(x.bindings)
		s.backlog.erase(x.subjects)
	}})
	if err != nil {
		return verify.Erased{}, fmt.Errorf("erase: %w", err)
	}
	s.traces.add(x.marks...)
	return x.did, nil
}

func (t *tx) erase(e verify.Erasure, x *erasing) error {
	keys := make(map[string]bool)
	for _, k := range e.LimitKeys {
		keys[k] = true
	}
	accounts := make(map[string]string)
	for _, id := range e.Verifications {
		err := t.query(selectKeys, func(r *row) error {
			keys[r.text()] = true
			accounts[id] = r.text()
			x.subjects = append(x.subjects, accounts[id]+"/"+id)
			x.bindings[id] = r.bytes()
			x.marks = append(x.marks, x.bindings[id], r.bytes(), r.bytes(), r.bytes(), r.bytes())
			return nil
		}, id)
		if err == nil {
			err = t.query(selectOfFirst, func(r *row) error { x.subjects = append(x.subjects, r.text()); return nil }, id)
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(overwrite, id); err != nil {
			return err
		}
	}
	if e.Account == "" { // otherwise another account may have the number
		x.marks = append(x.marks, e.Index)
	}
	for _, id := range e.Verifications {
		if err := t.eraseOne(id, accounts[id], &x.did); err != nil {
			return err
		}
	}
	for key := range keys {
		kept := x.did.BlocksKept
		if err := t.eraseLimit(key, e.ForgetBlocks, &x.did); err != nil {
			return err
		}
		if x.did.BlocksKept == kept {
			x.marks = append(x.marks, []byte(key))
		}
	}
	return t.drop(&x.did.Answers, deleteUnknown, e.Account, e.Account)
}

// eraseOne deletes one verification with what belongs to it.
func (t *tx) eraseOne(id, account string, did *verify.Erased) error {
	for _, d := range []struct {
		n    *int
		sql  string
		args []string
	}{
		{&did.Jobs, deleteJobs, []string{id, account + "/" + id}},
		{&did.Attempts, deleteAttempts, []string{id}},
		{&did.Verifications, deleteVerification, []string{id}},
		{&did.Answers, deleteKept, []string{id}},
	} {
		if err := t.drop(d.n, d.sql, d.args...); err != nil {
			return err
		}
	}
	return nil
}

// eraseLimit deletes a row of counters; of a block, the block alone stays.
func (t *tx) eraseLimit(key string, forgetBlock bool, did *verify.Erased) error {
	if err := t.loadLimit(key); err != nil {
		return err
	}
	l := t.group.Limits[key]
	if l == nil || !l.Found {
		_, err := t.exec(deleteListed, key)
		return err
	}
	if l.Row.Blocked && !forgetBlock {
		did.BlocksKept++
		_, err := t.exec(updateLimit, guard.Block(guard.Row{}).Encode(), int64(0), l.Number)
		return err
	}
	did.Limits++
	return t.deleteLimit(key, l.Number)
}

// drop deletes and counts.
func (t *tx) drop(n *int, sql string, args ...string) error {
	var gone int64
	var err error
	if len(args) == 1 {
		gone, err = t.exec(sql, args[0])
	} else {
		gone, err = t.exec(sql, args[0], args[1])
	}
	*n += int(gone)
	return err
}

// How long and how often the log is tried to be emptied.
const (
	scrubWait = 20 * time.Second
	scrubPoll = 50 * time.Millisecond
)

// errNotScrubbed says that somebody reads the log all the time.
var errNotScrubbed = errors.New("what was deleted is still in the write-ahead log, which is in use: run the same again")

// Scrub brings the log into the file and empties it, so that the pages as they
// were before are nowhere any more. A reader or a writer can be in the way, here
// or in another process. Then it looks for what was erased in the whole file; a
// copy that a page has kept from when its rows were moved costs a VACUUM, which
// writes the whole file anew. A large file is not searched: see largest.
func (s *Store) Scrub(ctx context.Context) error {
	c, err := connect(ctx, s.path, false)
	if err != nil {
		return fmt.Errorf("scrub: %w", err)
	}
	// A checkpoint that waited for readers would keep writers waiting, too:
	// emptyLog tries again instead.
	err = runScript(c, "PRAGMA busy_timeout = 0")
	if err == nil {
		err = s.scrub(ctx, c)
	}
	return errors.Join(err, c.close())
}

func (s *Store) scrub(ctx context.Context, c *conn) error {
	if err := emptyLog(ctx, c); err != nil {
		return err
	}
	marks := s.traces.take()
	found, err := s.traces.in(ctx, s.path, marks)
	if err == nil && found {
		err = runScript(c, "PRAGMA busy_timeout = 5000; VACUUM; PRAGMA busy_timeout = 0")
		if err == nil {
			err = emptyLog(ctx, c)
		}
	}
	if err != nil { // the next erasure looks for them again
		s.traces.add(marks...)
		return fmt.Errorf("scrub: %w", err)
	}
	return nil
}

// emptyLog has the log emptied as soon as nobody is in the way.
func emptyLog(ctx context.Context, c *conn) error {
	k := keeper{conn: c}
	ctx, cancel := context.WithTimeout(ctx, scrubWait)
	defer cancel()
	for !k.checkpoint() {
		select {
		case <-ctx.Done():
			return errNotScrubbed
		case <-time.After(scrubPoll):
		}
	}
	return nil
}
