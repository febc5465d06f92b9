package batch_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestQueue_ARunnerThatDies loses its connection for good after it has claimed rows: what it has claimed is taken back by the next attempt.
func TestQueue_ARunnerThatDies(t *testing.T) {
	eachQueue(t, 100, func(t *testing.T, q queue) {
		errDead := errors.New("this process is dead")
		var dead atomic.Bool
		killed := open(t, q.URL, db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
			if dead.Load() && !strings.HasPrefix(s.SQL, "ROLLBACK") { // the server rolls back what a dead client has begun
				return errDead
			}
			return next(ctx)
		}))
		die := func(_ context.Context, b *batch.Batch[Task]) error {
			if b.Number() < 3 {
				return nil
			}
			dead.Store(true)
			return batch.Fatal(errDead)
		}
		res, err := queueJob(batch.QueueOptions{}, die).Run(t.Context(), killed, batch.Options{BatchSize: 10})
		if !errors.Is(err, errDead) {
			t.Fatalf("got %v", err)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'completed'", 20)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'processing' AND hits = 0", 10)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'pending'", 70)

		q.exec(t, "UPDATE drover_runs SET lease_until = created_at")
		var sizes []int
		again, err := queueJob(batch.QueueOptions{}, func(_ context.Context, b *batch.Batch[Task]) error {
			sizes = append(sizes, len(b.Rows))
			return nil
		}).Run(t.Context(), q.conn, batch.Options{BatchSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		if again.RunID != res.RunID || again.Attempt != 2 || again.Done != 100 {
			t.Errorf("the next attempt: %+v", again)
		}
		q.wantDone(t, 100)
		q.want(t, "SELECT count(*) FROM task WHERE attempts = 2", 10)
		if len(sizes) != 17 || sizes[6] != 10 || sizes[7] != 1 {
			t.Errorf("batches of %v rows, want 7 of 10 and then those that were attempted before one by one", sizes)
		}
	})
}

// TestQueue_StaleClaims are those of a runner that nobody resumes.
func TestQueue_StaleClaims(t *testing.T) {
	eachQueue(t, 30, func(t *testing.T, q queue) {
		old := "UPDATE task SET status = 'processing', claimed_by = 'other/1/0', attempts = 1, claimed_at = "
		q.exec(t, old+"'2001-02-03 04:05:06' WHERE id <= 10")
		if err := q.conn.Exec(t.Context(), old+q.conn.Dialect().Features().Clock+" WHERE id > 25"); err != nil {
			t.Fatal(err)
		}
		q.exec(t, "UPDATE task SET attempts = 3 WHERE id = 7", "UPDATE task SET attempts = 2 WHERE id = 8", "UPDATE task SET kind = 'sms' WHERE id = 9")
		res, err := queueJob(batch.QueueOptions{MaxAttempts: 3, Stale: time.Hour}).Run(t.Context(), q.conn, batch.Options{BatchSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 23 {
			t.Errorf("%d rows done, want the 15 pending ones and 8 of the stale ones", res.Done)
		}
		q.want(t, "SELECT count(*) FROM task WHERE id <= 25 AND status = 'completed' AND hits = 1", 23)
		q.want(t, "SELECT count(*) FROM task WHERE id > 25 AND status = 'processing' AND claimed_by = 'other/1/0' AND hits = 0", 5)
		q.want(t, "SELECT count(*) FROM task WHERE id = 7 AND status = 'failed' AND error LIKE 'given up: 3 attempts%' AND hits = 0", 1)
		q.want(t, "SELECT count(*) FROM task WHERE id = 8 AND status = 'completed' AND attempts = 3", 1)
		q.want(t, "SELECT count(*) FROM task WHERE id = 9 AND status = 'processing' AND hits = 0", 1)
	})
}

// TestQueue_AClaimThatIsTakenBack: a second runner takes the rows of the first one back and works on them, before the first one has locked them.
func TestQueue_AClaimThatIsTakenBack(t *testing.T) {
	eachQueue(t, 40, func(t *testing.T, q queue) {
		var rob sync.Once
		robbed := open(t, q.URL, db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
			err := next(ctx)
			if s.SQL != "COMMIT" || q.count(t, "SELECT count(*) FROM task WHERE status = 'processing'") == 0 {
				return err
			}
			rob.Do(func() {
				q.exec(t, "UPDATE task SET claimed_at = '2001-02-03 04:05:06' WHERE status = 'processing'")
				job := queueJob(batch.QueueOptions{})
				job.Name = "second"
				// The second runner sees all rows, and those that it takes back.
				if _, err := job.Run(t.Context(), q.conn, batch.Options{BatchSize: 10, Limit: 35}); err != nil {
					t.Errorf("the second runner: %v", err)
				}
			})
			return err
		}))
		res, err := queueJob(batch.QueueOptions{}).Run(t.Context(), robbed, batch.Options{BatchSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 5 {
			t.Errorf("the robbed runner did %d rows, want the 5 that were left", res.Done)
		}
		q.wantDone(t, 40)
	})
}

func TestQueue_KeepsNothingOfRowsThatAreNotItsOwn(t *testing.T) {
	eachQueue(t, 40, func(t *testing.T, q queue) {
		for name, spoil := range map[string]string{
			"claimed by another": "UPDATE task SET claimed_by = 'other/1/0' WHERE id = 15",
			"deleted":            "DELETE FROM task WHERE id = 15",
		} {
			job := queueJob(batch.QueueOptions{}, func(ctx context.Context, b *batch.Batch[Task]) error {
				if b.Rows[0].ID != 11 {
					return nil
				}
				return b.DB().Exec(ctx, spoil)
			})
			_, err := job.Run(t.Context(), q.conn, batch.Options{BatchSize: 10, MaxErrors: 100})
			if err == nil || !strings.Contains(err.Error(), "not claimed by this run any more") {
				t.Errorf("%s: got %v", name, err)
			}
			q.want(t, "SELECT count(*) FROM task WHERE id <= 10 AND status = 'completed' AND hits = 1", 10)
			q.want(t, "SELECT count(*) FROM task WHERE id > 10 AND status = 'pending' AND hits = 0 AND claimed_by IS NULL", 30)
			q.exec(t, "UPDATE task SET attempts = 0 WHERE id > 10") // else they would be claimed one by one
		}
	})
}

// TestQueue_ARowThatEndsTheRun again and again is given up, and takes no other with it.
func TestQueue_ARowThatEndsTheRun(t *testing.T) {
	eachQueue(t, 20, func(t *testing.T, q queue) {
		job := queueJob(batch.QueueOptions{MaxAttempts: 3}, func(_ context.Context, b *batch.Batch[Task]) error {
			for _, row := range b.Rows {
				if row.ID == 5 {
					panic("row 5")
				}
			}
			return nil
		})
		runs := 0
		for ended := false; !ended; runs++ {
			if runs == 10 {
				t.Fatal("the row is never given up")
			}
			func() {
				defer func() { ended = recover() == nil }()
				if _, err := job.Run(t.Context(), q.conn, batch.Options{BatchSize: 10}); err != nil {
					t.Fatal(err)
				}
			}()
		}
		if runs != 4 {
			t.Errorf("%d runs, want three that panic and one that succeeds", runs)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'completed' AND hits = 1", 19)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'failed' AND id = 5 AND error LIKE 'given up: 3 attempts%'", 1)
	})
}

func TestQueue_GivesClaimsBackWhenItIsStopped(t *testing.T) {
	eachQueue(t, 40, func(t *testing.T, q queue) {
		ctx, cancel := context.WithCancelCause(t.Context())
		job := queueJob(batch.QueueOptions{}, func(_ context.Context, b *batch.Batch[Task]) error {
			if b.Number() == 2 {
				cancel(errors.New("second signal"))
			}
			return nil
		})
		_, err := job.Run(ctx, q.conn, batch.Options{BatchSize: 10})
		if !errors.As(err, new(*batch.StoppedError)) {
			t.Fatalf("got %v", err)
		}
		q.want(t, "SELECT count(*) FROM task WHERE status = 'completed' AND hits = 1", 10)
		q.want(t, "SELECT count(*) FROM task WHERE status = 'pending' AND hits = 0 AND claimed_by IS NULL AND claimed_at IS NULL", 30)
	})
}

// TestQueue_ALostCommit cuts the connection while the COMMIT of a claim or of a batch is under way, so that it has happened or not.
func TestQueue_ALostCommit(t *testing.T) {
	for _, server := range []*testdb.Server{testdb.Postgres(t), testdb.MariaDB(t)} {
		t.Run(server.Name(), func(t *testing.T) {
			for _, cut := range []struct {
				status string
				trap   func(*testdb.Proxy, []byte) <-chan struct{}
			}{
				{"processing", (*testdb.Proxy).CutOnClientBytes},
				{"completed", (*testdb.Proxy).CutOnClientBytes},
				{"processing", (*testdb.Proxy).CutBeforeForward},
				{"completed", (*testdb.Proxy).CutBeforeForward},
			} {
				q := queue{newFixture(t, server.Database(t), 0)}
				q.create(t)
				q.add(t, 1, 30, "mail")
				proxy := testdb.NewProxy(t, server.Addr())
				var trap <-chan struct{}
				conn := open(t, proxy.URL(q.URL), db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
					err := next(ctx)
					if trap == nil && strings.HasPrefix(s.SQL, "UPDATE") && len(s.Args) > 0 && s.Args[0] == cut.status {
						trap = cut.trap(proxy, []byte("COMMIT"))
					}
					return err
				}))
				res, err := queueJob(batch.QueueOptions{}).Run(t.Context(), conn, batch.Options{BatchSize: 10})
				if err != nil {
					t.Fatal(err)
				}
				select {
				case <-trap:
				default:
					t.Error("no COMMIT was cut")
				}
				if res.Done != 30 {
					t.Errorf("%d rows done", res.Done)
				}
				q.wantDone(t, 30)
				q.want(t, "SELECT count(*) FROM task WHERE attempts = 1", 30)
			}
		})
	}
}
