package table_test

import (
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/table"
)

func TestWalk_Refused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.products
		type keyless struct {
			SKU string `db:"sku"`
		}
		_, err := table.Of[keyless](w.DB, table.Name("product")).Walk()
		wantIs(t, err, table.ErrNoKey)
		for name, q := range map[string]table.Query[product]{
			"order": p.OrderBy("id"), "limit": p.Limit(3), "no rows": p.Limit(0), "offset": p.Offset(1), "columns": p.Only("sku"), "deferred": p.Defer("note"),
			"skip locked": p.ForUpdate(table.SkipLocked), "broken": p.OrderBy("nosuch"),
		} {
			if _, err := q.Walk(); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		_, err = p.OrderBy("nosuch").Walk()
		if _, ok := errAs[*table.ColumnError](err); !ok {
			t.Errorf("the query's own error is %v", err)
		}
		if _, err := p.Only("id", "sku", "qty", "note").Walk(); err != nil {
			t.Errorf("all columns: %v", err)
		}
		walk, ctx := walkOf[product](t, p), t.Context()
		two := keyset.Values{int64(1), int64(2)}
		_, _, err = walk.Page(ctx, two, nil, 1, false)
		_, errCount := walk.Count(ctx, nil, two)
		_, errKeys := walk.ByKeys(ctx, []keyset.Values{two}, false)
		_, errNth := walk.Nth(ctx, two, nil, 1)
		for _, err := range []error{err, errCount, errKeys, errNth} {
			if err == nil || err.Error() != "the key (1, 2) has 2 columns, and that of table product has 1" {
				t.Errorf("a key of two columns: %v", err)
			}
		}
		_, _, err = walk.Page(ctx, nil, nil, 0, false)
		wantIs(t, err, table.ErrBatchSize)
		_, err = walk.Nth(ctx, nil, nil, 0)
		wantIs(t, err, table.ErrBatchSize)
		w.wantNothingSent(t)
		_, _, err = walkOf[product](t, p.Where("skuu = 'a'")).Page(ctx, nil, nil, 1, false)
		wantIs(t, err, db.ErrUndefinedColumn)
	})
}

// A row has a key only where all of its columns have a value.
func TestWalk_KeyWithoutValue(t *testing.T) {
	type row struct {
		ID *int64 `db:"id,pk"`
	}
	each(t, func(t *testing.T, w *world) {
		_, err := walkOf[row](t, table.Of[row](w.DB, table.Name("product"))).Key(row{})
		if own, ok := errAs[*table.ValueError](err); !ok || own.Column != "id" {
			t.Errorf("the error is %v", err)
		}
	})
}
