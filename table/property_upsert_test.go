package table_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// upsert adds rows, and updates those with the same key or code.
func (m *propMachine[T, P]) upsert(ctx context.Context) {
	by := propUpsert[T, P]{on: m.on, byCode: rapid.Bool().Draw(m.T, "by code")}
	if by.byCode {
		by.on = []string{"code"}
	}
	rows := m.upsertRows(by.byCode)
	var update []string
	if rapid.Bool().Draw(m.T, "some columns") {
		update = m.columns("code")
	}
	t, size := m.cut(ctx)
	first, second := by.twice(rows)
	if m.name == testdb.NameMariaDB {
		// Either key sets the update off, so neither can be chosen.
		if n, err := t.Upsert(ctx, rows, by.on, update...); !errors.Is(err, table.ErrConflictOption) || n != 0 {
			m.Fatalf("upsert on %v returned %d, %v", by.on, n, err)
		}
		if by.on = nil; second > 0 {
			return
		}
	}
	if second > 0 {
		n, err := t.Upsert(ctx, rows, by.on, update...)
		twice, ok := errors.AsType[*table.DuplicateKeyError](err)
		if !ok || n != 0 || twice.First != first || twice.Second != second {
			m.Fatalf("upsert on %v with the rows %d and %d alike returned %d, %v", by.on, first, second, n, err)
		}
		return
	}
	by.columns = update
	if len(update) == 0 {
		by.columns = slices.DeleteFunc(slices.Clone(propColumns), func(c string) bool { return slices.Contains(by.on, c) })
	}
	done, faults := propApply(rows, size, func(batch []T) map[int]db.Kind { return by.all(&m.model, batch) })
	given := slices.Clone(rows)
	n, err := t.Upsert(ctx, rows, by.on, update...)
	m.refused("create", err, faults)
	if want := int64(done) * propKept(size, faults); n != want {
		m.Fatalf("upsert returned %d, want %d", n, want)
	}
	if err == nil {
		m.sync(ctx)
		m.upserted(given, rows, by)
	}
}

// upsertRows draws rows of which some are there already. The column that does not decide violates its constraint, where it does, with a row
// that is not in the call, so that the order does not matter.
func (m *propMachine[T, P]) upsertRows(byCode bool) []T {
	rows := make([]T, rapid.IntRange(1, 6).Draw(m.T, "rows"))
	there := m.model.clone().rows
	if len(there) > 1 {
		there = rapid.Permutation(there).Draw(m.T, "there")
	}
	clash := m.name != testdb.NameMariaDB && len(there) > len(rows) && rapid.IntRange(0, 5).Draw(m.T, "clash") == 0
	for i := range rows {
		rows[i] = m.row(true)
		row, b := P(&rows[i]), P(&rows[i]).body()
		exists := i < len(there) && rapid.IntRange(0, 2).Draw(m.T, "exists") > 0
		switch {
		case exists && byCode && P(&there[i]).body().Code != nil:
			b.Code = P(&there[i]).body().Code
		case exists && !byCode:
			row.setKey(P(&there[i]).key())
		}
		if clash && !byCode && i == 0 {
			b.Code = P(&there[len(rows)]).body().Code
		}
	}
	if rapid.IntRange(0, 9).Draw(m.T, "negative") == 0 {
		P(&rows[0]).body().Qty = -1
	}
	if rapid.IntRange(0, 5).Draw(m.T, "twice") == 0 {
		again := m.row(true)
		if byCode {
			P(&again).body().Code = P(&rows[0]).body().Code
		} else {
			P(&again).setKey(P(&rows[0]).key())
		}
		rows = append(rows, again)
	}
	return rows
}

// columns draws columns to be written, but not that one.
func (m *propMachine[T, P]) columns(without string) []string {
	some := rapid.Permutation(propColumns).Draw(m.T, "columns")[:rapid.IntRange(1, len(propColumns)).Draw(m.T, "number of columns")]
	some = slices.DeleteFunc(slices.Clone(some), func(c string) bool { return c == without })
	if len(some) == 0 {
		return []string{"mark"}
	}
	return some
}

// propUpsert is what one upsert does.
type propUpsert[T any, P propRow[T]] struct {
	on      []string
	byCode  bool
	columns []string
}

// same is what makes a row the same as another; nil where nothing does.
func (u propUpsert[T, P]) same(row T) any {
	switch r := P(&row); {
	case u.byCode && r.body().Code != nil:
		return *r.body().Code
	case !u.byCode && r.key() != (propKey{}):
		return r.key()
	}
	return nil
}

// twice returns the first two rows that are the same.
func (u propUpsert[T, P]) twice(rows []T) (first, second int) {
	seen := map[any]int{}
	for i, row := range rows {
		key := u.same(row)
		if key == nil {
			continue
		}
		if before, ok := seen[key]; ok {
			return before, i
		}
		seen[key] = i
	}
	return 0, 0
}

func (u propUpsert[T, P]) find(m *propModel[T, P], row T) int {
	if u.byCode {
		return m.findCode(P(&row).body().Code)
	}
	return m.find(P(&row).key())
}

// all does the upsert to a model, or says which rows are at fault.
func (u propUpsert[T, P]) all(m *propModel[T, P], rows []T) (faults map[int]db.Kind) {
	after := m.clone()
	for i, row := range rows {
		if refused := u.one(&after, row); refused != db.ErrUnknown {
			faults = propFault(faults, i, refused)
		}
	}
	if faults == nil {
		*m = after
	}
	return faults
}

func (u propUpsert[T, P]) one(m *propModel[T, P], row T) db.Kind {
	at := u.find(m, row)
	switch {
	case P(&row).body().Qty < 0:
		return db.ErrCheck // of the row that was to be added, whatever the update would make of it
	case at < 0:
		return m.insert(row)
	}
	if P(&row).body().Kind == "" {
		P(&row).body().Kind = "plain"
	}
	updated := m.rows[at]
	for _, column := range u.columns {
		propSet[T, P](&updated, &row, column)
	}
	return m.put(at, updated)
}

// upserted checks what was read back.
func (m *propMachine[T, P]) upserted(given, rows []T, u propUpsert[T, P]) {
	for i := range rows {
		row := P(&rows[i])
		at := slices.IndexFunc(m.model.rows, func(r T) bool {
			if u.same(rows[i]) == nil {
				return P(&r).body().Mark == row.body().Mark
			}
			return u.same(r) == u.same(rows[i])
		})
		if at < 0 {
			m.Fatalf("row %d, %+v, is not in the table", i, rows[i])
		}
		stored := P(&m.model.rows[at])
		kind := cmp.Or(P(&given[i]).body().Kind, stored.body().Kind) // read back where it was left out
		if m.serial && row.key() != stored.key() || row.body().Twice != stored.body().Twice || row.body().Kind != kind {
			m.Fatalf("row %d was read back as %s, and is %s", i, fmt.Sprintf("%+v", rows[i]), fmt.Sprintf("%+v", m.model.rows[at]))
		}
	}
}
