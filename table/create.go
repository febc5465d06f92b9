package table

import (
	"context"
	"errors"
	"iter"
	"reflect"

	"github.com/drover-dev/drover/db"
)

// Create adds one row. Keys and defaults that the database makes are read back into it where the database can (not on MySQL).
func (t Table[T]) Create(ctx context.Context, row *T, opts ...CreateOption) error {
	rows := []T{*row}
	n, err := t.BulkCreate(ctx, rows, opts...)
	if err != nil {
		return err
	}
	if n > 0 {
		*row = rows[0]
	}
	return nil
}

// BulkCreate adds rows, and returns how many. Keys and defaults that the database makes are read back into the slice, in its order, where the
// database can; on MySQL, which cannot, they stay zero. With [NoReadBack] they are not read.
//
// All of it is one transaction unless [Query.TransactionPerBatch] says otherwise; a single statement has none of its own. When a row is refused, the
// error is a [*RowError] that names it, and nothing of the transaction is kept. Columns that are auto or omitzero are left out
// of rows in which they are zero, so a table may mix rows with and without keys.
//
// The database does it with COPY or unnest (PostgreSQL) or with rows of VALUES, in statements of [Query.BatchSize] rows.
func (t Table[T]) BulkCreate(ctx context.Context, rows []T, opts ...CreateOption) (int64, error) {
	c, err := t.creator(ctx, opts, len(rows))
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	if t.bulk.validated {
		if err := t.FullClean(ctx, rows); err != nil {
			return 0, err
		}
	}
	if c.plans.base.upsert {
		if err := noDuplicates(t.model, rows, c.plans.base.on, 0); err != nil {
			return 0, err
		}
	}
	size := c.batchSize(rows)
	c.several = len(rows) > size
	c.keeps = c.several && (!t.bulk.perBatch || t.conn.InBlock(ctx))
	w := c.writer(int64(len(rows)))
	w.alone = !c.several && c.oneStatement(rows)
	w.kept, w.takeBack = func() { c.filled = nil }, c.takeBack
	n, err := w.run(ctx, batches(rows, size))
	if err != nil {
		c.takeBack()
	}
	c.close(ctx, err)
	return n, err
}

// BulkCreateSeq adds the rows of a sequence, a batch in memory at a time, and returns how many. Nothing is read back. An error of the sequence ends the
// call, and nothing of its transaction is kept. The sequence is read between the statements, so it may come from the same database.
// Otherwise it is as [Table.BulkCreate]; [Query.Validated] and the check for duplicate keys look at each batch by itself.
func (t Table[T]) BulkCreateSeq(ctx context.Context, rows iter.Seq2[T, error], opts ...CreateOption) (int64, error) {
	c, err := t.creator(ctx, append([]CreateOption{NoReadBack()}, opts...), -1)
	if err != nil {
		return 0, err
	}
	c.several = true
	c.keeps = !t.bulk.perBatch || t.conn.InBlock(ctx)
	w := c.writer(-1)
	insert := w.write
	w.write = func(ctx context.Context, b batch[T]) (int64, error) {
		if t.bulk.validated {
			if err := t.clean(ctx, b); err != nil {
				return 0, err
			}
		}
		if c.plans.base.upsert {
			if err := noDuplicates(t.model, b.rows, c.plans.base.on, b.first); err != nil {
				return 0, err
			}
		}
		return insert(ctx, b)
	}
	n, err := w.run(ctx, gathered(rows, c.batchSize(nil)))
	c.close(ctx, err)
	return n, err
}

// Upsert adds rows, and where a row with the same values in the columns on is there, sets the columns update of it, or without any all columns but
// those of on and of the key. It returns the number of rows. See [UpdateConflicts].
func (t Table[T]) Upsert(ctx context.Context, rows []T, on []string, update ...string) (int64, error) {
	return t.BulkCreate(ctx, rows, UpdateConflicts(on, update...))
}

// creator is one call of BulkCreate.
type creator[T any] struct {
	q       Query[T]
	plans   *insertions
	records map[*insertion]*record[T]
	native  bool // the connection is pgx's
	several bool // more than one batch
	keeps   bool // the batches are all in one transaction, so that statements can be prepared for all of them
	arrays  *arraysInsert[T]
	values  *valuesInsert[T]
	filled  []filled[T]
}

// filled is rows of the caller's that were given values of the database's. When the transaction that made the values is rolled back, they are
// taken back, so that the rows can be sent again.
type filled[T any] struct {
	rows   []T
	places []int // in rows; nil: all
	unset  []int // columns that were zero before
	old    []T   // the rows as they were, where more than such columns was read back; else nil
}

func (t Table[T]) creator(ctx context.Context, opts []CreateOption, rows int) (*creator[T], error) {
	if t.err != nil {
		return nil, t.err
	}
	var asked creation
	for _, opt := range opts {
		opt(&asked)
	}
	d := t.conn.Dialect()
	plans, err := asked.plan(t.model, d)
	if err != nil || rows == 0 {
		return nil, err
	}
	c := &creator[T]{q: t.Query, plans: plans, records: map[*insertion]*record[T]{}, native: t.conn.RunsOnPGX(ctx)}
	c.values = &valuesInsert[T]{c: c, prepared: map[string]preparedStmt{}}
	server, err := t.conn.Server(ctx)
	if err != nil {
		return nil, err
	}
	plans.supports(server)
	if err := plans.onlyUniqueKey(ctx, t.conn, d, t.model.quoted(d)); err != nil {
		return nil, err
	}
	if !d.Features().Arrays {
		return c, nil
	}
	s, err := t.model.shapeOf(ctx, t.conn)
	if err != nil {
		return nil, err
	}
	if err := s.check(t.model, plans.every()); err != nil {
		return nil, err
	}
	c.arrays = &arraysInsert[T]{c: c, shape: s, byPlan: map[*insertion]*columnArrays[T]{}}
	return c, nil
}

// every is all columns that a row can have written.
func (p *insertions) every() []int {
	var columns []int
	for i, c := range p.model.mapping.Columns {
		if !c.Generated {
			columns = append(columns, i)
		}
	}
	return columns
}

// The rows of a batch where BatchSize does not say.
const (
	batchArrays = 5_000
	batchCopy   = 20_000 // of a sequence that goes by COPY, where a long statement pays
	batchValues = 1_000
)

// batchSize is how many rows a batch has; rows are all of the call, or nil where they come one by one.
func (c *creator[T]) batchSize(rows []T) int {
	f := c.q.conn.Dialect().Features()
	switch {
	case c.q.bulk.size > 0:
		return c.q.bulk.size
	case c.arrays != nil && c.copies(rows):
		if len(rows) > 0 && c.q.bulk.observe == nil && !c.q.bulk.perBatch {
			return len(rows) // one COPY
		}
		return batchCopy
	case f.Arrays:
		return batchArrays
	}
	return batchValues
}

// copies reports whether rows like the first go by COPY; where there is none to look at, like one that leaves out what it can.
func (c *creator[T]) copies(rows []T) bool {
	mask := uint64(1)<<len(c.plans.optional) - 1
	if len(rows) > 0 {
		mask = c.plans.omitted(reflect.ValueOf(&rows[0]).Elem())
	}
	return c.arrays.copies(c.plans.of(mask))
}

// oneStatement reports whether a batch's rows are sent in one statement.
func (c *creator[T]) oneStatement(rows []T) bool {
	list := groups(c.plans, batch[T]{rows: rows})
	if len(list) != 1 {
		return false
	}
	if c.arrays != nil {
		return true
	}
	plan := list[0].plan
	return len(rows) <= c.values.rowsPerStatement(plan)
}

func (c *creator[T]) recordOf(plan *insertion) *record[T] {
	r := c.records[plan]
	if r == nil {
		r = structRecord[T](c.q.model.mapping, plan.columns, c.q.model.fullName())
		c.records[plan] = r
	}
	return r
}

func (c *creator[T]) writer(total int64) *writer[T] {
	return &writer[T]{q: c.q, op: "create", total: total, values: c.plans.every(), write: c.write}
}

// write inserts one batch.
func (c *creator[T]) write(ctx context.Context, b batch[T]) (int64, error) {
	zero, column, err := zeroKey(ctx, c.plans, c.q.conn, b.rows)
	if err != nil {
		return 0, err
	}
	if zero >= 0 {
		return 0, c.writer(-1).misfitError(ctx, b, &misfit{zero, "", &ValueError{
			Table: c.q.model.fullName(), Column: c.q.model.mapping.Columns[column].Name,
			Err: errors.New("the database would make a key of 0; mark the field auto to have that"),
		}})
	}
	var total int64
	for _, g := range groups(c.plans, b) {
		if len(g.plan.returning) > 0 { // noted before, for rows come back one by one before a later one is refused
			c.filled = append(c.filled, filled[T]{b.rows, g.places, g.plan.omitted, g.old})
		}
		var n int64
		var err error
		if c.arrays != nil && len(g.rows) > 1 {
			n, err = c.arrays.insert(ctx, g)
		} else {
			n, err = c.values.insert(ctx, g)
		}
		if m, ok := errors.AsType[*misfit](err); ok {
			return total, c.writer(-1).misfitError(ctx, b, m)
		}
		if err != nil {
			return total, err
		}
		for n, i := range g.places {
			b.rows[i] = g.rows[n]
		}
		total += n
	}
	return total, nil
}

// takeBack gives the caller's rows the values back that they had.
func (c *creator[T]) takeBack() {
	for _, f := range c.filled {
		n := len(f.places)
		if f.places == nil {
			n = len(f.rows)
		}
		for k := range n {
			i := k
			if f.places != nil {
				i = f.places[k]
			}
			if f.old != nil {
				f.rows[i] = f.old[k]
				continue
			}
			row := reflect.ValueOf(&f.rows[i]).Elem()
			for _, column := range f.unset {
				row.FieldByIndex(c.q.model.mapping.Columns[column].Index).SetZero()
			}
		}
	}
	c.filled = nil
}

// misfitError names the row that is known to be at fault.
func (w *writer[T]) misfitError(ctx context.Context, b batch[T], m *misfit) error {
	cause := m.err
	if value, ok := errors.AsType[*ValueError](cause); ok { // refused before it was sent, as the database would have
		cause = &db.Error{Op: "check the values", Alias: w.q.conn.Alias(), Kind: db.ErrData, Table: value.Table, Column: value.Column, Err: value.Err}
	}
	err := w.rowError(ctx, b, m.row, cause)
	if e, ok := errors.AsType[*RowError](err); ok && e.Column == "" {
		e.Column = m.column
	}
	return err
}

// close ends what the call has kept, and after an error drops what it knew of the table.
func (c *creator[T]) close(ctx context.Context, err error) {
	c.values.close(ctx)
	c.q.model.forget(c.q.conn, err)
}
