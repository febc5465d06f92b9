package drover

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/drover-dev/drover/internal/suggest"
)

// buildTree makes cobra's commands for this invocation. They are made anew each time: cobra and pflag keep the state of
// one command line in them.
func (inv *invocation) buildTree() {
	inv.commands = make(map[*cobra.Command]*Command)
	root := inv.cobraCommand(inv.app.Name, nil)
	root.Short = inv.app.Short
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetArgs(inv.env.Args)
	if inv.env.Args == nil {
		root.SetArgs([]string{}) // nil would make cobra take the process's own
	}
	root.SetIn(inv.input)
	root.SetOut(inv.out)
	root.SetErr(inv.screen.Err())
	root.SetHelpFunc(func(cc *cobra.Command, _ []string) { inv.printHelp(cc) })
	root.SetFlagErrorFunc(inv.flagError)
	root.PersistentFlags().SortFlags = false
	inv.std.declare(root.PersistentFlags())
	for _, e := range inv.app.entries {
		cmd := e.cmd
		if e.fresh != nil && slices.Contains(inv.env.Args, cmd.Name) {
			cmd = e.fresh()
		}
		inv.addTo(root, cmd)
		if e.level == levelIntrinsic && cmd.Name == "help" {
			root.SetHelpCommand(root.Commands()[len(root.Commands())-1])
		}
	}
	inv.root = root
}

func (inv *invocation) addTo(parent *cobra.Command, cmd *Command) {
	cc := inv.cobraCommand(cmd.Name, cmd)
	parent.AddCommand(cc)
	for _, sub := range cmd.Subcommands {
		inv.addTo(cc, sub)
	}
}

// cobraCommand makes the command without its own options: those are declared for the one that is run, only, because
// declaring them resets the variables behind them.
func (inv *invocation) cobraCommand(name string, cmd *Command) *cobra.Command {
	cc := &cobra.Command{Use: name, SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs}
	if cmd == nil || len(cmd.Subcommands) > 0 {
		cc.RunE = func(cc *cobra.Command, args []string) error { return inv.runGroup(cc, args) }
	} else {
		cc.RunE = func(cc *cobra.Command, args []string) error { return inv.runLeaf(cc, args) }
	}
	if cmd != nil {
		cc.Short, cc.Hidden = cmd.Short, cmd.Hidden
		cc.Flags().SortFlags = false
		inv.commands[cc] = cmd
	}
	return cc
}

// resolve finds the command that is called, or whose options are to be completed.
func (inv *invocation) resolve() error {
	args := inv.env.Args
	if inv.completing() {
		args = args[1:max(1, len(args)-1)]
	}
	target, _, err := inv.root.Find(args)
	if err != nil {
		return fmt.Errorf("find command: %w", err)
	}
	inv.target, inv.command = target, inv.commands[target]
	return nil
}

// completing reports whether a shell asks for completions.
func (inv *invocation) completing() bool {
	args := inv.env.Args
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// declareFlags gives the target its options, and only it: to declare them resets the variables behind them.
func (inv *invocation) declareFlags(cmd *Command) {
	if inv.completing() {
		inv.completeDatabases()
	}
	if cmd == nil || len(cmd.Subcommands) > 0 {
		return
	}
	target := inv.target
	inv.data.declare(target.Flags(), cmd.Options)
	if cmd.Flags != nil {
		cmd.Flags(target.Flags())
	}
	if inv.completing() {
		inv.completeOptions()
		for name := range hiddenOptions(cmd) {
			flag := target.Flags().Lookup(name)
			if flag == nil {
				flag = inv.root.PersistentFlags().Lookup(name)
			}
			if flag != nil {
				flag.Hidden = true // cobra offers what is not hidden
			}
		}
	}
}

// applySet appends the options that code gave by name to the command line.
func (inv *invocation) applySet() error {
	if len(inv.set) == 0 {
		return nil
	}
	flags := inv.target.Flags()
	flags.AddFlagSet(inv.root.PersistentFlags())
	var unknown, given []string
	for _, name := range sortedKeys(inv.set) {
		if flags.Lookup(name) == nil {
			unknown = append(unknown, "--"+name)
			continue
		}
		values, err := optionValues(inv.set[name])
		if err != nil {
			return &UsageError{Command: inv.path(), Message: fmt.Sprintf("option --%s of %q: %v", name, inv.path(), err), Err: err}
		}
		for _, value := range values {
			given = append(given, "--"+name+"="+value)
		}
	}
	if len(unknown) > 0 {
		return &UsageError{
			Command: inv.path(), Unknown: unknown, Valid: optionNames(flags),
			Message: fmt.Sprintf("unknown option %s of %q", strings.Join(unknown, ", "), inv.path()),
		}
	}
	// They go before a "--", behind which everything is an argument.
	args := inv.env.Args
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	inv.root.SetArgs(slices.Concat(args[:end], given, args[end:]))
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// optionValues writes a Go value as one would type it. A slice gives the option once for each element.
func optionValues(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, errors.New("nil is not a value")
	case string:
		return []string{v}, nil
	case []byte:
		return []string{string(v)}, nil
	case time.Time:
		return []string{v.Format(time.RFC3339Nano)}, nil
	case fmt.Stringer:
		return []string{v.String()}, nil
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Array:
		var all []string
		for i := range r.Len() {
			one, err := optionValues(r.Index(i).Interface())
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	case reflect.Map, reflect.Struct, reflect.Func, reflect.Chan, reflect.Pointer, reflect.UnsafePointer:
		return nil, fmt.Errorf("a %T cannot be written as an option", v)
	default:
		return []string{fmt.Sprint(v)}, nil
	}
}

// runLeaf is what cobra calls for a command.
func (inv *invocation) runLeaf(cc *cobra.Command, args []string) error {
	if inv.std.version {
		return inv.printVersion()
	}
	if cc != inv.target { // cobra's own ideas of what was called must not differ from ours
		return fmt.Errorf("command %q was read as %q", inv.path(), cc.CommandPath())
	}
	if fill := inv.command.Fill; fill != nil {
		c := &Call{inv: inv, args: args}
		if err := fill(c); err != nil {
			return err
		}
		args = c.args
	}
	if err := inv.checkUsage(inv.command, args); err != nil {
		return err
	}
	aliases, err := inv.chooseDatabases()
	if err != nil {
		return err
	}
	if inv.several = len(aliases) > 0; inv.several {
		inv.action = func(ctx context.Context) error { return inv.runOnEach(ctx, aliases) }
		return nil
	}
	inv.action = func(ctx context.Context) error { return inv.run(ctx, args) }
	return nil
}

// runGroup is what cobra calls for the program itself or a group of commands: help, or a word that is no command.
func (inv *invocation) runGroup(cc *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cc, args[0])
	}
	if inv.std.version {
		return inv.printVersion()
	}
	if err := inv.checkGlobals(); err != nil {
		return err
	}
	inv.printHelp(cc)
	return nil
}

func unknownCommand(parent *cobra.Command, name string) error {
	var valid []string
	for _, sub := range parent.Commands() {
		if !sub.Hidden {
			valid = append(valid, sub.Name())
		}
	}
	return &UnknownCommandError{Parent: parent.CommandPath(), Name: name, Nearest: suggest.Nearest(name, valid), Valid: valid}
}

// flagError puts pflag's errors into our words.
func (inv *invocation) flagError(cc *cobra.Command, err error) error {
	cmd := inv.commands[cc]
	if words := cc.Flags().Args(); len(words) > 0 && (cmd == nil || len(cmd.Subcommands) > 0) {
		return unknownCommand(cc, words[0]) // its options are unknown because it is
	}
	usage := &UsageError{Command: cc.CommandPath(), Err: err}
	var (
		missing *pflag.NotExistError
		bad     *pflag.InvalidValueError
		bare    *pflag.ValueRequiredError
	)
	switch {
	case errors.As(err, &missing):
		option := "--" + missing.GetSpecifiedName()
		if group := missing.GetSpecifiedShortnames(); group != "" {
			option = "-" + missing.GetSpecifiedName()[:1]
		}
		usage.Message = fmt.Sprintf("unknown option %s of %q", option, usage.Command)
		usage.Unknown, usage.Valid = []string{option}, optionNames(cc.Flags())
		usage.Nearest = nearestOption(option, usage.Valid)
	case errors.As(err, &bad):
		usage.Message = fmt.Sprintf("invalid value %q for --%s of %q: %s", bad.GetValue(), bad.GetFlag().Name, usage.Command, reason(bad))
	case errors.As(err, &bare):
		usage.Message = fmt.Sprintf("--%s of %q needs a value", bare.GetSpecifiedName(), usage.Command)
		if group := bare.GetSpecifiedShortnames(); group != "" {
			usage.Message = fmt.Sprintf("-%s of %q needs a value", bare.GetSpecifiedName()[:1], usage.Command)
		}
	default:
		usage.Message = err.Error()
	}
	return usage
}

// nearestOption looks for an option by its letters: the dashes are the same in all.
func nearestOption(option string, valid []string) string {
	names := make([]string, len(valid))
	for i, name := range valid {
		names[i] = strings.TrimLeft(name, "-")
	}
	if near := suggest.Nearest(strings.TrimLeft(option, "-"), names); near != "" {
		return "--" + near
	}
	return ""
}

// reason says what is wrong with a value, without the name of the Go function that found it.
func reason(bad *pflag.InvalidValueError) string {
	var number *strconv.NumError
	cause := errors.Unwrap(bad)
	if !errors.As(cause, &number) {
		return cause.Error()
	}
	switch {
	case errors.Is(number.Err, strconv.ErrRange):
		return "out of range"
	case number.Func == "ParseBool":
		return "must be true or false"
	}
	return "not a number"
}
