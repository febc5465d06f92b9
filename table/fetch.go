package table

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
)

// fetch sends a query and calls each for every row of its answer, in one exchange: the connection is free again afterwards. many says
// that the answer is large.
func fetch(ctx context.Context, conn *db.DB, st statement, lay layout, many bool, each func()) error {
	f := fetching{st: st, lay: lay, prepare: many && conn.Dialect().Features().PreparedStream}
	f.each = func() bool {
		each()
		return true
	}
	return f.run(ctx, conn)
}

// fetching is a query whose rows are read in one exchange.
type fetching struct {
	st      statement
	lay     layout
	prepare bool
	each    func() bool // takes the row that was read; false ends the reading
	// abort makes the server stop sending, where each may end the reading; else nil.
	abort func()
}

func (f *fetching) run(ctx context.Context, conn *db.DB) error {
	if f.st.none {
		return nil
	}
	err := f.send(ctx, conn)
	if dialect.Stale(err) && !conn.InBlock(ctx) { // pgx has dropped the plan with the error; no row was read
		err = f.send(ctx, conn)
	}
	return ownError(err)
}

func (f *fetching) send(ctx context.Context, conn *db.DB) error {
	return conn.Exchange(ctx, dialect.Exchange{
		Query: f.st.sql, ReadOnly: len(f.st.sql) > 7 && f.st.sql[:7] == "SELECT ", BeforeWrite: f.st.beforeWrite,
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			if live.PGX != nil {
				return 0, f.native(ctx, live.PGX)
			}
			_, err := f.driver(ctx, live.Conn)
			return 0, err
		},
	})
}

// maxDrained is how many rows are read to the end of a result that nobody wants any more. Behind that the server is asked to stop, which
// costs more than reading a few.
const maxDrained = 2000

// giveUp makes the server stop sending.
func (f *fetching) giveUp() {
	if f.abort != nil {
		f.abort()
	}
}

func (f *fetching) native(ctx context.Context, pc *pgx.Conn) error {
	rows, err := pc.Query(ctx, f.st.sql, append([]any{binaryTypes}, f.st.args...)...)
	if err != nil {
		return err
	}
	panicked := true
	defer func() {
		if panicked {
			f.giveUp()
		}
		rows.Close() // which reads what is still sent
	}()
	ended, err := readNative(rows, f.lay, f.each)
	panicked = false
	if ended {
		for n := 0; rows.Next(); n++ {
			if n == maxDrained {
				f.giveUp()
			}
		}
	}
	return err
}

// readNative reads the rows of pgx; ended says that each has ended it.
func readNative(rows pgx.Rows, lay layout, each func() bool) (ended bool, err error) {
	var r *record
	var formats []format
	for rows.Next() {
		if r == nil {
			if r, formats, err = nativeRecord(rows, lay); err != nil {
				return true, err
			}
		}
		if err := r.decode(formats, rows.RawValues()); err != nil {
			return true, err
		}
		if !each() {
			return true, nil
		}
	}
	if rows.Err() == nil && r == nil { // what is wrong with the columns is told of an empty result too
		_, _, err = nativeRecord(rows, lay)
		return false, err
	}
	return false, rows.Err()
}

func nativeRecord(rows pgx.Rows, lay layout) (*record, []format, error) {
	fields := rows.FieldDescriptions()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	r, err := lay(names)
	return r, formatsOf(fields), err
}

// driver returns the number of rows, which is how many an INSERT … RETURNING has affected.
func (f *fetching) driver(ctx context.Context, conn driver.Conn) (n int64, err error) {
	args, err := dialect.Args(conn, f.st.args)
	if err != nil {
		return 0, err
	}
	rows, err := dialect.QueryRows(ctx, conn, f.st.sql, args, f.prepare)
	if err != nil {
		return 0, err
	}
	return f.read(rows)
}

func (f *fetching) read(rows driver.Rows) (n int64, err error) {
	ended, panicked := false, true
	defer func() {
		if panicked {
			f.giveUp()
		}
		if closed := rows.Close(); !ended { // what a result that was given up says at its end is of no interest
			err = errors.Join(err, closed)
		}
	}()
	n, ended, err = f.readAll(rows)
	panicked = false
	if !ended {
		return n, err
	}
	values := make([]driver.Value, len(rows.Columns()))
	for drained := 0; f.abort != nil && rows.Next(values) == nil; drained++ {
		if drained == maxDrained {
			f.giveUp()
			break
		}
	}
	return n, err
}

// readAll reads rows until there are no more, or until each has ended it.
func (f *fetching) readAll(rows driver.Rows) (n int64, ended bool, err error) {
	columns := rows.Columns()
	r, err := f.lay(columns)
	if err != nil {
		return 0, false, err
	}
	if typed, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		r.textual(typed.ColumnTypeDatabaseTypeName)
	}
	values := make([]driver.Value, len(columns))
	for {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return n, false, nil
		case err != nil:
			return n, false, err
		}
		n++
		if err := r.scan(values); err != nil {
			return n, true, err
		}
		if !f.each() {
			return n, true, nil
		}
	}
}

// open reads a result while the connection is busy with it, and calls each for every row until it returns false.
func open(ctx context.Context, conn *db.DB, st statement, lay layout, each func() bool) error {
	switch {
	case st.none:
		return nil
	case !conn.InBlock(ctx):
		return openAlone(ctx, conn, st, lay, each)
	case conn.RunsOnPGX(ctx):
		rows, err := conn.PGXDBTX().Query(ctx, st.sql, append([]any{binaryTypes}, st.args...)...)
		if err != nil {
			return conn.Wrap("query", err)
		}
		defer rows.Close()
		row, ended := watched(ctx, each)
		_, err = readNative(rows, lay, row)
		return errors.Join(ownError(conn.Wrap("query", err)), ended())
	}
	return openInBlock(ctx, conn, st, lay, each)
}

// watched makes each end the reading soon after ctx has ended: a driver that has rows in hand does not look at it.
func watched(ctx context.Context, each func() bool) (func() bool, func() error) {
	const often = 64
	n, ended := 0, error(nil)
	return func() bool {
		if n++; n%often == 0 && ctx.Err() != nil {
			ended = context.Cause(ctx)
			return false
		}
		return each()
	}, func() error { return ended }
}

// openAlone reads a result on a connection of its own, which is given up with it when each ends the reading early.
func openAlone(ctx context.Context, conn *db.DB, st statement, lay layout, each func() bool) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := false
	f := fetching{st: st, lay: lay, prepare: conn.Dialect().Features().PreparedStream, abort: cancel}
	row, interrupted := watched(ctx, func() bool {
		ended = !each()
		return !ended
	})
	f.each = row
	err := f.run(inner, conn)
	switch {
	case ended:
		return nil
	case interrupted() != nil:
		return interrupted()
	}
	return err
}

// openInBlock reads a result of database/sql.
func openInBlock(ctx context.Context, conn *db.DB, st statement, lay layout, each func() bool) (err error) {
	rows, err := conn.Stream(ctx, st.sql, st.args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }() // also when the loop panics
	columns, err := rows.Columns()
	if err != nil {
		return conn.Wrap("query", err)
	}
	r, err := lay(columns)
	if err != nil {
		return err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return conn.Wrap("query", err)
	}
	r.textual(func(i int) string { return types[i].DatabaseTypeName() })
	dests := r.dests()
	for rows.Next() {
		if err := rows.Scan(dests...); err != nil {
			return ownError(conn.Wrap("query", err))
		}
		if !each() {
			return nil
		}
	}
	return conn.Wrap("query", rows.Err())
}

// explain adds to a database's error what the type knows: the column that was probably meant.
func (q *query) explain(err error) error {
	if q.model == nil || db.KindOf(err) != db.ErrUndefinedColumn {
		return err
	}
	own, ok := errors.AsType[*db.Error](err)
	if !ok || own.Column == "" {
		return err
	}
	if near := q.model.mapping.Nearest(own.Column); near != "" {
		return fmt.Errorf("%w; did you mean %q?", err, near)
	}
	return err
}
