package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

func TestRun_WorksEachRowOnce(t *testing.T) {
	each(t, 1234, func(t *testing.T, f *fixture) {
		for i, workers := range f.workers() {
			t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
				f.exec(t, "UPDATE item SET hits = 0")
				var rec recorder
				res, err := counting().Run(t.Context(), f.conn, batch.Options{
					BatchSize: 50, Workers: workers, Observe: rec.observe, Arguments: []batch.Argument{{Name: "round", Value: fmt.Sprint(i)}},
				})
				if err != nil {
					t.Fatal(err)
				}
				if res.Done != 1234 || res.Planned != 1234 || res.Attempt != 1 || res.Quarantined != 0 {
					t.Errorf("result %+v", res)
				}
				f.wantOnce(t, 1234)
				if got := len(rec.of(batch.EventBatch)); int64(got) != res.Batches {
					t.Errorf("%d events of batches, the result says %d", got, res.Batches)
				}
				f.want(t, "SELECT count(*) FROM drover_runs WHERE state = 'succeeded'", int64(i+1))
			})
		}
	})
}

func TestRun_RefusesWorkThatIsDone(t *testing.T) {
	each(t, 10, func(t *testing.T, f *fixture) {
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{}); err != nil {
			t.Fatal(err)
		}
		_, err := counting().Run(t.Context(), f.conn, batch.Options{})
		if _, ok := errors.AsType[*batch.DoneError](err); !ok {
			t.Fatalf("a second run gave %v, want a DoneError", err)
		}
		f.wantOnce(t, 10)
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{Again: true}); err != nil {
			t.Fatalf("with Again: %v", err)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 2", 10)
	})
}

func TestRun_ResumesBehindTheLastCommit(t *testing.T) {
	each(t, 500, func(t *testing.T, f *fixture) {
		for i, workers := range f.workers() {
			t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
				f.exec(t, "UPDATE item SET hits = 0")
				var batches atomic.Int64
				broken := errors.New("broken pipe in the user's code")
				job := counting(func(context.Context, *batch.Batch[Item]) error {
					if batches.Add(1) == 7 {
						return batch.Fatal(broken)
					}
					return nil
				})
				o := batch.Options{BatchSize: 20, Workers: workers, Arguments: []batch.Argument{{Name: "round", Value: fmt.Sprint(i)}}}
				res, err := job.Run(t.Context(), f.conn, o)
				if !errors.Is(err, broken) {
					t.Fatalf("got %v, want the job's own error", err)
				}
				if res.Done == 0 || res.Done >= 500 {
					t.Errorf("%d rows done when it failed", res.Done)
				}
				f.want(t, "SELECT count(*) FROM item WHERE hits = 1", res.Done)
				var rec recorder
				o.Observe = rec.observe
				again, err := job.Run(t.Context(), f.conn, o)
				if err != nil {
					t.Fatal(err)
				}
				if again.RunID != res.RunID || again.Attempt != 2 || again.Done != 500 {
					t.Errorf("the second attempt: %+v", again)
				}
				if got := rec.of(batch.EventResumed); len(got) != 1 || got[0].Done != res.Done {
					t.Errorf("resumed events %+v", got)
				}
				f.wantOnce(t, 500)
			})
		}
	})
}

func TestRun_StopsBetweenBatches(t *testing.T) {
	each(t, 500, func(t *testing.T, f *fixture) {
		stopping := make(chan struct{})
		var rec recorder
		rec.on = func(e batch.Event) {
			if e.Type == batch.EventBatch && e.Batch == 3 {
				close(stopping)
			}
		}
		asked := make(chan struct{})
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			if b.Number() == 4 {
				<-asked // the run must have seen the wish before this batch ends
			}
			return nil
		})
		inner := rec.on
		rec.on = func(e batch.Event) {
			inner(e)
			if e.Type == batch.EventStopping {
				close(asked)
			}
		}
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 20, Stopping: stopping, Observe: rec.observe})
		var stopped *batch.StoppedError
		if !errors.As(err, &stopped) || stopped.Err != nil {
			t.Fatalf("got %v, want a StoppedError without rolled back batches", err)
		}
		if res.Done != 60 && res.Done != 80 {
			t.Errorf("%d rows done, want three or four batches", res.Done)
		}
		f.want(t, "SELECT count(*) FROM drover_runs WHERE state = 'paused'", 1)
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 20}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 500)
	})
}

func TestRun_RollsBackWhenTheContextEnds(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancelCause(t.Context())
		hard := errors.New("second signal")
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			if b.Number() == 2 {
				cancel(hard)
			}
			return nil
		})
		res, err := job.Run(ctx, f.conn, batch.Options{BatchSize: 20})
		if _, ok := errors.AsType[*batch.StoppedError](err); !ok {
			t.Fatalf("got %v, want a StoppedError", err)
		}
		if res.Done != 20 {
			t.Errorf("%d rows done, want the first batch", res.Done)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 20)
		f.want(t, "SELECT count(*) FROM drover_runs WHERE state = 'paused'", 1)
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 20}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 100)
	})
}

func TestRun_FindsTheBadRowsAndSetsThemAside(t *testing.T) {
	each(t, 300, func(t *testing.T, f *fixture) {
		bad := map[int64]bool{33: true, 36: true, 600: true, 900: true}
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			for _, row := range b.Rows {
				if bad[row.ID] {
					return fmt.Errorf("row %d is bad", row.ID)
				}
			}
			return nil
		})
		var rec recorder
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 100, MaxErrors: 4, Observe: rec.observe})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 296 || res.Quarantined != 4 {
			t.Errorf("result %+v", res)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 296)
		f.want(t, "SELECT count(*) FROM item WHERE hits = 0 AND id IN (33, 36, 600, 900)", 4)
		f.want(t, "SELECT count(*) FROM drover_quarantine WHERE error LIKE 'row % is bad'", 4)
		if got := rec.of(batch.EventQuarantined); len(got) != 4 || got[0].Key != "33" {
			t.Errorf("quarantine events %+v", got)
		}

		bad = map[int64]bool{900: true} // three are mended
		again, err := job.Run(t.Context(), f.conn, batch.Options{RetryOf: res.RunID, MaxErrors: 1})
		if err != nil {
			t.Fatalf("replay: %v", err)
		}
		if again.Done != 3 || again.Quarantined != 1 {
			t.Errorf("replay %+v", again)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 299)
		f.want(t, "SELECT count(*) FROM item WHERE hits > 1", 0)
	})
}

func TestRun_StopsAtTheFirstBadRow(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		f.exec(t, "UPDATE item SET status = 'bad' WHERE id = 150")
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			for _, row := range b.Rows {
				if row.Status == "bad" {
					return errors.New("a bad status")
				}
			}
			return nil
		})
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 40})
		var tooMany *batch.TooManyErrors
		if !errors.As(err, &tooMany) || !strings.Contains(err.Error(), "id 150") {
			t.Fatalf("got %v, want TooManyErrors that names row 150", err)
		}
		if res.Done != 49 { // all before it
			t.Errorf("%d rows done, want 49", res.Done)
		}
		f.want(t, "SELECT count(*) FROM drover_quarantine", 0)
		f.exec(t, "UPDATE item SET status = 'new' WHERE id = 150")
		if _, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 40}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 100)
	})
}

func TestRun_RowsThatProcessSetsAside(t *testing.T) {
	each(t, 60, func(t *testing.T, f *fixture) {
		job := &batch.Job[Item]{Name: "aside", Source: allItems, Process: func(ctx context.Context, b *batch.Batch[Item]) error {
			var good []Item
			for i, row := range b.Rows {
				if row.ID%2 == 0 {
					b.Quarantine(i, errors.New("even"))
					continue
				}
				row.Hits++
				good = append(good, row)
			}
			_, err := table.Of[Item](b.DB()).BulkUpdate(ctx, good, "hits")
			return err
		}}
		if _, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10, MaxErrors: 12}); err == nil {
			t.Fatal("30 rows were set aside with at most 12 allowed")
		}
		f.want(t, "SELECT count(*) FROM drover_quarantine", 10)
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10, MaxErrors: 30})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 30 || res.Quarantined != 30 {
			t.Errorf("result %+v", res)
		}
		f.want(t, "SELECT count(*) FROM drover_quarantine", 30)
	})
}

func TestRun_RetriesADeadlock(t *testing.T) {
	each(t, 40, func(t *testing.T, f *fixture) {
		failures := 3
		job := counting(func(context.Context, *batch.Batch[Item]) error {
			if failures--; failures >= 0 {
				return db.ErrDeadlock
			}
			return nil
		})
		var rec recorder
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 20, Observe: rec.observe})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(rec.of(batch.EventRetry)); n != 3 || res.Retried["deadlock"] != 3 {
			t.Errorf("%d retries, result %+v", n, res)
		}
		f.wantOnce(t, 40)
	})
}

func TestRun_Limit(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		res, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 7, Limit: 30})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 30 || res.Planned != 30 {
			t.Errorf("result %+v", res)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1 AND id <= 90", 30)
	})
}

func TestRun_AnotherLimitIsAnotherRun(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		stop := true
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			if stop && b.Number() == 2 {
				return batch.Fatal(errors.New("stop here"))
			}
			return nil
		})
		first, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		if err == nil {
			t.Fatal("no error")
		}
		stop = false
		limited, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10, Limit: 5})
		if err != nil {
			t.Fatal(err)
		}
		if limited.RunID == first.RunID || limited.Done != 5 {
			t.Errorf("with a limit: %+v, want a run of its own of 5 rows", limited)
		}
		all, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		if all.RunID != first.RunID || all.Done != 100 {
			t.Errorf("without: %+v, want the first run to its end", all)
		}
	})
}

func TestRun_ShardsHaveAboutAsManyRowsEach(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} { // SQLite has one worker, and so one shard
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, testdb.Fresh(t, name), 1000)
			f.exec(t, "UPDATE item SET id = id + 1000000 WHERE id > 300") // nine tenths of the rows lie far off
			if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 100, Workers: 4}); err != nil {
				t.Fatal(err)
			}
			f.wantOnce(t, 1000)
			f.want(t, "SELECT count(*) FROM drover_shards", 16)
			f.want(t, "SELECT count(*) FROM drover_shards WHERE rows_read BETWEEN 55 AND 63 AND planned = rows_read AND done", 16)
		})
	}
}

func TestRun_FewConnections(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, testdb.Fresh(t, name), 200, db.MaxConns(3))
			p, err := counting().Plan(t.Context(), f.conn, batch.Options{Workers: 8})
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "2 of 8 workers") {
				t.Errorf("warnings %q", p.Warnings)
			}
			if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 10, Workers: 8}); err != nil {
				t.Fatal(err)
			}
			f.wantOnce(t, 200)
		})
	}
}

func TestRun_Locked(t *testing.T) {
	each(t, 40, func(t *testing.T, f *fixture) {
		other := open(t, f.URL)
		var inner, refused error
		tried := false
		var rec recorder
		rec.on = func(e batch.Event) {
			if e.Type == batch.EventBatch && !tried {
				tried = true
				_, inner = counting().Run(t.Context(), other, batch.Options{BatchSize: 20})
				if p, err := counting().Plan(t.Context(), other, batch.Options{BatchSize: 20}); err == nil {
					refused = p.Refusal // a command says so before it asks
				}
			}
		}
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 20, Observe: rec.observe}); err != nil {
			t.Fatal(err)
		}
		if _, ok := errors.AsType[*batch.LockedError](inner); !ok {
			t.Errorf("a second runner got %v, want a LockedError", inner)
		}
		if _, ok := errors.AsType[*batch.LockedError](refused); !ok {
			t.Errorf("the plan of a second runner is refused with %v, want a LockedError", refused)
		}
		f.wantOnce(t, 40)
	})
}

func TestRun_TwoPhases(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		set := func(status string) func(ctx context.Context, b *batch.Batch[Item]) error {
			return func(ctx context.Context, b *batch.Batch[Item]) error {
				for i := range b.Rows {
					b.Rows[i].Status = status
					b.Rows[i].Hits++
				}
				_, err := table.Of[Item](b.DB()).BulkUpdate(ctx, b.Rows, "status", "hits")
				return err
			}
		}
		with := func(status string) func(context.Context, *db.DB) (batch.Source[Item], error) {
			return func(_ context.Context, conn *db.DB) (batch.Source[Item], error) {
				return batch.Rows(table.Of[Item](conn).Where("status = ?", status)), nil
			}
		}
		fail := true
		apply := set("applied")
		job := &batch.Job[Item]{Name: "two", Phases: []batch.Phase[Item]{
			{Name: "prepare", Source: with("new"), Process: set("prepared")},
			{Name: "apply", Source: with("prepared"), Process: func(ctx context.Context, b *batch.Batch[Item]) error {
				if b.Phase() != "apply" {
					return batch.Fatal(fmt.Errorf("phase %q", b.Phase()))
				}
				if fail && b.Rows[0].ID > 150 {
					return batch.Fatal(errors.New("stop here"))
				}
				return apply(ctx, b)
			}},
		}}
		if _, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10}); err == nil {
			t.Fatal("no error")
		}
		f.want(t, "SELECT count(*) FROM item WHERE status = 'prepared'", 50)
		f.want(t, "SELECT count(*) FROM item WHERE status = 'applied'", 50)
		fail = false
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 200 || res.Planned != 200 {
			t.Errorf("result %+v", res)
		}
		f.want(t, "SELECT count(*) FROM item WHERE status = 'applied' AND hits = 2", 100)
	})
}

func TestRun_AssertionsAndCanary(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		job := counting()
		job.Before = []batch.Assertion{{Name: "fresh", SQL: "SELECT count(*) FROM item WHERE hits > 0", Want: "0"}}
		job.After = []batch.Assertion{{Name: "no id 15", SQL: "SELECT hits = 0 FROM item WHERE id = 15"}}
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 20, Canary: 10})
		var failed *batch.AssertionError
		if !errors.As(err, &failed) || failed.When != "after the canary" {
			t.Fatalf("got %v, want the canary's assertion", err)
		}
		if res.Done != 10 {
			t.Errorf("%d rows done, want the canary's 10", res.Done)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 10)

		job.Name = "other"
		if _, err := job.Run(t.Context(), f.conn, batch.Options{}); !errors.As(err, &failed) || failed.When != "before the run" {
			t.Fatalf("got %v, want the assertion before the run", err)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 10)
	})
}

func TestRun_TimeLimit(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		now := time.Now()
		var skew atomic.Int64
		job := counting(func(ctx context.Context, b *batch.Batch[Item]) error {
			if b.Number() == 2 {
				skew.Store(int64(time.Hour))
			}
			return nil
		})
		res, err := job.Run(t.Context(), f.conn, batch.Options{
			BatchSize: 1, TimeLimit: 10 * time.Minute, RowsPerSecond: 20,
			Now: func() time.Time { return now.Add(time.Duration(skew.Load())) },
		})
		var stopped *batch.StoppedError
		if !errors.As(err, &stopped) || !strings.Contains(stopped.Reason, "time limit") {
			t.Fatalf("got %v, want a stop by the time limit", err)
		}
		if res.Done == 100 {
			t.Error("all rows are done")
		}
	})
}

// TestRun_TimeLimitWithoutAnswer has a database that gives no answer when the run asks whether it is to stop. The limit holds all the same.
func TestRun_TimeLimitWithoutAnswer(t *testing.T) {
	asked := make(chan struct{})
	var once sync.Once
	silent := db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		if !strings.HasPrefix(s.SQL, `SELECT "request"`) {
			return next(ctx)
		}
		once.Do(func() { close(asked) })
		<-ctx.Done()
		return context.Cause(ctx)
	})
	f := newFixture(t, testdb.Fresh(t, testdb.NameSQLite), 20, silent)
	job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
		if b.Number() == 2 {
			<-asked // which is before the limit
		}
		return nil
	})
	res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 1, RowsPerSecond: 2, Lease: time.Hour, TimeLimit: 1500 * time.Millisecond})
	var stopped *batch.StoppedError
	if !errors.As(err, &stopped) || !strings.Contains(stopped.Reason, "time limit") || res.Done == 20 {
		t.Fatalf("%d rows done, %v: want a stop by the time limit", res.Done, err)
	}
}

func TestRun_APanicPassesThrough(t *testing.T) {
	each(t, 40, func(t *testing.T, f *fixture) {
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			if b.Number() == 2 {
				panic("a bug")
			}
			return nil
		})
		func() {
			defer func() {
				if got := recover(); got != "a bug" {
					t.Errorf("recovered %v", got)
				}
			}()
			_, _ = job.Run(t.Context(), f.conn, batch.Options{BatchSize: 20})
		}()
		f.want(t, "SELECT count(*) FROM drover_runs WHERE state = 'failed' AND error LIKE '%a bug%run_test.go%'", 1) // with the place
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 20}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 40)
	})
}

// TestRun_ATableWithoutStatistics reads the pages of a PostgreSQL table in the form that needs none, until the table is analysed.
func TestRun_ATableWithoutStatistics(t *testing.T) {
	var pages []string
	record := func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		if strings.Contains(s.SQL, "LIMIT 7") {
			pages = append(pages, s.SQL)
		}
		return next(ctx)
	}
	f := newFixture(t, testdb.Fresh(t, testdb.NamePostgres), 30, db.Intercept(record))
	for _, analysed := range []bool{false, true} {
		if analysed {
			f.exec(t, "ANALYZE item")
		}
		pages = nil
		res, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 7, Again: true})
		if err != nil || res.Done != 30 {
			t.Fatalf("%+v, %v", res, err)
		}
		other := slices.DeleteFunc(slices.Clone(pages), func(s string) bool { return !strings.Contains(s, `("id", 0) <= (`) })
		if want := map[bool]int{false: 5, true: 0}[analysed]; len(pages) != 5 || len(other) != want {
			t.Errorf("analysed %t: %d of %d pages are read in the other form, want %d: %q", analysed, len(other), len(pages), want, pages)
		}
	}
}
