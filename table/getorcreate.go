package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/db"
)

// maxRaces is how often a row that others add and delete at the same time is looked for.
const maxRaces = 20

// GetOrCreate returns the row with the key's values, and adds it where there is none: with those values, and what defaults, which may be nil, sets in
// it. defaults is called only when a row is added. created says which it was.
//
// It is right under any number of callers at a time if the key's columns have a unique constraint: then one of them adds the row, and the others get it.
// An enclosing block stays usable. More than one row is [ErrMultiple], an unknown column is told before anything is sent.
func (t Table[T]) GetOrCreate(ctx context.Context, key Key, defaults func(*T)) (row T, created bool, err error) {
	s := t.model.scratch()
	defer t.model.release(s)
	list := newList(make([]T, 1), s)
	k, err := t.keyOf(key, list)
	if err == nil {
		created, err = k.race(ctx, k.read, list.filler(defaults))
	}
	if err != nil {
		return row, false, err
	}
	return list.rows[0], created, nil
}

// UpdateOrCreate sets columns of the row with the key's values, and adds the row where there is none: with what create sets in it, or, where create is
// nil, with the values of update. Either way it returns the row as it is then. Expressions in update see the row as it is in the database, so
// that two callers at a time lose nothing of each other's.
//
// What [Table.GetOrCreate] says of callers at a time, blocks and errors holds here too.
func (t Table[T]) UpdateOrCreate(ctx context.Context, key Key, update Set, create func(*T)) (row T, created bool, err error) {
	s := t.model.scratch()
	defer t.model.release(s)
	list := newList(make([]T, 1), s)
	k, err := t.keyOf(key, list)
	if err == nil {
		created, err = k.updateOrCreate(ctx, update, list.filler(create))
	}
	if err != nil {
		return row, false, err
	}
	return list.rows[0], created, nil
}

// filler makes a function that changes the list's row of one that changes a row; nil of nil.
func (l *listOf[T]) filler(fill func(*T)) func() {
	if fill == nil {
		return nil
	}
	return func() { fill(&l.rows[0]) }
}

// keyed is a row that is looked for by a key, as the one row of a list.
type keyed struct {
	query  // for the row
	table  query
	values []assignment
	row    rowList
}

func (q *query) keyOf(key Key, row rowList) (*keyed, error) {
	switch {
	case q.err != nil:
		return nil, q.err
	case len(key) == 0:
		return nil, fmt.Errorf("find a row of %s: the key has no columns", q.model.fullName())
	}
	values, err := q.model.assignments(key, true)
	if err != nil {
		return nil, err
	}
	k := &keyed{query: *q, table: *q, values: values, row: row}
	k.beforeWrite = true
	for _, v := range values {
		c := fieldCondition{name: q.model.mapping.Columns[v.column].Name, op: "=", values: []any{v.value}}
		if v.value == nil {
			c = fieldCondition{name: c.name, op: "IS NULL"}
		}
		k.filter(c)
	}
	return k, nil
}

// race finds the row or adds it, until one of the two succeeds.
func (k *keyed) race(ctx context.Context, find func(context.Context) error, fill func()) (created bool, err error) {
	for try := range maxRaces {
		err := find(ctx)
		switch {
		case k.again(ctx, err):
			continue
		case !errors.Is(err, ErrNotFound):
			return false, err
		}
		// Not added, and not found the time before: then it is another constraint that is in the way, or a snapshot that does not show the
		// row. The plain INSERT says which.
		created, err := k.create(ctx, fill, try > 0)
		if k.again(ctx, err) {
			continue
		}
		if created || err != nil {
			return created, err
		}
	}
	return false, fmt.Errorf("find or create a row of %s: it was added and deleted %d times by others", k.model.fullName(), maxRaces)
}

// again reports whether an error is a deadlock or its like among those who add the same row: a new try is a new transaction outside a block,
// and only there.
func (k *keyed) again(ctx context.Context, err error) bool {
	return err != nil && db.KindOf(err).Retryable() && !errors.Is(err, db.ErrOutcomeUnknown) && !k.conn.InBlock(ctx) && ctx.Err() == nil
}

// read reads the row.
func (k *keyed) read(ctx context.Context) error { return k.readBy(ctx, k.query) }

func (k *keyed) readBy(ctx context.Context, q query) error {
	k.row.scratch().row.SetZero()
	err := q.get(ctx, k.row.scratch())
	if err == nil {
		k.row.store(0)
	}
	return err
}

// create adds the row. Unless it is to insist, created is false without an error where a row with one of its unique keys is there.
func (k *keyed) create(ctx context.Context, fill func(), insist bool) (created bool, err error) {
	k.row.scratch().row.SetZero()
	if err := k.set(k.values); err != nil {
		return false, err
	}
	k.row.store(0)
	if fill != nil {
		fill()
	}
	if insist {
		_, err = k.table.bulkCreate(ctx, k.row, nil)
		return err == nil, err
	}
	return k.createUnlessThere(ctx)
}

// createUnlessThere adds the row, or does nothing where one with one of its unique keys is there.
func (k *keyed) createUnlessThere(ctx context.Context) (created bool, err error) {
	plans, err := k.table.insertions(nil)
	if err != nil {
		return false, err
	}
	c, err := k.table.creator(ctx, plans, k.row)
	if err != nil {
		return false, err
	}
	all := batch{rows: k.row}
	if err := c.check(ctx, all); err != nil {
		return false, err
	}
	g := c.groups(k.row)[0]
	plan := *g.plan
	plan.ignore = !k.conn.Dialect().Features().OnDuplicateKey
	g.plan = &plan
	n := int64(0)
	insert := func(ctx context.Context) error {
		n, err = c.insert(ctx, g)
		return err
	}
	if k.conn.InBlock(ctx) {
		err = k.conn.Atomic(ctx, insert) // a failed statement is undone, so that the block stays usable
	} else {
		err = insert(ctx)
	}
	k.model.forget(k.conn, err)
	switch m, misfits := errors.AsType[*misfit](err); {
	case misfits:
		return false, c.writer(1).misfitError(ctx, all, m)
	case errors.Is(err, db.ErrUnique):
		return false, nil
	case err != nil && aboutRow(err):
		return false, c.writer(1).rowError(ctx, all, 0, err)
	}
	return n > 0, err
}

// updateOrCreate sets columns of the row, or adds it.
func (k *keyed) updateOrCreate(ctx context.Context, update Set, create func()) (created bool, err error) {
	list, err := k.model.assignments(update, false)
	if err != nil {
		return false, err
	}
	if err := k.model.writable(list); err != nil {
		return false, err
	}
	if create == nil {
		if create, err = k.fromSet(list); err != nil {
			return false, err
		}
	}
	return k.race(ctx, func(ctx context.Context) error { return k.updated(ctx, update) }, create)
}

// updated sets the columns of the row that is there, and reads it as it is then. The row is locked first, and found by its primary key
// afterwards: the update may set a column of the key that it was looked for by.
func (k *keyed) updated(ctx context.Context, set Set) error {
	if len(k.model.mapping.Keys) == 0 {
		return fmt.Errorf("update or create in %s: %w", k.model.fullName(), ErrNoKey)
	}
	locked := k.query
	locked.lock = &lock{}
	return k.conn.Atomic(ctx, func(ctx context.Context) error {
		if err := k.readBy(ctx, locked); err != nil || len(set) == 0 {
			return err
		}
		same, err := k.same()
		if err != nil {
			return err
		}
		if _, err := same.update(ctx, set); err != nil {
			return err
		}
		return k.readBy(ctx, same)
	})
}

// same is the query for the row by its primary key.
func (k *keyed) same() (query, error) {
	q := k.table
	k.row.load(0)
	r := k.row.scratch().record(q.model.mapping.Keys)
	for i, c := range r.cells {
		value, err := c.Value()
		if err != nil {
			return q, r.fail(i, err)
		}
		q.filter(fieldCondition{name: r.names[i], op: "=", values: []any{value}})
	}
	return q, nil
}

// set puts values into the scratch's fields.
func (k *keyed) set(values []assignment) error {
	columns := make([]int, len(values))
	for n, v := range values {
		columns[n] = v.column
	}
	r := k.row.scratch().record(columns)
	for n, v := range values {
		if err := r.cells[n].Scan(v.value); err != nil {
			return r.fail(n, err)
		}
	}
	return nil
}

// fromSet makes a function that gives the row an update's values.
func (k *keyed) fromSet(list []assignment) (func(), error) {
	for _, a := range list {
		if _, computed := a.value.(Expression); computed {
			return nil, fmt.Errorf("update or create in %s: the column %q is set to an expression, which has no row to start from; say what a new row has",
				k.model.fullName(), k.model.mapping.Columns[a.column].Name)
		}
	}
	if err := k.set(list); err != nil {
		return nil, err
	}
	return func() {
		k.row.load(0)
		_ = k.set(list) // which has worked above
		k.row.store(0)
	}, nil
}
