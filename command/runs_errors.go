package command

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

const (
	errorsShown = 100 // rows that "runs errors" shows by itself; with --json all
	errorsPage  = 500 // rows that are read at a time
)

func runsErrors() *drover.Command {
	var limit int
	return &drover.Command{
		Name: "errors", Short: "Show the rows that a run has set aside",
		Long: `Show the rows that a run has set aside: their key, why they failed, and the row as it was.

With --json each row is a document of its own, and all of them are printed unless --limit is given.`,
		Example: `drover runs errors 01JD8ZK2
drover runs errors 01JD8ZK2 --json > failed.jsonl`,
		Args:     drover.Args{Usage: runArgument},
		Complete: completeRuns(anyRun),
		Flags: func(f *pflag.FlagSet) {
			f.IntVar(&limit, "limit", errorsShown, "show at most so `many` rows")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			if limit < 1 {
				return drover.Exit(drover.ExitUsage, "--limit must be at least 1")
			}
			if c.JSONOutput() && !c.Flags().Changed("limit") {
				limit = math.MaxInt
			}
			store := runstore.New(c.DB())
			run, err := findRun(ctx, c, store, c.Arg(0))
			if err != nil {
				return err
			}
			return showErrors(ctx, c, store, run, limit)
		},
	}
}

// showErrors prints the rows page by page, for there may be many.
func showErrors(ctx context.Context, c *drover.Call, store *runstore.Store, run *runstore.Run, limit int) error {
	var after int64
	shown := 0
	for shown < limit {
		rows, err := store.Quarantine(ctx, run.ID, after, min(errorsPage, limit-shown))
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		if err := printAside(c, rows); err != nil {
			return err
		}
		shown += len(rows)
		after = rows[len(rows)-1].ID
	}
	if c.JSONOutput() {
		return nil
	}
	return errorsFoot(ctx, c, store, run, shown)
}

func printAside(c *drover.Call, rows []runstore.Quarantined) error {
	if c.JSONOutput() {
		for _, q := range rows {
			c.JSON(asideOf(q))
		}
		return nil
	}
	if _, err := fmt.Fprint(c.Out(), asideGrid(rows, c.Verbosity() >= 2)); err != nil {
		return fmt.Errorf("print the rows: %w", err)
	}
	return nil
}

// errorsFoot says how many there are, and what can be done with them.
func errorsFoot(ctx context.Context, c *drover.Call, store *runstore.Store, run *runstore.Run, shown int) error {
	totals, err := store.Totals(ctx, run.ID)
	if err != nil {
		return err
	}
	switch {
	case totals.Quarantined == 0:
		c.Notice("Run %s has set no rows aside.", batch.Short(run.ID))
	case run.UndoOf != "":
		c.Notice("%d of %s.", shown, term.Counted(totals.Quarantined, "row"))
	default:
		c.Notice("%d of %s. Work on them again: %s runs retry %s", shown, term.Counted(totals.Quarantined, "row"), tool(c), batch.Short(run.ID))
	}
	return nil
}

const (
	errorWidth = 80 // of an error in the table, but for -v 2
	inputWidth = 60 // of a row
)

// asideGrid is rows that were set aside as a table; whole says that nothing is cut.
func asideGrid(rows []runstore.Quarantined, whole bool) string {
	g := grid{}
	g.add("KEY", "KIND", "ERROR", "RETRIED BY", "ROW")
	for _, q := range rows {
		key, kind, retried := "-", "-", "-"
		if q.Key != nil {
			key = keyText(q.Key)
		}
		if q.Kind != "" {
			kind = term.Printable(q.Kind)
		}
		if q.Retried != "" {
			retried = batch.Short(q.Retried)
		}
		text, input := term.Printable(dialect.OneLine(q.Error)), term.Printable(dialect.OneLine(q.Input))
		if !whole {
			text, input = cutText(text, errorWidth), cutText(input, inputWidth)
		}
		g.add(key, kind, text, retried, input)
	}
	return g.String()
}
