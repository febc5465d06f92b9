package examples_test

import (
	"path/filepath"
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestReplicationLag runs the example on a primary and its replica: one that follows, one whose replay is paused, and one that is down.
func TestReplicationLag(t *testing.T) {
	program := filepath.Join(build(t, "multidb/lag"), "lag")
	for name, start := range map[string]func(t testing.TB, opts ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres, testdb.NameMariaDB: testdb.NewMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			primary := start(t)
			d := primary.Database(t)
			standby := primary.NewStandby(t)
			do := func(s step) {
				t.Helper()
				check(t, program, d, nil, s, "DATABASE_URL_REPLICA="+standby.Replica(d).URL)
			}
			do(step{args: []string{"setup"}, stdout: "Created 1 table on default\n"})
			do(step{args: []string{"add", "first"}, stdout: "Replication confirmed: 1 item on the replica\n"})
			do(step{args: []string{"show", "first"}, stdout: "1 on replica\n"})
			standby.PauseReplay(t)
			do(step{args: []string{"add", "second", "--timeout", "100ms"}, code: drover.ExitFailed, says: []string{`added, but the replica lags: replica "replica" has not reached `}})
			do(step{args: []string{"show", "second"}, stdout: "1 on default\n"})
			standby.ResumeReplay(t)
			do(step{args: []string{"add", "third"}, stdout: "Replication confirmed: 1 item on the replica\n"})
			if err := standby.Stop(); err != nil {
				t.Fatal(err)
			}
			do(step{args: []string{"add", "fourth"}, code: drover.ExitFailed, says: []string{`database "replica"`}})
		})
	}
	t.Run("sqlite", func(t *testing.T) {
		d := testdb.Fresh(t, testdb.NameSQLite)
		check(t, program, d, nil, step{args: []string{"setup"}, stdout: "Created 1 table on default\n"})
		check(t, program, d, nil, step{args: []string{"show", "first"}, code: drover.ExitFailed, says: []string{"the database has no replication"}}, "DATABASE_URL_REPLICA="+d.URL)
	})
}
