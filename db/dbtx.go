package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// SQL returns a *sql.DB for code that is written for database/sql. Inside a block it is bound to the block's connection:
// its transactions are savepoints, closing it leaves the block as it is, and after the block it is closed ("sql: database is closed"). Outside
// a block it is the pool; on SQLite that is the single writing connection. With [DB.RequireBlock] every use of it outside a
// block is [ErrOutsideBlock].
func (d *DB) SQL(ctx context.Context) *sql.DB {
	if tx := d.current(ctx); tx != nil {
		return tx.sql()
	}
	if d.requireBlock {
		return d.routed()
	}
	return d.opened.Pool
}

// DBTX sends each statement to the block of its context, or to the pool where there is none. It has the methods that sqlc, sqlx, GORM's
// ConnPool and bun ask of a connection, so it can be made once and shared. Statements are sent as they are written, with the
// database's own placeholders.
type DBTX struct{ db *DB }

// DBTX returns the context-routing connection of d.
func (d *DB) DBTX() DBTX { return DBTX{d} }

// ExecContext runs a statement.
func (x DBTX) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if joined, err := x.inside(ctx); err != nil {
		return nil, err
	} else if joined != nil {
		return joined.ExecContext(ctx, query, args...)
	}
	if err := x.outside(ctx, x.db.opened.Pool); err != nil {
		return nil, err
	}
	var result sql.Result
	err := x.db.intercept(ctx, query, named(args), func(ctx context.Context) (err error) {
		result, err = x.db.opened.Pool.ExecContext(ctx, query, args...)
		return err
	})
	return result, err
}

// QueryContext runs a query.
func (x DBTX) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if joined, err := x.inside(ctx); err != nil {
		return nil, err
	} else if joined != nil {
		return joined.QueryContext(ctx, query, args...)
	}
	pool := x.db.pool(query)
	if err := x.outside(ctx, pool); err != nil {
		return nil, err
	}
	var rows *sql.Rows
	err := x.db.intercept(ctx, query, named(args), func(ctx context.Context) (err error) {
		rows, err = pool.QueryContext(ctx, query, args...) //nolint:rowserrcheck,sqlclosecheck // the caller's rows
		return err
	})
	if err != nil && rows != nil { // an interceptor's error
		return nil, errors.Join(err, rows.Close())
	}
	return rows, err
}

// QueryRowContext runs a query for one row.
// A refusal comes from the row.
func (x DBTX) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if joined, err := x.inside(ctx); err != nil {
		return refusedRow(ctx, err)
	} else if joined != nil {
		return joined.QueryRowContext(ctx, query, args...)
	}
	pool := x.db.pool(query)
	if err := x.outside(ctx, pool); err != nil {
		return refusedRow(ctx, err)
	}
	var row *sql.Row
	err := x.db.intercept(ctx, query, named(args), func(ctx context.Context) error {
		row = pool.QueryRowContext(ctx, query, args...)
		return row.Err()
	})
	switch {
	case row == nil:
		return refusedRow(ctx, err)
	case err != nil && row.Err() == nil: // an interceptor's error
		_ = row.Scan() // which closes the row
		return refusedRow(ctx, err)
	}
	return row
}

// PrepareContext prepares a statement. It may be kept: each use runs in the block of its own context, or on the pool where there
// is none, wherever it was prepared.
func (x DBTX) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return x.db.routed().PrepareContext(ctx, query)
}

// BeginTx begins a transaction of database/sql: a savepoint inside a block, a transaction of its own outside.
func (x DBTX) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	return x.db.routed().BeginTx(ctx, opts)
}

// beginOutside begins a transaction on the pool.
func (x DBTX) beginOutside(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if err := x.outside(ctx, x.db.opened.Pool); err != nil {
		return nil, err
	}
	return x.db.opened.Pool.BeginTx(ctx, opts)
}

// GetDBConn returns a *sql.DB that sends each statement and begins each transaction where its context says, as DBTX does. It is what
// GORM's DB method returns, and what a library takes that wants one *sql.DB for its lifetime.
func (x DBTX) GetDBConn() (*sql.DB, error) { return x.db.routed(), nil }

// inside returns the *sql.DB of the context's block, or nil where there is none.
func (x DBTX) inside(ctx context.Context) (*sql.DB, error) {
	tx := x.db.current(ctx)
	switch {
	case tx == nil:
		return nil, nil
	case tx.ended.Load():
		return nil, ErrEnded
	}
	return tx.sql(), nil
}

// outside checks a statement outside a block before it is sent. Where all connections are in use the wait for one could be for
// ever: the block that holds it may be the caller's own. So the connection is waited for here, for a bounded time.
func (x DBTX) outside(ctx context.Context, pool *sql.DB) error {
	if x.db.requireBlock {
		return ErrOutsideBlock
	}
	if !x.db.exhausted(pool) {
		return nil
	}
	conn, err := x.db.acquire(ctx, pool)
	if err != nil {
		return err
	}
	return conn.Close()
}

// refused is a *sql.DB whose every use fails with one error.
type refused struct{ err error }

func (r refused) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (r refused) Driver() driver.Driver                        { return nil }

func refusedRow(ctx context.Context, err error) *sql.Row {
	pool := sql.OpenDB(refused{err})
	defer func() { _ = pool.Close() }()
	return pool.QueryRowContext(ctx, "")
}

func named(args []any) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, a := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return values
}
