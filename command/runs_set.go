package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/person"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// settable are the options that can be changed while a run lasts, for the shell.
var settable = []string{"batch-size=", "max-errors=", "rows-per-second=", "workers="}

func runsSet() *drover.Command {
	return &drover.Command{
		Name: "set", Short: "Change options of a run, also while it lasts",
		Long: `Change options of a run. Its runner follows within about a second; for a run that nobody works on they count when it is resumed with "runs resume".

batch-size, workers, max-errors and rows-per-second (0: no limit) can be changed.`,
		Example: `drover runs set 01JD8ZK2 batch-size=500 rows-per-second=2000
drover runs set 01JD8ZK2 max-errors=1000`,
		Args: drover.Args{Usage: runArgument + " OPTION=VALUE..."},
		Complete: func(ctx context.Context, c *drover.Call, option, prefix string) []string {
			if option == "" && len(c.Args()) > 0 {
				return settable
			}
			return completeRuns(unfinishedRun)(ctx, c, option, prefix)
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			changes, err := readChanges(c.Args()[1:])
			if err != nil {
				return err
			}
			store := runstore.New(c.DB())
			run, err := findRun(ctx, c, store, c.Arg(0))
			if err != nil {
				return err
			}
			if run.State.Finished() {
				return finished(run, "set")
			}
			return change(ctx, c, store, run, changes)
		},
	}
}

type optionChange struct{ name, value string }

// readChanges reads all changes before the first is made.
func readChanges(words []string) ([]optionChange, error) {
	var changes []optionChange
	for _, word := range words {
		name, value, ok := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if !ok {
			return nil, drover.Exit(drover.ExitUsage, "%q is not of the form OPTION=VALUE", word)
		}
		if err := batch.CheckOption(name, value); err != nil {
			return nil, drover.Exit(drover.ExitUsage, "%w", err)
		}
		changes = append(changes, optionChange{name, value})
	}
	return changes, nil
}

// setDocument is one changed option.
type setDocument struct {
	Type   string `json:"type"`
	Time   string `json:"time"`
	RunID  string `json:"run_id"`
	Option string `json:"option"`
	Old    string `json:"old"`
	New    string `json:"new"`
}

func change(ctx context.Context, c *drover.Call, store *runstore.Store, run *runstore.Run, changes []optionChange) error {
	for _, x := range changes {
		old, err := store.Set(ctx, run.ID, x.name, x.value, person.Name())
		if err != nil {
			return stateError(fmt.Errorf("set %s: %w", x.name, err))
		}
		if c.JSONOutput() {
			c.JSON(setDocument{"set", term.Timestamp(c.Now()), run.ID, x.name, old, x.value})
			continue
		}
		if old == "" {
			old = "none"
		}
		c.Line("%s  %s -> %s", x.name, term.Printable(old), x.value)
	}
	if run.Live() {
		c.Notice("%s follows within about a second.", term.Printable(run.Owner))
	} else {
		c.Notice("Nobody works on run %s now; it counts when it is resumed: %s", batch.Short(run.ID), resumeLine(c, *run))
	}
	return nil
}
