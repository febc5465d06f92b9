package drover

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// Call is one invocation of a command: its arguments, its databases, its output, and whether it should stop. Its methods
// are safe for concurrent use, but it must not be used after Run has returned.
type Call struct {
	inv  *invocation
	args []string
	conn *db.DB
}

// DB is the database that --database names. It is nil for a command with NoDatabase. In a dry run it refuses statements
// sent with a context from outside Run's.
func (c *Call) DB() *db.DB { return c.conn }

// WithDB is the same call on another database than that of --database: for a command that says in its own way which one it writes to.
func (c *Call) WithDB(conn *db.DB) *Call {
	other := *c
	other.conn = conn
	return &other
}

// Database opens a database by its alias, or gives it again. An unknown alias is an error that lists the configured ones.
// In a dry run only the command's own database and those of [Command.Databases] can be had: work on any other could not
// be rolled back. The options count where the database is not open yet.
func (c *Call) Database(ctx context.Context, alias string, opts ...db.OpenOption) (*db.DB, error) {
	conn, err := c.inv.database(ctx, alias, opts...)
	if err != nil {
		return nil, err
	}
	if c.inv.scope.dry == nil {
		return conn, nil
	}
	view, covered := c.inv.scope.dry.view(conn)
	if !covered {
		return nil, Errorf("this dry run does not cover database %q", alias).
			Try("name it in the command's Databases, so that what is done there is rolled back too")
	}
	return view, nil
}

// Aliases gives the aliases of all configured databases, sorted. It opens none.
func (c *Call) Aliases() ([]string, error) {
	reg, err := c.inv.config()
	if err != nil {
		return nil, err
	}
	return reg.Aliases(), nil
}

// Args gives the positional arguments.
func (c *Call) Args() []string { return slices.Clone(c.args) }

// SetArgs sets the positional arguments, for [Command.Fill].
func (c *Call) SetArgs(args ...string) { c.args = slices.Clone(args) }

// Arg gives the positional argument i, or "" when there are fewer.
func (c *Call) Arg(i int) string {
	if i < 0 || i >= len(c.args) {
		return ""
	}
	return c.args[i]
}

// Flags gives the options of this invocation, for a command that does not bind them to variables, or wants to know
// whether one was given (Changed).
func (c *Call) Flags() *pflag.FlagSet { return c.inv.flags() }

// Command is the command's full name, "manage purge-obsolete", for messages that tell the user what to type.
func (c *Call) Command() string { return c.inv.path() }

// CommandName is the command's name without the program, "purge-obsolete" or "runs list".
func (c *Call) CommandName() string { return c.inv.commandName() }

// HasCommand reports whether the program has a command of that name, "purge" or "runs show", for advice that names it.
func (c *Call) HasCommand(name string) bool {
	cc, rest, err := c.inv.root.Find(strings.Fields(name))
	return err == nil && len(rest) == 0 && cc != c.inv.root
}

// Program is the program's name, [App.Name].
func (c *Call) Program() string { return c.inv.app.Name }

// DatabaseOption is what an advised command line needs behind the program's name to be about this call's database:
// " --database reports", or "" where that is the one without the option. A URL becomes the word URL, as in [Call.CommandLine].
func (c *Call) DatabaseOption() string {
	f := c.Flags().Lookup("database")
	given := f.Value.String()
	switch isURL := strings.Contains(given, ":"); {
	case strings.Contains(given, "://"):
		given = "URL"
	case !isURL && c.conn != nil && c.conn.Alias() != given: // of WithDB
		given = c.conn.Alias()
	case !f.Changed:
		return ""
	}
	return " --database " + term.ShellQuote(given)
}

// BatchSize is --batch-size, or the default of [Options.BatchSize]; 0 when the command has no such option.
func (c *Call) BatchSize() int { return c.inv.data.batchSize }

// Limit is --limit; 0 is no limit.
func (c *Call) Limit() int64 { return c.inv.data.limit }

// DryRun reports whether nothing may be changed. A command need not look at it: what it does is rolled back anyway,
// unless it has chosen [Options.PlanOnly]; then it must, and only read. It is true as well for a command that was called
// from one in a dry run.
func (c *Call) DryRun() bool { return c.inv.dryRun() }

// Rollback reports whether this is the stronger dry run, --dry-run=rollback: the command does its work in transactions that
// it rolls back, and shows what was changed by then. DryRun is true as well. Only a command with [Options.Rollback] is ever
// asked for it.
func (c *Call) Rollback() bool { return c.inv.data.rollback }

// CheckOnly reports whether --check was given: only the exit code counts. Only a command with [Options.PlanOnly] need look
// at it, and returns [Call.WorkFound] when there is work.
func (c *Call) CheckOnly() bool { return c.inv.data.check }

// WorkFound is the error that ends a --check run when there is work: exit code 1, with the work as the message.
func (c *Call) WorkFound(format string, args ...any) error {
	err := Exit(ExitFailed, format, grouped(args)...)
	err.work = true
	return err
}

// Verbosity is 0 (only results, warnings and errors), 1 (the default), 2 or 3.
func (c *Call) Verbosity() int { return c.inv.std.verbosity }

// JSONOutput reports whether --json was given.
func (c *Call) JSONOutput() bool { return c.inv.std.json }

// Interactive reports whether somebody can answer a prompt.
func (c *Call) Interactive() bool { return c.inv.env.StdinTTY && !c.inv.data.noInput }

// Now is the time, by the invocation's clock.
func (c *Call) Now() time.Time { return c.inv.now() }

// In is the input, for a command that takes its data from it.
func (c *Call) In() io.Reader { return c.inv.input }

// Out is the writer for results. What is written there goes out as it is; on a terminal it appears above the progress
// display, line by line.
func (c *Call) Out() io.Writer { return c.inv.out }

// Errout is the writer for everything else.
func (c *Call) Errout() io.Writer { return c.inv.screen.Err() }

// Stopping is closed when the command should end by itself: after the first SIGINT or SIGTERM, or when the calling code
// says so. Look at it between batches, and return [Call.StopErr].
func (c *Call) Stopping() <-chan struct{} { return c.inv.scope.stop.channel() }

// Stopped reports whether the command should end by itself. A command that was told so and returns nil counts as
// stopped, not as finished; one that has finished all the same does not ask.
func (c *Call) Stopped() bool { return c.inv.scope.stop.stopped() }

// StopErr is nil while the command may go on, and then the error to return between two batches. The summary says what
// was done by then.
func (c *Call) StopErr(summary string, args ...any) error {
	if !c.inv.scope.stop.stopped() {
		return nil
	}
	return &StopError{Signal: c.inv.scope.stop.signal(), Summary: fmt.Sprintf(summary, grouped(args)...)}
}

// StopSignal is the signal that asked the command to end, for a [StopError] of its own; nil when none did.
func (c *Call) StopSignal() os.Signal { return c.inv.scope.stop.signal() }

// StopReason is the name of the signal that asked the command to end, as "SIGINT"; "" when none did.
func (c *Call) StopReason() string {
	if sig := c.StopSignal(); sig != nil {
		return signalName(sig)
	}
	return ""
}
