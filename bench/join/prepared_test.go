package join_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestJoin_PreparedOutside prepares a statement before the block, as sqlc does with emit_prepared_queries, and uses it in the
// block, after it, and in the next one.
func TestJoin_PreparedOutside(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		insert, err := f.conn.DBTX().PrepareContext(t.Context(), f.insert)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = insert.Close() })
		names, err := f.conn.DBTX().PrepareContext(t.Context(), selectNames)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = names.Close() })
		testPrepared(t, f, func(ctx context.Context, name string) error {
			_, err := insert.ExecContext(ctx, name)
			return err
		}, func(ctx context.Context) ([]string, error) { return scanNames(names.QueryContext(ctx)) })
	})
}

// TestJoin_GORMPrepareStmt uses GORM's cache of prepared statements, which outlives the blocks it is used in.
func TestJoin_GORMPrepareStmt(t *testing.T) {
	for _, test := range []struct {
		name   string
		config gorm.Config
	}{
		{"", gorm.Config{PrepareStmt: true, SkipDefaultTransaction: true}},
		{"with a transaction around each write", gorm.Config{PrepareStmt: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, f fixture) {
				g := gormMember{f.gormDB(t, &test.config), f}
				t.Cleanup(func() { g.db.ConnPool.(*gorm.PreparedStmtDB).Close() })
				testPrepared(t, f, g.add, g.names)
			})
		})
	}
}

// testPrepared writes and reads with the same statements outside, in a block that is rolled back, in one that is committed, and
// outside again.
func testPrepared(t *testing.T, f fixture, add func(ctx context.Context, name string) error, names func(context.Context) ([]string, error)) {
	t.Helper()
	step := func(ctx context.Context, name string, want ...string) {
		t.Helper()
		if err := add(ctx, name); err != nil {
			t.Errorf("write %q: %v", name, err)
		}
		got, err := names(ctx)
		if err != nil {
			t.Errorf("read after %q: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows seen after %q (-want +got):\n%s", name, diff)
		}
	}
	step(t.Context(), "outside", "outside")
	err := f.conn.Atomic(t.Context(), func(ctx context.Context) error {
		step(ctx, "undone", "outside", "undone")
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Errorf("block: %v", err)
	}
	err = f.conn.Atomic(t.Context(), func(ctx context.Context) error {
		step(ctx, "kept", "outside", "kept")
		return nil
	})
	if err != nil {
		t.Errorf("block: %v", err)
	}
	step(t.Context(), "after", "outside", "kept", "after")
	if diff := cmp.Diff([]string{"outside", "kept", "after"}, f.committed(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestJoin_CloseInBlock closes a library's handle inside the block, as `defer client.Close()` does; the block goes on.
func TestJoin_CloseInBlock(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		err := f.conn.Atomic(t.Context(), func(ctx context.Context) error {
			drv := f.entDriver(ctx)
			if err := errors.Join(f.entAdd(ctx, drv, "first"), drv.Close()); err != nil {
				return err
			}
			return errors.Join(
				f.entAdd(ctx, f.entDriver(ctx), "second"),
				sqlcQueries{f.conn.DBTX()}.add(ctx, f.insert, "third"),
			)
		})
		if err != nil {
			t.Errorf("block: %v", err)
		}
		if diff := cmp.Diff([]string{"first", "second", "third"}, f.committed(t)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

// TestJoin_RequireBlock sends statements outside a block on the view that a dry run hands out: every library is refused. It runs on
// PostgreSQL alone, for GORM asks the other databases for their version, outside the block, when its handle is made.
func TestJoin_RequireBlock(t *testing.T) {
	f := open(t, testdb.Fresh(t, testdb.NamePostgres))
	f.conn = f.conn.RequireBlock()
	for _, m := range f.members(t) {
		if err := m.add(t.Context(), m.name); !errors.Is(err, db.ErrOutsideBlock) && !errors.Is(err, db.ErrNoBlock) {
			t.Errorf("%s: %v, want ErrOutsideBlock", m.name, err)
		}
	}
	if got := f.committed(t); len(got) != 0 {
		t.Errorf("rows written outside the block: %q", got)
	}
}

// TestJoin_AfterTheBlock keeps what a block handed out: it is an error, not a statement outside the transaction.
func TestJoin_AfterTheBlock(t *testing.T) {
	log.SetOutput(io.Discard) // bun's MySQL dialect logs that it cannot read the version
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	each(t, func(t *testing.T, f fixture) {
		var kept *sql.DB
		var ended context.Context
		if err := f.conn.Atomic(t.Context(), func(ctx context.Context) error {
			kept, ended = f.conn.SQL(ctx), ctx
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := kept.ExecContext(t.Context(), f.insert, "late"); err == nil {
			t.Error("the block's *sql.DB still works after the block")
		}
		for _, m := range f.members(t) {
			if err := m.add(ended, m.name); err == nil {
				t.Errorf("%s: writes with the context of a block that has ended", m.name)
			}
		}
		if got := f.committed(t); len(got) != 0 {
			t.Errorf("rows written after the block: %q", got)
		}
	})
}
