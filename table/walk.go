package table

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/keyset"
)

// Walk reads the rows of a query in pages of the primary key, each from where its caller says: what a run needs that may end at any page and go
// on in another process. It is an immutable value and safe for concurrent use. It is for packages of this module.
//
// A range of keys is (after, through]: the rows behind after, which is nil for the start, up to and with through, which is nil for the end. The
// values of a key are those that the driver hands out and takes again: keyset.Encode stores them.
type Walk[T any] struct {
	walk
	form form[T]
}

// walk is a Walk without the type of its rows.
type walk struct {
	rows source // pages of whole rows
	key  source // the columns of the key alone
}

// Walk returns the query as a walk by its primary key. It sends nothing. A type without a key is [ErrNoKey]; an order, a limit, an offset, left
// out columns and a lock that leaves out rows are refused, for each of them would make pages that the key does not end.
func (q Query[T]) Walk() (*Walk[T], error) {
	w, err := q.walkAll()
	if err != nil {
		return nil, err
	}
	return &Walk[T]{w, structForm[T](q.model.mapping, q.columns, q.model.fullName())}, nil
}

func (q query) walkAll() (walk, error) {
	refuse := func(why string) (walk, error) {
		return walk{}, fmt.Errorf("walk table %s by its key: %s", q.model.fullName(), why)
	}
	switch {
	case q.err != nil:
		return walk{}, q.err
	case len(q.model.mapping.Keys) == 0:
		return walk{}, fmt.Errorf("walk table %s: %w", q.model.fullName(), ErrNoKey)
	case len(q.order) > 0:
		return refuse("the query has an order of its own; leave OrderBy out")
	case q.limit >= 0 || q.offset > 0:
		return refuse("the query has a limit or an offset; say what is wanted with a condition")
	case !isAll(q.columns) || len(q.columns) != len(q.model.mapping.Columns):
		return refuse("the query leaves out columns; a row that is worked on must be whole")
	case q.lock != nil && q.lock.skipLocked:
		return refuse("SkipLocked would leave rows out for good")
	}
	w := walk{rows: q.source(q.columns), key: q.source(q.model.mapping.Keys)}
	for _, s := range []*source{&w.rows, &w.key} {
		if s.keys = q.walk(s.columns); s.keys == nil {
			return refuse("its key cannot be compared")
		}
	}
	return w, nil
}

// WithoutStatistics is the walk of a table that the database has no statistics of; see [keyset.Keyset.Until].
func (w *Walk[T]) WithoutStatistics() *Walk[T] {
	other := *w
	for _, s := range []*source{&other.rows, &other.key} {
		keys := *s.keys
		keys.keys = keys.keys.WithoutStatistics()
		s.keys = &keys
	}
	return &other
}

// Table is the table's name for people: "app.item".
func (w *Walk[T]) Table() string { return w.rows.model.fullName() }

// QuotedTable is the table's name in SQL.
func (w *Walk[T]) QuotedTable() string { return w.rows.model.quoted(w.rows.conn.Dialect()) }

// KeyColumns are the columns of the key, in its order.
func (w *Walk[T]) KeyColumns() []string {
	var names []string
	for _, i := range w.key.columns {
		names = append(names, w.key.model.mapping.Columns[i].Name)
	}
	return names
}

// Bounds returns the first and the last key, and the exact number of rows up to the last; nil and 0 where there are no rows.
func (w *Walk[T]) Bounds(ctx context.Context) (first, last keyset.Values, rows int64, err error) {
	return w.bounds(ctx)
}

func (w *walk) bounds(ctx context.Context) (first, last keyset.Values, rows int64, err error) {
	if first, err = w.one(ctx, w.key.keySelection()); err != nil || first == nil {
		return nil, nil, 0, err
	}
	behind := w.key.keySelection()
	behind.reverse = true
	if last, err = w.one(ctx, behind); err != nil || last == nil { // all rows went away in between
		return nil, nil, 0, err
	}
	if rows, err = w.count(ctx, nil, last); err != nil || rows == 0 {
		return nil, nil, 0, err
	}
	return first, last, rows, nil
}

// Nth returns the key of the n-th row of a range, counted from 1; nil where there are fewer.
func (w *Walk[T]) Nth(ctx context.Context, after, through keyset.Values, n int64) (keyset.Values, error) {
	return w.nth(ctx, after, through, n)
}

func (w *walk) nth(ctx context.Context, after, through keyset.Values, n int64) (keyset.Values, error) {
	if n <= 0 {
		return nil, fmt.Errorf("key of row %d: %w", n, ErrBatchSize)
	}
	sel := w.key.keySelection()
	sel.offset = int(n - 1)
	if err := w.key.within(&sel, after, through); err != nil {
		return nil, err
	}
	return w.one(ctx, sel)
}

// Count returns the number of rows of a range.
func (w *Walk[T]) Count(ctx context.Context, after, through keyset.Values) (int64, error) {
	return w.count(ctx, after, through)
}

func (w *walk) count(ctx context.Context, after, through keyset.Values) (int64, error) {
	q := w.key.query
	q.lock = nil // an aggregate locks nothing
	sel := q.selection()
	sel.columns = "COUNT(*)"
	if err := w.key.within(&sel, after, through); err != nil {
		return 0, err
	}
	st, err := q.build(ctx, sel)
	if err != nil || st.none {
		return 0, err
	}
	return q.number(ctx, st)
}

// Page reads the first rows of a range in the order of the key, at most size, with one statement; end is the key of the last of them, nil
// where there is none. With lock they are locked until the end of the block that ctx must be in, with the options of the query's ForUpdate
// where it has one; in SQLite a block that may write is alone anyway.
func (w *Walk[T]) Page(ctx context.Context, after, through keyset.Values, size int, lock bool) (rows []T, end keyset.Values, err error) {
	lay, take := w.form()
	end, err = w.page(ctx, after, through, size, lock, lay, func() { rows = append(rows, take()) })
	if err != nil {
		return nil, nil, err
	}
	return rows, end, nil
}

func (w *walk) page(ctx context.Context, after, through keyset.Values, size int, lock bool, lay layout, each func()) (keyset.Values, error) {
	if size <= 0 {
		return nil, fmt.Errorf("page of %d rows: %w", size, ErrBatchSize)
	}
	s := w.rows
	s.locking(lock)
	sel := s.keySelection()
	sel.limit = size
	if err := s.within(&sel, after, through); err != nil {
		return nil, err
	}
	st, err := s.build(ctx, sel)
	if err != nil {
		return nil, err
	}
	return s.readKeyed(ctx, st, size > smallResult, lay, each)
}

// ByKeys reads single rows in the order of their keys. Those that are gone, or do not match the query any more, are left out, and a key that is
// given twice gives its row once. lock is that of [Walk.Page].
func (w *Walk[T]) ByKeys(ctx context.Context, keys []keyset.Values, lock bool) (rows []T, err error) {
	lay, take := w.form()
	for some := range slices.Chunk(keys, maxKeys) {
		if err := w.byKeys(ctx, some, lock, lay, func() { rows = append(rows, take()) }); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// maxKeys is how many rows a statement looks up by their keys: each row is compared with each key, for the order.
const maxKeys = 100

func (w *walk) byKeys(ctx context.Context, keys []keyset.Values, lock bool, lay layout, each func()) error {
	s := w.rows
	s.locking(lock)
	if err := s.checkLock(ctx); err != nil {
		return err
	}
	b := newBuilder(s.conn)
	same := s.equal(s.model.names(b.dialect))
	b.write("SELECT ").selected(s.model, s.columns).write(" FROM ", s.model.quoted(b.dialect))
	for _, key := range keys {
		if err := s.checkKey(key); err != nil {
			return err
		}
		b.args = append(b.args, key...)
	}
	s.writeWhere(b, "("+strings.TrimSuffix(strings.Repeat(same+" OR ", len(keys)), " OR ")+")")
	b.write(" ORDER BY CASE")
	for place, key := range keys {
		b.write(" WHEN ", same, " THEN ", strconv.Itoa(place))
		b.args = append(b.args, key...)
	}
	b.write(" END")
	s.writeLock(b)
	st, err := b.statement()
	if err != nil || st.none {
		return err
	}
	return s.explain(fetch(ctx, s.conn, st, lay, false, each))
}

// equal holds for one key.
func (s *source) equal(n *names) string {
	var each []string
	for _, i := range s.model.mapping.Keys {
		each = append(each, n.columns[i]+" = ?")
	}
	return "(" + strings.Join(each, " AND ") + ")"
}

// Key returns the key of a row that is in memory. On SQLite a key that is a time is the text that drover writes for it, so the row of one that
// another program has written otherwise is not found by it.
func (w *Walk[T]) Key(row T) (keyset.Values, error) {
	s := w.key.model.scratch()
	defer w.key.model.release(s)
	*s.row.Addr().Interface().(*T) = row
	return w.key.keyOf(s)
}

func (s *source) keyOf(row *scratch) (keyset.Values, error) {
	r := row.record(s.columns)
	key := make(keyset.Values, len(r.cells))
	for n, c := range r.cells {
		value, err := c.Value()
		if err == nil && value == nil {
			err = cell.ErrNull
		}
		if err != nil {
			return nil, r.fail(n, err)
		}
		key[n] = own(value)
	}
	return key, nil
}

// own copies what a row and its key would share.
func own(value any) any {
	if b, ok := value.([]byte); ok {
		return bytes.Clone(b)
	}
	return value
}

// locking makes the query lock its rows, or not.
func (s *source) locking(wanted bool) {
	switch {
	case !wanted:
		s.lock = nil
	case s.lock == nil:
		s.lock = &lock{}
	}
}

// keySelection selects the source's columns in the order of the key, and the hidden ones that the key is read from.
func (s *source) keySelection() selection {
	sel := selection{columns: s.columnList(s.columns), order: s.keyOrder(), limit: 1}
	if s.keys.hidden > 0 {
		sel.columns += ", " + s.keys.hiddenList(s.columns)
	}
	return sel
}

// within narrows a selection to a range of keys.
func (s *source) within(sel *selection, after, through keyset.Values) error {
	end := s.keys.keys.Through
	if sel.limit > 0 {
		end = s.keys.keys.Until
	}
	for _, side := range []struct {
		key       keyset.Values
		predicate func() keyset.Predicate
	}{{after, s.keys.keys.After}, {through, end}} {
		if side.key == nil {
			continue
		}
		if err := s.checkKey(side.key); err != nil {
			return err
		}
		p := side.predicate()
		if sel.extra != "" {
			sel.extra += " AND "
		}
		sel.extra += p.SQL
		sel.args = p.Args(sel.args, side.key)
	}
	return nil
}

// checkKey refuses a key of another table, or of an earlier form of this one: keys are kept between two runs of a program.
func (s *source) checkKey(key keyset.Values) error {
	if len(key) != len(s.model.mapping.Keys) {
		return fmt.Errorf("the key %v has %d columns, and that of table %s has %d", key, len(key), s.model.fullName(), len(s.model.mapping.Keys))
	}
	return nil
}

// one reads the key of a selection that has at most one row.
func (w *walk) one(ctx context.Context, sel selection) (keyset.Values, error) {
	s := w.key
	s.lock = nil
	st, err := s.build(ctx, sel)
	if err != nil {
		return nil, err
	}
	row := s.model.scratch()
	defer s.model.release(row)
	lay := func([]string) (*record, error) { return row.record(s.columns), nil }
	return s.readKeyed(ctx, st, false, lay, func() {})
}

// readKeyed reads a selection that keySelection made, and returns the key of its last row.
func (s *source) readKeyed(ctx context.Context, st statement, many bool, lay layout, each func()) (keyset.Values, error) {
	var cursor func() ([]any, error)
	withKey := func(columns []string) (r *record, err error) {
		r, cursor, err = s.keys.record(columns, lay)
		return r, err
	}
	n := 0
	err := fetch(ctx, s.conn, st, withKey, many, func() {
		each()
		n++
	})
	if err != nil || n == 0 {
		return nil, s.explain(err)
	}
	key, err := cursor()
	for i := range key {
		key[i] = own(key[i])
	}
	return key, err
}
