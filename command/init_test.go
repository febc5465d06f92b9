package command_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestInit(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var printed string
		b.unchanged(t, func() { printed = b.mustRun(t, "init", "--print-sql").Stdout })
		if res := b.mustRun(t, "init"); !strings.HasPrefix(res.Stdout, "Made the tables drover_runs, ") {
			t.Errorf("it says %q", res.Stdout)
		}
		made := b.Dump(t)
		b.unchanged(t, func() {
			if res := b.mustRun(t, "init"); !strings.HasPrefix(res.Stdout, "Nothing to do") {
				t.Errorf("the second time it says %q", res.Stdout)
			}
		})
		// By hand it becomes the same, but for the time of the migration.
		by := newBench(t, testdb.Fresh(t, b.Name))
		by.exec(t, printed)
		by.mustRun(t, "init")
		if diff := cmp.Diff(definitions(made), definitions(by.Dump(t))); diff != "" {
			t.Errorf("made by hand (-init +hand):\n%s", diff)
		}
	})
}

// definitions leaves the rows of the version table out of a dump: they have times.
func definitions(dump string) string {
	var lines []string
	for line := range strings.Lines(dump) {
		if !strings.Contains(line, "20") || !strings.Contains(line, ":") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestInit_JSON(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, want := range []struct {
			args         []string
			sql, changed bool
		}{{[]string{"--print-sql"}, true, false}, {nil, false, true}, {nil, false, false}} {
			var d struct {
				Type     string
				Changed  bool
				SQL      string
				Database struct{ Alias string }
			}
			if err := json.Unmarshal([]byte(b.mustRun(t, "init", append(want.args, "--json")...).Stdout), &d); err != nil {
				t.Fatal(err)
			}
			if d.Type != "init" || d.Database.Alias != "default" || d.Changed != want.changed || strings.Contains(d.SQL, "CREATE TABLE") != want.sql {
				t.Errorf("init %v: %+v", want.args, d)
			}
		}
	})
}

// TestInit_WithoutTheRight proves that the statements can be had where they may not be run, and that this is said.
func TestInit_WithoutTheRight(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	b.exec(t, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`)
	code, stdout, stderr := b.shell(t, nil, "init", "--print-sql")
	if code != 0 || !strings.Contains(stdout, "CREATE TABLE IF NOT EXISTS drover_runs") {
		t.Errorf("--print-sql: exit code %d\n%s", code, stderr)
	}
	code, _, stderr = b.shell(t, nil, "init")
	if code != drover.ExitFailed || !strings.Contains(stderr, "drover init --print-sql") {
		t.Errorf("init: exit code %d\n%s", code, stderr)
	}
}

// TestInit_DecisionTable proves that a database from before it gets the table of decisions, and that AtomicAll and init make the same one.
func TestInit_DecisionTable(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testdb.Fresh(t, name))
			b.mustRun(t, "init")
			made := definitions(b.Dump(t))
			b.exec(t, "DROP TABLE drover_decisions")
			again := newBench(t, b.Database)
			if res := again.mustRun(t, "init"); !strings.HasPrefix(res.Stdout, "Made the table drover_decisions on ") {
				t.Errorf("it says %q", res.Stdout)
			}
			if diff := cmp.Diff(made, definitions(b.Dump(t))); diff != "" {
				t.Errorf("made anew (-before +after):\n%s", diff)
			}
			b.exec(t, "DROP TABLE drover_decisions")
			other, nothing := newBench(t, testdb.Fresh(t, testdb.NamePostgres)), func(context.Context) error { return nil }
			if err := db.AtomicAll(t.Context(), []*db.DB{newBench(t, b.Database).conn, other.conn}, nothing); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(made, definitions(b.Dump(t))); diff != "" {
				t.Errorf("made by AtomicAll (-init +AtomicAll):\n%s", diff)
			}
		})
	}
}
