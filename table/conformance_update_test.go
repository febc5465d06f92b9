package table_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// wantUpdates checks that n UPDATEs were sent, and a transaction around them where it is not one alone. SQLite prepares one statement and sends
// it for each row of a batch, which is one exchange.
func (w *world) wantUpdates(t *testing.T, n int) {
	t.Helper()
	if got := w.sentOf("UPDATE"); got != n {
		t.Errorf("%d updates, want %d: %v", got, n, w.sent())
	}
}

func TestConformance_143_OneStatement(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 10)
		for i := range rows {
			rows[i].Qty += 100
			rows[i].SKU = "x" + rows[i].SKU
			rows[i].Note = new("changed")
		}
		want := slices.Clone(rows)
		n, err := w.products.BulkUpdate(t.Context(), rows, "qty")
		noError(t, err)
		if n != 10 {
			t.Errorf("%d rows", n)
		}
		w.wantUpdates(t, 1)
		if w.on.Name != testdb.NameSQLite {
			w.wantSent(t, "UPDATE")
		}
		for i, old := range some(10, 1) {
			want[i].SKU, want[i].Note = old.SKU, old.Note
		}
		w.wantStored(t, want)
		w.log.Reset()
		n, err = w.products.BulkUpdate(t.Context(), rows, "note", "sku")
		noError(t, err)
		if n != 10 {
			t.Errorf("%d rows", n)
		}
		w.wantUpdates(t, 1)
		w.wantStored(t, rows)
	})
}

func TestConformance_144_BatchSize(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 7)
		for _, test := range []struct{ size, updates int }{{1, 7}, {3, 3}, {7, 1}} {
			w.log.Reset()
			n, err := w.products.BatchSize(test.size).BulkUpdate(t.Context(), rows, "qty")
			if n != 7 || err != nil {
				t.Errorf("%d rows, %v", n, err)
			}
			w.wantUpdates(t, test.updates)
			if begins := w.sentOf("BEGIN"); begins > 1 {
				t.Errorf("%d transactions", begins)
			}
		}
	})
}

func TestConformance_146_Refused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, rows := range [][]product{nil, {{ID: 1}}} {
			_, err := w.products.BulkUpdate(t.Context(), rows)
			if err == nil {
				t.Error("no columns are accepted")
			}
			_, err = w.products.BulkUpdate(t.Context(), rows, "qty", "skuu")
			wantColumnError(t, err)
			_, err = w.products.BulkUpdate(t.Context(), rows, "qty", "id")
			if value, ok := errAs[*table.ValueError](err); !ok || value.Column != "id" {
				t.Errorf("a key column: %v (%T)", err, err)
			}
			for _, size := range []int{0, -5} {
				_, err = w.products.BatchSize(size).BulkUpdate(t.Context(), rows, "qty")
				wantIs(t, err, table.ErrBatchSize)
				_, err = w.products.BatchSize(size).BulkDelete(t.Context(), rows)
				wantIs(t, err, table.ErrBatchSize)
			}
		}
		w.wantNothingSent(t)
	})
}

func TestConformance_147_WithoutKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3)
		without := slices.Clone(rows)
		without[2].ID = 0
		calls := map[string]func() (int64, error){
			"BulkUpdate": func() (int64, error) { return w.products.BulkUpdate(t.Context(), without, "qty") },
			"BulkDelete": func() (int64, error) { return w.products.BulkDelete(t.Context(), without) },
			"Save":       func() (int64, error) { return 0, w.products.Save(t.Context(), &without[2], "qty") },
		}
		for name, call := range calls {
			_, err := call()
			row, ok := errAs[*table.RowError](err)
			if !ok || row.Column != "id" || row.Table != "product" || name != "Save" && row.Row != 2 {
				t.Errorf("%s: %v (%T)", name, err, err)
			}
		}
		w.wantNothingSent(t)
		w.wantStored(t, rows)
	})
}

func TestConformance_147_KeyZeroIsAKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "CREATE TABLE numbered (id bigint PRIMARY KEY, name varchar(20))", "INSERT INTO numbered VALUES (0, 'zero'), (1, 'one')")
		items := table.Of[numbered](w.DB)
		n, err := items.BulkUpdate(t.Context(), []numbered{{0, "null"}, {1, "eins"}}, "name")
		if n != 2 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		got, err := items.OrderBy("id").List(t.Context())
		noError(t, err)
		if diff := cmp.Diff([]numbered{{0, "null"}, {1, "eins"}}, got); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

// Django counts an object that comes twice once, or twice where it is in two batches, and which of the two wins is chance. Here it is refused.
func TestConformance_148_SameRowTwice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 4)
		twice := append(slices.Clone(rows), rows[1])
		twice[4].Qty = 99
		for _, size := range []int{2, 100} {
			_, err := w.products.BatchSize(size).BulkUpdate(t.Context(), twice, "qty")
			got, ok := errAs[*table.DuplicateKeyError](err)
			if !ok || got.First != 1 || got.Second != 4 {
				t.Errorf("%v (%T)", err, err)
			}
		}
		w.wantNothingSent(t)
		w.wantStored(t, rows)
	})
}

func TestConformance_149_Nulls(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 4) // two of them with a note
		rows[0].Note, rows[1].Note, rows[2].Note = new("now"), nil, new("")
		n, err := w.products.BulkUpdate(t.Context(), rows, "note")
		if n != 4 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		w.wantStored(t, rows)
		for i := range rows {
			rows[i].Note = nil
		}
		_, err = w.products.BulkUpdate(t.Context(), rows, "note")
		noError(t, err)
		w.wantStored(t, rows)
	})
}

// BulkUpdate takes values alone. What the database is to compute goes through Update, with an expression for all rows.
func TestConformance_150_Expression(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 10)
		w.setup(t, "UPDATE product SET qty = qty * 10") // what the program has read is old
		n, err := w.products.Where("qty > ?", 50).Update(t.Context(), table.Set{"qty": table.Expr("qty + ?", 1), "note": table.Expr("sku")})
		if n != 5 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		w.wantSent(t, "UPDATE")
		for i := range rows {
			rows[i].Qty *= 10
			if rows[i].Qty > 50 {
				rows[i].Qty++
				rows[i].Note = &rows[i].SKU
			}
		}
		w.wantStored(t, rows)
	})
}

// A batch of so many rows has more values than a statement has parameters.
func TestConformance_151_ParameterLimit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, size := range []int{2000, 7000} {
			w.setup(t, "DELETE FROM product")
			rows := w.added(t, size)
			for i := range rows {
				rows[i].Qty += 5
				rows[i].Note = nil
			}
			n, err := w.products.BatchSize(size).BulkUpdate(t.Context(), rows, "qty", "note")
			if n != int64(size) || err != nil {
				t.Errorf("%d rows, %v", n, err)
			}
			w.wantStored(t, rows)
		}
	})
}

func TestConformance_152_AllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 30)
		changed := slices.Clone(rows)
		for i := range changed {
			changed[i].Qty += 1000
		}
		changed[17].Qty = -1
		n, err := w.products.BatchSize(10).BulkUpdate(t.Context(), changed, "qty")
		wantIs(t, err, db.ErrCheck)
		if n != 0 {
			t.Errorf("%d rows are said to be updated", n)
		}
		w.wantStored(t, rows)
		n, err = w.products.BatchSize(10).TransactionPerBatch().BulkUpdate(t.Context(), changed, "qty")
		wantIs(t, err, db.ErrCheck)
		if n != 10 {
			t.Errorf("%d rows are said to be updated", n)
		}
		w.wantStored(t, append(slices.Clone(changed[:10]), rows[10:]...))
		w.wantUsable(t)
	})
}

func TestConformance_153_VanishedRows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 10)
		w.setup(t, "DELETE FROM product WHERE qty IN (2, 3)")
		for i := range rows {
			rows[i].Note = new("seen")
		}
		n, err := w.products.BulkUpdate(t.Context(), rows, "note")
		if n != 8 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		w.wantStored(t, slices.Delete(slices.Clone(rows), 1, 3))
		n, err = w.products.BulkUpdate(t.Context(), rows, "note") // rows that have the values already count
		if n != 8 || err != nil {
			t.Errorf("again: %d rows, %v", n, err)
		}
		n, err = w.products.BulkDelete(t.Context(), rows[:5])
		if n != 3 || err != nil {
			t.Errorf("%d rows deleted, %v", n, err)
		}
	})
}

func TestConformance_155_LimitedSet(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		set := table.Set{"qty": 1}
		for _, q := range []table.Query[product]{w.products.Limit(2), w.products.OrderBy("id").Limit(2), w.products.Offset(1), w.products.Limit(0)} {
			_, err := q.Update(t.Context(), set)
			wantIs(t, err, table.ErrSliced)
			_, err = q.Delete(t.Context())
			wantIs(t, err, table.ErrSliced)
		}
		_, err := w.products.Offset(1).DeleteBatches(t.Context(), 1)
		wantIs(t, err, table.ErrSliced)
		_, err = w.products.Update(t.Context(), table.Set{"skuu": "x"}) // of another table, say
		wantColumnError(t, err)
		if _, err = w.products.Update(t.Context(), nil); err == nil {
			t.Error("an update of no columns is accepted")
		}
		w.wantNothingSent(t)
	})
}

func TestConformance_156_Save(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3)
		row := rows[1]
		row.Qty, row.Note = 77, nil
		noError(t, w.products.Save(t.Context(), &row, "qty"))
		rows[1].Qty = 77
		w.wantStored(t, rows) // the note is not named
		noError(t, w.products.Save(t.Context(), &row))
		rows[1].Note = nil
		w.wantStored(t, rows)

		gone := product{ID: 4711, SKU: "gone"}
		wantIs(t, w.products.Save(t.Context(), &gone), table.ErrNotFound, sql.ErrNoRows)
		wantIs(t, w.products.Save(t.Context(), &gone, "qty"), table.ErrNotFound)
		w.wantStored(t, rows)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error { // which breaks no block
			wantIs(t, w.products.Save(ctx, &gone), table.ErrNotFound)
			_, err := w.products.Count(ctx)
			return err
		}))

		w.log.Reset()
		noError(t, w.products.Save(t.Context(), &gone, []string{}...))
		w.wantNothingSent(t)
	})
}
