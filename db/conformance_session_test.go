package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestConformance_038_SQLiteTransactionMode(t *testing.T) {
	tests := []struct{ name, parameter, want string }{
		{"default", "", "BEGIN IMMEDIATE"},
		{"immediate", "?_txlock=immediate", "BEGIN IMMEDIATE"},
		{"deferred", "?_txlock=deferred", "BEGIN DEFERRED"},
		{"exclusive", "?_txlock=EXCLUSIVE", "BEGIN EXCLUSIVE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log := db.NewQueryLog(10, nil)
			d := testdb.Fresh(t, testdb.NameSQLite)
			d.URL += test.parameter
			conn := open(t, d, db.Intercept(log.Intercept))
			noError(t, conn.Atomic(t.Context(), func(context.Context) error { return nil }))
			if got := log.Statements()[0].SQL; got != test.want {
				t.Errorf("the first statement is %q, want %q", got, test.want)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		_, err := db.Open(t.Context(), testdb.SQLite(t)+"?_txlock=later")
		if err == nil || !strings.Contains(err.Error(), `unknown _txlock "later"`) {
			t.Errorf("got %v", err)
		}
	})
}

// levelQuery reads the isolation level of the session's transactions.
var levelQuery = map[string]string{
	testdb.NamePostgres: "SELECT current_setting('transaction_isolation')",
	testdb.NameMariaDB:  "SELECT LOWER(REPLACE(@@tx_isolation, '-', ' '))",
}

// SQLite knows one level, which is all that is asked for.
func TestConformance_039_ConfiguredIsolation(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		for _, level := range []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable} {
			conn := open(t, w.on, db.DefaultIsolation(level))
			for where, ctx := range surroundings(t, conn) {
				var got string
				noError(t, conn.QueryRow(ctx, levelQuery[w.on.Name]).Scan(&got))
				if !strings.EqualFold(got, level.String()) {
					t.Errorf("%s: the session has %q, want %q", where, got, level)
				}
			}
		}
	}, testdb.NamePostgres, testdb.NameMariaDB)

	each(t, func(t *testing.T, w *world) {
		_, err := db.Open(t.Context(), w.on.URL, db.DefaultIsolation(sql.LevelLinearizable))
		if err == nil || !strings.Contains(err.Error(), "no isolation level") {
			t.Errorf("an unknown level: %v", err)
		}
		w.log.Reset()
		err = w.Atomic(t.Context(), func(context.Context) error { return nil }, db.Isolation(sql.LevelLinearizable))
		if err == nil || !strings.Contains(err.Error(), "no isolation level") {
			t.Errorf("an unknown level of a block: %v", err)
		}
		w.wantSent(t)
	})
}

// surroundings returns contexts outside and inside of a transaction that ends with the test.
func surroundings(t *testing.T, conn *db.DB) map[string]context.Context {
	t.Helper()
	ctx, tx, err := conn.Begin(t.Context())
	noError(t, err)
	t.Cleanup(func() { noError(t, tx.Rollback(context.WithoutCancel(ctx))) })
	return map[string]context.Context{"outside": t.Context(), "inside": ctx}
}

// A pool that the program has opened keeps its sessions' level, so the configured one goes with each BEGIN.
func TestConformance_039_ConfiguredIsolationOfAPool(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		conn, err := db.From(w.raw, db.DefaultIsolation(sql.LevelSerializable))
		noError(t, err)
		noError(t, conn.Atomic(t.Context(), func(ctx context.Context) error {
			want := map[string]string{testdb.NamePostgres: "serializable", testdb.NameMariaDB: "1"}[w.on.Name]
			query := levelQuery[w.on.Name]
			if w.on.Name == testdb.NameMariaDB { // the variable keeps showing the session's level
				query = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = CONNECTION_ID() AND trx_isolation_level = 'SERIALIZABLE'"
				if _, err := w.names(ctx); err != nil {
					return err
				}
				if err := conn.Exec(ctx, "INSERT INTO item (name) VALUES ('a')"); err != nil {
					return err
				}
			}
			var got string
			err := conn.QueryRow(ctx, query).Scan(&got)
			return must(err, expect(got == want, "the block has %q, want %q", got, want))
		}))
		_, err = db.From(w.raw, db.DefaultIsolation(sql.LevelLinearizable))
		if err == nil || !strings.Contains(err.Error(), "no isolation level") {
			t.Errorf("an unknown level: %v", err)
		}
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

func TestConformance_040_MySQLReadCommitted(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		var server string
		noError(t, w.raw.QueryRowContext(t.Context(), levelQuery[w.on.Name]).Scan(&server))
		if server != "repeatable read" {
			t.Fatalf("the server's own level is %q, so the test cannot fail", server)
		}
		for where, ctx := range surroundings(t, w.DB) {
			var got string
			noError(t, w.QueryRow(ctx, levelQuery[w.on.Name]).Scan(&got))
			if got != "read committed" {
				t.Errorf("%s: the session has %q", where, got)
			}
		}
	}, testdb.NameMariaDB)
}

func TestConformance_043_TransactionStatementsAreLogged(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w := newWorld(t, d, db.Alias("reports"), db.Intercept(db.LogStatements(log)))
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error { return w.add(ctx, "a secret") }))
		wantIs(t, w.Atomic(t.Context(), func(context.Context) error { return errOops }), errOops)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var verbs []string
		for _, line := range lines {
			for _, part := range []string{"database=reports", "duration="} {
				if !strings.Contains(line, part) {
					t.Errorf("no %s in %s", part, line)
				}
			}
			_, query, _ := strings.Cut(line, "sql=")
			verbs = append(verbs, verb(strings.Fields(strings.TrimLeft(query, `"`))[0]))
		}
		if diff := cmp.Diff([]string{"BEGIN", "INSERT", "COMMIT", "BEGIN", "ROLLBACK"}, verbs); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}
		if strings.Contains(out.String(), "secret") {
			t.Errorf("a parameter is in the log:\n%s", out.String())
		}
	})
}

func TestConformance_044_NoRecordsWithoutLogging(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		var out bytes.Buffer
		level := new(slog.LevelVar)
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))
		w := newWorld(t, d, db.Logger(log), db.Intercept(db.LogStatements(log)))
		noError(t, blockCases()[1].run(t.Context(), w))
		if out.Len() > 0 {
			t.Errorf("logged at level info:\n%s", out.String())
		}
		level.Set(slog.LevelDebug)
		noError(t, w.Exec(t.Context(), "DELETE FROM item"))
		if !strings.Contains(out.String(), "DELETE") {
			t.Errorf("nothing is logged at level debug")
		}
	})
}

func TestConformance_045_Interceptors(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		var order []string
		blocking := false
		note := func(name string) db.Interceptor {
			return func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
				order = append(order, name+" in")
				defer func() { order = append(order, name+" out") }()
				if blocking && name == "inner" {
					return errOops
				}
				return next(ctx)
			}
		}
		w := newWorld(t, d, db.Intercept(note("outer")), db.Intercept(note("inner")))
		other := newWorld(t, testdb.Fresh(t, d.Name), db.Alias("other"))

		noError(t, w.add(t.Context(), "a"))
		if diff := cmp.Diff([]string{"outer in", "inner in", "inner out", "outer out"}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}

		blocking = true
		ctx := t.Context()
		w.log.Reset()
		wantIs(t, w.add(ctx, "b"), errOops)
		wantIs(t, w.Exec(ctx, "INSERT INTO item (name) VALUES ('c'), ('d')"), errOops)
		_, err := w.names(ctx)
		wantIs(t, err, errOops)
		wantIs(t, w.QueryRow(ctx, "SELECT 1").Scan(new(int)), errOops)
		wantIs(t, w.Atomic(ctx, func(context.Context) error { return nil }), errOops)
		w.wantSent(t) // the log is the innermost interceptor
		noError(t, other.add(ctx, "x"))
		blocking = false
		w.wantNames(t, "a")
		other.wantNames(t, "x")
		w.wantUsable(t)
	})
}

// An interceptor that keeps back what ends a block must not leave a transaction open on a pooled connection.
func TestConformance_045_InterceptorBlocksTheEnd(t *testing.T) {
	for _, blocked := range []string{"COMMIT", "ROLLBACK"} {
		t.Run(blocked, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				on := true
				w := newWorld(t, d, db.MaxConns(1), db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
					if on && (s.SQL == blocked || s.SQL == "ROLLBACK") {
						return errOops
					}
					return next(ctx)
				}))
				err := w.Atomic(t.Context(), func(ctx context.Context) error {
					if err := w.add(ctx, "a"); err != nil || blocked == "COMMIT" {
						return err
					}
					return errors.New("roll back")
				})
				if err == nil || errors.Is(err, db.ErrOutcomeUnknown) {
					t.Errorf("the block returned %v", err)
				}
				on = false
				w.wantNames(t)
				w.wantUsable(t)
			})
		})
	}
}

// An interceptor may also fail after the statement was sent. Nothing may stay open then.
func TestConformance_045_InterceptorFailsAfterwards(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		failing := false
		w := newWorld(t, d, db.MaxConns(1), db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
			if err := next(ctx); err != nil || !failing || verb(s.SQL) != "SELECT" {
				return err
			}
			return errOops
		}))
		noError(t, w.add(t.Context(), "a"))
		uses := func(ctx context.Context) {
			t.Helper()
			failing = true
			_, err := w.Query(ctx, "SELECT name FROM item")
			wantIs(t, err, errOops)
			wantIs(t, w.QueryRow(ctx, "SELECT name FROM item").Scan(new(string)), errOops)
			if tx, err := w.PGX(ctx); err == nil {
				_, err := tx.Query(ctx, "SELECT name FROM item")
				wantIs(t, err, errOops)
			}
			failing = false
		}
		uses(t.Context())
		w.wantUsable(t)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			uses(ctx)
			return w.add(ctx, "b") // not ErrBusy
		}))
		w.wantNames(t, "a", "b")
	})
}

func TestConformance_046_QueryLogIsBounded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var out bytes.Buffer
		log := db.NewQueryLog(3, slog.New(slog.NewTextHandler(&out, nil)))
		conn := open(t, w.on, db.Intercept(log.Intercept))
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			noError(t, conn.Exec(t.Context(), "INSERT INTO item (name) VALUES (?)", name))
		}
		var kept []any
		for _, s := range log.Statements() {
			kept = append(kept, s.Args...)
		}
		if diff := cmp.Diff([]any{"c", "d", "e"}, kept); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		if n := strings.Count(out.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings:\n%s", n, out.String())
		}
	})
}
