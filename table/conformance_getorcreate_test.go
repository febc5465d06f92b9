package table_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// racing opens the database with room for so many writers at a time, each on a connection of its own, and something between two of its statements:
// before is called with each that is about to be sent.
func (w *world) racing(t *testing.T, before func(ctx context.Context, query string)) {
	t.Helper()
	w.open(t, db.MaxConns(writers+4), db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		if before != nil {
			before(ctx, s.SQL)
		}
		return next(ctx)
	}))
}

const writers = 16

// race calls fn in as many goroutines as there are writers, all at once.
func race(t *testing.T, fn func(i int) error) {
	t.Helper()
	var all sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, writers)
	for i := range writers {
		all.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
}

func TestConformance_188_GetOrCreateTwice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill := func(p *product) { p.Qty, p.Note = 5, new("made") }
		first, created, err := w.products.GetOrCreate(t.Context(), table.Key{"sku": "x"}, fill)
		noError(t, err)
		want := product{ID: first.ID, SKU: "x", Qty: 5, Note: new("made")}
		if diff := cmp.Diff(want, first); !created || first.ID == 0 || diff != "" {
			t.Errorf("created %v (-want +got):\n%s", created, diff)
		}
		second, created, err := w.products.GetOrCreate(t.Context(), table.Key{"sku": "x"}, fill)
		noError(t, err)
		if diff := cmp.Diff(want, second); created || diff != "" {
			t.Errorf("created %v (-want +got):\n%s", created, diff)
		}
		w.wantStored(t, []product{want})
		// NULL in the key is a value like others.
		null, created, err := w.products.GetOrCreate(t.Context(), table.Key{"note": nil, "sku": "y"}, nil)
		if !created || err != nil {
			t.Errorf("with NULL: %v, %v", created, err)
		}
		again, created, err := w.products.GetOrCreate(t.Context(), table.Key{"note": nil, "sku": "y"}, nil)
		if created || err != nil || again.ID != null.ID {
			t.Errorf("with NULL again: %v, %v", created, err)
		}
	})
}

func TestConformance_189_DefaultsAreNotComputed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 1)
		got, created, err := w.products.GetOrCreate(t.Context(), table.Key{"sku": "p00001"}, func(*product) { t.Error("the defaults were asked for") })
		noError(t, err)
		if created || got.ID != rows[0].ID {
			t.Errorf("%v, %v", got, created)
		}
		w.wantSent(t, "SELECT")
		_, _, err = w.products.UpdateOrCreate(t.Context(), table.Key{"sku": "p00001"}, table.Set{"qty": 3}, func(*product) { t.Error("the new values were asked for") })
		noError(t, err)
	})
}

// Another session inserts the row between the search and the INSERT.
func TestConformance_190_InsertedMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		inserted := false
		w.racing(t, func(_ context.Context, query string) {
			if !inserted && strings.HasPrefix(query, "INSERT") {
				inserted = true
				w.setup(t, "INSERT INTO product (sku, qty) VALUES ('x', 33)")
			}
		})
		inBlock := func(fn func(ctx context.Context) error) error { return w.Atomic(t.Context(), fn) }
		if w.on.Name == testdb.NameSQLite { // a block that may write is alone there
			inBlock = func(fn func(ctx context.Context) error) error { return fn(t.Context()) }
		}
		noError(t, inBlock(func(ctx context.Context) error {
			p, created, err := w.products.GetOrCreate(ctx, table.Key{"sku": "x"}, func(p *product) { p.Qty = 1 })
			return must(
				err, expect(!created && p.Qty == 33 && p.ID != 0, "created %v: %+v", created, p),
				w.products.Create(ctx, new(one(1))), // the block is usable
			)
		}))
		inserted = false
		w.setup(t, "DELETE FROM product")
		noError(t, inBlock(func(ctx context.Context) error {
			p, created, err := w.products.UpdateOrCreate(ctx, table.Key{"sku": "x"}, table.Set{"qty": table.Expr("qty + 1")}, func(p *product) { p.Qty = 1 })
			return must(
				err, expect(!created && p.Qty == 34, "created %v: %+v", created, p),
				w.products.Create(ctx, new(one(1))),
			)
		}))
		if got := w.count(t, "SELECT COUNT(*) FROM product"); got != 2 {
			t.Errorf("%d rows are stored", got)
		}
		w.wantUsable(t)
	})
}

// An INSERT that violates something else is an error, and an inner block keeps the outer one usable.
func TestConformance_190_OtherViolation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.added(t, 1)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			err := w.Atomic(ctx, func(ctx context.Context) error {
				_, _, err := w.products.GetOrCreate(ctx, table.Key{"note": "x"}, func(p *product) { p.SKU = "p00001" }) // taken
				return err
			})
			wantIs(t, err, db.ErrUnique)
			err = w.Atomic(ctx, func(ctx context.Context) error {
				_, _, err := w.products.UpdateOrCreate(ctx, table.Key{"sku": "y"}, nil, func(p *product) { p.Qty = -1 })
				return err
			})
			wantIs(t, err, db.ErrCheck)
			_, _, err = w.products.GetOrCreate(ctx, table.Key{"sku": "good"}, nil)
			return err
		}))
		if got := w.count(t, "SELECT COUNT(*) FROM product"); got != 2 {
			t.Errorf("%d rows are stored", got)
		}
	})
}

func TestConformance_190_MoreThanOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3)
		w.setup(t, "UPDATE product SET qty = 1")
		_, _, err := w.products.GetOrCreate(t.Context(), table.Key{"qty": 1}, nil)
		wantIs(t, err, table.ErrMultiple)
		_, _, err = w.products.UpdateOrCreate(t.Context(), table.Key{"qty": 1}, table.Set{"note": "changed"}, nil)
		wantIs(t, err, table.ErrMultiple)
		rows[1].Qty, rows[2].Qty = 1, 1
		w.wantStored(t, rows)
	})
}

func TestConformance_190_Race(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.racing(t, nil)
		for round := range 5 {
			key := table.Key{"sku": fmt.Sprint("round ", round)}
			got, created := make([]product, writers), make([]bool, writers)
			race(t, func(i int) (err error) {
				got[i], created[i], err = w.products.GetOrCreate(t.Context(), key, func(p *product) { p.Qty = int64(i) })
				return err
			})
			wantOneCreated(t, got, created)
		}
		w.wantUsable(t)
	})
}

func wantOneCreated(t *testing.T, got []product, created []bool) {
	t.Helper()
	n := 0
	for i := range created {
		if created[i] {
			n++
		}
		if diff := cmp.Diff(got[0], got[i]); diff != "" {
			t.Errorf("writers 0 and %d have different rows (-0 +%d):\n%s", i, i, diff)
		}
	}
	if n != 1 {
		t.Errorf("%d writers have created the row", n)
	}
}

// Each in a block of its own, which goes on with other writes afterwards.
func TestConformance_190_RaceInBlocks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.racing(t, nil)
		for round := range 5 {
			key := table.Key{"sku": fmt.Sprint("round ", round)}
			got, created := make([]product, writers), make([]bool, writers)
			race(t, func(i int) error {
				return w.Atomic(t.Context(), func(ctx context.Context) (err error) {
					if err := w.products.Create(ctx, &product{SKU: fmt.Sprintf("before %d %d", round, i)}); err != nil {
						return err
					}
					got[i], created[i], err = w.products.GetOrCreate(ctx, key, func(p *product) { p.Qty = int64(i) })
					return must(err, w.products.Create(ctx, &product{SKU: fmt.Sprintf("after %d %d", round, i)}))
				}, db.Retry(20))
			})
			wantOneCreated(t, got, created)
		}
		if n := w.count(t, "SELECT COUNT(*) FROM product"); n != 5*(2*writers+1) {
			t.Errorf("%d rows are stored, want %d", n, 5*(2*writers+1))
		}
		w.wantUsable(t)
	})
}

func TestConformance_192_UnknownColumn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, _, err := w.products.GetOrCreate(t.Context(), table.Key{"sku": "x", "skuu": "y"}, nil)
		wantColumnError(t, err)
		_, _, err = w.products.UpdateOrCreate(t.Context(), table.Key{"skuu": "x"}, nil, nil)
		wantColumnError(t, err)
		_, _, err = w.products.UpdateOrCreate(t.Context(), table.Key{"sku": "x"}, table.Set{"qty": 1, "skuu": "y"}, nil)
		wantColumnError(t, err)
		if _, _, err = w.products.GetOrCreate(t.Context(), nil, nil); err == nil {
			t.Error("a key of no columns is accepted")
		}
		if _, _, err = w.products.GetOrCreate(t.Context(), table.Key{"sku": table.Expr("'x'")}, nil); err == nil {
			t.Error("an expression as a key is accepted")
		}
		w.wantNothingSent(t)
	})
}

func TestConformance_193_UpdateOrCreate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		update := table.Set{"qty": 7}
		fill := func(p *product) { p.Qty, p.Note = 1, new("made") }
		got, created, err := w.products.UpdateOrCreate(t.Context(), table.Key{"sku": "x"}, update, fill)
		noError(t, err)
		want := product{ID: got.ID, SKU: "x", Qty: 1, Note: new("made")} // the values of create alone
		if diff := cmp.Diff(want, got); !created || diff != "" {
			t.Errorf("created %v (-want +got):\n%s", created, diff)
		}
		w.wantStored(t, []product{want})
		got, created, err = w.products.UpdateOrCreate(t.Context(), table.Key{"sku": "x"}, update, fill)
		noError(t, err)
		want.Qty = 7 // the values of update alone
		if diff := cmp.Diff(want, got); created || diff != "" {
			t.Errorf("created %v (-want +got):\n%s", created, diff)
		}
		w.wantStored(t, []product{want})
		// Without create the new row has the values of update.
		got, created, err = w.products.UpdateOrCreate(t.Context(), table.Key{"sku": "y"}, table.Set{"qty": 9, "note": "n"}, nil)
		if err != nil || !created || got.Qty != 9 || *got.Note != "n" {
			t.Errorf("%+v, %v, %v", got, created, err)
		}
		if _, _, err = w.products.UpdateOrCreate(t.Context(), table.Key{"sku": "z"}, table.Set{"qty": table.Expr("qty + 1")}, nil); err == nil {
			t.Error("an expression for a new row is accepted")
		}
		// A key that is changed by the update: the row that comes back is the changed one.
		got, created, err = w.products.UpdateOrCreate(t.Context(), table.Key{"sku": "y"}, table.Set{"sku": "moved"}, nil)
		if err != nil || created || got.SKU != "moved" || got.Qty != 9 {
			t.Errorf("%+v, %v, %v", got, created, err)
		}
	})
}

func TestConformance_194_Serialised(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.racing(t, nil)
		for round := range 3 {
			key := table.Key{"sku": fmt.Sprint("round ", round)}
			add := table.Set{"qty": table.Expr("qty + ?", 1)}
			created := make([]bool, writers)
			race(t, func(i int) error {
				for range 4 {
					_, made, err := w.products.UpdateOrCreate(t.Context(), key, add, func(p *product) { p.Qty = 1 })
					created[i] = created[i] || made
					if err != nil {
						return err
					}
				}
				return nil
			})
			w.wantCounted(t, key["sku"], 4*writers, created)
		}
		w.wantUsable(t)
	})
}

// wantCounted checks that no change was lost: each writer has added one.
func (w *world) wantCounted(t *testing.T, sku any, want int, created []bool) {
	t.Helper()
	p, err := w.products.Where("sku = ?", sku).Get(t.Context())
	noError(t, err)
	if p.Qty != int64(want) {
		t.Errorf("the quantity is %d, want %d", p.Qty, want)
	}
	if n := len(slices.DeleteFunc(slices.Clone(created), func(c bool) bool { return !c })); n != 1 {
		t.Errorf("%d writers have created the row", n)
	}
}

func TestConformance_194_SerialisedInBlocks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.racing(t, nil)
		for round := range 3 {
			key := table.Key{"sku": fmt.Sprint("round ", round)}
			add := table.Set{"qty": table.Expr("qty + ?", 1)}
			created := make([]bool, writers)
			race(t, func(i int) error {
				return w.Atomic(t.Context(), func(ctx context.Context) error {
					first, made, err := w.products.UpdateOrCreate(ctx, key, add, func(p *product) { p.Qty = 1 })
					if err != nil {
						return err
					}
					created[i] = made
					second, made, err := w.products.UpdateOrCreate(ctx, key, add, func(*product) {})
					if err == nil && (made || second.Qty != first.Qty+1) { // the row is this block's until its end
						t.Errorf("writer %d: created %v; %d after %d", i, made, second.Qty, first.Qty)
					}
					return must(err, w.products.Create(ctx, &product{SKU: fmt.Sprintf("after %d %d", round, i)}))
				}, db.Retry(50))
			})
			w.wantCounted(t, key["sku"], 2*writers, created)
		}
		w.wantUsable(t)
	})
}
