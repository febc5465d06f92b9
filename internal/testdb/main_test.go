package testdb_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// newServer starts a server of the test's own of the kind that the database is on.
var newServer = map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
	testdb.NamePostgres: testdb.NewPostgres,
	testdb.NameMariaDB:  testdb.NewMariaDB,
}

// eachServer runs fn once for every kind of server.
func eachServer(t *testing.T, fn func(t *testing.T, name string)) {
	t.Helper()
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) { fn(t, name) })
	}
}

func mustExec(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// count returns the number of rows of the table item.
func count(t *testing.T, db *sql.DB) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM item`).Scan(&n); err != nil {
		t.Fatalf("count the rows of item: %v", err)
	}
	return n
}

// insertInTx inserts a row into item in a transaction of its own, and returns the error of the commit.
func insertInTx(ctx context.Context, t *testing.T, db *sql.DB) error {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO item (id) VALUES (1)`); err != nil {
		t.Fatalf("insert: %v", err)
	}
	return tx.Commit()
}
