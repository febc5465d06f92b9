package table

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/mapping"
)

// maxValuesRows is how many rows an INSERT … VALUES has at most on SQLite, where more only take longer to compile.
const maxValuesRows = 500

// valuesInsert sends rows as INSERT … VALUES (…), (…), the form of databases without arrays.
type valuesInsert struct {
	c *creator
	// prepared are the statements of this call by their text, kept on the connection where it has several batches.
	prepared map[string]preparedStmt
	args     []driver.NamedValue
}

type preparedStmt struct {
	dialect.Stmt
	forget func()
}

// rowsPerStatement is how many rows one statement takes.
func (v *valuesInsert) rowsPerStatement(plan *insertion) int {
	f := v.c.conn.Dialect().Features()
	n := f.MaxParams / max(1, len(plan.columns))
	switch {
	case len(plan.columns)+len(plan.assigned) == 0 && !f.EmptyColumns:
		n = 1 // DEFAULT VALUES
	case f.SingleWriter:
		n = min(n, maxValuesRows)
	}
	return max(1, n)
}

// insert sends a group's rows.
func (v *valuesInsert) insert(ctx context.Context, g group) (int64, error) {
	per := v.rowsPerStatement(g.plan)
	var total int64
	for first := 0; first < g.rows.len(); first += per {
		n, err := v.statement(ctx, g.plan, g.rows.slice(first, min(first+per, g.rows.len())))
		total += n
		if m, ok := errors.AsType[*misfit](err); ok {
			m.row += first
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (v *valuesInsert) statement(ctx context.Context, plan *insertion, rows rowList) (n int64, err error) {
	m, conn := v.c.model, v.c.conn
	if key, err := v.lastID(ctx, plan, rows); err != nil || key >= 0 {
		if err != nil {
			return 0, err
		}
		return v.single(ctx, plan, rows, key)
	}
	st, err := v.build(plan, rows.len())
	if err != nil {
		return 0, err
	}
	args, err := v.values(plan, rows, st.args)
	if err != nil {
		return 0, err
	}
	back := newReadBack(m, plan, rows)
	err = conn.Exchange(ctx, dialect.Exchange{
		Query: st.sql,
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			if plan.ignore && conn.Dialect().Features().OnDuplicateKey {
				n, err = ignoring(ctx, live.Conn, st.sql, args)
			} else {
				n, err = v.send(ctx, live, st.sql, args, back)
			}
			return n, err
		},
	})
	switch {
	case err != nil:
		return 0, ownError(err)
	case len(plan.returning) > 0 && plan.ignore:
		return int64(back.next), nil
	case len(plan.returning) > 0:
		return int64(rows.len()), back.check()
	case plan.upsert:
		return int64(rows.len()), nil // MySQL counts an updated row twice
	}
	return n, nil
}

// lastID returns the column of a single row's key that the database makes and tells of without RETURNING, which costs less, and which MySQL does not
// have; -1 where there is none or more is to be read back.
func (v *valuesInsert) lastID(ctx context.Context, plan *insertion, rows rowList) (int, error) {
	if rows.len() != 1 || plan.upsert || !v.c.readsBack || len(plan.returning) > 1 {
		return -1, nil
	}
	key := slices.IndexFunc(v.c.model.mapping.Columns, func(c mapping.Column) bool {
		return c.Auto && c.Type.Kind() >= reflect.Int && c.Type.Kind() <= reflect.Uint64
	})
	if key < 0 || !slices.Contains(plan.omitted, key) || len(plan.returning) == 1 && plan.returning[0] != key {
		return -1, nil
	}
	t, err := v.c.model.described(ctx, v.c.conn)
	if errors.Is(err, dialect.ErrNoTable) {
		return -1, nil // the INSERT says it better
	}
	if err != nil {
		return -1, err
	}
	if c, _ := t.Column(v.c.model.mapping.Columns[key].Name); !c.Auto || t.View {
		return -1, nil
	}
	return key, nil
}

// single inserts one row and asks for nothing but the key that was made for it.
func (v *valuesInsert) single(ctx context.Context, plan *insertion, rows rowList, key int) (n int64, err error) {
	bare := *plan
	bare.returning = nil
	st, err := v.build(&bare, 1)
	if err != nil {
		return 0, err
	}
	args, err := v.values(plan, rows, st.args)
	if err != nil {
		return 0, err
	}
	var id int64
	err = v.c.conn.Exchange(ctx, dialect.Exchange{
		Query: st.sql,
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			result, err := dialect.ExecArgs(ctx, live.Conn, st.sql, args)
			if err != nil {
				return 0, err
			}
			if n, err = result.RowsAffected(); err == nil && n > 0 {
				id, err = result.LastInsertId()
			}
			return n, err
		},
	})
	switch {
	case err != nil:
		return 0, err
	case n == 0 && plan.ignore:
		return 0, nil
	case n == 0:
		return 0, newReadBack(v.c.model, &bare, rows).check()
	}
	record := rows.scratch().record([]int{key})
	rows.load(0)
	if err := record.cells[0].Scan(id); err != nil {
		return 0, record.fail(0, err)
	}
	rows.store(0)
	return n, nil
}

// build makes the statement for n rows. Its arguments are those of the expressions alone, which every row has behind its values.
func (v *valuesInsert) build(plan *insertion, n int) (statement, error) {
	m, conn := v.c.model, v.c.conn
	b := newBuilder(conn)
	plan.writeInto(b, m)
	if len(plan.columns)+len(plan.assigned) == 0 && !b.dialect.Features().EmptyColumns {
		b.write(" DEFAULT VALUES")
	} else {
		if len(plan.columns)+len(plan.assigned) == 0 {
			b.write(" ()")
		}
		b.write(" VALUES ")
		row := &builder{dialect: b.dialect}
		row.write("(", strings.TrimSuffix(strings.Repeat("?, ", len(plan.columns)), ", "))
		for i, a := range plan.assigned {
			if i > 0 || len(plan.columns) > 0 {
				row.write(", ")
			}
			m.writeValue(row, a)
		}
		row.write(")")
		if row.err != nil {
			return statement{}, row.err
		}
		b.args = row.args
		b.text.Grow(n * (row.text.Len() + 2))
		for i := range n {
			if i > 0 {
				b.write(", ")
			}
			b.write(row.text.String())
		}
	}
	plan.writeConflict(b, m)
	plan.writeReturning(b, m)
	return b.statement()
}

// values are the rows' values one after another, with the arguments of the expressions behind each row's.
func (v *valuesInsert) values(plan *insertion, rows rowList, extra []any) ([]driver.NamedValue, error) {
	record := v.c.recordOf(plan)
	values := v.args[:0]
	for i := range rows.len() {
		rows.load(i)
		for k, c := range record.cells {
			value, err := v.c.value(c)
			if err != nil {
				return nil, &misfit{row: i, err: record.fail(k, err)}
			}
			values = append(values, driver.NamedValue{Ordinal: len(values) + 1, Value: value})
		}
		for _, value := range extra {
			values = append(values, driver.NamedValue{Ordinal: len(values) + 1, Value: value})
		}
	}
	v.args = values
	return values, nil
}

// send runs the statement, prepared where it will be sent again.
func (v *valuesInsert) send(ctx context.Context, live dialect.Live, sql string, args []driver.NamedValue, back *readBack) (int64, error) {
	if !v.c.keeps || live.Keep == nil || !v.c.conn.Dialect().Features().PreparedStream {
		if back.record == nil {
			result, err := dialect.ExecArgs(ctx, live.Conn, sql, args)
			if err != nil {
				return 0, err
			}
			return result.RowsAffected()
		}
		rows, err := dialect.QueryRows(ctx, live.Conn, sql, args, false)
		if err != nil {
			return 0, err
		}
		return back.read(rows)
	}
	stmt, ok := v.prepared[sql]
	if !ok {
		var err error
		if stmt.Stmt, err = dialect.Prepare(ctx, live.Conn, sql); err != nil {
			return 0, err
		}
		stmt.forget = live.Keep(stmt.Stmt)
		v.prepared[sql] = stmt
	}
	if back.record == nil {
		result, err := stmt.Exec(ctx, args)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	}
	rows, err := stmt.Query(ctx, args)
	if err != nil {
		return 0, err
	}
	return back.read(rows)
}

// close closes the statements that the call has prepared in a block that goes on. A transaction that has ended has closed them, and a
// block that is broken will.
func (v *valuesInsert) close(ctx context.Context) {
	if len(v.prepared) == 0 || !v.c.conn.InBlock(ctx) {
		return
	}
	_ = v.c.conn.Exchange(ctx, dialect.Exchange{Send: func(context.Context, dialect.Live) (int64, error) {
		var errs []error
		for _, s := range v.prepared {
			s.forget()
			errs = append(errs, s.Close())
		}
		return 0, errors.Join(errs...)
	}})
	clear(v.prepared)
}

// ignoring inserts rows but those that are there, and returns how many it inserted. MySQL tells an ignored row from an inserted one only by
// a variable that the update counts.
func ignoring(ctx context.Context, conn driver.Conn, sql string, args []driver.NamedValue) (int64, error) {
	if err := dialect.Exec(ctx, conn, "SET "+keptVariable+" = 0"); err != nil {
		return 0, err
	}
	result, err := dialect.ExecArgs(ctx, conn, sql, args)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, err
	}
	var kept int64
	ask := fetching{st: statement{sql: "SELECT " + keptVariable}, lay: valueLayout("", reflect.ValueOf(&kept))}
	ask.each = func() bool { return true }
	_, err = ask.driver(ctx, conn)
	return n - kept, err
}

const keptVariable = "@drover_kept"

// read takes the rows of INSERT … RETURNING.
func (r *readBack) read(rows driver.Rows) (int64, error) {
	f := fetching{lay: r.layout}
	f.each = func() bool {
		r.keep()
		return true
	}
	return f.read(rows)
}
