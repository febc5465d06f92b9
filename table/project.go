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
	open func(ctx context.Context, o streamOptions) reading[P]
	list func(ctx context.Context, most int) ([]P, error)
	err  error
}

// All returns the values one after another, in constant memory, as [Query.All] does.
func (s Stream[P]) All(ctx context.Context, opts ...StreamOption) iter.Seq2[P, error] {
	return sequence(s.read(ctx, streamOptionsOf(opts)))
}

// FetchMany returns the values in slices of n, as [Query.FetchMany] does.
func (s Stream[P]) FetchMany(ctx context.Context, n int, opts ...StreamOption) iter.Seq2[[]P, error] {
	return slicesOf(n, opts, func(o streamOptions) reading[P] { return s.read(ctx, o) })
}

func (s Stream[P]) read(ctx context.Context, o streamOptions) reading[P] {
	if s.err != nil {
		return func(func(P) bool) error { return s.err }
	}
	return s.open(ctx, o)
}

// List returns all values in a slice.
func (s Stream[P]) List(ctx context.Context) ([]P, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.list(ctx, -1)
}

// One returns the one value of the result: [ErrNotFound] where there is none, [ErrMultiple] where there are more.
func (s Stream[P]) One(ctx context.Context) (P, error) {
	var none P
	if s.err != nil {
		return none, s.err
	}
	values, err := s.list(ctx, 2)
	switch {
	case err != nil:
		return none, err
	case len(values) == 0:
		return none, ErrNotFound
	case len(values) > 1:
		return none, ErrMultiple
	}
	return values[0], nil
}

// Values returns the rows as maps from column to value, of these columns or all. What a value is depends on the database: int64, float64, bool,
// string, []byte, time.Time or nil; a decimal is a string.
func (q Query[T]) Values(columns ...string) Stream[map[string]any] {
	return project(q, columns, mapLayout[map[string]any](q.model.fullName()))
}

// Tuples returns the rows as slices of values in the order of these columns, or of all in the type's order. See [Query.Values].
func (q Query[T]) Tuples(columns ...string) Stream[[]any] {
	return project(q, columns, tupleLayout[[]any](q.model.fullName()))
}

// Column returns the values of one column:
//
//	for id, err := range table.Column[int64](items.Where("status = ?", "new"), "id").All(ctx) { … }
func Column[V, T any](rows Rows[T], column string) Stream[V] {
	q := rows.query()
	if reason := cell.Usable(reflect.TypeFor[V](), false); reason != "" {
		return Stream[V]{err: &MappingError{Type: reflect.TypeFor[V]().String(), Reason: reason}}
	}
	return project(q, []string{column}, valueLayout[V](q.model.fullName()))
}

// Into returns the rows as values of another struct, of which only the columns are read. What is not read cannot be taken for a value: the
// field is not there.
func Into[P, T any](rows Rows[T]) Stream[P] {
	q := rows.query()
	s, err := mapping.Of(reflect.TypeFor[P](), cell.Usable)
	if err != nil {
		return Stream[P]{err: err}
	}
	all := make([]int, len(s.Columns))
	for i := range all {
		all[i] = i
	}
	lay := func([]string) (*record[P], error) { return structRecord[P](s, all, q.model.fullName()), nil }
	return project(q, s.Names(), lay)
}

func project[T, R any](q Query[T], names []string, lay layout[R]) Stream[R] {
	if q.err != nil {
		return Stream[R]{err: q.err}
	}
	columns, err := q.model.columnsOf(names)
	if err != nil {
		return Stream[R]{err: err}
	}
	for n, i := range columns {
		if slices.Contains(columns[:n], i) {
			return Stream[R]{err: fmt.Errorf("the column %q is asked for twice", names[n])}
		}
	}
	if len(names) == 0 {
		columns = q.columns
	}
	return Stream[R]{
		open: func(ctx context.Context, o streamOptions) reading[R] {
			return querySource(q, columns, lay).read(ctx, o)
		},
		list: func(ctx context.Context, most int) ([]R, error) {
			if most >= 0 && (q.limit < 0 || q.limit > most) {
				q.limit = most
			}
			return listAll(ctx, querySource(q, columns, lay))
		},
	}
}

// listAll reads a source in one exchange.
func listAll[R any](ctx context.Context, s source[R]) ([]R, error) {
	st, err := s.build(ctx, nil)
	if err != nil {
		return nil, err
	}
	var rows []R
	err = fetch(ctx, s.conn, st, s.lay, s.limit < 0 || s.limit > smallResult, func(r *record[R]) { rows = append(rows, r.row()) })
	if err != nil && s.err != nil {
		err = s.err(err)
	}
	return rows, err
}

// Raw returns the result of any SELECT: as structs, whose fields are found by the columns' names in any order (a column without a field is an error, and so is a result without
// the key; other fields without a column stay zero); as
// map[string]any; as []any; or as single values. Placeholders are ? or, with sql.Named arguments, :name; on PostgreSQL ?? is its operator ?.
// The query is sent as it is, and read by [Cursor] where the database has cursors, else [Direct].
func Raw[P any](conn *db.DB, query string, args ...any) Stream[P] {
	lay, err := layoutOf[P]("of the query")
	if err != nil {
		return Stream[P]{err: err}
	}
	s := source[P]{conn: conn, lay: lay, limit: -1}
	s.build = func(context.Context, *keyPage) (statement, error) { return rawStatement(conn, query, args) }
	return Stream[P]{
		open: s.read,
		list: func(ctx context.Context, most int) ([]P, error) {
			if most < 0 {
				return listAll(ctx, s)
			}
			var rows []P
			err := s.direct(ctx, func(row P) bool {
				rows = append(rows, row)
				return len(rows) < most
			})
			return rows, err
		},
	}
}

func rawStatement(conn *db.DB, query string, args []any) (statement, error) {
	d := conn.Dialect()
	text, names, err := sqltext.Named(d.Syntax(), query)
	if err != nil {
		return statement{}, err
	}
	if args, err = positional(checkedText{text, names}, args); err != nil {
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
