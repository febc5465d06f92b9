package db_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// cascades are tables with a trigger that logs inserts and a foreign key that deletes along.
var cascades = map[string][]string{
	testdb.NamePostgres: {
		`CREATE TABLE log (name text)`,
		`CREATE FUNCTION log_item() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (new.name); RETURN new; END $$`,
		`CREATE TRIGGER logged AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION log_item()`,
		`CREATE TABLE part (id int PRIMARY KEY, item_id bigint REFERENCES item (id) ON DELETE CASCADE)`,
	},
	testdb.NameMariaDB: {
		`CREATE TABLE log (name text)`,
		`CREATE TRIGGER logged AFTER INSERT ON item FOR EACH ROW INSERT INTO log VALUES (new.name)`,
		`CREATE TABLE part (id int PRIMARY KEY, item_id bigint, CONSTRAINT of_item FOREIGN KEY (item_id) REFERENCES item (id) ON DELETE CASCADE)`,
	},
	testdb.NameSQLite: {
		`CREATE TABLE log (name TEXT)`,
		`CREATE TRIGGER logged AFTER INSERT ON item BEGIN INSERT INTO log VALUES (new.name); END`,
		`CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER REFERENCES item (id) ON DELETE CASCADE)`,
	},
}

// withCascades makes the tables, with items 1 to 5 that have two parts each.
func (w *world) withCascades(t *testing.T) {
	t.Helper()
	w.setup(t, "INSERT INTO item (name) VALUES ('one'), ('two'), ('three'), ('four'), ('five')") // they get the ids 1 to 5
	w.setup(t, cascades[w.on.Name]...)
	w.setup(t, "INSERT INTO part (id, item_id) SELECT id * 10, id FROM item UNION ALL SELECT id * 10 + 1, id FROM item")
}

func TestDryRun_ChangesNothingAndTellsWhatItWould(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.withCascades(t)
		before := w.on.Dump(t)
		work := func(ctx context.Context) error {
			return must(
				w.Exec(ctx, "INSERT INTO item (id, name) VALUES (20, 'x'), (21, 'y')"),
				w.Exec(ctx, "UPDATE item SET name = name WHERE id <= 3"),
				w.Atomic(ctx, func(ctx context.Context) error {
					return w.Exec(ctx, "DELETE FROM item WHERE id = 5")
				}, db.Durable(), db.Isolation(sql.LevelSerializable), db.Retry(2)),
				swallow(w.Atomic(ctx, func(ctx context.Context) error {
					return must(w.Exec(ctx, "DELETE FROM item WHERE id = 4"), w.Exec(ctx, "INSERT INTO item (id, name) VALUES (30, 'z')"), errOops)
				})),
				byHand(ctx, w, true, "UPDATE item SET name = 'by hand' WHERE id = 1"),
				byHand(ctx, w, false, "UPDATE item SET name = 'undone' WHERE id = 2"),
			)
		}
		preview, err := w.DryRun(t.Context(), work)
		noError(t, err)
		if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
		want := []db.TableChange{
			{Table: "item", Inserted: 2, Updated: 4, Deleted: 1},
			{Table: "log", Inserted: 2},
			{Table: "part", Deleted: 2},
		}
		if w.on.Name == testdb.NameMariaDB { // it does not count what triggers and cascades do
			want = want[:1]
			notes := strings.Join(preview.Notes, "\n")
			for _, note := range []string{"triggers and cascades are not in them", "trigger logged", "foreign key of_item of part (ON DELETE CASCADE)"} {
				if !strings.Contains(notes, note) {
					t.Errorf("no note says %q:\n%s", note, notes)
				}
			}
		} else if len(preview.Notes) > 0 {
			t.Errorf("notes: %q", preview.Notes)
		}
		if diff := cmp.Diff(want, preview.Tables); diff != "" {
			t.Errorf("the preview (-want +got):\n%s", diff)
		}
		// Once more, for real, it does what it said.
		var items, parts int
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			err := must(
				w.Exec(ctx, "INSERT INTO item (id, name) VALUES (20, 'x'), (21, 'y')"),
				w.Exec(ctx, "DELETE FROM item WHERE id = 5"),
				w.QueryRow(ctx, "SELECT COUNT(*) FROM item").Scan(&items),
				w.QueryRow(ctx, "SELECT COUNT(*) FROM part").Scan(&parts),
			)
			return err
		}))
		if items != 6 || parts != 8 {
			t.Errorf("%d items and %d parts", items, parts)
		}
		w.wantUsable(t)
	})
}

// byHand runs a statement in a transaction that is begun by hand, with a savepoint in it.
func byHand(ctx context.Context, w *world, commit bool, query string) error {
	ctx, tx, err := w.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	point, err := tx.Savepoint(ctx)
	if err := must(err, w.Exec(ctx, "UPDATE item SET name = 'undone too' WHERE id = 3"), point.Rollback(ctx), w.Exec(ctx, query)); err != nil {
		return err
	}
	if !commit {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

// Rows that come in through other doors are counted as well.
func TestDryRun_CountsEveryDoor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		before := w.on.Dump(t)
		want := int64(4)
		preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			err := must(w.add(ctx, "exec"))
			_, sqlErr := w.SQL(ctx).ExecContext(ctx, insertText("sql"))
			stmt, prepareErr := w.SQL(ctx).PrepareContext(ctx, insertText("prepared"))
			if err := must(err, sqlErr, prepareErr); err != nil {
				return err
			}
			_, stmtErr := stmt.ExecContext(ctx)
			tx, txErr := w.SQL(ctx).BeginTx(ctx, nil)
			if err := must(stmtErr, stmt.Close(), txErr); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, insertText("tx"))
			if err := must(err, tx.Commit()); err != nil {
				return err
			}
			undone, err := w.SQL(ctx).BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			_, err = undone.ExecContext(ctx, insertText("undone"))
			if err := must(err, undone.Rollback(), w.Exec(ctx, "SAVEPOINT mine"), w.add(ctx, "undone"), w.Exec(ctx, "ROLLBACK TO SAVEPOINT mine")); err != nil {
				return err
			}
			native, err := w.PGX(ctx)
			if err != nil {
				return nil //nolint:nilerr // not PostgreSQL
			}
			want += 3
			_, err = native.CopyFrom(ctx, pgx.Identifier{"item"}, []string{"name"}, pgx.CopyFromRows([][]any{{"copy"}, {"copy too"}}))
			batch := &pgx.Batch{}
			batch.Queue(insertText("batch"))
			return must(err, native.SendBatch(ctx, batch).Close())
		})
		noError(t, err)
		if diff := cmp.Diff([]db.TableChange{{Table: "item", Inserted: want}}, preview.Tables); diff != "" {
			t.Errorf("the preview (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
	})
}

// On MariaDB a statement that returns rows does not tell how many it changed. The preview must not pass over it.
func TestDryRun_StatementsWithReturning(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			var id int64
			if err := w.QueryRow(ctx, "SELECT COUNT(*) FROM item").Scan(&id); err != nil {
				return err
			}
			return w.QueryRow(ctx, "INSERT INTO item (name) VALUES ('a') RETURNING id").Scan(&id)
		})
		noError(t, err)
		if w.on.Name == testdb.NameMariaDB {
			if len(preview.Notes) != 1 || !strings.Contains(preview.Notes[0], "they are not counted") {
				t.Errorf("notes: %q", preview.Notes)
			}
			return
		}
		if diff := cmp.Diff([]db.TableChange{{Table: "item", Inserted: 1}}, preview.Tables); diff != "" {
			t.Errorf("the preview (-want +got):\n%s", diff)
		}
	})
}

// A read-only run needs no notes.
func TestDryRun_NothingChanged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			_, err := w.names(ctx)
			return err
		})
		noError(t, err)
		if diff := cmp.Diff(&db.Preview{}, preview); diff != "" {
			t.Errorf("the preview (-want +got):\n%s", diff)
		}
	})
}

func TestDryRun_DeferredConstraint(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.deferredFK(t)
		before := w.on.Dump(t)
		_, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			return w.Exec(ctx, "INSERT INTO child (id, parent_id) VALUES (1, 7)")
		})
		wantIs(t, err, db.ErrForeignKey)
		preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			return must(
				w.Exec(ctx, "INSERT INTO child (id, parent_id) VALUES (1, 7)"),
				w.Atomic(ctx, func(ctx context.Context) error { return w.Exec(ctx, "INSERT INTO parent (id) VALUES (7)") }),
			)
		})
		noError(t, err)
		if diff := cmp.Diff([]db.TableChange{{Table: "child", Inserted: 1}, {Table: "parent", Inserted: 1}}, preview.Tables); diff != "" {
			t.Errorf("the preview (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
		// And real blocks commit as before.
		noError(t, w.add(t.Context(), "a"))
		w.wantNames(t, "a")
		w.wantUsable(t)
	}, testdb.NamePostgres, testdb.NameSQLite)
}

func TestDryRun_Failures(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		noError(t, w.add(t.Context(), "taken"))
		h := &hooks{w: w}
		preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
			return must(w.add(ctx, "a"), h.on(ctx, "hook"), errOops)
		})
		wantIs(t, err, errOops)
		want := &db.Preview{Tables: []db.TableChange{{Table: "item", Inserted: 1}}, Hooks: []string{"hook"}, Notes: preview.Notes}
		if diff := cmp.Diff(want, preview); diff != "" {
			t.Errorf("the preview of a failed run (-want +got):\n%s", diff)
		}
		preview, err = w.DryRun(t.Context(), func(ctx context.Context) error { return swallow(w.add(ctx, "taken")) })
		wantIs(t, err, db.ErrBroken, db.ErrUnique)
		if len(preview.Notes) != 1 || !strings.Contains(preview.Notes[0], "the run failed") {
			t.Errorf("notes: %q", preview.Notes)
		}
		wantIs(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			_, err := w.DryRun(ctx, func(context.Context) error { return nil })
			return err
		}), db.ErrNested)
		h.want(t)
		w.wantNames(t, "taken")
		w.wantUsable(t)
	})
}

// The view that a dry run hands out lets nothing pass outside it, by any door.
func TestDryRun_RequireBlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		view, outer := w.RequireBlock(), t.Context()
		before := w.on.Dump(t)
		_, err := w.DryRun(outer, func(ctx context.Context) error {
			w.log.Reset()
			doors := map[string]error{
				"Exec":     view.Exec(outer, insertText("a")),
				"QueryRow": view.QueryRow(outer, "SELECT 1").Scan(new(int)),
				"Atomic":   view.Atomic(outer, func(context.Context) error { return nil }),
				"OnCommit": view.OnCommit(outer, func(context.Context) error { return nil }),
			}
			_, doors["Query"] = view.Query(outer, "SELECT 1")
			_, doors["SQL"] = view.SQL(outer).ExecContext(outer, insertText("a"))
			_, doors["SQL BeginTx"] = view.SQL(outer).BeginTx(outer, nil)
			_, doors["SQL Prepare"] = view.SQL(outer).PrepareContext(outer, insertText("a"))
			_, doors["DBTX"] = view.DBTX().ExecContext(outer, insertText("a"))
			_, doors["DBTX BeginTx"] = view.DBTX().BeginTx(outer, nil)
			_, doors["DBTX Prepare"] = view.DBTX().PrepareContext(outer, insertText("a"))
			_, _, doors["Begin"] = view.Begin(outer)
			pool, err := view.DBTX().GetDBConn()
			noError(t, err)
			_, doors["GetDBConn"] = pool.ExecContext(outer, insertText("a"))
			if view.Native() != nil {
				_, doors["PGXDBTX"] = view.PGXDBTX().Exec(outer, insertText("a"))
			}
			for door, err := range doors {
				if !errors.Is(err, db.ErrOutsideBlock) {
					t.Errorf("%s: %v", door, err)
				}
			}
			w.wantSent(t)
			return view.Exec(ctx, insertText("inside"))
		})
		noError(t, err)
		if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
	})
}
