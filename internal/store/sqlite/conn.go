package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"modernc.org/sqlite"

	"github.com/pincall/pincall/internal/store"
)

// conn is one connection with its prepared statements. It speaks to the driver
// without database/sql, whose pool and conversions cost as much as a small
// statement. Not safe for concurrent use.
type conn struct {
	dc       driver.Conn
	prepared map[string]*stmt // by SQL text, which is constant
	settings store.SettingsCache
}

// stmt is a prepared statement with the room for its arguments and its row.
type stmt struct {
	driver interface {
		driver.StmtExecContext
		driver.StmtQueryContext
	}
	args []driver.NamedValue
	dest []driver.Value
}

// pragmas of every connection; the writing one commits with synchronous NORMAL in
// the end, see walLog. secure_delete overwrites what is deleted: an
// erased secret does not stay in the file's free space. Temporary files could
// hold secrets too, so there are none. The automatic checkpoint is put off to
// every 80 MB of log, because it runs inside a commit.
var pragmas = [...]string{
	"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "secure_delete(ON)",
	"temp_store(MEMORY)", "wal_autocheckpoint(20000)", "journal_size_limit(67108864)", "cache_size(-16000)",
}

// connect opens a connection to an existing file.
func connect(ctx context.Context, path string, readOnly bool) (*conn, error) {
	q := url.Values{"_pragma": pragmas[:]}
	if readOnly {
		q.Set("_query_only", "on")
	}
	return dial(ctx, path, q)
}

// dial opens a connection with the driver's parameters.
func dial(ctx context.Context, path string, q url.Values) (*conn, error) {
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	dc, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{dc: dc, prepared: make(map[string]*stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.prepared {
		if s, ok := st.driver.(io.Closer); ok {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(append(errs, c.dc.Close())...)
}

// prepare gives the statement with its arguments bound.
func (c *conn) prepare(sql string, args []driver.Value) (*stmt, error) {
	st := c.prepared[sql]
	if st == nil {
		s, err := c.dc.Prepare(sql)
		if err != nil {
			return nil, fmt.Errorf("sqlite: prepare: %w", err)
		}
		st = &stmt{}
		var ok bool
		if st.driver, ok = s.(interface {
			driver.StmtExecContext
			driver.StmtQueryContext
		}); !ok {
			return nil, errors.New("sqlite: the driver's statements take no context")
		}
		c.prepared[sql] = st
	}
	st.args = st.args[:0]
	for i, a := range args {
		st.args = append(st.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return st, nil
}

// exec runs a statement and says how many rows it changed. No context reaches
// the driver, here and below: the statements touch few rows, and with one the
// driver would start a goroutine for each.
func (c *conn) exec(sql string, args ...driver.Value) (int64, error) {
	st, err := c.prepare(sql, args)
	if err != nil {
		return 0, err
	}
	res, err := st.driver.ExecContext(context.Background(), st.args)
	if err != nil {
		return 0, fmt.Errorf("sqlite: %w", err)
	}
	return res.RowsAffected()
}

// query runs a statement and gives each row to the function, which must not run
// the same statement again.
func (c *conn) query(sql string, each func(*row) error, args ...driver.Value) (err error) {
	st, err := c.prepare(sql, args)
	if err != nil {
		return err
	}
	rows, err := st.driver.QueryContext(context.Background(), st.args)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if st.dest == nil {
		st.dest = make([]driver.Value, len(rows.Columns()))
	}
	for {
		if err := rows.Next(st.dest); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("sqlite: %w", err)
		}
		r := row{left: st.dest}
		if err := each(&r); err != nil {
			return err
		}
		if r.bad {
			return errors.New("sqlite: a column has another type than was asked for")
		}
	}
}

// row hands out a row's columns from left to right.
type row struct {
	left []driver.Value
	bad  bool // a column had another type; STRICT tables rule it out
}

func (r *row) next() driver.Value {
	v := r.left[0]
	r.left = r.left[1:]
	return v
}

func (r *row) text() string {
	s, ok := r.next().(string)
	r.bad = r.bad || !ok
	return s
}

func (r *row) int64() int64 {
	n, ok := r.next().(int64)
	r.bad = r.bad || !ok
	return n
}

func (r *row) int() int        { return int(r.int64()) }
func (r *row) bool() bool      { return r.int64() != 0 }
func (r *row) time() time.Time { return store.Time(r.int64()) }

// bytes gives a BLOB; NULL is nil.
func (r *row) bytes() []byte {
	v := r.next()
	if v == nil {
		return nil
	}
	b, ok := v.([]byte)
	r.bad = r.bad || !ok
	return b
}

// blob is a BLOB argument; empty is NULL.
func blob(b []byte) driver.Value {
	if len(b) == 0 {
		return nil
	}
	return b
}

// flag is a boolean argument.
func flag(b bool) driver.Value {
	if b {
		return int64(1)
	}
	return int64(0)
}

// at is a time argument.
func at(t time.Time) driver.Value { return store.Micros(t) }
