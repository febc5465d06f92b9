package command

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

func runsPrune() *drover.Command {
	var age ageFlag
	return &drover.Command{
		Name: "prune", Short: "Delete what is stored of old runs",
		Long: `Delete what is stored of the runs that have been finished for longer than a time: the run, its events, the rows that it has set aside, and what they
were before it. Such a run cannot be shown or undone any more. Runs that are not finished stay, and so does a run that one of them undoes or replays.`,
		Example: `drover runs prune --older-than 30d --dry-run
drover runs prune --older-than 90d --no-input --all-databases`,
		Options: drover.Options{DryRun: true, PlanOnly: true, Confirm: true, EachDatabase: true},
		Require: []string{"older-than"},
		Flags: func(f *pflag.FlagSet) {
			f.Var(&age, "older-than", "delete runs that have been finished for longer than this `time`, as 30d")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			if age <= 0 {
				return drover.Exit(drover.ExitUsage, "--older-than must be more than 0")
			}
			return prune(ctx, c, time.Duration(age))
		},
	}
}

func prune(ctx context.Context, c *drover.Call, age time.Duration) error {
	store := runstore.New(c.DB())
	switch err := store.Ready(ctx); {
	case errors.Is(err, runstore.ErrNoTables):
		nothing(c, "Nothing to delete: nothing has been run on %s yet.", c.DB().Alias())
		return nil
	case err != nil:
		return unusable(err)
	}
	old, canUndo, err := store.CountPrunable(ctx, age)
	switch {
	case err != nil:
		return err
	case old == 0:
		nothing(c, "Nothing to delete: no run has been finished for longer than %s.", age)
		return nil
	case c.DryRun():
		c.Did(drover.Deleted, "%s", pruned(c, old))
		return nil
	}
	facts := drover.Facts{Action: "permanently delete", Count: old, What: "old runs with all that is stored of them"}
	if canUndo > 0 {
		facts.Cascades = []drover.Cascade{{Action: "give up the undo of", Count: canUndo, What: "of them"}}
	}
	if err := c.Confirm(ctx, facts); err != nil {
		return err
	}
	n, err := store.Prune(ctx, age)
	if err != nil {
		return drover.Errorf("%w; %s deleted", err, term.Counted(n, "run")).Try("run it again: it goes on")
	}
	c.Did(drover.Deleted, "%s", pruned(c, n))
	return nil
}

func pruned(c *drover.Call, n int64) string {
	return term.Counted(n, "old run") + " from " + c.DB().Alias() + "."
}

// nothing says that there is nothing to do. A dry run has not done that nothing either, so the sentence is the same.
func nothing(c *drover.Call, format string, args ...any) {
	if c.DryRun() {
		c.Line(format, args...)
		return
	}
	c.Success(format, args...)
}
