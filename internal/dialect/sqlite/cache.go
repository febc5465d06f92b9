package sqlite

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"
	"strings"

	"modernc.org/sqlite"

	"github.com/drover-dev/drover/internal/sqltext"
)

// Bounds of one connection's cache. A compiled INSERT of many rows takes 35 times the memory of its text.
const (
	maxStatements = 64
	maxLength     = 64 << 10  // bytes of SQL of one statement
	maxLengths    = 256 << 10 // and of all
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

// liveStmt is modernc's prepared statement.
type liveStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// cachedConn is a connection with its compiled statements. As of any driver's connection, one goroutine uses it at a time.
type cachedConn struct {
	liveConn
	idle    map[string]*statement // by text: compiled, reset and in nobody's hands
	lengths int                   // of their texts together
	// ends closes the ring of the idle statements: after it the one used last, before it the one not used for longest.
	ends statement
	// epoch tells the statements that were in use when the cache was emptied: they are closed when they come back.
	epoch int
}

func newCachedConn(live liveConn) *cachedConn {
	c := &cachedConn{liveConn: live, idle: map[string]*statement{}}
	c.ends.before, c.ends.after = &c.ends, &c.ends
	return c
}

// statement is one compiled statement.
type statement struct {
	liveStmt
	text          string
	epoch         int
	before, after *statement // in the ring, while it is idle
}

// ExecContext runs a kept statement, or passes the text on.
func (c *cachedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.liveConn.ExecContext(ctx, query, args)
	}
	result, err := s.ExecContext(ctx, args)
	c.give(s, err)
	return result, err
}

// QueryContext runs a kept statement, which belongs to the rows until they are closed, or passes the text on.
func (c *cachedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.liveConn.QueryContext(ctx, query, args)
	}
	live, err := s.QueryContext(ctx, args)
	if err != nil {
		c.give(s, err)
		return nil, err
	}
	open := rows{Rows: live, conn: c, statement: s}
	if types, ok := live.(columnTypes); ok {
		return &typedRows{open, types}, nil
	}
	return &open, nil
}

// take returns the compiled statement for a text, for which there must be a give, or nil for a text that is to be passed on.
func (c *cachedConn) take(ctx context.Context, query string) (*statement, error) {
	if s := c.idle[query]; s != nil {
		c.remove(s)
		return s, nil
	}
	if len(query) > maxLength || !isKept(query) {
		return nil, nil
	}
	// modernc takes anything behind the semicolon for a second statement, and keeps no such text compiled.
	prepared, err := c.PrepareContext(ctx, strings.TrimRight(query, " \t\r\n"))
	if err != nil {
		return nil, err
	}
	live, ok := prepared.(liveStmt)
	if !ok {
		return nil, prepared.Close()
	}
	return &statement{liveStmt: live, text: query, epoch: c.epoch}, nil
}

// isKept reports whether query is one statement of a kind worth keeping.
func isKept(query string) bool {
	n := 0
	for s := range sqltext.Statements(sqltext.SQLite, query) {
		if n++; !keptVerbs[s.Verb] {
			return false
		}
	}
	return n == 1
}

// give takes a statement back that was reset. One that has failed is not used again, nor one whose text has another by now.
func (c *cachedConn) give(s *statement, err error) {
	if err != nil || s.epoch != c.epoch || c.idle[s.text] != nil {
		_ = s.Close() // says again what its run has said
		return
	}
	for len(c.idle) >= maxStatements || c.lengths+len(s.text) > maxLengths {
		oldest := c.ends.before
		c.remove(oldest)
		_ = oldest.Close()
	}
	s.before, s.after = &c.ends, c.ends.after
	s.before.after, s.after.before = s, s
	c.idle[s.text] = s
	c.lengths += len(s.text)
}

// remove takes s out of the cache.
func (c *cachedConn) remove(s *statement) {
	s.before.after, s.after.before = s.after, s.before
	delete(c.idle, s.text)
	c.lengths -= len(s.text)
}

// forget closes all statements.
func (c *cachedConn) forget() {
	c.epoch++
	for _, s := range c.idle {
		c.remove(s)
		_ = s.Close()
	}
}

// Close closes the statements first: a connection with statements stays half open.
func (c *cachedConn) Close() error {
	c.forget()
	return c.liveConn.Close()
}

// RegisterPreUpdateHook forgets the statements: SQLite compiles a DELETE without WHERE to one that calls no hook while there is none.
func (c *cachedConn) RegisterPreUpdateHook(callback sqlite.PreUpdateHookFn) {
	c.forget()
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

// rows is the open result set of a kept statement.
type rows struct {
	driver.Rows
	conn      *cachedConn
	statement *statement // nil when closed
}

// typedRows are rows with their column types.
type typedRows struct {
	rows
	columnTypes
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*typedRows)(nil)
	_ driver.RowsColumnTypeLength           = (*typedRows)(nil)
	_ driver.RowsColumnTypeNullable         = (*typedRows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*typedRows)(nil)
	_ driver.RowsColumnTypeScanType         = (*typedRows)(nil)
)

// Next reads the next row. After Close there is none: the statement may be another's.
func (r *rows) Next(dest []driver.Value) error {
	if r.statement == nil {
		return io.EOF
	}
	return r.Rows.Next(dest)
}

// Close resets the statement and gives it back. It tells an error of Next again, as modernc's Close does. A second call does nothing.
func (r *rows) Close() error {
	s := r.statement
	if s == nil {
		return nil
	}
	r.statement = nil
	err := r.Rows.Close()
	r.conn.give(s, err)
	return err
}
