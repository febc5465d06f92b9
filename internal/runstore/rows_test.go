package runstore_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
)

func testQuarantine(t *testing.T, w *world) {
	var rows []runstore.Quarantined
	for i := range 1103 { // more than go into one statement
		rows = append(rows, runstore.Quarantined{
			RunID: "run", Phase: 1, Shard: i % 3, Key: keyset.Values{int64(i), "ä"}, Error: "it failed: ä?", Kind: "unique violation", Input: `{"id": 1}`, Attempts: 2,
		})
	}
	rows[1].Key = nil
	noError(t, w.AddQuarantined(t.Context(), rows))
	noError(t, w.AddQuarantined(t.Context(), []runstore.Quarantined{{RunID: "other", Error: "bad \xff\x00", Kind: strings.Repeat("ä", 300)}}))
	noError(t, w.AddQuarantined(t.Context(), nil))
	var got []runstore.Quarantined
	after := int64(0)
	for {
		page, err := w.Quarantine(t.Context(), "run", after, 500)
		noError(t, err)
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].ID
		got = append(got, page...)
	}
	if diff := cmp.Diff(rows, got, cmpopts.IgnoreFields(runstore.Quarantined{}, "ID", "Created")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if age := time.Since(got[0].Created); age > time.Minute || age < -time.Minute {
		t.Errorf("created at %v", got[0].Created)
	}
	other, err := w.Quarantine(t.Context(), "other", 0, 10)
	noError(t, err)
	if len(other) != 1 || other[0].Error != "bad \uFFFD\uFFFD" || other[0].Kind != strings.Repeat("ä", 255) {
		t.Errorf("another run's: %+v", other)
	}

	var ids []int64
	for _, q := range got[:1100] {
		ids = append(ids, q.ID)
	}
	noError(t, w.MarkRetried(t.Context(), ids, "later"))
	for i, after := range []int64{0, got[1099].ID} {
		page, err := w.Quarantine(t.Context(), "run", after, 1)
		noError(t, err)
		if want := []string{"later", ""}[i]; page[0].Retried != want {
			t.Errorf("behind %d: retried by %q, want %q", after, page[0].Retried, want)
		}
	}
}

func testJournal(t *testing.T, w *world) {
	var images []runstore.Image
	for i := range 1103 {
		images = append(images, runstore.Image{
			RunID: "run", Table: `"app"."item"`, Key: keyset.Values{int64(i)}, Op: "update", Before: fmt.Sprintf(`{"n": %d, "t": "ä?\\"}`, i), After: "{}",
		})
	}
	images[0].Before = strings.Repeat("x", 1<<20) // which fills a statement
	oops := errors.New("oops")
	err := w.conn.Atomic(t.Context(), func(ctx context.Context) error {
		noError(t, w.Journal(ctx, images[:5]))
		return oops
	})
	wantError(t, err, oops)
	noError(t, w.conn.Atomic(t.Context(), func(ctx context.Context) error { return w.Journal(ctx, images) }))
	noError(t, w.Journal(t.Context(), []runstore.Image{{RunID: "other", Op: "create"}}))
	n, err := w.CountImages(t.Context(), "run")
	noError(t, err)
	if n != int64(len(images)) {
		t.Errorf("%d images, want %d", n, len(images))
	}
	var got []runstore.Image
	before := int64(0)
	for {
		page, err := w.Images(t.Context(), "run", before, 500)
		noError(t, err)
		if len(page) == 0 {
			break
		}
		before = page[len(page)-1].ID
		got = append(got, page...)
	}
	for i := range got { // the newest first
		if want := images[len(images)-1-i]; got[i].Key.String() != want.Key.String() {
			t.Fatalf("image %d has the key %v, want %v", i, got[i].Key, want.Key)
		}
		got[i].ID = 0
	}
	if len(got) != len(images) || !cmp.Equal(got[len(got)-1], images[0]) || !cmp.Equal(got[7], images[len(images)-8]) {
		t.Errorf("%d images; the eighth is %+v", len(got), got[7])
	}
}

func testEvents(t *testing.T, w *world) {
	for i := range 5 {
		noError(t, w.AddEvent(t.Context(), "run", "size", "a", fmt.Sprintf("line %d", i)))
	}
	noError(t, w.AddEvent(t.Context(), "other", "size", "a", ""))
	for limit, want := range map[int]string{0: "line 0 line 1 line 2 line 3 line 4", 2: "line 3 line 4", 9: "line 0 line 1 line 2 line 3 line 4"} {
		events, err := w.Events(t.Context(), "run", limit)
		noError(t, err)
		var got []string
		for i, e := range events {
			got = append(got, e.Text)
			if i > 0 && (e.ID <= events[i-1].ID || e.At.Before(events[i-1].At)) {
				t.Errorf("%+v comes after %+v", e, events[i-1])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("limit %d: %v, want %s", limit, got, want)
		}
	}
}

func testPrune(t *testing.T, w *world) {
	images := 3 // of each run
	finished := func(identity string, state runstore.State, days int) string {
		t.Helper()
		id := w.new(t, identity, 2).ID
		run, _ := w.acquire(t, id, "a")
		noError(t, w.Journal(t.Context(), imagesOf(id, images)))
		noError(t, w.AddQuarantined(t.Context(), []runstore.Quarantined{{RunID: id}}))
		noError(t, w.Finish(t.Context(), run, state, ""))
		at := time.Now().Add(-time.Duration(days) * 24 * time.Hour)
		noError(t, w.conn.Exec(t.Context(), "UPDATE drover_runs SET finished_at = ? WHERE id = ?", at, id))
		return id
	}
	images = 1100 // more than one transaction deletes
	old := []string{finished("a", runstore.Succeeded, 40)}
	images = 3
	old = append(old, finished("b", runstore.Cancelled, 40), finished("c", runstore.Undone, 31))
	undone := finished("undone", runstore.Succeeded, 40)
	kept := map[string]bool{
		undone: true, finished("d", runstore.Succeeded, 29): true, finished("e", runstore.Failed, 40): true, finished("f", runstore.Paused, 40): true,
	}
	undo, err := w.Create(t.Context(), "undo", runstore.NewRun{UndoOf: undone})
	noError(t, err)
	kept[undo.ID] = true

	const month = 30 * 24 * time.Hour
	for _, age := range []time.Duration{10 * 365 * 24 * time.Hour, math.MaxInt64} {
		if n, err := w.Prune(t.Context(), age); err != nil || n != 0 {
			t.Errorf("%d runs are older than %v, %v", n, age, err)
		}
	}
	for _, want := range []int64{int64(len(old)), 0} {
		n, err := w.Prune(t.Context(), month)
		noError(t, err)
		if n != want {
			t.Errorf("%d runs were deleted, want %d", n, want)
		}
	}
	runs, _, err := w.List(t.Context(), runstore.Filter{Limit: 100})
	noError(t, err)
	for _, run := range runs {
		if !kept[run.ID] {
			t.Errorf("run %s of %s is left", run.ID, run.Identity)
		}
	}
	if len(runs) != len(kept) {
		t.Errorf("%d runs are left, want %d", len(runs), len(kept))
	}
	for _, table := range []string{"drover_shards", "drover_undo", "drover_quarantine", "drover_events"} {
		for _, id := range append([]string{undone}, old...) {
			var n int
			noError(t, w.conn.QueryRow(t.Context(), "SELECT COUNT(*) FROM "+table+" WHERE run_id = ?", id).Scan(&n))
			if (n > 0) != kept[id] {
				t.Errorf("%s has %d rows of run %s", table, n, id)
			}
		}
	}
	// Once the undoing has ended, nothing holds the run.
	run, _ := w.acquire(t, undo.ID, "a")
	noError(t, w.Finish(t.Context(), run, runstore.Succeeded, ""))
	n, err := w.Prune(t.Context(), month)
	noError(t, err)
	if n != 1 {
		t.Errorf("%d runs were deleted, want 1", n)
	}
}

func imagesOf(id string, n int) []runstore.Image {
	images := make([]runstore.Image, n)
	for i := range images {
		images[i] = runstore.Image{RunID: id, Op: "create"}
	}
	return images
}
