package batch_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// rows dumps the table item.
func (f *fixture) rows(t *testing.T) []Item {
	t.Helper()
	rows, err := table.Of[Item](f.conn).OrderBy("id").List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestUndo_Update(t *testing.T) {
	each(t, 200, func(t *testing.T, f *fixture) {
		for _, workers := range f.workers() {
			before := f.rows(t)
			res, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 30, Workers: workers, Undo: true, Again: workers > 1})
			if err != nil {
				t.Fatal(err)
			}
			undone, err := batch.Undo(t.Context(), f.conn, res.RunID, batch.Options{BatchSize: 70})
			if err != nil {
				t.Fatal(err)
			}
			if undone.Done != 200 || undone.Quarantined != 0 {
				t.Errorf("undo: %+v", undone)
			}
			if diff := cmp.Diff(before, f.rows(t)); diff != "" {
				t.Errorf("the table is not what it was (-before +after):\n%s", diff)
			}
			f.want(t, "SELECT count(*) FROM drover_runs WHERE id = '"+res.RunID+"' AND state = 'undone'", 1)
			if _, err := batch.Undo(t.Context(), f.conn, res.RunID, batch.Options{}); err == nil {
				t.Error("a second undo gave no error")
			}
		}
	})
}

// A run that is being undone can be resumed by nobody, from the first row that is restored until the undo is done.
func TestUndo_KeepsOthersFromResuming(t *testing.T) {
	stoppedAfterOne := func() (batch.Options, *recorder) {
		stopping := make(chan struct{})
		var once sync.Once
		rec := &recorder{on: func(e batch.Event) {
			if e.Type == batch.EventBatch {
				once.Do(func() { close(stopping) })
			}
		}}
		return batch.Options{BatchSize: 30, Undo: true, Stopping: stopping, Observe: rec.observe}, rec
	}
	each(t, 200, func(t *testing.T, f *fixture) {
		before := f.rows(t)
		o, _ := stoppedAfterOne()
		res, err := counting().Run(t.Context(), f.conn, o)
		if !errors.As(err, new(*batch.StoppedError)) || res.Done == 200 {
			t.Fatalf("result %+v, error %v", res, err)
		}
		o, _ = stoppedAfterOne()
		o.BatchSize = 10
		if _, err := batch.Undo(t.Context(), f.conn, res.RunID, o); !errors.As(err, new(*batch.StoppedError)) {
			t.Fatalf("the undo was not stopped: %v", err)
		}
		f.want(t, "SELECT count(*) FROM drover_runs WHERE id = '"+res.RunID+"' AND state = 'undoing'", 1)
		for _, o := range []batch.Options{{}, {Again: true}, {Resume: res.RunID}} {
			_, err := counting().Run(t.Context(), f.conn, o)
			if err == nil || !strings.Contains(err.Error(), "is being undone") || drover.ExitCode(err) != drover.ExitRefused {
				t.Errorf("options %+v: error %v", o, err)
			}
		}
		if _, err := batch.Undo(t.Context(), f.conn, res.RunID, batch.Options{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, f.rows(t)); diff != "" {
			t.Errorf("the table is not what it was (-before +after):\n%s", diff)
		}
		if _, err := counting().Run(t.Context(), f.conn, batch.Options{}); err != nil { // a new run
			t.Fatal(err)
		}
		f.wantOnce(t, 200)
	})
}

func TestUndo_LeavesRowsAloneThatWereChangedSince(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		res, err := counting().Run(t.Context(), f.conn, batch.Options{BatchSize: 30, Undo: true})
		if err != nil {
			t.Fatal(err)
		}
		f.exec(t, "UPDATE item SET status = 'theirs' WHERE id IN (30, 90)", "DELETE FROM item WHERE id = 150")
		undone, err := batch.Undo(t.Context(), f.conn, res.RunID, batch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if undone.Done != 97 || undone.Quarantined != 3 {
			t.Errorf("undo: %+v", undone)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1 AND status = 'theirs'", 2)
		f.want(t, "SELECT count(*) FROM item WHERE hits = 0 AND status = 'new'", 97)
		f.want(t, "SELECT count(*) FROM drover_quarantine WHERE error LIKE '%changed since%'", 3)
	})
}

func TestUndo_DeleteAndCreate(t *testing.T) {
	each(t, 60, func(t *testing.T, f *fixture) {
		f.exec(t, "CREATE TABLE copy (id bigint NOT NULL PRIMARY KEY, note varchar(50))")
		before := f.rows(t)
		job := &batch.Job[Item]{Name: "move", Source: allItems, Process: func(ctx context.Context, b *batch.Batch[Item]) error {
			for _, row := range b.Rows {
				if err := b.DB().Exec(ctx, "INSERT INTO copy VALUES (?, ?)", row.ID, "moved"); err != nil {
					return err
				}
				b.Created("copy", []any{row.ID})
			}
			_, err := table.Of[Item](b.DB()).BulkDelete(ctx, b.Rows)
			return err
		}}
		res, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 25, Undo: true})
		if err != nil {
			t.Fatal(err)
		}
		f.want(t, "SELECT count(*) FROM item", 0)
		f.want(t, "SELECT count(*) FROM copy", 60)
		f.exec(t, "UPDATE copy SET note = 'mine' WHERE id = 30")
		undone, err := batch.Undo(t.Context(), f.conn, res.RunID, batch.Options{BatchSize: 40})
		if err != nil {
			t.Fatal(err)
		}
		if undone.Done != 119 || undone.Quarantined != 1 {
			t.Errorf("undo: %+v", undone)
		}
		if diff := cmp.Diff(before, f.rows(t)); diff != "" {
			t.Errorf("the table is not what it was (-before +after):\n%s", diff)
		}
		f.want(t, "SELECT count(*) FROM copy", 1)
	})
}

func TestUndo_NeedsTheJournal(t *testing.T) {
	each(t, 5, func(t *testing.T, f *fixture) {
		res, err := counting().Run(t.Context(), f.conn, batch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := batch.Undo(t.Context(), f.conn, res.RunID, batch.Options{}); err == nil {
			t.Error("a run without a journal was undone")
		}
		f.wantOnce(t, 5)
	})
}

func TestRehearse_ShowsTheChangesAndLeavesNoTrace(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		for _, batches := range []int{3, 0} {
			before := f.Dump(t)
			h, err := counting().Rehearse(t.Context(), f.conn, batch.Options{BatchSize: 20}, batches)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, f.Dump(t)); diff != "" {
				t.Fatalf("the database has changed (-before +after):\n%s", diff)
			}
			want := int64(60)
			if batches == 0 {
				want = 100
			}
			if h.Processed != want || int64(len(h.Changes)) != want || len(h.Failures) != 0 {
				t.Errorf("%d batches: %d rows, %d changes, failures %v", batches, h.Processed, len(h.Changes), h.Failures)
			}
			first := batch.RowChange{Key: "3", Columns: []batch.ColumnChange{{"status", "new", "done"}, {"hits", "0", "1"}}}
			if diff := cmp.Diff(first, h.Changes[0]); diff != "" {
				t.Errorf("first change (-want +got):\n%s", diff)
			}
			if len(h.Preview.Tables) != 1 || h.Preview.Tables[0].Updated != want {
				t.Errorf("preview %+v", h.Preview)
			}
		}
	})
}

func TestRehearse_TellsWhichBatchFails(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		f.exec(t, "UPDATE item SET status = 'bad' WHERE id = 30")
		job := counting(func(_ context.Context, b *batch.Batch[Item]) error {
			for _, row := range b.Rows {
				if row.Status == "bad" {
					return errors.New("a bad status")
				}
			}
			return nil
		})
		before := f.Dump(t)
		h, err := job.Rehearse(t.Context(), f.conn, batch.Options{BatchSize: 20}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(h.Failures) != 1 || h.Processed != 80 {
			t.Errorf("%d rows, failures %v", h.Processed, h.Failures)
		}
		if diff := cmp.Diff(before, f.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
	})
}

func TestPlan_LeavesNoTrace(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		before := f.Dump(t, testdb.WithSequences())
		p, err := counting().Plan(t.Context(), f.conn, batch.Options{BatchSize: 30})
		if err != nil {
			t.Fatal(err)
		}
		if p.Rows != 100 || p.Batches != 4 || p.First != "3" || p.Last != "300" || p.Order != "id" || len(p.Sample) != 5 {
			t.Errorf("plan %+v", p)
		}
		if diff := cmp.Diff(before, f.Dump(t, testdb.WithSequences())); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
	})
}
