package table

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// StreamOption says how a large result is read.
type StreamOption func(*streamOptions)

type streamOptions struct {
	way  way
	size int
	err  error
}

// way is how a large result is read.
type way int

const (
	wayDefault way = iota
	wayByKey
	wayCursor
	wayDirect
)

// ByKey reads pages in the order of the key, each with a query of its own that goes on behind the last key: no long transaction, nothing
// held between pages, right behind a pooler, and statements inside the loop work. It is the default where the order is the key's, ascending or
// descending. Each page shows the rows as they are when it is read; no row is read twice unless its key changes. A query with another order
// or an offset is refused.
func ByKey() StreamOption { return func(o *streamOptions) { o.way = wayByKey } }

// Cursor reads pages of a server-side cursor (PostgreSQL, DECLARE): one consistent snapshot, in any order. In a block it is the block's, and
// statements inside the loop work; elsewhere it has a read-only transaction of its own, which the loop keeps open. It is the default for another order
// than the key's where the database has cursors; elsewhere it is as [Direct], for an open result set is a cursor there.
func Cursor() StreamOption { return func(o *streamOptions) { o.way = wayCursor } }

// Direct reads one open result set: the fastest way. In a block its connection is busy until the loop is over, and a statement in the loop is
// db.ErrBusy. On PostgreSQL rows come in about as fast as the loop takes them, so a slow loop holds the query open.
func Direct() StreamOption { return func(o *streamOptions) { o.way = wayDirect } }

// PageSize sets how many rows [ByKey] and [Cursor] read at a time; the default is 2,000. They are held in memory.
func PageSize(n int) StreamOption {
	return func(o *streamOptions) {
		o.size = n
		if n <= 0 {
			o.err = fmt.Errorf("page size %d: %w", n, ErrBatchSize)
		}
	}
}

const defaultPage = 2000

func streamOptionsOf(opts []StreamOption) streamOptions {
	o := streamOptions{size: defaultPage}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// All returns the rows one after another, in constant memory. An error ends the sequence and comes with a zero row. Breaking off, an error and a
// panic in the loop leave no connection and no cursor behind. The query is sent when the loop begins, and again for each loop over the
// sequence.
func (q Query[T]) All(ctx context.Context, opts ...StreamOption) iter.Seq2[T, error] {
	return q.stream().All(ctx, opts...)
}

// FetchMany returns the rows in slices of n; the last one may be shorter. A slice is the caller's to keep. n is also the page size, unless
// one is given.
func (q Query[T]) FetchMany(ctx context.Context, n int, opts ...StreamOption) iter.Seq2[[]T, error] {
	return q.stream().FetchMany(ctx, n, opts...)
}

func (q Query[T]) stream() Stream[T] {
	return Stream[T]{source: q.source(q.columns), form: structForm[T](q.model.mapping, q.columns, q.model.fullName())}
}

// source is a result of any size, without the type of its rows.
type source struct {
	query
	columns []int // of the table, that the result has
	// raw makes the statement of a query that was given as it is; nil: it is made of the query.
	raw  func() (statement, error)
	keys *keyWalk // walks by key; nil where the result is not ordered by one, and before it is read
}

// source is the result of the query with these columns.
func (q query) source(columns []int) source { return source{query: q, columns: columns} }

// statement makes the statement of the whole result, or of one page of a walk by key.
func (s *source) statement(ctx context.Context, page *keyPage) (statement, error) {
	if s.raw != nil {
		return s.raw()
	}
	sel := s.selection()
	sel.columns = s.columnList(s.columns)
	if page != nil {
		s.keys.turn(&sel, page, s)
	}
	return s.build(ctx, sel)
}

// taking is what becomes of the rows of a result.
type taking interface {
	// row takes the row that was read last; false ends the reading.
	row() bool
	// keep puts it by, and give gives out what was put by; false ends the reading. kept is how many there are.
	keep()
	give() bool
	kept() int
}

// taker gives rows out to yield.
type taker[R any] struct {
	take  func() R
	yield func(R) bool
	rows  []R
}

func (t *taker[R]) row() bool { return t.yield(t.take()) }
func (t *taker[R]) keep()     { t.rows = append(t.rows, t.take()) }
func (t *taker[R]) kept() int { return len(t.rows) }

func (t *taker[R]) give() bool {
	for i := range t.rows {
		if !t.yield(t.rows[i]) {
			return false
		}
	}
	t.rows = t.rows[:0]
	return true
}

// read reads the result in the way that the options say.
func (s *source) read(ctx context.Context, o streamOptions, lay layout, rows taking) error {
	if o.err != nil {
		return o.err
	}
	if s.raw == nil {
		s.keys = s.walk(s.columns)
	}
	cursors := s.conn.Dialect().Features().Cursors
	w := o.way
	if w == wayDefault {
		switch {
		case s.keys != nil:
			w = wayByKey
		case cursors:
			w = wayCursor
		default:
			w = wayDirect
		}
	}
	var err error
	switch {
	case w == wayByKey && s.keys == nil:
		return errNotByKey
	case w == wayByKey:
		err = s.byKey(ctx, o.size, lay, rows)
	case w == wayCursor && cursors:
		err = s.byCursor(ctx, o.size, lay, rows)
	default:
		err = s.direct(ctx, lay, rows.row)
	}
	return s.explain(err)
}

var errNotByKey = errors.New("the query cannot be read by key: its order must be that of the whole primary key, and it must have no offset")

// direct reads one open result set.
func (s *source) direct(ctx context.Context, lay layout, each func() bool) error {
	st, err := s.statement(ctx, nil)
	if err != nil {
		return err
	}
	return open(ctx, s.conn, st, lay, each)
}

// byKey reads a page, gives it out, and goes on behind its last key.
func (s *source) byKey(ctx context.Context, size int, lay layout, rows taking) error {
	page := keyPage{size: size}
	for left := s.limit; ; {
		if left >= 0 {
			page.size = min(page.size, left)
		}
		st, err := s.statement(ctx, &page)
		if err != nil {
			return err
		}
		var cursor func() ([]any, error)
		withKey := func(columns []string) (*record, error) {
			var r *record
			r, cursor, err = s.keys.record(columns, lay)
			return r, err
		}
		if err := fetch(ctx, s.conn, st, withKey, page.size > smallResult, rows.keep); err != nil {
			return err
		}
		n := rows.kept()
		if n == page.size && cursor != nil {
			before := page.after
			if page.after, err = cursor(); err != nil {
				return err
			}
			if before != nil && slices.EqualFunc(before, page.after, sameKey) {
				return errNoProgress
			}
		}
		if !rows.give() {
			return nil
		}
		if left >= 0 {
			left -= n
		}
		if n < page.size || left == 0 {
			return nil
		}
	}
}

// errNoProgress keeps a walk from going round for ever.
var errNoProgress = errors.New("a page ended where it began: the key's order and its comparison disagree")
