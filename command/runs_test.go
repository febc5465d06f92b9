package command_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/testdb"
)

// threeRuns makes one run that has succeeded with an undo journal, one that has set rows aside, and one that was interrupted.
func (b *bench) threeRuns(t *testing.T) (good, partial, interrupted string) {
	t.Helper()
	b.items(t, 100)
	b.mustRun(t, "mark", "--no-input", "--batch-size", "30", "--undo")
	good = b.lastRun(t)
	b.wantError(t, drover.ExitPartial, "runs errors", "mark", "--no-input", "--to", "two words", "--bad-from", "97", "--max-errors", "10")
	partial = b.lastRun(t)
	b.wantError(t, drover.ExitFailed, "broken on purpose", "mark", "--no-input", "--to", "x", "--fail-at", "50", "--batch-size", "10")
	interrupted = b.lastRun(t)
	b.interrupt(t, interrupted)
	return good, partial, interrupted
}

func TestRuns_ListAndShow(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		good, partial, interrupted := b.threeRuns(t)
		list := b.mustRun(t, "runs list")
		golden(t, "runs_list", b.stableRuns(list.Stdout+"\n"+list.Stderr))
		wantColumns(t, list.Stdout)
		for name, id := range map[string]string{"good": good, "partial": partial, "interrupted": interrupted} {
			show := b.mustRun(t, "runs show", batch.Short(id))
			golden(t, "runs_show_"+name, b.stableRuns(show.Stdout+"\n"+show.Stderr))
		}
	})
}

// wantColumns fails the test unless the columns of text in a table begin where their heads do, and those of numbers end there.
func wantColumns(t *testing.T, table string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
	for _, line := range lines[1:] {
		for _, head := range []string{"RUN", "COMMAND", "DB", "STATE", "STARTED", "BY"} {
			if at := strings.Index(lines[0], head); line[at] == ' ' || at > 0 && line[at-2:at] != "  " {
				t.Errorf("column %s is not straight:\n%s", head, table)
			}
		}
		for _, head := range []string{"DONE", "RATE/s", "TOOK"} {
			if end := strings.Index(lines[0], head) + len(head); line[end-1] == ' ' || line[end:end+2] != "  " {
				t.Errorf("column %s is not straight:\n%s", head, table)
			}
		}
	}
}

func TestRuns_ListFilters(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	if res := b.mustRun(t, "runs list"); res.Stdout != "" || !strings.Contains(res.Stderr, "nothing has been run") {
		t.Errorf("without tables: %+v", res)
	}
	good, partial, interrupted := b.threeRuns(t)
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"all", nil, []string{interrupted, partial, good}},
		{"limit", []string{"--limit", "2"}, []string{interrupted, partial}},
		{"state", []string{"--state", "succeeded"}, []string{partial, good}},
		{"interrupted", []string{"--state", "interrupted"}, []string{interrupted}},
		{"unfinished", []string{"--unfinished"}, []string{interrupted}},
		{"command", []string{"--command", "mark"}, []string{interrupted, partial, good}},
		{"another command", []string{"--command", "purge"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for line := range strings.Lines(b.mustRun(t, "runs list", append(tt.args, "--json")...).Stdout) {
				var d struct {
					RunID string `json:"run_id"`
				}
				if err := json.Unmarshal([]byte(line), &d); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				got = append(got, d.RunID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
	b.wantError(t, drover.ExitUsage, "did you mean paused?", "runs list", "--state", "pausd")
	b.wantError(t, drover.ExitUsage, "at least 1", "runs list", "--limit", "0")
}

func TestRuns_TimesAndWords(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.items(t, 3)
	b.mustRun(t, "mark", "--no-input")
	b.exec(t, `UPDATE drover_runs SET started_at = '2026-03-04 23:30:00.000+00:00', finished_at = '2026-03-04 23:31:30.000+00:00'`)
	zone := time.FixedZone("east", 2*3600)
	for now, want := range map[time.Time]string{
		time.Date(2026, 3, 5, 9, 0, 0, 0, zone): "today 01:30",
		time.Date(2026, 3, 6, 9, 0, 0, 0, zone): "yesterday 01:30",
		time.Date(2026, 4, 5, 9, 0, 0, 0, zone): "2026-03-05 01:30",
	} {
		o := drover.CallOptions{Databases: []*db.DB{b.conn}, Now: func() time.Time { return now }}
		res, err := runsApp().CallWith(t.Context(), o, "runs list")
		if err != nil || !strings.Contains(res.Stdout, want) || !strings.Contains(res.Stdout, "1m30s") {
			t.Errorf("at %s: %v\n%s", now, err, res.Stdout)
		}
	}
}

func TestRuns_JSON(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		good, partial, interrupted := b.threeRuns(t)
		var d struct {
			Type       string
			RunID      string   `json:"run_id"`
			Line       []string `json:"command_line"`
			State      string
			Planned    int
			Done       int
			Rate       *float64 `json:"rows_per_second"`
			UndoImages int      `json:"undo_images"`
			LeaseUntil *string  `json:"lease_until"`
			StartedAt  string   `json:"started_at"`
			Shards     []struct {
				Reached  []int
				Finished bool
			}
			Quarantine []any
			Events     []struct{ Event string }
		}
		read := func(id string) {
			t.Helper()
			d.Rate, d.LeaseUntil, d.Events = nil, nil, nil
			if err := json.Unmarshal([]byte(b.mustRun(t, "runs show", id, "--json").Stdout), &d); err != nil {
				t.Fatal(err)
			}
		}
		read(good)
		if d.Type != "run" || d.RunID != good || d.State != "succeeded" || d.Planned != 100 || d.Done != 100 || d.UndoImages != 100 || d.Rate == nil {
			t.Errorf("%+v", d)
		}
		if at, err := time.Parse(time.RFC3339, d.StartedAt); err != nil || at.Location() != time.UTC || time.Since(at).Abs() > time.Hour {
			t.Errorf("started at %q: %v", d.StartedAt, err)
		}
		if diff := cmp.Diff([]string{"drover", "mark", "--batch-size", "30", "--undo"}, d.Line); diff != "" {
			t.Errorf("command line (-want +got):\n%s", diff)
		}
		if len(d.Shards) != 1 || !slices.Equal(d.Shards[0].Reached, []int{100}) || !d.Shards[0].Finished {
			t.Errorf("shards %+v", d.Shards)
		}
		if len(d.Events) != 3 || d.Events[0].Event != "created" || d.Events[2].Event != "succeeded" {
			t.Errorf("events %+v", d.Events)
		}
		read(interrupted)
		if d.State != "interrupted" || d.LeaseUntil == nil || d.Done != 40 {
			t.Errorf("%+v", d)
		}
		read(partial)
		if len(d.Quarantine) != 4 {
			t.Errorf("%d rows of the quarantine", len(d.Quarantine))
		}
	})
}

func TestRuns_Errors(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		good, partial, _ := b.threeRuns(t)
		res := b.mustRun(t, "runs errors", partial, "--limit", "2")
		golden(t, "runs_errors", b.stableRuns(res.Stdout+"\n"+res.Stderr))
		if res := b.mustRun(t, "runs errors", good); res.Stdout != "" || !strings.Contains(res.Stderr, "has set no rows aside") {
			t.Errorf("of a run without errors: %+v", res)
		}
		type row struct {
			Type  string
			RunID string `json:"run_id"`
			Key   []int
			Error string
			Input struct{ ID int }
		}
		var got []row
		for line := range strings.Lines(b.mustRun(t, "runs errors", partial, "--json").Stdout) {
			var r row
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			got = append(got, r)
		}
		var want []row
		for i := 97; i <= 100; i++ {
			want = append(want, row{"quarantined", partial, []int{i}, fmt.Sprintf("item %d: broken on purpose", i), struct{ ID int }{i}})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

// TestRuns_ErrorsAreHarmless keeps what stands in a table from being taken for commands of the terminal.
func TestRuns_ErrorsAreHarmless(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, partial, _ := b.threeRuns(t)
		store := runstore.New(b.conn)
		err := store.AddQuarantined(t.Context(), []runstore.Quarantined{{RunID: partial, Error: "a\x1b[2Jb\nc", Input: "{\"x\": \x1b]0;t\a}"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"runs errors", "runs show"} {
			if out := b.mustRun(t, command, partial).Stdout; strings.ContainsAny(out, "\x1b\a") {
				t.Errorf("%s prints control characters: %q", command, out)
			}
		}
		if out := b.mustRun(t, "runs errors", partial, "--json").Stdout; strings.Count(out, "\n") != 5 || strings.ContainsAny(out, "\x1b\a") {
			t.Errorf("documents: %q", out)
		}
	})
}

func TestRuns_ErrorsOfManyRows(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.items(t, 1203)
	b.wantError(t, drover.ExitPartial, "", "mark", "--no-input", "--bad-from", "1", "--max-errors", "2000")
	id := b.lastRun(t)
	if got := strings.Count(b.mustRun(t, "runs errors", id, "--json").Stdout, "\n"); got != 1203 {
		t.Errorf("%d documents, want all 1203", got)
	}
	if got := strings.Count(b.mustRun(t, "runs errors", id, "--json", "--limit", "700").Stdout, "\n"); got != 700 {
		t.Errorf("%d documents, want 700", got)
	}
	if res := b.mustRun(t, "runs errors", id); !strings.Contains(res.Stderr, "100 of 1,203 rows.") {
		t.Errorf("stderr is %q", res.Stderr)
	}
}

func TestRuns_UnknownRun(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		about := []string{"runs show", "runs errors", "runs pause", "runs cancel", "runs resume", "runs retry", "undo"}
		for _, command := range about {
			b.wantError(t, drover.ExitUsage, "has no runs yet", command, "01ABC")
		}
		good, _, interrupted := b.threeRuns(t)
		misspelt := batch.Short(good)
		misspelt = misspelt[:6] + "U" + misspelt[7:] // no id has a U
		for _, command := range about {
			b.wantError(t, drover.ExitUsage, "did you mean 0", command, misspelt)
			b.wantError(t, drover.ExitUsage, "runs list", command, "nonsense-of-a-run")
			b.wantError(t, drover.ExitUsage, "is the beginning of 3 run ids", command, good[:2])
		}
		b.wantError(t, drover.ExitUsage, "did you mean 0", "runs set", misspelt, "workers=1")
		if res := b.mustRun(t, "runs show", strings.ToLower(interrupted[:20])); !strings.Contains(res.Stdout, interrupted) {
			t.Errorf("a beginning in lower case shows\n%s", res.Stdout)
		}
		if code, _, stderr := b.shell(t, nil, "runs", "show", misspelt); code != drover.ExitUsage || !strings.Contains(stderr, "Try:   did you mean") {
			t.Errorf("in a shell: exit code %d\n%s", code, stderr)
		}
	})
}

func TestRuns_Completion(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		good, partial, interrupted := b.threeRuns(t)
		short := func(ids ...string) string {
			text := ""
			for _, id := range ids {
				text += batch.Short(id) + "\n"
			}
			return text + ":4\n"
		}
		tests := []struct {
			name, want string
			args       []string
		}{
			{"show", short(interrupted, partial, good), []string{"runs", "show", ""}},
			{"resume", short(interrupted), []string{"runs", "resume", ""}},
			{"pause", short(), []string{"runs", "pause", ""}},
			{"undo", short(good), []string{"undo", ""}},
			{"lower case", strings.ToLower(short(interrupted)), []string{"runs", "resume", strings.ToLower(interrupted[:4])}},
			{"long", interrupted + "\n:4\n", []string{"runs", "show", interrupted[:20]}},
			{"nothing behind it", ":4\n", []string{"runs", "show", good, ""}},
			{"options", "batch-size=\n:4\n", []string{"runs", "set", good, "b"}},
			{"states", "paused\nplanned\n:4\n", []string{"runs", "list", "--state", "p"}},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				_, stdout, _ := b.shell(t, nil, append([]string{"__completeNoDesc"}, tt.args...)...)
				got, want := strings.Split(stdout, "\n"), strings.Split(tt.want, "\n")
				slices.Sort(got)
				slices.Sort(want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("offered (-want +got):\n%s", diff)
				}
			})
		}
	})
}

func TestRuns_Prune(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		if res := b.mustRun(t, "runs prune", "--older-than", "1h", "--no-input"); !strings.Contains(res.Stdout, "Nothing to delete") {
			t.Errorf("without tables: %+v", res)
		}
		good, partial, interrupted := b.threeRuns(t)
		if res := b.mustRun(t, "runs prune", "--older-than", "1h", "--no-input"); !strings.Contains(res.Stdout, "Nothing to delete") {
			t.Errorf("young runs: %+v", res)
		}
		b.unchanged(t, func() {
			res := b.mustRun(t, "runs prune", "--older-than", "1ms", "--dry-run")
			if res.Stdout != "Would delete 2 old runs from default.\n" {
				t.Errorf("the dry run says %q", res.Stdout)
			}
			code, _, stderr := b.shell(t, strings.NewReader("no\n"), "runs", "prune", "--older-than", "1ms")
			if code != drover.ExitDeclined || !strings.Contains(stderr, "permanently delete 2 old runs") || !strings.Contains(stderr, "give up the undo of 1 of them") {
				t.Errorf("exit code %d\n%s", code, stderr)
			}
			if code, _, _ := b.shell(t, nil, "runs", "prune", "--older-than", "1ms"); code != drover.ExitUsage {
				t.Errorf("nobody to ask: exit code %d", code)
			}
		})
		// What an unfinished run replays stays.
		b.exec(t, "UPDATE drover_runs SET retry_of = '"+partial+"' WHERE id = '"+interrupted+"'")
		res := b.mustRun(t, "runs prune", "--older-than", "1ms", "--no-input")
		if res.Stdout != "Deleted 1 old run from default.\n" {
			t.Errorf("it says %q", res.Stdout)
		}
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 2)
		b.wantCount(t, "SELECT count(*) FROM drover_undo", 0)
		b.wantError(t, drover.ExitUsage, "no run", "runs show", good)
		b.wantError(t, drover.ExitUsage, "more than 0", "runs prune", "--older-than", "0s")
	})
}
