package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/drover-dev/drover/internal/bound"
	"github.com/drover-dev/drover/internal/dialect"
)

// routing is the driver behind the *sql.DB that [DBTX] prepares statements and begins transactions on. Prepared statements outlive the
// blocks that they are used in (sqlc's emit_prepared_queries, GORM's PrepareStmt), so it is at each use that the context
// decides where one runs.
type routing struct{ db *DB }

func (r routing) Connect(context.Context) (driver.Conn, error) { return &routedConn{db: r.db}, nil }
func (r routing) Driver() driver.Driver                        { return r.db.opened.Pool.Driver() }

// routed returns the *sql.DB over routing. It is one for all views that refuse the same, and closed with the database.
func (d *DB) routed() *sql.DB {
	r := &d.core.routed
	if d.requireBlock {
		r = &d.core.routedInBlock
	}
	r.once.Do(func() { r.pool = sql.OpenDB(routing{d}) })
	return r.pool
}

// place is where a statement runs: a block, a *sql.Tx outside blocks, or the pool. It can be compared.
type place any

// routedConn sends each statement to the place of its context; while it has a transaction open, to that.
type routedConn struct {
	db   *DB
	tx   *sql.Tx      // begun on this connection, outside blocks
	into *transaction // the block that a savepoint was opened in on this connection
}

var (
	_ driver.ConnPrepareContext = (*routedConn)(nil)
	_ driver.ConnBeginTx        = (*routedConn)(nil)
	_ driver.ExecerContext      = (*routedConn)(nil)
	_ driver.QueryerContext     = (*routedConn)(nil)
	_ driver.NamedValueChecker  = (*routedConn)(nil)
	_ driver.Pinger             = (*routedConn)(nil)
)

// target returns where a statement with ctx runs, and a connection to it.
func (c *routedConn) target(ctx context.Context) (place, driver.Conn) {
	switch tx := c.db.current(ctx); {
	case c.tx != nil:
		return c.tx, poolConn{sqlTxConn{c.tx}, c.db.opened.Pool}
	case c.into != nil:
		return c.into, bound.Conn(c.into)
	case tx != nil:
		return tx, bound.Conn(tx)
	}
	return nil, poolConn{sqlTxConn{poolRunner{c.db.DBTX()}}, c.db.opened.Pool}
}

// Close is called when nothing is open on the connection.
func (c *routedConn) Close() error { return nil }

// Ping asks the target for a sign of life.
func (c *routedConn) Ping(ctx context.Context) error {
	_, target := c.target(ctx)
	return target.(driver.Pinger).Ping(ctx)
}

// CheckNamedValue lets every value through: the target checks.
func (c *routedConn) CheckNamedValue(*driver.NamedValue) error { return nil }

func (c *routedConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *routedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	block := c.db.current(ctx)
	if block == nil {
		tx, err := c.db.DBTX().beginOutside(ctx, &sql.TxOptions{Isolation: sql.IsolationLevel(opts.Isolation), ReadOnly: opts.ReadOnly})
		if err != nil {
			return nil, err
		}
		c.tx = tx
		return routedTx{c, tx}, nil
	}
	tx, err := bound.Conn(block).(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.into = block
	return routedTx{c, tx}, nil
}

// routedTx frees its connection when it ends.
type routedTx struct {
	conn *routedConn
	tx   driver.Tx
}

func (t routedTx) Commit() error {
	t.conn.tx, t.conn.into = nil, nil
	return t.tx.Commit()
}

func (t routedTx) Rollback() error {
	t.conn.tx, t.conn.into = nil, nil
	return t.tx.Rollback()
}

func (c *routedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	_, target := c.target(ctx)
	return execText(ctx, target, query, args)
}

func (c *routedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	_, target := c.target(ctx)
	return queryText(ctx, target, query, args)
}

func execText(ctx context.Context, target driver.Conn, query string, args []driver.NamedValue) (driver.Result, error) {
	checked, err := dialect.CheckArgs(target, args)
	if err != nil {
		return nil, err
	}
	return target.(driver.ExecerContext).ExecContext(ctx, query, checked)
}

func queryText(ctx context.Context, target driver.Conn, query string, args []driver.NamedValue) (driver.Rows, error) {
	checked, err := dialect.CheckArgs(target, args)
	if err != nil {
		return nil, err
	}
	return target.(driver.QueryerContext).QueryContext(ctx, query, checked)
}

func (c *routedConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *routedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s := &routedStmt{conn: c, query: query}
	home, target := c.target(ctx)
	if err := s.prepare(ctx, home, target); err != nil {
		return nil, err
	}
	return s, nil
}

// routedStmt is a statement that was prepared at one place, its home. Elsewhere it is sent as text, for most drivers keep a cache of
// their own; it moves where the driver takes no text.
type routedStmt struct {
	conn  *routedConn
	query string
	home  place
	stmt  driver.Stmt
}

var (
	_ driver.StmtExecContext   = (*routedStmt)(nil)
	_ driver.StmtQueryContext  = (*routedStmt)(nil)
	_ driver.NamedValueChecker = (*routedStmt)(nil)
)

func (s *routedStmt) Close() error                               { return s.stmt.Close() }
func (s *routedStmt) NumInput() int                              { return -1 } // the target checks
func (s *routedStmt) CheckNamedValue(*driver.NamedValue) error   { return nil }
func (s *routedStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }

func (s *routedStmt) Query([]driver.Value) (driver.Rows, error) { return nil, errors.ErrUnsupported }

func (s *routedStmt) prepare(ctx context.Context, home place, target driver.Conn) error {
	stmt, err := target.(driver.ConnPrepareContext).PrepareContext(ctx, s.query)
	if err != nil {
		return err
	}
	if s.stmt != nil {
		_ = s.stmt.Close() // its block may have ended, and then it is closed
	}
	s.home, s.stmt = home, stmt
	return nil
}

func (s *routedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	home, target := s.conn.target(ctx)
	if home != s.home {
		result, err := execText(ctx, target, s.query, args)
		if !errors.Is(err, driver.ErrSkip) {
			return result, err
		}
		if err := s.prepare(ctx, home, target); err != nil {
			return nil, err
		}
	}
	checked, err := dialect.CheckArgs(s.stmt, args)
	if err != nil {
		return nil, err
	}
	return s.stmt.(driver.StmtExecContext).ExecContext(ctx, checked)
}

func (s *routedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	home, target := s.conn.target(ctx)
	if home != s.home {
		rows, err := queryText(ctx, target, s.query, args)
		if !errors.Is(err, driver.ErrSkip) {
			return rows, err
		}
		if err := s.prepare(ctx, home, target); err != nil {
			return nil, err
		}
	}
	checked, err := dialect.CheckArgs(s.stmt, args)
	if err != nil {
		return nil, err
	}
	return s.stmt.(driver.StmtQueryContext).QueryContext(ctx, checked)
}

// poolConn presents the pool, or a transaction on it, as a driver connection.
type poolConn struct {
	sqlTxConn
	pool *sql.DB
}

func (c poolConn) Ping(ctx context.Context) error { return c.pool.PingContext(ctx) }

// poolRunner runs statements outside blocks.
type poolRunner struct{ DBTX }

// PrepareContext prepares on the pool; the statement can be used as often as wanted.
func (r poolRunner) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := r.outside(ctx, r.db.opened.Pool); err != nil {
		return nil, err
	}
	return r.db.opened.Pool.PrepareContext(ctx, query)
}
