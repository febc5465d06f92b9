package bound

import (
	"context"
	"database/sql/driver"
)

// stmt is a prepared statement on the session's connection.
type stmt struct {
	session Session
	stmt    driver.Stmt
	query   string
	closed  bool
}

var (
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// Close ends the statement. The block's end closes it too, so a second call does nothing.
func (s *stmt) Close() error {
	return s.session.Touch(func() error {
		if s.closed {
			return nil
		}
		s.closed = true
		s.session.Forget(s)
		return s.stmt.Close()
	})
}

func (s *stmt) NumInput() int { return s.stmt.NumInput() }

func (s *stmt) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := s.stmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	if converter, ok := s.stmt.(driver.ColumnConverter); ok { //nolint:staticcheck // drivers without NamedValueChecker have it
		value, err := converter.ColumnConverter(v.Ordinal - 1).ConvertValue(v.Value)
		if err == nil {
			v.Value = value
		}
		return err
	}
	return (&conn{s.session}).CheckNamedValue(v)
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	var result driver.Result
	err := s.session.Do(ctx, s.query, args, func(ctx context.Context) (_ int64, err error) {
		if e, ok := s.stmt.(driver.StmtExecContext); ok {
			result, err = e.ExecContext(ctx, args)
		} else {
			result, err = s.stmt.Exec(values(args)) //nolint:staticcheck // a driver without contexts
		}
		return affected(result, err)
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return queryRows(ctx, s.session, s.query, args, func(ctx context.Context) (driver.Rows, error) {
		if q, ok := s.stmt.(driver.StmtQueryContext); ok {
			return q.QueryContext(ctx, args)
		}
		return s.stmt.Query(values(args)) //nolint:staticcheck // a driver without contexts
	})
}

// Exec and Query are never called: database/sql prefers the forms with a context.

func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

func values(args []driver.NamedValue) []driver.Value {
	v := make([]driver.Value, len(args))
	for i, a := range args {
		v[i] = a.Value
	}
	return v
}
