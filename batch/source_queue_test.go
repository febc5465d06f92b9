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

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// Task is a row of the queue task. The columns of the claim are no part of the type: a job need not know them.
type Task struct {
	ID   int64  `db:"id,pk"`
	Kind string `db:"kind"`
	Hits int64  `db:"hits"`
}

func (Task) TableName() string { return "task" }

// queue is a database with the table task, and n pending rows with the keys 1 to n.
type queue struct{ *fixture }

func eachQueue(t *testing.T, n int, fn func(t *testing.T, q queue)) {
	each(t, 0, func(t *testing.T, f *fixture) {
		q := queue{f}
		q.create(t)
		q.add(t, 1, n, "mail")
		fn(t, q)
	})
}

func (q queue) create(t *testing.T) {
	t.Helper()
	moment := map[string]string{testdb.NamePostgres: "timestamptz", testdb.NameMariaDB: "datetime(6)", testdb.NameSQLite: "timestamp"}[q.Name]
	q.exec(t, `CREATE TABLE task (id bigint NOT NULL PRIMARY KEY, kind varchar(20) NOT NULL, status varchar(20) NOT NULL DEFAULT 'pending',
		claimed_by varchar(64), claimed_at `+moment+`, attempts int NOT NULL DEFAULT 0, error varchar(60), hits bigint NOT NULL DEFAULT 0)`,
		"CREATE INDEX task_status ON task (status, id)")
}

func (q queue) add(t *testing.T, first, last int, kind string) {
	t.Helper()
	var rows []Task
	for i := first; i <= last; i++ {
		rows = append(rows, Task{ID: int64(i), Kind: kind})
	}
	if _, err := table.Of[Task](q.conn).BulkCreate(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

// wantDone fails the test unless all of n rows are completed, and each was worked on once.
func (q queue) wantDone(t *testing.T, n int64) {
	t.Helper()
	q.want(t, "SELECT count(*) FROM task WHERE status = 'completed' AND hits = 1 AND error IS NULL", n)
	q.want(t, "SELECT count(*) FROM task WHERE status <> 'completed' OR hits <> 1", 0)
}

// queueJob counts up hits of the rows of the queue.
func queueJob(o batch.QueueOptions, process ...func(ctx context.Context, b *batch.Batch[Task]) error) *batch.Job[Task] {
	return &batch.Job[Task]{
		Name: "work", Repeatable: true,
		Source: func(_ context.Context, conn *db.DB) (batch.Source[Task], error) {
			return batch.Queue(table.Of[Task](conn).Where("kind = ?", "mail"), o), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[Task]) error {
			for _, p := range process {
				if err := p(ctx, b); err != nil {
					return err
				}
			}
			for _, row := range b.Rows {
				if err := b.DB().Exec(ctx, "UPDATE task SET hits = hits + 1 WHERE id = ?", row.ID); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func TestQueue_CompletesEachRowOnce(t *testing.T) {
	eachQueue(t, 230, func(t *testing.T, q queue) {
		q.add(t, 1001, 1010, "sms") // of another queue in the table
		for _, workers := range q.workers() {
			t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
				q.exec(t, "UPDATE task SET status = 'pending', hits = 0, attempts = 0, claimed_by = NULL")
				res, err := queueJob(batch.QueueOptions{}).Run(t.Context(), q.conn, batch.Options{BatchSize: 20, Workers: workers})
				if err != nil {
					t.Fatal(err)
				}
				if res.Done != 230 || res.Planned != 230 || res.Quarantined != 0 {
					t.Errorf("result %+v", res)
				}
				q.want(t, "SELECT count(*) FROM task WHERE kind = 'mail' AND status = 'completed' AND hits = 1 AND attempts = 1", 230)
				q.want(t, "SELECT count(*) FROM task WHERE kind = 'mail' AND claimed_by LIKE '"+res.RunID+"/1/%' AND claimed_at IS NOT NULL", 230)
				q.want(t, "SELECT count(*) FROM task WHERE kind = 'sms' AND status = 'pending' AND hits = 0 AND claimed_by IS NULL", 10)
			})
		}
	})
}

// TestQueue_ManyRunners has two processes' worth of runners on one queue, while rows are added to it.
func TestQueue_ManyRunners(t *testing.T) {
	const first, more = 400, 200
	eachQueue(t, first, func(t *testing.T, q queue) {
		workers := q.workers()[len(q.workers())-1]
		var added sync.Once
		grow := func(context.Context, *batch.Batch[Task]) error {
			added.Do(func() {
				if workers > 1 { // in SQLite the batch has the only writer
					q.add(t, first+1, first+more, "mail")
				}
			})
			return nil
		}
		var group sync.WaitGroup
		var done atomic.Int64
		for i := range 2 {
			conn := open(t, q.URL)
			group.Go(func() {
				for range 20 { // where both make the same run at once, one of them is told to come again
					res, err := queueJob(batch.QueueOptions{}, grow).Run(t.Context(), conn, batch.Options{BatchSize: 10, Workers: workers})
					if errors.As(err, new(*batch.LockedError)) {
						continue
					}
					if err != nil {
						t.Errorf("runner %d: %v", i, err)
						return
					}
					done.Add(res.Done)
					return
				}
				t.Errorf("runner %d found no run of its own", i)
			})
		}
		group.Wait()
		want := int64(first)
		if workers > 1 {
			want += more
		}
		q.wantDone(t, want)
		if done.Load() != want {
			t.Errorf("the runners say %d, want %d", done.Load(), want)
		}
	})
}

func TestQueue_PoisonRows(t *testing.T) {
	eachQueue(t, 64, func(t *testing.T, q queue) {
		bad := map[int64]string{3: "a bad row", 32: "\xFF\x00" + strings.Repeat("ä", 100), 33: "another", 64: "the last"}
		poison := func(_ context.Context, b *batch.Batch[Task]) error {
			for _, row := range b.Rows {
				if bad[row.ID] != "" {
					return errors.New(bad[row.ID])
				}
			}
			return nil
		}
		_, err := queueJob(batch.QueueOptions{}, poison).Run(t.Context(), q.conn, batch.Options{BatchSize: 32})
		var tooMany *batch.TooManyErrors
		if !errors.As(err, &tooMany) || !strings.Contains(err.Error(), "id 3") {
			t.Fatalf("got %v, want the error of row 3", err)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'completed' AND id < 3", 2)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'pending' AND attempts = 1 AND id = 3", 1)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'pending' AND attempts = 0 AND id > 3", 61)

		res, err := queueJob(batch.QueueOptions{}, poison).Run(t.Context(), q.conn, batch.Options{BatchSize: 32, MaxErrors: 4})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 60 || res.Quarantined != 4 {
			t.Errorf("result %+v", res)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'completed' AND hits = 1", 60)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'failed' AND hits = 0 AND error IN ('a bad row', 'another', 'the last')", 3)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'failed' AND hits = 0 AND error LIKE '%ää' AND id = 32", 1)

		// One is mended, one is given another state by hand, two are as bad as before.
		delete(bad, 3)
		q.exec(t, "UPDATE task SET status = 'completed', hits = 1 WHERE id = 33")
		bad[64] = "still bad"
		again, err := queueJob(batch.QueueOptions{}, poison).Run(t.Context(), q.conn, batch.Options{RetryOf: res.RunID, MaxErrors: 2})
		if err != nil {
			t.Fatal(err)
		}
		if again.Done != 1 || again.Quarantined != 2 {
			t.Errorf("replay %+v", again)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'completed' AND hits = 1 AND (error IS NULL OR id = 33)", 62)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'failed' AND hits = 0 AND id = 64 AND error = 'still bad'", 1)
	})
}

func TestQueue_RowsThatProcessSetsAside(t *testing.T) {
	eachQueue(t, 20, func(t *testing.T, q queue) {
		job := queueJob(batch.QueueOptions{})
		job.Process = func(_ context.Context, b *batch.Batch[Task]) error {
			for i, row := range b.Rows {
				if row.ID%5 == 0 {
					b.Quarantine(i, fmt.Errorf("no %d", row.ID))
				}
			}
			return nil
		}
		res, err := job.Run(t.Context(), q.conn, batch.Options{BatchSize: 7, MaxErrors: 4})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 16 || res.Quarantined != 4 {
			t.Errorf("result %+v", res)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'completed' AND id % 5 <> 0", 16)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'failed' AND id % 5 = 0 AND error IN ('no 5', 'no 10', 'no 15', 'no 20')", 4)
	})
}

// TestQueue_RowsThatBecomePendingBehindTheClaims are worked on by the same run, and before all that is ahead.
func TestQueue_RowsThatBecomePendingBehindTheClaims(t *testing.T) {
	eachQueue(t, 120, func(t *testing.T, q queue) {
		var order []int64
		job := queueJob(batch.QueueOptions{}, func(ctx context.Context, b *batch.Batch[Task]) error {
			order = append(order, b.Rows[0].ID)
			switch len(order) {
			case 3, 119: // in the middle of the claims, and shortly before their end
				return b.DB().Exec(ctx, "INSERT INTO task (id, kind) VALUES (?, 'mail')", 3-len(order))
			}
			return nil
		})
		res, err := job.Run(t.Context(), q.conn, batch.Options{BatchSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		if at := slices.Index(order, 0); res.Done != 122 || at < 3 || at > 60 {
			t.Errorf("%d rows done, the new one as the %dth", res.Done, at)
		}
		q.wantDone(t, 122)
	})
}

func TestQueue_LimitAndDryRun(t *testing.T) {
	eachQueue(t, 50, func(t *testing.T, q queue) {
		before := q.Dump(t)
		h, err := queueJob(batch.QueueOptions{}).Rehearse(t.Context(), q.conn, batch.Options{BatchSize: 20}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if h.Processed != 50 || h.Plan.Rows != 50 || h.Plan.Order != "id" || len(h.Failures) != 0 || len(h.Changes) != 50 {
			t.Errorf("rehearsed %d of %d rows by %q, %d changed, %v", h.Processed, h.Plan.Rows, h.Plan.Order, len(h.Changes), h.Failures)
		}
		for _, want := range []batch.ColumnChange{{"status", "pending", "completed"}, {"attempts", "0", "1"}, {"hits", "0", "1"}} {
			found := false
			for _, c := range h.Changes[0].Columns {
				found = found || c == want
			}
			if !found {
				t.Errorf("no change %v in %v", want, h.Changes[0])
			}
		}
		if after := q.Dump(t); after != before {
			t.Error("a rehearsal has changed the database")
		}
		res, err := queueJob(batch.QueueOptions{}).Run(t.Context(), q.conn, batch.Options{BatchSize: 20, Limit: 30})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 30 || res.Planned != 30 {
			t.Errorf("result %+v", res)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'completed' AND id <= 30", 30)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'pending' AND attempts = 0 AND id > 30", 20)
	})
}

func TestQueue_Undo(t *testing.T) {
	eachQueue(t, 30, func(t *testing.T, q queue) {
		before := q.count(t, "SELECT count(*) FROM task WHERE status = 'pending' AND attempts = 0 AND claimed_by IS NULL AND claimed_at IS NULL AND hits = 0")
		res, err := queueJob(batch.QueueOptions{}).Run(t.Context(), q.conn, batch.Options{BatchSize: 8, Undo: true})
		if err != nil {
			t.Fatal(err)
		}
		q.wantDone(t, 30)
		if _, err := batch.Undo(t.Context(), q.conn, res.RunID, batch.Options{}); err != nil {
			t.Fatal(err)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'pending' AND attempts = 0 AND claimed_by IS NULL AND claimed_at IS NULL AND hits = 0", before)
	})
}

// Part is a row with a key of two columns, a queue with names and states of its own, and columns that cannot be NULL.
type Part struct {
	Region string `db:"region,pk"`
	Nr     int64  `db:"nr,pk"`
	Hits   int64  `db:"hits"`
}

func (Part) TableName() string { return "part" }

func TestQueue_NamesAndStatesOfItsOwn(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		moment := map[string]string{testdb.NamePostgres: "timestamptz", testdb.NameMariaDB: "datetime(6)", testdb.NameSQLite: "timestamp"}[f.Name]
		f.exec(t, `CREATE TABLE part (region varchar(10) NOT NULL, nr bigint NOT NULL, state int NOT NULL, worker varchar(64) NOT NULL DEFAULT '',
			since `+moment+`, tries int, why text NOT NULL DEFAULT '', hits bigint NOT NULL DEFAULT 0, PRIMARY KEY (region, nr))`)
		for i := range 30 {
			f.exec(t, fmt.Sprintf("INSERT INTO part (region, nr, state) VALUES ('r%d', %d, 0)", i%3, i))
		}
		f.exec(t, "UPDATE part SET state = 1, since = '2001-02-03', worker = 'old/1/1', tries = 1 WHERE nr = 4")
		job := &batch.Job[Part]{
			Name: "parts",
			Source: func(_ context.Context, conn *db.DB) (batch.Source[Part], error) {
				return batch.Queue(table.Of[Part](conn), batch.QueueOptions{
					Status: "state", ClaimedBy: "worker", ClaimedAt: "since", Attempts: "tries", Error: "why",
					Pending: 0, Processing: 1, Completed: 2, Failed: 9,
				}), nil
			},
			Process: func(ctx context.Context, b *batch.Batch[Part]) error {
				for i := range b.Rows {
					if b.Rows[i].Nr == 17 {
						return errors.New("nr 17")
					}
					b.Rows[i].Hits++
				}
				_, err := table.Of[Part](b.DB()).BulkUpdate(ctx, b.Rows, "hits")
				return err
			},
		}
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 7, MaxErrors: 1})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 29 || res.Quarantined != 1 {
			t.Errorf("result %+v", res)
		}
		f.want(t, "SELECT count(*) FROM part WHERE state = 2 AND hits = 1 AND why = ''", 29)
		f.want(t, "SELECT count(*) FROM part WHERE state = 9 AND hits = 0 AND why = 'nr 17' AND nr = 17", 1)
		f.want(t, "SELECT count(*) FROM part WHERE tries = 2 AND nr = 4", 1)
	})
}

func TestQueue_Refusals(t *testing.T) {
	eachQueue(t, 5, func(t *testing.T, q queue) {
		tasks := table.Of[Task](q.conn)
		for _, tt := range []struct {
			name   string
			source batch.Source[Task]
			want   string
			hint   string
		}{
			{"no such column", batch.Queue(tasks, batch.QueueOptions{ClaimedBy: "claimdby"}), `has no column "claimdby"`, `did you mean "claimed_by"?`},
			{"nothing like it", batch.Queue(tasks, batch.QueueOptions{Error: "grund"}), `has no column "grund"`, "QueueOptions.Error"},
			{"two states in one", batch.Queue(tasks, batch.QueueOptions{Completed: "failed"}), `the states completed and failed are both "failed"`, ""},
			{"a negative age", batch.Queue(tasks, batch.QueueOptions{Stale: -1}), "must not be negative", ""},
			{"an order", batch.Queue(tasks.OrderBy("kind"), batch.QueueOptions{}), "has an order of its own", ""},
			{"a condition on the status", batch.Queue(tasks.Where("status = 'pending'"), batch.QueueOptions{}), "leave the condition on status out", ""},
		} {
			job := queueJob(batch.QueueOptions{})
			job.Source = from(tt.source)
			_, err := job.Run(t.Context(), q.conn, batch.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
			}
			var hint interface{ Hint() string }
			if tt.hint != "" && (!errors.As(err, &hint) || !strings.Contains(hint.Hint(), tt.hint)) {
				t.Errorf("%s: the hint is %v", tt.name, hint)
			}
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'pending' AND hits = 0 AND attempts = 0", 5)
	})
}
