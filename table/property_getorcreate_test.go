package table_test

import (
	"context"
	"errors"
	"slices"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// propLookup is a key to look a row up by, and the rows that have it.
type propLookup[T any] struct {
	key  table.Key
	row  T // has the key's values and those of a new row
	at   []int
	fill func(*T)
}

// lookup draws a key: the row's own, its code, or its name and number, which are not unique.
func (m *propMachine[T, P]) lookup() propLookup[T] {
	clean := rapid.IntRange(0, 3).Draw(m.T, "clean") > 0
	l := propLookup[T]{row: m.row(clean)}
	if len(m.model.rows) > 0 && rapid.Bool().Draw(m.T, "there") {
		there := m.model.rows[rapid.IntRange(0, len(m.model.rows)-1).Draw(m.T, "row")]
		row := P(&l.row)
		row.body().Code, row.body().Name, row.body().Qty = P(&there).body().Code, P(&there).body().Name, P(&there).body().Qty
		if !m.serial {
			row.setKey(P(&there).key())
		}
	}
	wanted, b := l.row, P(&l.row).body()
	var same func(*T) bool
	switch by := rapid.SampledFrom([]string{"code", "key", "name"}).Draw(m.T, "by"); {
	case by == "key" && !m.serial:
		k := P(&l.row).key()
		l.key = table.Key{"region": k.region, "no": k.no}
		same = func(r *T) bool { return P(r).key() == k }
	case by == "name":
		l.key = table.Key{"name": b.Name, "qty": int(b.Qty)}
		same = func(r *T) bool { return P(r).body().Name == b.Name && P(r).body().Qty == b.Qty }
	default:
		l.key = table.Key{"code": b.Code}
		same = func(r *T) bool { return propSamePointer(P(r).body().Code, b.Code) }
	}
	for i := range m.model.rows {
		if same(&m.model.rows[i]) {
			l.at = append(l.at, i)
		}
	}
	l.fill = func(row *T) { *row = wanted }
	return l
}

func (m *propMachine[T, P]) getOrCreate(ctx context.Context) {
	l := m.lookup()
	row, created, err := m.table.GetOrCreate(ctx, l.key, l.fill)
	if m.looked("get or create", l, created, err) {
		m.oneRow(ctx, "get or create", row, l, created)
	}
}

// looked compares the outcome with the rows that were there, and reports whether there is a row to compare.
func (m *propMachine[T, P]) looked(op string, l propLookup[T], created bool, err error) bool {
	switch {
	case len(l.at) > 1:
		if !errors.Is(err, table.ErrMultiple) || created {
			m.Fatalf("%s %v, of which there are %d, returned %v, %v", op, l.key, len(l.at), created, err)
		}
		return false
	case len(l.at) == 1:
		if err != nil || created {
			m.Fatalf("%s %v, which is there, returned %v, %v", op, l.key, created, err)
		}
		return true
	}
	faults := m.model.insertAll([]T{l.row})
	m.refused("create", err, faults)
	if created != (faults == nil) {
		m.Fatalf("%s %v, which is not there, returned %v, %v", op, l.key, created, err)
	}
	return created
}

// oneRow compares the row that a call has returned with the table's.
func (m *propMachine[T, P]) oneRow(ctx context.Context, op string, row T, l propLookup[T], created bool) {
	if created {
		m.readBack(ctx, []T{row})
		return
	}
	m.same(op, []T{row}, []T{m.model.rows[l.at[0]]})
}

// updateOrCreate sets columns of a row that is there, among them sometimes those of the key.
func (m *propMachine[T, P]) updateOrCreate(ctx context.Context) {
	l := m.lookup()
	var change T
	m.values(P(&change).body())
	b := P(&change).body()
	set := table.Set{"score": b.Score, "seen": b.Seen}
	if _, byNumber := l.key["qty"]; !byNumber {
		set["qty"] = table.Expr("qty - ?", 1)
	}
	if rapid.Bool().Draw(m.T, "rename") {
		set["name"] = b.Name
	}
	refused := db.ErrUnknown
	before := m.model.clone()
	if len(l.at) == 1 {
		row := m.model.rows[l.at[0]]
		for column := range set {
			if column == "qty" {
				P(&row).body().Qty--
				continue
			}
			propSet[T, P](&row, &change, column)
		}
		m.model.rows = slices.Clone(m.model.rows)
		refused = m.model.put(l.at[0], row)
	}
	var row T
	var created bool
	_, err := m.alone(ctx, func(ctx context.Context) (_ int64, err error) {
		row, created, err = m.table.UpdateOrCreate(ctx, l.key, set, l.fill)
		return 0, err
	})
	if refused != db.ErrUnknown {
		if !errors.Is(err, refused) || created {
			m.Fatalf("update or create %v returned %v, %v, want %v", l.key, created, err, refused)
		}
		m.model = before
		return
	}
	if m.looked("update or create", l, created, err) {
		m.oneRow(ctx, "update or create", row, l, created)
	}
}
