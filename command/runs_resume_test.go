package command_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

const marked = "SELECT count(*) FROM item WHERE status = "

func TestRuns_ResumeFailed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		// The options of presentation are the resuming call's.
		b.wantError(t, drover.ExitFailed, "broken on purpose", "mark", "--no-input", "--fail-at", "50", "--batch-size", "10", "--to", "it's done", "--json")
		id := b.lastRun(t)
		b.wantCount(t, marked+"'it''s done'", 40)
		b.exec(t, "UPDATE item SET status = 'repaired' WHERE id = 50")
		b.wantError(t, drover.ExitUsage, "--no-input", "runs resume", id) // nobody to ask
		res := b.mustRun(t, "runs resume", batch.Short(id), "--no-input")
		for _, want := range []string{`drover mark --fail-at 50 --batch-size 10 --to "it's done" --resume ` + id + " --no-input", "attempt 2, after 40"} {
			if !strings.Contains(res.Stderr, want) {
				t.Errorf("stderr does not contain %q:\n%s", want, res.Stderr)
			}
		}
		if want := "Processed 100 rows in 10 batches on default.\n"; res.Stdout != want {
			t.Errorf("it says %q, want %q", res.Stdout, want)
		}
		b.wantCount(t, marked+"'it''s done'", 100)
		b.wantState(t, id, "succeeded")
		b.wantError(t, drover.ExitFailed, "nothing to resume", "runs resume", id)
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 1)
	})
}

func TestRuns_ResumeInterrupted(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		b.wantError(t, drover.ExitFailed, "", "mark", "--no-input", "--fail-at", "50", "--batch-size", "10")
		id := b.lastRun(t)
		b.interrupt(t, id)
		b.exec(t, "UPDATE item SET status = 'repaired' WHERE id = 50")
		code, stdout, stderr := b.shell(t, nil, "runs", "resume", id, "--no-input", "--progress", "none", "--json")
		if code != 0 || !strings.Contains(stdout, `"status":"succeeded"`) || !strings.Contains(stdout, "its last runner, somebody@elsewhere pid 1, has died") {
			t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
		}
		b.wantCount(t, marked+"'done'", 100)
		b.wantState(t, id, "succeeded")
	})
}

// TestRuns_ResumeWithChangedOptions proves that what "runs set" has changed counts, although the stored command line says otherwise.
func TestRuns_ResumeWithChangedOptions(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		b.wantError(t, drover.ExitFailed, "a second row failed", "mark", "--no-input", "--bad-from", "99", "--batch-size", "10", "--max-errors", "1")
		id := b.lastRun(t)
		b.wantError(t, drover.ExitFailed, "a second row failed", "runs resume", id, "--no-input")
		res := b.mustRun(t, "runs set", id, "max-errors=2", "batch-size=5")
		if want := "max-errors  1 -> 2\nbatch-size  10 -> 5\n"; res.Stdout != want || !strings.Contains(res.Stderr, "counts when it is resumed") {
			t.Errorf("set says %q, want %q\n%s", res.Stdout, want, res.Stderr)
		}
		res = b.wantError(t, drover.ExitPartial, "2 rows set aside", "runs resume", id, "--no-input")
		for _, want := range []string{"Changed from outside: batch-size is 5.", "Changed from outside: max-errors is 2."} {
			if !strings.Contains(res.Stderr, want) {
				t.Errorf("stderr lacks %q:\n%s", want, res.Stderr)
			}
		}
		b.wantCount(t, marked+"'done'", 98)
		show := b.mustRun(t, "runs show", id).Stdout
		for _, want := range []string{"max-errors: 1 → 2", "batch-size: 10 → 5", "@"} {
			if !strings.Contains(show, want) {
				t.Errorf("show does not tell %q:\n%s", want, show)
			}
		}
		b.wantError(t, drover.ExitFailed, "nothing to set", "runs set", id, "workers=1")
		for change, want := range map[string]string{"workers": "OPTION=VALUE", "workers=0": "between 1 and", "undo=true": "cannot be changed"} {
			b.wantError(t, drover.ExitUsage, want, "runs set", id, "max-errors=5", change)
		}
	})
}

func TestRuns_Retry(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		b.wantError(t, drover.ExitPartial, "", "mark", "--no-input", "--bad-from", "71", "--max-errors", "50", "--limit", "80")
		id := b.lastRun(t)
		b.exec(t, "UPDATE item SET status = 'repaired' WHERE id BETWEEN 71 AND 75")
		b.wantError(t, drover.ExitPartial, "5 rows set aside", "runs retry", id, "--no-input")
		second := b.lastRun(t)
		if second == id {
			t.Fatal("no new run")
		}
		b.wantCount(t, marked+"'done'", 75)
		if list := b.mustRun(t, "runs list").Stdout; !strings.Contains(list, "retry of "+batch.Short(id)) && !strings.Contains(list, "…") {
			t.Errorf("the list does not tell of the retry:\n%s", list)
		}
		if show := b.mustRun(t, "runs show", second).Stdout; !strings.Contains(show, "of the rows that run "+batch.Short(id)+" has set aside") {
			t.Errorf("show does not tell of the retry:\n%s", show)
		}
		// What the retry has set aside is its own.
		b.exec(t, "UPDATE item SET status = 'repaired' WHERE id > 75")
		b.mustRun(t, "runs retry", second, "--no-input")
		b.wantCount(t, marked+"'done'", 80)
		if res := b.mustRun(t, "runs retry", id, "--no-input"); !strings.Contains(res.Stdout, "Nothing to process") {
			t.Errorf("when nothing is left it says %q", res.Stdout)
		}
	})
}

// TestRuns_ResumeElsewhere resumes a run in a program that does not have its command.
func TestRuns_ResumeElsewhere(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		program := drover.New("manage")
		program.AddFunc(func() *drover.Command { return marking().Command() })
		o := drover.CallOptions{Databases: []*db.DB{b.conn}}
		_, err := program.CallWith(t.Context(), o, "mark", "--no-input", "--fail-at", "50", "--to", "two words", "--batch-size", "10")
		if drover.ExitCode(err) != drover.ExitFailed {
			t.Fatal(err)
		}
		id := b.lastRun(t)
		without := newApp()
		_, err = without.CallWith(t.Context(), o, "runs resume", id)
		var refused *drover.CommandError
		if !errors.As(err, &refused) || refused.Code != drover.ExitFailed || !strings.Contains(refused.Message, `begun by the program "manage", and drover has no command "mark"`) {
			t.Fatalf("got %v", err)
		}
		if diff := cmp.Diff([]string{"manage mark --fail-at 50 --to 'two words' --batch-size 10 --resume " + id}, refused.Advice); diff != "" {
			t.Errorf("advice (-want +got):\n%s", diff)
		}
		// A program that has the command can go on, whatever its name.
		b.exec(t, "UPDATE item SET status = 'repaired' WHERE id = 50")
		b.mustRun(t, "runs resume", id, "--no-input")
		b.wantCount(t, marked+"'two words'", 100)
	})
}

func TestRuns_ResumeOfCode(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 10)
		job := marking()
		job.Process = func(context.Context, *batch.Batch[item]) error { return batch.Fatal(errBroken) }
		if _, err := job.Run(t.Context(), b.conn, batch.Options{}); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		id := b.lastRun(t)
		b.wantError(t, drover.ExitFailed, "begun from code", "runs resume", id)
		b.wantError(t, drover.ExitFailed, "Options.RetryOf", "runs retry", id)
		if show := b.mustRun(t, "runs show", id).Stdout; !strings.Contains(show, "mark, begun from code") {
			t.Errorf("show says\n%s", show)
		}
	})
}

// TestRuns_ResumeOfAnotherDatabase proves that the run is gone on with where it was found, whatever its command line calls the database.
func TestRuns_ResumeOfAnotherDatabase(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		if code, _, _ := b.shell(t, nil, "mark", "--no-input", "--fail-at", "50", "--batch-size", "10", "--database", b.URL); code != drover.ExitFailed {
			t.Fatalf("exit code %d", code)
		}
		b.exec(t, "UPDATE item SET status = 'repaired' WHERE id = 50")
		id := b.lastRun(t)
		if show := b.mustRun(t, "runs show", id, "--json").Stdout; strings.Contains(show, testdb.Password) {
			t.Errorf("the password is shown:\n%s", show)
		}
		b.mustRun(t, "runs resume", id, "--no-input")
		b.wantCount(t, marked+"'done'", 100)
	})
}

// TestRuns_RetryOfALaterPhase works again on rows that only the second phase has set aside.
func TestRuns_RetryOfALaterPhase(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 20)
		rows := func(_ context.Context, conn *db.DB) (batch.Source[item], error) {
			return batch.Rows(table.Of[item](conn)), nil
		}
		job := &batch.Job[item]{Name: "two", Short: "Two phases"}
		job.Phases = []batch.Phase[item]{
			{Name: "look", Source: rows, Process: func(context.Context, *batch.Batch[item]) error { return nil }},
			{Name: "sell", Source: rows, Process: func(ctx context.Context, b *batch.Batch[item]) error {
				var good []item
				for i, row := range b.Rows {
					if row.ID > 15 && row.Status != "repaired" {
						b.Quarantine(i, errBroken)
						continue
					}
					row.Status = "sold"
					good = append(good, row)
				}
				_, err := table.Of[item](b.DB()).BulkUpdate(ctx, good, "status")
				return err
			}},
		}
		app := runsApp()
		app.Add(job.Command())
		call := func(name string, args ...string) (*drover.Result, error) {
			return app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{b.conn}}, name, append(args, "--no-input")...)
		}
		if _, err := call("two", "--max-errors", "9"); drover.ExitCode(err) != drover.ExitPartial {
			t.Fatal(err)
		}
		id := b.lastRun(t)
		b.exec(t, "UPDATE item SET status = 'repaired' WHERE id > 15")
		res, err := call("runs retry", id)
		if err != nil {
			t.Fatalf("%v\n%s", err, res.Stderr)
		}
		b.wantCount(t, marked+"'sold'", 20)
		b.wantCount(t, "SELECT count(*) FROM drover_runs WHERE planned = 5", 1)
		if res, _ := call("runs retry", id); !strings.Contains(res.Stdout, "Nothing to process") {
			t.Errorf("when nothing is left it says %q", res.Stdout)
		}
	})
}

// TestRuns_ResumeOptionKeepsWhatWasSet types the command line that began the run once more: what was set since counts, but for what is given otherwise now.
func TestRuns_ResumeOptionKeepsWhatWasSet(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.items(t, 100)
		line := []string{"--no-input", "--bad-from", "99", "--batch-size", "10", "--max-errors", "1"}
		b.wantError(t, drover.ExitFailed, "a second row failed", "mark", line...)
		id := b.lastRun(t)
		b.mustRun(t, "runs set", id, "max-errors=2", "batch-size=5", "rows-per-second=100000")
		b.wantError(t, drover.ExitFailed, "a row failed", "mark", append(line[:len(line)-1:len(line)-1], "0", "--resume", id)...)
		res := b.wantError(t, drover.ExitPartial, "2 rows set aside", "mark", append(line, "--resume", id)...)
		for _, want := range []string{"batch-size is 5.", "max-errors is 2.", "rows-per-second is 100000."} {
			if !strings.Contains(res.Stderr, "Changed from outside: "+want) {
				t.Errorf("stderr lacks %q:\n%s", want, res.Stderr)
			}
		}
		b.wantCount(t, marked+"'done'", 98)
	})
}
