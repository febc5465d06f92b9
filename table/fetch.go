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
func fetch[R any](ctx context.Context, conn *db.DB, st statement, lay layout[R], many bool, each func(*record[R])) error {
	if st.none {
		return nil
	}
	return ownError(conn.Exchange(ctx, dialect.Exchange{
		Query: st.sql, ReadOnly: onlyReads(conn, ctx, st),
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			if live.PGX != nil {
				return 0, fetchNative(ctx, live.PGX, st, lay, each)
			}
			prepare := many && conn.Dialect().Features().PreparedStream
			_, err := fetchDriver(ctx, live.Conn, st, lay, prepare, each)
			return 0, err
		},
	}))
}

// onlyReads reports whether a statement may run beside the writer.
func onlyReads(conn *db.DB, ctx context.Context, st statement) bool {
	return !conn.InBlock(ctx) && len(st.sql) > 7 && st.sql[:7] == "SELECT "
}

func fetchNative[R any](ctx context.Context, pc *pgx.Conn, st statement, lay layout[R], each func(*record[R])) error {
	rows, err := pc.Query(ctx, st.sql, append([]any{binaryTypes}, st.args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var r *record[R]
	var formats []format
	for rows.Next() {
		if r == nil {
			if r, formats, err = nativeRecord(rows, lay); err != nil {
				return err
			}
		}
		if err := r.decode(formats, rows.RawValues()); err != nil {
			return err
		}
		each(r)
	}
	if rows.Err() == nil && r == nil { // what is wrong with the columns is told of an empty result too
		_, _, err = nativeRecord(rows, lay)
		return err
	}
	return rows.Err()
}

func nativeRecord[R any](rows pgx.Rows, lay layout[R]) (*record[R], []format, error) {
	fields := rows.FieldDescriptions()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	r, err := lay(names)
	return r, formatsOf(fields), err
}

// fetchDriver returns the number of rows, which is how many an INSERT … RETURNING has affected.
func fetchDriver[R any](ctx context.Context, conn driver.Conn, st statement, lay layout[R], prepare bool, each func(*record[R])) (n int64, err error) {
	args, err := dialect.Args(conn, st.args)
	if err != nil {
		return 0, err
	}
	rows, err := dialect.QueryRows(ctx, conn, st.sql, args, prepare)
	if err != nil {
		return 0, err
	}
	return readDriver(rows, lay, each)
}

func readDriver[R any](rows driver.Rows, lay layout[R], each func(*record[R])) (n int64, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns := rows.Columns()
	r, err := lay(columns)
	if err != nil {
		return 0, err
	}
	if typed, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		r.textual(typed.ColumnTypeDatabaseTypeName)
	}
	values := make([]driver.Value, len(columns))
	for {
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		}
		n++
		if err := r.scan(values); err != nil {
			return n, err
		}
		each(r)
	}
}

// open opens the result set of a query and calls each for every row until it returns false. The connection is busy until then.
func open[R any](ctx context.Context, conn *db.DB, st statement, lay layout[R], each func(R) bool) error {
	if st.none {
		return nil
	}
	if conn.RunsOnPGX(ctx) && (conn.InBlock(ctx) || conn.Native() != nil) {
		return openNative(ctx, conn, st, lay, each)
	}
	rows, closeRows, err := conn.Stream(ctx, st.sql, st.args, conn.Dialect().Features().PreparedStream)
	if err != nil {
		return err
	}
	err = func() error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		r, err := lay(columns)
		if err != nil {
			return err
		}
		types, err := rows.ColumnTypes()
		if err != nil {
			return err
		}
		r.textual(func(i int) string { return types[i].DatabaseTypeName() })
		dests := r.dests()
		for rows.Next() {
			if err := rows.Scan(dests...); err != nil {
				return plainScanError(err)
			}
			if !each(r.row()) {
				return nil
			}
		}
		return rows.Err()
	}()
	return errors.Join(ownError(conn.Wrap("query", err)), closeRows())
}

func openNative[R any](ctx context.Context, conn *db.DB, st statement, lay layout[R], each func(R) bool) error {
	rows, err := conn.PGXDBTX().Query(ctx, st.sql, append([]any{binaryTypes}, st.args...)...)
	if err != nil {
		return conn.Wrap("query", err)
	}
	defer rows.Close()
	var r *record[R]
	var formats []format
	for rows.Next() {
		if r == nil {
			if r, formats, err = nativeRecord(rows, lay); err != nil {
				return err
			}
		}
		if err := r.decode(formats, rows.RawValues()); err != nil {
			return err
		}
		if !each(r.row()) {
			return nil
		}
	}
	if rows.Err() == nil && r == nil {
		_, _, err = nativeRecord(rows, lay)
		return err
	}
	return conn.Wrap("query", rows.Err())
}

// layout is how the query's rows become values of T.
func (q Query[T]) layout() layout[T] {
	return func([]string) (*record[T], error) {
		return structRecord[T](q.model.mapping, q.columns, q.model.fullName()), nil
	}
}

// explain adds to a database's error what the type knows: the column that was probably meant.
func (q Query[T]) explain(err error) error {
	if db.KindOf(err) != db.ErrUndefinedColumn {
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
