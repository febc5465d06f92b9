package command_test

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/testdb"
)

// user makes a user of the database's server with rights that are written with the table of each, and takes it away at the end of the test. It
// returns the database's address for the user.
func (b *bench) user(t *testing.T, name string, rights ...string) string {
	t.Helper()
	const password = "s3cret-guest"
	database := strings.TrimPrefix(b.conn.Address()[strings.LastIndex(b.conn.Address(), "/"):], "/")
	admin := b.Server.Admin(t, database)
	made, gone := []string{"CREATE USER " + name + " IDENTIFIED BY '" + password + "'"}, []string{"DROP USER " + name}
	on := "`" + database + "`."
	if b.Name == testdb.NamePostgres {
		made, gone = []string{"CREATE ROLE " + name + " LOGIN PASSWORD '" + password + "'"}, []string{"DROP OWNED BY " + name, "DROP ROLE " + name}
		on = ""
	} else if len(rights) == 0 {
		made = append(made, "GRANT SHOW VIEW ON `"+database+"`.* TO "+name) // which is enough to log in
	}
	for _, right := range rights {
		what, table, _ := strings.Cut(right, " ON ")
		made = append(made, "GRANT "+what+" ON "+on+table+" TO "+name)
	}
	run := func(admin *sql.DB, statements []string) {
		t.Helper()
		for _, s := range statements {
			if _, err := admin.ExecContext(context.WithoutCancel(t.Context()), s); err != nil {
				t.Errorf("%s: %v", s, err)
			}
		}
	}
	t.Cleanup(func() { run(admin, gone) })
	run(admin, made)
	return b.as(t, name, password)
}

// ownTables are the rights that drover needs on its own tables.
func (b *bench) ownTables(t *testing.T) (rights []string) {
	t.Helper()
	tables := []string{"drover_runs", "drover_shards", "drover_quarantine", "drover_undo", "drover_events", "drover_schema"}
	for _, table := range tables {
		rights = append(rights, "SELECT, INSERT, UPDATE, DELETE ON "+table)
	}
	return rights
}

func TestErrors_MissingRights(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testdb.Fresh(t, name))
			b.people(t)
			nothing := b.user(t, "guest")
			noRuns := b.user(t, "clerk", "SELECT, UPDATE, DELETE ON people")
			b.unchanged(t, func() {
				b.failing(t, "rights-before-init", noRuns, []failure{
					fails(1, "purge --table people --all --no-input -v 0"),
					fails(1, "init"),
				})
			})
			b.mustRun(t, "init")
			reader := b.user(t, "reader", append(b.ownTables(t), "SELECT ON people")...)
			b.unchanged(t, func() {
				b.failing(t, "rights-select", nothing, []failure{
					fails(1, "purge --table people --all --no-input -v 0"),
					fails(1, "export - --table people"),
					fails(1, "runs list"),
				})
				b.failing(t, "rights-runs", noRuns, []failure{
					fails(1, "purge --table people --all --no-input -v 0"),
					fails(1, "runs list"),
					fails(1, "runs show 01ARZ3NDEKTSV4RRFFQ69G5FAV"),
				})
			})
			b.mustRun(t, "backfill --table people --set age=age+1 --undo --no-input -v 0")
			undo := "undo " + batch.Short(b.lastRun(t)) + " --no-input -v 0"
			t.Chdir(t.TempDir())
			for name, text := range map[string]string{"more.csv": "id,name\n9,Ida\n", "others.csv": "id,name\n8,Jo\n"} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			source := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
			source.people(t)
			b.failing(t, "rights-write", reader, []failure{
				fails(1, "purge --table people --all --no-input -v 0"),
				fails(1, "backfill --table people --no-input -v 0 --set", "age = 1"),
				fails(1, "import more.csv --table people --no-input -v 0"),
				fails(1, "import others.csv --table people --upsert-on id --no-input -v 0"),
				fails(1, "copy --from other --to default --table people --no-input -v 0"),
				fails(1, undo),
			}, "DATABASE_URL_OTHER="+source.URL)
			b.wantCount(t, "SELECT count(*) FROM people WHERE age > 1", 3)
		})
	}
}
