package table

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/drover-dev/drover/internal/cell"
)

// Count returns the number of rows. With a limit or an offset it counts what they leave.
func (q Query[T]) Count(ctx context.Context) (int64, error) {
	s := q.selection()
	s.columns, s.order = "COUNT(*)", nil
	if q.limit >= 0 || q.offset > 0 {
		return q.countSliced(ctx)
	}
	st, err := q.unlocked().build(ctx, s)
	if err != nil || st.none {
		return 0, err
	}
	return q.scalar(ctx, st)
}

// countSliced counts within a limit and an offset.
func (q Query[T]) countSliced(ctx context.Context) (int64, error) {
	s := q.selection()
	s.columns, s.order = "1 AS n", nil
	st, err := q.unlocked().build(ctx, s)
	if err != nil || st.none {
		return 0, err
	}
	st.sql = "SELECT COUNT(*) FROM (" + st.sql + ") AS sliced"
	return q.scalar(ctx, st)
}

// unlocked is the query without its locks: an aggregate locks nothing.
func (q Query[T]) unlocked() Query[T] {
	q.lock = nil
	return q
}

func (q Query[T]) scalar(ctx context.Context, st statement) (n int64, err error) {
	err = fetch(ctx, q.conn, st, valueLayout[int64](q.model.fullName()), false, func(r *record[int64]) { n = r.row() })
	return n, q.explain(err)
}

// Exists reports whether there is a row.
func (q Query[T]) Exists(ctx context.Context) (bool, error) {
	s := q.selection()
	s.columns, s.order = "1 AS n", nil
	if s.limit != 0 {
		s.limit = 1
	}
	st, err := q.unlocked().build(ctx, s)
	if err != nil || st.none {
		return false, err
	}
	n, err := q.scalar(ctx, st)
	return n > 0, err
}

// First returns the first row in the query's order, which is the key's where it has none; [ErrNotFound] where there is none.
func (q Query[T]) First(ctx context.Context) (T, error) { return q.end(ctx, false) }

// Last returns the last row in the query's order, which is the key's where it has none; [ErrNotFound] where there is none. With a limit or
// an offset it is refused: their last row is in List.
func (q Query[T]) Last(ctx context.Context) (T, error) {
	if q.limit >= 0 || q.offset > 0 {
		return *new(T), fmt.Errorf("last row: %w", ErrSliced)
	}
	return q.end(ctx, true)
}

func (q Query[T]) end(ctx context.Context, last bool) (T, error) {
	var none T
	s := q.selection()
	if len(s.order) == 0 {
		s.order = q.keyOrder()
	}
	s.reverse = last
	if s.limit != 0 {
		s.limit = 1
	}
	if len(s.order) == 0 && last {
		return none, fmt.Errorf("last row without an order: %w", ErrNoKey)
	}
	rows, err := q.list(ctx, s)
	if err != nil {
		return none, err
	}
	if len(rows) == 0 {
		return none, ErrNotFound
	}
	return rows[0], nil
}

// keyOrder is the ascending order of the key; empty without one.
func (q Query[T]) keyOrder() []ordering {
	order := make([]ordering, len(q.model.mapping.Keys))
	for n, i := range q.model.mapping.Keys {
		order[n] = ordering{column: i}
	}
	return order
}

// Get returns the one row that matches: [ErrNotFound] where there is none, [ErrMultiple] where there are more.
func (q Query[T]) Get(ctx context.Context) (T, error) {
	var none T
	s := q.selection()
	s.order = nil
	if s.limit < 0 || s.limit > 2 {
		s.limit = 2
	}
	rows, err := q.list(ctx, s)
	switch {
	case err != nil:
		return none, err
	case len(rows) == 0:
		return none, ErrNotFound
	case len(rows) > 1:
		return none, ErrMultiple
	}
	return rows[0], nil
}

// List returns all rows in a slice. For a result that may not fit into memory use [Query.All].
func (q Query[T]) List(ctx context.Context) ([]T, error) { return q.list(ctx, q.selection()) }

func (q Query[T]) list(ctx context.Context, s selection) ([]T, error) {
	st, err := q.build(ctx, s)
	if err != nil {
		return nil, err
	}
	var rows []T
	many := s.limit < 0 || s.limit > smallResult
	err = fetch(ctx, q.conn, st, q.layout(), many, func(r *record[T]) { rows = append(rows, r.row()) })
	if err != nil {
		return nil, q.explain(err)
	}
	return rows, nil
}

// smallResult is the number of rows up to which a statement is not worth being prepared for.
const smallResult = 100

// InBulk returns the rows with the given primary keys, by key. Keys that no row has are left out. It sends nothing for no keys, and several
// queries for more keys than a statement takes. The type must have a key of one column, and the query no limit.
func InBulk[K comparable, T any](ctx context.Context, rows Rows[T], keys []K) (map[K]T, error) {
	q := rows.query()
	s := q.model.mapping
	switch {
	case q.err != nil:
		return nil, q.err
	case len(s.Keys) != 1:
		return nil, fmt.Errorf("InBulk by a key of %d columns: %w", len(s.Keys), ErrNoKey)
	case q.limit >= 0 || q.offset > 0:
		return nil, fmt.Errorf("InBulk: %w", ErrSliced)
	}
	key := s.Columns[s.Keys[0]]
	if t := reflect.TypeFor[K](); !t.ConvertibleTo(key.Type) || !key.Type.ConvertibleTo(t) {
		return nil, &ValueError{Table: q.model.fullName(), Column: key.Name, Err: &cell.TypeError{Value: *new(K), Type: key.Type.String()}}
	}
	const most = 5000
	found := make(map[K]T, len(keys))
	for len(keys) > 0 {
		n := min(most, len(keys))
		page, err := q.byKeys(ctx, key.Name, keys[:n])
		if err != nil {
			return nil, err
		}
		for i := range page {
			field := reflect.ValueOf(&page[i]).Elem().FieldByIndex(key.Index)
			found[field.Convert(reflect.TypeFor[K]()).Interface().(K)] = page[i]
		}
		keys = keys[n:]
	}
	return found, nil
}

// byKeys reads the rows whose key column is in a list.
func (q Query[T]) byKeys(ctx context.Context, column string, keys any) ([]T, error) {
	list := reflect.ValueOf(keys)
	values := make([]any, list.Len())
	for i := range values {
		values[i] = list.Index(i).Interface()
	}
	c := fieldCondition{name: column, op: "IN", values: values, list: true, array: keys}
	q.where = append(slices.Clip(q.where), c)
	return q.List(ctx)
}
