package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/internal/dialect/postgres"
)

// JoinSQL puts a transaction of the caller's into the context, so that drover's calls take part in it: Atomic is a savepoint, and
// statements run in it. The caller commits or rolls back, and calls leave before that. leave returns a [*BrokenError] when a
// statement failed and was not undone by an inner block: roll back then. On-commit hooks are [ErrForeignCommit], and [DB.PGX] is
// [ErrNotPGX], for from a *sql.Tx there is no way to pgx. Inside a block JoinSQL is [ErrNested].
//
// d must be of the database that tx runs on; drover cannot see whether it is.
func (d *DB) JoinSQL(ctx context.Context, tx *sql.Tx) (joined context.Context, leave func() error, err error) {
	return d.join(ctx, sqlTxConn{tx}, nil)
}

// JoinPGX is [DB.JoinSQL] for a transaction of pgx. [DB.PGX] works in it.
func (d *DB) JoinPGX(ctx context.Context, tx pgx.Tx) (joined context.Context, leave func() error, err error) {
	if tx.Conn() == nil {
		return ctx, nil, errors.New("the pgx transaction has no connection: a block's own transaction is in the context already")
	}
	return d.join(ctx, postgres.TxConn{Tx: tx}, tx)
}

func (d *DB) join(ctx context.Context, conn driver.Conn, native pgx.Tx) (context.Context, func() error, error) {
	if d.current(ctx) != nil {
		return ctx, nil, ErrNested
	}
	tx := newTransaction(d, conn, ownerCaller)
	tx.native = native
	leave := func() error {
		if tx.ended.Load() {
			return nil
		}
		root, err := tx.unwind()
		tx.end(ctx)
		if err == nil && root.cause != nil {
			err = &BrokenError{Cause: root.cause}
		}
		return err
	}
	return tx.context(ctx), leave, nil
}

// sqlTxConn presents a *sql.Tx, or a pool, as a driver connection. Values go through database/sql twice, which leaves them as they are.
type sqlTxConn struct{ tx sqlRunner }

// sqlRunner is what a *sql.Tx and a pool have in common.
type sqlRunner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

var (
	_ driver.ExecerContext      = sqlTxConn{}
	_ driver.QueryerContext     = sqlTxConn{}
	_ driver.ConnPrepareContext = sqlTxConn{}
	_ driver.NamedValueChecker  = sqlTxConn{}
)

func (c sqlTxConn) Close() error                             { return nil }
func (c sqlTxConn) Begin() (driver.Tx, error)                { return nil, errors.ErrUnsupported }
func (c sqlTxConn) CheckNamedValue(*driver.NamedValue) error { return nil } // the transaction's own driver checks

func (c sqlTxConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.tx.ExecContext(ctx, query, anys(args)...)
}

func (c sqlTxConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.tx.QueryContext(ctx, query, anys(args)...)
	if err != nil {
		return nil, err
	}
	return newSQLRows(rows)
}

func (c sqlTxConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c sqlTxConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.tx.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return sqlStmt{stmt}, nil
}

func anys(args []driver.NamedValue) []any {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
		if a.Name != "" {
			values[i] = sql.Named(a.Name, a.Value)
		}
	}
	return values
}

// sqlStmt is a prepared statement of a joined *sql.Tx.
type sqlStmt struct{ stmt *sql.Stmt }

func (s sqlStmt) Close() error                               { return s.stmt.Close() }
func (s sqlStmt) NumInput() int                              { return -1 } // the inner statement checks
func (s sqlStmt) CheckNamedValue(*driver.NamedValue) error   { return nil }
func (s sqlStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }
func (s sqlStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.ErrUnsupported }

func (s sqlStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.stmt.ExecContext(ctx, anys(args)...)
}

func (s sqlStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.stmt.QueryContext(ctx, anys(args)...)
	if err != nil {
		return nil, err
	}
	return newSQLRows(rows)
}

// sqlRows presents *sql.Rows as the rows of a driver.
type sqlRows struct {
	rows  *sql.Rows
	names []string
	types []*sql.ColumnType
	// Scan takes NULL into an *any, but not into a *driver.Value.
	values []any
	dest   []any // pointers to values
}

func newSQLRows(rows *sql.Rows) (*sqlRows, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	r := &sqlRows{rows: rows, names: names, types: types, values: make([]any, len(names)), dest: make([]any, len(names))}
	for i := range r.values {
		r.dest[i] = &r.values[i]
	}
	return r, nil
}

func (r *sqlRows) Columns() []string { return r.names }
func (r *sqlRows) Close() error      { return r.rows.Close() }

func (r *sqlRows) Next(dest []driver.Value) error {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	if err := r.rows.Scan(r.dest...); err != nil {
		return err
	}
	for i, value := range r.values {
		dest[i] = value
	}
	return nil
}

func (r *sqlRows) ColumnTypeScanType(i int) reflect.Type        { return r.types[i].ScanType() }
func (r *sqlRows) ColumnTypeDatabaseTypeName(i int) string      { return r.types[i].DatabaseTypeName() }
func (r *sqlRows) ColumnTypeLength(i int) (int64, bool)         { return r.types[i].Length() }
func (r *sqlRows) ColumnTypeNullable(i int) (nullable, ok bool) { return r.types[i].Nullable() }
func (r *sqlRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return r.types[i].DecimalSize()
}
