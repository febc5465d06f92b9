package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// eachTwo runs fn with two databases of every kind.
func eachTwo(t *testing.T, fn func(t *testing.T, a, b *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		fn(t, newWorld(t, d, db.Alias("a")), newWorld(t, testdb.Fresh(t, d.Name), db.Alias("b")))
	})
}

// Case 180 for one error; errors_test.go has all kinds.
func TestConformance_180_PortableErrors(t *testing.T) {
	codes := map[string]string{testdb.NamePostgres: "23505", testdb.NameMariaDB: "1062", testdb.NameSQLite: "2067"}
	each(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "a"))
		err := w.add(t.Context(), "a")
		wantIs(t, err, db.ErrUnique)
		var own *db.Error
		if !errors.As(err, &own) {
			t.Fatalf("%v (%T) is no *Error", err, err)
		}
		if own.Code != codes[w.on.Name] || own.Alias != "default" || own.Op != "exec" {
			t.Errorf("got %+v", own)
		}
		if !isDriverError[w.on.Name](err) {
			t.Errorf("the driver's error is not in the chain of %v", err)
		}
	})
}

// Cascades and get-or-create belong to other packages; here it is the statements of every way to send them.
func TestConformance_195_StatementsGoToTheirDatabase(t *testing.T) {
	eachTwo(t, func(t *testing.T, a, b *world) {
		noError(t, a.Atomic(t.Context(), func(ctx context.Context) error {
			_, err := b.SQL(ctx).ExecContext(ctx, "INSERT INTO item (name) VALUES ('sql')")
			if err := must(err, b.add(ctx, "exec")); err != nil {
				return err
			}
			return b.Atomic(ctx, func(ctx context.Context) error {
				_, err := b.DBTX().ExecContext(ctx, "INSERT INTO item (name) VALUES ('block')")
				names, readErr := b.names(ctx)
				return must(err, readErr, expect(cmp.Equal(names, []string{"block", "exec", "sql"}), "b reads %v", names))
			})
		}))
		a.wantNames(t)
		a.wantSent(t, "BEGIN", "COMMIT")
		b.wantNames(t, "block", "exec", "sql")
	})
}

func TestConformance_196_UnknownAlias(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		registry := db.NewRegistry(map[string]string{"default": w.on.URL, "reports": w.on.URL}, db.Intercept(w.log.Intercept))
		defer func() { noError(t, registry.Close()) }()
		_, err := registry.Get(t.Context(), "report")
		if _, ok := errors.AsType[*db.AliasError](err); !ok {
			t.Fatalf("%v (%T) is no *AliasError", err, err)
		}
		if want := `no database "report": configured are default, reports`; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		w.wantSent(t)
	})
}

// Hooks and savepoints belong to the database that they were made on, however the blocks of two databases lie in each other.
func TestConformance_195_HooksAndSavepointsAreTheirOwn(t *testing.T) {
	eachTwo(t, func(t *testing.T, a, b *world) {
		var fired []string
		hook := func(ctx context.Context, w *world, name string) error {
			return w.OnCommit(ctx, func(context.Context) error {
				fired = append(fired, name)
				return nil
			})
		}
		noError(t, a.Atomic(t.Context(), func(ctx context.Context) error {
			noError(t, must(a.add(ctx, "a"), hook(ctx, a, "a")))
			noError(t, b.Atomic(ctx, func(ctx context.Context) error {
				noError(t, hook(ctx, b, "b"))
				// A savepoint of a takes nothing of b with it.
				wantIs(t, a.Atomic(ctx, func(ctx context.Context) error {
					return must(a.add(ctx, "dropped"), hook(ctx, a, "dropped"), b.add(ctx, "kept"), hook(ctx, b, "kept"), errOops)
				}), errOops)
				return nil
			}))
			// At the commit of b its own hooks have run, and none of a's.
			noError(t, expect(cmp.Equal(fired, []string{"b", "kept"}), "fired %v", fired))
			// Nor does a block of b that fails break the one of a.
			wantIs(t, b.Atomic(ctx, func(ctx context.Context) error {
				return must(b.add(ctx, "dropped"), hook(ctx, b, "dropped"), errOops)
			}), errOops)
			return a.add(ctx, "last")
		}))
		if want := []string{"b", "kept", "a"}; !cmp.Equal(fired, want) {
			t.Errorf("fired %v, want %v", fired, want)
		}
		a.wantNames(t, "a", "last")
		b.wantNames(t, "kept")

		// b has committed when a is rolled back: its hooks have run, and a's never will.
		fired = nil
		wantIs(t, a.Atomic(t.Context(), func(ctx context.Context) error {
			noError(t, hook(ctx, a, "a"))
			noError(t, b.Atomic(ctx, func(ctx context.Context) error { return hook(ctx, b, "b") }))
			return errOops
		}), errOops)
		if want := []string{"b"}; !cmp.Equal(fired, want) {
			t.Errorf("fired %v, want %v", fired, want)
		}
	})
}

// Case 197 without two-phase commit; TestConformance_197_TwoPhase is the case with it.
func TestConformance_197_TwoDatabasesAreTwoTransactions(t *testing.T) {
	eachTwo(t, func(t *testing.T, a, b *world) {
		err := a.Atomic(t.Context(), func(ctx context.Context) error {
			return must(
				a.add(ctx, "a"),
				b.Atomic(ctx, func(ctx context.Context) error { return b.add(ctx, "b") }),
				errOops,
			)
		})
		wantIs(t, err, errOops)
		a.wantNames(t)
		b.wantNames(t, "b")
	})
}

// Case 198 is about a test harness that fences databases off. What package db has of it: a view that sends nothing outside a
// dry run's block, from a goroutine neither.
func TestConformance_198_FencedOff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fenced := w.RequireBlock()
		_, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			failure := make(chan error)
			go func() { failure <- fenced.Exec(t.Context(), "INSERT INTO item (name) VALUES ('a')") }()
			wantIs(t, <-failure, db.ErrOutsideBlock)
			return fenced.Exec(ctx, "INSERT INTO item (name) VALUES ('b')")
		})
		noError(t, err)
		w.wantNames(t)
	})
}

// SQLite writes on one connection whatever the pool's size; TestSQLite_OuterContext is its case.
func TestConformance_199_PoolExhausted(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testdb.Fresh(t, name), db.MaxConns(2), db.AcquireTimeout(300*time.Millisecond))
			ctx := t.Context()
			_, first, err := w.Begin(ctx)
			noError(t, err)
			inside, second, err := w.Begin(ctx)
			noError(t, err)
			session := w.session(t, inside)

			failures := map[string]error{
				"Atomic": w.Atomic(ctx, func(context.Context) error { return nil }),
				"Exec":   w.add(ctx, "a"),
				"Row":    w.QueryRow(ctx, "SELECT 1").Scan(new(int)),
			}
			_, failures["Query"] = w.names(ctx)
			_, failures["BeginTx"] = w.DBTX().BeginTx(ctx, nil)
			_, failures["Prepare"] = w.DBTX().PrepareContext(ctx, "SELECT 1")
			if w.Native() != nil {
				_, failures["pgx"] = w.PGXDBTX().Exec(ctx, "SELECT 1")
			}
			for way, err := range failures {
				var acquire *db.AcquireError
				if !errors.As(err, &acquire) || !acquire.Timeout() || !strings.Contains(acquire.Hint(), "MaxConns") {
					t.Errorf("%s: got %v (%T), want an *AcquireError", way, err, err)
				}
			}

			noError(t, second.Rollback(ctx))
			again, third, err := w.Begin(ctx)
			noError(t, err)
			if got := w.session(t, again); got != session {
				t.Errorf("the session is %d, want %d again", got, session)
			}
			noError(t, must(third.Rollback(ctx), first.Rollback(ctx)))
			w.wantUsable(t)
		})
	}
}

// Case 200: that a dead session is replaced is case 34. This is its price: a session that was in use a moment ago is checked
// without a statement. Only MariaDB counts the statements of a session.
func TestConformance_200_HealthChecksSendNothing(t *testing.T) {
	const count = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'QUESTIONS'"
	on(t, func(t *testing.T, w *world) {
		var first, second int
		noError(t, w.QueryRow(t.Context(), count).Scan(&first))
		noError(t, w.QueryRow(t.Context(), count).Scan(&second))
		if second != first+1 {
			t.Errorf("%d statements between two", second-first-1)
		}
	}, testdb.NameMariaDB)
}
