package dialect

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Exchange is one or several statements that are sent on a live driver connection as one step of its owner, for shapes that
// database/sql has no words for: COPY, binary arrays, a statement that is prepared once and run for every batch.
//
// Send must not begin or end a transaction, and must leave no result set open.
type Exchange struct {
	// Query is what interceptors and the block's rules are shown.
	Query string
	// ReadOnly lets the exchange run on a connection that only reads, where it is outside a block.
	ReadOnly bool
	// BeforeWrite says that a write will probably follow. Then a connection that could write is better, if there is one: on SQLite the other
	// connections forget what they have read when it commits.
	BeforeWrite bool
	// Send does the work and returns the number of affected rows.
	Send func(ctx context.Context, live Live) (affected int64, err error)
}

// Live is the connection of an [Exchange].
type Live struct {
	// Conn is the driver's connection; nil where the connection was taken from pgx's own pool.
	Conn driver.Conn
	// PGX is pgx's connection, where the connection is one of pgx; else nil.
	PGX *pgx.Conn
	// Keep leaves something open on the connection after the exchange, a prepared statement say, which the owner closes at the end of the
	// transaction unless it was closed and forgotten before. It is nil where the connection is not kept between exchanges.
	Keep func(io.Closer) (forget func())
}

// Exec sends a statement with parameters and returns the number of rows that it affected.
func (l Live) Exec(ctx context.Context, query string, args []any) (int64, error) {
	if l.PGX != nil {
		tag, err := l.PGX.Exec(ctx, query, args...)
		return tag.RowsAffected(), err
	}
	checked, err := Args(l.Conn, args)
	if err != nil {
		return 0, err
	}
	result, err := ExecArgs(ctx, l.Conn, query, checked)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Stale reports whether err is that of a statement prepared by pgx which must be prepared anew: its result type has changed, or a pooler has
// lost it.
func Stale(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pe.Code == "0A000" || pe.Code == "26000")
}

// QueryRows sends a query on a driver connection. Where the driver takes no query with parameters as text, or where prepare asks for it, it
// is prepared first, and the statement is closed with the rows.
func QueryRows(ctx context.Context, conn driver.Conn, query string, args []driver.NamedValue, prepare bool) (driver.Rows, error) {
	if queryer, ok := conn.(driver.QueryerContext); ok && !prepare {
		rows, err := queryer.QueryContext(ctx, query, args)
		if !errors.Is(err, driver.ErrSkip) {
			return rows, err
		}
	}
	stmt, err := Prepare(ctx, conn, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.Query(ctx, args)
	if err != nil {
		return nil, errors.Join(err, stmt.Close())
	}
	return stmtRows{rows, stmt}, nil
}

// ExecArgs sends a statement with parameters on a driver connection, as text where the driver takes that.
func ExecArgs(ctx context.Context, conn driver.Conn, query string, args []driver.NamedValue) (driver.Result, error) {
	if execer, ok := conn.(driver.ExecerContext); ok {
		result, err := execer.ExecContext(ctx, query, args)
		if !errors.Is(err, driver.ErrSkip) {
			return result, err
		}
	}
	stmt, err := Prepare(ctx, conn, query)
	if err != nil {
		return nil, err
	}
	result, err := stmt.Exec(ctx, args)
	return result, errors.Join(err, stmt.Close())
}

// Args makes parameters for a driver connection of plain values, as database/sql does.
func Args(conn driver.Conn, args []any) ([]driver.NamedValue, error) {
	values := make([]driver.NamedValue, len(args))
	for i, a := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return CheckArgs(conn, values)
}

// Stmt is a prepared statement of a driver.
type Stmt struct{ stmt driver.Stmt }

// Prepare prepares a statement on a driver connection.
func Prepare(ctx context.Context, conn driver.Conn, query string) (Stmt, error) {
	if p, ok := conn.(driver.ConnPrepareContext); ok {
		stmt, err := p.PrepareContext(ctx, query)
		return Stmt{stmt}, err
	}
	stmt, err := conn.Prepare(query)
	return Stmt{stmt}, err
}

// Exec runs the statement.
func (s Stmt) Exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := s.stmt.(driver.StmtExecContext); ok {
		return e.ExecContext(ctx, args)
	}
	return s.stmt.Exec(plainValues(args)) //nolint:staticcheck // a driver without contexts has nothing newer
}

// Query runs the statement for its rows.
func (s Stmt) Query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := s.stmt.(driver.StmtQueryContext); ok {
		return q.QueryContext(ctx, args)
	}
	return s.stmt.Query(plainValues(args)) //nolint:staticcheck // a driver without contexts has nothing newer
}

// Close closes the statement.
func (s Stmt) Close() error { return s.stmt.Close() }

// CheckArgs does what database/sql does with arguments when it knows the driver they are for. It leaves args as they are: the same
// ones may be checked for a second target.
func CheckArgs(target any, args []driver.NamedValue) ([]driver.NamedValue, error) {
	checker, _ := target.(driver.NamedValueChecker)
	checked := make([]driver.NamedValue, 0, len(args))
	for _, arg := range args {
		err := driver.ErrSkip
		if checker != nil {
			err = checker.CheckNamedValue(&arg)
		}
		if errors.Is(err, driver.ErrSkip) {
			arg.Value, err = driver.DefaultParameterConverter.ConvertValue(arg.Value)
		}
		switch {
		case errors.Is(err, driver.ErrRemoveArgument):
			continue
		case err != nil:
			return nil, err
		}
		arg.Ordinal = len(checked) + 1
		checked = append(checked, arg)
	}
	return checked, nil
}

func plainValues(args []driver.NamedValue) []driver.Value {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	return values
}

// stmtRows closes its statement with itself.
type stmtRows struct {
	driver.Rows
	stmt Stmt
}

func (r stmtRows) Close() error { return errors.Join(r.Rows.Close(), r.stmt.Close()) }

// ColumnTypeDatabaseTypeName forwards the driver's answer.
func (r stmtRows) ColumnTypeDatabaseTypeName(i int) string {
	if t, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}
