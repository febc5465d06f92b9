package table_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// seq is a sequence of rows that never fails.
func seq[T any](rows []T) func(yield func(T, error) bool) {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func TestConformance_114_OneStatement(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := some(4, 1)
		n, err := w.products.BulkCreate(t.Context(), rows)
		noError(t, err)
		if n != 4 {
			t.Errorf("%d rows added", n)
		}
		w.wantSent(t, "INSERT")
		w.wantStored(t, rows)
		want := some(4, 1)
		for i := range want {
			want[i].ID = rows[i].ID
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("returned (-want +got):\n%s", diff)
		}
	})
}

// The same without reading keys back; of many rows it is PostgreSQL's COPY, with a look at the table's columns in the same transaction.
func TestConformance_114_NoReadBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, test := range []struct {
			rows int
			sent []string
		}{{4, []string{"INSERT"}}, {500, map[bool][]string{true: {"BEGIN", "COPY", "COMMIT"}, false: {"INSERT"}}[w.isPostgres()]}} {
			w.setup(t, "DELETE FROM product")
			w.log.Reset()
			rows := some(test.rows, 1)
			n, err := w.products.BulkCreate(t.Context(), rows, table.NoReadBack())
			noError(t, err)
			if n != int64(test.rows) {
				t.Errorf("%d rows added, want %d", n, test.rows)
			}
			w.wantSent(t, test.sent...)
			wantRows(t, "the caller's rows", some(test.rows, 1), rows)
			stored := w.stored(t)
			for i := range stored {
				stored[i].ID = 0
			}
			wantRows(t, "stored", rows, stored)
		}
	})
}

func TestConformance_116_BatchSizeRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, size := range []int{0, -1} {
			for _, rows := range [][]product{nil, some(2, 1)} {
				items := w.products.BatchSize(size)
				_, err := items.BulkCreate(t.Context(), rows)
				wantIs(t, err, table.ErrBatchSize)
				_, err = items.BulkCreateSeq(t.Context(), seq(rows))
				wantIs(t, err, table.ErrBatchSize)
				_, err = items.Upsert(t.Context(), rows, []string{"sku"})
				wantIs(t, err, table.ErrBatchSize)
			}
		}
		w.wantNothingSent(t)
	})
}

func TestConformance_117_BatchSize(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, test := range []struct{ size, inserts, begins int }{{50, 2, 1}, {33, 4, 1}, {100, 1, 0}, {1000, 1, 0}} {
			w.log.Reset()
			_, err := w.products.BatchSize(test.size).BulkCreate(t.Context(), some(100, 1000*test.size))
			noError(t, err)
			if got := w.sentOf("INSERT", "COPY"); got != test.inserts {
				t.Errorf("batch size %d: %d inserts, want %d", test.size, got, test.inserts)
			}
			if got := w.sentOf("BEGIN"); got != test.begins {
				t.Errorf("batch size %d: %d transactions, want %d: %v", test.size, got, test.begins, w.sent())
			}
		}
		if got := w.count(t, "SELECT COUNT(*) FROM product"); got != 400 {
			t.Errorf("%d rows are stored", got)
		}
	})
}

// A statement of MariaDB takes 65,535 parameters and one of SQLite 32,766; PostgreSQL takes a column as one.
func TestConformance_118_ParameterLimit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const rows = 22_000 // of three columns
		list := some(rows, 0)
		n, err := w.products.BatchSize(rows).BulkCreate(t.Context(), list)
		noError(t, err)
		if n != rows {
			t.Errorf("%d rows added", n)
		}
		if got := w.count(t, "SELECT COUNT(DISTINCT sku) FROM product"); got != rows {
			t.Errorf("%d rows are stored", got)
		}
		if list[rows-1].ID != list[0].ID+rows-1 {
			t.Errorf("the keys are %d to %d", list[0].ID, list[rows-1].ID)
		}
	})
}

type pair struct {
	A int64 `db:"a"`
	B int64 `db:"b"`
}

func TestConformance_119_FewStatements(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "CREATE TABLE pair (a bigint, b bigint)")
		rows := make([]pair, 1001)
		for i := range rows {
			rows[i] = pair{int64(i), int64(-i)}
		}
		n, err := table.Of[pair](w.DB).BulkCreate(t.Context(), rows)
		noError(t, err)
		if n != 1001 || w.count(t, "SELECT COUNT(*) FROM pair WHERE a = -b") != 1001 {
			t.Errorf("%d rows added, %d stored", n, w.count(t, "SELECT COUNT(*) FROM pair"))
		}
		if got := len(w.sent()); got >= 10 {
			t.Errorf("%d statements: %v", got, w.sent())
		}
	})
}

func TestConformance_120_WithAndWithoutKey(t *testing.T) {
	for _, opts := range [][]table.CreateOption{nil, {table.NoReadBack()}} {
		each(t, func(t *testing.T, w *world) {
			rows := some(1000, 1)
			for i := range rows {
				if i%2 == 0 {
					rows[i].ID = 1_000_000 - int64(i) // never one that the database makes, above the highest
				}
			}
			n, err := w.products.BulkCreate(t.Context(), rows, opts...)
			noError(t, err)
			if n != 1000 {
				t.Errorf("%d rows added", n)
			}
			if begins, commits := w.sentOf("BEGIN"), w.sentOf("COMMIT"); begins != 1 || commits != 1 {
				t.Errorf("%d transactions begun and %d committed: %v", begins, commits, w.sent())
			}
			bySKU := map[string]product{}
			for _, p := range w.stored(t) {
				bySKU[p.SKU] = p
			}
			for i, row := range rows {
				stored := bySKU[row.SKU]
				switch {
				case i%2 == 0 && row.ID != 1_000_000-int64(i), row.ID == 0 && opts == nil:
					t.Fatalf("row %d has the key %d", i, row.ID)
				case row.ID == 0:
					row.ID = stored.ID
				}
				if diff := cmp.Diff(row, stored); diff != "" {
					t.Fatalf("row %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestConformance_121_NoUnnecessaryTransaction(t *testing.T) {
	tests := []struct {
		name string
		call func(ctx context.Context, w *world) error
	}{
		{"Create", func(ctx context.Context, w *world) error { return w.products.Create(ctx, new(one(1))) }},
		{"BulkCreate", func(ctx context.Context, w *world) error {
			_, err := w.products.BulkCreate(ctx, some(10, 10))
			return err
		}},
		{"NoReadBack", func(ctx context.Context, w *world) error {
			_, err := w.products.BulkCreate(ctx, some(10, 20), table.NoReadBack())
			return err
		}},
		{"IgnoreConflicts", func(ctx context.Context, w *world) error {
			_, err := w.products.BulkCreate(ctx, some(10, 30), table.IgnoreConflicts())
			return err
		}},
		{"Upsert", func(ctx context.Context, w *world) error {
			_, err := w.products.Upsert(ctx, some(10, 40), []string{"sku"})
			return err
		}},
	}
	each(t, func(t *testing.T, w *world) {
		for _, test := range tests {
			w.log.Reset()
			noError(t, test.call(t.Context(), w))
			if got := w.sent(); len(got) != 1 {
				t.Errorf("%s: sent %v", test.name, got)
			}
		}
	})
}

func TestConformance_122_AllOrNothing(t *testing.T) {
	calls := map[string]func(ctx context.Context, items table.Table[product], rows []product) (int64, error){
		"slice": func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
			return items.BulkCreate(ctx, rows)
		},
		"no read back": func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
			return items.BulkCreate(ctx, rows, table.NoReadBack())
		},
		"sequence": func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
			return items.BulkCreateSeq(ctx, seq(rows))
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				rows := some(30, 1)
				rows[25].SKU = rows[3].SKU
				n, err := call(t.Context(), w.products.BatchSize(10), rows)
				wantIs(t, err, db.ErrUnique)
				if n != 0 {
					t.Errorf("%d rows are said to be added", n)
				}
				w.wantStored(t, nil)
				// One transaction a batch: what is done stays done.
				n, err = call(t.Context(), w.products.BatchSize(10).TransactionPerBatch(), rows)
				wantIs(t, err, db.ErrUnique)
				if n != 20 {
					t.Errorf("%d rows are said to be added", n)
				}
				if got := w.count(t, "SELECT COUNT(*) FROM product"); got != 20 {
					t.Errorf("%d rows are stored", got)
				}
				w.wantUsable(t)
			})
		})
	}
}

func TestConformance_124_GeneratedKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := some(2345, 1)
		slices.Reverse(rows) // so that the order is not that of the unique column
		_, err := w.products.BatchSize(1000).BulkCreate(t.Context(), rows)
		noError(t, err)
		for i := range rows {
			if rows[i].ID == 0 || i > 0 && rows[i].ID <= rows[i-1].ID {
				t.Fatalf("row %d has the key %d", i, rows[i].ID)
			}
		}
		w.wantStored(t, rows)
	})
}

// Case 125 is MySQL's, of which there is no server here. What a caller sees there is what NoReadBack and a sequence leave: the keys are zero
// (case 114).

func TestConformance_127_Nulls(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for k, opts := range [][]table.CreateOption{nil, {table.NoReadBack()}} {
			rows := []product{
				{SKU: fmt.Sprint("a", k)},
				{SKU: fmt.Sprint("b", k), Note: new("")},
				{SKU: fmt.Sprint("c", k), Note: new("x")},
				{SKU: fmt.Sprint("d", k)},
			}
			_, err := w.products.BulkCreate(t.Context(), rows, opts...)
			noError(t, err)
			stored := w.stored(t)[4*k:]
			for i := range rows {
				rows[i].ID = stored[i].ID
			}
			if diff := cmp.Diff(rows, stored); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		}
	})
}

// An error of the sequence is the call's, and nothing is stored.
func TestConformance_122_FailingSequence(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		n, err := w.products.BatchSize(10).BulkCreateSeq(t.Context(), func(yield func(product, error) bool) {
			for i := range 25 {
				if !yield(one(i), nil) {
					return
				}
			}
			yield(product{}, errOops)
		})
		if !errors.Is(err, errOops) || n != 0 {
			t.Errorf("%d rows added, error %v", n, err)
		}
		w.wantStored(t, nil)
		w.wantUsable(t)
	})
}
