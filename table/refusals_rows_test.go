package table_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// badRow is the row that the database refuses, of 900.
const badRow = 731

// fault is something that is wrong with one row.
type fault struct {
	name   string
	spoil  func(rows []product)
	kinds  map[string]db.Kind // by database; "" for the others
	column string             // that the error names
	mute   string             // the database that does not tell the column
	inKey  string             // a part of Key, where the column is told
}

func (f fault) kind(database string) db.Kind {
	if k, ok := f.kinds[database]; ok {
		return k
	}
	return f.kinds[""]
}

var faults = []fault{
	{
		name: "unique", spoil: func(rows []product) { rows[badRow].SKU = "taken" },
		kinds: map[string]db.Kind{"": db.ErrUnique}, column: "sku", inKey: "sku taken",
	},
	{
		name: "unique in the call", spoil: func(rows []product) { rows[badRow].SKU = rows[5].SKU },
		kinds: map[string]db.Kind{"": db.ErrUnique}, column: "sku", inKey: "sku p10005",
	},
	{
		name: "too long", spoil: func(rows []product) { rows[badRow].SKU = "123456789012345678901" },
		kinds: map[string]db.Kind{"": db.ErrData, testdb.NameSQLite: db.ErrCheck}, column: "sku", mute: testdb.NameSQLite, inKey: "sku 123456789012345678901",
	},
	{
		name: "out of range", spoil: func(rows []product) { rows[badRow].Qty = 1 << 40 },
		kinds: map[string]db.Kind{"": db.ErrData, testdb.NameSQLite: db.ErrCheck}, column: "qty", mute: testdb.NameSQLite, inKey: "qty 1099511627776",
	},
	{
		name: "check", spoil: func(rows []product) { rows[badRow].Qty = -7 },
		kinds: map[string]db.Kind{"": db.ErrCheck},
	},
}

// creation is a way to add rows.
type creation struct {
	name   string
	call   func(ctx context.Context, items table.Table[product], rows []product) (int64, error)
	kept   int  // how many rows stay: of batches that are transactions of their own
	upsert bool // unique values are no fault
}

func optioned(opts ...table.CreateOption) func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
	return func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
		return items.BulkCreate(ctx, rows, opts...)
	}
}

var creations = []creation{
	{name: "slice", call: optioned()},                          // unnest on PostgreSQL
	{name: "no read back", call: optioned(table.NoReadBack())}, // COPY
	{name: "ignore", call: optioned(table.IgnoreConflicts()), upsert: true},
	{name: "upsert", call: optioned(table.UpdateConflicts([]string{"sku"}, "qty", "note")), upsert: true},
	{name: "assign", call: optioned(table.Assign(table.Set{"note": table.Expr("'x'")}))},
	{name: "sequence", call: func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
		return items.BulkCreateSeq(ctx, seq(rows))
	}},
	{name: "batches", call: func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
		return items.BatchSize(100).BulkCreate(ctx, rows)
	}},
	{name: "sequence in batches", call: func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
		return items.BatchSize(100).BulkCreateSeq(ctx, seq(rows))
	}},
	{name: "transactions", kept: 700, call: func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
		return items.BatchSize(100).TransactionPerBatch().BulkCreate(ctx, rows)
	}},
	{name: "sequence in transactions", kept: 700, call: func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
		return items.BatchSize(100).TransactionPerBatch().BulkCreateSeq(ctx, seq(rows))
	}},
}

// wantRowError checks what an error says of the bad row.
func (w *world) wantRowError(t *testing.T, f fault, op, key string, err error) {
	t.Helper()
	wantIs(t, err, f.kind(w.on.Name))
	got, ok := errAs[*table.RowError](err)
	if !ok {
		t.Errorf("%v (%T) is no *RowError", err, err)
		return
	}
	if got.Op != op || got.Table != "product" || got.Row != badRow {
		t.Errorf("op %q, table %q, row %d of %v", got.Op, got.Table, got.Row, err)
	}
	if f.mute != w.on.Name && f.column != "" && (got.Column != f.column || !strings.Contains(got.Key, f.inKey)) {
		t.Errorf("column %q, key %q of %v", got.Column, got.Key, err)
	}
	if !strings.Contains(got.Key, key) {
		t.Errorf("the key %q is not that of the row, %q", got.Key, key)
	}
	if !errors.As(err, new(*db.Error)) {
		t.Errorf("no *db.Error is in the chain of %v", err)
	}
	if text := err.Error(); strings.ContainsRune(text, '\n') || !strings.Contains(text, "row 731") {
		t.Errorf("the text is %q", text)
	}
}

// taken adds the row that stands in the way, and returns the table's rows.
func (w *world) taken(t *testing.T) []product {
	t.Helper()
	w.setup(t, "INSERT INTO product (sku, qty) VALUES ('taken', 1)")
	return w.stored(t)
}

func TestRefusals_RowOfACreate(t *testing.T) {
	for _, way := range creations {
		t.Run(way.name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				there := w.taken(t)
				for _, f := range faults {
					if way.upsert && f.column == "sku" && f.kinds[""] == db.ErrUnique {
						continue
					}
					rows := some(900, 10_000)
					f.spoil(rows)
					given := slices.Clone(rows)
					n, err := way.call(t.Context(), w.products, rows)
					w.wantRowError(t, f, "create", "", err)
					if n != int64(way.kept) {
						t.Errorf("%s: %d rows are said to be added", f.name, n)
					}
					if way.kept == 0 {
						w.wantStored(t, there)
					} else if got := w.count(t, "SELECT COUNT(*) FROM product WHERE sku <> 'taken'"); got != way.kept {
						t.Errorf("%s: %d rows are stored, want those of %d", f.name, got, way.kept)
					}
					wantRows(t, f.name+": the caller's rows", given[way.kept:], rows[way.kept:])
					w.setup(t, "DELETE FROM product WHERE sku <> 'taken'")
				}
				w.wantUsable(t)
			})
		})
	}
}

// In a block the call undoes itself, and when the caller handles the error the block goes on.
func TestRefusals_RowOfACreateInABlock(t *testing.T) {
	for _, way := range creations {
		t.Run(way.name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				there := w.taken(t)
				for _, f := range faults {
					if way.upsert && f.column == "sku" && f.kinds[""] == db.ErrUnique {
						continue
					}
					rows := some(900, 10_000)
					f.spoil(rows)
					given := slices.Clone(rows)
					var beforeAndAfter [2]product
					noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
						beforeAndAfter = [2]product{one(1), one(2)}
						if err := w.products.Create(ctx, &beforeAndAfter[0]); err != nil {
							return err
						}
						n, err := way.call(ctx, w.products, rows)
						w.wantRowError(t, f, "create", "", err)
						if n != 0 {
							t.Errorf("%s: %d rows are said to be added", f.name, n)
						}
						return w.products.Create(ctx, &beforeAndAfter[1])
					}))
					w.wantStored(t, append(slices.Clone(there), beforeAndAfter[:]...))
					wantRows(t, f.name+": the caller's rows", given, rows)
					w.setup(t, "DELETE FROM product WHERE sku <> 'taken'")
				}
				w.wantUsable(t)
			})
		})
	}
}

func TestRefusals_RowOfAnUpdate(t *testing.T) {
	tests := []struct {
		name string
		call func(ctx context.Context, items table.Table[product], rows []product) (int64, error)
		kept int
	}{
		{"one batch", func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
			return items.BulkUpdate(ctx, rows, "sku", "qty", "note")
		}, 0},
		{"batches", func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
			return items.BatchSize(100).BulkUpdate(ctx, rows, "sku", "qty", "note")
		}, 0},
		{"transactions", func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
			return items.BatchSize(100).TransactionPerBatch().BulkUpdate(ctx, rows, "sku", "qty", "note")
		}, 700},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				there := w.taken(t)
				stored := some(900, 10_000)
				_, err := w.products.BulkCreate(t.Context(), stored)
				noError(t, err)
				key := "id " + itoa(stored[badRow].ID)
				for _, f := range faults {
					changed := slices.Clone(stored)
					for i := range changed {
						changed[i].Note = new(f.name)
					}
					f.spoil(changed)
					given := slices.Clone(changed)
					noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
						if err := w.products.Create(ctx, new(one(1))); err != nil {
							return err
						}
						n, err := test.call(ctx, w.products, changed)
						w.wantRowError(t, f, "update", key, err)
						if n != 0 {
							t.Errorf("%s in a block: %d rows are said to be updated", f.name, n)
						}
						return drop(w.products.Where("sku = ?", one(1).SKU).Delete(ctx)) // the block goes on
					}))
					w.wantStored(t, append(slices.Clone(there), stored...))
					n, err := test.call(t.Context(), w.products, changed)
					w.wantRowError(t, f, "update", key, err)
					if n != int64(test.kept) {
						t.Errorf("%s: %d rows are said to be updated", f.name, n)
					}
					stored = slices.Concat(changed[:test.kept], stored[test.kept:])
					w.wantStored(t, append(slices.Clone(there), stored...))
					wantRows(t, f.name+": the caller's rows", given, changed)
				}
				w.wantUsable(t)
			})
		})
	}
}

// A call of one row is one statement, and leaves the block usable all the same when it is refused.
func TestRefusals_OneRowInABlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 2)
		bad := rows[0]
		bad.Qty = -1
		calls := map[string]func(ctx context.Context) error{
			"Create": func(ctx context.Context) error { return w.products.Create(ctx, &product{SKU: "x", Qty: -1}) },
			"BulkCreate": func(ctx context.Context) error {
				return drop(w.products.BulkCreate(ctx, []product{{SKU: "x", Qty: -1}}))
			},
			"NoReadBack": func(ctx context.Context) error {
				return drop(w.products.BulkCreate(ctx, []product{{SKU: "x", Qty: -1}}, table.NoReadBack()))
			},
			"sequence": func(ctx context.Context) error {
				return drop(w.products.BulkCreateSeq(ctx, seq([]product{{SKU: "x", Qty: -1}})))
			},
			"Upsert": func(ctx context.Context) error {
				return drop(w.products.Upsert(ctx, []product{{SKU: "x", Qty: -1}}, []string{"sku"}))
			},
			"Save":       func(ctx context.Context) error { return w.products.Save(ctx, &bad) },
			"BulkUpdate": func(ctx context.Context) error { return drop(w.products.BulkUpdate(ctx, []product{bad}, "qty")) },
			"GetOrCreate": func(ctx context.Context) error {
				return drop2(w.products.GetOrCreate(ctx, table.Key{"sku": "x"}, func(p *product) { p.Qty = -1 }))
			},
			"UpdateOrCreate, new": func(ctx context.Context) error {
				return drop2(w.products.UpdateOrCreate(ctx, table.Key{"sku": "x"}, table.Set{"qty": -1}, nil))
			},
			"UpdateOrCreate, there": func(ctx context.Context) error {
				return drop2(w.products.UpdateOrCreate(ctx, table.Key{"sku": rows[0].SKU}, table.Set{"qty": -1}, nil))
			},
		}
		for name, call := range calls {
			err := w.Atomic(t.Context(), func(ctx context.Context) error {
				wantIs(t, call(ctx), db.ErrCheck)
				n, err := w.products.Count(ctx)
				return must(err, expect(n == 2, "%d rows", n))
			})
			if err != nil {
				t.Errorf("%s: the block afterwards: %v", name, err)
			}
		}
		w.wantStored(t, rows)
		w.wantUsable(t)
	})
}
