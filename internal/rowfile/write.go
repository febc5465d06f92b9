package rowfile

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
)

// FileError says that rows could not be written to the file, where the database is not the cause.
type FileError struct{ Err error }

// Error is that of the file.
func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap returns it.
func (e *FileError) Unwrap() error { return e.Err }

// Write writes a range of the rows within a block of [Source.Snapshot]. It calls count now and then with the number of rows that it has written
// since. In case of an error Written says how many rows it has got to, and an error of the file is a [*FileError].
func (s *Source) Write(ctx context.Context, w *datafile.Writer, r Range, count func(int64)) (Written, error) {
	query, args, err := s.Query(r)
	if err != nil {
		return Written{}, err
	}
	x := &writing{source: s, out: w, query: query, args: args, count: count}
	if r.Keys {
		x.last = newKeeper(len(s.key))
	}
	err = s.conn.Exchange(ctx, dialect.Exchange{Query: query, ReadOnly: true, Send: func(ctx context.Context, live dialect.Live) (int64, error) {
		if live.PGX != nil {
			return 0, x.native(ctx, live.PGX)
		}
		return 0, x.driver(ctx, live.Conn)
	}})
	x.counted()
	written := Written{Rows: x.rows}
	if x.failed != nil {
		return written, &FileError{x.failed}
	}
	if x.last != nil && x.rows > 0 {
		written.First, written.Last = x.first, x.last.values(s.key)
	}
	return written, err
}

// writing is one query on its way to the file.
type writing struct {
	source *Source
	out    *datafile.Writer
	query  string
	args   []any

	rows   int64
	told   int64 // of rows
	count  func(int64)
	first  keyset.Values
	last   *keeper // nil where the keys are not asked for
	failed error   // of the file
}

// often is after how many rows the context is looked at, which drivers do not do while they have rows in hand.
const often = 256

// row notes a row that was written, or why it was not.
func (x *writing) row(ctx context.Context, err error) error {
	if err != nil {
		x.failed = err
		return err
	}
	if x.rows++; x.rows == 1 && x.last != nil {
		x.first = x.last.values(x.source.key)
	}
	if x.rows%often == 0 {
		x.counted()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

func (x *writing) counted() {
	x.count(x.rows - x.told)
	x.told = x.rows
}

// native reads PostgreSQL's rows as text. COPY TO STDOUT with CSV is no faster: the server looks for quotes then, while this process waits.
func (x *writing) native(ctx context.Context, pc *pgx.Conn) error {
	rows, err := pc.Query(ctx, x.query, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, x.args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns := x.source.columns
	fields := make([]datafile.Field, len(columns))
	for i, c := range columns {
		fields[i].Class = c.Type.Class
	}
	for rows.Next() {
		values := rows.RawValues()
		for i := range fields {
			fields[i].Text = values[i]
		}
		if x.last != nil {
			for i, v := range values[len(columns):] {
				x.last.keepText(i, v)
			}
		}
		if err := x.row(ctx, x.out.Row(fields)); err != nil {
			return err
		}
	}
	return rows.Err()
}

// driver reads the rows of any other database.
func (x *writing) driver(ctx context.Context, conn driver.Conn) (err error) {
	args, err := dialect.Args(conn, x.args)
	if err != nil {
		return err
	}
	rows, err := dialect.QueryRows(ctx, conn, x.query, args, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns := x.source.columns
	texts := datafile.NewTexts(columns)
	values := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		fields, err := texts.Row(values)
		if err == nil {
			err = x.out.Row(fields)
		}
		if x.last != nil {
			for i, v := range values[len(columns):] {
				x.last.keep(i, v)
			}
		}
		if err := x.row(ctx, err); err != nil {
			return err
		}
	}
}

// keeper keeps the key of the last row. What a driver has handed out as bytes is its own again with the next row.
type keeper struct {
	plain []driver.Value
	bytes [][]byte // nil where the value is plain
	text  bool     // the bytes are text
}

func newKeeper(n int) *keeper {
	return &keeper{plain: make([]driver.Value, n), bytes: make([][]byte, n)}
}

func (k *keeper) keep(i int, v driver.Value) {
	if b, ok := v.([]byte); ok {
		k.plain[i], k.bytes[i] = nil, append(k.bytes[i][:0], b...)
		return
	}
	k.plain[i] = v
}

func (k *keeper) keepText(i int, text []byte) {
	k.text = true
	k.bytes[i] = append(k.bytes[i][:0], text...)
}

// values are the key as it serves as parameters again.
func (k *keeper) values(columns []dialect.Column) keyset.Values {
	values := make(keyset.Values, len(columns))
	for i, c := range columns {
		switch {
		case k.plain[i] != nil:
			values[i] = c.Value(k.plain[i])
		case k.text:
			values[i] = string(k.bytes[i])
		default:
			values[i] = c.Value(append([]byte{}, k.bytes[i]...))
		}
	}
	return values
}
