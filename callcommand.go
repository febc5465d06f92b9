package drover

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// Result is what a command that was called from code has printed.
type Result struct {
	Stdout string // empty when CallOptions.Stdout took it
	Stderr string // empty when CallOptions.Stderr took it

	// Previews tells by alias what a dry run would have changed; nil for any other call.
	Previews map[string]*db.Preview
	// Databases tells how the run for each database ended where the command was run for several; else nil.
	Databases []DatabaseOutcome
}

// CallOptions chooses how [App.CallWith] runs a command. The zero value is [App.Call]'s.
type CallOptions struct {
	// Set gives options by name, as if on the command line; a slice gives its option once for each element.
	Set map[string]any

	Stdin          io.Reader // nil: empty
	Stdout, Stderr io.Writer // nil: kept for the Result
	// Interactive says that prompts read their answers from Stdin, as if somebody typed them.
	Interactive bool

	// Databases are the databases of the call, by their aliases; they stay open. Empty: those of the calling command, else
	// of the App, else of the configuration, which are opened and closed.
	Databases []*db.DB
	// Environ is the environment, as os.Environ; nil: the process's own.
	Environ []string
	// Checks runs the checks that the shell would run.
	Checks bool
	// Stopping asks the command to end after its batch when it is closed.
	Stopping <-chan struct{}
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Call runs a command from code and returns what it printed and how it failed; a dry run is Call(ctx, "purge",
// "--dry-run"). It is Django's call_command.
//
// A command that was called for several databases has one run for each, and a [DatabasesError] where one of them fails.
//
// The error is the command's own; [ExitCode] tells what the shell would have got. A wrong call is a [UsageError] that
// lists the valid names. The result is never nil. Checks are not run, prompts find no terminal, nothing reads the
// process's streams or signals, and the process does not end. A panic of the command passes through. Cancelling ctx
// cancels the statement under way, and its transaction is rolled back.
//
// Called with the context of another command of the same App, it works on the same connections, inside the same
// transaction when there is one, stops when that one should, and is part of its dry run.
func (a *App) Call(ctx context.Context, name string, args ...string) (*Result, error) {
	return a.CallWith(ctx, CallOptions{}, name, args...)
}

// CallWith is [App.Call] with options. The name may have several words: "runs list".
func (a *App) CallWith(ctx context.Context, o CallOptions, name string, args ...string) (result *Result, err error) {
	s := scopeOf(ctx)
	if s.stop == nil || o.Stopping != nil {
		s.stop = stopperOf(o.Stopping)
	}
	if len(o.Databases) > 0 {
		reg := db.NewRegistry(nil)
		for _, conn := range o.Databases {
			reg.Add(conn)
		}
		s.app, s.reg = a, reg
	}
	environ := o.Environ
	if environ == nil {
		environ = processEnviron()
	}
	var stdout, stderr bytes.Buffer
	env := Env{
		Args: append(splitName(name), args...), Environ: environ, Stdin: o.Stdin, StdinTTY: o.Interactive,
		Stdout: o.Stdout, Stderr: o.Stderr, Now: o.Now, LookPath: processLookPath,
	}
	if env.Stdout == nil {
		env.Stdout = &stdout
	}
	if env.Stderr == nil {
		env.Stderr = &stderr
	}
	inv := a.newInvocation(env, s)
	inv.runsChecks, inv.set = o.Checks, o.Set

	defer func() { // also when the command panics
		inv.finishProgress()
		err = inv.close(err)
		if errors.Is(err, ErrNothingToDo) {
			err = nil
		}
		result = &Result{Stdout: stdout.String(), Stderr: stderr.String(), Previews: inv.previews, Databases: inv.outcomes}
	}()
	if err := inv.prepare(ctx); err != nil {
		return nil, err
	}
	return nil, inv.perform(ctx)
}

// splitName allows a subcommand to be called by its whole name.
func splitName(name string) []string {
	words := []string{}
	for word := range strings.FieldsSeq(name) {
		words = append(words, word)
	}
	return words
}

var _ io.Reader = (*term.LineReader)(nil)
