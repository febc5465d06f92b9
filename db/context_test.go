package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// slowQuery takes long, and cancelling it is possible.
var slowQuery = map[string]string{
	testdb.NamePostgres: "SELECT pg_sleep(60)",
	testdb.NameMariaDB:  "SELECT SLEEP(60)",
	testdb.NameSQLite:   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
}

// whileRunning calls f as soon as the slow query runs on the server. SQLite has no place to look; a query that has not begun
// yet when it is cancelled fails the same.
func (w *world) whileRunning(t *testing.T, f func()) {
	query := map[string]string{
		testdb.NamePostgres: "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND wait_event = 'PgSleep' AND datname = current_database()",
		testdb.NameMariaDB:  "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%' AND DB = DATABASE()",
	}[w.on.Name]
	if query != "" {
		await(t, "the slow query", func() bool {
			var n int
			err := w.raw.QueryRowContext(context.Background(), query).Scan(&n)
			return err != nil || n > 0
		})
	}
	f()
}

func TestContext_CancelledInTheMiddleOfAStatement(t *testing.T) {
	for _, where := range []string{"block", "inner block", "begin", "dry run"} {
		t.Run(where, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var session int64
				fn := func(ctx context.Context) error {
					if err := w.add(ctx, "a"); err != nil {
						return err
					}
					if w.on.Name == testdb.NamePostgres {
						session = w.session(t, ctx)
					}
					slow := make(chan error, 1)
					go func() { slow <- w.Exec(ctx, slowQuery[w.on.Name]) }()
					w.whileRunning(t, cancel)
					err := <-slow
					wantIs(t, w.add(ctx, "b"), context.Canceled)
					return err
				}
				var err error
				switch where {
				case "block":
					err = w.Atomic(ctx, fn)
				case "inner block":
					err = w.Atomic(ctx, func(ctx context.Context) error { return w.Atomic(ctx, fn) })
				case "begin":
					inside, tx, beginErr := w.Begin(ctx)
					noError(t, beginErr)
					err = fn(inside)
					noError(t, tx.Rollback(inside))
				case "dry run":
					_, err = w.DryRun(ctx, fn)
				}
				if !errors.Is(err, context.Canceled) && db.KindOf(err) != db.ErrStatementTimeout {
					t.Errorf("got %v of kind %v", err, db.KindOf(err))
				}
				w.wantNames(t)
				w.wantUsable(t)
				if w.on.Name == testdb.NamePostgres { // the connection was kept
					noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
						if got := w.session(t, ctx); got != session {
							t.Errorf("the session is %d, was %d", got, session)
						}
						return nil
					}))
				}
			})
		})
	}
}

// A context that ends before COMMIT rolls the block back, with its cause.
func TestContext_EndsBeforeCommit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancelCause(t.Context())
		err := w.Atomic(ctx, func(ctx context.Context) error {
			err := w.add(ctx, "a")
			cancel(errOops)
			return err
		})
		wantIs(t, err, errOops)
		w.wantNames(t)
		called := false
		err = w.Atomic(ctx, func(context.Context) error {
			called = true
			return nil
		})
		if wantIs(t, err, errOops); called {
			t.Error("a block began with a context that had ended")
		}
		_, _, err = w.Begin(ctx)
		wantIs(t, err, errOops)
		w.wantUsable(t)
	})
}

// A context that ends while COMMIT is under way does not disturb it.
func TestContext_EndsDuringCommit(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld(t, d, db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
			if s.SQL == "COMMIT" {
				cancel()
			}
			return next(ctx)
		}))
		noError(t, w.Atomic(ctx, func(ctx context.Context) error { return w.add(ctx, "a") }))
		w.wantNames(t, "a")
	})
}
