package db_test

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// A file system that is really full. Where the tests may not mount one, SQLite's own limit of the file's size stands in for it.
func TestFault_SQLiteFileSystemFull(t *testing.T) {
	dir, limit := t.TempDir(), ""
	url := "sqlite:" + filepath.Join(dir, "full.db")
	switch err := syscall.Mount("drover-test", dir, "tmpfs", 0, "size=1m"); {
	case err == nil:
		t.Cleanup(func() { noError(t, syscall.Unmount(dir, 0)) })
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		t.Logf("mounting is not permitted (%v): the file is limited instead", err)
		limit = "?_pragma=max_page_count(256)"
	default:
		t.Fatal(err)
	}
	w := newWorld(t, testdb.Database{Name: testdb.NameSQLite, URL: url})
	if limit != "" {
		w.DB = openSQLite(t, url+limit)
	}
	w.setup(t, "CREATE TABLE big (t TEXT)")
	fill := func(ctx context.Context) error {
		return w.Exec(ctx, "INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT printf('%.4000c', 'x') FROM n")
	}
	err := w.Atomic(t.Context(), func(ctx context.Context) error { return must(w.add(ctx, "a"), fill(ctx)) })
	wantIs(t, err, db.ErrDiskFull)
	w.wantNames(t)
	noError(t, w.add(t.Context(), "b")) // what fits goes in again
	w.wantNames(t, "b")
	w.wantUsable(t)
}
