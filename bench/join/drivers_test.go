package join_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/drover-dev/drover/db"
)

// TestFrom_MattnSQLite: a pool of another SQLite driver keeps a block's promises, which rest on knowing its errors.
func TestFrom_MattnSQLite(t *testing.T) {
	ctx := t.Context()
	pool, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "mattn.db")+"?_journal_mode=WAL&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	pool.SetMaxOpenConns(1)
	conn, err := db.From(pool)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(ctx, "CREATE TABLE item (id integer PRIMARY KEY, name text NOT NULL)"); err != nil {
		t.Fatal(err)
	}

	err = conn.Atomic(ctx, func(ctx context.Context) error {
		for range 2 {
			_, _ = conn.SQL(ctx).ExecContext(ctx, "INSERT INTO item VALUES (1, 'a')") // the second one's error is hidden
		}
		return nil
	})
	if !errors.Is(err, db.ErrBroken) || !errors.Is(err, db.ErrUnique) {
		t.Errorf("a hidden unique violation: got %v", err)
	}
	for _, tt := range []struct {
		query string
		want  db.Kind
	}{
		{"INSERT INTO item (id) VALUES (2)", db.ErrNotNull},
		{"SELECT * FROM items", db.ErrUndefinedTable},
		{"SELECT colour FROM item", db.ErrUndefinedColumn},
		{"SELEC 1", db.ErrSyntax},
	} {
		if err := conn.Exec(ctx, tt.query); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.query, err, tt.want)
		}
	}
	var rows int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM item").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows are left, %v", rows, err)
	}

	preview, err := conn.DryRun(ctx, func(ctx context.Context) error {
		return conn.Exec(ctx, "INSERT INTO item VALUES (?, ?)", 3, "c")
	})
	if err != nil || len(preview.Tables) != 1 || preview.Tables[0].Inserted != 1 {
		t.Errorf("dry run: %+v, %v", preview, err)
	}
}
