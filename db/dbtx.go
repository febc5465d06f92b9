package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// SQL returns a *sql.DB for code that is written for database/sql. Inside a block it is bound to the block's connection:
// its transactions are savepoints, closing it does nothing, and after the block it is closed ("sql: database is closed"). Outside
// a block it is the pool; on SQLite that is the single writing connection.
func (d *DB) SQL(ctx context.Context) *sql.DB {
	if tx := d.current(ctx); tx != nil {
		return tx.sql()
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
	if tx := x.db.current(ctx); tx != nil {
		return tx.sql().ExecContext(ctx, query, args...)
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
	if tx := x.db.current(ctx); tx != nil {
		return tx.sql().QueryContext(ctx, query, args...)
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
	return rows, err
}

// QueryRowContext runs a query for one row.
// A refusal comes from the row.
func (x DBTX) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if tx := x.db.current(ctx); tx != nil {
		return tx.sql().QueryRowContext(ctx, query, args...)
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
	if row == nil || (err != nil && row.Err() == nil) {
		return refusedRow(ctx, err)
	}
	return row
}

// PrepareContext prepares a statement. Inside a block it lives until the block's end.
func (x DBTX) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if tx := x.db.current(ctx); tx != nil {
		return tx.sql().PrepareContext(ctx, query)
	}
	if err := x.outside(ctx, x.db.opened.Pool); err != nil {
		return nil, err
	}
	return x.db.opened.Pool.PrepareContext(ctx, query)
}

// BeginTx begins a transaction of database/sql: a savepoint inside a block, a transaction of its own outside.
func (x DBTX) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if tx := x.db.current(ctx); tx != nil {
		return tx.sql().BeginTx(ctx, opts)
	}
	if err := x.outside(ctx, x.db.opened.Pool); err != nil {
		return nil, err
	}
	return x.db.opened.Pool.BeginTx(ctx, opts)
}

// GetDBConn returns the pool, for GORM's GetDBConnector.
func (x DBTX) GetDBConn() (*sql.DB, error) { return x.db.opened.Pool, nil }

// outside checks a statement outside a block before it is sent. With a single writing connection the wait for it could be for
// ever: the block that holds it may be the caller's own. So the connection is waited for here, for a bounded time.
func (x DBTX) outside(ctx context.Context, pool *sql.DB) error {
	if x.db.requireBlock {
		return ErrOutsideBlock
	}
	if pool != x.db.opened.Pool || !x.db.dialect.Features().SingleWriter {
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
