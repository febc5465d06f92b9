package table

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/drover-dev/drover/internal/cell"
)

// Count returns the number of rows. With a limit or an offset it counts what they leave.
func (q Query[T]) Count(ctx context.Context) (int64, error) { return q.count(ctx) }

func (q query) count(ctx context.Context) (int64, error) {
	s := q.selection()
	s.order = nil
	q.lock = nil // an aggregate locks nothing
	sliced := q.limit >= 0 || q.offset > 0
	s.columns = "COUNT(*)"
	if sliced {
		s.columns = "1 AS n"
	}
	st, err := q.build(ctx, s)
	if err != nil || st.none {
		return 0, err
	}
	if sliced {
		st.sql = "SELECT COUNT(*) FROM (" + st.sql + ") AS sliced"
	}
	return q.number(ctx, st)
}

// number reads a result of one integer; no row is 0.
func (q *query) number(ctx context.Context, st statement) (n int64, err error) {
	err = fetch(ctx, q.conn, st, valueLayout(q.model.fullName(), reflect.ValueOf(&n)), false, func() {})
	return n, q.explain(err)
}

// Exists reports whether there is a row.
func (q Query[T]) Exists(ctx context.Context) (bool, error) { return q.exists(ctx) }

func (q query) exists(ctx context.Context) (bool, error) {
	s := q.selection()
	s.columns, s.order = "1 AS n", nil
	q.lock = nil
	if s.limit != 0 {
		s.limit = 1
	}
	st, err := q.build(ctx, s)
	if err != nil || st.none {
		return false, err
	}
	n, err := q.number(ctx, st)
	return n > 0, err
}

// First returns the first row in the query's order, which is the key's where it has none; [ErrNotFound] where there is none.
func (q Query[T]) First(ctx context.Context) (T, error) {
	return one[T](&q.query, func(row *scratch) error { return q.end(ctx, false, row) })
}

// Last returns the last row in the query's order, which is the key's where it has none; [ErrNotFound] where there is none. With a limit or
// an offset it is refused: their last row is in List.
func (q Query[T]) Last(ctx context.Context) (T, error) {
	return one[T](&q.query, func(row *scratch) error { return q.end(ctx, true, row) })
}

// Get returns the one row that matches: [ErrNotFound] where there is none, [ErrMultiple] where there are more.
func (q Query[T]) Get(ctx context.Context) (T, error) {
	return one[T](&q.query, func(row *scratch) error { return q.get(ctx, row) })
}

// one returns the row that read puts into a scratch.
func one[T any](q *query, read func(*scratch) error) (row T, err error) {
	s := q.model.scratch()
	defer q.model.release(s)
	if err = read(s); err == nil {
		row = *s.row.Addr().Interface().(*T)
	}
	return row, err
}

// end reads the first or the last row.
func (q *query) end(ctx context.Context, last bool, row *scratch) error {
	if last && (q.limit >= 0 || q.offset > 0) {
		return fmt.Errorf("last row: %w", ErrSliced)
	}
	s := q.selection()
	if len(s.order) == 0 {
		s.order = q.keyOrder()
	}
	s.reverse = last
	if s.limit != 0 {
		s.limit = 1
	}
	if len(s.order) == 0 && last {
		return fmt.Errorf("last row without an order: %w", ErrNoKey)
	}
	return q.one(ctx, s, row)
}

// keyOrder is the ascending order of the key; empty without one.
func (q *query) keyOrder() []ordering {
	order := make([]ordering, len(q.model.mapping.Keys))
	for n, i := range q.model.mapping.Keys {
		order[n] = ordering{column: i}
	}
	return order
}

// get reads the one row that matches.
func (q *query) get(ctx context.Context, row *scratch) error {
	s := q.selection()
	s.order = nil
	if s.limit < 0 || s.limit > 2 {
		s.limit = 2
	}
	return q.one(ctx, s, row)
}

// one reads the row of a selection that may have one.
func (q *query) one(ctx context.Context, s selection, row *scratch) error {
	st, err := q.build(ctx, s)
	if err != nil {
		return err
	}
	st.beforeWrite = q.beforeWrite
	n := 0
	lay := func([]string) (*record, error) { return row.record(q.columns), nil }
	err = fetch(ctx, q.conn, st, lay, false, func() { n++ })
	switch {
	case err != nil:
		return q.explain(err)
	case n == 0:
		return ErrNotFound
	case n > 1:
		return ErrMultiple
	}
	return nil
}

// List returns all rows in a slice. For a result that may not fit into memory use [Query.All].
func (q Query[T]) List(ctx context.Context) ([]T, error) {
	return list(ctx, q.source(q.columns), structForm[T](q.model.mapping, q.columns, q.model.fullName()))
}

// list reads a source in one exchange.
func list[R any](ctx context.Context, s source, form form[R]) ([]R, error) {
	var rows []R
	lay, take := form()
	err := s.all(ctx, lay, func() { rows = append(rows, take()) })
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// all reads the whole result in one exchange.
func (s *source) all(ctx context.Context, lay layout, each func()) error {
	st, err := s.statement(ctx, nil)
	if err != nil {
		return err
	}
	return s.explain(fetch(ctx, s.conn, st, lay, s.limit < 0 || s.limit > smallResult, each))
}

// smallResult is the number of rows up to which a statement is not worth being prepared for.
const smallResult = 100

// InBulk returns the rows with the given primary keys, by key. Keys that no row has are left out. It sends nothing for no keys, and several
// queries for more keys than a statement takes. The type must have a key of one column, and the query no limit.
func InBulk[K comparable, T any](ctx context.Context, rows Rows[T], keys []K) (map[K]T, error) {
	q := rows.typed()
	key, err := q.bulkKey(reflect.TypeFor[K]())
	if err != nil {
		return nil, err
	}
	const most = 5000
	found := make(map[K]T, len(keys))
	for page := range slices.Chunk(keys, most) {
		list, err := Query[T]{q.byKeys(q.model.mapping.Columns[key].Name, page)}.List(ctx)
		if err != nil {
			return nil, err
		}
		for i := range list {
			field := reflect.ValueOf(&list[i]).Elem().FieldByIndex(q.model.mapping.Columns[key].Index)
			found[field.Convert(reflect.TypeFor[K]()).Interface().(K)] = list[i]
		}
	}
	return found, nil
}

// bulkKey is the column whose values are of the type t, by which rows are read in bulk.
func (q *query) bulkKey(t reflect.Type) (int, error) {
	s := q.model.mapping
	switch {
	case q.err != nil:
		return -1, q.err
	case len(s.Keys) != 1:
		return -1, fmt.Errorf("InBulk by a key of %d columns: %w", len(s.Keys), ErrNoKey)
	case q.limit >= 0 || q.offset > 0:
		return -1, fmt.Errorf("InBulk: %w", ErrSliced)
	}
	key := s.Columns[s.Keys[0]]
	if !t.ConvertibleTo(key.Type) || !key.Type.ConvertibleTo(t) {
		return -1, &ValueError{Table: q.model.fullName(), Column: key.Name, Err: &cell.TypeError{Value: reflect.Zero(t).Interface(), Type: key.Type.String()}}
	}
	return s.Keys[0], nil
}

// byKeys is the query for the rows whose key column is in a list.
func (q query) byKeys(column string, keys any) query {
	list := reflect.ValueOf(keys)
	values := make([]any, list.Len())
	for i := range values {
		values[i] = list.Index(i).Interface()
	}
	q.filter(fieldCondition{name: column, op: "IN", values: values, list: true, array: keys})
	return q
}
