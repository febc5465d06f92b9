package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/person"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

func runsResume() *drover.Command {
	return &drover.Command{
		Name: "resume", Short: "Go on with a run that is not finished",
		Long: `Go on with a run that is paused, has failed or was interrupted, behind its last committed batch. The command line that began it is run in place,
with the standard options of this one (--database, --json, --progress, …) and with what "runs set" has changed.

A run that is asked to pause and has not stopped yet is asked to go on.`,
		Args:     drover.Args{Usage: runArgument},
		Options:  drover.Options{Confirm: true},
		Complete: completeRuns(unfinishedRun),
		Run:      func(ctx context.Context, c *drover.Call) error { return resume(ctx, c) },
	}
}

func runsRetry() *drover.Command {
	return &drover.Command{
		Name: "retry", Short: "Work again on the rows that a run has set aside",
		Long: `Work again on the rows that a run has set aside, as a run of its own: with the command line that began the first one, less its --limit. Rows that fail
once more are set aside by the new run.`,
		Args:     drover.Args{Usage: runArgument},
		Options:  drover.Options{Confirm: true},
		Complete: completeRuns(func(r *runstore.Run) bool { return r.UndoOf == "" }),
		Run:      func(ctx context.Context, c *drover.Call) error { return retry(ctx, c) },
	}
}

func resume(ctx context.Context, c *drover.Call) error {
	store := runstore.New(c.DB())
	run, err := findRun(ctx, c, store, c.Arg(0))
	if err != nil {
		return err
	}
	id := batch.Short(run.ID)
	switch {
	case run.State.Finished():
		return finished(run, "resume")
	case run.Live() && run.Request == runstore.RequestPause:
		if err := store.Resume(ctx, run.ID, person.Name()); err != nil {
			return stateError(err)
		}
		now := *run
		now.Request = runstore.NoRequest
		tellAsked(c, now, "Run %s goes on: the request to pause it is taken back.", id)
		return nil
	case run.Live():
		return &batch.LockedError{RunID: run.ID, Owner: run.Owner, Tool: tool(c)}
	case run.UndoOf != "":
		return invoke(ctx, c, run, []string{"undo", run.UndoOf})
	}
	words, err := begunBy(c, run, "resume")
	if err != nil {
		return err
	}
	return invoke(ctx, c, run, beforeArguments(words, []string{"--resume", run.ID}))
}

func retry(ctx context.Context, c *drover.Call) error {
	run, err := findRun(ctx, c, runstore.New(c.DB()), c.Arg(0))
	if err != nil {
		return err
	}
	if run.UndoOf != "" {
		return drover.Errorf("run %s is an undo: what it has left alone was changed since, and stays so", batch.Short(run.ID)).
			Try("%s runs errors %s    shows the rows", tool(c), batch.Short(run.ID))
	}
	words, err := begunBy(c, run, "retry")
	if err != nil {
		return err
	}
	return invoke(ctx, c, run, beforeArguments(withoutOption(words, "limit", true), []string{"--retry", run.ID}))
}

// begunBy is the command line that began a run, without the program and without the standard options, which are this call's. The database in
// particular must be the one in which the run was found.
func begunBy(c *drover.Call, run *runstore.Run, option string) ([]string, error) {
	if len(run.CommandLine) < 2 {
		return nil, drover.Errorf("run %s of %q was begun from code, not by a command, so it cannot be gone on with here", batch.Short(run.ID), run.Command).
			Try("run the program that has begun it again, with Options.%s = %q", map[string]string{"resume": "Resume", "retry": "RetryOf"}[option], run.ID)
	}
	words := run.CommandLine[1:]
	c.Flags().VisitAll(func(f *pflag.Flag) { words = withoutOption(words, f.Name, f.NoOptDefVal == "") })
	return words, nil
}

// withoutOption leaves out an option in the form in which [drover.Call.CommandLine] writes it: with its value as the next word, or, where the value
// may be left out, behind an equals sign.
func withoutOption(words []string, name string, takesValue bool) []string {
	var rest []string
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case word == "--":
			return append(rest, words[i:]...)
		case word == "--"+name && takesValue:
			i++
		case word == "--"+name, strings.HasPrefix(word, "--"+name+"="):
		default:
			rest = append(rest, word)
		}
	}
	return rest
}

// beforeArguments adds options where they are still read as such.
func beforeArguments(words, options []string) []string {
	end := slices.Index(words, "--")
	if end < 0 {
		end = len(words)
	}
	return slices.Concat(words[:end], options, words[end:])
}

// invoke runs a command line in place of this one.
func invoke(ctx context.Context, c *drover.Call, run *runstore.Run, words []string) error {
	if c.Flags().Changed("no-input") {
		words = beforeArguments(words, []string{"--no-input"})
	}
	c.Notice("%s %s", c.Program(), term.Printable(shellLine(words)))
	err := c.Invoke(ctx, words...)
	var unknown *drover.UnknownCommandError
	if !errors.As(err, &unknown) || len(run.CommandLine) == 0 || run.CommandLine[0] == c.Program() {
		return err
	}
	program := run.CommandLine[0]
	return drover.Errorf("run %s was begun by the program %q, and %s has no command %q", batch.Short(run.ID), program, c.Program(), unknown.Name).
		Try("%s", shellLine(append([]string{program}, words...)))
}
