// Package bound presents one live driver connection, with a transaction open on it, as a *sql.DB.
//
// Everything that is written for database/sql (sqlc, sqlx, bun, GORM, ent, jet) takes a *sql.DB. The one made here
// connects to nothing: each of its connections is a facade over the transaction's connection, its BeginTx is a
// savepoint, and its Close leaves the connection open. What a statement may do and what its error means is decided by
// the [Session], which is the transaction.
package bound

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
)

// Session is the transaction that the facade speaks for. Its methods are called from the goroutines of database/sql.
type Session interface {
	// Conn is the live connection.
	Conn() driver.Conn
	// Do sends one statement: it refuses it, or calls send with the connection to itself and judges its error. send
	// returns the number of affected rows, or Prepared or Uncounted.
	Do(ctx context.Context, query string, args []driver.NamedValue, send func(context.Context) (affected int64, err error)) error
	// Touch runs what belongs to an open result set or statement, with the connection to itself; an error other than
	// io.EOF is judged like a statement's.
	Touch(f func() error) error
	// Track keeps c to be closed when the block ends; Forget is for what was closed before.
	Track(c io.Closer, result bool)
	Forget(c io.Closer)
	// Savepoint opens a savepoint that the returned transaction releases or rolls back.
	Savepoint(ctx context.Context) (driver.Tx, error)
}

// What send of [Session] returns in place of a number of affected rows.
const (
	Prepared  int64 = -1 // the statement was prepared and not run
	Uncounted int64 = -2 // a driver does not tell the number for a statement that returns rows
)

// Open returns a *sql.DB over s. Closing it leaves the connection as it is.
func Open(s Session) *sql.DB { return sql.OpenDB(connector{s}) }

// Conn returns one connection of such a *sql.DB, for a driver that is made of others.
func Conn(s Session) driver.Conn { return &conn{s} }

type connector struct{ session Session }

func (c connector) Connect(context.Context) (driver.Conn, error) { return &conn{c.session}, nil }

func (c connector) Driver() driver.Driver { return facade{} }

// Close tells the session that its *sql.DB was closed, where it wants to know.
func (c connector) Close() error {
	if s, ok := c.session.(interface{ Closed() }); ok {
		s.Closed()
	}
	return nil
}

// facade is the driver that the *sql.DB reports; nothing can be opened through it.
type facade struct{}

func (facade) Open(string) (driver.Conn, error) {
	return nil, errors.New("the connection of a block cannot be opened again")
}

// conn is a facade over the session's connection. Several may exist at a time.
type conn struct{ session Session }

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
)

// Close leaves the connection to its block.
func (c *conn) Close() error { return nil }

func (c *conn) Ping(ctx context.Context) error {
	return c.session.Do(ctx, "", nil, func(ctx context.Context) (int64, error) {
		if p, ok := c.session.Conn().(driver.Pinger); ok {
			return 0, p.Ping(ctx)
		}
		return 0, nil
	})
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if sql.IsolationLevel(opts.Isolation) != sql.LevelDefault || opts.ReadOnly {
		return nil, errors.New("a transaction inside a block is a savepoint: its isolation level and access mode are the outermost block's")
	}
	return c.session.Savepoint(ctx)
}

func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.session.Conn().(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	execer, ok := c.session.Conn().(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	var result driver.Result
	err := c.session.Do(ctx, query, args, func(ctx context.Context) (_ int64, err error) {
		result, err = execer.ExecContext(ctx, query, args)
		return affected(result, err)
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	queryer, ok := c.session.Conn().(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return queryRows(ctx, c.session, query, args, func(ctx context.Context) (driver.Rows, error) {
		return queryer.QueryContext(ctx, query, args)
	})
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s := &stmt{session: c.session, query: query}
	err := c.session.Do(ctx, query, nil, func(ctx context.Context) (_ int64, err error) {
		if p, ok := c.session.Conn().(driver.ConnPrepareContext); ok {
			s.stmt, err = p.PrepareContext(ctx, query)
		} else {
			s.stmt, err = c.session.Conn().Prepare(query)
		}
		return Prepared, err
	})
	if err != nil {
		if s.stmt != nil { // an interceptor's error
			_ = s.Close()
		}
		return nil, err
	}
	c.session.Track(s, false)
	return s, nil
}

// queryRows opens a result set that the session keeps track of.
func queryRows(ctx context.Context, s Session, query string, args []driver.NamedValue, open func(context.Context) (driver.Rows, error)) (driver.Rows, error) {
	r := &rows{session: s}
	err := s.Do(ctx, query, args, func(ctx context.Context) (_ int64, err error) {
		r.rows, err = open(ctx)
		if err == nil {
			s.Track(r, true)
		}
		return Uncounted, err
	})
	if err != nil {
		if r.rows != nil { // an interceptor's error
			_ = r.Close()
		}
		return nil, err
	}
	return r, nil
}

// affected reads a result for the session's counts; a driver that cannot tell counts as none.
func affected(result driver.Result, err error) (int64, error) {
	if err != nil || result == nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, nil //nolint:nilerr // the statement itself was done
	}
	return n, nil
}
