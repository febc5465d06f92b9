package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
)

const shortLease = time.Second

// besiege begins the job again and again, as another runner, until the run is done, and sends all errors but the last when it is.
func (f *fixture) besiege(t *testing.T, o batch.Options) <-chan []error {
	t.Helper()
	other := open(t, f.URL)
	got := make(chan []error, 1)
	o.Owner, o.Observe = "the other", nil
	ctx := t.Context()
	go func() {
		var errs []error
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for {
			_, err := counting().Run(ctx, other, o)
			if err == nil || errors.As(err, new(*batch.DoneError)) || ctx.Err() != nil {
				got <- errs
				return
			}
			errs = append(errs, err)
			<-again.C
		}
	}()
	return got
}

// wantLocked fails the test unless the other runner was told each time that the run has a runner.
func wantLocked(t *testing.T, errs []error) {
	t.Helper()
	if len(errs) == 0 {
		t.Error("the other runner has not even tried")
	}
	for _, err := range errs {
		if !errors.As(err, new(*batch.LockedError)) {
			t.Errorf("the other runner got %v, want a LockedError", err)
		}
	}
}

// TestFault_ALeaseShorterThanABatch lets batches last for two leases and a half, while another runner tries to take the run.
func TestFault_ALeaseShorterThanABatch(t *testing.T) {
	each(t, 60, func(t *testing.T, f *fixture) {
		t.Parallel()
		workers := slices.Max(f.workers())
		o := batch.Options{BatchSize: 20, Workers: workers, Lease: shortLease}
		var others <-chan []error
		job := counting(func(ctx context.Context, b *batch.Batch[Item]) error {
			if b.Number() != 2 {
				return nil
			}
			others = f.besiege(t, o)
			long := time.NewTimer(shortLease * 5 / 2)
			defer long.Stop()
			select {
			case <-long.C:
			case <-ctx.Done():
			}
			return nil
		})
		res, err := job.Run(t.Context(), f.conn, o)
		if err != nil {
			t.Fatal(err)
		}
		wantLocked(t, <-others)
		if res.Attempt != 1 {
			t.Errorf("attempt %d", res.Attempt)
		}
		f.wantOnce(t, 60)
	})
}

// TestFault_AThrottledRunIsNotDead stops a run with a meter for two leases and a half.
func TestFault_AThrottledRunIsNotDead(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		t.Parallel()
		f.exec(t, "CREATE TABLE meter (value int NOT NULL)", "INSERT INTO meter VALUES (0)")
		o := batch.Options{BatchSize: 5, Lease: shortLease}
		var rec recorder
		var once sync.Once
		over, throttled := make(chan struct{}), make(chan struct{})
		rec.on = func(e batch.Event) {
			switch {
			case e.Type == batch.EventBatch && e.Batch == 2:
				close(over)
			case e.Type == batch.EventThrottled && strings.Contains(e.Text, "9"):
				once.Do(func() { close(throttled) })
			}
		}
		o.Meters = []batch.Meter{{Name: "backlog", Limit: 4, Every: 100 * time.Millisecond, SQL: "SELECT value FROM meter"}}
		o.RowsPerSecond = 10 // so that the meter is read between two batches
		o.Observe = rec.observe
		type outcome struct {
			res *batch.Result
			err error
		}
		ended := make(chan outcome, 1)
		go func() {
			res, err := counting().Run(t.Context(), f.conn, o)
			ended <- outcome{res, err}
		}()
		wait(t, over)
		f.exec(t, "UPDATE meter SET value = 9")
		wait(t, throttled)

		store := runstore.New(open(t, f.URL))
		poll(t, func() error {
			runs, _, err := store.List(t.Context(), runstore.Filter{})
			switch {
			case err != nil:
				return err
			case len(runs) != 1 || runs[0].State != runstore.Throttled || !strings.Contains(runs[0].Waiting, "backlog"):
				return fmt.Errorf("the runs read as %+v, want one that is throttled by the backlog", runs)
			}
			return nil
		})
		done := f.count(t, "SELECT count(*) FROM item WHERE hits = 1")
		o.Meters, o.RowsPerSecond = nil, 0
		others := f.besiege(t, o)
		long := time.NewTimer(shortLease * 5 / 2)
		defer long.Stop()
		<-long.C
		if got := f.count(t, "SELECT count(*) FROM item WHERE hits = 1"); got > done+5 { // a batch may have been under way
			t.Errorf("%d rows were done while the run was throttled", got-done)
		}
		f.exec(t, "UPDATE meter SET value = 2") // half of the limit
		if _, err := store.Set(t.Context(), f.text(t, "SELECT id FROM drover_runs"), "rows-per-second", "0", "the test"); err != nil {
			t.Fatal(err)
		}
		end := <-ended
		if end.err != nil {
			t.Fatal(end.err)
		}
		wantLocked(t, <-others)
		if end.res.Attempt != 1 || end.res.Waited < shortLease {
			t.Errorf("result %+v", end.res)
		}
		if len(rec.of(batch.EventContinued)) == 0 {
			t.Error("nothing says that the run goes on")
		}
		f.wantOnce(t, 100)
	})
}

// wait waits for a channel to be closed.
func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	select {
	case <-c:
	case <-limit.C:
		t.Fatal("what was waited for did not happen within a minute")
	}
}

// text is the one value of a query.
func (f *fixture) text(t *testing.T, query string) string {
	t.Helper()
	var text string
	if err := f.raw.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}

// stalled is a connection of a runner that can be made to stand still, as a machine that is suspended does: no statement leaves it.
type stalled struct {
	*db.DB
	frozen chan struct{} // closed: it stands still
	thawed chan struct{} // closed: it goes on
}

func stall(t *testing.T, url string) *stalled {
	s := &stalled{frozen: make(chan struct{}), thawed: make(chan struct{})}
	s.DB = open(t, url, db.Intercept(func(ctx context.Context, _ db.Statement, next func(context.Context) error) error {
		select {
		case <-s.frozen:
			select {
			case <-s.thawed:
			case <-ctx.Done():
			}
		default:
		}
		return next(ctx)
	}))
	return s
}
