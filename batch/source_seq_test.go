package batch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
)

// api is an iterator over the rows of item, which are not read: it makes the keys 3, 6, 9, … up to last.
type api struct {
	last   int64
	broken int64 // the key at which the iterator fails; 0: none
	begun  []string
	open   int
}

var errAPI = errors.New("503 from the API")

func (a *api) source() batch.Source[Item] {
	return batch.Seq(func(_ context.Context, after int64, first bool) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			a.begun = append(a.begun, fmt.Sprint(after, " ", first))
			a.open++
			defer func() { a.open-- }()
			for id := after + 3; id <= a.last; id += 3 {
				if id == a.broken {
					yield(Item{}, errAPI)
					return
				}
				if !yield(Item{ID: id}, nil) {
					return
				}
			}
		}
	}, func(i Item) int64 { return i.ID })
}

// seqJob counts up hits of the rows that the iterator names.
func seqJob(a *api, process ...func(ctx context.Context, b *batch.Batch[Item]) error) *batch.Job[Item] {
	job := counting(process...)
	job.Source = func(context.Context, *db.DB) (batch.Source[Item], error) { return a.source(), nil }
	return job
}

func TestSeq_ResumesBehindTheLastCommittedKey(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		a := &api{last: 300, broken: 171}
		res, err := seqJob(a).Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		if !errors.Is(err, errAPI) {
			t.Fatalf("got %v, want the iterator's error", err)
		}
		if res.Done != 50 || res.Planned != -1 {
			t.Errorf("the first attempt: %+v", res)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1 AND id <= 150", 50)
		a.broken = 0
		res, err = seqJob(a).Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 100 || res.Attempt != 2 {
			t.Errorf("the second attempt: %+v", res)
		}
		f.wantOnce(t, 100)
		if diff := cmp.Diff([]string{"0 true", "150 false"}, a.begun); diff != "" {
			t.Errorf("where the iterator was begun (-want +got):\n%s", diff)
		}
		if a.open != 0 {
			t.Errorf("%d iterators were not stopped", a.open)
		}
	})
}

func TestSeq_KeepsTheRowsOfABatchThatIsTriedAgain(t *testing.T) {
	each(t, 40, func(t *testing.T, f *fixture) {
		failures := 3
		a := &api{last: 120}
		job := seqJob(a, func(_ context.Context, b *batch.Batch[Item]) error {
			if b.Number() > 1 && failures > 0 {
				failures--
				return db.ErrDeadlock
			}
			return nil
		})
		if _, err := job.Run(t.Context(), f.conn, batch.Options{BatchSize: 20}); err != nil {
			t.Fatal(err)
		}
		f.wantOnce(t, 40)
		if len(a.begun) != 1 {
			t.Errorf("the iterator was begun %d times", len(a.begun))
		}
	})
}

func TestSeq_Limit(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		a := &api{last: 300}
		res, err := seqJob(a).Run(t.Context(), f.conn, batch.Options{BatchSize: 7, Limit: 30})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 30 {
			t.Errorf("%d rows done, want 30", res.Done)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1 AND id <= 90", 30)
		f.want(t, "SELECT count(*) FROM item WHERE hits > 0", 30)
		if a.open != 0 {
			t.Error("the iterator was not stopped")
		}
	})
}

func TestSeq_FindsTheBadRows(t *testing.T) {
	each(t, 64, func(t *testing.T, f *fixture) {
		bad := []int64{9, 96, 99, 192}
		poison := func(_ context.Context, b *batch.Batch[Item]) error {
			for _, row := range b.Rows {
				if slices.Contains(bad, row.ID) {
					return fmt.Errorf("row %d is bad", row.ID)
				}
			}
			return nil
		}
		a := &api{last: 192}
		res, err := seqJob(a, poison).Run(t.Context(), f.conn, batch.Options{BatchSize: 32, MaxErrors: 4})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 60 || res.Quarantined != 4 || len(a.begun) != 1 {
			t.Errorf("result %+v, begun %v", res, a.begun)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 60)
		f.want(t, "SELECT count(*) FROM item WHERE hits = 0 AND id IN (9, 96, 99, 192)", 4)
		f.want(t, `SELECT count(*) FROM drover_quarantine WHERE row_key = '["i96"]' AND input LIKE '%"ID":96%'`, 1)

		bad = []int64{99}
		again, err := seqJob(a, poison).Run(t.Context(), f.conn, batch.Options{RetryOf: res.RunID, MaxErrors: 1})
		if err != nil {
			t.Fatalf("replay: %v", err)
		}
		if again.Done != 3 || again.Quarantined != 1 {
			t.Errorf("replay %+v", again)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits = 1", 63)
	})
}

func TestSeq_StopsTheIterator(t *testing.T) {
	f := sqlite(t)
	f.fill(t, 1, 40)
	fatal := func(context.Context, *batch.Batch[Item]) error { return batch.Fatal(errStop) }
	t.Run("when Process fails", func(t *testing.T) {
		a := &api{last: 120}
		if _, err := seqJob(a, fatal).Run(t.Context(), f.conn, batch.Options{BatchSize: 10}); !errors.Is(err, errStop) {
			t.Fatalf("got %v", err)
		}
		if len(a.begun) != 1 || a.open != 0 {
			t.Errorf("begun %v, %d are open", a.begun, a.open)
		}
	})
	t.Run("when Process panics", func(t *testing.T) {
		a := &api{last: 120}
		func() {
			defer func() { _ = recover() }()
			_, _ = seqJob(a, func(context.Context, *batch.Batch[Item]) error { panic("a bug") }).Run(t.Context(), f.conn, batch.Options{BatchSize: 10})
		}()
		if len(a.begun) != 1 || a.open != 0 {
			t.Errorf("begun %v, %d are open", a.begun, a.open)
		}
	})
	t.Run("after a rehearsal", func(t *testing.T) {
		a := &api{last: 120}
		h, err := seqJob(a).Rehearse(t.Context(), f.conn, batch.Options{BatchSize: 10, Arguments: []batch.Argument{{Name: "a", Value: "new run"}}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if h.Batches != 4 || h.Processed != 40 {
			t.Errorf("rehearsed %d batches with %d rows", h.Batches, h.Processed)
		}
		if len(a.begun) != 1 || a.open != 0 {
			t.Errorf("begun %v, %d are open", a.begun, a.open)
		}
		f.want(t, "SELECT count(*) FROM item WHERE hits > 0", 0)
	})
}

func TestSeq_RefusesKeysThatCannotBeResumedFrom(t *testing.T) {
	numbers := func(text string) func(context.Context, string, bool) iter.Seq2[string, error] {
		return func(_ context.Context, after string, _ bool) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for word := range strings.FieldsSeq(text) {
					if !yield(word, nil) {
						return
					}
				}
			}
		}
	}
	same := func(s string) string { return s }
	for _, tt := range []struct {
		name, items string
		size, done  int
		want        string
	}{
		{"one after the other in a batch", "a b b c", 10, 0, "have the key b"},
		{"one after the other in two batches", "a b b c", 2, 2, "have the key b"},
		{"a page that ends as the one before", "a b c b d", 2, 2, "two items have the key b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var g gather[string]
			_, err := g.run(t, sqlite(t), batch.Options{BatchSize: tt.size}, func() batch.Source[string] { return batch.Seq(numbers(tt.items), same) })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			if len(g.rows) != tt.done {
				t.Errorf("worked on %v", g.rows)
			}
		})
	}
	t.Run("an iterator that begins with what is done", func(t *testing.T) {
		f := sqlite(t)
		g := gather[string]{stop: 2}
		source := func() batch.Source[string] {
			return batch.Seq(func(_ context.Context, after string, first bool) iter.Seq2[string, error] {
				if first {
					after = "1"
				}
				return func(yield func(string, error) bool) {
					i, err := strconv.Atoi(after)
					for ok := err == nil; ok && i < 9; i++ {
						ok = yield(strconv.Itoa(i), nil)
					}
				}
			}, same)
		}
		if _, err := g.run(t, f, batch.Options{BatchSize: 2}, source); !errors.Is(err, errStop) {
			t.Fatalf("got %v", err)
		}
		g.stop = 0
		if _, err := g.run(t, f, batch.Options{BatchSize: 2}, source); err == nil || !strings.Contains(err.Error(), "begin behind") {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]string{"1", "2"}, g.rows); diff != "" {
			t.Errorf("worked on (-want +got):\n%s", diff)
		}
	})
	t.Run("a key of another type", func(t *testing.T) {
		f := sqlite(t)
		g := gather[string]{stop: 2}
		if _, err := g.run(t, f, batch.Options{BatchSize: 2}, func() batch.Source[string] { return batch.Seq(numbers("a b c"), same) }); !errors.Is(err, errStop) {
			t.Fatalf("got %v", err)
		}
		_, err := g.run(t, f, batch.Options{BatchSize: 2}, func() batch.Source[string] {
			return batch.Seq(func(context.Context, int64, bool) iter.Seq2[string, error] { return nil }, func(string) int64 { return 1 })
		})
		if err == nil || !strings.Contains(err.Error(), "another type") {
			t.Errorf("got %v", err)
		}
	})
}
