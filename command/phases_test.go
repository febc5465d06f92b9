package command_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestCopy_ProgressOfEachPhase reads the lines of progress: each phase goes from its own beginning to 100 %.
func TestCopy_ProgressOfEachPhase(t *testing.T) {
	p := newTwoPlaces(t, testdb.NameSQLite, testdb.NameSQLite)
	p.items(t, 60)
	var seconds atomic.Int64 // a clock on which each look takes a second, so that lines are due
	o := drover.CallOptions{Databases: []*db.DB{p.a.conn, p.b.conn}, Now: func() time.Time { return time.Unix(seconds.Add(1), 0) }}
	res, err := newApp().CallWith(t.Context(), o, "copy", append(copyItems(), "--batch-size", "5", "--progress", "plain", "--move", "--rows-per-second", "60")...)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^[0-9:]{8} (copy .*): +([0-9.]+) % +([0-9]+)/60 `)
	last := map[string]string{} // of each phase that lasted long enough for a line
	for _, m := range line.FindAllStringSubmatch(res.Stderr, -1) {
		last[m[1]] = m[3]
	}
	delete(last, "copy items, copy") // which the rate may not have slowed down yet
	if diff := cmp.Diff(map[string]string{"copy items, verify": "60", "copy items, delete": "60"}, last); diff != "" {
		t.Errorf("the last line of each phase (-want +got):\n%s\n%s", diff, res.Stderr)
	}
}

// TestCopy_ProgressOfEachPhaseInJSON reads the same from the documents.
func TestCopy_ProgressOfEachPhaseInJSON(t *testing.T) {
	p := newTwoPlaces(t, testdb.NameSQLite, testdb.NameSQLite)
	p.items(t, 60)
	o := drover.CallOptions{Databases: []*db.DB{p.a.conn, p.b.conn}}
	res, err := newApp().CallWith(t.Context(), o, "copy", append(copyItems(), "--batch-size", "5", "--json", "--move")...)
	if err != nil {
		t.Fatal(err)
	}
	last := map[string][2]int64{} // of each phase
	for line := range strings.Lines(res.Stderr) {
		var d struct {
			Type, Label string
			Done, Total int64
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if d.Type == "progress" {
			last[d.Label] = [2]int64{d.Done, d.Total}
		}
	}
	want := map[string][2]int64{"copy items, copy": {60, 60}, "copy items, verify": {60, 60}, "copy items, delete": {60, 60}}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("-want +got:\n%s\n%s", diff, res.Stderr)
	}
}

// TestPurge_LockedNamesTheDatabase types what another runner's user would: the run is in the database that is not the first one.
func TestPurge_LockedNamesTheDatabase(t *testing.T) {
	p := newTwoPlaces(t, testdb.NameSQLite, testdb.NameSQLite)
	p.b.events(t, 30)
	o := drover.CallOptions{Databases: []*db.DB{p.a.conn, p.b.conn}}
	args := []string{"--database", "b", "--table", "events", "--all", "--no-input"}
	if _, err := newApp().CallWith(t.Context(), o, "purge", args...); err != nil {
		t.Fatal(err)
	}
	p.b.exec(t, "UPDATE drover_runs SET state = 'running', owner = 'somebody', finished_at = NULL, lease_until = '2999-01-01 00:00:00+00:00'",
		"INSERT INTO events VALUES (1, 'new')")
	_, err := newApp().CallWith(t.Context(), o, "purge", args...)
	locked, ok := errors.AsType[*batch.LockedError](err)
	if !ok || !strings.HasPrefix(locked.Hint(), "drover --database b runs show ") {
		t.Errorf("%v", err)
	}
}

// TestUndo_LockedNamesTheDatabase does the same for the undo of a run that is worked on.
func TestUndo_LockedNamesTheDatabase(t *testing.T) {
	p := newTwoPlaces(t, testdb.NameSQLite, testdb.NameSQLite)
	p.b.events(t, 30)
	o := drover.CallOptions{Databases: []*db.DB{p.a.conn, p.b.conn}}
	if _, err := newApp().CallWith(t.Context(), o, "purge", "--database", "b", "--table", "events", "--all", "--undo", "--no-input"); err != nil {
		t.Fatal(err)
	}
	p.b.exec(t, "UPDATE drover_runs SET state = 'running', owner = 'somebody', finished_at = NULL, lease_until = '2999-01-01 00:00:00+00:00'")
	_, err := newApp().CallWith(t.Context(), o, "undo", "--database", "b", p.b.lastRun(t), "--no-input")
	locked, ok := errors.AsType[*batch.LockedError](err)
	if !ok || !strings.HasPrefix(locked.Hint(), "drover --database b runs show ") {
		t.Errorf("%v", err)
	}
}
