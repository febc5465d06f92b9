package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// The names of the databases that drover runs on.
const (
	NamePostgres = "postgres"
	NameMariaDB  = "mariadb"
	NameSQLite   = "sqlite"
)

// Names returns the names of all databases that drover runs on, in the order in which Each takes them.
func Names() []string { return []string{NamePostgres, NameMariaDB, NameSQLite} }

// Database is a fresh, empty database for one test.
type Database struct {
	// Name is "postgres", "mariadb" or "sqlite".
	Name string

	// URL is the database's address in drover's notation, with the user and the password.
	URL string

	// Server is the server that the database is on; nil for SQLite.
	Server *Server
}

// Each runs fn once for every database that drover runs on, as the subtests "postgres", "mariadb" and "sqlite", each with
// a fresh database of its own. fn may call t.Parallel.
func Each(t *testing.T, fn func(t *testing.T, d Database)) {
	t.Helper()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) { fn(t, Fresh(t, name)) })
	}
}

// Fresh returns a fresh, empty database of the named kind, "postgres", "mariadb" or "sqlite", on the shared server. It
// is dropped at the end of the test.
func Fresh(t testing.TB, name string) Database {
	t.Helper()
	switch name {
	case NamePostgres:
		return Postgres(t).Database(t)
	case NameMariaDB:
		return MariaDB(t).Database(t)
	case NameSQLite:
		return Database{Name: name, URL: SQLite(t)}
	default:
		t.Fatalf("testdb: no database is called %q; there are %s", name, strings.Join(Names(), ", "))
		return Database{}
	}
}

// SQLite returns the URL of a SQLite database in a temporary folder, which is removed at the end of the test. The file is
// not there yet: SQLite makes it when it is opened.
func SQLite(t testing.TB) string {
	t.Helper()
	// Not t.TempDir: the name of a subtest that runs twice has a # in it, which ends the path in a URL.
	dir, err := os.MkdirTemp("", "drover-sqlite-")
	if err != nil {
		t.Fatalf("testdb: make a folder for a SQLite database: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("testdb: remove the folder of a SQLite database: %v", err)
		}
	})
	return "sqlite:" + filepath.Join(dir, "test.db")
}

// Database makes a fresh, empty database on the server, owned by the user drover, and drops it at the end of the test
// with whatever still uses it.
func (s *Server) Database(t testing.TB) Database {
	t.Helper()
	return Database{Name: s.Name(), URL: s.NewDatabase(t), Server: s}
}

// NewDatabase makes a fresh, empty database on the server, owned by the user drover, and returns its URL. It is dropped
// at the end of the test with whatever still uses it. The name tells which test it belongs to.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	name := s.databaseName(t.Name())
	ctx, cancel := limited(t, startTimeout)
	defer cancel()
	err := s.withAdmin(func(admin *sql.DB) error { return s.engine.create(ctx, admin, name) })
	if err != nil {
		t.Fatalf("testdb: make a database on %s: %v\n%s", s.Name(), err, s.LogTail())
	}
	t.Cleanup(func() {
		if !s.Running() {
			return // the test has stopped or killed its own server
		}
		ctx, cancel := limited(t, stopTimeout)
		defer cancel()
		err := s.withAdmin(func(admin *sql.DB) error { return s.engine.drop(ctx, s, admin, name) })
		if err != nil {
			t.Errorf("testdb: drop database %s on %s: %v", name, s.Name(), err)
		}
	})
	return s.URL(name)
}

// databaseName returns a new name for a database of the named test, within the 63 bytes that PostgreSQL allows. It is as long in every run: screens
// show it.
func (s *Server) databaseName(test string) string {
	s.mu.Lock()
	s.names++
	n := s.names
	s.mu.Unlock()
	plain := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, test)
	return fmt.Sprintf("t%04d_%s", n, plain[:min(len(plain), 50)])
}

// RawDB opens the database with the plain driver, for preparing it and for looking at it without drover: pgx,
// go-sql-driver/mysql (times as time.Time in UTC) or modernc.org/sqlite (waiting up to 10 s for locks). One Exec without
// arguments may hold several statements. It is closed at the end of the test.
func (d Database) RawDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := d.open()
	if err != nil {
		t.Fatalf("testdb: open %s: %v", d.Name, err)
	}
	closeAtEnd(t, db)
	ctx, cancel := limited(t, startTimeout)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		t.Fatalf("testdb: connect to %s: %v%s", d.Name, err, d.logTail())
	}
	return db
}

func (d Database) open() (*sql.DB, error) {
	if d.Server == nil {
		return openSQLite(d.path())
	}
	return d.Server.engine.open(d.URL)
}

// path returns the file of a SQLite database.
func (d Database) path() string { return strings.TrimPrefix(d.URL, "sqlite:") }

// database returns the name of the database on its server.
func (d Database) database() string {
	u, err := url.Parse(d.URL)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}

func (d Database) logTail() string {
	if d.Server == nil {
		return ""
	}
	return "\n" + d.Server.LogTail()
}

func openSQLite(path string) (*sql.DB, error) {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(10000)"}
	return sql.Open("sqlite", u.String())
}

// limited returns a context for one step of a test. It is not ended by the end of the test, so that cleanups work too.
func limited(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(t.Context()), d)
}

func closeAtEnd(t testing.TB, db *sql.DB) {
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("testdb: close a database: %v", err)
		}
	})
}

// each calls fn with every value of a query for one column of text.
func each(ctx context.Context, db *sql.DB, fn func(string), query string, args ...any) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return err
		}
		fn(value)
	}
	return rows.Err()
}
