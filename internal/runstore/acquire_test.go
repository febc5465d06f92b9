package runstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/testdb"
)

func testAcquireTakesAndResumes(t *testing.T, w *world) {
	id := w.new(t, "id", 2).ID
	run, shards := w.acquire(t, id, "a@1")
	started := run.StartedAt
	want := *run
	want.State, want.Attempt, want.Token, want.Owner = runstore.Running, 1, 1, "a@1"
	if diff := cmp.Diff(want, *run); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	if left := run.LeaseUntil.Sub(started); started.IsZero() || left < lease || left > lease+time.Minute {
		t.Errorf("started at %v, lease until %v", started, run.LeaseUntil)
	}
	for i, sh := range shards {
		if sh.Token != 1 || sh.Number != i {
			t.Errorf("shard %d: %+v", i, sh)
		}
	}
	w.wantEvent(t, id, "started", "a@1", "")
	noError(t, w.Waiting(t.Context(), run, "lag"))
	noError(t, w.checkpoint(t.Context(), &shards[1], runstore.Progress{Reached: keyset.Values{int64(7)}, Rows: 7}))
	noError(t, w.Finish(t.Context(), run, runstore.Failed, "disk full"))

	run, shards = w.acquire(t, id, "b@2")
	if run.Attempt != 2 || run.Token != 2 || run.Owner != "b@2" || run.Error != "" || run.Waiting != "" || !run.FinishedAt.IsZero() || !run.StartedAt.Equal(started) {
		t.Errorf("resumed run %+v", run)
	}
	if shards[0].Token != 2 || shards[1].Token != 2 || shards[1].Counters.Done != 7 || !shards[1].Reached.Equal(keyset.Values{int64(7)}) {
		t.Errorf("resumed shards %+v", shards)
	}
	w.wantEvent(t, id, "resumed", "b@2", "was failed")
}

func testAcquireRefusals(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	_, _, err := w.Acquire(t.Context(), "01J00000000000000000000000", "a", lease)
	wantError(t, err, runstore.ErrNoRun)
	_, _, err = w.Acquire(t.Context(), id, "a", lease, runstore.Failed, runstore.Paused)
	wantError(t, err, runstore.ErrState)
	_, _, err = w.Acquire(t.Context(), id, "a", lease, runstore.Succeeded)
	wantError(t, err, runstore.ErrState)

	run, _ := w.acquire(t, id, "a")
	for _, waiting := range []string{"", "lag"} {
		noError(t, w.Waiting(t.Context(), run, waiting))
		_, _, err = w.Acquire(t.Context(), id, "b", lease)
		var held *runstore.HeldError
		if !errors.As(err, &held) || held.Owner != "a" || !held.Until.Equal(run.LeaseUntil) || held.Run.ID != id {
			t.Errorf("error %v, held %+v", err, held)
		}
	}
	noError(t, w.Finish(t.Context(), run, runstore.Succeeded, ""))
	_, _, err = w.Acquire(t.Context(), id, "b", lease)
	wantError(t, err, runstore.ErrState)
}

func testAcquireExpiredLease(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	old, oldShards := w.acquire(t, id, "a")
	w.expire(t, id)
	if now := w.find(t, id); now.State != runstore.Interrupted {
		t.Errorf("the run is %s", now.State)
	}
	_, _, err := w.Acquire(t.Context(), id, "b", lease, runstore.Planned, runstore.Paused, runstore.Failed)
	wantError(t, err, runstore.ErrState)
	w.acquire(t, id, "b")
	w.wantEvent(t, id, "taken over", "b", "from a")

	// The old runner wakes up.
	for name, err := range map[string]error{
		"checkpoint": w.checkpoint(t.Context(), &oldShards[0], runstore.Progress{Rows: 1}),
		"renew":      w.Renew(t.Context(), old, lease),
		"waiting":    w.Waiting(t.Context(), old, "lag"),
		"finish":     w.Finish(t.Context(), old, runstore.Succeeded, ""),
		"poll":       errorOf(w.Poll(t.Context(), old)),
		"reload":     last(w.Reload(t.Context(), &oldShards[0])),
		"phase":      last(w.StartPhase(t.Context(), old, 1, 0, nil)),
	} {
		if !errors.Is(err, runstore.ErrFenced) {
			t.Errorf("%s: %v, want ErrFenced", name, err)
		}
	}
	now := w.find(t, id)
	if now.State != runstore.Running || now.Owner != "b" || now.Phase != 0 {
		t.Errorf("run %+v", now)
	}
	if totals, err := w.Totals(t.Context(), id); err != nil || totals != (runstore.Counters{}) {
		t.Errorf("totals %+v, %v", totals, err)
	}
}

func last[T any](_ T, err error) error            { return err }
func errorOf[T, U any](_ T, _ U, err error) error { return err }

func testRenew(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	run, _ := w.acquire(t, id, "a")
	noError(t, w.Renew(t.Context(), run, 2*lease))
	if until := w.find(t, id).LeaseUntil; until.Before(run.LeaseUntil.Add(lease / 2)) {
		t.Errorf("lease until %v, before it was %v", until, run.LeaseUntil)
	}
	w.expire(t, id)
	noError(t, w.Renew(t.Context(), run, lease)) // nobody else wanted it
	if now := w.find(t, id); now.State != runstore.Running {
		t.Errorf("the run is %s", now.State)
	}
}

// The shortest lease lasts a millisecond, and the database's clock ends it.
func testAcquireLeaseRunsOut(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	_, _, err := w.Acquire(t.Context(), id, "a", 1)
	noError(t, err)
	until(t, "the end of the lease", func() bool { return w.find(t, id).State == runstore.Interrupted })
	run, _ := w.acquire(t, id, "b")
	if run.Token != 2 || run.State != runstore.Running {
		t.Errorf("run %+v", run)
	}
}

func testAcquireAtOnce(t *testing.T, w, other *world) {
	id := w.new(t, "id", 4).ID
	stores := []*world{w, other}
	for round := range 2 {
		errs := together(6, func(i int) error {
			_, _, err := stores[i%2].Acquire(t.Context(), id, "owner", lease)
			return err
		})
		held := func(err error) bool { _, ok := errors.AsType[*runstore.HeldError](err); return ok }
		if n := count(t, errs, held); n != 1 {
			t.Errorf("%d runners have taken the run", n)
		}
		if run := w.find(t, id); run.Token != int64(round+1) || run.Attempt != round+1 {
			t.Errorf("round %d: token %d, attempt %d", round, run.Token, run.Attempt)
		}
		w.expire(t, id)
	}
}

// A batch that is under way when its run is taken over, and commits, is in what the new runner is told.
func testAcquireWaitsForBatch(t *testing.T, w, other *world) {
	id := w.new(t, "id", 3).ID
	_, shards := w.acquire(t, id, "a")
	w.expire(t, id)
	taken := make(chan error, 1)
	var run *runstore.Run
	var got []runstore.Shard
	waiting := w.waiting(t)
	noError(t, w.conn.Atomic(t.Context(), func(ctx context.Context) error {
		noError(t, w.runCheckpoint(ctx, &shards[1], runstore.Progress{Rows: 5, Reached: keyset.Values{int64(5)}}))
		go func() {
			var err error
			run, got, err = other.Acquire(t.Context(), id, "b", lease)
			taken <- err
		}()
		until(t, "the take-over waiting for the batch", waiting)
		return w.AddEvent(ctx, id, "mark", "a", "")
	}))
	noError(t, <-taken)
	events, err := w.Events(t.Context(), id, 0)
	noError(t, err)
	mark := events[slices.IndexFunc(events, func(e runstore.Event) bool { return e.Type == "mark" })]
	if left := run.LeaseUntil.Sub(mark.At); left < lease {
		t.Errorf("the wait has eaten up the lease: %v of it are left", left)
	}
	if got[1].Counters.Done != 5 || got[1].Batches != 1 || got[1].Token != 2 || !got[1].Reached.Equal(keyset.Values{int64(5)}) {
		t.Errorf("the new runner was told %+v", got[1])
	}
}

// A batch that has not come to its checkpoint when its run is taken over can not be committed. SQLite has no such case: there a batch has the
// database to itself from its beginning.
func testAcquireFencesBatch(t *testing.T, w, other *world) {
	if w.on.Name == testdb.NameSQLite {
		return
	}
	noError(t, w.conn.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS item (id bigint PRIMARY KEY)"))
	id := w.new(t, "id", 3).ID
	_, shards := w.acquire(t, id, "a")
	w.expire(t, id)
	err := w.conn.Atomic(t.Context(), func(ctx context.Context) error {
		noError(t, w.conn.Exec(ctx, "INSERT INTO item (id) VALUES (1)"))
		noError(t, w.conn.QueryRow(ctx, "SELECT COUNT(*) FROM item").Scan(new(int))) // the snapshot of the higher levels
		other.acquire(t, id, "b")
		return w.Checkpoint(ctx, &shards[1], runstore.Progress{Rows: 1})
	})
	if !errors.Is(err, runstore.ErrFenced) && !errors.Is(err, db.ErrSerialization) {
		t.Errorf("error %v", err)
	}
	var n int
	noError(t, w.conn.QueryRow(t.Context(), "SELECT COUNT(*) FROM item").Scan(&n))
	after, err := w.Shards(t.Context(), id)
	noError(t, err)
	if n != 0 || sum(after) != 0 {
		t.Errorf("%d rows and %d batches are committed", n, sum(after))
	}
	wantError(t, w.checkpoint(t.Context(), &shards[1], runstore.Progress{Rows: 1}), runstore.ErrFenced)
}

// Runs are taken over again and again while the workers of the old runner go on. Every batch that is committed is known to the next runner, and no
// transaction gets into a deadlock, which would be an error here.
func testAcquireUnderLoad(t *testing.T, w *world) {
	const workers, takeovers = 4, 5
	noError(t, w.conn.Exec(t.Context(), "CREATE TABLE item (token bigint NOT NULL, shard int NOT NULL, batch int NOT NULL, PRIMARY KEY (token, shard, batch))"))
	id := w.new(t, "id", workers).ID
	b := w.again(t)
	for round := range takeovers {
		run, shards := w.acquire(t, id, "a")
		var rows int64
		noError(t, w.conn.QueryRow(t.Context(), "SELECT COUNT(*) FROM item").Scan(&rows))
		if sum(shards) != rows {
			t.Fatalf("round %d: the runner was told of %d batches, and %d are committed", round, sum(shards), rows)
		}
		begun, done := make(chan struct{}, 1000), make(chan error, workers)
		for i := range shards {
			go func() {
				done <- func() error {
					for batch := 0; ; batch++ {
						err := b.conn.Atomic(t.Context(), func(ctx context.Context) error {
							err := b.conn.Exec(ctx, "INSERT INTO item (token, shard, batch) VALUES (?, ?, ?)", run.Token, i, batch)
							if err != nil {
								return err
							}
							return b.Checkpoint(ctx, &shards[i], runstore.Progress{Rows: 1})
						})
						if err != nil {
							return err
						}
						shards[i].Apply(runstore.Progress{Rows: 1})
						select {
						case begun <- struct{}{}:
						default:
						}
					}
				}()
			}()
		}
		for range 3 * workers {
			<-begun
		}
		w.expire(t, id)
		if round%2 == 0 {
			_, err := w.Ask(t.Context(), id, runstore.RequestPause, "ann")
			wantError(t, err, runstore.ErrState)
		}
		next, _ := w.acquire(t, id, "b")
		for range workers {
			wantError(t, <-done, runstore.ErrFenced)
		}
		noError(t, w.Finish(t.Context(), next, runstore.Paused, ""))
	}
}

func testPoll(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	run, _ := w.acquire(t, id, "a")
	_, err := w.Set(t.Context(), id, "workers", "4", "ann")
	noError(t, err)
	_, err = w.Ask(t.Context(), id, runstore.RequestPause, "ann")
	noError(t, err)
	request, options, err := w.Poll(t.Context(), run)
	noError(t, err)
	if request != runstore.RequestPause || !cmp.Equal(options, map[string]string{"workers": "4"}) {
		t.Errorf("request %q, options %v", request, options)
	}
	noError(t, w.Finish(t.Context(), run, runstore.Paused, ""))
	_, _, err = w.Poll(t.Context(), run)
	wantError(t, err, runstore.ErrFenced)
	run.ID = "gone"
	_, _, err = w.Poll(t.Context(), run)
	wantError(t, err, runstore.ErrFenced)
}
