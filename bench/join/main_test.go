// Package join_test proves that GORM, bun, ent, sqlx, sqlc-style code, database/sql and pgx take part in one block: each
// of them writes a row on the block's own connection, sees what the others wrote, and loses its row when the block is rolled back.
package join_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	entdialect "entgo.io/ent/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	"go.uber.org/goleak"
	gormmysql "gorm.io/driver/mysql"
	gormpostgres "gorm.io/driver/postgres"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) {
	// GORM's cache of prepared statements has a goroutine that nothing ends.
	testdb.Main(m, goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

// errUndo is what a test's block returns to be rolled back.
var errUndo = errors.New("undo")

// engine is what the libraries must be told about a database.
type engine struct {
	table string // makes the table item
	// session identifies the connection, and on PostgreSQL the transaction too, in one text.
	session string
	// mark prepares session inside the block. SQLite has no connection number, but a temporary table belongs to one connection.
	mark string

	sqlx string // the driver name by which sqlx knows the placeholders
	ent  string
	bun  func() schema.Dialect
	gorm func(gorm.ConnPool) gorm.Dialector
	// insert is a statement with the database's own placeholder.
	insert string
}

var engines = map[string]engine{
	testdb.NamePostgres: {
		table:   `CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE)`,
		session: `SELECT pg_backend_pid()::text || '/' || pg_current_xact_id()::text`,
		sqlx:    "pgx",
		ent:     entdialect.Postgres,
		bun:     func() schema.Dialect { return pgdialect.New() },
		gorm: func(pool gorm.ConnPool) gorm.Dialector {
			return gormpostgres.New(gormpostgres.Config{Conn: pool})
		},
		insert: `INSERT INTO item (name) VALUES ($1)`,
	},
	testdb.NameMariaDB: {
		table:   `CREATE TABLE item (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL UNIQUE) ENGINE=InnoDB`,
		session: `SELECT CAST(CONNECTION_ID() AS CHAR)`,
		sqlx:    "mysql",
		ent:     entdialect.MySQL,
		bun:     func() schema.Dialect { return mysqldialect.New() },
		gorm: func(pool gorm.ConnPool) gorm.Dialector {
			return gormmysql.New(gormmysql.Config{Conn: pool})
		},
		insert: `INSERT INTO item (name) VALUES (?)`,
	},
	testdb.NameSQLite: {
		table:   `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)`,
		mark:    `CREATE TEMPORARY TABLE session AS SELECT hex(randomblob(8)) AS token`,
		session: `SELECT token FROM temp.session`,
		sqlx:    "sqlite3",
		ent:     entdialect.SQLite,
		bun:     func() schema.Dialect { return sqlitedialect.New() },
		gorm: func(pool gorm.ConnPool) gorm.Dialector {
			return gormsqlite.New(gormsqlite.Config{Conn: pool})
		},
		insert: `INSERT INTO item (name) VALUES (?)`,
	},
}

// fixture is a database with the empty table item, opened by drover and beside it with the plain driver.
type fixture struct {
	engine
	name string
	conn *db.DB
	raw  *sql.DB
}

// each runs fn on every database.
func each(t *testing.T, fn func(t *testing.T, f fixture)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, d testdb.Database) { fn(t, open(t, d)) })
}

func open(t *testing.T, d testdb.Database) fixture {
	t.Helper()
	conn, err := db.Open(t.Context(), d.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	f := fixture{engine: engines[d.Name], name: d.Name, conn: conn, raw: d.RawDB(t)}
	if err := conn.Exec(t.Context(), f.table); err != nil {
		t.Fatal(err)
	}
	return f
}

// begin makes the block ready for reading its session.
func (f fixture) begin(ctx context.Context) error {
	if f.mark == "" {
		return nil
	}
	return f.conn.Exec(ctx, f.mark)
}

// committed returns the names that another connection sees.
func (f fixture) committed(t *testing.T) []string {
	t.Helper()
	names, err := scanNames(f.raw.QueryContext(t.Context(), selectNames))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const selectNames = `SELECT name FROM item ORDER BY id`

// scanNames reads the answer of selectNames.
func scanNames(rows *sql.Rows, err error) (names []string, _ error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
