package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"

	"github.com/go-sql-driver/mysql"

	"github.com/drover-dev/drover/internal/dialect/stmtcache"
	"github.com/drover-dev/drover/internal/sqltext"
)

// keptVerbs are the statements worth keeping, all of which the server can prepare.
var keptVerbs = map[string]bool{
	"SELECT": true, "WITH": true, "INSERT": true, "REPLACE": true, "UPDATE": true, "DELETE": true,
}

// cachingConnector opens connections that keep statements with parameters prepared from their second use on. The server parses and plans a
// text anew each time that it is sent, which takes longer than many a statement; to prepare one costs a round trip.
//
// A statement that outlives a change of its tables is prepared again by the server itself (MySQL manual, "Caching of Prepared Statements").
type cachingConnector struct{ driver.Connector }

// Connect returns a connection as it is if it lacks something that go-sql-driver's have.
func (c cachingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if live, ok := conn.(liveConn); ok {
		return newCachedConn(live), nil
	}
	return conn, nil
}

// liveConn is go-sql-driver's connection with all it offers.
type liveConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// cachedConn is a connection with its prepared statements. As of any driver's connection, one goroutine uses it at a time.
type cachedConn struct {
	liveConn
	cache stmtcache.Cache
}

func newCachedConn(live liveConn) *cachedConn {
	return &cachedConn{liveConn: live, cache: stmtcache.Cache{
		Prepare: func(ctx context.Context, query string) (driver.Stmt, error) { return prepare(ctx, live, query) }, Syntax: sqltext.MySQL, Verbs: keptVerbs, Again: true,
	}}
}

// What the server answers when all connections together have as many statements as it allows (max_prepared_stmt_count), and to a statement that
// can be sent only as text.
const (
	tooManyStatements = 1461
	notPreparable     = 1295
)

// prepare prepares a statement if it can be and the server has room for one. What else is wrong with the text is wrong with the statement.
func prepare(ctx context.Context, live liveConn, query string) (driver.Stmt, error) {
	stmt, err := live.PrepareContext(ctx, query)
	if own, ok := errors.AsType[*mysql.MySQLError](err); ok && (own.Number == tooManyStatements || own.Number == notPreparable) {
		return nil, nil
	}
	return stmt, err
}

// ExecContext runs a kept statement, or passes the text on.
func (c *cachedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) > 0 {
		result, ok, err := c.cache.Exec(ctx, query, args)
		if ok {
			return result, err
		}
	}
	return c.liveConn.ExecContext(ctx, query, args)
}

// QueryContext runs a kept statement, or passes the text on.
func (c *cachedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 0 {
		return c.liveConn.QueryContext(ctx, query, args)
	}
	open, err := c.cache.Query(ctx, query, args)
	switch {
	case err != nil:
		return nil, err
	case open == nil:
		return c.liveConn.QueryContext(ctx, query, args)
	}
	if types, ok := open.Rows.(columnTypes); ok {
		return &typedRows{open, types}, nil
	}
	return open, nil
}

// columnTypes is what go-sql-driver's rows tell beside their values.
type columnTypes interface {
	ColumnTypeDatabaseTypeName(index int) string
	ColumnTypeNullable(index int) (nullable, ok bool)
	ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool)
	ColumnTypeScanType(index int) reflect.Type
}

// typedRows are rows with their column types. One statement has one result, so there is no next one.
type typedRows struct {
	*stmtcache.Rows
	columnTypes
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*typedRows)(nil)
	_ driver.RowsColumnTypeNullable         = (*typedRows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*typedRows)(nil)
	_ driver.RowsColumnTypeScanType         = (*typedRows)(nil)
)
