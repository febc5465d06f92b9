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

// A file system that is really full, where the machine lets the tests mount one.
func TestFault_SQLiteFileSystemFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("drover-test", dir, "tmpfs", 0, "size=1m"); err != nil {
		if !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES) {
			t.Fatal(err)
		}
		t.Skip("mounting is not permitted here; TestErrors_DiskFullSQLite has the same error by a limit of SQLite's own")
	}
	t.Cleanup(func() { noError(t, syscall.Unmount(dir, 0)) })
	w := newWorld(t, testdb.Database{Name: testdb.NameSQLite, URL: "sqlite:" + filepath.Join(dir, "full.db")})
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
