package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// refused checks that AtomicAll refuses the database with the alias before it has run anything.
func refused(t *testing.T, alias, reason string, databases []*db.DB, ctx context.Context, opts ...db.BlockOption) *db.ParticipantError {
	t.Helper()
	err := db.AtomicAll(ctx, databases, func(context.Context) error {
		t.Error("the function was run")
		return nil
	}, opts...)
	refusal, ok := errors.AsType[*db.ParticipantError](err)
	if !ok || refusal.Alias != alias || !strings.Contains(err.Error(), reason) {
		t.Fatalf("error %v (%T), want a *ParticipantError of %q about %q", err, err, alias, reason)
	}
	return refusal
}

func TestAtomicAll_Refuses(t *testing.T) {
	ctx := t.Context()
	a := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a"))
	b := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB), db.Alias("b"))
	before := []string{a.on.Dump(t), b.on.Dump(t)}
	both := []*db.DB{a.DB, b.DB}
	nothing := func(context.Context) error { return nil }

	if err := db.AtomicAll(ctx, nil, nothing); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("no databases: %v", err)
	}
	if err := db.AtomicAll(ctx, both, nothing, db.ReadOnly()); err == nil || !strings.Contains(err.Error(), "ReadOnly") {
		t.Errorf("read only: %v", err)
	}
	refused(t, "a", "given twice", []*db.DB{a.DB, b.DB, a.DB}, ctx)
	lite := newWorld(t, testdb.Fresh(t, testdb.NameSQLite), db.Alias("lite"))
	refused(t, "lite", "sqlite cannot prepare", []*db.DB{a.DB, lite.DB}, ctx)
	refused(t, "lite", "sqlite cannot prepare", []*db.DB{lite.DB, a.DB}, ctx)
	refused(t, "b", "isolation level", both, ctx, db.Isolation(5))

	one := open(t, a.on, db.Alias("one"), db.MaxConns(1))
	if hint := refused(t, "one", "one connection", []*db.DB{one, b.DB}, ctx).Hint(); !strings.Contains(hint, "MaxConns") {
		t.Errorf("hint %q", hint)
	}

	noError(t, a.Atomic(ctx, func(ctx context.Context) error {
		wantIs(t, refused(t, "a", "in a block", both, ctx), db.ErrDurableNested)
		return nil
	}))
	inside, tx, err := b.Begin(ctx)
	noError(t, err)
	wantIs(t, refused(t, "b", "in a block", both, inside), db.ErrDurableNested)
	noError(t, tx.Rollback(inside))

	_, err = a.DryRun(ctx, func(ctx context.Context) error {
		wantIs(t, refused(t, "b", "not in the dry run", both, ctx), db.ErrOutsideBlock)
		wantIs(t, refused(t, "b", "not in the dry run", []*db.DB{a.DB, b.RequireBlock()}, ctx), db.ErrOutsideBlock)
		return a.Atomic(ctx, func(ctx context.Context) error {
			refused(t, "a", "in a block", both, ctx)
			return nil
		})
	})
	noError(t, err)
	// Two views are one database.
	_, err = a.DryRun(ctx, func(ctx context.Context) error {
		refused(t, "a", "given twice", []*db.DB{a.DB, a.RequireBlock()}, ctx)
		return nil
	})
	noError(t, err)
	for i, w := range []*world{a, b} {
		if w.on.Dump(t) != before[i] {
			t.Errorf("%s has changed:\n%s", w.on.Name, w.on.Dump(t))
		}
	}
}

func TestAtomicAll_RefusesWithoutPreparedTransactions(t *testing.T) {
	a := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a"))
	b := newWorld(t, testdb.NewPostgres(t, testdb.Setting("max_prepared_transactions", "0")).Database(t), db.Alias("b"))
	for _, databases := range [][]*db.DB{{a.DB, b.DB}, {b.DB, a.DB}} {
		hint := refused(t, "b", "max_prepared_transactions is 0", databases, t.Context()).Hint()
		if !strings.Contains(hint, "max_prepared_transactions") || !strings.Contains(hint, "restart") {
			t.Errorf("hint %q", hint)
		}
	}
	wantNothingLeft(t, a, b)
}

// All places for prepared transactions are taken: the server says so when one is prepared.
func TestAtomicAll_NoPlaceLeft(t *testing.T) {
	a := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB), db.Alias("a"))
	b := newWorld(t, testdb.NewPostgres(t, testdb.Setting("max_prepared_transactions", "1")).Database(t), db.Alias("b"))
	b.setup(t, "BEGIN; INSERT INTO item (name) VALUES ('somebody else'); PREPARE TRANSACTION 'somebody else'")
	err := all(t.Context(), a, b, func(ctx context.Context) error { return addBoth(ctx, a, b, "one") })
	if own, ok := errors.AsType[*db.Error](err); !ok || own.Op != "prepare" {
		t.Errorf("error %v (%T)", err, err)
	}
	wantNothingLeft(t, a, b)
	b.setup(t, "COMMIT PREPARED 'somebody else'")
	a.wantNames(t)
	b.wantNames(t, "somebody else")
}

func TestAtomicAll_RefusesReadOnly(t *testing.T) {
	a := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a"))
	server := testdb.NewMariaDB(t)
	b := newWorld(t, server.Database(t), db.Alias("b"))
	_, err := server.Admin(t, "").ExecContext(t.Context(), "SET GLOBAL read_only = 1")
	noError(t, err)
	wantIs(t, refused(t, "b", "no writes", []*db.DB{a.DB, b.DB}, t.Context()), db.ErrReadOnly)

	c := testdb.Fresh(t, testdb.NamePostgres)
	_, err = c.RawDB(t).ExecContext(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`)
	noError(t, err)
	wantIs(t, refused(t, "c", "no writes", []*db.DB{a.DB, open(t, c, db.Alias("c"))}, t.Context()), db.ErrReadOnly)
}

// Without the right to make the table AtomicAll says who can help, and does nothing.
func TestAtomicAll_CannotMakeTheTable(t *testing.T) {
	a := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a"))
	b := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("b"))
	a.setup(t, "ALTER SCHEMA public OWNER TO drover", "REVOKE CREATE ON SCHEMA public FROM drover, PUBLIC")
	refusal := refused(t, "a", "drover_decisions is missing and cannot be made", []*db.DB{a.DB, b.DB}, t.Context())
	wantIs(t, refusal, db.ErrPermission)
	if !strings.Contains(refusal.Hint(), "init --print-sql") {
		t.Errorf("hint %q", refusal.Hint())
	}
	a.setup(t, "GRANT CREATE ON SCHEMA public TO drover", a.Dialect().Features().TwoPhase.DecisionTable, "REVOKE CREATE ON SCHEMA public FROM drover")
	noError(t, all(t.Context(), a, b, func(ctx context.Context) error { return addBoth(ctx, a, b, "one") }))
	wantBoth(t, a, b, "one")

	// Somebody drops the table.
	a.setup(t, "DROP TABLE drover_decisions", "GRANT CREATE ON SCHEMA public TO drover")
	wantIs(t, all(t.Context(), a, b, func(ctx context.Context) error { return addBoth(ctx, a, b, "two") }), db.ErrUndefinedTable)
	noError(t, all(t.Context(), a, b, func(ctx context.Context) error { return addBoth(ctx, a, b, "two") }))
	wantBoth(t, a, b, "one", "two")
}

// Several programs may need the table at the same time.
func TestAtomicAll_MakesTheTableAtOnce(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		names := []string{"0", "1", "2", "3"}
		failures := make(chan error)
		for _, name := range names {
			first := open(t, a.on, db.Alias("a"))
			go func() {
				failures <- db.AtomicAll(t.Context(), []*db.DB{first, b.DB}, func(ctx context.Context) error {
					return must(first.Exec(ctx, "INSERT INTO item (name) VALUES (?)", name), b.add(ctx, name))
				})
			}()
		}
		for range names {
			noError(t, <-failures)
		}
		wantBoth(t, a, b, names...)
	})
}

// What would end the transaction behind the block's back is refused.
func TestAtomicAll_RefusesStatements(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		noError(t, all(t.Context(), a, b, func(ctx context.Context) error {
			for _, w := range []*world{a, b} {
				for _, query := range []string{"COMMIT", "PREPARE TRANSACTION 'x'", "XA END 'x'", "COMMIT PREPARED 'x'", "ROLLBACK PREPARED 'x'", "xa prepare 'x'"} {
					wantIs(t, w.Exec(ctx, query), db.ErrManaged)
				}
			}
			return addBoth(ctx, a, b, "one")
		}))
		wantBoth(t, a, b, "one")
	})
}

// A last statement that usually goes together with COMMIT is sent at once.
func TestAtomicAll_SendLast(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		noError(t, all(t.Context(), a, b, func(ctx context.Context) error {
			return must(addBoth(ctx, a, b, "one"), a.SendLast(ctx, rename("one", "two")), b.SendLast(ctx, rename("one", "two")))
		}))
		wantBoth(t, a, b, "two")
		wantIs(t, all(t.Context(), a, b, func(ctx context.Context) error {
			return must(addBoth(ctx, a, b, "one"), b.SendLast(ctx, rename("missing", "two")))
		}), errOops)
		wantBoth(t, a, b, "two")
	})
}
