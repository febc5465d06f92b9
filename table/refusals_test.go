package table_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

type typo struct {
	ID   int64  `db:"id,pk"`
	SKUU string `db:"skuu"`
}

func drop[T any](_ T, err error) error { return err }

func TestRefusals_UnknownColumn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, items, rows := t.Context(), w.products, some(2, 1)
		bad := items.OrderBy("skuu")
		for name, err := range map[string]error{
			"OrderBy, List":      drop(bad.List(ctx)),
			"OrderBy, All":       drop(read(bad.All(ctx))),
			"OrderBy, FetchMany": drop(read(bad.FetchMany(ctx, 10))),
			"OrderBy, First":     drop(bad.First(ctx)),
			"OrderBy, Last":      drop(bad.Last(ctx)),
			"OrderBy, Get":       drop(bad.Get(ctx)),
			"OrderBy, Count":     drop(bad.Count(ctx)),
			"OrderBy, Exists":    drop(bad.Exists(ctx)),
			"OrderBy, Update":    drop(bad.Update(ctx, table.Set{"qty": 1})),
			"OrderBy, Delete":    drop(bad.Delete(ctx)),
			"OrderBy, batches":   drop(bad.DeleteBatches(ctx, 5)),
			"OrderBy, InBulk":    drop(table.InBulk(ctx, bad, []int64{1})),
			"OrderBy, Values":    drop(bad.Values().List(ctx)),
			"OrderBy, Into":      drop(table.Into[skuOnly](bad).List(ctx)),
			"minus":              drop(items.OrderBy("-skuu").List(ctx)),
			"DESC":               drop(items.OrderBy("id", "skuu DESC").List(ctx)),
			"Only":               drop(items.Only("id", "skuu").List(ctx)),
			"Defer":              drop(items.Defer("skuu").List(ctx)),
			"Values":             drop(items.Values("id", "skuu").List(ctx)),
			"Tuples":             drop(read(items.Tuples("skuu").All(ctx))),
			"Column":             drop(table.Column[string](items, "skuu").One(ctx)),
			"Into":               drop(read(table.Into[typo](items).All(ctx))),
			"Update":             drop(items.Update(ctx, table.Set{"qty": 1, "skuu": 2})),
			"BulkUpdate":         drop(items.BulkUpdate(ctx, rows, "qty", "skuu")),
			"Save":               items.Save(ctx, &rows[0], "skuu"),
			"Upsert on":          drop(items.Upsert(ctx, rows, []string{"skuu"})),
			"Upsert update":      drop(items.Upsert(ctx, rows, []string{"sku"}, "skuu")),
			"Assign":             drop(items.BulkCreate(ctx, rows, table.Assign(table.Set{"skuu": 1}))),
			"Create, Assign":     items.Create(ctx, &rows[0], table.Assign(table.Set{"skuu": 1})),
		} {
			got, ok := errAs[*table.ColumnError](err)
			if !ok {
				t.Errorf("%s: %v (%T)", name, err, err)
				continue
			}
			if diff := cmp.Diff(table.ColumnError{Table: "product", Column: "skuu", Nearest: "sku"}, *got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if got.Error() != `table product has no column "skuu"` || got.Hint() != `did you mean "sku"?` {
				t.Errorf("%s: %q, hint %q", name, got.Error(), got.Hint())
			}
		}
		w.wantNothingSent(t)
	})
}

// A column that the type has and the table does not.
func TestRefusals_ColumnOfTheTypeAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		items := table.Of[typo](w.DB, table.Name("product"))
		for name, err := range map[string]error{
			"List":       drop(items.List(t.Context())),
			"BulkCreate": drop(items.BulkCreate(t.Context(), []typo{{1, "a"}, {2, "b"}})),
			"sequence":   drop(items.BulkCreateSeq(t.Context(), seq([]typo{{1, "a"}, {2, "b"}}))),
			"BulkUpdate": drop(items.BulkUpdate(t.Context(), []typo{{1, "a"}, {2, "b"}}, "skuu")),
			"Update":     drop(items.Update(t.Context(), table.Set{"skuu": "a"})),
		} {
			if _, ok := errAs[*table.ColumnError](err); !ok && db.KindOf(err) != db.ErrUndefinedColumn {
				t.Errorf("%s: %v (%T)", name, err, err)
			}
			if err != nil && !strings.Contains(err.Error(), "skuu") {
				t.Errorf("%s: %v does not name the column", name, err)
			}
		}
		w.wantStored(t, nil)
	})
}

func TestRefusals_NoSuchTable(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		items := table.Of[product](w.DB, table.Name("produkt"))
		for name, err := range map[string]error{
			"List":          drop(items.List(t.Context())),
			"All":           drop(read(items.All(t.Context()))),
			"BulkCreate":    drop(items.BulkCreate(t.Context(), some(2, 1))),
			"sequence":      drop(items.BulkCreateSeq(t.Context(), seq(some(2, 1)))),
			"BulkUpdate":    drop(items.BulkUpdate(t.Context(), []product{{ID: 1}, {ID: 2}}, "qty")),
			"BulkDelete":    drop(items.BulkDelete(t.Context(), []product{{ID: 1}, {ID: 2}})),
			"DeleteBatches": drop(items.DeleteBatches(t.Context(), 2)),
		} {
			wantIs(t, err, db.ErrUndefinedTable)
			if !strings.Contains(err.Error(), "produkt") {
				t.Errorf("%s: %v does not name the table", name, err)
			}
		}
		w.wantUsable(t)
	})
}

func TestRefusals_WrongType(t *testing.T) {
	values := []struct {
		name, column string
		value        any
	}{
		{"a text for a number", "qty", "text"},
		{"a digit text for a number", "qty", "5"},
		{"a number for a text", "sku", 5},
		{"a fraction for an integer", "qty", 1.5},
		{"a bool for a number", "qty", true},
		{"NULL for what cannot be NULL", "sku", nil},
		{"a nil pointer for what cannot be NULL", "sku", (*string)(nil)},
		{"a struct", "qty", struct{ A int }{1}},
		{"a time for a text", "note", time.Now()},
		{"a number for a nullable text", "note", 5},
		{"too large a number", "qty", uint64(1 << 63)},
		{"a slice", "qty", []int64{1, 2}},
		{"a channel", "note", make(chan int)},
	}
	each(t, func(t *testing.T, w *world) {
		for _, v := range values {
			ctx := t.Context()
			for call, err := range map[string]error{
				"Update":                drop(w.products.Update(ctx, table.Set{v.column: v.value})),
				"Assign":                drop(w.products.BulkCreate(ctx, some(2, 1), table.Assign(table.Set{v.column: v.value}))),
				"GetOrCreate":           drop2(w.products.GetOrCreate(ctx, table.Key{v.column: v.value}, nil)),
				"UpdateOrCreate":        drop2(w.products.UpdateOrCreate(ctx, table.Key{v.column: v.value}, nil, nil)),
				"UpdateOrCreate update": drop2(w.products.UpdateOrCreate(ctx, table.Key{"id": 1}, table.Set{v.column: v.value}, nil)),
			} {
				got, ok := errAs[*table.ValueError](err)
				if !ok || got.Table != "product" || got.Column != v.column {
					t.Errorf("%s of %s: %v (%T)", call, v.name, err, err)
				}
			}
		}
		w.wantNothingSent(t)
	})
}

func drop2[T any](_ T, _ bool, err error) error { return err }

// What fits although it is of another type.
func TestRefusals_FittingTypes(t *testing.T) {
	type code string
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 1)
		for _, set := range []table.Set{
			{"qty": int8(4), "sku": code("x")},
			{"qty": uint16(4), "sku": new("x")},
			{"qty": new(4), "note": sql.NullString{}, "sku": "x"},
			{"qty": 4.0, "note": (*string)(nil)},
		} {
			n, err := w.products.Update(t.Context(), set)
			if n != 1 || err != nil {
				t.Errorf("%v: %d rows, %v", set, n, err)
			}
		}
		rows[0].Qty, rows[0].SKU = 4, "x"
		w.wantStored(t, rows)
	})
}

type strict struct {
	ID   int64  `db:"id,pk,auto"`
	SKU  string `db:"sku"`
	Note string `db:"note"` // cannot be NULL
}

func TestRefusals_NullRead(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 6) // the odd ones have no note
		items := table.Of[strict](w.DB, table.Name("product"))
		calls := map[string]func(ctx context.Context) error{
			"List":   func(ctx context.Context) error { return drop(items.List(ctx)) },
			"Get":    func(ctx context.Context) error { return drop(items.Where("id = ?", rows[2].ID).Get(ctx)) },
			"InBulk": func(ctx context.Context) error { return drop(table.InBulk(ctx, items, []int64{rows[0].ID})) },
			"Column": func(ctx context.Context) error { return drop(table.Column[string](items, "note").List(ctx)) },
			"Into":   func(ctx context.Context) error { return drop(table.Into[strict](w.products).List(ctx)) },
			"Raw": func(ctx context.Context) error {
				return drop(table.Raw[strict](w.DB, "SELECT id, sku, note FROM product").List(ctx))
			},
			"GetOrCreate": func(ctx context.Context) error {
				return drop2(items.GetOrCreate(ctx, table.Key{"sku": "p00001"}, nil))
			},
		}
		for _, way := range ways {
			calls["All "+way.name] = func(ctx context.Context) error {
				var ids []int64
				err := error(nil)
				for row, rowErr := range items.Where("qty <> ?", 1).OrderBy("id").All(ctx, withPage(way.opts, 1)...) {
					if err = rowErr; err == nil {
						ids = append(ids, row.ID)
					}
				}
				if want := []int64{rows[1].ID}; !cmp.Equal(want, ids) {
					t.Errorf("%s: rows %v came before the error, want %v", way.name, ids, want)
				}
				return err
			}
		}
		for name, call := range calls {
			inAndOut(t, w, func(ctx context.Context, where string) {
				err := call(ctx)
				got, ok := errAs[*table.ValueError](err)
				if !ok || got.Column != "note" || !strings.Contains(got.Error(), "NULL was read into a field that cannot hold it") {
					t.Errorf("%s %s: %v (%T)", name, where, err, err)
				}
				_, err = w.products.Count(ctx) // the database has done nothing wrong: a block goes on
				if err != nil {
					t.Errorf("%s %s: a statement afterwards: %v", name, where, err)
				}
			})
		}
		w.wantFree(t, "NULL")
		w.wantUsable(t)
	})
}

func TestRefusals_DryRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 10)
		before := w.on.Dump(t)
		preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			n1, err1 := w.products.BatchSize(7).BulkCreate(ctx, some(20, 100))
			n2, err2 := w.products.BulkCreate(ctx, some(5, 200), table.NoReadBack())
			n3, err3 := w.products.BatchSize(3).TransactionPerBatch().BulkCreateSeq(ctx, seq(some(7, 300)))
			n4, err4 := w.products.BulkUpdate(ctx, rows[:4], "qty")
			n5, err5 := w.products.Where("qty = ?", 9).Update(ctx, table.Set{"qty": 90})
			n6, err6 := w.products.BulkDelete(ctx, rows[:2])
			n7, err7 := w.products.Where("sku LIKE ?", "p003%").DeleteBatches(ctx, 3)
			n8, err8 := w.products.BulkCreate(ctx, append(some(2, 200), one(400)), table.IgnoreConflicts())
			_, err9 := w.products.BulkCreate(ctx, append(some(3, 500), one(400)))
			wantIs(t, err9, db.ErrUnique)
			got := []int64{n1, n2, n3, n4, n5, n6, n7, n8}
			return must(err1, err2, err3, err4, err5, err6, err7, err8, expect(cmp.Equal(got, []int64{20, 5, 7, 4, 1, 2, 7, 1}), "counts %v", got))
		})
		noError(t, err)
		want := []db.TableChange{{Table: "product", Inserted: 33, Updated: 5, Deleted: 9}}
		if diff := cmp.Diff(want, preview.Tables); diff != "" {
			t.Errorf("preview (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
		w.wantUsable(t)
	})
}

// The view that a dry run hands out refuses what is sent outside of the block, whatever it is.
func TestRefusals_OutsideTheDryRun(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 2)
		items := w.products.Using(w.RequireBlock())
		w.log.Reset()
		for name, err := range map[string]error{
			"BulkCreate":    drop(items.BulkCreate(t.Context(), some(3, 10))),
			"NoReadBack":    drop(items.BulkCreate(t.Context(), some(3, 10), table.NoReadBack())),
			"sequence":      drop(items.BulkCreateSeq(t.Context(), seq(some(3, 10)))),
			"BulkUpdate":    drop(items.BulkUpdate(t.Context(), rows, "qty")),
			"BulkDelete":    drop(items.BulkDelete(t.Context(), rows)),
			"Update":        drop(items.Update(t.Context(), table.Set{"qty": 1})),
			"Delete":        drop(items.Delete(t.Context())),
			"DeleteBatches": drop(items.DeleteBatches(t.Context(), 1)),
			"GetOrCreate":   drop2(items.GetOrCreate(t.Context(), table.Key{"sku": "x"}, nil)),
		} {
			if !errors.Is(err, db.ErrOutsideBlock) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := w.sentOf("INSERT", "COPY", "UPDATE", "DELETE"); n > 0 {
			t.Errorf("%d writes were sent", n)
		}
		w.wantStored(t, rows)
	})
}

func TestRefusals_ReadOnlyBlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 4)
		calls := map[string]func(ctx context.Context) error{
			"BulkCreate": func(ctx context.Context) error { return drop(w.products.BulkCreate(ctx, some(3, 10))) },
			"in batches": func(ctx context.Context) error { return drop(w.products.BatchSize(1).BulkCreate(ctx, some(3, 10))) },
			"NoReadBack": func(ctx context.Context) error {
				return drop(w.products.BulkCreate(ctx, some(3, 10), table.NoReadBack()))
			},
			"sequence":      func(ctx context.Context) error { return drop(w.products.BulkCreateSeq(ctx, seq(some(3, 10)))) },
			"Upsert":        func(ctx context.Context) error { return drop(w.products.Upsert(ctx, some(3, 1), []string{"sku"})) },
			"BulkUpdate":    func(ctx context.Context) error { return drop(w.products.BulkUpdate(ctx, rows, "qty")) },
			"BulkDelete":    func(ctx context.Context) error { return drop(w.products.BulkDelete(ctx, rows)) },
			"Update":        func(ctx context.Context) error { return drop(w.products.Update(ctx, table.Set{"qty": 1})) },
			"DeleteBatches": func(ctx context.Context) error { return drop(w.products.DeleteBatches(ctx, 2)) },
			"GetOrCreate":   func(ctx context.Context) error { return drop2(w.products.GetOrCreate(ctx, table.Key{"sku": "x"}, nil)) },
		}
		for name, call := range calls {
			err := w.Atomic(t.Context(), call, db.ReadOnly())
			wantIs(t, err, db.ErrReadOnly)
			if _, ok := errAs[*table.RowError](err); ok {
				t.Errorf("%s: %v blames a row", name, err)
			}
		}
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error { // what reads, works
			for _, way := range ways {
				got, err := read(w.products.OrderBy("id").All(ctx, way.opts...))
				if err := must(err, expect(cmp.Equal(rows, got), "%s: %v", way.name, got)); err != nil {
					return err
				}
			}
			_, created, err := w.products.GetOrCreate(ctx, table.Key{"sku": "p00001"}, nil)
			return must(err, expect(!created, "created"))
		}, db.ReadOnly()))
		w.wantStored(t, rows)
		w.wantUsable(t)
	})
}
