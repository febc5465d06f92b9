package table_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// withPage is the way with pages of n rows.
func withPage(opts []table.StreamOption, n int) []table.StreamOption {
	return append([]table.StreamOption{table.PageSize(n)}, opts...)
}

// read reads a stream to its end.
func read[T any](rows iter.Seq2[T, error]) (list []T, err error) {
	for row, err := range rows {
		if err != nil {
			return list, err
		}
		list = append(list, row)
	}
	return list, nil
}

// inAndOut runs fn outside of a block and in one.
func inAndOut(t *testing.T, w *world, fn func(ctx context.Context, where string)) {
	t.Helper()
	fn(t.Context(), "outside")
	noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
		fn(ctx, "in a block")
		return nil
	}))
}

func TestConformance_166_EveryRowOnceInOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 100)
		for _, way := range ways {
			for _, page := range []int{1, 7, 100, 1000} { // 100 is all, so that the next page is empty
				inAndOut(t, w, func(ctx context.Context, where string) {
					got, err := read(w.products.OrderBy("id").All(ctx, withPage(way.opts, page)...))
					noError(t, err)
					if diff := cmp.Diff(rows, got); diff != "" {
						t.Errorf("%s %s, pages of %d (-want +got):\n%s", way.name, where, page, diff)
					}
				})
			}
			chunks, err := read(w.products.OrderBy("id").FetchMany(t.Context(), 30, way.opts...))
			noError(t, err)
			if diff := cmp.Diff([][]product{rows[:30], rows[30:60], rows[60:90], rows[90:]}, chunks); diff != "" {
				t.Errorf("%s: chunks (-want +got):\n%s", way.name, diff)
			}
		}
	})
}

func TestConformance_166_DescendingLimitedFiltered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 40)
		want := []product{rows[38], rows[36], rows[34], rows[32], rows[30]}
		for _, way := range ways {
			got, err := read(w.products.Where("qty % 2 = ?", 1).OrderBy("-id").Limit(5).All(t.Context(), withPage(way.opts, 2)...))
			noError(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", way.name, diff)
			}
		}
	})
}

// fat fills the table with rows of which all together would show in memory.
func (w *world) fat(t *testing.T) {
	t.Helper()
	padding := strings.Repeat("x", memoryNote)
	_, err := w.products.BatchSize(500).BulkCreateSeq(t.Context(), func(yield func(product, error) bool) {
		for i := range memoryRows {
			if !yield(product{SKU: fmt.Sprintf("s%d", i), Note: &padding}, nil) {
				return
			}
		}
	})
	noError(t, err)
}

func TestConformance_166_MemoryOfAStream(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fat(t)
		for _, way := range ways {
			h, n := newHighWater(), 0
			for _, err := range w.products.OrderBy("id").All(t.Context(), withPage(way.opts, 400)...) {
				noError(t, err)
				if n++; n%1600 == 1599 {
					h.look()
				}
			}
			if n != memoryRows {
				t.Errorf("%s: %d rows", way.name, n)
			}
			h.check(t, way.name)
		}
	})
}

// endings are the ways to leave a loop before its end. They return an error that the stream had before.
var endings = map[string]func(rows iter.Seq2[product, error]) error{
	"break": func(rows iter.Seq2[product, error]) error {
		for _, err := range rows {
			return err
		}
		return nil
	},
	"panic": func(rows iter.Seq2[product, error]) (early error) {
		_ = recovered(func() {
			for _, early = range rows {
				panic("in the loop")
			}
		})
		return early
	},
	"pull": func(rows iter.Seq2[product, error]) error {
		next, stop := iter.Pull2(rows)
		defer stop()
		_, first, _ := next()
		_, second, _ := next()
		return must(first, second)
	},
}

// The consumer stops early: no cursor is left on the server, and no connection is missing in the pool. There are fewer connections than loops, so
// that the pools run dry, of which one (SQLite's for reading) cannot be looked at.
func TestConformance_169_StoppedEarly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.added(t, 500)
		w.open(t, db.MaxConns(2), db.AcquireTimeout(10*time.Second))
		for _, way := range ways {
			for name, leave := range endings {
				before := goleak.IgnoreCurrent()
				for range 5 {
					if err := leave(w.products.OrderBy("id").All(t.Context(), withPage(way.opts, 10)...)); err != nil {
						t.Fatalf("%s %s: %v", way.name, name, err)
					}
				}
				w.wantFree(t, way.name+" "+name)
				goleak.VerifyNone(t, before, testdb.IgnoreServers(), ignorePools())
			}
		}
		w.wantUsable(t)
	})
}

// ignorePools leaves out the goroutine that go-sql-driver has for each connection of the pool. What is left when that is closed, testdb.Main sees.
func ignorePools() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/go-sql-driver/mysql.(*mysqlConn).startWatcher.func1")
}

// wantFree checks that no connection is in use, and that the server has no cursors and no open transactions of this database.
func (w *world) wantFree(t *testing.T, what string) {
	t.Helper()
	await(t, what+": the connections to be given back", func() bool { return w.inUse(t.Context()) == 0 })
	switch w.on.Name {
	case testdb.NamePostgres:
		await(t, what+": the end of the transactions", func() bool {
			return w.count(t, "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'") == 0
		})
	case testdb.NameMariaDB:
		await(t, what+": the end of the transactions", func() bool {
			return w.count(t, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID() AND COMMAND NOT IN ('Sleep')") == 0
		})
	}
}

// In a block the cursor is the block's, so that it must be closed while the block goes on.
func TestConformance_169_StoppedEarlyInABlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.added(t, 500)
		for _, way := range ways {
			for name, leave := range endings {
				before := goleak.IgnoreCurrent()
				noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
					for range 3 {
						if err := leave(w.products.OrderBy("id").All(ctx, withPage(way.opts, 10)...)); err != nil {
							return err
						}
					}
					if w.isPostgres() {
						var n int
						noError(t, w.QueryRow(ctx, "SELECT COUNT(*) FROM pg_cursors WHERE name LIKE 'drover%'").Scan(&n))
						if n != 0 {
							t.Errorf("%s %s: %d cursors are left in the block", way.name, name, n)
						}
					}
					_, err := w.products.Count(ctx) // the connection is not busy
					return err
				}))
				w.wantFree(t, way.name+" "+name)
				goleak.VerifyNone(t, before, testdb.IgnoreServers(), ignorePools())
			}
		}
		w.wantUsable(t)
	})
}

// A statement that fails in the loop leaves nothing behind either: outside a block it is none of the stream's business, and a broken block ends.
func TestConformance_169_ErrorInTheLoop(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 100)
		for _, way := range ways {
			err := func() error {
				for row, err := range w.products.OrderBy("id").All(t.Context(), withPage(way.opts, 10)...) {
					if err != nil {
						return err
					}
					if row.ID == rows[50].ID {
						return errOops
					}
				}
				return nil
			}()
			wantIs(t, err, errOops)
			err = w.Atomic(t.Context(), func(ctx context.Context) error {
				for _, err := range w.products.OrderBy("id").All(ctx, withPage(way.opts, 10)...) {
					if err != nil {
						return err
					}
					if err := w.products.Create(ctx, new(one(1))); err != nil {
						return err // ErrUnique, or ErrBusy where one result set is open
					}
				}
				return nil
			})
			if db.KindOf(err) != db.ErrUnique {
				wantIs(t, err, db.ErrBusy)
			}
			w.wantFree(t, way.name)
		}
		w.wantStored(t, rows)
		w.wantUsable(t)
	})
}

// A cursor outside of a block lives in a transaction of its own, which is gone with it.
func TestConformance_169_CursorIsGone(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.added(t, 100)
		// One connection, so that the next statement sees what the stream has left on it.
		w.open(t, db.MaxConns(1))
		for name, leave := range endings {
			noError(t, leave(w.products.OrderBy("qty").All(t.Context(), table.Cursor(), table.PageSize(10))))
			var n int
			noError(t, w.QueryRow(t.Context(), "SELECT COUNT(*) FROM pg_cursors WHERE name LIKE 'drover%'").Scan(&n))
			if n != 0 {
				t.Errorf("%s: %d cursors are left", name, n)
			}
		}
	}, testdb.NamePostgres)
}

func TestConformance_170_TwoStreams(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 30)
		for _, way := range ways {
			open := w.on.Name != testdb.NamePostgres && way.name == "Cursor" || way.name == "Direct" // an open result set
			inAndOut(t, w, func(ctx context.Context, where string) {
				first, stopFirst := iter.Pull2(w.products.OrderBy("id").All(ctx, withPage(way.opts, 4)...))
				defer stopFirst()
				second, stopSecond := iter.Pull2(w.products.OrderBy("-id").All(ctx, withPage(way.opts, 3)...))
				defer stopSecond()
				for i := range rows {
					a, err, _ := first()
					noError(t, err)
					b, err, _ := second()
					if open && where == "in a block" {
						wantIs(t, err, db.ErrBusy)
						return
					}
					noError(t, err)
					if a.ID != rows[i].ID || b.ID != rows[29-i].ID {
						t.Fatalf("%s %s: row %d is %d and %d", way.name, where, i, a.ID, b.ID)
					}
				}
			})
		}
		w.wantUsable(t)
	})
}

func TestConformance_171_NoServerCursors(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 50)
		q := w.products.OrderBy("qty")
		inAndOut(t, w, func(ctx context.Context, where string) {
			w.log.Reset()
			got, err := read(q.All(ctx, table.Direct()))
			noError(t, err)
			if diff := cmp.Diff(rows, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", where, diff)
			}
			if sent := w.sent(); !cmp.Equal([]string{"SELECT"}, sent) {
				t.Errorf("%s: Direct sent %v", where, sent)
			}
			w.log.Reset()
			if got, err = read(w.products.All(ctx, table.ByKey(), table.PageSize(20))); err != nil || len(got) != 50 {
				t.Errorf("%d rows, %v", len(got), err)
			}
			if sent := w.sent(); !cmp.Equal([]string{"SELECT", "SELECT", "SELECT"}, sent) {
				t.Errorf("%s: ByKey sent %v", where, sent)
			}
		})
		// What cannot be read by key is refused and not read otherwise.
		for _, q := range []table.Query[product]{q, w.products.Offset(2)} {
			if got, err := read(q.All(t.Context(), table.ByKey())); err == nil || len(got) > 0 {
				t.Errorf("%d rows, %v", len(got), err)
			}
		}
	})
}

func TestConformance_173_InnerBlocksRolledBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 30)
		for _, way := range ways[:3] {
			if way.name == "Cursor" && !w.isPostgres() {
				continue // an open result set, beside which nothing can be sent: case 170
			}
			err := w.Atomic(t.Context(), func(ctx context.Context) error {
				var seen []product
				for row, err := range w.products.OrderBy("id").All(ctx, withPage(way.opts, 4)...) {
					if err != nil {
						return err
					}
					seen = append(seen, row)
					err := w.Atomic(ctx, func(ctx context.Context) error {
						return must(w.products.Create(ctx, new(one(1000+len(seen)))), errOops)
					})
					wantIs(t, err, errOops)
					err = w.Atomic(ctx, func(ctx context.Context) error { return w.products.Create(ctx, new(one(1))) })
					wantIs(t, err, db.ErrUnique)
				}
				return expect(cmp.Equal(rows, seen), "%s: read %d rows", way.name, len(seen))
			})
			noError(t, err)
		}
		w.wantStored(t, rows)
	})
}

// Case 174 is about related rows, which this package does not know.
