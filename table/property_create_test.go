package table_test

import (
	"context"
	"errors"
	"iter"
	"slices"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

func (m *propMachine[T, P]) create(ctx context.Context) {
	row := m.newRows(1)
	if len(row) == 0 {
		return
	}
	given := row[0]
	faults := m.model.insertAll(slices.Clone(row))
	err := m.table.Create(ctx, &row[0])
	m.refused("create", err, faults)
	if err != nil {
		m.untouched("a row that was refused", row, []T{given})
		return
	}
	m.readBack(ctx, row)
}

// bulkCreate adds rows with and without keys and defaults.
func (m *propMachine[T, P]) bulkCreate(ctx context.Context) {
	rows := m.newRows(8)
	given, stored := slices.Clone(rows), slices.Clone(rows)
	var opts []table.CreateOption
	way := rapid.SampledFrom([]string{"", "", "no read back", "value", "expression"}).Draw(m.T, "way")
	switch way {
	case "no read back":
		opts = append(opts, table.NoReadBack())
	case "value":
		opts = append(opts, table.Assign(table.Set{"name": "assigned"}))
	case "expression":
		opts = append(opts, table.Assign(table.Set{"qty": table.Expr("1 + ?", 2), "kind": "z"}))
	}
	for i := range stored {
		switch b := P(&stored[i]).body(); way {
		case "value":
			b.Name = "assigned"
		case "expression":
			b.Qty, b.Kind = 3, "z"
		}
	}
	t, size := m.cut(ctx)
	done, faults := propApply(stored, size, m.model.insertAll)
	n, err := t.BulkCreate(ctx, rows, opts...)
	m.refused("create", err, faults)
	if n != int64(done)*propKept(size, faults) {
		m.Fatalf("create returned %d, want %d", n, done)
	}
	kept := done * int(propKept(size, faults))
	if way == "no read back" {
		m.untouched("rows that are not read back", rows, given)
		return
	}
	m.untouched("rows that were not kept", rows[kept:], given[kept:])
	m.readBack(ctx, rows[:kept])
}

// propKept is 1 where the batches before a failed one stay.
func propKept(size int, faults map[int]db.Kind) int64 {
	if size == 0 && faults != nil {
		return 0
	}
	return 1
}

func (m *propMachine[T, P]) untouched(what string, rows, given []T) {
	if !slices.EqualFunc(rows, given, propSame[T, P]) {
		m.Fatalf("%s were changed:\n%+v\n%+v", what, given, rows)
	}
}

// readBack compares rows that a call has filled with those of the table.
func (m *propMachine[T, P]) readBack(ctx context.Context, rows []T) {
	m.sync(ctx)
	for i, row := range rows {
		at := slices.IndexFunc(m.model.rows, func(r T) bool { return P(&r).body().Mark == P(&row).body().Mark })
		if at < 0 || !propSame[T, P](propStored[T, P](row), m.model.rows[at]) || P(&row).body().Twice != 2*P(&row).body().Qty {
			m.Fatalf("row %d was read back as %+v, and is %+v (%d)", i, row, m.model.rows, at)
		}
	}
}

// ignoreConflicts adds the rows that nothing is in the way of. Rows that exclude each other leave out the same columns, so that the first
// one is added on every database.
func (m *propMachine[T, P]) ignoreConflicts(ctx context.Context) {
	rows := m.newRows(8)
	for i := range rows {
		if b := P(&rows[i]).body(); b.Kind == "" {
			b.Kind = "x"
		}
		if m.serial && P(&rows[0]).key() == (propKey{}) {
			P(&rows[i]).setKey(propKey{})
		} else if m.serial && P(&rows[i]).key() == (propKey{}) {
			P(&rows[i]).setKey(propKey{no: 1000 + int64(i)})
		}
	}
	given := slices.Clone(rows)
	t, size := m.cut(ctx)
	added := int64(0)
	_, faults := propApply(rows, size, func(batch []T) (faults map[int]db.Kind) {
		after, n := m.model.clone(), int64(0)
		for i, row := range batch {
			switch refused := after.insert(row); refused {
			case db.ErrUnknown:
				n++
			case db.ErrUnique:
			default:
				faults = propFault(faults, i, refused)
			}
		}
		if faults == nil {
			m.model, added = after, added+n
		}
		return faults
	})
	n, err := t.BulkCreate(ctx, rows, table.IgnoreConflicts())
	m.refused("create", err, faults)
	if n != added {
		m.Fatalf("create with conflicts returned %d, want %d of %d", n, added, len(rows))
	}
	m.untouched("rows of which conflicts are ignored", rows, given)
}

var errPropSequence = errors.New("the sequence ends")

// createSequence adds the rows of a sequence, which sometimes ends with an error.
func (m *propMachine[T, P]) createSequence(ctx context.Context) {
	rows := m.newRows(8)
	t, size := m.cut(ctx)
	fails := rapid.IntRange(0, 4).Draw(m.T, "fails") == 0
	sequence := func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
		if fails {
			var none T
			yield(none, errPropSequence)
		}
	}
	before := m.model.clone()
	whole := rows
	if fails && size > 0 { // the last batch is never sent
		whole = rows[:len(rows)/size*size]
	}
	done, faults := propApply(whole, size, m.model.insertAll)
	if fails && size == 0 {
		m.model = before
	}
	n, err := t.BulkCreateSeq(ctx, iter.Seq2[T, error](sequence))
	switch {
	case fails && faults == nil:
		if !errors.Is(err, errPropSequence) {
			m.Fatalf("the error of the sequence is %v", err)
		}
	case fails && size == 0: // whether a row is refused first depends on the batches
		if _, refused := errors.AsType[*table.RowError](err); !refused && !errors.Is(err, errPropSequence) {
			m.Fatalf("the error is %v", err)
		}
	default:
		m.refused("create", err, faults)
	}
	if want := int64(done); err == nil && n != want || err != nil && size > 0 && n != want || err != nil && size == 0 && n != 0 {
		m.Fatalf("create returned %d, want %d, after %v", n, want, err)
	}
}
