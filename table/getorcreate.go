package table

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	k, err := t.keyOf(key)
	if err != nil {
		return row, false, err
	}
	row, created, err = k.race(ctx, func(ctx context.Context) (T, bool, error) {
		row, err := k.found.Get(ctx)
		if errors.Is(err, ErrNotFound) {
			return row, false, nil
		}
		return row, err == nil, err
	}, defaults)
	return row, created, err
}

// UpdateOrCreate sets columns of the row with the key's values, and adds the row where there is none: with what create sets in it, or, where create is
// nil, with the values of update. Either way it returns the row as it is then. Expressions in update see the row as it is in the database, so
// that two callers at a time lose nothing of each other's.
//
// What [Table.GetOrCreate] says of callers at a time, blocks and errors holds here too.
func (t Table[T]) UpdateOrCreate(ctx context.Context, key Key, update Set, create func(*T)) (row T, created bool, err error) {
	k, err := t.keyOf(key)
	if err != nil {
		return row, false, err
	}
	list, err := t.model.assignments(update, false)
	if err != nil {
		return row, false, err
	}
	if err := t.model.writable(list); err != nil {
		return row, false, err
	}
	if create == nil {
		if create, err = t.fromSet(list); err != nil {
			return row, false, err
		}
	}
	return k.race(ctx, func(ctx context.Context) (T, bool, error) { return k.updated(ctx, update) }, create)
}

// race finds the row or adds it, until one of the two succeeds.
func (k *keyed[T]) race(ctx context.Context, find func(context.Context) (T, bool, error), fill func(*T)) (row T, created bool, err error) {
	for try := range maxRaces {
		row, found, err := find(ctx)
		switch {
		case err != nil && k.again(ctx, err):
			continue
		case found || err != nil:
			return row, false, err
		}
		// Not added, and not found the time before: then it is another constraint that is in the way, or a snapshot that does not show the
		// row. The plain INSERT says which.
		row, created, err = k.create(ctx, fill, try > 0)
		if err != nil && k.again(ctx, err) {
			continue
		}
		if created || err != nil {
			return row, created, err
		}
	}
	return row, false, fmt.Errorf("find or create a row of %s: it was added and deleted %d times by others", k.t.model.fullName(), maxRaces)
}

// again reports whether an error is a deadlock or its like among those who add the same row: a new try is a new transaction outside a block,
// and only there.
func (k *keyed[T]) again(ctx context.Context, err error) bool {
	return db.KindOf(err).Retryable() && !errors.Is(err, db.ErrOutcomeUnknown) && !k.t.conn.InBlock(ctx) && ctx.Err() == nil
}

// keyed is a row that is looked for by a key.
type keyed[T any] struct {
	t      Table[T]
	values []assignment
	found  Query[T]
}

func (t Table[T]) keyOf(key Key) (*keyed[T], error) {
	switch {
	case t.err != nil:
		return nil, t.err
	case len(key) == 0:
		return nil, fmt.Errorf("find a row of %s: the key has no columns", t.model.fullName())
	}
	values, err := t.model.assignments(key, true)
	if err != nil {
		return nil, err
	}
	found := t.Query
	found.where = slices.Clip(found.where)
	for _, v := range values {
		c := fieldCondition{name: t.model.mapping.Columns[v.column].Name, op: "=", values: []any{v.value}}
		if v.value == nil {
			c = fieldCondition{name: c.name, op: "IS NULL"}
		}
		found.where = append(found.where, c)
	}
	return &keyed[T]{t, values, found}, nil
}

// create adds the row. Unless it is to insist, created is false without an error where a row with one of its unique keys is there.
func (k *keyed[T]) create(ctx context.Context, fill func(*T), insist bool) (row T, created bool, err error) {
	if err := k.t.set(&row, k.values); err != nil {
		return row, false, err
	}
	if fill != nil {
		fill(&row)
	}
	if k.t.bulk.validated {
		if err := k.t.FullClean(ctx, []T{row}); err != nil {
			return row, false, err
		}
	}
	if insist {
		err = k.t.Create(ctx, &row)
		return row, err == nil, err
	}
	created, err = k.t.createUnlessThere(ctx, &row)
	return row, created, err
}

// createUnlessThere adds a row, or does nothing where one with one of its unique keys is there.
func (t Table[T]) createUnlessThere(ctx context.Context, row *T) (created bool, err error) {
	c, err := t.creator(ctx, nil, 1)
	if err != nil {
		return false, err
	}
	rows := []T{*row}
	plan := *groups(c.plans, batch[T]{rows: rows})[0].plan
	n := int64(0)
	insert := func(ctx context.Context) error {
		n, err = c.values.statement(ctx, &plan, rows)
		return err
	}
	switch {
	case !t.conn.Dialect().Features().OnDuplicateKey:
		plan.ignore = true
		err = insert(ctx)
	case t.conn.InBlock(ctx):
		err = t.conn.Atomic(ctx, insert) // the failed statement is undone, so that the block stays usable
	default:
		err = insert(ctx)
	}
	switch {
	case errors.Is(err, db.ErrUnique):
		return false, nil
	case err != nil && aboutRow(err):
		return false, c.writer(1).rowError(ctx, batch[T]{rows: rows}, 0, err)
	case err != nil:
		return false, err
	}
	*row = rows[0]
	return n > 0, nil
}

// updated sets the columns of the row that is there, and returns it as it is then. The row is locked first, and found by its primary key
// afterwards: the update may set a column of the key that it was looked for by.
func (k *keyed[T]) updated(ctx context.Context, set Set) (row T, found bool, err error) {
	if len(k.t.model.mapping.Keys) == 0 {
		return row, false, fmt.Errorf("update or create in %s: %w", k.t.model.fullName(), ErrNoKey)
	}
	err = k.t.conn.Atomic(ctx, func(ctx context.Context) error {
		row, err = k.found.ForUpdate().Get(ctx)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if found = err == nil; !found || len(set) == 0 {
			return err
		}
		same, err := k.t.same(&row)
		if err != nil {
			return err
		}
		if _, err := same.Update(ctx, set); err != nil {
			return err
		}
		row, err = same.Get(ctx)
		return err
	})
	return row, found, err
}

// same is the query for a row by its primary key.
func (t Table[T]) same(row *T) (Query[T], error) {
	r := structRecord[T](t.model.mapping, t.model.mapping.Keys, t.model.fullName())
	*r.scratch = *row
	q := t.Query
	for i, c := range r.cells {
		value, err := c.Value()
		if err != nil {
			return q, r.fail(i, err)
		}
		q.where = append(slices.Clip(q.where), fieldCondition{name: r.names[i], op: "=", values: []any{value}})
	}
	return q, nil
}

// set puts values into a row's fields.
func (t Table[T]) set(row *T, values []assignment) error {
	columns := make([]int, len(values))
	for n, v := range values {
		columns[n] = v.column
	}
	r := structRecord[T](t.model.mapping, columns, t.model.fullName())
	*r.scratch = *row
	for n, v := range values {
		if err := r.cells[n].Scan(v.value); err != nil {
			return r.fail(n, err)
		}
	}
	*row = *r.scratch
	return nil
}

// fromSet makes a new row of an update's values.
func (t Table[T]) fromSet(list []assignment) (func(*T), error) {
	for _, a := range list {
		if _, computed := a.value.(Expression); computed {
			return nil, fmt.Errorf("update or create in %s: the column %q is set to an expression, which has no row to start from; say what a new row has",
				t.model.fullName(), t.model.mapping.Columns[a.column].Name)
		}
	}
	var probe T
	if err := t.set(&probe, list); err != nil {
		return nil, err
	}
	return func(row *T) { _ = t.set(row, list) }, nil // which the probe has shown to work
}
