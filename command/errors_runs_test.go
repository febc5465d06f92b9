package command_test

import (
	"os"
	"strings"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestErrors_Copy copies to a database where the rows do not fit, or that cannot be reached or written to.
func TestErrors_Copy(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.people(t)
		b.mustRun(t, "init")
		b.exec(t, "CREATE TABLE here (id integer NOT NULL PRIMARY KEY)")
		other := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
		other.exec(t, "CREATE TABLE people (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL, born date, age integer CHECK (age < 80))",
			"CREATE TABLE fewer (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL)",
			"CREATE TABLE more (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL, born date, age integer, since date NOT NULL)",
			"CREATE TABLE taken (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL, born date, age integer)",
			"INSERT INTO taken (id, name) VALUES (2, 'another')")
		copying := "copy --from default --table people --no-input -v 0 "
		b.unchanged(t, func() {
			b.failing(t, "copy", b.URL, []failure{
				fails(2, copying+"--to other --table here"),
				fails(2, copying+"--to other --to-table poeple"),
				fails(6, copying+"--to other --to-table fewer"),
				fails(6, copying+"--to other --to-table more"),
				fails(1, copying+"--to missing"),
				fails(1, copying+"--to locked"),
				fails(1, copying+"--to broken"),
			}, "DATABASE_URL_OTHER="+other.URL, "DATABASE_URL_MISSING=sqlite:/no/such/folder/other.db", "DATABASE_URL_LOCKED="+other.URL+"?mode=ro",
				"DATABASE_URL_BROKEN=sqlite:"+notes(t))
		})
		other.wantCount(t, "SELECT count(*) FROM people", 0)
		b.failing(t, "copy-rows", b.URL, []failure{
			fails(1, copying+"--to other --batch-size 1"),
			fails(1, copying+"--to other --to-table taken --batch-size 1"),
			fails(1, copying+"--to other --to-table taken --batch-size 1 --move"),
		}, "DATABASE_URL_OTHER="+other.URL)
		other.wantCount(t, "SELECT count(*) FROM people", 1)
		other.wantCount(t, "SELECT count(*) FROM taken WHERE name = 'another'", 1)
	})
}

// notes makes a file that is no database.
func notes(t *testing.T) string {
	t.Helper()
	file := t.TempDir() + "/notes.txt"
	if err := os.WriteFile(file, []byte(strings.Repeat("these are notes, and no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestErrors_Undo undoes what cannot be undone any more, or only in part. A column that the run did not set may have changed.
func TestErrors_Undo(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.people(t)
		b.exec(t, "CREATE TABLE dropped (id integer NOT NULL PRIMARY KEY, name varchar(20))", "INSERT INTO dropped VALUES (1, 'one'), (2, 'two')",
			"CREATE TABLE narrowed (id integer NOT NULL PRIMARY KEY, name varchar(20))", "INSERT INTO narrowed VALUES (1, 'one'), (2, 'two')")
		begin := func(line string) string {
			t.Helper()
			b.mustRun(t, line+" --no-input -v 0")
			return b.lastRun(t)
		}
		plain := begin("backfill --table people --set age=age+1")
		dropped := begin("purge --table dropped --all --undo")
		narrowed := begin("backfill --table narrowed --set name=NULL --undo")
		changed := begin("backfill --table people --set age=age+1 --where id<3 --undo --again")
		deleted := begin("purge --table people --where id=3 --undo")
		b.exec(t, "DROP TABLE dropped", "ALTER TABLE narrowed DROP COLUMN name", "UPDATE people SET name = 'Countess' WHERE id = 1",
			"INSERT INTO people VALUES (3, 'another', NULL, 1)")
		var tests []failure
		for _, tt := range []struct {
			code int
			run  string
		}{{6, plain}, {6, dropped}, {1, narrowed}, {0, changed}, {3, deleted}} {
			tests = append(tests, fails(tt.code, "undo "+batch.Short(tt.run)+" --no-input -v 0"))
		}
		b.failing(t, "undo", b.URL, tests)
		b.wantCount(t, "SELECT count(*) FROM people WHERE name IN ('Countess', 'another')", 2)
		b.wantCount(t, "SELECT age FROM people WHERE id = 2", 86)
	})
}
