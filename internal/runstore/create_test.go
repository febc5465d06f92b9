package runstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
)

func testCreateKeepsAll(t *testing.T, w *world) {
	n := runstore.NewRun{
		Command: "purge", Build: "v1.2.3", Planned: 250, Undo: true, UndoOf: runstore.NewID(time.Now()), RetryOf: runstore.NewID(time.Now()), CreatedBy: "ann@desk",
		Arguments:   []runstore.Argument{{Name: "status", Value: "<old> & 'ä'\x00"}, {Name: "", Value: ""}},
		CommandLine: []string{"manage", "purge", "--status", "<old>"},
		Options:     map[string]string{"workers": "4", "ä": "\"x\" \\ ?"},
		Shards: []runstore.Shard{
			{Upper: keyset.Values{"ä?", int64(5)}, Planned: 100},
			{Lower: keyset.Values{"ä?", int64(5)}, Planned: -1},
		},
	}
	run, err := w.Create(t.Context(), "identity", n)
	noError(t, err)
	want := &runstore.Run{
		ID: run.ID, Command: "purge", Identity: "identity", Number: 1, Arguments: n.Arguments, CommandLine: n.CommandLine, Options: n.Options, Build: "v1.2.3",
		State: runstore.Planned, Planned: 250, Undo: true, UndoOf: n.UndoOf, RetryOf: n.RetryOf, CreatedBy: "ann@desk", CreatedAt: run.CreatedAt,
	}
	if diff := cmp.Diff(want, run); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	if age := time.Since(run.CreatedAt); age > time.Minute || age < -time.Minute || run.CreatedAt.Location() != time.UTC {
		t.Errorf("created at %v", run.CreatedAt)
	}
	if diff := cmp.Diff(want, w.find(t, run.ID)); diff != "" {
		t.Errorf("found run (-want +got):\n%s", diff)
	}
	shards, err := w.Shards(t.Context(), run.ID)
	noError(t, err)
	if diff := cmp.Diff([]runstore.Shard{
		{RunID: run.ID, Number: 0, Upper: n.Shards[0].Upper, Planned: 100},
		{RunID: run.ID, Number: 1, Lower: n.Shards[1].Lower, Planned: -1},
	}, shards); diff != "" {
		t.Errorf("shards (-want +got):\n%s", diff)
	}
	w.wantEvent(t, run.ID, "created", "ann@desk", "")
}

func testCreateOneUnfinishedRun(t *testing.T, w *world) {
	first := w.new(t, "id", 1)
	for _, state := range []runstore.State{runstore.Paused, runstore.Failed} {
		_, err := w.Create(t.Context(), "id", runstore.NewRun{})
		wantError(t, err, runstore.ErrState)
		run, _ := w.acquire(t, first.ID, "a")
		noError(t, w.Finish(t.Context(), run, state, "because"))
	}
	_, err := w.Create(t.Context(), "id", runstore.NewRun{})
	wantError(t, err, runstore.ErrState)
	if !strings.Contains(err.Error(), runstore.Short(first.ID)+" is failed") {
		t.Errorf("the error does not name the run: %v", err)
	}
	if other := w.new(t, "other", 1); other.Number != 1 {
		t.Errorf("the first run of another identity is number %d", other.Number)
	}
	_, err = w.Ask(t.Context(), first.ID, runstore.RequestCancel, "ann")
	noError(t, err)
	second := w.new(t, "id", 1)
	if second.Number != 2 {
		t.Errorf("the second run is number %d", second.Number)
	}
	latest, err := w.Latest(t.Context(), "id")
	noError(t, err)
	if latest.ID != second.ID {
		t.Errorf("the latest run is %s, want %s", latest.ID, second.ID)
	}
	_, err = w.Latest(t.Context(), "unknown")
	wantError(t, err, runstore.ErrNoRun)
}

func testCreateAtOnce(t *testing.T, w, other *world) {
	stores := []*world{w, other}
	errs := together(8, func(i int) error {
		_, err := stores[i%2].Create(t.Context(), "id", runstore.NewRun{Shards: make([]runstore.Shard, 3)})
		return err
	})
	if n := count(t, errs, func(err error) bool { return errors.Is(err, runstore.ErrState) }); n != 1 {
		t.Errorf("%d were created, want 1", n)
	}
	runs, _, err := w.List(t.Context(), runstore.Filter{})
	noError(t, err)
	shards, err := w.Shards(t.Context(), runs[0].ID)
	noError(t, err)
	if len(runs) != 1 || len(shards) != 3 {
		t.Errorf("%d runs, %d shards", len(runs), len(shards))
	}
}

// A refusal must not break the caller's block, and what the block makes goes with it.
func testCreateInBlock(t *testing.T, w *world) {
	w.new(t, "id", 1)
	oops := errors.New("oops")
	err := w.conn.Atomic(t.Context(), func(ctx context.Context) error {
		_, err := w.Create(ctx, "id", runstore.NewRun{})
		wantError(t, err, runstore.ErrState)
		_, err = w.Create(ctx, "other", runstore.NewRun{})
		noError(t, err)
		return oops
	})
	wantError(t, err, oops)
	_, err = w.Latest(t.Context(), "other")
	wantError(t, err, runstore.ErrNoRun)
}

func testFindPrefix(t *testing.T, w *world) {
	a, b := w.new(t, "a", 0), w.new(t, "b", 0)
	common := 0
	for a.ID[common] == b.ID[common] {
		common++
	}
	for _, prefix := range []string{a.ID, strings.ToLower(a.ID), a.ID[:common+1], strings.ToLower(a.ID[:25])} {
		if got := w.find(t, prefix); got.ID != a.ID {
			t.Errorf("%s: found %s", prefix, got.ID)
		}
	}
	_, err := w.Find(t.Context(), strings.ToLower(a.ID[:common]))
	want := &runstore.AmbiguousError{Prefix: strings.ToLower(a.ID[:common]), IDs: []string{min(a.ID, b.ID), max(a.ID, b.ID)}}
	var got *runstore.AmbiguousError
	if !errors.As(err, &got) || !cmp.Equal(want, got) {
		t.Errorf("error %v, want %v", err, want)
	}
	for _, prefix := range []string{"", "%", "_", "0'", a.ID + "0", "7ZZ", runstore.NewID(time.Unix(0, 0))} {
		_, err := w.Find(t.Context(), prefix)
		wantError(t, err, runstore.ErrNoRun)
	}
}

func testListFiltersAndSums(t *testing.T, w *world) {
	ids := map[runstore.State]string{}
	var order []string
	for _, state := range []runstore.State{
		runstore.Planned, runstore.Running, runstore.Throttled, runstore.Interrupted, runstore.Paused, runstore.Failed, runstore.Succeeded, runstore.Cancelled,
	} {
		id := w.new(t, string(state), 2).ID
		ids[state], order = id, append([]string{id}, order...)
		if state == runstore.Planned {
			continue
		}
		run, shards := w.acquire(t, id, "a")
		for i := range shards {
			noError(t, w.checkpoint(t.Context(), &shards[i], runstore.Progress{
				Read: 10, Rows: 8, Quarantined: 2, Retries: 1, Busy: 1500 * time.Microsecond,
			}))
		}
		switch state {
		case runstore.Running:
		case runstore.Throttled:
			noError(t, w.Waiting(t.Context(), run, "the replica lags 12 s behind"))
		case runstore.Interrupted:
			w.expire(t, id)
		default:
			noError(t, w.Finish(t.Context(), run, state, ""))
		}
	}
	list := func(f runstore.Filter) []string {
		t.Helper()
		runs, counters, err := w.List(t.Context(), f)
		noError(t, err)
		var got []string
		for i, run := range runs {
			got = append(got, run.ID)
			want := runstore.Counters{Batches: 2, Read: 20, Done: 16, Quarantined: 4, Retries: 2, Busy: 3 * time.Millisecond}
			if run.State == runstore.Planned {
				want = runstore.Counters{}
			}
			if diff := cmp.Diff(want, counters[i]); diff != "" {
				t.Errorf("counters of the %s run (-want +got):\n%s", run.State, diff)
			}
			if ids[run.State] != run.ID {
				t.Errorf("run %s reads as %s", run.ID, run.State)
			}
			totals, err := w.Totals(t.Context(), run.ID)
			noError(t, err)
			if totals != want {
				t.Errorf("totals %+v, want %+v", totals, want)
			}
		}
		return got
	}
	byID := cmpopts.SortSlices(strings.Compare) // those of one millisecond are in any order
	for state, id := range ids {
		if diff := cmp.Diff([]string{id}, list(runstore.Filter{State: state})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
	}
	if diff := cmp.Diff(order, list(runstore.Filter{}), byID); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(order[2:], list(runstore.Filter{Unfinished: true, Command: "purge"}), byID); diff != "" {
		t.Errorf("unfinished (-want +got):\n%s", diff)
	}
	if got := list(runstore.Filter{Command: "other"}); got != nil {
		t.Errorf("of another command: %v", got)
	}
	// Sorted by the time of creation, and not by the id, which comes from the clock of whoever created the run.
	noError(t, w.conn.Exec(t.Context(), "UPDATE drover_runs SET created_at = ? WHERE id = ?", time.Now().Add(time.Hour), ids[runstore.Paused]))
	if got := list(runstore.Filter{Limit: 1}); len(got) != 1 || got[0] != ids[runstore.Paused] {
		t.Errorf("the newest run is %v, want %s", got, ids[runstore.Paused])
	}
}
