package bound

import (
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
)

// rows is an open result set. It forwards every optional interface of driver.Rows; where the driver lacks one the
// answer is the one that database/sql gives by itself.
type rows struct {
	session Session
	rows    driver.Rows
	closed  bool
}

// errCut is what reading on gives when the block has closed the result set. Database/sql does not read on after its own Close.
var errCut = errors.New("the result set was closed at the end of the block that it was opened in")

var (
	_ driver.RowsNextResultSet              = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

func (r *rows) Columns() []string { return r.rows.Columns() }

func (r *rows) Next(dest []driver.Value) error {
	return r.session.Touch(func() error {
		if r.closed {
			return errCut
		}
		return r.rows.Next(dest)
	})
}

// Close ends the result set. The block's end closes it too, so a second call does nothing.
func (r *rows) Close() error {
	return r.session.Touch(func() error {
		if r.closed {
			return nil
		}
		r.closed = true
		r.session.Forget(r)
		return r.rows.Close()
	})
}

func (r *rows) HasNextResultSet() (more bool) {
	_ = r.session.Touch(func() error {
		next, ok := r.rows.(driver.RowsNextResultSet)
		more = ok && !r.closed && next.HasNextResultSet()
		return nil
	})
	return more
}

func (r *rows) NextResultSet() error {
	return r.session.Touch(func() error {
		next, ok := r.rows.(driver.RowsNextResultSet)
		switch {
		case r.closed:
			return errCut
		case !ok:
			return io.EOF
		}
		return next.NextResultSet()
	})
}

func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if t, ok := r.rows.(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}

func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if t, ok := r.rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

func (r *rows) ColumnTypeLength(i int) (int64, bool) {
	if t, ok := r.rows.(driver.RowsColumnTypeLength); ok {
		return t.ColumnTypeLength(i)
	}
	return 0, false
}

func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if t, ok := r.rows.(driver.RowsColumnTypeNullable); ok {
		return t.ColumnTypeNullable(i)
	}
	return false, false
}

func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if t, ok := r.rows.(driver.RowsColumnTypePrecisionScale); ok {
		return t.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}
