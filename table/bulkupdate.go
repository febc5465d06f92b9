package table

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/drover-dev/drover/internal/cell"
	"github.com/drover-dev/drover/internal/dialect"
)

// BulkUpdate sets columns of rows that are there, with different values for each, and returns how many rows were found by their keys; rows that had the
// values already count, rows that are gone do not, which is no error. Two rows with the same key are refused with [*DuplicateKeyError],
// and so are no columns, key columns, computed columns, and a row without a key.
//
// All of it is one transaction unless [Query.TransactionPerBatch] says otherwise; a batch is one statement (on SQLite one
// for 500 rows). When a row is refused, the error is a [*RowError] that names it, and nothing of the transaction is kept.
func (t Table[T]) BulkUpdate(ctx context.Context, rows []T, columns ...string) (int64, error) {
	return t.bulkUpdate(ctx, newList(rows, newScratch(t.model.mapping, t.model.fullName(), new(T))), columns)
}

func (q *query) bulkUpdate(ctx context.Context, rows rowList, columns []string) (int64, error) {
	u, err := q.updater(columns)
	if err != nil || rows.len() == 0 {
		return 0, err
	}
	if q.bulk.validated {
		if err := q.clean(ctx, batch{rows: rows}); err != nil {
			return 0, err
		}
	}
	if err := q.haveKeys(rows); err != nil {
		return 0, err
	}
	if err := noDuplicates(q.model, batch{rows: rows}, q.model.mapping.Keys); err != nil {
		return 0, err
	}
	if err := u.choose(ctx, rows.scratch()); err != nil {
		return 0, err
	}
	size := u.batchSize()
	w := &writer{query: *q, op: "update", total: int64(rows.len()), values: u.set, alone: rows.len() <= size && (!u.fromValues() || rows.len() <= maxValuesRows)}
	w.write = func(ctx context.Context, b batch) (int64, error) {
		n, err := u.trying(ctx, b.rows, u.update)
		if m, ok := errors.AsType[*misfit](err); ok {
			err = w.misfitError(ctx, b, m)
		}
		return n, err
	}
	n, err := w.run(ctx, batches(rows, size))
	q.model.forget(q.conn, err)
	return n, err
}

// Save sets columns of one row that is there, found by its key; without names all columns that are written. A row that is gone is [ErrNotFound]. An
// empty list that is not nil names no columns, and then nothing is sent.
func (t Table[T]) Save(ctx context.Context, row *T, columns ...string) error {
	s := t.model.scratch()
	defer t.model.release(s)
	return t.save(ctx, newList([]T{*row}, s), columns)
}

func (q *query) save(ctx context.Context, row rowList, columns []string) error {
	if columns == nil {
		for _, c := range q.model.mapping.Columns {
			if !c.Key && !c.Generated {
				columns = append(columns, c.Name)
			}
		}
	}
	if q.err == nil && len(columns) == 0 {
		return nil
	}
	n, err := q.bulkUpdate(ctx, row, columns)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// BulkDelete deletes rows by their keys, and returns how many were there. The transaction and the errors are as in [Table.BulkUpdate].
func (t Table[T]) BulkDelete(ctx context.Context, rows []T) (int64, error) {
	return t.bulkDelete(ctx, newList(rows, newScratch(t.model.mapping, t.model.fullName(), new(T))))
}

func (q *query) bulkDelete(ctx context.Context, rows rowList) (int64, error) {
	switch {
	case q.err != nil:
		return 0, q.err
	case len(q.model.mapping.Keys) == 0:
		return 0, fmt.Errorf("delete from %s by key: %w", q.model.fullName(), ErrNoKey)
	case rows.len() == 0:
		return 0, nil
	}
	if err := q.haveKeys(rows); err != nil {
		return 0, err
	}
	u := &updater{query: *q, written: q.model.mapping.Keys}
	if err := u.choose(ctx, rows.scratch()); err != nil {
		return 0, err
	}
	size := u.batchSize()
	w := &writer{query: *q, op: "delete", total: int64(rows.len()), values: u.written, alone: rows.len() <= size}
	w.write = func(ctx context.Context, b batch) (int64, error) { return u.trying(ctx, b.rows, u.delete) }
	n, err := w.run(ctx, batches(rows, size))
	q.model.forget(q.conn, err)
	return n, err
}

// haveKeys refuses rows that cannot be found by their keys.
func (q *query) haveKeys(rows rowList) error {
	for _, k := range q.model.mapping.Keys {
		c := q.model.mapping.Columns[k]
		if !c.Auto && c.Type.Kind() != reflect.Pointer {
			continue
		}
		unset := cell.Zero(rows.scratch().field(k))
		for i := range rows.len() {
			if rows.load(i); unset() {
				return &RowError{
					Op: "find", Table: q.model.fullName(), Row: i, Column: c.Name,
					Err: fmt.Errorf("the row has no key: its field %s is not set", c.Field),
				}
			}
		}
	}
	return nil
}

// updater is one call of BulkUpdate or BulkDelete.
type updater struct {
	query
	set     []int // the columns that are set
	written []int // that are sent: the key's, then those that are set
	native  bool
	json    bool      // JSON_TABLE
	byKey   string    // makes the planner use the key
	keys    []keyType // of JSON_TABLE, for each column of the key
	texts   textColumns
	shape   *shape
	record  *record
	arrays  *arrays
	source  *unnest
}

func (q *query) updater(columns []string) (*updater, error) {
	m := q.model
	switch {
	case q.err != nil:
		return nil, q.err
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
	return &updater{query: *q, set: indexes, written: slices.Concat(m.mapping.Keys, indexes)}, nil
}

// choose finds out which statement suits the database.
func (u *updater) choose(ctx context.Context, row *scratch) error {
	u.record = row.record(u.written)
	conn := u.conn
	server, err := conn.Server(ctx)
	if err != nil {
		return err
	}
	if conn.Dialect().Features().IndexHints {
		var key []string
		for _, i := range u.model.mapping.Keys {
			key = append(key, u.model.mapping.Columns[i].Name)
		}
		if t, err := u.model.described(ctx, conn); err == nil { // else the statement tells what is wrong
			u.byKey = t.IndexHint(conn.Dialect(), key)
		}
	}
	u.json = server.JSONTable && len(u.set) > 0
	if u.json {
		return u.readKeyTypes(ctx)
	}
	if !conn.Dialect().Features().Arrays {
		return nil
	}
	if u.shape, err = u.model.shapeOf(ctx, conn); err != nil {
		return err
	}
	if err := u.shape.check(u.model, u.written); err != nil {
		return err
	}
	u.native, u.texts = conn.RunsOnPGX(ctx), textColumns{}
	u.plan()
	return nil
}

// plan decides how the columns travel in arrays.
func (u *updater) plan() {
	u.source = u.shape.unnestOf(u.model, u.written, u.texts)
	if u.native {
		u.arrays = newArrays(u.source)
	}
}

// trying does a batch, again when it turns out that a column's values must go as text.
func (u *updater) trying(ctx context.Context, rows rowList, do func(context.Context, rowList) (int64, error)) (int64, error) {
	for {
		n, err := do(ctx, rows)
		if u.shape == nil || !u.texts.learn(u.model, err) {
			return n, err
		}
		u.plan()
	}
}

// fromValues reports whether rows are sent as VALUES.
func (u *updater) fromValues() bool {
	return u.conn.Dialect().Features().Local && len(u.set) > 0
}

func (u *updater) batchSize() int {
	f := u.conn.Dialect().Features()
	size := batchValues
	switch {
	case u.bulk.size > 0:
		size = u.bulk.size
	case f.Arrays:
		return batchArrays
	}
	if f.Arrays || u.fromValues() || u.json {
		return size
	}
	return min(size, f.MaxParams/len(u.written))
}

func (u *updater) update(ctx context.Context, rows rowList) (int64, error) {
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
func (u *updater) writeJoin(b *builder, value func(n int) string) {
	for n, k := range u.model.mapping.Keys {
		if n > 0 {
			b.write(" AND ")
		}
		b.write("t.", b.dialect.Quote(u.model.mapping.Columns[k].Name), " = ", value(n))
	}
}

// updateArrays is UPDATE … FROM unnest(…): the arrays hide the number of rows from the planner, which therefore looks each row up by its
// key instead of reading the whole table.
func (u *updater) updateArrays(ctx context.Context, rows rowList) (int64, error) {
	b := newBuilder(u.conn)
	keys := len(u.model.mapping.Keys)
	b.write("UPDATE ", u.model.quoted(b.dialect), " AS t SET ").list(len(u.set), func(n int) {
		b.write(b.dialect.Quote(u.model.mapping.Columns[u.set[n]].Name), " = ", u.source.value(keys+n))
	})
	b.write(" FROM ")
	u.source.from(b, false)
	b.write(" WHERE ")
	u.writeJoin(b, u.source.value)
	return u.sendArrays(ctx, b, rows)
}

// sendArrays sends a statement whose parameters are the arrays.
func (u *updater) sendArrays(ctx context.Context, b *builder, rows rowList) (n int64, err error) {
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	if !u.native {
		if st.args, err = u.record.literals(rows); err != nil {
			return 0, err
		}
		return affect(ctx, u.conn, st)
	}
	if err := u.record.fill(u.arrays, rows); err != nil {
		return 0, err
	}
	err = u.conn.Exchange(ctx, dialect.Exchange{
		Query: st.sql,
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			n, err = sendNative(ctx, live.PGX, st.sql, u.arrays.oids(), u.arrays.finish(), nil, nil)
			return n, err
		},
	})
	return n, err
}

// delete deletes rows by their keys.
func (u *updater) delete(ctx context.Context, rows rowList) (int64, error) {
	b := newBuilder(u.conn)
	quote := func(n int) string { return b.dialect.Quote(u.model.mapping.Columns[u.written[n]].Name) }
	b.write("DELETE FROM ", u.model.quoted(b.dialect))
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
		b.write(quote(0), " IN (").list(rows.len(), func(i int) { b.arg(values[i]) }).write(")")
	} else {
		b.write("(").list(len(u.written), func(n int) { b.write(quote(n)) }).write(") IN (")
		if b.dialect.Features().Local {
			b.write("VALUES ")
		}
		b.list(rows.len(), func(i int) {
			b.write("(").list(len(u.written), func(n int) { b.arg(values[i*len(u.written)+n]) }).write(")")
		}).write(")")
	}
	st, err := b.statement()
	if err != nil {
		return 0, err
	}
	return affect(ctx, u.conn, st)
}

// values are what is sent of the rows, one after another.
func (u *updater) values(rows rowList) ([]any, error) {
	values := make([]any, 0, rows.len()*len(u.written))
	for row := range rows.len() {
		rows.load(row)
		for i, c := range u.record.cells {
			value, err := u.value(c)
			if err != nil {
				return nil, &misfit{row: row, err: u.record.fail(i, err)}
			}
			values = append(values, value)
		}
	}
	return values, nil
}
