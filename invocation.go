package drover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/suggest"
	"github.com/drover-dev/drover/internal/term"
)

// invocation is one command line from its reading to its end. The shell's way to it is App.Run, the code's App.CallWith.
type invocation struct {
	app   *App
	env   Env
	scope scope
	set   map[string]any // options given by name, from code

	shell      bool // by App.Run
	runsChecks bool // from the shell, or asked for
	closes     bool // the databases were opened for this invocation alone

	screen    *term.Screen
	out       *resultWriter
	input     *term.LineReader
	colourOut bool
	colourErr bool

	std  standard
	data dataFlags

	root     *cobra.Command
	target   *cobra.Command
	command  *Command // what target stands for; nil: the program itself
	commands map[*cobra.Command]*Command

	config func() (*db.Registry, error)
	action func(context.Context) error // what the command line asks for

	checked string // the database that the program's checks have looked at

	only     string            // the one of several databases that this is the run for
	handed   bool              // the first --database is that of a command whose place this one takes
	several  bool              // what action does is a run for each of several databases
	outcomes []DatabaseOutcome // of those runs
	said     string            // how the command has told what it did, the last time

	mu       sync.Mutex
	progress *Progress
	runID    string
	inner    *invocation // of Call.Invoke, while it is under way
	ended    *invocation // the last one of Call.Invoke, and what it has ended with
	endedBy  error
	previews map[string]*db.Preview
	started  time.Time
}

// resultWriter is stdout. It remembers that its reader has gone away, and tells.
type resultWriter struct {
	w      io.Writer
	mu     sync.Mutex
	broken bool
	failed error // the first one that is no closed pipe
	onPipe func()
}

func (r *resultWriter) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	if err != nil && !isBrokenPipe(err) {
		r.mu.Lock()
		r.failed = cmp.Or(r.failed, err)
		r.mu.Unlock()
	}
	if err != nil && isBrokenPipe(err) {
		r.mu.Lock()
		first := !r.broken
		r.broken = true
		r.mu.Unlock()
		if first && r.onPipe != nil {
			r.onPipe()
		}
	}
	return n, err //nolint:wrapcheck // a writer passes its error on as it is
}

// failure is why something could not be written, or nil.
func (r *resultWriter) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *resultWriter) isBroken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// newInvocation prepares everything that does not depend on the command.
func (a *App) newInvocation(env Env, s scope) *invocation {
	inv := &invocation{app: a, env: env, scope: s}
	inv.started = inv.now()
	inv.screen = term.NewScreen(term.Streams{
		Out: env.Stdout, Err: env.Stderr, OutTTY: env.StdoutTTY, ErrTTY: env.StderrTTY, Width: env.Width,
	})
	inv.out = &resultWriter{w: inv.screen.Out()}
	inv.input = term.NewLineReader(env.Stdin)
	inv.config = sync.OnceValues(func() (*db.Registry, error) {
		if inv.scope.reg != nil && inv.scope.app == a {
			return inv.scope.reg, nil
		}
		reg, err := a.configuration(env.Environ)
		inv.closes = err == nil && (a.Databases == nil || inv.shell)
		return reg, err
	})
	inv.readAhead()
	return inv
}

// readAhead looks for the options that decide how a mistake in the command line is shown: they count even when the line
// cannot be read to its end.
func (inv *invocation) readAhead() {
	args := inv.env.Args
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	inv.std.verbosity = defaultVerbosity
	inv.std.grace = defaultGrace
	inv.std.json = slices.Contains(args, "--json")
	inv.std.traceback = slices.Contains(args, "--traceback")
	inv.std.noColor = slices.Contains(args, "--no-color")
	inv.std.forceColor = slices.Contains(args, "--force-color")
	inv.chooseColour()
}

func (inv *invocation) chooseColour() {
	choice := term.ColourAuto
	switch {
	case inv.std.noColor:
		choice = term.ColourNever
	case inv.std.forceColor:
		choice = term.ColourForce
	}
	inv.colourOut = term.UseColour(choice, inv.env.Environ, inv.env.StdoutTTY)
	inv.colourErr = term.UseColour(choice, inv.env.Environ, inv.env.StderrTTY)
}

func (inv *invocation) now() time.Time {
	if inv.env.Now != nil {
		return inv.env.Now()
	}
	return time.Now()
}

func (inv *invocation) flags() *pflag.FlagSet { return inv.target.Flags() }

func (inv *invocation) path() string {
	if inv.target == nil {
		return inv.app.Name
	}
	return inv.target.CommandPath()
}

func (inv *invocation) commandName() string {
	var words []string
	for cc := inv.target; cc.HasParent(); cc = cc.Parent() {
		words = append(words, cc.Name())
	}
	slices.Reverse(words)
	return strings.Join(words, " ")
}

func (inv *invocation) dryRun() bool { return inv.data.dryRun || inv.scope.dry != nil }

// prepare reads the command line. Help and completion are answered here; a command is only made ready for perform.
func (inv *invocation) prepare(ctx context.Context) error {
	inv.buildTree()
	if err := inv.resolve(); err != nil {
		return err
	}
	cmd := inv.command
	release, err := inv.app.acquire(ctx, cmd, inv.scope.held)
	if err != nil {
		return err
	}
	inv.declareFlags(cmd)
	if err = inv.applySet(); err == nil {
		err = inv.root.ExecuteContext(ctx)
	}
	if err != nil || inv.action == nil || inv.several { // each of several runs reads the command line again
		release()
		return err
	}
	action := inv.action
	inv.action = func(ctx context.Context) error {
		defer release()
		return action(ctx)
	}
	return nil
}

// perform does what the command line asks for, if that is still to be done.
func (inv *invocation) perform(ctx context.Context) error {
	if inv.action == nil {
		return nil
	}
	return inv.action(ctx)
}

// close closes the databases that were opened for this invocation, and adds to err what fails.
func (inv *invocation) close(err error) error {
	if !inv.closes {
		return err
	}
	reg, _ := inv.config()
	if failed := reg.Close(); failed != nil {
		return errors.Join(err, fmt.Errorf("close databases: %w", failed))
	}
	return err
}

// run is the life of one command, after its options and arguments were read.
func (inv *invocation) run(ctx context.Context, args []string) error {
	cmd := inv.command
	if _, shared := inv.app.guards[cmd]; shared {
		inv.scope.held = append(slices.Clone(inv.scope.held), cmd)
	}
	if inv.scope.plan {
		if !cmd.Options.DryRun && !cmd.NoDatabase {
			return Errorf("%q has no dry run, so it cannot be called from one", inv.path())
		}
		if !inv.data.dryRun {
			inv.data.dryRun, inv.data.rollback = true, inv.scope.rollback && cmd.Options.Rollback
		}
	}
	c := &Call{inv: inv, args: args}
	if !cmd.NoDatabase {
		reg, err := inv.config()
		if err != nil {
			return err
		}
		inv.scope.app, inv.scope.reg = inv.app, reg
		if c.conn, err = c.Database(ctx, inv.std.database()); err != nil {
			return err
		}
	}
	ctx = withScope(ctx, inv.scope)
	if inv.runsChecks && !inv.std.skipChecks {
		checks := cmd.Checks
		if !cmd.NoDatabase && inv.checked != inv.std.database() {
			inv.checked = inv.std.database()
			checks = slices.Concat(inv.app.Checks, cmd.Checks)
		}
		if err := runChecks(ctx, c, checks); err != nil {
			return err
		}
	}
	if !cmd.NoDatabase && !cmd.Options.PlanOnly && inv.scope.dry == nil && (inv.data.dryRun || inv.data.check) {
		return inv.runDry(ctx, c)
	}
	if cmd.Options.PlanOnly && inv.dryRun() {
		inv.scope.plan, inv.scope.rollback = true, inv.data.rollback
		ctx = withScope(ctx, inv.scope)
	}
	return inv.body(ctx, c)
}

func (inv *invocation) body(ctx context.Context, c *Call) error {
	if inv.command.Run != nil {
		return inv.command.Run(ctx, c)
	}
	for _, arg := range c.args {
		if err := inv.command.RunEach(ctx, c, arg); err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
	}
	return nil
}

// database opens an alias; one that does not exist is a wrong use of the command.
func (inv *invocation) database(ctx context.Context, alias string, opts ...db.OpenOption) (*db.DB, error) {
	reg, err := inv.config()
	if err != nil {
		return nil, err
	}
	conn, err := reg.Get(ctx, alias, opts...)
	if unknown, ok := errors.AsType[*db.AliasError](err); ok {
		return nil, inv.unknownDatabase(unknown)
	}
	return conn, err // an error names the alias by itself
}

func (inv *invocation) unknownDatabase(err *db.AliasError) error {
	usage := &UsageError{Command: inv.path(), Message: err.Error(), Err: err}
	if len(err.Known) > 0 {
		usage.Message = fmt.Sprintf("unknown database %q for --database of %q (configured: %s)", err.Alias, inv.path(), strings.Join(err.Known, ", "))
		usage.Nearest = suggest.Nearest(err.Alias, err.Known)
	}
	return usage
}

// checkUsage finds what is wrong with the options and arguments beyond their single values.
func (inv *invocation) checkUsage(cmd *Command, args []string) error {
	if err := inv.checkGlobals(); err != nil {
		return err
	}
	if err := cmd.Args.check(inv.path(), args); err != nil {
		return err
	}
	return cmd.checkGroups(inv.path(), inv.flags())
}

func (inv *invocation) checkGlobals() error {
	if inv.std.noColor && inv.std.forceColor {
		return &UsageError{Command: inv.path(), Message: "--no-color and --force-color exclude each other"}
	}
	return nil
}

// checkGroups looks at the options that are required or exclude each other.
func (cmd *Command) checkGroups(path string, f *pflag.FlagSet) error {
	given := func(names []string) []string {
		var some []string
		for _, name := range names {
			if f.Changed(name) {
				some = append(some, name)
			}
		}
		return some
	}
	wrong := func(format, names string) error {
		return &UsageError{Command: path, Message: fmt.Sprintf(format, names)}
	}
	for _, name := range cmd.Require {
		if !f.Changed(name) {
			return wrong("option %s is required", "--"+name)
		}
	}
	for _, group := range cmd.RequireOne {
		if len(given(group)) == 0 {
			return wrong("one of %s is required", dashed(group))
		}
	}
	for _, group := range slices.Concat(cmd.RequireOne, cmd.Exclusive) {
		if some := given(group); len(some) > 1 {
			return wrong("%s exclude each other", dashed(some))
		}
	}
	return nil
}

func dashed(names []string) string {
	with := make([]string, len(names))
	for i, name := range names {
		with[i] = "--" + name
	}
	return strings.Join(with, ", ")
}

func (inv *invocation) setProgress(p *Progress) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.progress = p
}

func (inv *invocation) currentProgress() *Progress {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	return inv.progress
}

func (inv *invocation) finishProgress() {
	if p := inv.currentProgress(); p != nil {
		p.Finish()
		inv.setProgress(nil)
	}
}
