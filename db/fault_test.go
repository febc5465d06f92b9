package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// newServer starts a server that a test may kill.
var newServer = map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
	testdb.NamePostgres: testdb.NewPostgres,
	testdb.NameMariaDB:  testdb.NewMariaDB,
}

func eachServer(t *testing.T, fn func(t *testing.T, name string)) {
	t.Helper()
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) { fn(t, name) })
	}
}

func TestFault_ServerKilledInABlock(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		server := newServer[name](t)
		w := newWorld(t, server.Database(t))
		h := &hooks{w: w}

		// In the middle: the next statement tells.
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := must(w.add(ctx, "a"), h.on(ctx, "hook"), server.Kill()); err != nil {
				return err
			}
			return w.add(ctx, "b")
		}, db.Retry(3))
		wantIs(t, err, db.ErrConnectionLost)
		if errors.Is(err, db.ErrOutcomeUnknown) {
			t.Errorf("%v claims not to know, but COMMIT was not sent", err)
		}
		// While it is down.
		err = w.Atomic(t.Context(), func(context.Context) error { return nil })
		if db.KindOf(err) != db.ErrConnectionLost {
			t.Errorf("a block without a server: %v of kind %v", err, db.KindOf(err))
		}
		noError(t, server.Start())
		w.raw = w.on.RawDB(t) // the plain driver's connections are dead
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error { return w.add(ctx, "c") }))
		noError(t, w.add(t.Context(), "d"))
		w.wantNames(t, "c", "d")

		// At the end: COMMIT is sent, and nobody answers.
		err = w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(w.add(ctx, "e"), h.on(ctx, "hook"), server.Kill())
		}, db.Retry(3))
		wantIs(t, err, db.ErrConnectionLost)
		noError(t, server.Start())
		w.raw = w.on.RawDB(t)
		w.wantNames(t, "c", "d")
		h.want(t)
		w.wantUsable(t)
	})
}

// A server that is stopped in an orderly way cuts its sessions.
func TestFault_ServerRestarted(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		server := newServer[name](t)
		w := newWorld(t, server.Database(t))
		ctx, tx, err := w.Begin(t.Context())
		noError(t, must(err, w.add(ctx, "a"), server.Stop(), server.Start()))
		w.raw = w.on.RawDB(t)
		wantIs(t, w.add(ctx, "b"), db.ErrConnectionLost)
		wantIs(t, tx.Commit(ctx), db.ErrBroken, db.ErrConnectionLost)
		_, err = w.DryRun(t.Context(), func(ctx context.Context) error { return w.add(ctx, "c") })
		noError(t, err)
		w.wantNames(t)
		w.wantUsable(t)
	})
}

// cutAtCommit runs a block through a proxy that cuts the connection at its COMMIT, and returns the block's error.
func cutAtCommit(t *testing.T, w *world, through *db.DB, trap func([]byte) <-chan struct{}) error {
	t.Helper()
	var sprung <-chan struct{}
	attempts := 0
	err := through.Atomic(t.Context(), func(ctx context.Context) error {
		attempts++
		err := must(
			through.Exec(ctx, insertText("a")),
			through.OnCommit(ctx, func(context.Context) error {
				t.Error("the hook has run")
				return nil
			}),
		)
		sprung = trap([]byte("COMMIT"))
		return err
	}, db.Retry(3))
	if attempts != 1 {
		t.Errorf("%d attempts", attempts)
	}
	<-sprung
	if errors.Is(err, db.ErrCommitted) || err == nil {
		t.Errorf("got %v", err)
	}
	if text := fmt.Sprint(err); strings.Contains(text, "\n") {
		t.Errorf("more than one line: %q", text)
	}
	return err
}

// The answer of COMMIT is lost: the work is there, and the program cannot know.
func TestFault_AnswerOfCommitLost(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		w := newWorld(t, testdb.Fresh(t, name))
		proxy := testdb.NewProxy(t, w.on.Server.Addr())
		through := open(t, proxy.Database(w.on))
		err := cutAtCommit(t, w, through, proxy.CutOnClientBytes)
		wantIs(t, err, db.ErrOutcomeUnknown, db.ErrConnectionLost)
		w.wantNames(t, "a")
		noError(t, through.Exec(t.Context(), insertText("b"))) // the pool goes on
		w.wantNames(t, "a", "b")
	})
}

// COMMIT itself is lost: nothing is there, and the program cannot know that either.
func TestFault_CommitLost(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		w := newWorld(t, testdb.Fresh(t, name))
		proxy := testdb.NewProxy(t, w.on.Server.Addr())
		through := open(t, proxy.Database(w.on))
		err := cutAtCommit(t, w, through, proxy.CutBeforeForward)
		wantIs(t, err, db.ErrOutcomeUnknown, db.ErrConnectionLost)
		w.wantNames(t)
		noError(t, through.Exec(t.Context(), insertText("b")))
		w.wantNames(t, "b")
	})
}

func TestFault_CommitByHandLost(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		w := newWorld(t, testdb.Fresh(t, name))
		proxy := testdb.NewProxy(t, w.on.Server.Addr())
		through := open(t, proxy.Database(w.on))
		ctx, tx, err := through.Begin(t.Context())
		noError(t, must(err, through.Exec(ctx, insertText("a"))))
		sprung := proxy.CutOnClientBytes([]byte("COMMIT"))
		wantIs(t, tx.Commit(ctx), db.ErrOutcomeUnknown)
		<-sprung
		noError(t, tx.Rollback(ctx)) // a deferred one does nothing
		w.wantNames(t, "a")
	})
}

// The connection is cut before BEGIN's answer: nothing was done, so another connection is taken.
func TestFault_BeginLost(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		w := newWorld(t, testdb.Fresh(t, name))
		proxy := testdb.NewProxy(t, w.on.Server.Addr())
		through := open(t, proxy.Database(w.on))
		sprung := proxy.CutOnClientBytes([]byte(map[string]string{testdb.NamePostgres: "BEGIN", testdb.NameMariaDB: "START TRANSACTION"}[name]))
		noError(t, through.Atomic(t.Context(), func(ctx context.Context) error { return through.Exec(ctx, insertText("a")) }))
		<-sprung
		w.wantNames(t, "a")
	})
}

// A savepoint's end that is lost loses the whole transaction.
func TestFault_ReleaseLost(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		w := newWorld(t, testdb.Fresh(t, name))
		proxy := testdb.NewProxy(t, w.on.Server.Addr())
		through := open(t, proxy.Database(w.on))
		err := through.Atomic(t.Context(), func(ctx context.Context) error {
			if err := through.Exec(ctx, insertText("a")); err != nil {
				return err
			}
			sprung := proxy.CutOnClientBytes([]byte("RELEASE"))
			err := through.Atomic(ctx, func(ctx context.Context) error { return through.Exec(ctx, insertText("b")) })
			<-sprung
			wantIs(t, err, db.ErrConnectionLost)
			wantIs(t, through.Exec(ctx, insertText("c")), db.ErrBroken)
			return nil
		})
		wantIs(t, err, db.ErrBroken, db.ErrConnectionLost)
		if errors.Is(err, db.ErrOutcomeUnknown) {
			t.Errorf("%v claims not to know", err)
		}
		w.wantNames(t)
	})
}

// Two processes deadlock; both try again, and both do all their work once.
func TestFault_DeadlockBetweenProcesses(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		d := testdb.Fresh(t, name)
		w := newWorld(t, d)
		w.setup(t, "CREATE TABLE counter (id int PRIMARY KEY, n int)", "INSERT INTO counter VALUES (1, 0), (2, 0)")
		if name == testdb.NamePostgres { // it looks for deadlocks after a second
			admin := d.Server.Admin(t, "postgres")
			var database string
			noError(t, w.raw.QueryRowContext(t.Context(), "SELECT current_database()").Scan(&database))
			_, err := admin.ExecContext(t.Context(), `ALTER DATABASE "`+database+`" SET deadlock_timeout = '20ms'`)
			noError(t, err)
		}
		p, wait := startChild(t, d.URL, "transfer")
		met := false
		p.retried = func(a db.Attempt) { met = met || db.KindOf(a.Err) == db.ErrDeadlock }
		err := transfer(t.Context(), w.DB, p, 1, 2)
		noError(t, must(err, wait()))
		t.Logf("this process met a deadlock: %v; else the other did", met)
		for id := 1; id <= 2; id++ {
			var n int
			noError(t, w.QueryRow(t.Context(), "SELECT n FROM counter WHERE id = ?", id).Scan(&n))
			if n != 2*rounds {
				t.Errorf("counter %d is %d, want %d", id, n, 2*rounds)
			}
		}
	})
}

// An autocommit statement whose answer is lost was done, and must not be sent again.
func TestFault_AnswerOfAutocommitLost(t *testing.T) {
	const insert = "INSERT INTO twice (a) VALUES (1)"
	ways := map[string]func(ctx context.Context, conn *db.DB) error{
		"Exec": func(ctx context.Context, conn *db.DB) error { return conn.Exec(ctx, insert) },
		"Exec with arguments": func(ctx context.Context, conn *db.DB) error {
			return conn.Exec(ctx, "INSERT INTO twice (a) VALUES (?)", 1)
		},
		"DBTX": func(ctx context.Context, conn *db.DB) error {
			_, err := conn.DBTX().ExecContext(ctx, insert)
			return err
		},
		"SQL": func(ctx context.Context, conn *db.DB) error {
			_, err := conn.SQL(ctx).ExecContext(ctx, insert)
			return err
		},
		"Query": func(ctx context.Context, conn *db.DB) error {
			return conn.QueryRow(ctx, insert+" RETURNING a").Scan(new(int))
		},
	}
	for way, send := range ways {
		t.Run(way, func(t *testing.T) {
			eachServer(t, func(t *testing.T, name string) { testAnswerLost(t, name, send) })
		})
	}
	t.Run("prepared", func(t *testing.T) { // not on PostgreSQL, where it is prepared for every use, and that answer would be lost
		var stmt *sql.Stmt
		defer func() { _ = stmt.Close() }()
		testAnswerLost(t, testdb.NameMariaDB, func(ctx context.Context, conn *db.DB) (err error) {
			if stmt == nil {
				if stmt, err = conn.SQL(ctx).PrepareContext(ctx, insert); err != nil {
					return err
				}
			}
			_, err = stmt.ExecContext(ctx)
			return err
		})
	})
}

// testAnswerLost sends a statement three times, and the third time loses its answer. By then it is prepared, where the database's connections
// prepare what comes again.
func testAnswerLost(t *testing.T, name string, send func(ctx context.Context, conn *db.DB) error) {
	t.Helper()
	w := newWorld(t, testdb.Fresh(t, name))
	w.setup(t, "CREATE TABLE twice (a int)")
	proxy := testdb.NewProxy(t, w.on.Server.Addr())
	through := open(t, proxy.Database(w.on))
	noError(t, send(t.Context(), through))
	noError(t, send(t.Context(), through))
	sprung := proxy.CutOnClientBytes(nil)
	err := send(t.Context(), through)
	<-sprung
	if db.KindOf(err) != db.ErrConnectionLost {
		t.Errorf("got %v of kind %v", err, db.KindOf(err))
	}
	var n int
	noError(t, w.raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM twice").Scan(&n))
	if n != 3 {
		t.Errorf("3 statements have inserted %d rows", n)
	}
}
