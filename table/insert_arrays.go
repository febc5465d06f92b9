package table

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/pgbinary"
)

// arraysInsert sends rows to PostgreSQL: as one COPY where nothing is read back and no conflict is handled, else as
// INSERT … SELECT … FROM unnest of one array for each column.
type arraysInsert struct {
	c      *creator
	shape  *shape
	texts  textColumns
	byPlan map[*insertion]*columnArrays
}

// columnArrays are the parameters of a statement with unnest.
type columnArrays struct {
	record *record
	source *unnest
	sql    string
	binary *arrays // nil where the connection is not pgx's
}

// unnest is the part of a statement that makes rows of arrays: FROM unnest($1::int8[], …) AS v(c0, …).
type unnest struct {
	elements []uint32 // the types of the arrays' elements
	types    []string // their names
	casts    []string // what the column's value is cast to; "": as it comes
}

// textColumns are the columns whose values go as text although their type has a binary form, because a field's type has none in it: a string in
// a column of dates, say.
type textColumns map[int]bool

// learn reports whether an error is that a value has no binary form in its column's type. From then on the column's values go as text.
func (t textColumns) learn(m *model, err error) bool {
	value, ok := errors.AsType[*ValueError](err)
	if !ok || !errors.Is(value.Err, pgbinary.ErrUnsupported) {
		return false
	}
	i := m.mapping.Column(value.Column)
	if i < 0 || t[i] {
		return false
	}
	t[i] = true
	return true
}

// unnestOf decides how each column travels: in its own type where that has a binary form here, else as text that is cast.
func (s *shape) unnestOf(m *model, columns []int, texts textColumns) *unnest {
	u := &unnest{}
	for _, i := range columns {
		c := m.mapping.Columns[i]
		known := s.column(c.Name)
		if known.binary() && !texts[i] && !cell.Array(c.Type, c.JSON) {
			name, _ := pgbinary.TypeName(known.oid)
			u.add(known.oid, name, "")
			continue
		}
		u.add(pgbinary.Text, "text", known.name)
	}
	return u
}

func (u *unnest) add(oid uint32, name, cast string) {
	u.elements = append(u.elements, oid)
	u.types = append(u.types, name)
	u.casts = append(u.casts, cast)
}

// from writes unnest(?::int8[], …) and the names of its columns; ordinality adds one more, n.
func (u *unnest) from(b *builder, ordinality bool) {
	b.write("unnest(").list(len(u.types), func(i int) { b.write("?::", u.types[i], "[]") }).write(")")
	if ordinality {
		b.write(" WITH ORDINALITY")
	}
	b.write(" AS v(").list(len(u.types), func(i int) { b.write(u.column(i)) })
	if ordinality {
		b.write(", n")
	}
	b.write(")")
}

func (u *unnest) column(i int) string { return "c" + strconv.Itoa(i) }

// value is the i-th column's value.
func (u *unnest) value(i int) string {
	if u.casts[i] == "" {
		return "v." + u.column(i)
	}
	return "v." + u.column(i) + "::" + u.casts[i]
}

// copies reports whether a plan's rows can be sent with COPY.
func (a *arraysInsert) copies(plan *insertion) bool {
	if len(plan.returning) > 0 || plan.ignore || plan.upsert || len(plan.assigned) > 0 || len(plan.columns) == 0 || !a.c.native {
		return false
	}
	return !slices.ContainsFunc(plan.columns, func(i int) bool {
		c := a.c.model.mapping.Columns[i]
		return !a.shape.column(c.Name).binary() || a.texts[i] || cell.Array(c.Type, c.JSON)
	})
}

// minCopied is the number of rows from which on COPY pays for the transaction and the check that it needs.
const minCopied = 500

func (a *arraysInsert) insert(ctx context.Context, g group) (int64, error) {
	for {
		n, err := a.insertOnce(ctx, g)
		if !a.texts.learn(a.c.model, err) {
			return n, err
		}
		clear(a.byPlan)
	}
}

func (a *arraysInsert) insertOnce(ctx context.Context, g group) (int64, error) {
	if g.rows.len() >= minCopied && a.copies(g.plan) {
		return a.copyChecked(ctx, g)
	}
	switch {
	case len(g.plan.columns) == 0:
		return a.defaults(ctx, g)
	case g.rows.len() == 1 && a.c.native && len(g.plan.assigned) == 0:
		return a.single(ctx, g)
	}
	return a.unnest(ctx, g)
}

// errShapeChanged rolls a COPY back whose table was altered since its columns were read.
var errShapeChanged = errors.New("the table's columns were changed while rows were written to it")

// copyChecked sends a group's rows with COPY. The server takes binary values for what the column is, and could take an old type's for a new
// one's, so the columns are read again in the same transaction, in which COPY has locked the table against changes. Arrays say their type
// and need no check.
func (a *arraysInsert) copyChecked(ctx context.Context, g group) (n int64, err error) {
	m, conn := a.c.model, a.c.conn
	for range 3 {
		err = conn.Atomic(ctx, func(ctx context.Context) error {
			if n, err = a.copy(ctx, g); err != nil {
				return err
			}
			now, err := m.readShape(ctx, conn)
			if err == nil && !now.same(a.shape) {
				a.shape = now
				err = errShapeChanged
			}
			return err
		})
		if !errors.Is(err, errShapeChanged) {
			return n, err
		}
		m.forget(conn, err)
		if err := a.shape.check(m, g.plan.columns); err != nil {
			return 0, err
		}
	}
	return 0, err
}

// copy sends a group's rows with COPY.
func (a *arraysInsert) copy(ctx context.Context, g group) (n int64, err error) {
	m, conn := a.c.model, a.c.conn
	record := a.c.recordOf(g.plan)
	oids := make([]uint32, len(g.plan.columns))
	for k, i := range g.plan.columns {
		oids[k] = a.shape.column(m.mapping.Columns[i].Name).oid
	}
	b := newBuilder(conn)
	b.write("COPY ", m.quoted(b.dialect), " (").columns(m, g.plan.columns).write(") FROM STDIN WITH (FORMAT binary)")
	sql := b.text.String()
	reader := newCopyReader(g.rows, record, oids)
	err = conn.Exchange(ctx, dialect.Exchange{
		Query: sql,
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			tag, err := live.PGX.PgConn().CopyFrom(ctx, reader, sql)
			n = tag.RowsAffected()
			return n, err
		},
	})
	switch {
	case reader.err != nil:
		return 0, &misfit{row: reader.next - 1, err: reader.err}
	case err == nil:
		return n, nil
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		if row, column, ok := copyLine(pe); ok && row < g.rows.len() {
			return 0, &misfit{row: row, column: column, err: err}
		}
	}
	return 0, err
}

// defaults inserts rows of which the database makes every column.
func (a *arraysInsert) defaults(ctx context.Context, g group) (int64, error) {
	m := a.c.model
	b := newBuilder(a.c.conn)
	g.plan.writeInto(b, m)
	b.write(" SELECT ").list(len(g.plan.assigned), func(i int) { m.writeValue(b, g.plan.assigned[i]) })
	b.write(" FROM generate_series(1, ?::int8)")
	b.args = append(b.args, int64(g.rows.len()))
	g.plan.writeConflict(b, m)
	g.plan.writeReturning(b, m)
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	return a.returning(ctx, g, st)
}

// returning sends a statement whose arguments are plain.
func (a *arraysInsert) returning(ctx context.Context, g group, st statement) (int64, error) {
	if len(g.plan.returning) == 0 {
		return affect(ctx, a.c.conn, st)
	}
	back := newReadBack(a.c.model, g.plan, g.rows)
	if err := fetch(ctx, a.c.conn, st, back.layout, false, back.keep); err != nil {
		return 0, err
	}
	if g.plan.ignore {
		return int64(back.next), nil
	}
	return int64(g.rows.len()), back.check()
}

// unnest sends a group's rows as arrays. The rows are inserted in the order of the arrays, so generated keys are given out in it.
func (a *arraysInsert) unnest(ctx context.Context, g group) (int64, error) {
	p, extra, err := a.prepare(g.plan)
	if err != nil {
		return 0, err
	}
	if p.binary == nil || len(extra) > 0 {
		args, err := p.record.literals(g.rows)
		if err != nil {
			return 0, err
		}
		return a.returning(ctx, g, statement{sql: p.sql, args: append(slices.Clone(extra), args...)})
	}
	if err := p.record.fill(p.binary, g.rows); err != nil {
		return 0, err
	}
	return a.send(ctx, g, p.sql, p.binary.oids(), p.binary.finish())
}

// single sends one row as INSERT … VALUES (…), which is planned and run faster than an array for each column. Here too each parameter
// says its type.
func (a *arraysInsert) single(ctx context.Context, g group) (int64, error) {
	source := a.shape.unnestOf(a.c.model, g.plan.columns, a.texts)
	b := newBuilder(a.c.conn)
	g.plan.writeInto(b, a.c.model)
	b.write(" VALUES (").list(len(source.types), func(i int) {
		b.write("?::", source.types[i])
		if source.casts[i] != "" {
			b.write("::", source.casts[i])
		}
	}).write(")")
	g.plan.writeConflict(b, a.c.model)
	g.plan.writeReturning(b, a.c.model)
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	record := a.c.recordOf(g.plan)
	g.rows.load(0)
	params := make([][]byte, len(record.cells))
	for i, c := range record.cells {
		value, null, err := appendParam([]byte{}, c, source.elements[i], source.casts[i] != "")
		if err != nil {
			return 0, &misfit{row: 0, err: record.fail(i, err)}
		}
		if !null {
			params[i] = value
		}
	}
	return a.send(ctx, g, st.sql, source.elements, params)
}

// send sends a statement whose parameters are encoded, and takes what it returns into the group's rows.
func (a *arraysInsert) send(ctx context.Context, g group, sql string, oids []uint32, params [][]byte) (n int64, err error) {
	m := a.c.model
	back := newReadBack(m, g.plan, g.rows)
	results := make([]format, len(g.plan.returning))
	for k, i := range g.plan.returning {
		oid := a.shape.column(m.mapping.Columns[i].Name).oid
		results[k] = format{oid, pgbinary.CanDecode(oid)}
	}
	err = a.c.conn.Exchange(ctx, dialect.Exchange{
		Query: sql,
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			n, err = sendNative(ctx, live.PGX, sql, oids, params, results, func(formats []format, row [][]byte) error {
				if err := back.record.decode(formats, row); err != nil {
					return err
				}
				back.keep()
				return nil
			})
			return n, err
		},
	})
	switch {
	case err != nil:
		return 0, ownError(err)
	case len(g.plan.returning) > 0 && g.plan.ignore:
		return n, nil
	case len(g.plan.returning) > 0:
		return n, back.check()
	}
	return n, nil
}

// prepare makes a plan's statement and the room for its parameters, once for the call. extra are the arguments of expressions, which stand
// before the arrays.
func (a *arraysInsert) prepare(plan *insertion) (p *columnArrays, extra []any, err error) {
	m, conn := a.c.model, a.c.conn
	expressions := newBuilder(conn)
	expressions.list(len(plan.assigned), func(i int) { m.writeValue(expressions, plan.assigned[i]) })
	extra = expressions.args
	if p = a.byPlan[plan]; p != nil {
		return p, extra, nil
	}
	p = &columnArrays{record: a.c.recordOf(plan), source: a.shape.unnestOf(m, plan.columns, a.texts)}
	b := newBuilder(conn)
	plan.writeInto(b, m)
	b.write(" SELECT ").list(len(plan.columns), func(i int) { b.write(p.source.value(i)) })
	for _, assigned := range plan.assigned {
		b.write(", ")
		m.writeValue(b, assigned)
	}
	b.write(" FROM ")
	p.source.from(b, true)
	b.write(" ORDER BY v.n")
	plan.writeConflict(b, m)
	plan.writeReturning(b, m)
	extra = b.args
	st, err := b.statement()
	if err != nil {
		return nil, nil, err
	}
	p.sql = st.sql
	if a.c.native {
		p.binary = newArrays(p.source)
	}
	a.byPlan[plan] = p
	return p, extra, nil
}

// fill puts the rows' values into arrays.
func (r *record) fill(a *arrays, rows rowList) error {
	a.reset(rows.len())
	for row := range rows.len() {
		rows.load(row)
		for i, c := range r.cells {
			if err := a.add(i, c); err != nil {
				return &misfit{row: row, err: r.fail(i, err)}
			}
		}
	}
	return nil
}

// literals writes the rows' values as array literals, which every driver sends.
func (r *record) literals(rows rowList) ([]any, error) {
	texts := make([][]*string, len(r.cells))
	for row := range rows.len() {
		rows.load(row)
		for i, c := range r.cells {
			value, err := c.Value()
			var text *string
			if err == nil && value != nil {
				var literal string
				literal, err = cell.Literal(value)
				text = &literal
			}
			if err != nil {
				return nil, &misfit{row: row, err: r.fail(i, err)}
			}
			texts[i] = append(texts[i], text)
		}
	}
	args := make([]any, len(texts))
	for i, list := range texts {
		args[i] = cell.ArrayLiteral(list)
	}
	return args, nil
}

// misfit is an error about one row of those that were to be sent, whose place among them is known.
type misfit struct {
	row    int
	column string
	err    error
}

func (e *misfit) Error() string { return e.err.Error() }
func (e *misfit) Unwrap() error { return e.err }
