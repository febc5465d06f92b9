package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/suggest"
)

// Runs returns the command "runs", with everything that can be done with runs but to begin one: list and show them, see the rows that they have set
// aside, pause and cancel them, go on with them, replay what they have set aside, change their options while they last, and delete old ones.
func Runs() *drover.Command {
	return &drover.Command{
		Name:  "runs",
		Short: "Look at runs, pause them and go on with them",
		Long: `Look at the runs that this database knows, pause or cancel them, and go on with them.

A run is one execution of a command that works in batches. RUN is the id that the command prints when it begins, or as much of its beginning as
no other run shares.`,
		Subcommands: []*drover.Command{
			runsList(), runsShow(), runsErrors(), runsPause(), runsCancel(), runsResume(), runsRetry(), runsSet(), runsPrune(),
		},
	}
}

// tool is how an advised command line begins: with this program, and this call's database.
func tool(c *drover.Call) string { return c.Program() + c.DatabaseOption() }

// runArgument is the usage of the commands about one run.
const runArgument = "RUN"

// findRun returns the run that an argument names.
func findRun(ctx context.Context, c *drover.Call, store *runstore.Store, id string) (*runstore.Run, error) {
	switch err := store.Ready(ctx); {
	case errors.Is(err, runstore.ErrNoTables):
		return nil, drover.Exit(drover.ExitUsage, "no run %q: database %q has no runs yet", id, c.DB().Alias()).
			Try("--database ALIAS chooses another database")
	case err != nil:
		return nil, unusable(err)
	}
	run, err := store.Find(ctx, id)
	var several *runstore.AmbiguousError
	switch {
	case errors.As(err, &several):
		return nil, drover.Exit(drover.ExitUsage, "%w", err).Try("runs: %s", short(several.IDs))
	case errors.Is(err, runstore.ErrNoRun):
		return nil, noRun(ctx, c, store, id)
	}
	return run, err
}

// unusable explains why the tables cannot be used.
func unusable(err error) error {
	if errors.Is(err, runstore.ErrNewer) {
		return drover.Errorf("%w", err).Try("use the version of the program that has made them, or a later one")
	}
	return err
}

// recent is how many of the newest runs are offered to the shell, and searched for the one that was probably meant.
const recent = 200

// noRun names the run that was probably meant.
func noRun(ctx context.Context, c *drover.Call, store *runstore.Store, id string) error {
	refused := drover.Exit(drover.ExitUsage, "no run %q in database %q (%s)", id, c.DB().Alias(), c.DB().Address())
	runs, _, err := store.List(ctx, runstore.Filter{Limit: recent})
	if err != nil {
		return err
	}
	ids := make([]string, len(runs))
	for i, run := range runs {
		if ids[i] = run.ID; len(id) <= len(batch.Short(run.ID)) {
			ids[i] = batch.Short(run.ID)
		}
	}
	if near := suggest.Nearest(id, ids); near != "" {
		run := runs[slices.Index(ids, near)]
		return refused.Try("did you mean %s (%s, %s)?", near, title(run), stateText(run))
	}
	return refused.Try("%s runs list    shows the runs", tool(c))
}

// completeRuns offers the newest runs that fit to the shell.
func completeRuns(fits func(r *runstore.Run) bool) func(ctx context.Context, c *drover.Call, option, prefix string) []string {
	return func(ctx context.Context, c *drover.Call, option, prefix string) []string {
		if option != "" || len(c.Args()) > 0 {
			return nil
		}
		return runIDs(ctx, c, "database", prefix, fits)
	}
}

// runIDs are the ids of the newest runs that fit, each with what it is, of the database whose alias an option gives.
func runIDs(ctx context.Context, c *drover.Call, option, prefix string, fits func(r *runstore.Run) bool) []string {
	var ids []string
	runs, counters := recentRuns(ctx, c, option)
	for i, run := range runs {
		if id := completed(run.ID, prefix); id != "" && fits(&run) {
			ids = append(ids, id+"\t"+title(run)+"  "+stateText(run)+" "+doneText(run, counters[i]))
		}
	}
	return ids
}

// completed is the id, no longer than it needs to be and with the letters as they were begun, or "" where it does not begin with prefix.
func completed(id, prefix string) string {
	if !strings.HasPrefix(id, strings.ToUpper(prefix)) {
		return ""
	}
	rest := batch.Short(id)
	if len(prefix) > len(rest) {
		rest = id
	}
	rest = rest[len(prefix):]
	if prefix != strings.ToUpper(prefix) {
		rest = strings.ToLower(rest)
	}
	return prefix + rest
}

// recentRuns are the newest runs and what was done in them; none where the database cannot be asked.
func recentRuns(ctx context.Context, c *drover.Call, option string) ([]runstore.Run, []runstore.Counters) {
	alias, err := c.Flags().GetString(option)
	if err != nil {
		return nil, nil
	}
	conn, err := c.Database(ctx, alias, db.AsIs())
	if err != nil {
		return nil, nil
	}
	store := runstore.New(conn)
	if store.Ready(ctx) != nil {
		return nil, nil
	}
	runs, counters, err := store.List(ctx, runstore.Filter{Limit: recent})
	if err != nil {
		return nil, nil
	}
	return runs, counters
}

func anyRun(*runstore.Run) bool { return true }

func unfinishedRun(r *runstore.Run) bool { return !r.State.Finished() }
