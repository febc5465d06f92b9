package db_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestDryRun_RefusesProcedures: a procedure of MariaDB may commit, and then the dry run would have changed the database.
func TestDryRun_RefusesProcedures(t *testing.T) {
	w := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB))
	w.setup(t, `CREATE PROCEDURE add_item() BEGIN INSERT INTO item (name) VALUES ('kept'); COMMIT; END`)
	before := w.on.Dump(t)
	for _, query := range []string{"CALL add_item()", "EXECUTE IMMEDIATE 'COMMIT'"} {
		_, err := w.DryRun(t.Context(), func(ctx context.Context) error { return w.Exec(ctx, query) })
		wantIs(t, err, db.ErrOpaque)
	}
	if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
		t.Errorf("the dry run changed the database (-before +after):\n%s", diff)
	}
	noError(t, w.Exec(t.Context(), "CALL add_item()")) // outside a dry run it may
}

// TestDryRun_RefusesTablesWithoutTransactions: what MariaDB writes to a MyISAM table stays after a rollback.
func TestDryRun_RefusesTablesWithoutTransactions(t *testing.T) {
	w := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB))
	w.setup(t, `CREATE TABLE hits (id int PRIMARY KEY, n int) ENGINE = MyISAM`, `INSERT INTO hits VALUES (1, 0)`)
	before := w.on.Dump(t)
	for _, query := range []string{
		"UPDATE hits SET n = n + 1",
		"INSERT INTO `Hits` VALUES (2, 0)",
		"DELETE hits FROM hits JOIN item ON item.id = hits.id",
	} {
		_, err := w.DryRun(t.Context(), func(ctx context.Context) error { return w.Exec(ctx, query) })
		if err == nil || !strings.Contains(err.Error(), "transactions") {
			t.Errorf("%s: got %v", query, err)
		}
	}
	preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
		return w.Exec(ctx, "INSERT INTO item (name) SELECT n FROM hits")
	})
	noError(t, err)
	if diff := cmp.Diff([]db.TableChange{{Table: "item", Inserted: 1}}, preview.Tables); diff != "" {
		t.Errorf("a table with transactions is allowed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
		t.Errorf("the dry run changed the database (-before +after):\n%s", diff)
	}
}

// TestDryRun_ServerThatDoesNotCount: without track_counts PostgreSQL's own counters stay at zero; the statements are counted then.
func TestDryRun_ServerThatDoesNotCount(t *testing.T) {
	d := testdb.Fresh(t, testdb.NamePostgres)
	u, err := url.Parse(d.URL)
	noError(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	_, err = d.Server.Admin(t, "postgres").ExecContext(t.Context(), `ALTER DATABASE "`+name+`" SET track_counts = off`)
	noError(t, err)

	w := newWorld(t, d)
	preview, err := w.DryRun(t.Context(), func(ctx context.Context) error {
		return w.Exec(ctx, "INSERT INTO item (name) VALUES ('a'), ('b')")
	})
	noError(t, err)
	if diff := cmp.Diff([]db.TableChange{{Table: "item", Inserted: 2}}, preview.Tables); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(preview.Notes) == 0 {
		t.Error("no note says how the rows were counted")
	}
}
