package db_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestJoin_SavepointsAsText(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			text := func(query string) {
				t.Helper()
				if err := w.Exec(ctx, query); err != nil {
					t.Errorf("%s: %v", query, err)
				}
			}
			text("SAVEPOINT one")
			text(insertText("a"))
			text("savepoint Two;")
			text(insertText("b"))
			text("ROLLBACK TO SAVEPOINT two")
			text(insertText("c"))
			text("RELEASE SAVEPOINT two")
			text("RELEASE SAVEPOINT one")

			// A failure is mended by rolling back to a savepoint before it.
			text("SAVEPOINT three")
			wantIs(t, w.add(ctx, "a"), db.ErrUnique)
			wantIs(t, w.add(ctx, "d"), db.ErrBroken)
			wantIs(t, w.Exec(ctx, "RELEASE SAVEPOINT three"), db.ErrBroken)
			text("ROLLBACK TO three")
			text(insertText("e"))

			// One that is prepared and not run does nothing.
			stmt, err := w.SQL(ctx).PrepareContext(ctx, "SAVEPOINT four")
			if err == nil { // MariaDB prepares some statements only
				noError(t, stmt.Close())
				wantIs(t, w.Exec(ctx, "ROLLBACK TO SAVEPOINT four"), db.ErrManaged)
			}

			// A block's own savepoint is its own, and what was opened outside a block is not for its inside.
			return w.Atomic(ctx, func(ctx context.Context) error {
				for _, name := range []string{"drover_1", "three", "nowhere"} {
					wantIs(t, w.Exec(ctx, "ROLLBACK TO SAVEPOINT "+name), db.ErrManaged)
					wantIs(t, w.Exec(ctx, "RELEASE SAVEPOINT "+name), db.ErrManaged)
				}
				return w.add(ctx, "f")
			})
		}))
		w.wantNames(t, "a", "c", "e", "f")
	})
}

func TestJoin_DDL(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		create := "CREATE TABLE made (id integer)"
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := w.add(ctx, "a"); err != nil {
				return err
			}
			err := w.Exec(ctx, create)
			if w.on.Name != testdb.NameMariaDB {
				return must(err, w.Exec(ctx, "INSERT INTO made (id) VALUES (1)"), errOops)
			}
			wantIs(t, err, db.ErrImplicitCommit)
			_, err = w.SQL(ctx).ExecContext(ctx, create)
			wantIs(t, err, db.ErrImplicitCommit)
			wantIs(t, w.Exec(ctx, "TRUNCATE TABLE item"), db.ErrImplicitCommit)
			return must(w.Exec(ctx, "CREATE TEMPORARY TABLE made (id integer)"), w.Exec(ctx, "DROP TEMPORARY TABLE made"), errOops)
		})
		wantIs(t, err, errOops)
		w.wantNames(t)
		noError(t, w.Exec(t.Context(), create)) // it is not there, and outside a block nothing is refused
	})
}

func TestJoin_OpenResultSet(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a'), ('b')")
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			rows, err := w.Query(ctx, "SELECT name FROM item ORDER BY name")
			noError(t, err)
			defer func() { _ = rows.Close() }()
			if !rows.Next() {
				t.Fatal("no row")
			}
			w.log.Reset()
			wantIs(t, w.add(ctx, "c"), db.ErrBusy)
			_, err = w.SQL(ctx).ExecContext(ctx, insertText("c"))
			wantIs(t, err, db.ErrBusy)
			_, err = w.DBTX().PrepareContext(ctx, insertText("c"))
			wantIs(t, err, db.ErrBusy)
			wantIs(t, w.Atomic(ctx, func(context.Context) error { return nil }), db.ErrBusy)
			_, err = w.SQL(ctx).BeginTx(ctx, nil)
			wantIs(t, err, db.ErrBusy)
			if tx, err := w.PGX(ctx); err == nil {
				_, err = tx.Exec(ctx, insertText("c"))
				wantIs(t, err, db.ErrBusy)
				_, err = tx.CopyFrom(ctx, pgx.Identifier{"item"}, []string{"name"}, pgx.CopyFromRows(nil))
				wantIs(t, err, db.ErrBusy)
			}
			w.wantSent(t)
			if !rows.Next() { // nothing is broken
				t.Errorf("no second row: %v", rows.Err())
			}
			if rows.Next() { // the end frees the connection
				t.Error("a third row")
			}
			return must(rows.Err(), w.add(ctx, "d"))
		}))
		w.wantNames(t, "a", "b", "d")
	})
}

// Whoever reads on after the block that a result set was opened in must not take the cut for its end.
func TestJoin_ResultSetIsCutAtTheEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a'), ('b')")
		const query = "SELECT name FROM item ORDER BY name"
		var outlived []*sql.Rows
		var native []pgx.Rows
		take := func(ctx context.Context) error {
			rows, err := w.Query(ctx, query)
			if err != nil {
				return err
			}
			outlived = append(outlived, rows)
			return expect(rows.Next(), "no row")
		}
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := must(w.Atomic(ctx, take), w.add(ctx, "c")); err != nil {
				return err
			}
			if tx, err := w.PGX(ctx); err == nil {
				err := w.Atomic(ctx, func(ctx context.Context) error {
					rows, err := tx.Query(ctx, query)
					native = append(native, rows)
					return must(err, expect(rows.Next(), "no row"))
				})
				if err != nil {
					return err
				}
			}
			return take(ctx)
		}))
		for _, rows := range outlived {
			if rows.Next() || rows.Err() == nil {
				t.Errorf("read on after the end; the error is %v", rows.Err())
			}
			_ = rows.Close()
		}
		for _, rows := range native {
			if rows.Next() || rows.Err() == nil {
				t.Errorf("native rows: read on after the end; the error is %v", rows.Err())
			}
			rows.Close()
		}
		w.wantNames(t, "a", "b", "c")
		w.wantUsable(t)
	})
}

// A second goroutine is refused in the middle of a statement: the interceptor holds the first one there.
func TestJoin_TwoGoroutines(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		inside, goOn := make(chan struct{}), make(chan struct{})
		w := newWorld(t, d, db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
			if s.SQL == insertText("slow") {
				close(inside)
				<-goOn
			}
			return next(ctx)
		}))
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			slow := make(chan error, 1)
			go func() { slow <- w.Exec(ctx, insertText("slow")) }()
			<-inside
			wantIs(t, w.add(ctx, "second"), db.ErrConcurrent)
			_, err := w.names(ctx)
			wantIs(t, err, db.ErrConcurrent)
			wantIs(t, w.Atomic(ctx, func(context.Context) error { return nil }), db.ErrConcurrent)
			_, err = w.SQL(ctx).BeginTx(ctx, nil)
			wantIs(t, err, db.ErrConcurrent)
			if tx, err := w.PGX(ctx); err == nil {
				_, err = tx.Exec(ctx, insertText("third"))
				wantIs(t, err, db.ErrConcurrent)
			}
			close(goOn)
			return must(<-slow, w.add(ctx, "after"))
		}))
		w.wantNames(t, "after", "slow")
	})
}

// A statement of a goroutine that outlives its block's function is refused once the block is being ended, and not sent after it.
func TestJoin_GoroutineOutlivesTheBlock(t *testing.T) {
	for _, end := range []string{"COMMIT", "ROLLBACK"} {
		t.Run(end, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				var late func() error
				var refused error
				w := newWorld(t, d, db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
					err := next(ctx)
					if s.SQL == end { // sent, and the block not ended yet
						result := make(chan error)
						go func() { result <- late() }()
						refused = <-result
					}
					return err
				}))
				err := w.Atomic(t.Context(), func(ctx context.Context) error {
					late = func() error { return w.add(ctx, "late") }
					if err := w.add(ctx, "a"); err != nil || end == "COMMIT" {
						return err
					}
					return errOops
				})
				wantIs(t, refused, db.ErrEnded)
				if end == "COMMIT" {
					noError(t, err)
					w.wantNames(t, "a")
					return
				}
				wantIs(t, err, errOops)
				w.wantNames(t)
			})
		})
	}
}

func TestJoin_AfterTheEnd(t *testing.T) {
	ends := map[string]func(w *world, ctx context.Context, fn func(ctx context.Context)){
		"commit": func(w *world, ctx context.Context, fn func(context.Context)) {
			_ = w.Atomic(ctx, func(ctx context.Context) error {
				fn(ctx)
				return nil
			})
		},
		"error": func(w *world, ctx context.Context, fn func(context.Context)) {
			_ = w.Atomic(ctx, func(ctx context.Context) error {
				fn(ctx)
				return errOops
			})
		},
		"panic": func(w *world, ctx context.Context, fn func(context.Context)) {
			_ = recovered(func() {
				_ = w.Atomic(ctx, func(ctx context.Context) error {
					fn(ctx)
					panic("boom")
				})
			})
		},
		"rollback by hand": func(w *world, ctx context.Context, fn func(context.Context)) {
			ctx, tx, _ := w.Begin(ctx)
			fn(ctx)
			_ = tx.Rollback(ctx)
		},
		"dry run": func(w *world, ctx context.Context, fn func(context.Context)) {
			_, _ = w.DryRun(ctx, func(ctx context.Context) error {
				fn(ctx)
				return nil
			})
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				// Whether the block has handed out its *sql.DB or not.
				var used, unused context.Context
				var pool *sql.DB
				var stmt *sql.Stmt
				var left *sql.Tx
				end(w, t.Context(), func(ctx context.Context) {
					used, pool = ctx, w.SQL(ctx)
					var err error
					stmt, err = pool.PrepareContext(ctx, insertText("late"))
					noError(t, err)
					left, err = pool.BeginTx(ctx, nil)
					noError(t, err)
				})
				end(w, t.Context(), func(ctx context.Context) { unused = ctx })
				before := goleak.IgnoreCurrent()
				w.log.Reset()
				for _, ctx := range []context.Context{used, unused} {
					wantIs(t, w.add(ctx, "late"), db.ErrEnded)
					_, err := w.names(ctx)
					wantIs(t, err, db.ErrEnded)
					wantIs(t, w.QueryRow(ctx, "SELECT 1").Scan(new(int)), db.ErrEnded)
					wantIs(t, w.Atomic(ctx, func(context.Context) error { return nil }), db.ErrEnded)
					wantText(t, w.SQL(ctx).PingContext(ctx), "sql: database is closed")
					if tx, err := w.PGX(ctx); err == nil {
						_, err = tx.Exec(ctx, insertText("late"))
						wantIs(t, err, db.ErrEnded)
						_, err = tx.Begin(ctx)
						wantIs(t, err, db.ErrEnded)
					}
				}
				wantText(t, pool.PingContext(t.Context()), "sql: database is closed")
				if _, err := stmt.ExecContext(t.Context()); err == nil {
					t.Error("a prepared statement works after the end")
				}
				if err := left.Commit(); err == nil {
					t.Error("a *sql.Tx commits after the end")
				}
				w.wantSent(t)
				w.wantNames(t)
				goleak.VerifyNone(t, before)
				w.wantUsable(t)
			})
		})
	}
}

func wantText(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || err.Error() != text {
		t.Errorf("got error %v, want %q", err, text)
	}
}

// On a pool the work of a *sql.Tx that nobody ends is lost. In a block it must not be kept without a word.
func TestJoin_ForgottenSQLTx(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		forget := func(ctx context.Context) error {
			tx, err := w.SQL(ctx).BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, insertText("forgotten"))
			return err
		}
		wantIs(t, w.Atomic(t.Context(), forget), db.ErrBroken)
		w.wantNames(t)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			wantIs(t, w.Atomic(ctx, forget), db.ErrBroken)
			return w.add(ctx, "outer")
		}))
		w.wantNames(t, "outer")
		ctx, tx, err := w.Begin(t.Context())
		noError(t, must(err, forget(ctx)))
		wantIs(t, tx.Commit(ctx), db.ErrBroken)
		w.wantNames(t, "outer")
	})
}

func TestJoin_PanicAndGoexit(t *testing.T) {
	leave := map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit}
	for name, leave := range leave {
		for _, depth := range []string{"outer", "inner", "dry run"} {
			t.Run(name+" "+depth, func(t *testing.T) {
				testdb.Each(t, func(t *testing.T, d testdb.Database) {
					before := goleak.IgnoreCurrent()
					w := newWorld(t, d, db.MaxConns(1))
					fn := func(ctx context.Context) error {
						if err := w.add(ctx, "a"); err != nil {
							t.Error(err)
						}
						rows, err := w.Query(ctx, "SELECT name FROM item")
						if err != nil || !rows.Next() {
							t.Errorf("no row: %v", errors.Join(err, rows.Err()))
						}
						defer func() { _ = rows.Close() }()
						leave()
						return nil
					}
					passed := make(chan any)
					go func() {
						var value any = "nothing"
						defer func() { passed <- value }()
						value = recovered(func() {
							switch depth {
							case "outer":
								_ = w.Atomic(t.Context(), fn)
							case "inner":
								_ = w.Atomic(t.Context(), func(ctx context.Context) error { return w.Atomic(ctx, fn) })
							case "dry run":
								_, _ = w.DryRun(t.Context(), fn)
							}
						})
					}()
					value := <-passed
					if name == "panic" && value != "boom" {
						t.Errorf("the panic became %v", value)
					}
					w.wantNames(t)
					w.wantUsable(t)
					noError(t, must(w.Close(), w.raw.Close()))
					goleak.VerifyNone(t, before, testdb.IgnoreServers())
				})
			})
		}
	}
}

// A panic in an inner block that the outer one recovers from undoes the inner block alone.
func TestJoin_RecoveredPanicOfAnInnerBlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			value := recovered(func() {
				_ = w.Atomic(ctx, func(ctx context.Context) error {
					noError(t, w.add(ctx, "inner"))
					panic("boom")
				})
			})
			return must(expect(value == "boom", "got %v", value), w.add(ctx, "outer"))
		}))
		w.wantNames(t, "outer")
	})
}
