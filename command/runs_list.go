package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/suggest"
	"github.com/drover-dev/drover/internal/term"
)

// listed is how many runs "runs list" shows by itself.
const listed = 20

// states are those that a run can be in, as "runs list --state" takes them.
var states = []runstore.State{
	runstore.Planned, runstore.Running, runstore.Throttled, runstore.Paused, runstore.Interrupted, runstore.Failed, runstore.Succeeded,
	runstore.Cancelled, runstore.Undoing, runstore.Undone,
}

func stateNames() []string {
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	return names
}

func runsList() *drover.Command {
	var filter runstore.Filter
	var state string
	return &drover.Command{
		Name:  "list",
		Short: "List the runs, the newest first",
		Example: `drover runs list --unfinished
drover runs list --command purge --limit 5
drover runs list --state failed --json`,
		Options: drover.Options{EachDatabase: true},
		Flags: func(f *pflag.FlagSet) {
			f.IntVar(&filter.Limit, "limit", listed, "list at most so `many` runs")
			f.StringVar(&state, "state", "", "only runs in this `state`: "+strings.Join(stateNames(), ", "))
			f.StringVar(&filter.Command, "command", "", "only runs of the command of this `name`")
			f.BoolVar(&filter.Unfinished, "unfinished", false, "only runs that are not finished")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			filter.State = runstore.State(state)
			switch {
			case filter.Limit < 1:
				return drover.Exit(drover.ExitUsage, "--limit must be at least 1")
			case state != "" && !slices.Contains(states, filter.State):
				refused := drover.Exit(drover.ExitUsage, "no run can be in the state %q", state)
				if near := suggest.Nearest(state, stateNames()); near != "" {
					return refused.Try("did you mean %s?", near)
				}
				return refused.Try("states: %s", strings.Join(stateNames(), ", "))
			}
			return list(ctx, c, filter)
		},
		Complete: func(_ context.Context, _ *drover.Call, option, _ string) []string {
			if option == "state" {
				return stateNames()
			}
			return nil
		},
	}
}

func list(ctx context.Context, c *drover.Call, filter runstore.Filter) error {
	store := runstore.New(c.DB())
	switch err := store.Ready(ctx); {
	case errors.Is(err, runstore.ErrNoTables):
		c.Notice("No runs: nothing has been run on %s yet.", c.DB().Alias())
		return nil
	case err != nil:
		return unusable(err)
	}
	runs, counters, err := store.List(ctx, filter)
	if err != nil {
		return err
	}
	if c.JSONOutput() {
		for i, r := range runs {
			c.JSON(documentOf(c, r, counters[i]))
		}
		return nil
	}
	if len(runs) == 0 {
		c.Notice("No runs.")
		return nil
	}
	if err := printRuns(c, runs, counters); err != nil {
		return err
	}
	listFoot(c, runs, len(runs) == filter.Limit)
	return nil
}

func printRuns(c *drover.Call, runs []runstore.Run, counters []runstore.Counters) error {
	g := grid{right: []int{4, 5, 7}}
	g.add("RUN", "COMMAND", "DB", "STATE", "DONE", "RATE/s", "STARTED", "TOOK", "BY")
	now := c.Now()
	for i, r := range runs {
		g.add(batch.Short(r.ID), title(r), c.DB().Alias(), stateText(r), doneText(r, counters[i]), rateText(r, counters[i], now),
			timeText(r.StartedAt, now), tookText(r, now), term.Printable(r.CreatedBy))
	}
	if _, err := fmt.Fprint(c.Out(), g.String()); err != nil {
		return fmt.Errorf("print the runs: %w", err)
	}
	return nil
}

// listFoot says which runs need somebody, and what can be done with them.
func listFoot(c *drover.Call, runs []runstore.Run, more bool) {
	unfinished := 0
	for _, r := range runs {
		if !r.State.Finished() {
			unfinished++
		}
		if r.State == runstore.Interrupted {
			c.Notice("Run %s was interrupted: its runner, %s, has not been heard of. Go on with it: %s", batch.Short(r.ID), term.Printable(r.Owner), resumeLine(c, r))
		}
	}
	text := term.Counted(int64(len(runs)), "run")
	if more {
		text = "The newest " + text + " (--limit)"
	}
	c.Notice("%s, %d unfinished. Details: %[3]s runs show RUN      Resume: %[3]s runs resume RUN      JSON: --json", text, unfinished, tool(c))
}

// resumeLine is the command line that goes on with a run.
func resumeLine(c *drover.Call, r runstore.Run) string {
	return tool(c) + " runs resume " + batch.Short(r.ID)
}
