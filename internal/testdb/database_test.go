package testdb_test

import (
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/testdb"
)

func TestEach_GivesFreshDatabases(t *testing.T) {
	var names []string
	urls := map[string]bool{}
	for range 2 {
		testdb.Each(t, func(t *testing.T, d testdb.Database) {
			names = append(names, d.Name)
			urls[d.URL] = true
			if (d.Server == nil) != (d.Name == testdb.NameSQLite) {
				t.Errorf("server of %s = %v", d.Name, d.Server)
			}
			db := d.RawDB(t)
			mustExec(t, db, `CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item (id) VALUES (1)`)
			if n := count(t, db); n != 1 {
				t.Errorf("rows = %d, want 1", n)
			}
		})
	}
	want := []string{"postgres", "mariadb", "sqlite", "postgres", "mariadb", "sqlite"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("subtests (-want +got):\n%s", diff)
	}
	if len(urls) != len(want) {
		t.Errorf("%d different databases, want %d", len(urls), len(want))
	}
}

func TestEach_RunsInParallel(t *testing.T) {
	for range 4 {
		t.Run("one", func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				t.Parallel()
				mustExec(t, d.RawDB(t), `CREATE TABLE item (id int PRIMARY KEY)`)
			})
		})
	}
}

func TestNewDatabase_IsDroppedAtTheEnd(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		var d testdb.Database
		t.Run("the test", func(t *testing.T) {
			d = testdb.Fresh(t, name)
			// An open transaction keeps the database in use.
			db, err := sql.Open(driverOf(t, d))
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			t.Cleanup(func() { _ = db.Close() })
			mustExec(t, db, `CREATE TABLE item (id int PRIMARY KEY)`)
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatalf("begin: %v", err)
			}
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO item (id) VALUES (1)`); err != nil {
				t.Fatalf("insert: %v", err)
			}
		})
		database := d.URL[strings.LastIndex(d.URL, "/")+1:]
		database, _, _ = strings.Cut(database, "?")
		query := map[string]string{
			testdb.NamePostgres: `SELECT count(*) FROM pg_database WHERE datname = $1`,
			testdb.NameMariaDB:  `SELECT count(*) FROM information_schema.schemata WHERE schema_name = ?`,
		}[name]
		var n int
		if err := testdb.Fresh(t, name).RawDB(t).QueryRowContext(t.Context(), query, database).Scan(&n); err != nil {
			t.Fatalf("look for the database: %v", err)
		}
		if n != 0 {
			t.Errorf("database %s is still there", database)
		}
	})
}

func TestNewDatabase_IsDroppedInSpiteOfPreparedTransactionsAndSlots(t *testing.T) {
	t.Run("the test", func(t *testing.T) {
		db := testdb.Fresh(t, testdb.NamePostgres).RawDB(t)
		mustExec(t, db, `CREATE TABLE item (id int PRIMARY KEY)`)
		mustExec(t, db, `SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')`)
		mustExec(t, db, `BEGIN; INSERT INTO item (id) VALUES (1); PREPARE TRANSACTION 'it''s left behind'`)
	})
	var n int
	query := `SELECT (SELECT count(*) FROM pg_prepared_xacts) + (SELECT count(*) FROM pg_replication_slots)`
	if err := testdb.Postgres(t).Admin(t, "postgres").QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("count prepared transactions and slots: %v", err)
	}
	if n != 0 {
		t.Errorf("prepared transactions and slots = %d, want 0", n)
	}
}

func TestServer_RefusesAWrongPassword(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		d := testdb.Fresh(t, name)
		d.URL = strings.Replace(d.URL, testdb.Password, "wrong", 1)
		db, err := sql.Open(driverOf(t, d))
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer db.Close()
		err = db.PingContext(t.Context())
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "28P01" {
			return
		}
		if my, ok := errors.AsType[*mysql.MySQLError](err); ok && my.Number == 1045 {
			return
		}
		t.Errorf("login with a wrong password: %v", err)
	})
}

func TestServer_UserIsNoAdministrator(t *testing.T) {
	statements := map[string]string{
		testdb.NamePostgres: `ALTER SYSTEM SET work_mem = '1MB'`,
		testdb.NameMariaDB:  `SET GLOBAL read_only = ON`,
	}
	eachServer(t, func(t *testing.T, name string) {
		db := testdb.Fresh(t, name).RawDB(t)
		if _, err := db.ExecContext(t.Context(), statements[name]); err == nil {
			t.Errorf("%s: allowed", statements[name])
		}
	})
}

func TestSQLite_MakesNoFile(t *testing.T) {
	path, ok := strings.CutPrefix(testdb.SQLite(t), "sqlite:")
	if !ok {
		t.Errorf("the URL has no sqlite: in front of %q", path)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat: %v, want that it is not there", err)
	}
}

// driverOf returns what sql.Open needs for a database.
func driverOf(t *testing.T, d testdb.Database) (driver, source string) {
	t.Helper()
	if d.Name == testdb.NamePostgres {
		return "pgx", d.URL
	}
	rest, ok := strings.CutPrefix(d.URL, "mysql://")
	if !ok {
		t.Fatalf("URL of %s: %s", d.Name, d.URL)
	}
	login, rest, _ := strings.Cut(rest, "@")
	addr, database, _ := strings.Cut(rest, "/")
	return "mysql", login + "@tcp(" + addr + ")/" + database
}
