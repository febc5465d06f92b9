package table

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/mapping"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Stream is the result of a query as values of P: structs, maps, tuples or single values. It is an immutable value: nothing is sent before
// one of its methods is called, and each call sends the query anew.
type Stream[P any] struct {
	source source
	form   form[P]
	err    error
}

// All returns the values one after another, in constant memory, as [Query.All] does.
func (s Stream[P]) All(ctx context.Context, opts ...StreamOption) iter.Seq2[P, error] {
	o := streamOptionsOf(opts)
	return func(yield func(P, error) bool) {
		err := s.read(ctx, o, func(value P) bool { return yield(value, nil) })
		if err != nil {
			var none P
			yield(none, err)
		}
	}
}

// FetchMany returns the values in slices of n, as [Query.FetchMany] does.
func (s Stream[P]) FetchMany(ctx context.Context, n int, opts ...StreamOption) iter.Seq2[[]P, error] {
	o := streamOptionsOf(append([]StreamOption{PageSize(n)}, opts...))
	if n <= 0 {
		o.err = fmt.Errorf("fetch %d rows: %w", n, ErrBatchSize)
	}
	return func(yield func([]P, error) bool) {
		var batch []P
		going := true
		err := s.read(ctx, o, func(value P) bool {
			if batch == nil {
				batch = make([]P, 0, min(n, defaultPage))
			}
			batch = append(batch, value)
			if len(batch) == n {
				going = yield(batch, nil)
				batch = nil
			}
			return going
		})
		switch {
		case !going:
		case err != nil:
			yield(nil, err)
		case len(batch) > 0:
			yield(batch, nil)
		}
	}
}

// read gives out the values until yield returns false.
func (s Stream[P]) read(ctx context.Context, o streamOptions, yield func(P) bool) error {
	if s.err != nil {
		return s.err
	}
	lay, take := s.form()
	return s.source.read(ctx, o, lay, &taker[P]{take: take, yield: yield})
}

// List returns all values in a slice.
func (s Stream[P]) List(ctx context.Context) ([]P, error) {
	if s.err != nil {
		return nil, s.err
	}
	return list(ctx, s.source, s.form)
}

// One returns the one value of the result: [ErrNotFound] where there is none, [ErrMultiple] where there are more.
func (s Stream[P]) One(ctx context.Context) (P, error) {
	var none P
	if s.err != nil {
		return none, s.err
	}
	lay, take := s.form()
	value, n := none, 0
	err := s.source.few(ctx, 2, lay, func() { value, n = take(), n+1 })
	switch {
	case err != nil:
		return none, err
	case n == 0:
		return none, ErrNotFound
	case n > 1:
		return none, ErrMultiple
	}
	return value, nil
}

// Values returns the rows as maps from column to value, of these columns or all. What a value is depends on the database: int64, float64, bool,
// string, []byte, time.Time or nil; a decimal is a string.
func (q Query[T]) Values(columns ...string) Stream[map[string]any] {
	return project(q.query, columns, mapForm(q.model.fullName()))
}

// Tuples returns the rows as slices of values in the order of these columns, or of all in the type's order. See [Query.Values].
func (q Query[T]) Tuples(columns ...string) Stream[[]any] {
	return project(q.query, columns, tupleForm(q.model.fullName()))
}

// Column returns the values of one column:
//
//	for id, err := range table.Column[int64](items.Where("status = ?", "new"), "id").All(ctx) { … }
func Column[V, T any](rows Rows[T], column string) Stream[V] {
	q := rows.typed()
	if reason := cell.Usable(reflect.TypeFor[V](), false); reason != "" {
		return Stream[V]{err: &MappingError{Type: reflect.TypeFor[V]().String(), Reason: reason}}
	}
	return project(q.query, []string{column}, valueForm[V](q.model.fullName()))
}

// Into returns the rows as values of another struct, of which only the columns are read. What is not read cannot be taken for a value: the
// field is not there.
func Into[P, T any](rows Rows[T]) Stream[P] {
	q := rows.typed()
	s, err := mapping.Of(reflect.TypeFor[P](), cell.Usable)
	if err != nil {
		return Stream[P]{err: err}
	}
	return project(q.query, s.Names(), structForm[P](s, allColumns(s), q.model.fullName()))
}

// project is the query's result with the columns of these names, or with all that it reads.
func project[R any](q query, names []string, form form[R]) Stream[R] {
	columns, err := q.projected(names)
	if err != nil {
		return Stream[R]{err: err}
	}
	return Stream[R]{source: q.source(columns), form: form}
}

func (q *query) projected(names []string) ([]int, error) {
	if q.err != nil {
		return nil, q.err
	}
	if len(names) == 0 {
		return q.columns, nil
	}
	columns, err := q.model.columnsOf(names)
	if err != nil {
		return nil, err
	}
	for n, i := range columns {
		if slices.Contains(columns[:n], i) {
			return nil, fmt.Errorf("the column %q is asked for twice", names[n])
		}
	}
	return columns, nil
}

// few reads the first rows of the result.
func (s source) few(ctx context.Context, most int, lay layout, each func()) error {
	if s.raw == nil {
		if s.limit < 0 || s.limit > most {
			s.limit = most
		}
		return s.all(ctx, lay, each)
	}
	n := 0
	return s.direct(ctx, lay, func() bool {
		each()
		n++
		return n < most
	})
}

// Raw returns the result of any SELECT: as structs, whose fields are found by the columns' names in any order (a column without a field is an error, and so is a result without
// the key; other fields without a column stay zero); as
// map[string]any; as []any; or as single values. Placeholders are ? or, with sql.Named arguments, :name; on PostgreSQL ?? is its operator ?.
// The query is sent as it is, and read by [Cursor] where the database has cursors, else [Direct].
func Raw[P any](conn *db.DB, query string, args ...any) Stream[P] {
	form, err := formOf[P]("of the query")
	if err != nil {
		return Stream[P]{err: err}
	}
	raw := func() (statement, error) { return rawStatement(conn, query, args) }
	return Stream[P]{source: rawSource(conn, raw), form: form}
}

func rawSource(conn *db.DB, raw func() (statement, error)) source {
	return source{query: query{conn: conn, limit: -1}, raw: raw}
}

func rawStatement(conn *db.DB, query string, args []any) (statement, error) {
	d := conn.Dialect()
	text, names, err := sqltext.Named(d.Syntax(), query)
	if err != nil {
		return statement{}, err
	}
	if args, err = positional(names, args); err != nil {
		return statement{}, err
	}
	e, err := sqltext.Expand(d.Syntax(), text, func(i int) (int, bool) {
		if i >= len(args) {
			return 0, false
		}
		return listLength(args[i])
	}, d.Features().Arrays)
	if err != nil {
		return statement{}, err
	}
	// On PostgreSQL a query without ? may have $1.
	if own := e.Placeholders == 0 && d.Syntax().Placeholder == sqltext.Dollar; e.Placeholders != len(args) && !own {
		return statement{}, fmt.Errorf("the query has %d placeholders and was given %d arguments", e.Placeholders, len(args))
	}
	values, err := spread(e, args)
	if err != nil {
		return statement{}, err
	}
	b := newBuilder(conn)
	b.write(e.Text)
	b.args = values
	return b.statement()
}
