package db

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// DB is one configured database: an alias, a dialect and its connection pools. It is safe for concurrent use.
type DB struct {
	*core
	requireBlock bool
}

// core is what all views of one database share; its address identifies the database in a context.
type core struct {
	alias          string
	url            string // that it was opened with; "" for a pool of the program's own
	opened         *dialect.Opened
	dialect        dialect.Dialect
	log            *slog.Logger
	acquireTimeout time.Duration
	interceptors   []Interceptor
	facts          dialect.Facts
	isolation      sql.IsolationLevel // of transactions that ask for none, on connections that are not set to one

	decisions atomic.Bool // the table of decisions is there

	routed, routedInBlock lazyPool // for DBTX; the second refuses statements outside blocks
}

// lazyPool is a *sql.DB that is opened when it is first needed.
type lazyPool struct {
	once sync.Once
	pool *sql.DB
}

// close closes the pool, and keeps one that was never needed from being opened.
func (l *lazyPool) close() error {
	l.once.Do(func() {})
	if l.pool == nil {
		return nil
	}
	return l.pool.Close()
}

// Alias returns the name that the database is configured under; "default" where none was given.
func (d *DB) Alias() string { return d.alias }

// Address says where the database is, without a password: "app@db1.internal:5432/app", or the path of an SQLite file.
func (d *DB) Address() string { return d.opened.Address }

// Dialect returns what drover knows of this kind of database. It is for packages of this module.
func (d *DB) Dialect() dialect.Dialect { return d.dialect }

// Ping connects, where no connection is open, and asks the server for a sign of life.
func (d *DB) Ping(ctx context.Context) error {
	return d.wrap("ping", d.opened.Pool.PingContext(ctx))
}

// Version asks the database for its version, in words: "postgres 15.18", "mariadb 10.11.14", "sqlite 3.54.1".
func (d *DB) Version(ctx context.Context) (string, error) {
	var reported string
	if err := d.QueryRow(ctx, d.dialect.VersionQuery()).Scan(&reported); err != nil {
		return "", d.wrap("read the version", err)
	}
	return d.dialect.Version(reported), nil
}

// Close closes the pools that [Open] opened. Pools given to [From] and [FromPgx] are left open.
func (d *DB) Close() error {
	return errors.Join(d.core.routed.close(), d.core.routedInBlock.close(), d.opened.Close())
}

// RequireBlock returns a view of d that refuses statements sent outside a block with [ErrOutsideBlock]. A dry run hands
// it out, so that a statement sent with the wrong context fails instead of changing data for good.
func (d *DB) RequireBlock() *DB { return &DB{core: d.core, requireBlock: true} }

// Native returns PostgreSQL's own pool. It is nil for another database, for one made by [From], and for a view by
// [DB.RequireBlock], which the pool would slip past.
func (d *DB) Native() *pgxpool.Pool {
	if d.requireBlock {
		return nil
	}
	return d.opened.Native
}

// Exec runs a statement in the context's block, or in autocommit where there is none. `?` stands for a parameter on
// every database (`??` is PostgreSQL's operator `?`). Errors are of type [*Error].
func (d *DB) Exec(ctx context.Context, query string, args ...any) error {
	_, err := d.exec(ctx, query, args)
	return err
}

// ExecRows is [DB.Exec] and returns the number of rows that the statement affected. An UPDATE counts the rows it matched,
// also those that already had the new values, on every database that [Open] opened.
func (d *DB) ExecRows(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := d.exec(ctx, query, args)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return n, d.wrap("count affected rows", err)
}

func (d *DB) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	query, err := d.rebind(query, args)
	if err != nil {
		return nil, err
	}
	result, err := d.DBTX().ExecContext(ctx, query, args...)
	if err != nil {
		return nil, d.wrap("exec", err)
	}
	return result, nil
}

// Query runs a query in the context's block, or in autocommit where there is none, with `?` as in [DB.Exec]. Inside a
// block the rows must be read or closed before the next statement. On SQLite a SELECT outside a block runs on a
// connection that only reads, beside the writer.
func (d *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	query, err := d.rebind(query, args)
	if err != nil {
		return nil, err
	}
	rows, err := d.DBTX().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, d.wrap("query", err)
	}
	return rows, nil
}

// QueryRow is [DB.Query] for at most one row; errors come from Scan, sql.ErrNoRows where there is none.
func (d *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	rebound, err := d.rebind(query, args)
	if err != nil {
		return refusedRow(ctx, err)
	}
	return d.DBTX().QueryRowContext(ctx, rebound, args...)
}

// rebind gives the statement the database's own placeholders and checks their number, before anything is sent.
func (d *DB) rebind(query string, args []any) (string, error) {
	rebound, n, err := sqltext.Rebind(d.dialect.Syntax(), query)
	switch {
	case err != nil:
		return "", &Error{Op: "read the statement", Alias: d.alias, Kind: ErrSyntax, Err: err}
	case n == 0:
		return rebound, nil // perhaps written with the database's own placeholders
	case n != len(args):
		return "", &Error{Op: "bind parameters", Alias: d.alias, Err: argCountError{n, len(args)}}
	}
	return rebound, nil
}

// acquire takes a connection from pool, and fails after the acquire timeout with an error that names the likely cause.
func (d *DB) acquire(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, d.acquireTimeout)
	defer cancel()
	conn, err := pool.Conn(bounded)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded) && bounded.Err() != nil:
		return nil, &AcquireError{Alias: d.alias, Waited: d.acquireTimeout, SingleWriter: d.dialect.Features().SingleWriter}
	}
	return nil, d.wrap("connect", err)
}

// exhausted reports whether every connection that pool may open is in use.
func (d *DB) exhausted(pool *sql.DB) bool {
	if native := d.opened.Native; native != nil && pool == d.opened.Pool {
		s := native.Stat()
		return s.AcquiredConns() >= s.MaxConns()
	}
	s := pool.Stats()
	return s.MaxOpenConnections > 0 && s.InUse >= s.MaxOpenConnections
}

// MaxConns is the largest number of connections that are open at a time; 0 where there is no bound. On SQLite it is that of the connections that
// write: 1.
func (d *DB) MaxConns() int {
	if native := d.opened.Native; native != nil {
		return int(native.Config().MaxConns)
	}
	return d.opened.Pool.Stats().MaxOpenConnections
}

// pool picks the pool for a statement outside a block.
func (d *DB) pool(query string) *sql.DB {
	if d.opened.Reader != nil && onlyReads(query) {
		return d.opened.Reader
	}
	return d.opened.Pool
}

// onlyReads recognises a plain SELECT or VALUES. Whatever else reads goes to the writer and is only slower there;
// the reading connections refuse to write, so a mistake here cannot change data.
func onlyReads(query string) bool {
	query = strings.TrimLeft(query, " \t\r\n(")
	return hasKeyword(query, "SELECT") || hasKeyword(query, "VALUES")
}

func hasKeyword(query, keyword string) bool {
	return len(query) > len(keyword) && strings.EqualFold(query[:len(keyword)], keyword)
}
