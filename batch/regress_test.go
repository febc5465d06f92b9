package batch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// The faults that other systems of this kind had, each with the test that would fail on them. Those without a test here are tested where they
// belong:
//
//	cursor ahead of the work            Sidekiq #6405, Temporal #9830, maintenance_tasks #1033   TestRegress_CursorAheadOfWork
//	progress only on a graceful stop    maintenance_tasks #1047       TestRegress_ProgressOnlyOnGracefulStop, TestCrash
//	a dry run that changes something    gh-ost #1769                  TestRegress_DryRunThatMutates
//	INSERT IGNORE loses rows            gh-ost #1636, #1526           TestRegress_SilentLoss
//	a refused skip drops the row        Spring Batch #5079            TestRegress_SkipPolicyThatDrops
//	a rescue overwrites the completion  River #1302                   TestRegress_RescueOverwritesCompletion
//	the order of RETURNING is assumed   pgroll #908                   TestRegress_OrderOfRowsAssumed
//	gaps in the keys end the loop       pg-aiguide #127               TestRegress_SparseKeysEndTheLoop
//	pages by OFFSET skip rows           Laravel #41665                TestRegress_OffsetPagingSkips
//	an OR in the filter never ends      Laravel #48401, #31982        TestRegress_EndlessLoop
//	never ends while rows are inserted  pgroll #583                   TestRegress_NeverEndsUnderInserts
//	throttled is taken for stalled      Vitess #20922                 TestFault_AThrottledRunIsNotDead
//	a frozen lag value is trusted       spirit, stale.go              TestThrottle_FrozenValueIsStale (internal/pace)
//	a throttle starves the work         Vitess #13175                 TestThrottle_FlappingDoesNotStarve (internal/pace)
//	a timed-out batch runs twice        backfila #137                 TestRegress_TimedOutBatchRunsTwice
//	a dead run stays "running"          Spring Batch #1099, DBOS #174 TestRegress_DeadRunStaysRunning
//	the last row is never archived      pt-archiver                   TestRegress_LastRowIsLeft
//	a name pattern hits a second run    Atlas                         TestFind_Prefix (internal/runstore)
//	a half-applied file is not marked   goose #728                    TestInit_AfterInterruption (internal/runstore)
//	an upgrade with no way out          GitLab                        TestAsk_NobodyWorks, TestInit_Newer (internal/runstore)
//	a file's name reaches a shell       job-iteration's CVE           TestRegress_ShellInjection
//	the rest of the time by integers    backfila                      TestMeter_ETAWaitsAndFollowsTheSpeed (internal/term)
//	the cursor is changed without a log backfila                      TestSet (internal/runstore): what can be changed is logged, the cursor cannot
//	a lease shorter than a batch        rockhopper                    TestFault_ALeaseShorterThanABatch
//	rows that move are missed           ctid ranges                   TestRegress_MovedRows
//	slow predicates of several columns  pgroll, and others            TestPredicates, TestWalk_Statements (internal/keyset, table)

// In Sidekiq the cursor was moved before the work, so that a failure skipped it.
func TestRegress_CursorAheadOfWork(t *testing.T) {
	each(t, 50, func(t *testing.T, f *fixture) {
		t.Parallel()
		broken := errors.New("broken")
		fail := true
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			if b.Rows[0].ID > 60 && fail {
				return batch.Fatal(broken)
			}
			return nil
		})
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		if !errors.Is(err, broken) || res.Done != 20 {
			t.Fatalf("%d rows are done, and %v; want 20 and the job's error", res.Done, err)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 20)
		f.want(t, "SELECT rows_done FROM drover_shards", 20)
		fail = false
		if _, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 50)
	})
}

// In maintenance_tasks the cursor was saved when the job was interrupted in an orderly way, so that a kill repeated all of it.
func TestRegress_ProgressOnlyOnGracefulStop(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		t.Parallel()
		var rec recorder
		rec.on = func(e batch.Event) {
			if e.Type != batch.EventBatch {
				return
			}
			stored, done := f.count(t, "SELECT SUM(rows_done) FROM drover_shards"), f.count(t, "SELECT count(*) FROM item WHERE hits = 1")
			if stored != e.Done || done != e.Done {
				t.Errorf("after a batch %d rows are stored as done and %d are, want %d", stored, done, e.Done)
			}
		}
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 10, Observe: rec.observe}); err != nil {
			t.Fatal(err)
		}
		if n := len(rec.of(batch.EventBatch)); n != 10 {
			t.Errorf("%d batches", n)
		}
	})
}

// In gh-ost a run without --execute changed a table all the same.
func TestRegress_DryRunThatMutates(t *testing.T) {
	each(t, 50, func(t *testing.T, f *fixture) {
		t.Parallel()
		before := f.Dump(t)
		if _, err := counting().Plan(t.Context(), f.conn, batch.Options{Workers: f.workers()[0]}); err != nil {
			t.Fatal(err)
		}
		if _, err := counting().Rehearse(t.Context(), f.conn, batch.Options{BatchSize: 10}, 2); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, f.Dump(t)); diff != "" {
			t.Errorf("a dry run has changed the database (-before +after):\n%s", diff)
		}
	})
}

// copying copies the rows of item to the table copy.
func copying() *batch.Job[Item] {
	return &batch.Job[Item]{Name: "copy", Source: allItems, Process: func(ctx context.Context, b *batch.Batch[Item]) error {
		for _, row := range b.Rows {
			if err := b.DB().Exec(ctx, "INSERT INTO copied (id) VALUES (?)", row.ID); err != nil {
				return err
			}
		}
		return nil
	}}
}

// In gh-ost rows that met a unique key in the new table were dropped without a word.
func TestRegress_SilentLoss(t *testing.T) {
	each(t, 60, func(t *testing.T, f *fixture) {
		t.Parallel()
		f.exec(t, "CREATE TABLE copied (id bigint NOT NULL PRIMARY KEY)", "INSERT INTO copied VALUES (90)")
		res, err := copying().Run(t.Context(), f.conn, batch.Options{BatchSize: 20})
		if !errors.Is(err, db.ErrUnique) || res.Done != 29 {
			t.Fatalf("%d rows are done, and %v; want 29 and a unique violation", res.Done, err)
		}
		res, err = copying().Run(t.Context(), f.conn, batch.Options{BatchSize: 20, MaxErrors: 1})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 59 || res.Quarantined != 1 {
			t.Errorf("result %+v", res)
		}
		f.want(t, "SELECT count(*) FROM copied", 60)
		f.want(t, "SELECT count(*) FROM drover_quarantine WHERE kind = 'unique violation'", 1)
	})
}

// In Spring Batch a row that the skip policy refused to skip was dropped with the ones that it allowed.
func TestRegress_SkipPolicyThatDrops(t *testing.T) {
	each(t, 60, func(t *testing.T, f *fixture) {
		t.Parallel()
		bad := map[int64]bool{30: true, 33: true, 120: true}
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			for _, row := range b.Rows {
				if bad[row.ID] {
					return fmt.Errorf("row %d is bad", row.ID)
				}
			}
			return nil
		})
		_, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 20, MaxErrors: 2})
		if !errors.As(err, new(*batch.TooManyErrors)) {
			t.Fatalf("got %v, want TooManyErrors", err)
		}
		f.want(t, "SELECT count(*) FROM drover_quarantine", 2)
		f.want(t, "SELECT count(*) FROM drover_runs WHERE state = 'failed'", 1)
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1 AND id >= 120", 0)
		bad = nil
		if _, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 20, MaxErrors: 2}); err != nil {
			t.Fatal(err)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 58)
		f.want(t, "SELECT count(*) FROM item WHERE hits = 0 AND id IN (30, 33)", 2)
	})
}

// In River a job that was rescued for dead and had only been slow overwrote, or was overwritten by, the state that the other one stored.
func TestRegress_RescueOverwritesCompletion(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		t.Parallel()
		o := batch.Options{BatchSize: 20, Lease: shortLease}
		s, first := f.standStill(t, o)
		finish(t, f.conn, o)
		before := f.text(t, "SELECT CONCAT(state, ' ', token, ' ', owner, ' ', attempt) FROM drover_runs")
		close(s.thawed)
		if err := <-first; !errors.Is(err, batch.ErrTakenOver) {
			t.Errorf("the runner that was taken for dead got %v, want ErrTakenOver", err)
		}
		if after := f.text(t, "SELECT CONCAT(state, ' ', token, ' ', owner, ' ', attempt) FROM drover_runs"); after != before {
			t.Errorf("it has changed the run from %q to %q", before, after)
		}
		f.want(t, "SELECT count(*) FROM drover_runs WHERE state = 'succeeded'", 1)
		f.wantOnce(t, 100)
	})
}

// In backfila a batch whose statement had timed out for the client still ran on the server when it was tried again. Here it has done its work
// and is about to commit when another runner takes the run over.
func TestRegress_TimedOutBatchRunsTwice(t *testing.T) {
	onServers(t, 100, func(t *testing.T, f *fixture) {
		s := stall(t, f.URL)
		still := make(chan struct{})
		job := counting()
		process := job.Process
		job.Process = func(ctx context.Context, b *batch.Batch[Item]) error {
			if err := process(ctx, b); err != nil || b.Number() != 3 {
				return err
			}
			close(s.frozen)
			close(still)
			<-s.thawed
			return nil
		}
		o := batch.Options{BatchSize: 20, Lease: shortLease}
		first := make(chan error, 1)
		go func() {
			_, err := job.Run(t.Context(), s.DB, o)
			first <- err
		}()
		wait(t, still)
		var rec recorder
		rec.on = func(e batch.Event) {
			if e.Type == batch.EventResumed { // its first batch waits for the rows that the other one has locked
				close(s.thawed)
			}
		}
		o.Observe = rec.observe
		finish(t, f.conn, o)
		if err := <-first; !errors.Is(err, batch.ErrTakenOver) {
			t.Errorf("the first runner got %v, want ErrTakenOver", err)
		}
		f.wantOnce(t, 100)
	})
}

// In Spring Batch and DBOS the run of a process that had died read as running for ever, and could not be begun again.
func TestRegress_DeadRunStaysRunning(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		t.Parallel()
		a := newArena(t, f.Database, backfillJob, 200)
		p := startChild(t, childOrder{
			URL: f.URL, Job: backfillJob, Workers: 1, Size: 20, Lease: shortLease, Die: &death{Held: true, Commit: true, Number: 4, Before: true},
		})
		for range p.words { // until it is dead
		}
		p.wait()
		store := runstore.New(f.conn)
		poll(t, func() error {
			runs, _, err := store.List(t.Context(), runstore.Filter{})
			if err == nil && (len(runs) != 1 || runs[0].State != runstore.Interrupted) {
				err = fmt.Errorf("the runs read as %+v, want one that is interrupted", runs)
			}
			return err
		})
		res, err := backfilling(func(childWord) {}).Run(t.Context(), f.conn, batch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if res.Attempt != 2 || res.Processed == 0 || res.Processed == 200 {
			t.Errorf("result %+v, want one that goes on in the middle", res)
		}
		a.wrongRows(t)
	})
}

// In pgroll the end of a batch was the last row of RETURNING, whose order is nobody's promise. Rows lie in the table in no order here.
func TestRegress_OrderOfRowsAssumed(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		t.Parallel()
		for _, i := range rand.Perm(300) {
			f.exec(t, fmt.Sprintf("INSERT INTO item VALUES (%d, 'new', 0)", i))
		}
		for _, workers := range f.workers() {
			f.exec(t, "UPDATE item SET hits = 0 WHERE id % 2 = 0", "UPDATE item SET hits = 0")
			if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 7, Workers: workers, Again: workers > 1}); err != nil {
				t.Fatal(err)
			}
			f.wantOnce(t, 300)
		}
	})
}

// In pg-aiguide a range of keys without rows was taken for the end.
func TestRegress_SparseKeysEndTheLoop(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		t.Parallel()
		keys := []int64{-9_000_000_000_000, -5, 0, 1, 2, 1_000_000, 1_000_001, 8_000_000_000, 9_000_000_000_000_000_000}
		for _, k := range keys {
			f.exec(t, fmt.Sprintf("INSERT INTO item VALUES (%d, 'new', 0)", k))
		}
		for _, workers := range f.workers() {
			f.exec(t, "UPDATE item SET hits = 0")
			if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 2, Workers: workers, Again: workers > 1}); err != nil {
				t.Fatal(err)
			}
			f.wantOnce(t, int64(len(keys)))
		}
	})
}

// where is the counting job on the rows of a condition.
func where(condition string, args ...any) *batch.Job[Item] {
	job := counting()
	job.Source = func(_ context.Context, conn *db.DB) (batch.Source[Item], error) {
		return batch.Rows(table.Of[Item](conn).Where(condition, args...)), nil
	}
	return job
}

// In Laravel chunk() pages by OFFSET, and leaves out every second page when the work makes rows leave the condition.
func TestRegress_OffsetPagingSkips(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		t.Parallel()
		if _, err := where("status = ?", "new").Run(t.Context(), f.conn, batch.Options{BatchSize: 10}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 100)
	})
}

// In Laravel chunkById() put its own condition beside one with OR, without brackets, and began with the same rows for ever.
func TestRegress_EndlessLoop(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		t.Parallel()
		res, err := where("status = ? OR hits >= 0", "new").Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		if res.Batches > 11 {
			t.Errorf("%d batches for 100 rows", res.Batches)
		}
		f.wantOnce(t, 100)
	})
}

// In pgroll a backfill never ended while rows were inserted as fast as it went.
func TestRegress_NeverEndsUnderInserts(t *testing.T) {
	each(t, 50, func(t *testing.T, f *fixture) {
		t.Parallel()
		next := int64(1000)
		job := counting(func(ctx context.Context, b *batch.Batch[Item]) error {
			for range b.Rows {
				next++
				if err := b.DB().Exec(ctx, "INSERT INTO item VALUES (?, 'later', 0)", next); err != nil {
					return err
				}
			}
			return nil
		})
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 50 {
			t.Errorf("%d rows done, want those that were there at the start", res.Done)
		}
		f.want(t, "SELECT count(*) FROM item WHERE status = 'later' AND hits = 0", 50)
	})
}

// In pt-archiver the row with the highest key stays, to keep the counter of automatic keys.
func TestRegress_LastRowIsLeft(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		t.Parallel()
		f.exec(t, "CREATE TABLE entry (id bigint NOT NULL PRIMARY KEY, status varchar(20) NOT NULL)", "CREATE TABLE gone (id bigint NOT NULL)")
		for _, n := range []int{1, 4, 5, 6} {
			for i := range n {
				f.exec(t, fmt.Sprintf("INSERT INTO entry VALUES (%d, 'old')", i))
			}
			if _, err := purging(func(childWord) {}).Run(t.Context(), f.conn, batch.Options{BatchSize: 5, Again: true}); err != nil {
				t.Fatal(err)
			}
			f.want(t, "SELECT count(*) FROM entry", 0)
			f.want(t, "SELECT count(*) FROM gone", int64(n))
			f.exec(t, "DELETE FROM gone")
		}
	})
}

// Ranges of ctid work rows twice or not at all: an UPDATE moves a row to where there is room, which is ahead of the cursor or behind it.
func TestRegress_MovedRows(t *testing.T) {
	each(t, 600, func(t *testing.T, f *fixture) {
		t.Parallel()
		f.exec(t, "DELETE FROM item WHERE id % 2 = 0")
		if f.Name == testdb.NamePostgres {
			f.exec(t, "VACUUM item")
		}
		var rec recorder
		rec.on = func(e batch.Event) {
			if e.Type == batch.EventBatch { // somebody else makes rows ahead larger
				f.exec(t, "UPDATE item SET status = 'a good deal longer' WHERE hits = 0 AND id % 5 = 0")
			}
		}
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 25, Observe: rec.observe}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 300)
	})
}

// In job-iteration the name of a CSV file was handed to a shell.
func TestRegress_ShellInjection(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		dir := t.TempDir()
		t.Chdir(dir)
		name := "a;touch hacked;$(touch hacked)`touch hacked`|touch hacked.csv"
		if err := os.WriteFile(filepath.Join(dir, name), []byte("id\n1\n2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		job := &batch.Job[batch.Record]{
			Name: "import",
			Source: func(context.Context, *db.DB) (batch.Source[batch.Record], error) {
				return batch.CSV(name, batch.CSVOptions{}), nil
			},
			Process: func(ctx context.Context, b *batch.Batch[batch.Record]) error {
				for _, r := range b.Rows {
					if err := b.DB().Exec(ctx, "INSERT INTO item VALUES (?, 'new', 1)", r.Fields[0]); err != nil {
						return err
					}
				}
				return nil
			},
		}
		if _, err := job.Run(t.Context(), f.conn, batch.Options{Lease: time.Minute}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 2)
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 {
			t.Errorf("%d files beside the one that was read, %v", len(files)-1, err)
		}
	})
}

// Options that were changed before the runner's first look at its requests were taken for those that it had begun with.
func TestRegress_OptionChangedAtTheStart(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		t.Parallel()
		store := runstore.New(open(t, f.URL))
		var rec recorder
		rec.on = func(e batch.Event) {
			if e.Type == batch.EventStarted {
				if _, err := store.Set(t.Context(), e.RunID, "rows-per-second", "0", "somebody else"); err != nil {
					t.Error(err)
				}
			}
		}
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 10, RowsPerSecond: 40, Lease: shortLease, Observe: rec.observe}); err != nil {
			t.Fatal(err)
		}
		if len(rec.of(batch.EventSet)) != 1 {
			t.Errorf("the change was not seen: %+v", rec.of(batch.EventSet))
		}
	})
}
