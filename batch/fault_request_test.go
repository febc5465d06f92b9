package batch_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/runstore"
)

// slowly runs the counting job so slowly that a request comes in between two batches, and calls ask after the second one, on another
// connection.
func (f *fixture) slowly(t *testing.T, o batch.Options, ask func(store *runstore.Store, id string) error) (*batch.Result, *recorder, error) {
	t.Helper()
	store := runstore.New(open(t, f.URL))
	var rec recorder
	asked := make(chan error, 1)
	rec.on = func(e batch.Event) {
		if e.Type == batch.EventBatch && e.Batch == 2 {
			go func() { asked <- ask(store, e.RunID) }()
		}
	}
	o.BatchSize, o.RowsPerSecond, o.Observe = 10, 20, rec.observe
	res, err := counting().Run(t.Context(), f.conn, o)
	if failed := <-asked; failed != nil {
		t.Fatalf("ask: %v", failed)
	}
	return res, &rec, err
}

func TestFault_RequestToPause(t *testing.T) {
	each(t, 400, func(t *testing.T, f *fixture) {
		t.Parallel()
		res, _, err := f.slowly(t, batch.Options{}, func(store *runstore.Store, id string) error {
			_, err := store.Ask(t.Context(), id, runstore.RequestPause, "somebody else")
			return err
		})
		var stopped *batch.StoppedError
		if !errors.As(err, &stopped) || stopped.Cancelled || stopped.Reason != "a request to pause" {
			t.Fatalf("got %v, want a stop on request", err)
		}
		if res.Done == 0 || res.Done == 400 {
			t.Errorf("%d rows are done", res.Done)
		}
		f.want(t, "SELECT count(*) FROM drover_runs WHERE state = 'paused' AND request = '' AND owner = ''", 1)
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", res.Done)
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 400)
	})
}

func TestFault_RequestToCancel(t *testing.T) {
	each(t, 400, func(t *testing.T, f *fixture) {
		t.Parallel()
		res, _, err := f.slowly(t, batch.Options{}, func(store *runstore.Store, id string) error {
			_, err := store.Ask(t.Context(), id, runstore.RequestCancel, "somebody else")
			return err
		})
		var stopped *batch.StoppedError
		if !errors.As(err, &stopped) || !stopped.Cancelled {
			t.Fatalf("got %v, want a stop for good", err)
		}
		f.want(t, "SELECT count(*) FROM drover_runs WHERE state = 'cancelled'", 1)
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", res.Done)
		_, err = counting().Run(t.Context(), f.conn, batch.Options{Resume: res.RunID})
		if !errors.As(err, new(*batch.MismatchError)) {
			t.Errorf("resuming a cancelled run gave %v", err)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits > 1", 0)
	})
}

func TestFault_OptionsAreChangedMeanwhile(t *testing.T) {
	each(t, 400, func(t *testing.T, f *fixture) {
		t.Parallel()
		changes := []batch.Argument{{Name: "batch-size", Value: "50"}, {Name: "max-errors", Value: "3"}, {Name: "rows-per-second", Value: "0"}}
		if !f.conn.Dialect().Features().SingleWriter {
			changes = append(changes, batch.Argument{Name: "workers", Value: "3"})
		}
		res, rec, err := f.slowly(t, batch.Options{}, func(store *runstore.Store, id string) error {
			for _, c := range changes {
				if _, err := store.Set(t.Context(), id, c.Name, c.Value, "somebody else"); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		for _, e := range rec.of(batch.EventSet) {
			set[e.Text] = true
		}
		for _, c := range changes {
			if text := fmt.Sprintf("%s is now %s", c.Name, c.Value); !set[text] {
				t.Errorf("nothing says %q: %v", text, set)
			}
		}
		if res.Size != 50 {
			t.Errorf("the batch size is %d at the end, want 50", res.Size)
		}
		largest := int64(0)
		for _, e := range rec.of(batch.EventBatch) {
			largest = max(largest, e.Rows)
		}
		if largest != 50 {
			t.Errorf("the largest batch had %d rows, want 50", largest)
		}
		f.wantOnce(t, 400)
	})
}
