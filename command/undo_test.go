package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// moving is a job that deletes every row and makes another one of it elsewhere.
func moving() *batch.Job[item] {
	return &batch.Job[item]{
		Name: "move",
		Source: func(_ context.Context, conn *db.DB) (batch.Source[item], error) {
			return batch.Rows(table.Of[item](conn)), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[item]) error {
			for _, row := range b.Rows {
				if err := b.DB().Exec(ctx, "INSERT INTO moved (id, note) VALUES (?, ?)", row.ID, row.Status); err != nil {
					return err
				}
				b.Created("moved", []any{row.ID})
			}
			_, err := table.Of[item](b.DB()).BulkDelete(ctx, b.Rows)
			return err
		},
	}
}

// data is the tables of the tests without drover's own.
func (b *bench) data(t *testing.T, tables ...string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range tables {
		rows, err := b.raw.QueryContext(t.Context(), "SELECT * FROM "+name+" ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, text string
			if err := rows.Scan(&id, &text); err != nil {
				t.Fatal(err)
			}
			all.WriteString(name + " " + id + " " + text + "\n")
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

func TestUndo_Update(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		before := b.data(t, "item")
		b.mustRun(t, "mark", "--no-input", "--undo", "--batch-size", "30")
		id := b.lastRun(t)
		b.unchanged(t, func() {
			res := b.mustRun(t, "undo", batch.Short(id), "--dry-run", "--batch-size", "40")
			golden(t, "undo_dry_run", b.stableRuns(res.Stdout+"\n"+res.Stderr))
			if code, _, _ := b.shell(t, strings.NewReader("no\n"), "undo", id); code != drover.ExitDeclined {
				t.Errorf("declined: exit code %d", code)
			}
			if code, _, _ := b.shell(t, nil, "undo", id); code != drover.ExitUsage {
				t.Errorf("nobody to ask: exit code %d", code)
			}
		})
		code, stdout, stderr := b.shell(t, strings.NewReader("yes\n"), "undo", id, "--batch-size", "40")
		if code != 0 || stdout != "Restored 100 rows in 3 batches on default.\n" {
			t.Errorf("exit code %d: %s\n%s", code, stdout, stderr)
		}
		if !strings.Contains(stderr, "This will restore 100 rows to what they were before run "+batch.Short(id)+" (mark)") {
			t.Errorf("the question is not about the rows:\n%s", stderr)
		}
		if diff := cmp.Diff(before, b.data(t, "item")); diff != "" {
			t.Errorf("the table is not what it was (-before +after):\n%s", diff)
		}
		b.wantState(t, id, "undone")
		if res := b.mustRun(t, "undo", id, "--no-input"); !strings.Contains(res.Stdout, "is undone already") {
			t.Errorf("the second time it says %q", res.Stdout)
		}
		if list := b.mustRun(t, "runs list").Stdout; !strings.Contains(list, "undo "+batch.Short(id)) || !strings.Contains(list, "undone") {
			t.Errorf("the list says\n%s", list)
		}
		golden(t, "runs_show_undone", b.stableRuns(b.mustRun(t, "runs show", id).Stdout))
	})
}

func TestUndo_DeleteAndCreate(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 60)
		b.exec(t, "CREATE TABLE moved (id bigint NOT NULL PRIMARY KEY, note varchar(20) NOT NULL)", "INSERT INTO moved VALUES (1000, 'before')")
		before := b.data(t, "item", "moved")
		res, err := moving().Run(t.Context(), b.conn, batch.Options{Undo: true, BatchSize: 25})
		if err != nil {
			t.Fatal(err)
		}
		b.wantCount(t, "SELECT count(*) FROM item", 0)
		b.wantCount(t, "SELECT count(*) FROM moved", 61)
		var d struct {
			Type    string
			DryRun  bool   `json:"dry_run"`
			UndoOf  string `json:"undo_of"`
			Rows    int
			Changes []struct {
				Table, Change string
				Rows          int
			}
		}
		if err := json.Unmarshal([]byte(b.mustRun(t, "undo", res.RunID, "--dry-run", "--json").Stdout), &d); err != nil {
			t.Fatal(err)
		}
		kinds := map[string]int{}
		for _, x := range d.Changes {
			kinds[x.Change+" "+x.Table[strings.LastIndex(x.Table, ".")+1:]] += x.Rows
		}
		if diff := cmp.Diff(map[string]int{"delete item": 60, "create moved": 60}, kinds); diff != "" || d.Rows != 120 || d.UndoOf != res.RunID || !d.DryRun {
			t.Errorf("plan %+v\n%s", d, diff)
		}
		b.mustRun(t, "undo", res.RunID, "--no-input", "--batch-size", "50")
		if diff := cmp.Diff(before, b.data(t, "item", "moved")); diff != "" {
			t.Errorf("the tables are not what they were (-before +after):\n%s", diff)
		}
	})
}

func TestUndo_Conflicts(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		b.mustRun(t, "mark", "--no-input", "--undo")
		id := b.lastRun(t)
		b.exec(t, "UPDATE item SET status = 'theirs' WHERE id IN (7, 40)", "DELETE FROM item WHERE id = 90")
		code, stdout, stderr := b.shell(t, nil, "undo", id, "--no-input", "--batch-size", "50")
		undone := b.lastRun(t)
		if code != drover.ExitPartial || stdout != "Restored 97 rows in 2 batches on default.\n" {
			t.Errorf("exit code %d: %s\n%s", code, stdout, stderr)
		}
		_, end, _ := strings.Cut(stderr, "3 rows left alone:")
		for _, want := range []string{
			"row 90: the row was changed since the run", "row 40: ", "row 7: ",
			"Error: 3 rows could not be restored\n", "Try:   drover runs errors " + batch.Short(undone),
		} {
			if !strings.Contains(end, want) {
				t.Errorf("the end does not contain %q:\n%s", want, stderr)
			}
		}
		if strings.Contains(stderr, "runs retry") {
			t.Errorf("it advises to retry what cannot be:\n%s", stderr)
		}
		b.wantCount(t, marked+"'theirs'", 2)
		b.wantCount(t, marked+"'new'", 97)
		if res := b.mustRun(t, "runs errors", undone); strings.Count(res.Stdout, "changed since the run") != 3 {
			t.Errorf("runs errors shows\n%s", res.Stdout)
		}
		b.wantError(t, drover.ExitFailed, "is an undo", "runs retry", undone)
	})
}

func TestUndo_Refusals(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, partial, interrupted := b.threeRuns(t)
		b.unchanged(t, func() {
			b.wantError(t, drover.ExitRefused, "without --undo", "undo", partial)
			b.wantError(t, drover.ExitRefused, "runs cancel "+batch.Short(interrupted), "undo", interrupted, "--no-input")
		})
	})
}

func TestUndo_NothingChanged(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 10)
		b.mustRun(t, "mark", "--no-input", "--undo", "--to", "new") // what it is already
		id := b.lastRun(t)
		for _, option := range []string{"--dry-run", "--no-input"} {
			res := b.mustRun(t, "undo", id, option)
			if !strings.HasSuffix(res.Stdout, "Nothing to restore: run "+batch.Short(id)+" has changed no rows.\n") {
				t.Errorf("with %s it says %q", option, res.Stdout)
			}
		}
	})
}

// stopper asks a command to stop when it has printed a text.
type stopper struct {
	strings.Builder
	at       string
	once     sync.Once
	stopping chan struct{}
}

func (s *stopper) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.at) {
		s.once.Do(func() { close(s.stopping) })
	}
	return s.Builder.Write(p)
}

// TestUndo_StopAndGoOn stops an undo between two batches and goes on with it, once with the same line and once with "runs resume".
func TestUndo_StopAndGoOn(t *testing.T) {
	for name, goOn := range map[string]func(of, undo string) []string{
		"the same line": func(of, _ string) []string { return []string{"undo", of, "--batch-size", "1", "--no-input"} },
		"runs resume":   func(_, undo string) []string { return []string{"runs resume", undo, "--no-input"} },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.items(t, 600)
				before := b.data(t, "item")
				b.mustRun(t, "mark", "--no-input", "--undo")
				id := b.lastRun(t)
				out := &stopper{at: " started. Stop safely", stopping: make(chan struct{})}
				o := drover.CallOptions{Databases: []*db.DB{b.conn}, Stderr: out, Stopping: out.stopping}
				_, err := runsApp().CallWith(t.Context(), o, "undo", id, "--batch-size", "1", "--no-input")
				var stopped *drover.StopError
				if !errors.As(err, &stopped) || stopped.ExitCode() != drover.ExitAgain {
					t.Fatalf("got %v, want a StopError\n%s", err, out.String())
				}
				if want := "drover undo --batch-size 1 --no-input " + id; stopped.Resume != want {
					t.Errorf("to go on it says %q, want %q", stopped.Resume, want)
				}
				undo := b.lastRun(t)
				b.wantState(t, undo, "paused")
				b.wantState(t, id, "undoing")
				if plan := b.mustRun(t, "undo", id, "--dry-run").Stdout; !strings.Contains(plan, "run "+batch.Short(undo)+" is resumed: ") {
					t.Errorf("the plan does not tell that it goes on:\n%s", plan)
				}
				line := goOn(id, undo)
				b.mustRun(t, line[0], line[1:]...)
				if got := b.lastRun(t); got != undo {
					t.Errorf("run %s was begun, in place of going on with %s", got, undo)
				}
				if diff := cmp.Diff(before, b.data(t, "item")); diff != "" {
					t.Errorf("the table is not what it was (-before +after):\n%s", diff)
				}
				b.wantState(t, undo, "succeeded")
				b.wantState(t, id, "undone")
			})
		})
	}
}
