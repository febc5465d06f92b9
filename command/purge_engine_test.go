package command_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/testdb"
)

// The stronger dry run deletes, shows what is gone, and leaves no trace, not even drover's own tables.
func TestPurge_Rehearsal(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 300)
		b.unchanged(t, func() {
			res := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--dry-run=rollback", "--sample", "2", "--batch-size", "20")
			// One batch of each half.
			for _, want := range []string{"deleted id 3:  id 3  status done\n", "deleted id 153:  id 153  status done\n", "Would delete 40 rows in 2 batches"} {
				if !strings.Contains(res.Stdout, want) {
					t.Errorf("the rehearsal lacks %q:\n%s", want, res.Stdout)
				}
			}
		})
	})
}

// Deleting the same rows again finds new ones, so a purge that has succeeded is simply run again.
func TestPurge_RunAgainAndUndo(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30)
		before := b.Dump(t)
		args := []string{"--table", "events", "--where", "status = 'done'", "--no-input", "--undo", "--batch-size", "4"}
		first := b.mustCall(t, args...)
		b.exec(t, "UPDATE events SET status = 'done' WHERE id = 1")
		second := b.mustCall(t, args...)
		if want := "Deleted 1 row in 1 batch from default.\n"; second.Stdout != want {
			t.Errorf("again: %q, want %q", second.Stdout, want)
		}
		for _, res := range []*drover.Result{second, first} {
			if _, err := batch.Undo(t.Context(), b.conn, runOf(res), batch.Options{}); err != nil {
				t.Fatalf("undo: %v", err)
			}
		}
		b.exec(t, "UPDATE events SET status = 'open' WHERE id = 1", "DROP TABLE drover_runs", "DROP TABLE drover_shards", "DROP TABLE drover_quarantine",
			"DROP TABLE drover_undo", "DROP TABLE drover_events", "DROP TABLE drover_schema")
		if diff := cmp.Diff(before, b.Dump(t)); diff != "" {
			t.Errorf("after the undo (-before +after):\n%s", diff)
		}
	})
}

// runOf is the id of the run that a command has told of.
func runOf(res *drover.Result) string {
	_, id, _ := strings.Cut(res.Stderr, "\nRun ")
	id, _, _ = strings.Cut(id, " ")
	return id
}

// Who may not make tables is told how somebody else can, and nothing is deleted.
func TestPurge_WithoutTheRightToMakeTables(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	b.events(t, 30)
	b.exec(t, "REVOKE CREATE ON SCHEMA public FROM PUBLIC, pg_database_owner")
	_, err := b.call(t, "--table", "events", "--all", "--no-input")
	exit, ok := errors.AsType[*drover.CommandError](err)
	if !ok || drover.ExitCode(err) != drover.ExitFailed || !strings.Contains(strings.Join(exit.Advice, "\n"), "drover init --print-sql") {
		t.Errorf("got %v", err)
	}
	b.wantCount(t, "SELECT count(*) FROM events", 30)
}
