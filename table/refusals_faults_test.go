package table_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// bulkCall writes five batches of a size.
type bulkCall struct {
	name string
	size int
	call func(ctx context.Context, items table.Table[product], rows []product) (int64, error)
}

var bulkCalls = []bulkCall{
	{"BulkCreate", 10, func(ctx context.Context, items table.Table[product], _ []product) (int64, error) {
		return items.BulkCreate(ctx, some(50, 1000))
	}},
	{"NoReadBack", 10, func(ctx context.Context, items table.Table[product], _ []product) (int64, error) {
		return items.BulkCreate(ctx, some(50, 1000), table.NoReadBack())
	}},
	{"COPY", 500, func(ctx context.Context, items table.Table[product], _ []product) (int64, error) {
		return items.BulkCreate(ctx, some(2500, 1000), table.NoReadBack())
	}},
	{"BulkCreateSeq", 10, func(ctx context.Context, items table.Table[product], _ []product) (int64, error) {
		return items.BulkCreateSeq(ctx, seq(some(50, 1000)))
	}},
	{"Upsert", 10, func(ctx context.Context, items table.Table[product], _ []product) (int64, error) {
		return items.Upsert(ctx, some(50, 20), []string{"sku"})
	}},
	{"BulkUpdate", 10, func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
		changed := slices.Clone(rows)
		for i := range changed {
			changed[i].Qty = 0
		}
		return items.BulkUpdate(ctx, changed, "qty")
	}},
	{"BulkDelete", 10, func(ctx context.Context, items table.Table[product], rows []product) (int64, error) {
		return items.BulkDelete(ctx, rows)
	}},
}

// disturbed runs the call, with disturb when its second batch is done.
func (b bulkCall) disturbed(ctx context.Context, w *world, rows []product, disturb func(), perBatch bool) (int64, error) {
	items := w.products.BatchSize(b.size).Observe(func(p table.Progress) {
		if p.Batches == 2 {
			disturb()
		}
	})
	if perBatch {
		items = items.TransactionPerBatch()
	}
	return b.call(ctx, items, rows)
}

func TestRefusals_BulkCallCancelled(t *testing.T) {
	for _, bulk := range bulkCalls {
		t.Run(bulk.name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				rows := w.added(t, 50)
				ctx, cancel := context.WithCancelCause(t.Context())
				n, err := bulk.disturbed(ctx, w, rows, func() { cancel(errOops) }, false)
				if n != 0 || !errors.Is(err, context.Canceled) && !errors.Is(err, errOops) {
					t.Errorf("%d rows, %v", n, err)
				}
				w.wantStored(t, rows)
				w.wantUsable(t)

				// In a block that is not cancelled itself.
				noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
					inner, cancel := context.WithCancel(ctx)
					n, err := bulk.disturbed(inner, w, rows, cancel, false)
					if n != 0 || !errors.Is(err, context.Canceled) {
						t.Errorf("in a block: %d rows, %v", n, err)
					}
					return drop(w.products.Count(ctx))
				}))
				w.wantStored(t, rows)

				ctx, cancel = context.WithCancelCause(t.Context())
				n, err = bulk.disturbed(ctx, w, rows, func() { cancel(errOops) }, true)
				if n != int64(2*bulk.size) || err == nil {
					t.Errorf("a transaction each: %d rows, %v", n, err)
				}
				w.wantUsable(t)
			})
		})
	}
}

func TestRefusals_StreamCancelled(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3000)
		for _, way := range ways {
			for _, where := range []string{"outside", "in a block"} {
				ctx, cancel := context.WithCancel(t.Context())
				seen, err := 0, error(nil)
				loop := func(ctx context.Context) error {
					for _, rowErr := range w.products.OrderBy("id").All(ctx, withPage(way.opts, 10)...) {
						if rowErr != nil {
							return rowErr
						}
						if seen++; seen == 15 {
							cancel()
						}
					}
					return nil
				}
				if where == "outside" {
					err = loop(ctx)
				} else {
					err = w.Atomic(ctx, loop)
				}
				if !errors.Is(err, context.Canceled) || seen == len(rows) {
					t.Errorf("%s %s: %d rows, %v", way.name, where, seen, err)
				}
				cancel()
				w.wantFree(t, way.name+" "+where)
			}
		}
		w.wantUsable(t)
	})
}

// proxied opens the database through a proxy, which can cut its connections.
func (w *world) proxied(t *testing.T) *testdb.Proxy {
	t.Helper()
	proxy := testdb.NewProxy(t, w.on.Server.Addr())
	direct := w.on
	w.on = proxy.Database(direct)
	w.open(t)
	w.on = direct
	return proxy
}

func TestRefusals_ConnectionLostInABulkCall(t *testing.T) {
	for _, bulk := range bulkCalls {
		t.Run(bulk.name, func(t *testing.T) {
			on(t, func(t *testing.T, w *world) {
				rows := w.added(t, 50)
				proxy := w.proxied(t)
				n, err := bulk.disturbed(t.Context(), w, rows, proxy.CutAll, false)
				wantIs(t, err, db.ErrConnectionLost)
				if n != 0 || errors.Is(err, db.ErrOutcomeUnknown) {
					t.Errorf("%d rows, %v", n, err)
				}
				if _, ok := errAs[*table.RowError](err); ok {
					t.Errorf("%v blames a row", err)
				}
				w.wantStored(t, rows)
				w.wantUsable(t)
				n, err = bulk.disturbed(t.Context(), w, rows, proxy.CutAll, true)
				if err == nil { // a pool notices that its connection is dead and takes another: nothing was open
					if n != int64(5*bulk.size) {
						t.Errorf("a transaction each: %d rows", n)
					}
				} else if wantIs(t, err, db.ErrConnectionLost); n != int64(2*bulk.size) {
					t.Errorf("a transaction each: %d rows, %v", n, err)
				}
				w.wantUsable(t)
			}, testdb.NamePostgres, testdb.NameMariaDB)
		})
	}
}

// The server is killed in the middle of one statement: the answer is lost.
func TestRefusals_AnswerLost(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		rows := w.added(t, 50)
		before := w.on.Dump(t)
		proxy := w.proxied(t)
		noError(t, w.Ping(t.Context()))
		for name, call := range map[string]func(ctx context.Context) error{
			"insert": func(ctx context.Context) error { return drop(w.products.BulkCreate(ctx, some(50, 1000))) },
			"update": func(ctx context.Context) error { return drop(w.products.BulkUpdate(ctx, rows, "qty")) },
			"delete": func(ctx context.Context) error { return drop(w.products.BulkDelete(ctx, rows)) },
		} {
			err := w.Atomic(t.Context(), func(ctx context.Context) error {
				if err := drop(w.products.Count(ctx)); err != nil {
					return err
				}
				proxy.CutOnClientBytes([]byte(name + " "))
				return call(ctx)
			})
			wantIs(t, err, db.ErrConnectionLost)
			if _, ok := errAs[*table.RowError](err); ok {
				t.Errorf("%s: %v blames a row", name, err)
			}
			w.wantUsable(t)
		}
		if after := w.on.Dump(t); after != before {
			t.Error("the database has changed")
		}
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

func TestRefusals_ConnectionLostInAStream(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.fat(t)
		proxy := w.proxied(t)
		for _, way := range ways {
			seen, err := 0, error(nil)
			loop := func(ctx context.Context) error {
				for _, rowErr := range w.products.OrderBy("id").All(ctx, withPage(way.opts, 100)...) {
					if rowErr != nil {
						return rowErr
					}
					if seen++; seen == 50 {
						proxy.CutAll()
					}
				}
				return nil
			}
			err = w.Atomic(t.Context(), loop)
			wantIs(t, err, db.ErrConnectionLost)
			if seen == memoryRows {
				t.Errorf("%s in a block: all rows came", way.name)
			}
			seen = 0
			// A page of its own connection may come over another one, for nothing was open.
			if err = loop(t.Context()); err != nil {
				wantIs(t, err, db.ErrConnectionLost)
			} else if seen != memoryRows {
				t.Errorf("%s: %d rows without an error", way.name, seen)
			}
			w.wantFree(t, way.name)
			w.wantUsable(t)
		}
	}, testdb.NamePostgres, testdb.NameMariaDB)
}
