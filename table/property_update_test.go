package table_test

import (
	"context"
	"errors"
	"slices"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// some draws rows of the table in any order.
func (m *propMachine[T, P]) some(most int) []T {
	if len(m.model.rows) == 0 {
		return nil
	}
	rows := m.model.clone().rows
	if len(rows) > 1 {
		rows = rapid.Permutation(rows).Draw(m.T, "some")
	}
	return rows[:rapid.IntRange(0, min(most, len(rows))).Draw(m.T, "rows")]
}

// gone is a row that is not in the table.
func (m *propMachine[T, P]) gone() T {
	row := m.row(true)
	P(&row).setKey(propKey{"zz", 90000 + int64(m.fresh)})
	return row
}

// bulkUpdate gives rows different values. One may be gone, be there twice, have no key, or violate a constraint.
func (m *propMachine[T, P]) bulkUpdate(ctx context.Context) {
	there := m.model.clone().rows
	rows := slices.Clone(m.some(8))
	for i := range rows {
		b := P(&rows[i]).body()
		m.marks, m.fresh = m.marks+1, m.fresh+1
		b.Mark = m.marks
		m.values(b)
		if code := m.row(true); rapid.Bool().Draw(m.T, "new code") {
			b.Code = P(&code).body().Code
		}
	}
	columns := m.columns("")
	t, size := m.cut(ctx)
	trouble := rapid.SampledFrom([]string{"", "", "", "gone", "twice", "no key", "negative", "code"}).Draw(m.T, "trouble")
	if len(rows) == 0 {
		trouble = ""
	}
	switch trouble {
	case "gone":
		rows = slices.Insert(rows, rapid.IntRange(0, len(rows)).Draw(m.T, "place"), m.gone())
	case "twice":
		rows = append(rows, rows[0])
		n, err := t.BulkUpdate(ctx, rows, columns...)
		if twice, ok := errors.AsType[*table.DuplicateKeyError](err); !ok || n != 0 || twice.First != 0 || twice.Second != len(rows)-1 {
			m.Fatalf("update of a row twice returned %d, %v", n, err)
		}
		return
	case "no key":
		if !m.serial {
			return
		}
		P(&rows[len(rows)-1]).setKey(propKey{})
		n, err := t.BulkUpdate(ctx, rows, columns...)
		if row, ok := errors.AsType[*table.RowError](err); !ok || n != 0 || row.Row != len(rows)-1 {
			m.Fatalf("update of a row without a key returned %d, %v", n, err)
		}
		return
	case "negative":
		P(&rows[rapid.IntRange(0, len(rows)-1).Draw(m.T, "place")]).body().Qty = -1
	case "code":
		for _, other := range there { // of a row that is not in the call
			if !slices.ContainsFunc(rows, func(r T) bool { return P(&r).key() == P(&other).key() }) {
				P(&rows[len(rows)-1]).body().Code = P(&other).body().Code
			}
		}
	}
	matched := int64(0)
	_, faults := propApply(rows, size, func(batch []T) map[int]db.Kind {
		n, faults := m.model.updateAll(batch, columns)
		matched += n
		return faults
	})
	n, err := t.BulkUpdate(ctx, rows, columns...)
	m.refused("update", err, faults)
	if n != matched {
		m.Fatalf("update returned %d, want %d of %d", n, matched, len(rows))
	}
}

// updateAll sets columns of rows by their keys, or says which rows are at fault.
func (m *propModel[T, P]) updateAll(rows []T, columns []string) (matched int64, faults map[int]db.Kind) {
	after := m.clone()
	for i := range rows {
		at := after.find(P(&rows[i]).key())
		if at < 0 {
			continue
		}
		row := after.rows[at]
		for _, column := range columns {
			propSet[T, P](&row, &rows[i], column)
		}
		if refused := after.put(at, row); refused != db.ErrUnknown {
			faults = propFault(faults, i, refused)
		}
		matched++
	}
	if faults != nil {
		return 0, faults
	}
	*m = after
	return matched, nil
}

// save updates one row, which may be gone.
func (m *propMachine[T, P]) save(ctx context.Context) {
	rows := slices.Clone(m.some(1))
	if len(rows) == 0 {
		row := m.gone()
		if err := m.table.Save(ctx, &row); !errors.Is(err, table.ErrNotFound) {
			m.Fatalf("save of a row that is gone: %v", err)
		}
		return
	}
	m.marks++
	P(&rows[0]).body().Mark = m.marks
	m.values(P(&rows[0]).body())
	var columns []string
	if rapid.Bool().Draw(m.T, "some columns") {
		columns = m.columns("")
	}
	written := columns
	if columns == nil {
		written = propColumns
	}
	_, faults := m.model.updateAll(rows, written)
	m.refused("update", m.table.Save(ctx, &rows[0], columns...), faults)
}

// bulkDelete deletes rows by their keys, of which some are gone and some are there twice.
func (m *propMachine[T, P]) bulkDelete(ctx context.Context) {
	rows := slices.Clone(m.some(4))
	if len(rows) > 0 && rapid.Bool().Draw(m.T, "twice") {
		rows = append(rows, rows[0])
	}
	if rapid.Bool().Draw(m.T, "gone") {
		rows = append(rows, m.gone())
	}
	before := len(m.model.rows)
	m.model.rows = slices.DeleteFunc(m.model.clone().rows, func(r T) bool {
		return slices.ContainsFunc(rows, func(d T) bool { return P(&d).key() == P(&r).key() })
	})
	t, _ := m.cut(ctx)
	n, err := t.BulkDelete(ctx, rows)
	if err != nil || n != int64(before-len(m.model.rows)) {
		m.Fatalf("delete returned %d, %v, want %d", n, err, before-len(m.model.rows))
	}
}

// alone runs a call whose failure breaks the block that it is in.
func (m *propMachine[T, P]) alone(ctx context.Context, call func(ctx context.Context) (int64, error)) (n int64, err error) {
	if !m.conn.InBlock(ctx) {
		return call(ctx)
	}
	err = m.conn.Atomic(ctx, func(ctx context.Context) error {
		n, err = call(ctx)
		return err
	})
	return n, err
}

// update sets columns of the rows that match.
func (m *propMachine[T, P]) update(ctx context.Context) {
	var change T
	set := table.Set{}
	add := int32(rapid.IntRange(-1, 2).Draw(m.T, "add"))
	columns := m.columns("mark")
	if slices.Equal(columns, []string{"mark"}) {
		columns = []string{"qty"}
	}
	m.values(P(&change).body())
	if code := m.row(true); rapid.Bool().Draw(m.T, "with a code") {
		P(&change).body().Code = P(&code).body().Code
	}
	b := P(&change).body()
	values := table.Set{"code": b.Code, "name": b.Name, "score": b.Score, "seen": b.Seen, "kind": b.Kind, "qty": b.Qty}
	for _, column := range columns {
		set[column] = values[column]
	}
	computed := slices.Contains(columns, "qty") && rapid.Bool().Draw(m.T, "computed")
	if computed {
		set["qty"] = table.Expr("qty + ?", add)
	}
	q := m.query(false)
	after := m.model.clone()
	matched, refused := int64(0), db.ErrUnknown
	for i := range after.rows {
		if !q.matches(&after.rows[i]) {
			continue
		}
		matched++
		row := after.rows[i]
		for _, column := range columns {
			if computed && column == "qty" {
				P(&row).body().Qty += add
				continue
			}
			propSet[T, P](&row, &change, column)
		}
		if kind := after.put(i, row); kind != db.ErrUnknown && refused != db.ErrCheck {
			refused = kind
		}
	}
	n, err := m.alone(ctx, func(ctx context.Context) (int64, error) { return q.q.Update(ctx, set) })
	switch {
	case refused == db.ErrUnknown && (err != nil || n != matched):
		m.Fatalf("update of %v returned %d, %v, want %d", q, n, err, matched)
	case refused == db.ErrUnknown:
		m.model = after
	case n != 0 || !errors.Is(err, db.ErrUnique) && !errors.Is(err, db.ErrCheck):
		m.Fatalf("update of %v returned %d, %v, want %v", q, n, err, refused)
	}
}

func (m *propMachine[T, P]) deleteRows(ctx context.Context) {
	q := m.query(false)
	before := len(m.model.rows)
	m.model.rows = slices.DeleteFunc(m.model.clone().rows, func(r T) bool { return q.matches(&r) })
	if n, err := q.q.Delete(ctx); err != nil || n != int64(before-len(m.model.rows)) {
		m.Fatalf("delete of %v returned %d, %v, want %d", q, n, err, before-len(m.model.rows))
	}
}

// deleteBatches deletes matching rows in the order of the key, up to a limit.
func (m *propMachine[T, P]) deleteBatches(ctx context.Context) {
	q := m.query(false)
	limit := len(m.model.rows)
	if rapid.Bool().Draw(m.T, "limited") {
		limit = rapid.IntRange(0, 6).Draw(m.T, "limit")
		q.q = q.q.Limit(limit)
	}
	deleted := 0
	m.model.rows = slices.DeleteFunc(m.model.clone().rows, func(r T) bool {
		if deleted == limit || !q.matches(&r) {
			return false
		}
		deleted++
		return true
	})
	size := rapid.IntRange(1, 4).Draw(m.T, "batch")
	if n, err := q.q.DeleteBatches(ctx, size); err != nil || n != int64(deleted) {
		m.Fatalf("delete of %v in batches of %d, up to %d, returned %d, %v, want %d", q, size, limit, n, err, deleted)
	}
}
