package sqlite

import (
	"context"
	"database/sql/driver"
	"reflect"

	"modernc.org/sqlite"

	"github.com/drover-dev/drover/internal/dialect/stmtcache"
	"github.com/drover-dev/drover/internal/sqltext"
)

// keptVerbs are the statements worth keeping. What changes the schema, a transaction or the connection runs seldom or
// compiles in no time.
var keptVerbs = map[string]bool{
	"SELECT": true, "VALUES": true, "WITH": true, "INSERT": true, "REPLACE": true, "UPDATE": true, "DELETE": true,
}

// cachingConnector opens connections that keep their statements compiled. modernc compiles the text anew each time it is
// given one to run, which takes longer than many a statement; a prepared statement of its own is only reset between uses.
//
// A statement that outlives a change of the schema, a setting or the authorizer is compiled again by SQLite itself, whichever
// connection made the change (SQLite manual, c3ref/prepare). Only the pre-update hook goes unnoticed.
type cachingConnector struct{ driver.Connector }

// Connect returns a connection as it is if it lacks something that modernc's have.
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

// liveConn is modernc's connection with all it offers, so that programs find it through the cache. Only sqlite.Limit does not:
// it insists on modernc's own type.
type liveConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator

	RegisterPreUpdateHook(callback sqlite.PreUpdateHookFn)
	RegisterCommitHook(callback sqlite.CommitHookFn)
	RegisterRollbackHook(callback sqlite.RollbackHookFn)
	RegisterAuthorizer(fn sqlite.AuthorizerFn) error
	ColumnInfo(query string) ([]sqlite.ColumnInfo, error)
	IsReadOnly(schema string) (bool, error)
	Status(op sqlite.DBStatusOp, reset bool) (current, high int, err error)
	FileControlPersistWAL(schema string, mode int) (int, error)
	FileControlDataVersion(schema string) (uint32, error)
	Serialize() ([]byte, error)
	Deserialize(content []byte) error
	NewBackup(destination string) (*sqlite.Backup, error)
	NewRestore(source string) (*sqlite.Backup, error)
}

// cachedConn is a connection with its compiled statements. As of any driver's connection, one goroutine uses it at a time.
type cachedConn struct {
	liveConn
	cache stmtcache.Cache
}

func newCachedConn(live liveConn) *cachedConn {
	return &cachedConn{liveConn: live, cache: stmtcache.Cache{Prepare: live.PrepareContext, Syntax: sqltext.SQLite, Verbs: keptVerbs}}
}

// ExecContext runs a kept statement, or passes the text on.
func (c *cachedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, ok, err := c.cache.Exec(ctx, query, args)
	if !ok {
		return c.liveConn.ExecContext(ctx, query, args)
	}
	return result, err
}

// QueryContext runs a kept statement, or passes the text on.
func (c *cachedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
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

// Close closes the statements first: a connection with statements stays half open.
func (c *cachedConn) Close() error {
	c.cache.Forget()
	return c.liveConn.Close()
}

// RegisterPreUpdateHook forgets the statements: SQLite compiles a DELETE without WHERE to one that calls no hook while there is none.
func (c *cachedConn) RegisterPreUpdateHook(callback sqlite.PreUpdateHookFn) {
	c.cache.Forget()
	c.liveConn.RegisterPreUpdateHook(callback)
}

// columnTypes is what modernc's rows tell beside their values.
type columnTypes interface {
	ColumnTypeDatabaseTypeName(index int) string
	ColumnTypeLength(index int) (length int64, ok bool)
	ColumnTypeNullable(index int) (nullable, ok bool)
	ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool)
	ColumnTypeScanType(index int) reflect.Type
}

// typedRows are rows with their column types.
type typedRows struct {
	*stmtcache.Rows
	columnTypes
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*typedRows)(nil)
	_ driver.RowsColumnTypeLength           = (*typedRows)(nil)
	_ driver.RowsColumnTypeNullable         = (*typedRows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*typedRows)(nil)
	_ driver.RowsColumnTypeScanType         = (*typedRows)(nil)
)
