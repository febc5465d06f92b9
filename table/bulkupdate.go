package table

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/drover-dev/drover/internal/dialect"
)

// BulkUpdate sets columns of rows that are there, with different values for each, and returns how many rows were found by their keys; rows that had the
// values already count, rows that are gone do not, which is no error. Two rows with the same key are refused with [*DuplicateKeyError],
// and so are no columns, key columns, computed columns, and a row without a key.
//
// All of it is one transaction unless [Query.TransactionPerBatch] says otherwise; a batch is one statement (on SQLite one
// for 500 rows). When a row is refused, the error is a [*RowError] that names it, and nothing of the transaction is kept.
func (t Table[T]) BulkUpdate(ctx context.Context, rows []T, columns ...string) (int64, error) {
	u, err := t.updater(columns)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	if t.bulk.validated {
		if err := t.FullClean(ctx, rows); err != nil {
			return 0, err
		}
	}
	if err := t.haveKeys(rows); err != nil {
		return 0, err
	}
	if err := noDuplicates(t.model, rows, t.model.mapping.Keys, 0); err != nil {
		return 0, err
	}
	if err := u.choose(ctx); err != nil {
		return 0, err
	}
	size := u.batchSize()
	w := &writer[T]{q: t.Query, op: "update", total: int64(len(rows)), values: u.columns, alone: len(rows) <= size && (!u.fromValues() || len(rows) <= maxValuesRows)}
	w.write = func(ctx context.Context, b batch[T]) (int64, error) {
		n, err := u.update(ctx, b.rows)
		if m, ok := errors.AsType[*misfit](err); ok {
			err = w.misfitError(ctx, b, m)
		}
		return n, err
	}
	n, err := w.run(ctx, batches(rows, size))
	t.model.forget(t.conn, err)
	return n, err
}

// Save sets columns of one row that is there, found by its key; without names all columns that are written. A row that is gone is [ErrNotFound]. An
// empty list that is not nil names no columns, and then nothing is sent.
func (t Table[T]) Save(ctx context.Context, row *T, columns ...string) error {
	if columns == nil {
		for _, c := range t.model.mapping.Columns {
			if !c.Key && !c.Generated {
				columns = append(columns, c.Name)
			}
		}
	}
	if t.err == nil && len(columns) == 0 {
		return nil
	}
	n, err := t.BulkUpdate(ctx, []T{*row}, columns...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// BulkDelete deletes rows by their keys, and returns how many were there. The transaction and the errors are as in [Table.BulkUpdate].
func (t Table[T]) BulkDelete(ctx context.Context, rows []T) (int64, error) {
	switch {
	case t.err != nil:
		return 0, t.err
	case len(t.model.mapping.Keys) == 0:
		return 0, fmt.Errorf("delete from %s by key: %w", t.model.fullName(), ErrNoKey)
	case len(rows) == 0:
		return 0, nil
	}
	if err := t.haveKeys(rows); err != nil {
		return 0, err
	}
	u := &updater[T]{q: t.Query, m: t.model, written: t.model.mapping.Keys}
	if err := u.choose(ctx); err != nil {
		return 0, err
	}
	size := u.batchSize()
	w := &writer[T]{q: t.Query, op: "delete", total: int64(len(rows)), values: u.written, alone: len(rows) <= size}
	w.write = func(ctx context.Context, b batch[T]) (int64, error) { return u.delete(ctx, b.rows) }
	n, err := w.run(ctx, batches(rows, size))
	t.model.forget(t.conn, err)
	return n, err
}

// haveKeys refuses rows that cannot be found by their keys.
func (t Table[T]) haveKeys(rows []T) error {
	s := t.model.mapping
	for i := range rows {
		row := reflect.ValueOf(&rows[i]).Elem()
		for _, k := range s.Keys {
			c := s.Columns[k]
			field := row.FieldByIndex(c.Index)
			if c.Auto && field.IsZero() || field.Kind() == reflect.Pointer && field.IsNil() {
				return &RowError{
					Op: "find", Table: t.model.fullName(), Row: i, Column: c.Name,
					Err: fmt.Errorf("the row has no key: its field %s is not set", c.Field),
				}
			}
		}
	}
	return nil
}

// updater is one call of BulkUpdate or BulkDelete.
type updater[T any] struct {
	q       Query[T]
	m       *model
	columns []int // that are set
	written []int // that are sent: the key's, then those that are set
	native  bool
	json    bool // JSON_TABLE
	shape   *shape
	record  *record[T]
	arrays  *arrays
	source  *unnest
}

func (t Table[T]) updater(columns []string) (*updater[T], error) {
	m := t.model
	switch {
	case t.err != nil:
		return nil, t.err
	case len(columns) == 0:
		return nil, fmt.Errorf("update %s: %w", m.fullName(), errNothingToSet)
	case len(m.mapping.Keys) == 0:
		return nil, fmt.Errorf("update %s by key: %w", m.fullName(), ErrNoKey)
	}
	indexes, err := m.columnsOf(columns)
	if err != nil {
		return nil, err
	}
	for n, i := range indexes {
		switch c := m.mapping.Columns[i]; {
		case c.Key:
			return nil, &ValueError{Table: m.fullName(), Column: c.Name, Err: errors.New("a key column cannot be updated by key")}
		case c.Generated:
			return nil, &ValueError{Table: m.fullName(), Column: c.Name, Err: errors.New("the database computes it; it cannot be written")}
		case slices.Contains(indexes[:n], i):
			return nil, &ValueError{Table: m.fullName(), Column: c.Name, Err: errors.New("it is named twice")}
		}
	}
	return &updater[T]{q: t.Query, m: m, columns: indexes, written: slices.Concat(m.mapping.Keys, indexes)}, nil
}

// choose finds out which statement suits the database.
func (u *updater[T]) choose(ctx context.Context) error {
	u.record = structRecord[T](u.m.mapping, u.written, u.m.fullName())
	conn := u.q.conn
	server, err := conn.Server(ctx)
	if err != nil {
		return err
	}
	u.json = server.JSONTable
	if !conn.Dialect().Features().Arrays {
		return nil
	}
	if u.shape, err = u.m.shapeOf(ctx, conn); err != nil {
		return err
	}
	if err := u.shape.check(u.m, u.written); err != nil {
		return err
	}
	u.source = u.shape.unnestOf(u.m, u.written)
	if u.native = conn.RunsOnPGX(ctx); u.native {
		u.arrays = newArrays(u.source)
	}
	return nil
}

// fromValues reports whether rows are sent as VALUES.
func (u *updater[T]) fromValues() bool {
	return u.q.conn.Dialect().Features().Local && len(u.columns) > 0
}

func (u *updater[T]) batchSize() int {
	f := u.q.conn.Dialect().Features()
	size := batchValues
	switch {
	case u.q.bulk.size > 0:
		size = u.q.bulk.size
	case f.Arrays:
		return batchArrays
	}
	if f.Arrays || u.fromValues() || u.json && len(u.columns) > 0 {
		return size
	}
	return min(size, f.MaxParams/len(u.written))
}

func (u *updater[T]) update(ctx context.Context, rows []T) (int64, error) {
	switch {
	case u.source != nil:
		return u.updateArrays(ctx, rows)
	case u.fromValues():
		return u.updateValues(ctx, rows)
	case u.json:
		return u.updateJSON(ctx, rows)
	}
	return u.updateUnion(ctx, rows)
}

// writeJoin writes "t.key = v.c0 AND …": the keys come first among what is sent.
func (u *updater[T]) writeJoin(b *builder, value func(n int) string) {
	for n, k := range u.m.mapping.Keys {
		if n > 0 {
			b.write(" AND ")
		}
		b.write("t.", b.dialect.Quote(u.m.mapping.Columns[k].Name), " = ", value(n))
	}
}

// updateArrays is UPDATE … FROM unnest(…): the arrays hide the number of rows from the planner, which therefore looks each row up by its
// key instead of reading the whole table.
func (u *updater[T]) updateArrays(ctx context.Context, rows []T) (int64, error) {
	b := newBuilder(u.q.conn)
	keys := len(u.m.mapping.Keys)
	b.write("UPDATE ", u.m.quoted(b.dialect), " AS t SET ").list(len(u.columns), func(n int) {
		b.write(b.dialect.Quote(u.m.mapping.Columns[u.columns[n]].Name), " = ", u.source.value(keys+n))
	})
	b.write(" FROM ")
	u.source.from(b, false)
	b.write(" WHERE ")
	u.writeJoin(b, u.source.value)
	return u.sendArrays(ctx, b, rows)
}

// sendArrays sends a statement whose parameters are the arrays.
func (u *updater[T]) sendArrays(ctx context.Context, b *builder, rows []T) (n int64, err error) {
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	if !u.native {
		if st.args, err = u.record.literals(rows); err != nil {
			return 0, err
		}
		return affect(ctx, u.q.conn, st)
	}
	if err := u.record.fill(u.arrays, rows); err != nil {
		return 0, err
	}
	err = u.q.conn.Exchange(ctx, dialect.Exchange{
		Query: st.sql,
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			n, err = sendNative(ctx, live.PGX, st.sql, u.arrays.oids(), u.arrays.finish(), nil, nil)
			return n, err
		},
	})
	return n, err
}

// delete deletes rows by their keys.
func (u *updater[T]) delete(ctx context.Context, rows []T) (int64, error) {
	b := newBuilder(u.q.conn)
	quote := func(n int) string { return b.dialect.Quote(u.m.mapping.Columns[u.written[n]].Name) }
	b.write("DELETE FROM ", u.m.quoted(b.dialect))
	switch {
	case u.source != nil && len(u.written) == 1 && u.source.casts[0] == "":
		b.write(" WHERE ", quote(0), " = ANY(?::", u.source.types[0], "[])")
		return u.sendArrays(ctx, b, rows)
	case u.source != nil:
		b.write(" AS t USING ")
		u.source.from(b, false)
		b.write(" WHERE ")
		u.writeJoin(b, u.source.value)
		return u.sendArrays(ctx, b, rows)
	}
	values, err := u.values(rows)
	if err != nil {
		return 0, err
	}
	b.write(" WHERE ")
	if len(u.written) == 1 {
		b.write(quote(0), " IN (").list(len(rows), func(i int) { b.arg(values[i]) }).write(")")
	} else {
		b.write("(").list(len(u.written), func(n int) { b.write(quote(n)) }).write(") IN (")
		if b.dialect.Features().Local {
			b.write("VALUES ")
		}
		b.list(len(rows), func(i int) {
			b.write("(").list(len(u.written), func(n int) { b.arg(values[i*len(u.written)+n]) }).write(")")
		}).write(")")
	}
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	return affect(ctx, u.q.conn, st)
}

// values are what is sent of the rows, one after another.
func (u *updater[T]) values(rows []T) ([]any, error) {
	values := make([]any, 0, len(rows)*len(u.written))
	for row := range rows {
		*u.record.scratch = rows[row]
		for i, c := range u.record.cells {
			value, err := c.Value()
			if err != nil {
				return nil, &misfit{row: row, err: u.record.fail(i, err)}
			}
			values = append(values, value)
		}
	}
	return values, nil
}
