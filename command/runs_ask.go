package command

import (
	"context"
	"errors"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/person"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

func runsPause() *drover.Command {
	return &drover.Command{
		Name: "pause", Short: "Ask the runner of a run to stop after its batch",
		Long: `Ask the runner of a run to stop after the batches under way. It sees the request within about a second, on whichever machine it is; the command
does not wait for it. What is committed stays, and "runs resume" goes on.`,
		Args:     drover.Args{Usage: runArgument},
		Complete: completeRuns(func(r *runstore.Run) bool { return r.Live() }),
		Run:      func(ctx context.Context, c *drover.Call) error { return pause(ctx, c) },
	}
}

func runsCancel() *drover.Command {
	return &drover.Command{
		Name: "cancel", Short: "Give a run up, so that it cannot be resumed",
		Long: `Give a run up, so that it cannot be resumed. Its runner, if it has one, stops after the batches under way. What is committed stays; "undo" takes it
back where the run was begun with --undo.`,
		Args:     drover.Args{Usage: runArgument},
		Options:  drover.Options{Confirm: true},
		Complete: completeRuns(unfinishedRun),
		Run:      func(ctx context.Context, c *drover.Call) error { return cancel(ctx, c) },
	}
}

func pause(ctx context.Context, c *drover.Call) error {
	store := runstore.New(c.DB())
	run, err := findRun(ctx, c, store, c.Arg(0))
	if err != nil {
		return err
	}
	id := batch.Short(run.ID)
	switch {
	case run.State.Finished():
		return finished(run, "pause")
	case run.State == runstore.Paused:
		tellAsked(c, *run, "Run %s is paused. Go on: %s", id, resumeLine(c, *run))
		return nil
	case !run.Live():
		return drover.Errorf("run %s is %s, and nobody works on it", id, run.State).Try("%s    goes on with it", resumeLine(c, *run)).
			Try("%s runs cancel %s    gives it up", tool(c), id)
	}
	now, err := store.Ask(ctx, run.ID, runstore.RequestPause, person.Name())
	if err != nil {
		return stateError(err)
	}
	tellAsked(c, now, "Asked %s to pause run %s: it stops after the batches under way. Go on then: %s", term.Printable(run.Owner), id, resumeLine(c, now))
	return nil
}

func cancel(ctx context.Context, c *drover.Call) error {
	store := runstore.New(c.DB())
	run, err := findRun(ctx, c, store, c.Arg(0))
	if err != nil {
		return err
	}
	id := batch.Short(run.ID)
	if run.State.Finished() {
		return finished(run, "cancel")
	}
	totals, err := store.Totals(ctx, run.ID)
	if err != nil {
		return err
	}
	what := "run for good: " + id + ", " + title(*run) + ", " + doneText(*run, totals) + " done,"
	if err := c.Confirm(ctx, drover.Facts{Action: "cancel", Count: 1, What: what}); err != nil {
		return err
	}
	now, err := store.Ask(ctx, run.ID, runstore.RequestCancel, person.Name())
	if err != nil {
		return stateError(err)
	}
	kept := ""
	if now.Undo {
		kept = " What it has done can be taken back: " + tool(c) + " undo " + id
	}
	if now.State == runstore.Cancelled {
		tellAsked(c, now, "Cancelled run %s.%s", id, kept)
		return nil
	}
	tellAsked(c, now, "Asked %s to cancel run %s: it stops after the batches under way.%s", term.Printable(now.Owner), id, kept)
	return nil
}

// finished is the error of asking something of a run that is over.
func finished(run *runstore.Run, what string) error {
	return drover.Errorf("run %s is %s, so there is nothing to %s", batch.Short(run.ID), run.State, what)
}

// stateError is the error of a run whose state has changed under the user's hands.
func stateError(err error) error {
	if errors.Is(err, runstore.ErrState) {
		return drover.Errorf("%w", err)
	}
	return err
}

// askedDocument says what has become of a request.
type askedDocument struct {
	Type    string           `json:"type"`
	Time    string           `json:"time"`
	RunID   string           `json:"run_id"`
	State   runstore.State   `json:"state"`
	Request runstore.Request `json:"request"` // what the runner is still to do
	Owner   string           `json:"owner"`
}

// tellAsked prints how the run is after a request.
func tellAsked(c *drover.Call, run runstore.Run, format string, args ...any) {
	if c.JSONOutput() {
		c.JSON(askedDocument{"asked", term.Timestamp(c.Now()), run.ID, run.State, run.Request, run.Owner})
		return
	}
	c.Success(format, args...)
}
