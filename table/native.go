package table

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/pgbinary"
)

// sendNative sends a statement whose parameters are encoded already, in binary, and calls each for the rows of its answer, of which the
// columns come in these formats. It returns the number of affected rows.
//
// The statement is prepared once for a connection, where pgx's own statements are; where they are not (behind a pooler, say), it is sent whole.
func sendNative(ctx context.Context, pc *pgx.Conn, sql string, oids []uint32, params [][]byte, results []format, each func(formats []format, row [][]byte) error) (int64, error) {
	binary := []int16{pgx.BinaryFormatCode}
	answer := make([]int16, len(results))
	for i, r := range results {
		if r.binary {
			answer[i] = pgx.BinaryFormatCode
		}
	}
	var reader *pgconn.ResultReader
	prepared := pc.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement
	if prepared {
		description, err := pc.Prepare(ctx, sql, sql)
		if err != nil {
			return 0, err
		}
		reader = pc.PgConn().ExecPrepared(ctx, description.Name, params, binary, answer)
	} else {
		reader = pc.PgConn().ExecParams(ctx, sql, params, oids, binary, answer)
	}
	var rowErr error
	var formats []format // as the server says, which may know better than the shape
	for reader.NextRow() {
		if formats == nil {
			formats = formatsOf(reader.FieldDescriptions())
		}
		if each != nil && rowErr == nil {
			rowErr = each(formats, reader.Values())
		}
	}
	tag, err := reader.Close()
	if err != nil && prepared && dialect.Stale(err) {
		_ = pc.Deallocate(ctx, sql) // so that the next try prepares it anew
	}
	return tag.RowsAffected(), errors.Join(err, rowErr)
}

// arrays are the parameters of a statement with unnest: for each column an array of all its values, in PostgreSQL's binary format. They are
// used for batch after batch.
type arrays struct {
	elements []uint32 // the types of the elements
	literal  []bool   // the values go as text, which the statement casts
	params   [][]byte
	nulls    []bool
	rows     int
}

func newArrays(u *unnest) *arrays {
	a := &arrays{elements: u.elements, params: make([][]byte, len(u.elements)), nulls: make([]bool, len(u.elements))}
	for _, cast := range u.casts {
		a.literal = append(a.literal, cast != "")
	}
	return a
}

// arrayHeader is the length of the header of an array with one dimension.
const arrayHeader = 20

// reset makes room for the values of a batch of n rows.
func (a *arrays) reset(n int) {
	a.rows = n
	for i := range a.params {
		a.params[i] = append(a.params[i][:0], make([]byte, arrayHeader)...)
		a.nulls[i] = false
	}
}

// oids are the types of the parameters.
func (a *arrays) oids() []uint32 {
	oids := make([]uint32, len(a.elements))
	for i, e := range a.elements {
		oids[i], _ = pgbinary.ArrayOID(e)
	}
	return oids
}

// finish writes the headers and returns the parameters. A batch has one row at least.
func (a *arrays) finish() [][]byte {
	for i, p := range a.params {
		pgbinary.AppendArrayHeader(p[:0], a.elements[i], a.rows, a.nulls[i])
	}
	return a.params
}

// add appends a cell's value to the i-th array.
func (a *arrays) add(i int, c cell.Cell) error {
	at := len(a.params[i])
	buf := append(a.params[i], 0, 0, 0, 0)
	buf, null, err := appendParam(buf, c, a.elements[i], a.literal[i])
	switch {
	case err != nil:
		return err
	case null:
		buf = pgbinary.AppendNull(buf[:at])
		a.nulls[i] = true
	default:
		pgbinary.SetLength(buf, at)
	}
	a.params[i] = buf
	return nil
}

// value is a cell's value as a driver takes it.
func (q *query) value(c cell.Cell) (driver.Value, error) {
	value, err := c.Value()
	if err == nil {
		err = q.conn.Dialect().CheckValue(value)
	}
	return value, err
}

// appendParam appends a cell's value as a parameter of a type, or as the text that the statement casts.
func appendParam(buf []byte, c cell.Cell, oid uint32, literal bool) (out []byte, null bool, err error) {
	if literal {
		return appendLiteral(buf, c)
	}
	return appendCell(buf, c, oid)
}

// appendCell appends a cell's value in the binary format of a type. Into a text column anything goes that can be written as text.
func appendCell(buf []byte, c cell.Cell, oid uint32) ([]byte, bool, error) {
	out, null, err := c.Append(buf, oid)
	if errors.Is(err, pgbinary.ErrUnsupported) && (oid == pgbinary.Text || oid == pgbinary.Varchar || oid == pgbinary.BPChar) {
		return appendLiteral(buf, c)
	}
	return out, null, err
}

func appendLiteral(buf []byte, c cell.Cell) ([]byte, bool, error) {
	value, err := c.Value()
	if err != nil || value == nil {
		return buf, err == nil, err
	}
	text, err := cell.Literal(value)
	return append(buf, text...), false, err
}
