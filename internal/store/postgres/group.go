package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// overlay is what a group knows, with what reads and writes it.
type overlay struct{ *store.Overlay }

// group is what is carried out together: what its members need, and where what
// became of each is noted.
type group struct {
	ops  []verify.Op
	errs []error
	needs
}

// apply carries out a group in one transaction. A member that is refused by its
// own plan has written nothing and harms nobody; when a statement fails by the
// fault of a member, the group is undone and each member is carried out alone.
func (s *Store) apply(ops []verify.Op, errs []error) {
	m := <-s.marks
	defer func() { s.marks <- m }()
	err := s.persist(m, group{ops, errs, s.union(ops)})
	switch {
	case err == nil:
		for i := range errs {
			if errors.Is(errs[i], store.ErrMissing) {
				s.alone(m, ops[i:i+1], errs[i:i+1], true)
			}
		}
	case len(ops) > 1 && judge(err, false) == fault:
		for i := range ops {
			s.alone(m, ops[i:i+1], errs[i:i+1], false)
		}
	default:
		failed(errs, s.told(err))
	}
}

// alone carries out one member.
func (s *Store) alone(m *mark, op []verify.Op, errs []error, careful bool) {
	n := s.union(op)
	n.careful = n.careful || careful
	err := s.persist(m, group{op, errs, n})
	if err == nil && errors.Is(errs[0], store.ErrMissing) { // alone, everything it needs is read
		err = errs[0]
	}
	if err != nil {
		failed(errs, s.told(err))
	}
}

// failed gives everyone the error: what a plan was refused for may have been
// written by a neighbour whose writes are gone.
func failed(errs []error, err error) {
	for i := range errs {
		errs[i] = err
	}
}

// health remembers whether the database could be reached.
type health struct{ down atomic.Bool }

// patience is how long trouble is waited out: while the database is known to be
// away, nobody waits.
func (h *health) patience() time.Duration {
	if h.down.Load() {
		return 0
	}
	return patience
}

// persist carries out a group, and tries again what can be tried again. An error
// is everyone's: nothing was written, or for errUnknown it is not known.
func (s *Store) persist(m *mark, g group) error {
	return s.insist(context.Background(), false, func() (bool, error) {
		closed, err := s.together(m, g)
		switch {
		case misjudged(err) && s.sessions.modeSaid: // or else insist sees to it
			s.pool.Reset()
			err = errRace
		case misjudged(err):
		case taken(err, "jobs_one"): // another node leases of the same order
			err = errRace
		case !g.careful && (errors.Is(err, errUnusual) || judge(err, closed) == fault):
			g.careful, err = true, errRace
		}
		return closed, err
	})
}

// lost marks an error as trouble that nothing has come of.
func lost(err error) error { return fmt.Errorf("%w: %w", errLost, err) }

// maxRaces bounds how often a transaction in whose way others were is tried
// again.
const maxRaces = 20

// wait says whether to try again, when it is time.
func (s *Store) wait(t trouble, try int, until time.Time) bool {
	if t == again && try < maxRaces {
		if try > 2 {
			time.Sleep(time.Duration(try) * time.Millisecond)
		}
		return true
	}
	pause := min(20*time.Millisecond<<min(try, 5), 500*time.Millisecond)
	if t == again || s.isClosed() || time.Now().Add(pause).After(until) {
		return false
	}
	time.Sleep(pause)
	return true
}

// together carries out a group in one transaction, and finds out what became of
// one whose end is not known; its own connection is given back by then, which may
// have been the pool's last. closed says that the connection was lost.
func (s *Store) together(m *mark, g group) (closed bool, err error) {
	o, h := overlay{}, &handover{}
	defer func() {
		if err == nil {
			s.limitKeys.learn(o)
		}
		h.mark = *m
		s.hand(o, h, err)
	}()
	o, closed, err = s.transact(m, g, h)
	switch {
	case isUnknown(err):
		h.unanswered = true
		err = s.findOut(m, err)
	case errors.Is(err, errNoMark):
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err = s.newMark(ctx, m); err == nil {
			err = errRace
		}
	}
	return closed, err
}

// transact carries out a group in one transaction. errUnknown; errNoMark;
// errUnusual.
func (s *Store) transact(m *mark, g group, h *handover) (o overlay, closed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	c, err := s.acquire(ctx)
	if err != nil {
		return o, true, err
	}
	defer func() { closed = s.release(c, err) }()
	if o, err = s.read(ctx, c, g.needs); err != nil {
		return o, false, fmt.Errorf("read: %w", err)
	}
	if !g.careful && g.missing(o) {
		return o, false, errUnusual
	}
	for i, op := range g.ops {
		g.errs[i] = o.CarryOut(op)
	}
	switch {
	case !g.careful && !o.dirty() && len(g.leases) > 0:
		return o, false, errUnusual // whether they hold is to be read
	case !o.dirty():
		return o, false, end(ctx, c)
	}
	s.reserve(o, h)
	m.last++
	if !g.careful {
		return o, false, s.write(ctx, c, m, o, h)
	}
	return o, false, s.writeCarefully(ctx, c, m, o, h)
}

// write writes and commits, which is one round trip.
func (s *Store) write(ctx context.Context, c *pgxpool.Conn, m *mark, o overlay, h *handover) error {
	b := &pgx.Batch{}
	o.flushSure(b, s.at(), m)
	if err := o.flush(b, s.at(), false, h); err != nil {
		return err
	}
	undone := false
	b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		undone = tag.String() != "COMMIT"
		return nil
	})
	err := c.SendBatch(ctx, b).Close()
	return ended(err, undone)
}

// writeCarefully writes, looks at what has become of it, and commits.
func (s *Store) writeCarefully(ctx context.Context, c *pgxpool.Conn, m *mark, o overlay, h *handover) error {
	b := &pgx.Batch{}
	if err := o.flush(b, s.at(), true, h); err != nil {
		return err
	}
	b.Queue(setMark, m.writer, m.last, o.Now).Exec(exactly(1, errNoMark))
	if err := c.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return commit(ctx, c)
}

// read locks and reads what a group needs.
func (s *Store) read(ctx context.Context, c *pgxpool.Conn, n needs) (overlay, error) {
	n.own = isOwn(c.Conn())
	b := &pgx.Batch{}
	o := s.load(b, n)
	if err := c.SendBatch(ctx, b).Close(); err != nil {
		return o, err
	}
	b = &pgx.Batch{}
	if s.complete(b, n, o) {
		return o, c.SendBatch(ctx, b).Close()
	}
	return o, nil
}

// acquire takes a connection from the pool.
func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := renew(ctx, c.Conn()); err != nil {
		s.release(c, err)
		return nil, fmt.Errorf("connect: %w", err)
	}
	return c, nil
}

// rollbackTimeout is how long a connection may take to undo; one that does not is
// closed, which undoes as well.
const rollbackTimeout = time.Second

// release gives a connection back, after an error without its transaction, and
// says whether it is lost. One to a server that can only be read is closed, and
// so are those that wait in the pool: new ones find the server to write to.
func (s *Store) release(c *pgxpool.Conn, err error) (closed bool) {
	defer c.Release()
	if err == nil || c.Conn().IsClosed() {
		return c.Conn().IsClosed()
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	if hasCode(err, "25006") {
		_ = c.Conn().Close(ctx) // it is of no use, closed or not
		s.pool.Reset()
		return false
	}
	if c.Conn().PgConn().TxStatus() != 'I' {
		_ = end(ctx, c) // or else the pool closes it
	}
	return c.Conn().IsClosed()
}

// end ends a transaction that wrote nothing, or whose writes are not wanted.
func end(ctx context.Context, c *pgxpool.Conn) error {
	_, err := c.Exec(ctx, "ROLLBACK")
	return err
}
