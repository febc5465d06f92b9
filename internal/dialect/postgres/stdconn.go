package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// openDB is stdlib.OpenDBFromPool with connections that send a statement once.
func openDB(pool *pgxpool.Pool) *sql.DB {
	base := sql.OpenDB(stdConnector{stdlib.GetPoolConnector(pool)})
	base.SetMaxIdleConns(0) // they go back to the pgx pool
	return base
}

type stdConnector struct{ driver.Connector }

func (c stdConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return stdConn{conn.(*stdlib.Conn)}, nil
}

type embedded = stdlib.Conn // its own name, since the type has a method Conn

// stdConn mends pgx's answer to a connection that is cut while a statement without parameters is under way. pgx 5.12 reports it
// as "conn closed", the error of a statement that was not sent; its stdlib makes driver.ErrBadConn of that, and database/sql
// sends the statement again: an INSERT in autocommit that the server has done is done twice, and nobody is told.
type stdConn struct{ *embedded }

var (
	_ NativeConn                = stdConn{}
	_ driver.ExecerContext      = stdConn{}
	_ driver.QueryerContext     = stdConn{}
	_ driver.ConnPrepareContext = stdConn{}
	_ driver.ConnBeginTx        = stdConn{}
	_ driver.NamedValueChecker  = stdConn{}
	_ driver.Pinger             = stdConn{}
	_ driver.SessionResetter    = stdConn{}
)

// ExecContext runs a statement. Only what was surely not sent is driver.ErrBadConn.
func (c stdConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	pc := c.Conn()
	if pc.IsClosed() {
		return nil, driver.ErrBadConn
	}
	tag, err := pc.Exec(ctx, query, values(args)...)
	if err != nil && pgconn.SafeToRetry(err) && !errors.Is(err, pgconn.ErrConnClosed) {
		return nil, driver.ErrBadConn
	}
	return driver.RowsAffected(tag.RowsAffected()), err
}
