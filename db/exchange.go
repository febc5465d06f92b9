package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/postgres"
)

// Exchange runs x on the connection of the context's block, or on one of the pool where there is none. It is for packages of
// this module, which send statements in shapes that database/sql has no words for.
func (d *DB) Exchange(ctx context.Context, x dialect.Exchange) error {
	tx := d.current(ctx)
	switch {
	case tx != nil:
		return d.wrap("exec", tx.Do(ctx, x.Query, nil, func(ctx context.Context) (int64, error) { return x.Send(ctx, tx.live()) }))
	case d.requireBlock:
		return ErrOutsideBlock
	case d.opened.Native != nil:
		return d.exchangeNative(ctx, x)
	}
	pool := d.opened.Pool
	if x.ReadOnly && d.opened.Reader != nil && (!x.BeforeWrite || d.exhausted(pool)) {
		pool = d.opened.Reader
	}
	conn, err := d.acquire(ctx, pool)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	err = conn.Raw(func(driverConn any) error {
		return d.sendLive(ctx, x, live(driverConn.(driver.Conn)))
	})
	if errors.Is(err, driver.ErrBadConn) {
		err = &Error{Op: "exec", Alias: d.alias, Kind: ErrConnectionLost, Err: errConnectionClosed}
	}
	return d.wrap("exec", err)
}

// exchangeNative takes the connection from pgx's own pool, which is shorter than through database/sql.
func (d *DB) exchangeNative(ctx context.Context, x dialect.Exchange) error {
	if err := d.DBTX().outside(ctx, d.opened.Pool); err != nil {
		return err
	}
	conn, err := d.opened.Native.Acquire(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return d.wrap("connect", err)
	}
	defer conn.Release() // which closes a connection that a panic of Send has left in the middle of something
	return d.wrap("exec", d.sendLive(ctx, x, dialect.Live{PGX: conn.Conn()}))
}

func (d *DB) sendLive(ctx context.Context, x dialect.Exchange, l dialect.Live) error {
	return d.intercept(ctx, x.Query, nil, func(ctx context.Context) error {
		_, err := x.Send(ctx, l)
		return err
	})
}

func live(conn driver.Conn) dialect.Live {
	l := dialect.Live{Conn: conn}
	if native, ok := conn.(postgres.NativeConn); ok {
		l.PGX = native.Conn()
	}
	return l
}

// live is the block's connection for an exchange.
func (tx *transaction) live() dialect.Live {
	l := live(tx.conn)
	l.Keep = func(c io.Closer) func() {
		tx.Track(c, false)
		return func() { tx.Forget(c) }
	}
	return l
}

// Stream opens a query's result set in the context's block, which is busy until the rows are closed; outside a block it is [ErrNoBlock]. It is
// for packages of this module.
func (d *DB) Stream(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	joined, err := d.DBTX().inside(ctx)
	switch {
	case err != nil:
		return nil, err
	case joined == nil:
		return nil, ErrNoBlock
	}
	rows, err := joined.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, d.wrap("query", err)
	}
	return rows, nil
}

// RunsOnPGX reports whether statements with ctx run on pgx, so that its binary protocol can be used: always on a PostgreSQL database that
// [Open] or [FromPgx] made, unless ctx is in a transaction that [DB.JoinSQL] joined. It is for packages of this module.
func (d *DB) RunsOnPGX(ctx context.Context) bool {
	if tx := d.current(ctx); tx != nil {
		_, ok := tx.conn.(postgres.NativeConn)
		return ok
	}
	if d.opened.Native != nil {
		return true
	}
	_, ok := d.opened.Pool.Driver().(*stdlib.Driver)
	return ok
}

// Facts holds what was learned of the database while it was used. It is for packages of this module.
func (d *DB) Facts() *dialect.Facts { return &d.facts }

// Server returns what the server's version can do; it is asked once. It is for packages of this module.
func (d *DB) Server(ctx context.Context) (dialect.Server, error) {
	return d.facts.Server(func() (dialect.Server, error) {
		version, err := d.Version(ctx)
		if err != nil {
			return dialect.Server{}, err
		}
		return d.dialect.Server(version), nil
	})
}
