package runstore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/runstore"
)

func testAskLiveRun(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	run, _ := w.acquire(t, id, "a")
	for range 2 { // asking twice is asking once
		got, err := w.Ask(t.Context(), id, runstore.RequestPause, "ann")
		noError(t, err)
		if got.Request != runstore.RequestPause || got.State != runstore.Running {
			t.Errorf("run %+v", got)
		}
	}
	w.wantEvent(t, id, "requested", "ann", "request: none → pause")
	noError(t, w.Resume(t.Context(), id, "bob"))
	w.wantEvent(t, id, "requested", "bob", "request: pause → none")
	wantError(t, w.Resume(t.Context(), id, "bob"), runstore.ErrState)

	_, err := w.Ask(t.Context(), id, runstore.RequestPause, "ann")
	noError(t, err)
	_, err = w.Ask(t.Context(), id, runstore.RequestCancel, "bob")
	noError(t, err)
	w.wantEvent(t, id, "requested", "bob", "request: pause → cancel")
	_, err = w.Ask(t.Context(), id, runstore.RequestPause, "ann")
	wantError(t, err, runstore.ErrState)
	wantError(t, w.Resume(t.Context(), id, "bob"), runstore.ErrState)
	noError(t, w.Finish(t.Context(), run, runstore.Cancelled, ""))
	if now := w.find(t, id); now.State != runstore.Cancelled || now.Request != runstore.NoRequest {
		t.Errorf("run %+v", now)
	}
	want := []string{"created", "started", "requested", "requested", "requested", "requested", "cancelled"}
	if diff := cmp.Diff(want, w.types(t, id)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func testAskNobodyWorks(t *testing.T, w *world) {
	for _, state := range []runstore.State{runstore.Planned, runstore.Paused, runstore.Failed, runstore.Interrupted} {
		id := w.new(t, string(state), 1).ID
		var shards []runstore.Shard
		var run *runstore.Run
		if state != runstore.Planned {
			run, shards = w.acquire(t, id, "a")
			if state == runstore.Interrupted {
				w.expire(t, id)
			} else {
				noError(t, w.Finish(t.Context(), run, state, ""))
			}
		}
		_, err := w.Ask(t.Context(), id, runstore.RequestPause, "ann")
		wantError(t, err, runstore.ErrState)
		wantError(t, w.Resume(t.Context(), id, "ann"), runstore.ErrState)
		got, err := w.Ask(t.Context(), id, runstore.RequestCancel, "ann")
		noError(t, err)
		if got.State != runstore.Cancelled || got.FinishedAt.IsZero() || got.Owner != "" || !got.LeaseUntil.IsZero() {
			t.Errorf("%s run: %+v", state, got)
		}
		w.wantEvent(t, id, "cancelled", "ann", fmt.Sprintf("state: %s → cancelled", state))
		if run != nil { // which wakes up
			wantError(t, w.checkpoint(t.Context(), &shards[0], runstore.Progress{Rows: 1}), runstore.ErrFenced)
			wantError(t, w.Renew(t.Context(), run, lease), runstore.ErrFenced)
		}
		for _, request := range []runstore.Request{runstore.RequestPause, runstore.RequestCancel, "dance"} {
			_, err = w.Ask(t.Context(), id, request, "ann")
			wantError(t, err, runstore.ErrState)
		}
	}
	_, err := w.Ask(t.Context(), "01J00000000000000000000000", runstore.RequestCancel, "ann")
	wantError(t, err, runstore.ErrNoRun)
}

// A request that a dead runner has not seen is dropped, and the next runner's event says so.
func testAskRunnerDies(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	w.acquire(t, id, "a")
	_, err := w.Ask(t.Context(), id, runstore.RequestCancel, "ann")
	noError(t, err)
	w.expire(t, id)
	if run, _ := w.acquire(t, id, "b"); run.Request != runstore.NoRequest {
		t.Errorf("run %+v", run)
	}
	w.wantEvent(t, id, "taken over", "b", "from a; the request to cancel was not seen and is dropped")
}

func testSet(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	for _, step := range [][2]string{{"", "100"}, {"100", "500"}, {"500", "500"}} {
		old, err := w.Set(t.Context(), id, "batch-size", step[1], "ann")
		noError(t, err)
		if old != step[0] {
			t.Errorf("it was %q, want %q", old, step[0])
		}
	}
	w.wantEvent(t, id, "set", "ann", "batch-size: 500 → 500")
	if got := w.find(t, id).Options; !cmp.Equal(got, map[string]string{"batch-size": "500"}) {
		t.Errorf("options %v", got)
	}
	_, err := w.Ask(t.Context(), id, runstore.RequestCancel, "ann")
	noError(t, err)
	_, err = w.Set(t.Context(), id, "batch-size", "1", "ann")
	wantError(t, err, runstore.ErrState)
	_, err = w.Set(t.Context(), "gone", "batch-size", "1", "ann")
	wantError(t, err, runstore.ErrNoRun)
}

func testSetAtOnce(t *testing.T, w *world) {
	id := w.new(t, "id", 1).ID
	stores := []*world{w, w.again(t)}
	want := map[string]string{}
	for i := range 8 {
		want[fmt.Sprint("option", i)] = fmt.Sprint(i)
	}
	for _, err := range together(8, func(i int) error {
		old, err := stores[i%2].Set(t.Context(), id, fmt.Sprint("option", i), fmt.Sprint(i), "ann")
		if err == nil && old != "" {
			err = errors.New("it was " + old)
		}
		return err
	}) {
		noError(t, err)
	}
	if diff := cmp.Diff(want, w.find(t, id).Options); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if n := len(w.types(t, id)); n != 9 {
		t.Errorf("%d events, want 9", n)
	}
}

func testFinish(t *testing.T, w *world) {
	for _, state := range []runstore.State{runstore.Paused, runstore.Failed, runstore.Succeeded, runstore.Cancelled, runstore.Undone} {
		id := w.new(t, string(state), 1).ID
		run, _ := w.acquire(t, id, "a")
		noError(t, w.Waiting(t.Context(), run, "lag"))
		text := "what \xff a \x00 driver says"
		for range 2 { // again, as after a lost answer
			noError(t, w.Finish(t.Context(), run, state, text))
		}
		got := w.find(t, id)
		if got.State != state || got.Error != "what \uFFFD a \uFFFD driver says" || got.Owner != "" || got.Waiting != "" || !got.LeaseUntil.IsZero() || got.FinishedAt.IsZero() {
			t.Errorf("%s: run %+v", state, got)
		}
		w.wantEvent(t, id, string(state), "a", got.Error)
		if n := len(w.types(t, id)); n != 3 {
			t.Errorf("%d events, want 3", n)
		}
		other := runstore.Failed
		if state == runstore.Failed {
			other = runstore.Paused
		}
		wantError(t, w.Finish(t.Context(), run, other, ""), runstore.ErrFenced)
		wantError(t, w.Finish(t.Context(), run, runstore.Planned, ""), runstore.ErrState)
	}
}

func testMarkUndone(t *testing.T, w *world) {
	for _, state := range []runstore.State{runstore.Succeeded, runstore.Failed, runstore.Paused, runstore.Cancelled} {
		id := w.new(t, string(state), 1).ID
		wantError(t, w.MarkUndone(t.Context(), id, "ann"), runstore.ErrState)
		run, shards := w.acquire(t, id, "a")
		wantError(t, w.MarkUndone(t.Context(), id, "ann"), runstore.ErrState)
		noError(t, w.Finish(t.Context(), run, state, ""))
		for range 2 {
			noError(t, w.MarkUndoing(t.Context(), id, "ann"))
		}
		w.wantEvent(t, id, "undoing", "ann", "was "+string(state))
		_, _, err := w.Acquire(t.Context(), id, "b", lease)
		wantError(t, err, runstore.ErrState)
		wantError(t, w.checkpoint(t.Context(), &shards[0], runstore.Progress{Rows: 1}), runstore.ErrFenced)
		for range 2 {
			noError(t, w.MarkUndone(t.Context(), id, "ann"))
		}
		w.wantEvent(t, id, "undone", "ann", "was undoing")
		if n := len(w.types(t, id)); w.find(t, id).State != runstore.Undone || n != 5 {
			t.Errorf("%d events, run %+v", n, w.find(t, id))
		}
		wantError(t, w.MarkUndoing(t.Context(), id, "ann"), runstore.ErrState)
	}
	wantError(t, w.MarkUndone(t.Context(), "gone", "ann"), runstore.ErrNoRun)
}
