package table

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/drover-dev/drover/db"
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
	return sequence(q.rows(ctx, streamOptionsOf(opts)))
}

// FetchMany returns the rows in slices of n; the last one may be shorter. A slice is the caller's to keep. n is also the page size, unless
// one is given.
func (q Query[T]) FetchMany(ctx context.Context, n int, opts ...StreamOption) iter.Seq2[[]T, error] {
	return slicesOf(n, opts, func(o streamOptions) reading[T] { return q.rows(ctx, o) })
}

// reading reads a result and gives out its rows until yield returns false.
type reading[R any] func(yield func(R) bool) error

// sequence is a reading for range.
func sequence[R any](read reading[R]) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		err := read(func(row R) bool { return yield(row, nil) })
		if err != nil {
			var none R
			yield(none, err)
		}
	}
}

// slicesOf gives out the rows of a reading in slices of n.
func slicesOf[R any](n int, opts []StreamOption, open func(streamOptions) reading[R]) iter.Seq2[[]R, error] {
	o := streamOptionsOf(append([]StreamOption{PageSize(n)}, opts...))
	if n <= 0 {
		o.err = fmt.Errorf("fetch %d rows: %w", n, ErrBatchSize)
	}
	return func(yield func([]R, error) bool) {
		var batch []R
		going := true
		err := open(o)(func(row R) bool {
			if batch == nil {
				batch = make([]R, 0, min(n, defaultPage))
			}
			batch = append(batch, row)
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

// source is a query whose rows are values of R.
type source[R any] struct {
	conn *db.DB
	lay  layout[R]
	// build makes the statement. after, when it is set, is where the page goes on.
	build func(ctx context.Context, page *keyPage) (statement, error)
	// keys walks by key; nil where the result has no key that it is ordered by.
	keys  *keyWalk
	limit int // -1: none
	locks bool
	err   func(error) error // explains an error; nil: as it is
}

// rows reads the query in the way that the options say.
func (q Query[T]) rows(ctx context.Context, o streamOptions) reading[T] {
	return querySource(q, q.columns, q.layout()).read(ctx, o)
}

// read chooses the way.
func (s source[R]) read(ctx context.Context, o streamOptions) reading[R] {
	return func(yield func(R) bool) error {
		if o.err != nil {
			return o.err
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
			err = s.byKey(ctx, o.size, yield)
		case w == wayCursor && cursors:
			err = s.byCursor(ctx, o.size, yield)
		default:
			err = s.direct(ctx, yield)
		}
		if err != nil && s.err != nil {
			err = s.err(err)
		}
		return err
	}
}

var errNotByKey = errors.New("the query cannot be read by key: its order must be that of the whole primary key, and it must have no offset")

// direct reads one open result set.
func (s source[R]) direct(ctx context.Context, yield func(R) bool) error {
	st, err := s.build(ctx, nil)
	if err != nil {
		return err
	}
	return open(ctx, s.conn, st, s.lay, yield)
}

// giveOut yields the rows of a page.
func giveOut[R any](page []R, yield func(R) bool) bool {
	for i := range page {
		if !yield(page[i]) {
			return false
		}
	}
	return true
}

// byKey reads a page, gives it out, and goes on behind its last key.
func (s source[R]) byKey(ctx context.Context, size int, yield func(R) bool) error {
	page := keyPage{size: size}
	buffer := make([]R, 0, min(size, defaultPage))
	for left := s.limit; ; {
		if left >= 0 {
			page.size = min(page.size, left)
		}
		st, err := s.build(ctx, &page)
		if err != nil {
			return err
		}
		var cursor func() ([]any, error)
		lay := func(columns []string) (*record[R], error) {
			var r *record[R]
			r, cursor, err = pageRecord(s.keys, columns, s.lay)
			return r, err
		}
		buffer = buffer[:0]
		if err := fetch(ctx, s.conn, st, lay, page.size > smallResult, func(r *record[R]) { buffer = append(buffer, r.row()) }); err != nil {
			return err
		}
		if len(buffer) == page.size && cursor != nil {
			before := page.after
			if page.after, err = cursor(); err != nil {
				return err
			}
			if before != nil && slices.EqualFunc(before, page.after, sameKey) {
				return errNoProgress
			}
		}
		if !giveOut(buffer, yield) {
			return nil
		}
		if left >= 0 {
			left -= len(buffer)
		}
		if len(buffer) < page.size || left == 0 {
			return nil
		}
	}
}

// errNoProgress keeps a walk from going round for ever.
var errNoProgress = errors.New("a page ended where it began: the key's order and its comparison disagree")
