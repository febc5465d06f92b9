package drover

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Command is one command of an [App]: what Django calls a management command. Fill in the fields and hand it to
// [App.Add]; it must not be changed afterwards.
type Command struct {
	Name    string // one lower-case word, dashes allowed: "purge-obsolete"
	Short   string // one line for the list of commands
	Long    string // the help's text; empty: Short
	Example string // lines for the help, without indentation
	Hidden  bool   // absent from help and completion, still accepted

	Args    Args    // positional arguments; zero: none
	Options Options // which standard options of data commands it has

	// Flags declares the command's own options. It is called anew for every invocation, before the command line is read,
	// so that the variables it binds get their defaults again. Variables that live outside the command are shared by all
	// its invocations: see [App.Add] and [App.AddFunc] for what that means when calls overlap.
	Flags func(f *pflag.FlagSet)

	// Fill gives options that were not typed their values, for a command whose options may also stand in a file: after the command line was read, and
	// before Require, RequireOne, Exclusive, Args and --database are looked at, so that what it sets with [Call.Flags] and [Call.SetArgs] counts as
	// given. c has no open database. An error ends the command. It is called once for each of several databases, and once before.
	Fill func(c *Call) error

	Require    []string   // options that must be given, by name
	RequireOne [][]string // groups of options of which exactly one must be given
	Exclusive  [][]string // groups of options of which at most one may be given
	// OneDatabase names options whose values mean something in one database only, such as the id of a run: they exclude
	// several databases.
	OneDatabase []string
	Hide        []string // options absent from this command's help and completion, still accepted with their defaults

	// Databases names further databases that the command writes to, besides the one of --database. It is called after the
	// options were read. A dry run covers these too; in a dry run [Call.Database] refuses any other.
	Databases func() []string
	// NoDatabase says that the command needs no database: no configuration is read and nothing is opened. A command that
	// opens its databases by itself sets it, too.
	NoDatabase bool
	// NamesDatabase gives a command with NoDatabase the option --database all the same: it wants to know of a database, and
	// opens none, or not before it has to.
	NamesDatabase bool

	Checks []Check // run before Run, from the shell unless --skip-checks is given, from code when asked for

	// Run does the work. The context ends when the command must stop at once; a statement inside a block must get the
	// context that the block's function received. Exactly one of Run, RunEach and Subcommands is set.
	Run func(ctx context.Context, c *Call) error
	// RunEach is called once for every argument, in order, after all of them were validated.
	RunEach func(ctx context.Context, c *Call, arg string) error
	// Subcommands makes the command a group: "runs list", "runs show".
	Subcommands []*Command

	// Complete offers values to the shell: for the option of that name, or for the next argument when option is "".
	// What does not start with prefix is left out; what stands behind a tab is a description. An option whose help calls its value an `alias` is
	// completed without it. ctx ends after two seconds. c has no open database unless c.Database is called.
	Complete func(ctx context.Context, c *Call, option, prefix string) []string
}

// Options chooses the standard options of a command that changes data. The zero value has none of them.
type Options struct {
	// DryRun gives --dry-run: the whole of Run happens in a transaction that is always rolled back, and what would have
	// changed is printed.
	DryRun bool
	// PlanOnly says that the command handles --dry-run and --check itself, by reading only; see [Call.DryRun].
	PlanOnly bool
	// Rollback gives --dry-run a second strength, --dry-run=rollback, which the command handles itself as well: it does its
	// work in transactions that it rolls back; see [Call.Rollback]. It needs DryRun and PlanOnly.
	Rollback bool
	// Confirm gives --no-input and allows [Call.Confirm].
	Confirm bool
	// BatchSize is the default of --batch-size; 0: the command has no such option.
	BatchSize int
	// Limit gives --limit: at most so many rows.
	Limit bool
	// Check gives --check: nothing is changed, and the exit code is 1 when there is work.
	Check bool
	// EachDatabase lets the command be run once for each of several databases: --database may be repeated, and there is
	// --all-databases. The runs follow each other in the order given, or in that of the aliases. Each reads the command line
	// anew, has its own [Call] with its own database, asks its own questions, and is a dry run or a check by itself. One that
	// fails or is declined does not keep the command from the next database; a stop does. The errors come together in a
	// [DatabasesError].
	EachDatabase bool
	// AllDatabases makes --all-databases the default of a command with EachDatabase.
	AllDatabases bool
}

// Args describes positional arguments.
type Args struct {
	// Usage names them as the help shows them: "FROM TO", "TABLE [FILE]", "LABEL...". A word in brackets may be left out, a
	// word with three dots may be repeated; "[-- ARGUMENT...]" says that a command wants -- in front. Empty: the command takes none.
	Usage string
	// Missing is the message when too few are given; empty: the names of the missing ones.
	Missing string
	// Validate checks one argument. All of them are checked before anything runs.
	Validate func(arg string) error
}

// limits derives how many arguments Usage allows; most is -1 for no limit.
func (a Args) limits() (least, most int) {
	for word := range strings.FieldsSeq(strings.ReplaceAll(a.Usage, "-- ", "")) {
		if !strings.HasPrefix(word, "[") {
			least++
		}
		if strings.HasSuffix(strings.TrimSuffix(word, "]"), "...") {
			most = -1
		}
		if most >= 0 {
			most++
		}
	}
	return least, most
}

// check tells what is wrong with the number or the values of args.
func (a Args) check(command string, args []string) error {
	least, most := a.limits()
	switch {
	case len(args) < least:
		msg := a.Missing
		if msg == "" {
			msg = "missing " + strings.Join(strings.Fields(a.Usage)[len(args):least], " ")
		}
		return &UsageError{Command: command, Message: msg}
	case most >= 0 && len(args) > most:
		return &UsageError{Command: command, Message: fmt.Sprintf("unexpected argument %q", args[most])}
	}
	if a.Validate == nil {
		return nil
	}
	for _, arg := range args {
		if err := a.Validate(arg); err != nil {
			return &UsageError{Command: command, Message: fmt.Sprintf("invalid argument %q: %v", arg, err), Err: err}
		}
	}
	return nil
}

// validate tells what is wrong with the command as it was written: mistakes of the programmer, found at Add.
func (cmd *Command) validate(path string) error {
	if cmd.Name == "" || strings.ContainsAny(cmd.Name, " \t\n=/\"'") || strings.HasPrefix(cmd.Name, "-") {
		return fmt.Errorf("command name %q is not one word", cmd.Name)
	}
	path = strings.TrimSpace(path + " " + cmd.Name)
	bodies := 0
	for _, has := range []bool{cmd.Run != nil, cmd.RunEach != nil, len(cmd.Subcommands) > 0} {
		if has {
			bodies++
		}
	}
	if bodies != 1 {
		return fmt.Errorf("command %q: exactly one of Run, RunEach and Subcommands must be set", path)
	}
	if cmd.RunEach != nil && cmd.Args.Usage == "" {
		return fmt.Errorf("command %q: RunEach needs Args.Usage", path)
	}
	if cmd.NoDatabase && (cmd.Options.DryRun || cmd.Options.Check) && !cmd.Options.PlanOnly {
		return fmt.Errorf("command %q: --dry-run and --check need a database", path)
	}
	if cmd.Options.Rollback && (!cmd.Options.DryRun || !cmd.Options.PlanOnly) {
		return fmt.Errorf("command %q: Options.Rollback needs DryRun and PlanOnly", path)
	}
	if cmd.Options.AllDatabases && !cmd.Options.EachDatabase {
		return fmt.Errorf("command %q: Options.AllDatabases needs EachDatabase", path)
	}
	if cmd.Options.BatchSize < 0 {
		return fmt.Errorf("command %q: negative batch size", path)
	}
	if err := cmd.validateFlags(path); err != nil {
		return err
	}
	seen := make(map[string]bool, len(cmd.Subcommands))
	for _, sub := range cmd.Subcommands {
		if seen[sub.Name] {
			return fmt.Errorf("command %q has two subcommands %q", path, sub.Name)
		}
		seen[sub.Name] = true
		if err := sub.validate(path); err != nil {
			return err
		}
	}
	return nil
}

// validateFlags declares the options once on the side, so that a clash with a standard option is found when the
// program starts and not by the first user of the option.
func (cmd *Command) validateFlags(path string) (err error) {
	defer func() {
		if p := recover(); p != nil { // pflag panics when an option is declared twice
			err = fmt.Errorf("command %q: %v", path, p)
		}
	}()
	fs := pflag.NewFlagSet(cmd.Name, pflag.ContinueOnError)
	fs.SetOutput(io.Discard) // pflag also prints what it panics with
	(&standard{}).declare(fs)
	(&dataFlags{}).declare(fs, cmd.Options)
	if cmd.Flags != nil {
		cmd.Flags(fs)
	}
	groups := slices.Concat([][]string{cmd.Require, cmd.OneDatabase, cmd.Hide}, cmd.RequireOne, cmd.Exclusive)
	for _, name := range slices.Concat(groups...) {
		if fs.Lookup(name) == nil {
			return fmt.Errorf("command %q: no option %q", path, name)
		}
	}
	return nil
}
