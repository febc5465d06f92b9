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
			t.Parallel()
			s := server()
			const rounds = 20
			for range rounds {
				if storm(t, newArena(t, s.Database(t), backfillJob, 400)) > 0 {
					return
				}
			}
			t.Errorf("there was no deadlock in %d rounds", rounds)
		})
	}
}

// storm runs the job against the writers and returns how many deadlocks there were.
func storm(t *testing.T, a *arena) int64 {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var writers sync.WaitGroup
	var deadlocks, written atomic.Int64
	for range 8 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if n, err := a.backwards(); err == nil {
					written.Add(n)
				} else {
					deadlocks.Add(1)
				}
			}
		})
	}
	res, err := backfilling(func(childWord) {}).Run(t.Context(), open(t, a.URL), batch.Options{BatchSize: 25, Workers: 4, Retries: 200})
	end()
	writers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	a.notes.Store(written.Load())
	a.wrongRows(t)
	return deadlocks.Load() + res.Retried["deadlock"]
}

// backwards notes something on a few rows in one transaction, the last row first.
func (a *arena) backwards() (int64, error) {
	tx, err := a.raw.BeginTx(context.Background(), nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	from := rand.Int64N(a.n - 50)
	keys := map[int64]bool{}
	for range 10 {
		keys[3*(1+from+rand.Int64N(50))] = true
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
