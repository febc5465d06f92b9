package runstore_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestStore runs what must hold on every database. The tests share one of each kind, since a fresh one takes longer than most of them.
func TestStore(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T, w *world)
	}{
		{"create keeps all", testCreateKeepsAll},
		{"create one unfinished run", testCreateOneUnfinishedRun},
		{"create in block", testCreateInBlock},
		{"find prefix", testFindPrefix},
		{"list filters and sums", testListFiltersAndSums},
		{"acquire takes and resumes", testAcquireTakesAndResumes},
		{"acquire refusals", testAcquireRefusals},
		{"acquire expired lease", testAcquireExpiredLease},
		{"renew", testRenew},
		{"acquire lease runs out", testAcquireLeaseRunsOut},
		{"acquire under load", testAcquireUnderLoad},
		{"poll", testPoll},
		{"checkpoint adds up", testCheckpointAddsUp},
		{"checkpoint goes with its block", testCheckpointGoesWithItsBlock},
		{"reload waits for lost transaction", testReloadWaitsForLostTransaction},
		{"checkpoint of a late attempt", testCheckpointOfALateAttempt},
		{"start phase", testStartPhase},
		{"create many shards", testCreateManyShards},
		{"ask live run", testAskLiveRun},
		{"ask nobody works", testAskNobodyWorks},
		{"ask runner dies", testAskRunnerDies},
		{"set", testSet},
		{"set at once", testSetAtOnce},
		{"finish", testFinish},
		{"mark undone", testMarkUndone},
		{"quarantine", testQuarantine},
		{"journal", testJournal},
		{"events", testEvents},
		{"prune", testPrune},
	}
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := ready(t, d)
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				w.clear(t)
				test.run(t, w)
			})
		}
	})
}

// TestStore_Isolation runs what depends on the isolation level at every level that the store may be used with. other is the database opened
// a second time, as another process would.
func TestStore_Isolation(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T, w, other *world)
	}{
		{"create at once", testCreateAtOnce},
		{"acquire at once", testAcquireAtOnce},
		{"acquire waits for batch", testAcquireWaitsForBatch},
		{"acquire fences batch", testAcquireFencesBatch},
	}
	for _, name := range testdb.Names() {
		levels := []sql.IsolationLevel{sql.LevelDefault}
		if name != testdb.NameSQLite {
			levels = append(levels, sql.LevelRepeatableRead, sql.LevelSerializable)
		}
		d := testdb.Fresh(t, name)
		for _, level := range levels {
			t.Run(fmt.Sprintf("%s/%s", name, level), func(t *testing.T) {
				w, other := ready(t, d, db.DefaultIsolation(level)), open(t, d, db.DefaultIsolation(level))
				for _, test := range tests {
					t.Run(test.name, func(t *testing.T) {
						w.clear(t)
						test.run(t, w, other)
					})
				}
			})
		}
	}
}

// clear empties the tables.
func (w *world) clear(t *testing.T) {
	t.Helper()
	for _, table := range []string{"runs", "shards", "quarantine", "undo", "events"} {
		noError(t, w.conn.Exec(t.Context(), "DELETE FROM drover_"+table))
	}
}
