package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/internal/keyset"
)

// errNothingToSet refuses an update that names no columns.
var errNothingToSet = errors.New("no columns to set")

// Update sets columns of all matching rows with one statement, and returns how many matched; rows that had the values already count. A query with
// a limit or an offset is refused with [ErrSliced], and an unknown column or a value that does not fit before anything is sent.
func (q Query[T]) Update(ctx context.Context, set Set) (int64, error) { return q.update(ctx, set) }

func (q *query) update(ctx context.Context, set Set) (int64, error) {
	switch {
	case q.err != nil:
		return 0, q.err
	case q.limit >= 0 || q.offset > 0:
		return 0, fmt.Errorf("update: %w", ErrSliced)
	case len(set) == 0:
		return 0, fmt.Errorf("update %s: %w", q.model.fullName(), errNothingToSet)
	}
	list, err := q.model.assignments(set, false)
	if err != nil {
		return 0, err
	}
	if err := q.model.writable(list); err != nil {
		return 0, err
	}
	b := newBuilder(q.conn)
	b.write("UPDATE ", q.model.quoted(b.dialect), " SET ")
	q.model.writeSet(b, list)
	q.writeWhere(b)
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	n, err := affect(ctx, q.conn, st)
	return n, q.explain(err)
}

// writable refuses to write computed columns.
func (m *model) writable(list []assignment) error {
	for _, a := range list {
		if c := m.mapping.Columns[a.column]; c.Generated {
			return &ValueError{Table: m.fullName(), Column: c.Name, Err: errors.New("the database computes it; it cannot be written")}
		}
	}
	return nil
}

// Delete deletes all matching rows with one statement, and returns how many. What the database's foreign keys say of rows that refer to them is
// done or refused by the database. A query with a limit or an offset is refused with [ErrSliced]; see [Query.DeleteBatches].
func (q Query[T]) Delete(ctx context.Context) (int64, error) { return q.delete(ctx) }

func (q *query) delete(ctx context.Context) (int64, error) {
	switch {
	case q.err != nil:
		return 0, q.err
	case q.limit >= 0 || q.offset > 0:
		return 0, fmt.Errorf("delete: %w", ErrSliced)
	}
	b := newBuilder(q.conn)
	b.write("DELETE FROM ", q.model.quoted(b.dialect))
	q.writeWhere(b)
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	n, err := affect(ctx, q.conn, st)
	return n, q.explain(err)
}

// DeleteBatches deletes the matching rows n at a time in the order of the key, each batch with a statement that commits by itself, and
// returns how many were deleted, also when it fails half-way. So no transaction is long, and what was deleted stays deleted. Inside a block the
// batches are part of the block. With a limit at most so many rows are deleted.
//
// Rows that match when their batch is found are deleted with those that come to match in its range of keys until it is deleted. The walk
// ends at the last matching key of its beginning, so it ends while others go on inserting.
func (q Query[T]) DeleteBatches(ctx context.Context, n int) (int64, error) {
	return q.deleteBatches(ctx, n)
}

func (q query) deleteBatches(ctx context.Context, n int) (int64, error) {
	switch {
	case q.err != nil:
		return 0, q.err
	case n <= 0:
		return 0, fmt.Errorf("delete in batches of %d: %w", n, ErrBatchSize)
	case q.offset > 0:
		return 0, fmt.Errorf("delete in batches: %w", ErrSliced)
	case len(q.model.mapping.Keys) == 0:
		return 0, fmt.Errorf("delete in batches from %s: %w", q.model.fullName(), ErrNoKey)
	}
	if q.limit == 0 {
		return 0, nil
	}
	q.order, q.lock = nil, nil
	d := deletion{query: q, walk: q.walk(nil), size: n}
	err := d.run(ctx)
	return d.deleted, q.explain(err)
}

// deletion deletes page after page.
type deletion struct {
	query
	walk    *keyWalk
	size    int
	last    []any // the walk's end
	deleted int64
	batches int64
}

func (d *deletion) run(ctx context.Context) error {
	first, err := d.key(ctx, d.walk.keys.OrderBy(), "", nil, 0)
	if err != nil || first == nil {
		return err
	}
	if d.last, err = d.key(ctx, d.walk.keys.Descending(), "", nil, 0); err != nil || d.last == nil {
		return err
	}
	p := deletionPage{lower: d.walk.keys.From(), cursor: first, size: d.size}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if d.limit >= 0 {
			p.size = min(d.size, d.limit-int(d.deleted))
		}
		if p.size == 0 {
			return nil
		}
		if err := d.batch(ctx, &p); err != nil {
			return err
		}
		d.deleted += p.rows
		if p.rows > 0 {
			d.batches++
			if d.bulk.observe != nil {
				d.bulk.observe(Progress{Rows: d.deleted, Batches: d.batches, Total: -1})
			}
		}
		if !p.full || keyset.Values(p.end).Equal(d.last) {
			return nil
		}
		if d.batches > 1 && keyset.Values(p.end).Equal(p.cursor) {
			return errNoProgress
		}
		p.lower, p.cursor = d.walk.keys.After(), p.end
	}
}

// deletionPage is one batch: the range of keys that it is about and what became of it.
type deletionPage struct {
	lower  keyset.Predicate
	cursor []any
	size   int
	end    []any
	full   bool // size rows matched; else it is the last page
	rows   int64
}

// batch deletes one batch. With a limit its two statements are one transaction, which is rolled back when more rows came to match in between.
func (d *deletion) batch(ctx context.Context, p *deletionPage) error {
	if d.limit < 0 {
		return d.page(ctx, p)
	}
	for {
		err := d.conn.Atomic(ctx, func(ctx context.Context) error {
			if err := d.page(ctx, p); err != nil {
				return err
			}
			if p.rows > int64(p.size) {
				return errOverLimit
			}
			return nil
		})
		if !errors.Is(err, errOverLimit) {
			return err
		}
	}
}

// errOverLimit rolls a batch back that would exceed the query's limit.
var errOverLimit = errors.New("rows were added to the batch while it was deleted")

// page finds the end of a batch and deletes its range.
func (d *deletion) page(ctx context.Context, p *deletionPage) (err error) {
	through := d.walk.keys.Through()
	within := p.lower.SQL + " AND " + through.SQL
	p.end, err = d.key(ctx, d.walk.keys.OrderBy(), within, through.Args(p.lower.Args(nil, p.cursor), d.last), p.size-1)
	if err != nil {
		return err
	}
	if p.full = p.end != nil; !p.full {
		p.end = d.last
	}
	b := newBuilder(d.conn)
	b.write("DELETE FROM ", d.model.quoted(b.dialect))
	b.args = through.Args(p.lower.Args(nil, p.cursor), p.end)
	d.writeWhere(b, within)
	st, err := b.statement()
	if err != nil {
		return err
	}
	p.rows, err = affect(ctx, d.conn, st)
	return err
}

// key reads the key of the matching row at an offset in an order, or nil where there is none.
func (d *deletion) key(ctx context.Context, order, within string, args []any, offset int) ([]any, error) {
	b := newBuilder(d.conn)
	b.write("SELECT ", d.walk.keys.Columns(), " FROM ", d.model.quoted(b.dialect))
	b.args = args
	d.writeWhere(b, within)
	b.write(" ORDER BY ", order)
	b.writeLimit(1, offset)
	st, err := b.statement()
	if err != nil {
		return nil, err
	}
	var names []string
	var key, values []any
	err = fetch(ctx, d.conn, st, anyLayout(d.model.fullName(), &names, &values), false, func() { key = values })
	return key, err
}
