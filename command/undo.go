package command

import (
	"context"
	"errors"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// undoBatch is the default of --batch-size.
const undoBatch = 1000

// Undo returns the command "undo", which restores what the rows of a run were before it, newest change first. A row that was changed since is left
// alone and listed. It is a run itself: it can be stopped between batches at any time, and is run again to go on.
func Undo() *drover.Command {
	return &drover.Command{
		Name: "undo", Short: "Restore the rows of a run to what they were before it",
		Long: `Restore the rows of a run to what they were before it, newest change first: updated rows get their old values, deleted rows are inserted again, and
rows that the run has made are deleted. The run must have been begun with --undo.

A row that was changed since the run is left alone, set aside and listed; the exit code is 3 then. What triggers, cascades and other statements
did is not undone. Ctrl-C stops after the current batch; the same command, run again, goes on.`,
		Example: `drover undo 01JD8ZK2 --dry-run
drover undo 01JD8ZK2`,
		Args:     drover.Args{Usage: runArgument},
		Options:  drover.Options{DryRun: true, PlanOnly: true, Confirm: true, BatchSize: undoBatch},
		Complete: completeRuns(undoable),
		Run: func(ctx context.Context, c *drover.Call) error {
			u := &undo{call: c, store: runstore.New(c.DB()), screen: batch.NewScreen(c, drover.Restored)}
			u.screen.SameLine()
			return u.run(ctx)
		},
	}
}

func undoable(r *runstore.Run) bool { return r.Undo && r.State != runstore.Undone && !r.Live() }

// undo is one invocation.
type undo struct {
	call   *drover.Call
	store  *runstore.Store
	screen *batch.Screen

	of    *runstore.Run
	plan  *batch.Plan
	kinds []runstore.Journalled
}

func (u *undo) run(ctx context.Context) (err error) {
	c := u.call
	if u.of, err = findRun(ctx, c, u.store, c.Arg(0)); err != nil {
		return err
	}
	id := batch.Short(u.of.ID)
	switch u.of.State {
	case runstore.Undone:
		nothing(c, "Nothing to restore: run %s is undone already.", id)
		return nil
	case runstore.Interrupted:
		// Nobody has told its runner to stop: were it to come back, it would go on changing rows.
		return drover.Exit(drover.ExitRefused, "run %s was interrupted, and may still be gone on with", id).
			Try("%s runs cancel %s    gives it up; then it can be undone", tool(c), id)
	}
	o := batch.Options{
		BatchSize: c.BatchSize(), CommandLine: c.CommandLine(map[string]string{"no-input": ""}), Stopping: c.Stopping(), StopReason: c.StopReason,
		Now: c.Now, Observe: u.screen.Observe,
	}
	if u.plan, err = batch.PlanUndo(ctx, c.DB(), u.of.ID, o); err != nil {
		return u.locked(err)
	}
	if u.kinds, err = u.store.CountJournal(ctx, u.of.ID); err != nil {
		return err
	}
	u.screen.Begin(u.plan)
	if err := u.show(); err != nil {
		return err
	}
	switch {
	case c.DryRun() && c.JSONOutput():
		return nil // the plan is all
	case u.plan.Rows == 0:
		nothing(c, "Nothing to restore: run %s has changed no rows.", id)
		return nil
	case c.DryRun():
		c.Did(drover.Restored, "%s", u.amount())
		c.Notice("Run without --dry-run to apply.")
		return nil
	}
	facts := drover.Facts{Action: "restore", Count: max(u.left(), 1), What: "rows to what they were before run " + id + " (" + title(*u.of) + ")"}
	if err := c.Confirm(ctx, facts); err != nil {
		return err
	}
	res, err := batch.Undo(ctx, c.DB(), u.of.ID, o)
	return u.finish(ctx, res, err)
}

// locked lets the advice about a run that somebody works on name the database.
func (u *undo) locked(err error) error {
	if locked, ok := errors.AsType[*batch.LockedError](err); ok {
		locked.Tool = tool(u.call)
	}
	return err
}

func (u *undo) left() int64 { return u.plan.Rows - u.plan.Done }

// amount is the sentence of a dry run, without its verb; batch says the same when it is done.
func (u *undo) amount() string {
	return term.Counted(u.left(), "row") + " in " + term.Counted(u.plan.Batches, "batch") + " on " + u.call.DB().Alias() + "."
}

// undoDocument is the plan of an undo.
type undoDocument struct {
	Type      string         `json:"type"`
	Time      string         `json:"time"`
	Command   string         `json:"command"`
	DryRun    bool           `json:"dry_run"`
	Database  runDatabase    `json:"database"`
	UndoOf    string         `json:"undo_of"`
	RunID     string         `json:"run_id,omitempty"` // the undo that is gone on with
	Rows      int64          `json:"rows"`
	Done      int64          `json:"done"`
	BatchSize int            `json:"batch_size"`
	Batches   int64          `json:"batches"`
	Changes   []undoneChange `json:"changes"`
}

// undoneChange is how many rows of a table will be restored after a change of one kind.
type undoneChange struct {
	Table  string `json:"table"`
	Change string `json:"change"` // update, delete or create
	Rows   int64  `json:"rows"`
}

// show prints the plan: as the result of a dry run, before a run as something worth knowing.
func (u *undo) show() error {
	c := u.call
	switch {
	case c.JSONOutput():
		c.JSON(u.document())
	case c.DryRun():
		c.Block(u.text() + "\n")
	default:
		c.Detail(1, "%s", u.text())
		c.Detail(1, "")
	}
	return nil
}

func (u *undo) document() undoDocument {
	c, p := u.call, u.plan
	d := undoDocument{
		Type: "plan", Time: term.Timestamp(c.Now()), Command: c.CommandName(), DryRun: c.DryRun(), Database: databaseOf(c.DB()),
		UndoOf: u.of.ID, RunID: p.RunID, Rows: p.Rows, Done: p.Done, BatchSize: p.Size, Batches: p.Batches, Changes: []undoneChange{},
	}
	for _, k := range u.kinds {
		d.Changes = append(d.Changes, undoneChange{unquotedTable(k.Table), k.Op, k.Rows})
	}
	return d
}

// text is the plan as a block of text.
func (u *undo) text() string {
	c, p := u.call, u.plan
	b := &sheet{}
	b.WriteString("undo  plan")
	if c.DryRun() {
		b.WriteString(" only, nothing will be changed")
	}
	b.WriteString("\n\n")
	b.line("Database", "%s   %s", c.DB().Alias(), c.DB().Address())
	b.line("Run", "%s   %s   %s", batch.Short(u.of.ID), title(*u.of), stateText(*u.of))
	if p.RunID != "" {
		b.line("Undo", "run %s is resumed: %s of %s done", batch.Short(p.RunID), drover.Count(p.Done), drover.Count(p.Rows))
	}
	for _, kind := range []struct{ op, label, what string }{
		{"update", "Updated", "get their old values back"},
		{"delete", "Deleted", "are inserted again"},
		{"create", "Created", "are deleted"},
	} {
		label := kind.label
		for _, k := range u.kinds {
			if k.Op == kind.op {
				b.line(label, "%s of %s, which %s", term.Counted(k.Rows, "row"), term.Printable(unquotedTable(k.Table)), kind.what)
				label = ""
			}
		}
	}
	b.line("Batches", "%s x %s, one transaction each", drover.Count(p.Batches), term.Counted(int64(p.Size), "row"))
	if !u.of.State.Finished() {
		b.line("Warning", "run %s is %s: after the undo it cannot be resumed", batch.Short(u.of.ID), u.of.State)
	}
	b.line("Note", "rows that were changed since the run are left alone and listed")
	return b.String()
}

// unquotedTable is a table's name as people write it.
func unquotedTable(name string) string { return strings.NewReplacer(`"`, "", "`", "").Replace(name) }

// finish shows how the undo ended. What it has left alone stays so: it is listed, and not to be retried.
func (u *undo) finish(ctx context.Context, res *batch.Result, err error) error {
	if err = u.screen.Finish(ctx, res, u.locked(err)); drover.ExitCode(err) == drover.ExitPartial {
		return u.conflicts(ctx, res)
	}
	return err
}

// conflictsListed is how many of the rows that were left alone are listed at the end.
const conflictsListed = 20

// conflicts lists the rows that were left alone.
func (u *undo) conflicts(ctx context.Context, res *batch.Result) error {
	c := u.call
	rows, err := u.store.Quarantine(ctx, res.RunID, 0, conflictsListed)
	if err != nil {
		return err
	}
	if !c.JSONOutput() {
		c.Warning("%s left alone:", term.Counted(res.Quarantined, "row"))
		for _, q := range rows {
			c.Warning("row %s: %s", keyText(q.Key), term.Printable(dialect.OneLine(q.Error)))
		}
		if more := res.Quarantined - int64(len(rows)); more > 0 {
			c.Warning("… and %d more", more)
		}
	}
	return drover.Exit(drover.ExitPartial, "%s could not be restored", term.Counted(res.Quarantined, "row")).
		Try("%s runs errors %s    shows them", tool(c), batch.Short(res.RunID))
}
