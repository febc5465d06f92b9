package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// pairs are the kinds of databases that AtomicAll is tried on.
var pairs = [][2]string{
	{testdb.NamePostgres, testdb.NamePostgres},
	{testdb.NamePostgres, testdb.NameMariaDB},
	{testdb.NameMariaDB, testdb.NamePostgres},
	{testdb.NameMariaDB, testdb.NameMariaDB},
}

// eachBoth runs fn with two databases that can prepare transactions.
func eachBoth(t *testing.T, fn func(t *testing.T, a, b *world), opts ...db.OpenOption) {
	t.Helper()
	for _, names := range pairs {
		t.Run(names[0]+" and "+names[1], func(t *testing.T) {
			a := newWorld(t, testdb.Fresh(t, names[0]), append(opts, db.Alias("a"))...)
			b := newWorld(t, testdb.Fresh(t, names[1]), append(opts, db.Alias("b"))...)
			fn(t, a, b)
		})
	}
}

// all is AtomicAll on both.
func all(ctx context.Context, a, b *world, fn func(ctx context.Context) error, opts ...db.BlockOption) error {
	return db.AtomicAll(ctx, []*db.DB{a.DB, b.DB}, fn, opts...)
}

// addBoth inserts an item on both.
func addBoth(ctx context.Context, a, b *world, name string) error {
	return must(a.add(ctx, name), b.add(ctx, name))
}

// wantBoth checks that both have the same committed items, and that nothing of a transaction is left and both can be used.
func wantBoth(t *testing.T, a, b *world, names ...string) {
	t.Helper()
	a.wantNames(t, names...)
	b.wantNames(t, names...)
	wantNothingLeft(t, a, b)
	a.wantUsable(t)
	b.wantUsable(t)
}

// wantNothingLeft checks that nothing is prepared and no record is left.
func wantNothingLeft(t *testing.T, a, b *world) {
	t.Helper()
	found, err := db.InDoubt(t.Context(), a.DB, b.DB)
	noError(t, err)
	if len(found.Transactions) != 0 || len(found.Failed) != 0 {
		t.Errorf("left: %+v", found)
	}
}

func TestAtomicAll_Commits(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		ha, hb := &hooks{w: a}, &hooks{w: b}
		noError(t, all(t.Context(), a, b, func(ctx context.Context) error {
			if !a.InBlock(ctx) || !b.InBlock(ctx) {
				return errors.New("the context is not in both blocks")
			}
			failed := b.Atomic(ctx, func(ctx context.Context) error {
				return must(addBoth(ctx, a, b, "undone on b"), hb.on(ctx, "undone"), errOops)
			})
			wantIs(t, failed, errOops)
			_, err := a.SQL(ctx).ExecContext(ctx, "INSERT INTO item (name) VALUES ('sql')")
			return must(err,
				addBoth(ctx, a, b, "one"), ha.on(ctx, "a"), hb.on(ctx, "b"),
				a.Atomic(ctx, func(ctx context.Context) error { return addBoth(ctx, a, b, "two") }),
			)
		}, db.Durable()))
		a.wantNames(t, "one", "sql", "two", "undone on b")
		b.wantNames(t, "one", "two")
		ha.want(t, "a")
		hb.want(t, "b")
		wantNothingLeft(t, a, b)
		a.wantUsable(t)
		b.wantUsable(t)
	})
}

// What the databases are told, in order: nothing is decided before both are prepared, and nothing committed before it is decided.
func TestAtomicAll_Statements(t *testing.T) {
	prepare := map[string][]string{testdb.NamePostgres: {"PREPARE"}, testdb.NameMariaDB: {"XA END", "XA PREPARE"}}
	begin := map[string]string{testdb.NamePostgres: "BEGIN", testdb.NameMariaDB: "XA START"}
	commit := map[string]string{testdb.NamePostgres: "COMMIT", testdb.NameMariaDB: "XA COMMIT"}
	for _, names := range pairs {
		t.Run(names[0]+" and "+names[1], func(t *testing.T) {
			var sent []string
			watch := db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
				words := strings.Fields(s.SQL)
				if words[0] == "XA" {
					words[0] += " " + words[1]
				}
				if words[0] != "SELECT" && words[0] != "--" {
					sent = append(sent, s.Alias+" "+words[0])
				}
				return next(ctx)
			})
			a := newWorld(t, testdb.Fresh(t, names[0]), db.Alias("a"), watch)
			b := newWorld(t, testdb.Fresh(t, names[1]), db.Alias("b"), watch)
			work := func(ctx context.Context) error { return addBoth(ctx, a, b, "one") }
			noError(t, all(t.Context(), a, b, work))
			sent = nil
			noError(t, all(t.Context(), a, b, func(ctx context.Context) error { return addBoth(ctx, a, b, "two") }))
			want := []string{"a " + begin[names[0]], "b " + begin[names[1]], "a INSERT", "b INSERT", "a INSERT"}
			for i, name := range names {
				for _, p := range prepare[name] {
					want = append(want, string("ab"[i])+" "+p)
				}
			}
			want = append(want, "a UPDATE", "a "+commit[names[0]], "b "+commit[names[1]], "a DELETE")
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAtomicAll_ThreeDatabases(t *testing.T) {
	a := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a"))
	b := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB), db.Alias("b"))
	c := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("c"))
	for _, failure := range []error{errOops, nil} {
		err := db.AtomicAll(t.Context(), []*db.DB{a.DB, b.DB, c.DB}, func(ctx context.Context) error {
			return must(a.add(ctx, "x"), b.add(ctx, "x"), c.add(ctx, "x"), failure)
		})
		wantIs(t, err, failure)
	}
	for _, w := range []*world{a, b, c} {
		w.wantNames(t, "x")
	}
	wantNothingLeft(t, a, c)
}

func TestAtomicAll_OneDatabaseIsAtomic(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.log.Reset()
		noError(t, db.AtomicAll(t.Context(), []*db.DB{w.DB}, func(ctx context.Context) error {
			return must(w.add(ctx, "one"), db.AtomicAll(ctx, []*db.DB{w.DB}, func(ctx context.Context) error { return w.add(ctx, "two") }))
		}))
		w.wantSent(t, "BEGIN", "INSERT", "SAVEPOINT", "INSERT", "RELEASE", "COMMIT")
		w.wantNames(t, "one", "two")
	})
}

func TestAtomicAll_RollsBackBoth(t *testing.T) {
	ways := map[string]struct {
		work func(t *testing.T, ctx context.Context, cancel func(), a, b *world) error
		want error // what errors.Is finds; nil where AtomicAll returns nil
	}{
		"error": {func(*testing.T, context.Context, func(), *world, *world) error { return errOops }, errOops},
		"swallowed on the first": {func(_ *testing.T, ctx context.Context, _ func(), a, _ *world) error {
			return swallow(a.add(ctx, "one"))
		}, db.ErrBroken},
		"swallowed on the second": {
			func(_ *testing.T, ctx context.Context, _ func(), _, b *world) error {
				return swallow(b.add(ctx, "one"))
			}, db.ErrUnique,
		},
		"context ended": {func(_ *testing.T, _ context.Context, cancel func(), _, _ *world) error { cancel(); return nil }, context.Canceled},
		"asked for on the second": {
			func(_ *testing.T, ctx context.Context, _ func(), _, b *world) error { return b.SetRollback(ctx, true) }, nil,
		},
		"an open transaction": {
			func(_ *testing.T, ctx context.Context, _ func(), a, _ *world) error {
				_, err := a.SQL(ctx).BeginTx(ctx, nil)
				return err
			}, db.ErrBroken,
		},
	}
	eachBoth(t, func(t *testing.T, a, b *world) {
		noError(t, all(t.Context(), a, b, func(ctx context.Context) error { return addBoth(ctx, a, b, "one") }))
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				ha, hb := &hooks{w: a}, &hooks{w: b}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := all(ctx, a, b, func(ctx context.Context) error {
					return must(addBoth(ctx, a, b, "two"), ha.on(ctx, "a"), hb.on(ctx, "b"), way.work(t, ctx, cancel, a, b))
				})
				wantIs(t, err, way.want)
				ha.want(t)
				hb.want(t)
				wantBoth(t, a, b, "one")
			})
		}
		t.Run("panic", func(t *testing.T) {
			value := recovered(func() {
				_ = all(t.Context(), a, b, func(ctx context.Context) error {
					noError(t, addBoth(ctx, a, b, "two"))
					panic("oops")
				})
			})
			if value != "oops" {
				t.Errorf("the panic is %v", value)
			}
			wantBoth(t, a, b, "one")
		})
	})
}

// The second database finds only when it prepares that it cannot keep the work.
func TestAtomicAll_SecondCannotPrepare(t *testing.T) {
	for _, first := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(first, func(t *testing.T) {
			a := newWorld(t, testdb.Fresh(t, first), db.Alias("a"))
			b := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("b"))
			b.setup(t, "CREATE TABLE late (id int, CONSTRAINT late_id UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)")
			failures := map[string]string{
				"deferred constraint": "INSERT INTO late VALUES (1), (1)",
				"temporary table":     "CREATE TEMPORARY TABLE own (id int)",
				"LISTEN":              "LISTEN own",
			}
			for name, query := range failures {
				t.Run(name, func(t *testing.T) {
					ha := &hooks{w: a}
					err := all(t.Context(), a, b, func(ctx context.Context) error {
						return must(addBoth(ctx, a, b, "one"), ha.on(ctx, "a"), b.Exec(ctx, query))
					})
					own, ok := errors.AsType[*db.Error](err)
					if !ok || own.Op != "prepare" || own.Alias != "b" {
						t.Errorf("error %v (%T)", err, err)
					}
					ha.want(t)
					wantBoth(t, a, b)
				})
			}
		})
	}
}

func TestAtomicAll_Isolation(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		for _, w := range []*world{a, b} {
			w.setup(t, "INSERT INTO item (id, name) VALUES (100, 'one')")
		}
		noError(t, all(t.Context(), a, b, func(ctx context.Context) error {
			for _, w := range []*world{a, b} {
				if w.on.Name == testdb.NamePostgres {
					var level string
					noError(t, w.QueryRow(ctx, "SHOW transaction_isolation").Scan(&level))
					if level != "serializable" {
						t.Errorf("level %s", level)
					}
					continue
				}
				// At this level a plain SELECT keeps others from writing.
				noError(t, w.QueryRow(ctx, "SELECT id FROM item WHERE id = 100").Scan(new(int)))
				err := w.raw.QueryRowContext(ctx, "SELECT id FROM item WHERE id = 100 FOR UPDATE NOWAIT").Scan(new(int))
				if db.KindOf(err) != db.ErrLockTimeout {
					t.Errorf("the row that was read can be written: %v", err)
				}
			}
			return nil
		}, db.Isolation(sql.LevelSerializable)))
		wantBoth(t, a, b, "one")
	})
}

// A conflict on one database runs both blocks again.
func TestAtomicAll_Retry(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		ha, hb := &hooks{w: a}, &hooks{w: b}
		attempts := 0
		b.setup(t, "INSERT INTO item (id, name) VALUES (1, 'left'), (2, 'right')")
		noError(t, all(t.Context(), a, b, func(ctx context.Context) error {
			attempts++
			if err := must(a.add(ctx, fmt.Sprint("attempt ", attempts)), ha.on(ctx, "a"), hb.on(ctx, "b")); err != nil || attempts > 1 {
				return err
			}
			return collide(ctx, b)
		}, db.Retry(3)))
		if attempts != 2 {
			t.Errorf("%d attempts", attempts)
		}
		a.wantNames(t, "attempt 2")
		b.wantNames(t, "left", "right")
		ha.want(t, "a")
		hb.want(t, "b")
		wantNothingLeft(t, a, b)
	})
}

// collide makes a statement of the block of ctx fail as another transaction wants it: on MariaDB the block is the victim of a deadlock, for
// the other one has changed more; PostgreSQL lets whoever finds the deadlock be the victim, so there it is a lock timeout.
func collide(ctx context.Context, w *world) error {
	other, err := w.raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = other.Rollback() }()
	run := func(query string) error {
		_, err := other.ExecContext(ctx, query)
		return err
	}
	const touch = "UPDATE item SET name = CONCAT(name, '!') WHERE id = "
	if w.on.Name == testdb.NamePostgres {
		return must(run(touch+"2"), w.Exec(ctx, "SET LOCAL lock_timeout = '10ms'"), w.Exec(ctx, touch+"2"))
	}
	err = must(run(touch+"2"), run("INSERT INTO item (name) VALUES ('w1'), ('w2'), ('w3'), ('w4')"), w.Exec(ctx, touch+"1"))
	if err != nil {
		return err
	}
	waited := make(chan error, 1)
	go func() { waited <- run(touch + "1") }()
	err = w.Exec(ctx, touch+"2")
	return must(err, <-waited, expect(db.KindOf(err) == db.ErrDeadlock, "the block was not the victim: %v", err))
}

// A hook runs because of its own database's commit alone, and one that fails stops those of its database alone.
func TestAtomicAll_HookFails(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		ha, hb := &hooks{w: a}, &hooks{w: b}
		err := all(t.Context(), a, b, func(ctx context.Context) error {
			return must(addBoth(ctx, a, b, "one"),
				hb.on(ctx, "b 1"),
				a.OnCommit(ctx, func(context.Context) error { return errOops }, db.Robust()),
				ha.on(ctx, "a 1"),
				a.OnCommit(ctx, func(context.Context) error { return errOops }, db.Named("failing")),
				ha.on(ctx, "a 2"),
				hb.on(ctx, "b 2"),
			)
		}, db.Retry(2))
		wantIs(t, err, db.ErrCommitted, errOops)
		if failed, ok := errors.AsType[*db.HookError](err); !ok || failed.Hook != "failing" || !cmp.Equal(failed.NotRun, []string{"a 2"}) {
			t.Errorf("error %v (%T)", err, err)
		}
		ha.want(t, "a 1")
		hb.want(t, "b 1", "b 2")
		wantBoth(t, a, b, "one")
	})
}

// Case 197 with two-phase commit: none.
func TestConformance_197_TwoPhase(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		wantIs(t, all(t.Context(), a, b, func(ctx context.Context) error {
			return must(
				a.add(ctx, "a"),
				b.Atomic(ctx, func(ctx context.Context) error { return b.add(ctx, "b") }),
				errOops,
			)
		}), errOops)
		wantBoth(t, a, b)
	})
}

// Pools that the program has opened take part as those of Open do.
func TestAtomicAll_From(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		fa, err := db.From(a.raw, db.Alias("a"))
		noError(t, err)
		fb, err := db.From(b.raw, db.Alias("b"))
		noError(t, err)
		ta, tb := &world{DB: fa, on: a.on}, &world{DB: fb, on: b.on}
		for _, failure := range []error{errOops, nil} {
			wantIs(t, all(t.Context(), ta, tb, func(ctx context.Context) error {
				return must(addBoth(ctx, ta, tb, "one"), failure)
			}, db.Isolation(sql.LevelRepeatableRead)), failure)
		}
		wantBoth(t, a, b, "one")
	})
}
