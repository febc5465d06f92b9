package table_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// Everything that is called on B goes to B, whatever the query was made with and whatever block of A it is in.
func TestConformance_195_Using(t *testing.T) {
	each(t, func(t *testing.T, a *world) {
		b := newWorld(t, testdb.Fresh(t, a.on.Name), db.Alias("b"))
		there := a.added(t, 3)
		before := a.on.Dump(t)
		noError(t, a.Atomic(t.Context(), func(ctx context.Context) error {
			a.log.Reset()
			b.useEverything(t, ctx, a.products.Using(b.DB))
			a.wantNothingSent(t)
			return nil
		}))
		if diff := cmp.Diff(before, a.on.Dump(t)); diff != "" {
			t.Errorf("A has changed (-before +after):\n%s", diff)
		}
		a.wantStored(t, there)
	})
}

// useEverything calls every method that sends something.
func (w *world) useEverything(t *testing.T, ctx context.Context, items table.Table[product]) {
	t.Helper()
	rows := some(5, 1)
	_, err := items.BulkCreate(ctx, rows)
	noError(t, err)
	_, err = items.BulkCreateSeq(ctx, seq(some(5, 10)))
	noError(t, err)
	_, err = items.Upsert(ctx, some(2, 1), []string{"sku"}, "note")
	noError(t, err)
	_, _, err = items.GetOrCreate(ctx, table.Key{"sku": "x"}, nil)
	noError(t, err)
	got, created, err := items.GetOrCreate(ctx, table.Key{"sku": "x"}, nil)
	if err != nil || created || got.ID == 0 {
		t.Errorf("the read half of GetOrCreate: %+v, %v, %v", got, created, err)
	}
	_, _, err = items.UpdateOrCreate(ctx, table.Key{"sku": "x"}, table.Set{"qty": 4}, nil)
	noError(t, err)
	noError(t, items.Create(ctx, new(one(50))))
	noError(t, items.Save(ctx, &rows[0]))
	_, err = items.BulkUpdate(ctx, rows, "qty")
	noError(t, err)
	_, err = items.Where("qty > ?", 3).Update(ctx, table.Set{"note": "b"})
	noError(t, err)
	n, err := items.Count(ctx)
	if n != 12 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	for _, way := range ways {
		list, err := read(items.OrderBy("id").All(ctx, way.opts...))
		if len(list) != 12 || err != nil {
			t.Errorf("%s: %d rows, %v", way.name, len(list), err)
		}
	}
	byKey, err := table.InBulk(ctx, items, []int64{rows[0].ID})
	if len(byKey) != 1 || err != nil {
		t.Errorf("InBulk: %v, %v", byKey, err)
	}
	ids, err := table.Column[int64](items.OrderBy("id"), "id").List(ctx)
	if len(ids) != 12 || err != nil {
		t.Errorf("Column: %v, %v", ids, err)
	}
	_, err = items.BulkDelete(ctx, rows[:2])
	noError(t, err)
	_, err = items.Where("qty < ?", 5).DeleteBatches(ctx, 2)
	noError(t, err)
	_, err = items.Delete(ctx)
	noError(t, err)
	w.wantStored(t, nil)
}

// The cascades of a delete are B's.
func TestConformance_195_Cascades(t *testing.T) {
	each(t, func(t *testing.T, a *world) {
		b := newWorld(t, testdb.Fresh(t, a.on.Name), db.Alias("b"))
		a.withArtists(t, 2)
		rows := b.withArtists(t, 2)
		n, err := table.Of[artist](a.DB).Using(b.DB).BulkDelete(t.Context(), rows)
		if n != 2 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		if in, out := a.count(t, "SELECT COUNT(*) FROM song"), b.count(t, "SELECT COUNT(*) FROM song"); in != 2 || out != 0 {
			t.Errorf("%d songs in A and %d in B", in, out)
		}
		a.wantNothingSent(t)
	})
}

// Case 196 is package db's: a table is given an open database and no alias.
