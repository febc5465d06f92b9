package command_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/runstore"
)

// live is a run that goes on in a goroutine, slowly enough to be asked things.
type live struct {
	id   string
	set  chan struct{} // closed when the runner has followed a change of its options
	done chan error
}

// begin begins a run of 3,000 rows at 50 rows a second: it would take a minute.
func (b *bench) begin(t *testing.T, o batch.Options) *live {
	t.Helper()
	b.items(t, 3000)
	l := &live{set: make(chan struct{}), done: make(chan error, 1)}
	begun := make(chan string, 1)
	followed := sync.OnceFunc(func() { close(l.set) })
	o.BatchSize, o.RowsPerSecond = 5, 50
	o.Observe = func(e batch.Event) {
		switch {
		case e.Type == batch.EventBatch && e.Batch == 1: // also what is asked for in the first second must be followed
			begun <- e.RunID
		case e.Type == batch.EventSet:
			followed()
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		_, err := marking().Run(ctx, b.conn, o)
		l.done <- err
		close(l.done)
	}()
	t.Cleanup(func() { // also when the test has failed
		stop()
		for range l.done {
		}
	})
	select {
	case l.id = <-begun:
	case err := <-l.done:
		t.Fatalf("the run ended before it was asked for anything: %v", err)
	}
	return l
}

// end is what the run has ended with, because it was asked to stop.
func (l *live) end(t *testing.T) *batch.StoppedError {
	t.Helper()
	err := <-l.done
	var stopped *batch.StoppedError
	if !errors.As(err, &stopped) {
		t.Fatalf("the run ended with %v, want a StoppedError", err)
	}
	return stopped
}

func TestRuns_Pause(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.begin(t, batch.Options{})
		for range 2 { // a second request changes nothing
			res := b.mustRun(t, "runs pause", l.id)
			if !strings.HasPrefix(res.Stdout, "Asked "+b.owner(t, l.id)+" to pause run "+batch.Short(l.id)) {
				t.Errorf("it says %q", res.Stdout)
			}
		}
		if stopped := l.end(t); stopped.Cancelled || stopped.RunID != l.id {
			t.Errorf("%+v", stopped)
		}
		b.wantState(t, l.id, "paused")
		if res := b.mustRun(t, "runs pause", l.id); !strings.Contains(res.Stdout, "is paused. Go on: drover runs resume "+batch.Short(l.id)) {
			t.Errorf("of a paused run it says %q", res.Stdout)
		}
		b.wantCount(t, "SELECT count(*) FROM drover_events WHERE event_type = 'requested' AND actor LIKE '%@%'", 1)
		b.mustRun(t, "runs cancel", l.id, "--no-input")
		b.wantState(t, l.id, "cancelled")
		b.wantError(t, drover.ExitFailed, "nothing to pause", "runs pause", l.id)
		b.wantError(t, drover.ExitFailed, "nothing to cancel", "runs cancel", l.id, "--no-input")
		b.wantError(t, drover.ExitFailed, "nothing to resume", "runs resume", l.id)
	})
}

// owner is the runner that holds the run, or "" when it has ended.
func (b *bench) owner(t *testing.T, id string) string {
	t.Helper()
	var owner string
	if err := b.raw.QueryRowContext(t.Context(), "SELECT owner FROM drover_runs WHERE id = '"+id+"'").Scan(&owner); err != nil {
		t.Fatal(err)
	}
	return owner
}

func TestRuns_PauseOfNobody(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, _, interrupted := b.threeRuns(t)
		b.wantError(t, drover.ExitFailed, "runs resume "+batch.Short(interrupted), "runs pause", interrupted)
		b.wantState(t, interrupted, "running") // as it is stored
	})
}

func TestRuns_Cancel(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.begin(t, batch.Options{Undo: true})
		code, _, stderr := b.shell(t, strings.NewReader("no\n"), "runs", "cancel", l.id)
		if code != drover.ExitDeclined || !strings.Contains(stderr, "This will cancel 1 run for good: "+batch.Short(l.id)+", mark, ") {
			t.Errorf("exit code %d\n%s", code, stderr)
		}
		code, stdout, stderr := b.shell(t, strings.NewReader("yes\n"), "runs", "cancel", l.id)
		if code != 0 || !strings.Contains(stdout, "stops after the batches under way") || !strings.Contains(stdout, "drover undo "+batch.Short(l.id)) {
			t.Errorf("exit code %d: %s\n%s", code, stdout, stderr)
		}
		if stopped := l.end(t); !stopped.Cancelled {
			t.Errorf("%+v", stopped)
		}
		b.wantState(t, l.id, "cancelled")
	})
}

func TestRuns_CancelOfNobody(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, _, interrupted := b.threeRuns(t)
		res := b.mustRun(t, "runs cancel", interrupted, "--no-input", "--json")
		if !strings.Contains(res.Stdout, `"run_id":"`+interrupted+`","state":"cancelled","request":""`) {
			t.Errorf("it says %s", res.Stdout)
		}
		b.wantState(t, interrupted, "cancelled")
	})
}

func TestRuns_Set(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		l := b.begin(t, batch.Options{})
		res := b.mustRun(t, "runs set", l.id, "rows-per-second=0", "batch-size=500")
		if want := "rows-per-second  50 -> 0\nbatch-size  5 -> 500\n"; res.Stdout != want || !strings.Contains(res.Stderr, "follows within about a second") {
			t.Errorf("it says %q, want %q\n%s", res.Stdout, want, res.Stderr)
		}
		if err := <-l.done; err != nil {
			t.Fatal(err)
		}
		select {
		case <-l.set:
		default:
			t.Fatal("the runner did not follow")
		}
		b.wantCount(t, marked+"'done'", 3000)
		b.wantCount(t, "SELECT count(*) FROM drover_shards WHERE batches > 300", 0) // 600 of the old size
		b.wantCount(t, "SELECT count(*) FROM drover_events WHERE event_type = 'set' AND actor LIKE '%@%'", 2)
	})
}

// TestRuns_ResumeLive finds a run that somebody works on held, and takes a request to pause back that the runner has not seen: a runner that hangs.
func TestRuns_ResumeLive(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		b.wantError(t, drover.ExitFailed, "", "mark", "--no-input", "--fail-at", "50", "--batch-size", "10")
		id := b.lastRun(t)
		if _, _, err := runstore.New(b.conn).Acquire(t.Context(), id, "somebody@elsewhere pid 1", time.Hour); err != nil {
			t.Fatal(err)
		}
		b.wantError(t, drover.ExitLocked, "is being worked on by somebody@elsewhere pid 1", "runs resume", id)
		b.wantError(t, drover.ExitLocked, "is being worked on by somebody@elsewhere pid 1", "undo", id)
		b.mustRun(t, "runs pause", id)
		if list := b.mustRun(t, "runs list").Stdout; !strings.Contains(list, " pausing ") {
			t.Errorf("the list says\n%s", list)
		}
		if res := b.mustRun(t, "runs resume", id); !strings.Contains(res.Stdout, "goes on: the request to pause it is taken back") {
			t.Errorf("resume says %q", res.Stdout)
		}
		b.wantCount(t, "SELECT count(*) FROM drover_runs WHERE request = '' AND state = 'running'", 1)
		b.mustRun(t, "runs cancel", id, "--no-input")
		if list := b.mustRun(t, "runs list").Stdout; !strings.Contains(list, " cancelling ") {
			t.Errorf("the list says\n%s", list)
		}
		b.wantError(t, drover.ExitFailed, "about to be cancelled", "runs pause", id)
	})
}
