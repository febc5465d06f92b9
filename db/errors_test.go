package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// isDriverError finds each driver's own error in a chain.
var isDriverError = map[string]func(error) bool{
	testdb.NamePostgres: func(err error) bool { return errors.As(err, new(*pgconn.PgError)) },
	testdb.NameMariaDB:  func(err error) bool { return errors.As(err, new(*mysql.MySQLError)) },
	testdb.NameSQLite:   func(err error) bool { return errors.As(err, new(*sqlite.Error)) },
}

// faultTables are for the errors that one statement provokes.
var faultTables = map[string][]string{
	testdb.NamePostgres: {
		`CREATE TABLE parent (id int PRIMARY KEY)`,
		`CREATE TABLE fault (id int CONSTRAINT fault_pk PRIMARY KEY, n smallint NOT NULL, CONSTRAINT positive CHECK (n > 0),
			parent_id int CONSTRAINT fault_parent REFERENCES parent (id))`,
		`INSERT INTO fault VALUES (1, 1, NULL)`,
	},
	testdb.NameMariaDB: {
		`CREATE TABLE parent (id int PRIMARY KEY)`,
		`CREATE TABLE fault (id int PRIMARY KEY, n smallint NOT NULL, CONSTRAINT positive CHECK (n > 0),
			parent_id int, CONSTRAINT fault_parent FOREIGN KEY (parent_id) REFERENCES parent (id))`,
		`INSERT INTO fault VALUES (1, 1, NULL)`,
	},
	testdb.NameSQLite: {
		`CREATE TABLE parent (id int PRIMARY KEY)`,
		`CREATE TABLE fault (id INT PRIMARY KEY, n INT NOT NULL, parent_id INT REFERENCES parent (id), CONSTRAINT positive CHECK (n > 0)) STRICT`,
		`INSERT INTO fault VALUES (1, 1, NULL)`,
	},
}

// faults are statements that fail and what their error is. Names are compared where the database tells them.
var faults = []struct {
	name, query string
	want        db.Error // Kind, and Constraint, Table and Column as PostgreSQL tells them
	on          string   // only there
}{
	{"unique", "INSERT INTO fault VALUES (1, 1, NULL)", db.Error{Kind: db.ErrUnique, Constraint: "fault_pk", Table: "fault"}, ""},
	{"foreign key", "INSERT INTO fault VALUES (2, 1, 7)", db.Error{Kind: db.ErrForeignKey, Constraint: "fault_parent", Table: "fault"}, ""},
	{"not null", "INSERT INTO fault VALUES (2, NULL, NULL)", db.Error{Kind: db.ErrNotNull, Table: "fault", Column: "n"}, ""},
	{"check", "INSERT INTO fault VALUES (2, -1, NULL)", db.Error{Kind: db.ErrCheck, Constraint: "positive", Table: "fault"}, ""},
	{"data", "INSERT INTO fault VALUES (2, 100000, NULL)", db.Error{Kind: db.ErrData}, testdb.NamePostgres},
	{"data", "INSERT INTO fault VALUES (2, 100000, NULL)", db.Error{Kind: db.ErrData}, testdb.NameMariaDB},
	{"data, text", "INSERT INTO item (name) VALUES (REPEAT('x', 50))", db.Error{Kind: db.ErrData}, testdb.NamePostgres},
	{"data, text", "INSERT INTO item (name) VALUES (REPEAT('x', 50))", db.Error{Kind: db.ErrData}, testdb.NameMariaDB},
	{"data", "INSERT INTO fault VALUES (2, 'text', NULL)", db.Error{Kind: db.ErrData}, testdb.NameSQLite},
	{"unknown table", "SELECT 1 FROM nowhere", db.Error{Kind: db.ErrUndefinedTable}, ""},
	{"unknown column", "SELECT no_such FROM fault", db.Error{Kind: db.ErrUndefinedColumn, Column: "no_such"}, ""},
	{"syntax", "SELEKT 1", db.Error{Kind: db.ErrSyntax}, ""},
	{"disk full", "DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$", db.Error{Kind: db.ErrDiskFull}, testdb.NamePostgres},
	{"permission", "SELECT * FROM pg_authid", db.Error{Kind: db.ErrPermission}, testdb.NamePostgres},
	{"permission", "SET GLOBAL max_connections = 5", db.Error{Kind: db.ErrPermission}, testdb.NameMariaDB},
	{"statement timeout", "SET STATEMENT max_statement_time = 0.02 FOR SELECT SLEEP(20)", db.Error{Kind: db.ErrStatementTimeout}, testdb.NameMariaDB},
}

func TestErrors_OneStatement(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, faultTables[w.on.Name]...)
		n := 0
		for _, fault := range faults {
			if fault.on != "" && fault.on != w.on.Name {
				continue
			}
			n++
			t.Run(fault.name, func(t *testing.T) {
				w.wantFault(t, fault.want, w.Exec(t.Context(), fault.query))
				// In a block, and the block goes on when the failure was in an inner one.
				noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
					w.wantFault(t, fault.want, w.Atomic(ctx, func(ctx context.Context) error { return w.Exec(ctx, fault.query) }))
					return w.QueryRow(ctx, "SELECT 1").Scan(new(int))
				}))
				// The plain driver's error, which another library would return.
				_, err := w.raw.ExecContext(t.Context(), fault.query)
				if w.on.Name == testdb.NameSQLite && fault.want.Kind == db.ErrForeignKey {
					return // the plain driver does not check foreign keys
				}
				if got := db.KindOf(fmt.Errorf("library: %w", err)); got != fault.want.Kind {
					t.Errorf("the kind of the driver's error %v is %v", err, got)
				}
			})
		}
		if n < 8 {
			t.Errorf("only %d faults", n)
		}
	})
}

// wantFault checks an error's kind in every way to ask for it, and the names that come with it.
func (w *world) wantFault(t *testing.T, want db.Error, err error) {
	t.Helper()
	wantIs(t, err, want.Kind)
	if db.KindOf(err) != want.Kind {
		t.Errorf("the kind of %v is %v, want %v", err, db.KindOf(err), want.Kind)
	}
	for _, other := range []error{db.ErrUnknown, db.ErrUnique, db.ErrNotNull, db.ErrConnectionLost, db.ErrBroken} {
		if !errors.Is(want.Kind, other) && errors.Is(err, other) {
			t.Errorf("%v is also %v", err, other)
		}
	}
	if !isDriverError[w.on.Name](err) {
		t.Errorf("the driver's error is not in the chain of %v", err)
	}
	var got *db.Error
	if !errors.As(err, &got) {
		t.Fatalf("%v (%T) is no *Error", err, err)
	}
	if got.Code == "" || got.Retryable() != want.Kind.Retryable() || strings.Contains(got.Error(), "\n") {
		t.Errorf("got %+v", got)
	}
	names := db.Error{Kind: got.Kind, Constraint: got.Constraint, Table: got.Table, Column: got.Column}
	switch w.on.Name {
	case testdb.NameMariaDB: // it tells no table, and its messages the column or the constraint
		want.Table = ""
		if want.Kind == db.ErrUnique {
			want.Constraint = "PRIMARY"
		}
		if want.Kind == db.ErrData && names.Column != "" { // where the statement writes one
			want.Column = names.Column
		}
	case testdb.NameSQLite: // it tells a table and a column, or a constraint
		switch want.Kind {
		case db.ErrUnique:
			want.Constraint, want.Column = "", "id"
		case db.ErrForeignKey:
			want.Constraint, want.Table = "", ""
		case db.ErrCheck:
			want.Table = ""
		}
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("kind and names (-want +got):\n%s", diff)
	}
}

func TestErrors_StatementTimeout(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			return must(w.Exec(ctx, "SET LOCAL statement_timeout = '10ms'"), w.Exec(ctx, "SELECT pg_sleep(20)"))
		})
		w.wantFault(t, db.Error{Kind: db.ErrStatementTimeout}, err)
		w.wantUsable(t)
	}, testdb.NamePostgres)
}

// holdRow locks an item in a transaction of the plain driver.
func (w *world) holdRow(t *testing.T, name string) *sql.Tx {
	t.Helper()
	tx, err := w.raw.BeginTx(t.Context(), nil)
	noError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = tx.ExecContext(t.Context(), fmt.Sprintf("UPDATE item SET name = '%s!' WHERE name = '%[1]s'", name))
	noError(t, err)
	return tx
}

func TestErrors_LockTimeout(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "a"))
		w.holdRow(t, "a")
		wait := func(ctx context.Context) error {
			if w.on.Name == testdb.NamePostgres {
				if err := w.Exec(ctx, "SET LOCAL lock_timeout = '10ms'"); err != nil {
					return err
				}
				return w.Exec(ctx, "UPDATE item SET name = 'b' WHERE name = 'a'")
			}
			return w.Exec(ctx, "SELECT * FROM item WHERE name = 'a' FOR UPDATE WAIT 0")
		}
		w.wantFault(t, db.Error{Kind: db.ErrLockTimeout}, w.Atomic(t.Context(), wait))
		nowait := func(ctx context.Context) error {
			return w.Exec(ctx, "SELECT * FROM item WHERE name = 'a' FOR UPDATE NOWAIT")
		}
		w.wantFault(t, db.Error{Kind: db.ErrLockTimeout}, w.Atomic(t.Context(), nowait))
		w.wantUsable(t)
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

// MariaDB has it with innodb_snapshot_isolation. SQLite has one writer, whose transactions cannot fail so.
func TestErrors_Serialization(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "a"))
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			if w.on.Name == testdb.NameMariaDB {
				if err := w.Exec(ctx, "SET SESSION innodb_snapshot_isolation = ON"); err != nil {
					return err
				}
			}
			if _, err := w.names(ctx); err != nil {
				return err
			}
			noError(t, w.holdRow(t, "a").Commit())
			return w.Exec(ctx, "UPDATE item SET name = 'b' WHERE id = 1")
		}, db.Isolation(sql.LevelRepeatableRead))
		w.wantFault(t, db.Error{Kind: db.ErrSerialization}, err)
		w.wantUsable(t)
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

func TestErrors_ReadOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		err := w.Atomic(t.Context(), func(ctx context.Context) error { return w.add(ctx, "a") }, db.ReadOnly())
		w.wantFault(t, db.Error{Kind: db.ErrReadOnly}, err)
		w.wantUsable(t) // the next block can write
	})
}

// In memory SQLite has one connection for all, which must be given back as it was.
func TestErrors_ReadOnlyInMemory(t *testing.T) {
	conn := open(t, testdb.Database{Name: testdb.NameSQLite, URL: "sqlite::memory:"})
	noError(t, conn.Exec(t.Context(), "CREATE TABLE item (name text)"))
	err := conn.Atomic(t.Context(), func(ctx context.Context) error { return conn.Exec(ctx, insertText("a")) }, db.ReadOnly())
	wantIs(t, err, db.ErrReadOnly)
	noError(t, conn.Exec(t.Context(), insertText("a")))
}

func TestErrors_ConnectionLost(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			w.killSessions(t, w.session(t, ctx))
			return w.add(ctx, "a")
		})
		wantIs(t, err, db.ErrConnectionLost)
		var own *db.Error
		if !errors.As(err, &own) || own.Hint() == "" || own.Retryable() {
			t.Errorf("got %+v", own)
		}
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

func TestErrors_DiskFullMariaDB(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		tx, err := w.SQL(t.Context()).Conn(t.Context())
		noError(t, err)
		defer func() { noError(t, tx.Close()) }()
		for _, query := range []string{"SET SESSION max_heap_table_size = 16384", "CREATE TABLE heap (t varchar(1000)) ENGINE = MEMORY"} {
			_, err = tx.ExecContext(t.Context(), query)
			noError(t, err)
		}
		err = w.Atomic(t.Context(), func(ctx context.Context) error {
			return w.Exec(ctx, "INSERT INTO heap SELECT REPEAT('x', 1000) FROM seq_1_to_1000")
		})
		w.wantFault(t, db.Error{Kind: db.ErrDiskFull}, err)
	}, testdb.NameMariaDB)
}

func TestErrors_DiskFullSQLite(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.setup(t, "CREATE TABLE big (t TEXT)")
		fill := func(ctx context.Context) error {
			return w.Exec(ctx, "INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT printf('%.4000c', 'x') FROM n")
		}
		var pages int
		noError(t, w.QueryRow(t.Context(), "PRAGMA max_page_count = 50").Scan(&pages))
		if pages != 50 {
			t.Fatalf("max_page_count is %d", pages)
		}
		var inner error
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			if err := w.add(ctx, "a"); err != nil {
				return err
			}
			// SQLite has rolled back everything, so the inner block cannot save the outer.
			inner = w.Atomic(ctx, fill)
			wantIs(t, w.add(ctx, "b"), db.ErrBroken, db.ErrDiskFull)
			return nil
		})
		w.wantFault(t, db.Error{Kind: db.ErrDiskFull}, inner)
		wantIs(t, err, db.ErrBroken, db.ErrDiskFull)
		w.wantNames(t)
		w.wantFault(t, db.Error{Kind: db.ErrDiskFull}, fill(t.Context()))
		noError(t, w.QueryRow(t.Context(), "PRAGMA max_page_count = 100000").Scan(&pages))
		noError(t, fill(t.Context()))
		w.wantUsable(t)
	}, testdb.NameSQLite)
}

// SQLite refuses for want of permission where a program has set an authorizer.
func TestErrors_PermissionSQLite(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.raw.SetMaxOpenConns(1)
		conn, err := w.raw.Conn(t.Context())
		noError(t, err)
		noError(t, conn.Raw(func(c any) error {
			return c.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(
				func(action sqlite.AuthorizerActionCode, _, _, _, _ string) sqlite.AuthorizerReturnCode {
					if action == sqlite.AuthInsert {
						return sqlite.AuthorizerDeny
					}
					return sqlite.AuthorizerOK
				})
		}))
		noError(t, conn.Close())
		own, err := db.From(w.raw)
		noError(t, err)
		w.wantFault(t, db.Error{Kind: db.ErrPermission}, own.Exec(t.Context(), insertText("a")))
	}, testdb.NameSQLite)
}

// A BrokenError knows the kind of its cause, whichever library got that.
func TestErrors_BrokenKnowsItsCause(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "a"))
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			_, err := w.SQL(ctx).ExecContext(ctx, insertText("a"))
			return swallow(err)
		})
		wantIs(t, err, db.ErrBroken, db.ErrUnique)
		if !isDriverError[w.on.Name](err) || db.KindOf(err) != db.ErrUnique {
			t.Errorf("got %v", err)
		}
	})
}

// A wrong number of arguments is refused before anything is sent, and breaks nothing.
func TestErrors_ArgumentCount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			w.log.Reset()
			for _, args := range [][]any{{}, {1, 2}} {
				const want = "placeholders and was given"
				_, queryErr := w.Query(ctx, "SELECT ?", args...)
				for _, err := range []error{
					w.Exec(ctx, "SELECT ?", args...), queryErr,
					w.QueryRow(ctx, "SELECT ?", args...).Scan(new(int)),
				} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%d arguments: %v", len(args), err)
					}
				}
			}
			w.wantSent(t)
			return w.add(ctx, "a")
		}))
		w.wantNames(t, "a")
	})
}

const secret = "s3cret-Hunter2"

// closedPort returns an address of this machine where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	noError(t, listener.Close())
	return listener.Addr().String()
}

// No error of Open shows a password, and each is one line.
func TestOpen_ErrorsAreOneLineWithoutThePassword(t *testing.T) {
	type failure struct{ name, url, want string }
	failures := []failure{
		{"unknown scheme", "oracle://app:" + secret + "@host/db", `unknown scheme "oracle"`},
		{"no scheme", "app:" + secret + "@host/db", "scheme"},
		{"empty", "", "no scheme"},
		{"sqlite, no file", "sqlite:", "names no file"},
		{"sqlite, no directory", "sqlite:" + filepath.Join(t.TempDir(), "none", "x.db"), "unable to open"},
	}
	for scheme, server := range map[string]*testdb.Server{"postgres": testdb.Postgres(t), "mysql": testdb.MariaDB(t)} {
		good, err := url.Parse(server.NewDatabase(t))
		noError(t, err)
		at := func(change func(u *url.URL)) string {
			u := *good
			u.User = url.UserPassword(testdb.User, testdb.Password)
			change(&u)
			return u.String()
		}
		failures = append(failures,
			failure{scheme + ", wrong password", at(func(u *url.URL) { u.User = url.UserPassword(testdb.User, secret) }), ""},
			failure{scheme + ", odd wrong password", at(func(u *url.URL) { u.User = url.UserPassword(testdb.User, secret+"@/:?#%") }), ""},
			failure{scheme + ", unreachable", at(func(u *url.URL) { u.Host = closedPort(t) }), "connection refused"},
			failure{scheme + ", unknown host", at(func(u *url.URL) { u.Host = "nowhere.invalid:1" }), `host "nowhere.invalid" is unknown`},
			failure{scheme + ", missing database", at(func(u *url.URL) { u.Path = "/nothing_of_this_name" }), "nothing_of_this_name"},
			failure{scheme + ", bad escape", scheme + "://app:" + secret + "%zz@host/db", "cannot be read"},
			failure{scheme + ", bad port", scheme + "://app:" + secret + "@host:port/db", "cannot be read"},
			failure{scheme + ", slash in the password", scheme + "://app:" + secret + "/x@host/db", "escape special characters"},
			failure{scheme + ", slash after a number", scheme + "://app:12/" + secret + "@host/db", "escape special characters"},
			failure{scheme + ", question mark after a number", scheme + "://app:12?" + secret + "@host/db", "escape special characters"},
			failure{scheme + ", hash after a number", scheme + "://app:12#" + secret + "@host/db", "escape special characters"},
			failure{scheme + ", at and slash", scheme + "://app:x@y/" + secret + "@host/db", "escape special characters"},
			failure{scheme + ", no slashes", scheme + ":app:" + secret + "@host/db", "cannot be read"},
			failure{scheme + ", bad parameter", scheme + "://app:" + secret + "@" + good.Host + "/db?sslmode=nonsense&timeout=nonsense", ""},
		)
	}
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			conn, err := db.Open(t.Context(), f.url, db.Alias("reports"))
			if err == nil {
				_ = conn.Close()
				t.Fatal("it was opened")
			}
			var open *db.OpenError
			if !errors.As(err, &open) || open.Alias != "reports" {
				t.Errorf("%v (%T) is no *OpenError", err, err)
			}
			text := err.Error()
			if !strings.HasPrefix(text, `database "reports": `) || !strings.Contains(text, f.want) {
				t.Errorf("got %q, want %q in it", text, f.want)
			}
			if strings.ContainsAny(text, "\r\n") {
				t.Errorf("more than one line: %q", text)
			}
			for _, text := range chain(err) {
				if strings.Contains(text, secret) || strings.Contains(text, testdb.Password) {
					t.Errorf("the password is in %q", text)
				}
			}
		})
	}
}

// chain returns the texts of err and all that it wraps.
func chain(err error) []string {
	texts := []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)}
	switch e := err.(type) { //nolint:errorlint // the chain itself is walked
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			texts = append(texts, chain(inner)...)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			texts = append(texts, chain(inner)...)
		}
	}
	return texts
}

// A directory that is not there is no matter of permission.
func TestOpen_MissingDirectory(t *testing.T) {
	_, err := db.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "none", "x.db"))
	if err == nil || db.KindOf(err) != db.ErrUnknown {
		t.Errorf("got %v of kind %v", err, db.KindOf(err))
	}
}
