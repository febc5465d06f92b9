package batch_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestFault_ADeadlockStorm sets eight writers, which lock rows from the last to the first, against a run that locks them from the first to the
// last.
func TestFault_ADeadlockStorm(t *testing.T) {
	for name, server := range map[string]func() *testdb.Server{
		testdb.NamePostgres: func() *testdb.Server { return testdb.NewPostgres(t, testdb.Setting("deadlock_timeout", "20ms")) },
		testdb.NameMariaDB:  func() *testdb.Server { return testdb.MariaDB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newArena(t, server().Database(t), backfillJob, 1000)
			ctx, end := context.WithCancel(t.Context())
			defer end()
			var storm sync.WaitGroup
			var deadlocks, written atomic.Int64
			for range 8 {
				storm.Go(func() {
					for ctx.Err() == nil {
						if n, err := a.backwards(); err == nil {
							written.Add(n)
						} else {
							deadlocks.Add(1)
						}
					}
				})
			}
			res, err := backfilling(func(childWord) {}).Run(t.Context(), open(t, a.URL), batch.Options{BatchSize: 100, Workers: 4, Retries: 200})
			end()
			storm.Wait()
			if err != nil {
				t.Fatal(err)
			}
			a.notes.Store(written.Load())
			if wrong := a.wrongRows(t); wrong == 0 {
				t.Logf("%d transactions of the writers and %v batches met a deadlock, %d batches", deadlocks.Load(), res.Retried, res.Batches)
			}
			if deadlocks.Load()+res.Retried["deadlock"] == 0 {
				t.Error("there was no deadlock")
			}
		})
	}
}

// backwards notes something on a few rows in one transaction, the last row first.
func (a *arena) backwards() (int64, error) {
	tx, err := a.raw.BeginTx(context.Background(), nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	from := rand.Int64N(a.n - 100)
	keys := map[int64]bool{}
	for range 6 {
		keys[3*(1+from+rand.Int64N(100))] = true
	}
	var order []int64
	for k := range keys {
		order = append(order, k)
	}
	slices.Sort(order)
	for _, k := range slices.Backward(order) {
		if _, err := tx.ExecContext(context.Background(), sqlNote(k)); err != nil {
			return 0, err
		}
	}
	return int64(len(order)), tx.Commit()
}
