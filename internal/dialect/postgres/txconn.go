package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// TxConn presents a pgx transaction as a driver connection. pgx's stdlib package makes such a connection only of a pool or a
// configuration, not of a transaction that a caller has open.
type TxConn struct{ Tx pgx.Tx }

var (
	_ NativeConn               = TxConn{}
	_ driver.ExecerContext     = TxConn{}
	_ driver.QueryerContext    = TxConn{}
	_ driver.NamedValueChecker = TxConn{}
)

// Conn returns the pgx connection.
func (c TxConn) Conn() *pgx.Conn { return c.Tx.Conn() }

// Close leaves the transaction to its owner.
func (c TxConn) Close() error { return nil }

// Begin is never called: the block's transactions are savepoints.
func (c TxConn) Begin() (driver.Tx, error) { return nil, errors.ErrUnsupported }

// CheckNamedValue lets every value through: pgx encodes more types than database/sql knows.
func (c TxConn) CheckNamedValue(*driver.NamedValue) error { return nil }

// Prepare returns a statement that is prepared by pgx when it is first used, in its own cache.
func (c TxConn) Prepare(query string) (driver.Stmt, error) { return txStmt{c, query}, nil }

// ExecContext runs a statement.
func (c TxConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	tag, err := c.Tx.Exec(ctx, query, values(args)...)
	return driver.RowsAffected(tag.RowsAffected()), err
}

// binary names the types that travel in binary, as in pgx's stdlib; the others come as text.
var binary = pgx.QueryResultFormatsByOID{
	pgtype.BoolOID: 1, pgtype.ByteaOID: 1, pgtype.CIDOID: 1, pgtype.DateOID: 1, pgtype.Float4OID: 1, pgtype.Float8OID: 1,
	pgtype.Int2OID: 1, pgtype.Int4OID: 1, pgtype.Int8OID: 1, pgtype.OIDOID: 1,
	pgtype.TimestampOID: 1, pgtype.TimestamptzOID: 1, pgtype.XIDOID: 1,
}

// QueryContext runs a query. The first row is fetched at once, since pgx knows the columns only then.
func (c TxConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Tx.Query(ctx, query, append([]any{binary}, values(args)...)...)
	if err != nil {
		return nil, err
	}
	more := rows.Next()
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return &txRows{rows: rows, types: c.Conn().TypeMap(), more: more}, nil
}

func values(args []driver.NamedValue) []any {
	v := make([]any, len(args))
	for i, a := range args {
		v[i] = a.Value
	}
	return v
}

type txStmt struct {
	conn  TxConn
	query string
}

func (s txStmt) Close() error                               { return nil }
func (s txStmt) NumInput() int                              { return -1 }
func (s txStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }
func (s txStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.ErrUnsupported }

func (s txStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

func (s txStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}

// txRows gives pgx's rows the value types of database/sql.
type txRows struct {
	rows  pgx.Rows
	types *pgtype.Map
	more  bool // the row that was fetched ahead is still to be given out
	begun bool
	names []string
}

func (r *txRows) Columns() []string {
	if r.names == nil {
		for _, f := range r.rows.FieldDescriptions() {
			r.names = append(r.names, f.Name)
		}
	}
	return r.names
}

func (r *txRows) Close() error {
	r.rows.Close()
	return r.rows.Err()
}

func (r *txRows) Next(dest []driver.Value) error {
	if r.begun {
		r.more = r.rows.Next()
	}
	r.begun = true
	if !r.more {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	raw := r.rows.RawValues()
	for i, f := range r.rows.FieldDescriptions() {
		if raw[i] == nil {
			dest[i] = nil
			continue
		}
		value, err := r.value(f.DataTypeOID, f.Format, raw[i])
		if err != nil {
			return err
		}
		dest[i] = value
	}
	return nil
}

func (r *txRows) value(oid uint32, format int16, raw []byte) (driver.Value, error) {
	switch oid {
	case pgtype.BoolOID:
		return scan[bool](r.types, oid, format, raw)
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		return scan[int64](r.types, oid, format, raw)
	case pgtype.CIDOID, pgtype.OIDOID, pgtype.XIDOID:
		return scanValuer[pgtype.Uint32](r.types, oid, format, raw)
	case pgtype.Float4OID, pgtype.Float8OID:
		return scan[float64](r.types, oid, format, raw)
	case pgtype.ByteaOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
		return scan[[]byte](r.types, oid, format, raw)
	case pgtype.DateOID:
		return scanValuer[pgtype.Date](r.types, oid, format, raw)
	case pgtype.TimestampOID:
		return scanValuer[pgtype.Timestamp](r.types, oid, format, raw)
	case pgtype.TimestamptzOID:
		return scanValuer[pgtype.Timestamptz](r.types, oid, format, raw)
	}
	return scan[string](r.types, oid, format, raw)
}

// The column types are those that pgx's stdlib tells.

var (
	_ driver.RowsColumnTypeScanType         = (*txRows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*txRows)(nil)
	_ driver.RowsColumnTypeLength           = (*txRows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*txRows)(nil)
)

func (r *txRows) ColumnTypeDatabaseTypeName(i int) string {
	oid := r.rows.FieldDescriptions()[i].DataTypeOID
	if t, ok := r.types.TypeForOID(oid); ok {
		return strings.ToUpper(t.Name)
	}
	return strconv.FormatUint(uint64(oid), 10)
}

// typmodHeader is what the server adds to the length in a type's modifier.
const typmodHeader = 4

func (r *txRows) ColumnTypeLength(i int) (int64, bool) {
	f := r.rows.FieldDescriptions()[i]
	switch f.DataTypeOID {
	case pgtype.TextOID, pgtype.ByteaOID:
		return math.MaxInt64, true
	case pgtype.VarcharOID, pgtype.BPCharOID:
		return int64(f.TypeModifier - typmodHeader), true
	case pgtype.VarbitOID:
		return int64(f.TypeModifier), true
	}
	return 0, false
}

func (r *txRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	f := r.rows.FieldDescriptions()[i]
	if f.DataTypeOID != pgtype.NumericOID {
		return 0, 0, false
	}
	modifier := f.TypeModifier - typmodHeader
	return int64(modifier >> 16 & 0xffff), int64(modifier & 0xffff), true
}

func (r *txRows) ColumnTypeScanType(i int) reflect.Type {
	switch r.rows.FieldDescriptions()[i].DataTypeOID {
	case pgtype.Float8OID, pgtype.NumericOID:
		return reflect.TypeFor[float64]()
	case pgtype.Float4OID:
		return reflect.TypeFor[float32]()
	case pgtype.Int8OID:
		return reflect.TypeFor[int64]()
	case pgtype.Int4OID:
		return reflect.TypeFor[int32]()
	case pgtype.Int2OID:
		return reflect.TypeFor[int16]()
	case pgtype.BoolOID:
		return reflect.TypeFor[bool]()
	case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		return reflect.TypeFor[time.Time]()
	case pgtype.ByteaOID:
		return reflect.TypeFor[[]byte]()
	}
	return reflect.TypeFor[string]()
}

func scan[T any](m *pgtype.Map, oid uint32, format int16, raw []byte) (driver.Value, error) {
	var v T
	err := m.Scan(oid, format, raw, &v)
	return v, err
}

// scanValuer is scan for types that database/sql takes through their Value method (infinite dates become text).
func scanValuer[T driver.Valuer](m *pgtype.Map, oid uint32, format int16, raw []byte) (driver.Value, error) {
	var v T
	if err := m.Scan(oid, format, raw, &v); err != nil {
		return nil, err
	}
	return v.Value()
}
