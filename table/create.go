package table

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/cell"
)

// Create adds one row. Keys and defaults that the database makes are read back into it where the database can; on MySQL only a key of AUTO_INCREMENT is.
func (t Table[T]) Create(ctx context.Context, row *T, opts ...CreateOption) error {
	s := t.model.scratch()
	defer t.model.release(s)
	list := newList([]T{*row}, s)
	n, err := t.bulkCreate(ctx, list, opts)
	if err != nil {
		return err
	}
	if n > 0 {
		*row = list.rows[0]
	}
	return nil
}

// BulkCreate adds rows, and returns how many. Keys and defaults that the database makes are read back into the slice, in its order, where the
// database can; on MySQL, which cannot, they stay zero, but for the key of a single row. With [NoReadBack] they are not read.
//
// All of it is one transaction unless [Query.TransactionPerBatch] says otherwise; a single statement has none of its own. When a row is refused, the
// error is a [*RowError] that names it, and nothing of the transaction is kept. Columns that are auto or omitzero are left out
// of rows in which they are zero, so a table may mix rows with and without keys.
//
// The database does it with COPY or unnest (PostgreSQL) or with rows of VALUES, in statements of [Query.BatchSize] rows.
func (t Table[T]) BulkCreate(ctx context.Context, rows []T, opts ...CreateOption) (int64, error) {
	return t.bulkCreate(ctx, newList(rows, newScratch(t.model.mapping, t.model.fullName(), new(T))), opts)
}

func (q *query) bulkCreate(ctx context.Context, rows rowList, opts []CreateOption) (int64, error) {
	plans, err := q.insertions(opts)
	if err != nil || rows.len() == 0 {
		return 0, err
	}
	c, err := q.creator(ctx, plans, rows)
	if err != nil {
		return 0, err
	}
	if err := c.check(ctx, batch{rows: rows}); err != nil {
		return 0, err
	}
	size := c.batchSize(rows)
	c.several = rows.len() > size
	c.keeps = c.several && (!q.bulk.perBatch || q.conn.InBlock(ctx))
	w := c.writer(int64(rows.len()))
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
	list := newList([]T(nil), newScratch(t.model.mapping, t.model.fullName(), new(T)))
	return t.bulkCreateSeq(ctx, list, opts, func(size int) iter.Seq2[batch, error] { return gathered(rows, list, size) })
}

// bulkCreateSeq writes batches, for whose rows it is given an empty list with their scratch.
func (q *query) bulkCreateSeq(ctx context.Context, none rowList, opts []CreateOption, all func(size int) iter.Seq2[batch, error]) (int64, error) {
	plans, err := q.insertions(append([]CreateOption{NoReadBack()}, opts...))
	if err != nil {
		return 0, err
	}
	c, err := q.creator(ctx, plans, none)
	if err != nil {
		return 0, err
	}
	c.several = true
	c.keeps = !q.bulk.perBatch || q.conn.InBlock(ctx)
	w := c.writer(-1)
	w.write = func(ctx context.Context, b batch) (int64, error) {
		if err := c.check(ctx, b); err != nil {
			return 0, err
		}
		return c.write(ctx, b)
	}
	n, err := w.run(ctx, all(c.batchSize(none)))
	c.close(ctx, err)
	return n, err
}

// Upsert adds rows, and where a row with the same values in the columns on is there, sets the columns update of it, or without any all columns but
// those of on and of the key. It returns the number of rows. See [UpdateConflicts].
func (t Table[T]) Upsert(ctx context.Context, rows []T, on []string, update ...string) (int64, error) {
	return t.BulkCreate(ctx, rows, UpdateConflicts(on, update...))
}

// creator is one call of BulkCreate.
type creator struct {
	query
	row   *scratch // that is looked at
	plans *insertions
	zero  []func() bool // for each of the optional columns, whether the scratch has it zero
	// zeroKey reports whether the scratch has a key of 0, which the database may take for "make one", although the type says that it makes none;
	// nil: it does not. makesKey reports whether the scratch leaves the key to the database that must not set an upsert's update off;
	// nil: there is no such key.
	zeroKey, makesKey func() bool
	records           map[*insertion]*record
	// readsBack says that rows are given what the database makes, as far as it can be had.
	readsBack bool
	native    bool          // the connection is pgx's
	several   bool          // more than one batch
	keeps     bool          // the batches are all in one transaction, so that statements can be prepared for all of them
	arrays    *arraysInsert // nil: the database has no arrays
	values    *valuesInsert
	filled    []filled
}

// filled is rows of the caller's that were given values of the database's. When the transaction that made the values is rolled back, they are
// taken back, so that the rows can be sent again.
type filled struct {
	rows rowList // of the batch
	group
}

// insertions plans a call with these options.
func (q *query) insertions(opts []CreateOption) (*insertions, error) {
	if q.err != nil {
		return nil, q.err
	}
	var asked creation
	for _, opt := range opts {
		opt(&asked)
	}
	return asked.plan(q.model, q.conn.Dialect())
}

// creator prepares a call for rows like those, of which there may be none yet.
func (q *query) creator(ctx context.Context, plans *insertions, rows rowList) (*creator, error) {
	c := &creator{query: *q, row: rows.scratch(), plans: plans, records: map[*insertion]*record{}, native: q.conn.RunsOnPGX(ctx)}
	for _, i := range plans.optional {
		c.zero = append(c.zero, c.isZero(i))
	}
	server, err := q.conn.Server(ctx)
	if err != nil {
		return nil, err
	}
	c.readsBack = plans.readBack
	plans.supports(server)
	if !q.conn.Dialect().Features().Arrays {
		c.values = &valuesInsert{c: c, prepared: map[string]preparedStmt{}}
		return c, c.watchKeys(ctx)
	}
	s, err := q.model.shapeOf(ctx, q.conn)
	if err != nil {
		return nil, err
	}
	if err := s.check(q.model, plans.every()); err != nil {
		return nil, err
	}
	c.arrays = &arraysInsert{c: c, shape: s, texts: textColumns{}, byPlan: map[*insertion]*columnArrays{}}
	return c, nil
}

// isZero returns whether the scratch has a column zero.
func (c *creator) isZero(column int) func() bool {
	return cell.Zero(c.row.field(column))
}

// watchKeys finds out which keys of rows MySQL would not take for what they are.
func (c *creator) watchKeys(ctx context.Context) error {
	f, keys := c.conn.Dialect().Features(), c.model.mapping.Keys
	if f.ZeroMakesKey && len(keys) == 1 {
		key := c.model.mapping.Columns[keys[0]]
		if kind := key.Type.Kind(); !key.Auto && kind >= reflect.Int && kind <= reflect.Uint64 {
			c.zeroKey = c.isZero(keys[0])
		}
	}
	if f.OnDuplicateKey && c.plans.base.upsert && len(c.plans.base.on) > 0 {
		return c.onlyUniqueKey(ctx)
	}
	return nil
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

// check refuses rows that are wrong in themselves.
func (c *creator) check(ctx context.Context, b batch) error {
	if c.bulk.validated {
		if err := c.clean(ctx, b); err != nil {
			return err
		}
	}
	for i := 0; i < b.rows.len() && (c.zeroKey != nil || c.makesKey != nil); i++ {
		b.rows.load(i)
		if c.makesKey != nil && !c.makesKey() {
			return fmt.Errorf("row %d has a key of its own, which on %s could set the update of another row off; set it to zero, or leave the columns out to accept that: %w",
				b.first+i, c.conn.Dialect().Name(), ErrConflictOption)
		}
		if c.zeroKey != nil && c.zeroKey() {
			if err := c.refuseZeroKey(ctx, b, i); err != nil {
				return err
			}
		}
	}
	if c.plans.base.upsert {
		return noDuplicates(c.model, b, c.plans.base.on)
	}
	return nil
}

// refuseZeroKey refuses a row with the key 0 if the table has AUTO_INCREMENT, which is asked once.
func (c *creator) refuseZeroKey(ctx context.Context, b batch, row int) error {
	key := c.model.mapping.Columns[c.model.mapping.Keys[0]].Name
	t, err := c.model.described(ctx, c.conn)
	if err != nil {
		return err
	}
	if described, _ := t.Column(key); !described.Auto {
		c.zeroKey = nil
		return nil
	}
	return c.writer(-1).misfitError(ctx, b, &misfit{row: row, err: &ValueError{
		Table: c.model.fullName(), Column: key, Err: errors.New("the database would make a key of 0; mark the field auto to have that"),
	}})
}

// The rows of a batch where BatchSize does not say.
const (
	batchArrays = 5_000
	batchCopy   = 20_000 // of a sequence that goes by COPY, where a long statement pays
	batchValues = 1_000
)

// batchSize is how many rows a batch has; rows are all of the call, or none where they come one by one.
func (c *creator) batchSize(rows rowList) int {
	switch {
	case c.bulk.size > 0:
		return c.bulk.size
	case c.arrays == nil:
		return batchValues
	case !c.arrays.copies(c.planLike(rows)):
		return batchArrays
	case rows.len() > 0 && c.bulk.observe == nil && !c.bulk.perBatch:
		return rows.len() // one COPY
	}
	return batchCopy
}

// planLike is the plan for the first row; where there is none to look at, for one that leaves out what it can.
func (c *creator) planLike(rows rowList) *insertion {
	if rows.len() == 0 {
		return c.plans.of(uint64(1)<<len(c.plans.optional) - 1)
	}
	rows.load(0)
	return c.plans.of(c.omitted())
}

// omitted returns which of the optional columns the row in the scratch leaves out.
func (c *creator) omitted() (mask uint64) {
	for n, zero := range c.zero {
		if zero() {
			mask |= 1 << n
		}
	}
	return mask
}

// groups sorts a batch's rows by what they leave out. Nearly always there is one group.
func (c *creator) groups(rows rowList) []group {
	if len(c.zero) == 0 {
		return []group{newGroup(c.plans.of(0), nil, rows)}
	}
	places := map[uint64][]int{}
	var order, masks []uint64
	for i := range rows.len() {
		rows.load(i)
		mask := c.omitted()
		if len(order) == 0 || mask != order[len(order)-1] && !slices.Contains(order, mask) {
			order = append(order, mask)
		}
		masks = append(masks, mask)
	}
	if len(order) == 1 {
		return []group{newGroup(c.plans.of(order[0]), nil, rows)}
	}
	for i, mask := range masks {
		places[mask] = append(places[mask], i)
	}
	list := make([]group, len(order))
	for n, mask := range order {
		list[n] = newGroup(c.plans.of(mask), places[mask], rows.pick(places[mask]))
	}
	return list
}

// oneStatement reports whether a batch's rows are sent in one statement.
func (c *creator) oneStatement(rows rowList) bool {
	first := c.planLike(rows)
	for i := range rows.len() {
		if len(c.zero) == 0 {
			break
		}
		rows.load(i)
		if c.plans.of(c.omitted()) != first {
			return false
		}
	}
	return c.arrays != nil || rows.len() <= c.values.rowsPerStatement(first)
}

func (c *creator) recordOf(plan *insertion) *record {
	r := c.records[plan]
	if r == nil {
		r = c.row.record(plan.columns)
		c.records[plan] = r
	}
	return r
}

func (c *creator) writer(total int64) *writer {
	return &writer{query: c.query, op: "create", total: total, values: c.plans.every(), write: c.write}
}

// write inserts one batch.
func (c *creator) write(ctx context.Context, b batch) (total int64, err error) {
	for _, g := range c.groups(b.rows) {
		if len(g.plan.returning) > 0 || c.readsBack && len(g.plan.omitted) > 0 { // noted before, for rows come back one by one before a later one is refused
			c.filled = append(c.filled, filled{b.rows, g})
		}
		n, err := c.insert(ctx, g)
		if m, ok := errors.AsType[*misfit](err); ok {
			m.row = g.place(m.row)
			return total, c.writer(-1).misfitError(ctx, b, m)
		}
		if err != nil {
			return total, err
		}
		for k, i := range g.places {
			b.rows.put(i, g.rows, k)
		}
		total += n
	}
	return total, nil
}

// insert sends a group's rows. What it says of a row's place is about the group.
func (c *creator) insert(ctx context.Context, g group) (int64, error) {
	if c.arrays != nil {
		return c.arrays.insert(ctx, g)
	}
	return c.values.insert(ctx, g)
}

// takeBack gives the caller's rows the values back that they had.
func (c *creator) takeBack() {
	for _, f := range c.filled {
		for k := range f.group.rows.len() {
			i := f.place(k)
			if f.old != nil {
				f.rows.put(i, f.old, k)
				continue
			}
			f.rows.load(i)
			for _, column := range f.plan.omitted {
				c.row.field(column).SetZero()
			}
			f.rows.store(i)
		}
	}
	c.filled = nil
}

// misfitError names the row that is known to be at fault.
func (w *writer) misfitError(ctx context.Context, b batch, m *misfit) error {
	cause := m.err
	if value, ok := errors.AsType[*ValueError](cause); ok { // refused before it was sent, as the database would have
		cause = &db.Error{Op: "check the values", Alias: w.conn.Alias(), Kind: db.ErrData, Table: value.Table, Column: value.Column, Err: value.Err}
	}
	err := w.rowError(ctx, b, m.row, cause)
	if e, ok := errors.AsType[*RowError](err); ok && e.Column == "" {
		e.Column = m.column
	}
	return err
}

// close ends what the call has kept, and after an error drops what it knew of the table.
func (c *creator) close(ctx context.Context, err error) {
	if c.values != nil {
		c.values.close(ctx)
	}
	c.model.forget(c.conn, err)
}
