package db_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestOpen_SaysWhereAndWhat(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.Ping(t.Context()))
		version, err := w.Version(t.Context())
		noError(t, err)
		if !regexp.MustCompile(`^` + w.on.Name + ` \d+\.\d+(\.\d+)?$`).MatchString(version) {
			t.Errorf("the version is %q", version)
		}
		if strings.Contains(w.Address(), testdb.Password) || w.Address() == "" || w.Alias() != db.DefaultAlias {
			t.Errorf("the address is %q, the alias %q", w.Address(), w.Alias())
		}
		if u, err := url.Parse(w.on.URL); err == nil && w.on.Server != nil {
			if want := u.User.Username() + "@" + u.Host + u.Path; w.Address() != want {
				t.Errorf("the address is %q, want %q", w.Address(), want)
			}
		}
		noError(t, w.Close())
		wantText(t, must(w.Ping(t.Context())), `ping on "default": sql: database is closed`)
	})
}

// The server's sql_mode stays, or values would be cut to fit; the URL may set another.
func TestOpen_MySQLMode(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		var server string
		noError(t, w.raw.QueryRowContext(t.Context(), "SELECT @@GLOBAL.sql_mode").Scan(&server))
		if !strings.Contains(server, "STRICT_TRANS_TABLES") {
			t.Fatalf("the server's mode is %q, so the test shows nothing", server)
		}
		other := w.on
		other.URL += "?sql_mode=" + url.QueryEscape("'NO_ZERO_DATE'")
		for want, conn := range map[string]*db.DB{server: w.DB, "NO_ZERO_DATE": open(t, other)} {
			var got string
			noError(t, conn.QueryRow(t.Context(), "SELECT @@sql_mode").Scan(&got))
			if got != want {
				t.Errorf("the mode is %q, want %q", got, want)
			}
		}
	}, testdb.NameMariaDB)
}

// An UPDATE counts the rows it matched on every database.
func TestExecRows_CountsMatchedRows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, "INSERT INTO item (name) VALUES ('a'), ('b')")
		count := func(ctx context.Context) error {
			n, err := w.ExecRows(ctx, "UPDATE item SET name = name")
			return must(err, expect(n == 2, "counted %d rows", n))
		}
		noError(t, count(t.Context()))
		noError(t, w.Atomic(t.Context(), count))
	})
}

// A pool of the program's own works like one of Open, and stays the program's.
func TestFrom_Pool(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.on.Name == testdb.NameSQLite {
			w.raw.SetMaxOpenConns(1)
		}
		conn, err := db.From(w.raw, db.Alias("mine"))
		noError(t, err)
		own := &world{DB: conn, on: w.on, log: w.log, raw: w.raw}
		noError(t, conn.Atomic(t.Context(), func(ctx context.Context) error {
			joinAll(t, ctx, own, map[string]joiner{"drover": joiners["drover"], "sql.Tx": joiners["sql.Tx"], "inner block": joiners["inner block"]})
			wantIs(t, conn.Atomic(ctx, func(ctx context.Context) error { return own.add(ctx, "drover") }), db.ErrUnique)
			if w.on.Name == testdb.NamePostgres {
				tx, err := conn.PGX(ctx)
				noError(t, err)
				_, err = tx.Exec(ctx, insertText("native"))
				noError(t, err)
			}
			return nil
		}))
		want := []string{"drover", "inner block", "sql.Tx"}
		if w.on.Name == testdb.NamePostgres {
			want = []string{"drover", "inner block", "native", "sql.Tx"}
		}
		own.wantNames(t, want...)
		own.wantUsable(t)
		noError(t, conn.Close())
		noError(t, w.raw.PingContext(t.Context()))
	})
}

func TestFrom_PgxPool(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		pool, err := pgxpool.New(t.Context(), w.on.URL)
		noError(t, err)
		defer pool.Close()
		conn, err := db.FromPgx(pool)
		noError(t, err)
		own := &world{DB: conn, on: w.on, log: w.log, raw: w.raw}
		wantIs(t, conn.Atomic(t.Context(), func(ctx context.Context) error {
			joinAll(t, ctx, own, waysInto(own, true)...)
			return errOops
		}), errOops)
		own.wantNames(t)
		own.wantUsable(t)
		noError(t, conn.Close())
		noError(t, pool.Ping(t.Context()))
	}, testdb.NamePostgres)
}

type unknownDriver struct{}

func (unknownDriver) Connect(context.Context) (driver.Conn, error) { return nil, errOops }
func (unknownDriver) Driver() driver.Driver                        { return unknownDriver{} }
func (unknownDriver) Open(string) (driver.Conn, error)             { return nil, errOops }

func TestFrom_UnknownDriver(t *testing.T) {
	pool := sql.OpenDB(unknownDriver{})
	defer func() { noError(t, pool.Close()) }()
	_, err := db.From(pool)
	if err == nil || !strings.Contains(err.Error(), "unknownDriver is of no database that drover knows") {
		t.Errorf("got %v", err)
	}
}
