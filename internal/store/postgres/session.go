package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// sessions decides how statements go over a connection. To plan a statement costs
// the database several times as much as to carry it out, so over a session of its
// own each is prepared and planned once; behind a pooler no session is anybody's
// own, and each is planned each time.
type sessions struct {
	modeSaid bool        // by the DSN: nothing is decided here
	shared   atomic.Bool // a session turned out to be shared that did not look it
}

// What a session of its own is set to. First the timeouts, which others set in
// each transaction; the rest only saves time: a plan is kept, so it must not be one that suits a table that was empty when
// it was made: what has an index is read by it, in its order where one is asked
// for, and plans are made anew now and then; see renew.
const ownSession = `SET idle_in_transaction_session_timeout = 10000; SET lock_timeout = 8000;
	SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;
	SET enable_sort = off; SET jit = off`

// A pooler names a process of its own as the one to cancel, if any.
const selectBackend = `SELECT pg_backend_pid()`

// apply has the pool's connections decide as they are opened.
func (m *sessions) apply(pc *pgxpool.Config) {
	pc.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		registerArrays(c.TypeMap())
		return nil
	}
	if m.modeSaid {
		return
	}
	pc.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		if m.shared.Load() {
			return nil
		}
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
		usable := c.ValidateConnect
		c.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
			if usable != nil {
				if err := usable(ctx, conn); err != nil {
					return err
				}
			}
			switch alone, err := own(ctx, conn); {
			case err != nil: // of which nothing is learned
				return err
			case !alone:
				m.shared.Store(true)
				return errShared
			}
			now := time.Now()
			conn.CustomData()[planned] = &plans{now, now}
			return nil
		}
		return nil
	}
}

// errShared ends a connection whose session is not its own; the next is used
// otherwise.
var errShared = errors.New("postgres: the session is shared")

// own says that the connection leads to one server process, and sets it up.
func own(ctx context.Context, conn *pgconn.PgConn) (bool, error) {
	got, err := conn.Exec(ctx, selectBackend).ReadAll()
	if err != nil {
		return false, err
	}
	if len(got) != 1 || len(got[0].Rows) != 1 || conn.PID() == 0 ||
		string(got[0].Rows[0][0]) != strconv.FormatUint(uint64(conn.PID()), 10) {
		return false, nil
	}
	_, err = conn.Exec(ctx, ownSession).ReadAll()
	return err == nil, err
}

// How long a session keeps its plans: as long as it is old, and between these. So
// none is much older than what is stored, which may grow from nothing.
const (
	shortestPlan = 500 * time.Millisecond
	longestPlan  = 10 * time.Second
	planned      = "pincall planned" // name of a time in a connection's data
)

// plans tells how old a session's plans are.
type plans struct{ opened, made time.Time }

// isOwn says that a connection has a session of its own.
func isOwn(c *pgx.Conn) bool { return c.PgConn().CustomData()[planned] != nil }

// renew has the database make a session's plans anew, when it is time.
func renew(ctx context.Context, c *pgx.Conn) error {
	p, ok := c.PgConn().CustomData()[planned].(*plans)
	now := time.Now()
	if !ok || now.Sub(p.made) < min(max(p.made.Sub(p.opened), shortestPlan), longestPlan) {
		return nil
	}
	p.made = now
	_, err := c.PgConn().Exec(ctx, "DISCARD PLANS").ReadAll()
	return err
}

// misjudged says that a prepared statement was not where it was left, or that
// another has its name: somebody shares the session.
func misjudged(err error) bool { return hasCode(err, "26000") || hasCode(err, "42P05") }

// arrays encodes slices as arrays, in the binary form, without a detour for each
// element. Whatever else there is goes the usual way.
type arrays struct{ pgtype.ArrayCodec }

// registerArrays has a connection's arguments encoded by arrays.
func registerArrays(m *pgtype.Map) {
	for _, oid := range []uint32{
		pgtype.TextArrayOID, pgtype.ByteaArrayOID, pgtype.Int8ArrayOID, pgtype.Int4ArrayOID, pgtype.BoolArrayOID,
	} {
		if t, ok := m.TypeForOID(oid); ok {
			if c, ok := t.Codec.(*pgtype.ArrayCodec); ok {
				m.RegisterType(&pgtype.Type{Name: t.Name, OID: oid, Codec: &arrays{*c}})
			}
		}
	}
}

// PlanEncode is pgtype.Codec's.
func (c *arrays) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case []string, [][]byte, []int64, []int32, []bool:
			return arrayPlan(c.ElementType.OID)
		}
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

// arrayPlan encodes a slice whose elements have the type of this OID.
type arrayPlan uint32

// Encode is pgtype.EncodePlan's. The form: the number of dimensions, whether there
// are NULLs, the elements' type; of each dimension its length and first index; of
// each element its length, -1 for NULL, and its bytes.
func (p arrayPlan) Encode(value any, b []byte) ([]byte, error) {
	put := binary.BigEndian.AppendUint32
	switch rows := value.(type) {
	case []string:
		size := 0
		for _, s := range rows {
			size += 4 + len(s)
		}
		b = p.head(slices.Grow(b, arrayHead+size), len(rows))
		for _, s := range rows {
			b = append(put(b, uint32(len(s))), s...)
		}
	case [][]byte:
		size := 0
		for _, s := range rows {
			size += 4 + len(s)
		}
		b = p.head(slices.Grow(b, arrayHead+size), len(rows))
		for _, s := range rows {
			if s == nil {
				b = put(b, 0xffffffff)
				continue
			}
			b = append(put(b, uint32(len(s))), s...)
		}
	case []int64:
		b = p.head(slices.Grow(b, arrayHead+12*len(rows)), len(rows))
		for _, n := range rows {
			b = binary.BigEndian.AppendUint64(put(b, 8), uint64(n))
		}
	case []int32:
		b = p.head(slices.Grow(b, arrayHead+8*len(rows)), len(rows))
		for _, n := range rows {
			b = put(put(b, 4), uint32(n))
		}
	case []bool:
		b = p.head(slices.Grow(b, arrayHead+5*len(rows)), len(rows))
		for _, t := range rows {
			b = append(put(b, 1), 0)
			if t {
				b[len(b)-1] = 1
			}
		}
	}
	return b, nil
}

// arrayHead is the length of what stands before the elements.
const arrayHead = 20

func (p arrayPlan) head(b []byte, n int) []byte {
	put := binary.BigEndian.AppendUint32
	if n == 0 {
		return put(put(put(b, 0), 0), uint32(p))
	}
	return put(put(put(put(put(b, 1), 1), uint32(p)), uint32(n)), 1)
}
