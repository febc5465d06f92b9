package drover

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/drover-dev/drover/internal/term"
)

// helpWidth keeps the help readable on a very wide screen.
const helpWidth = 120

// usageLine is the one line that stands above an error in the command line.
func (inv *invocation) usageLine() string {
	if inv.target == nil {
		return "Usage: " + inv.app.Name + " COMMAND [options]"
	}
	return "Usage: " + inv.synopsis(inv.target)
}

// synopsis is how a command is written: its path, its arguments, and whether there are options.
func (inv *invocation) synopsis(cc *cobra.Command) string {
	cmd := inv.commands[cc]
	if cmd == nil || len(cmd.Subcommands) > 0 {
		return cc.CommandPath() + " COMMAND [options]"
	}
	args, last, dashes := strings.Cut(cmd.Args.Usage, "[-- ") // what is behind -- is no option
	if dashes {
		last = "[-- " + last
	}
	return strings.Join(strings.Fields(cc.CommandPath()+" "+args+" [options] "+last), " ")
}

// printHelp prints a command's help on stdout, and on stderr what is wrong with the configuration.
func (inv *invocation) printHelp(cc *cobra.Command) {
	cmd := inv.commands[cc]
	heading := func(text string) string { return term.Heading.Paint(text, inv.colourOut) }
	var b strings.Builder
	if text := helpText(inv.app, cmd); text != "" {
		fmt.Fprintf(&b, "%s\n\n", text)
	}
	fmt.Fprintf(&b, "%s\n  %s\n", heading("Usage:"), inv.synopsis(cc))
	if cc.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s\n", heading("Commands:"))
		width := 0
		for _, sub := range cc.Commands() {
			if !sub.Hidden {
				width = max(width, len(sub.Name()))
			}
		}
		for _, sub := range cc.Commands() {
			if !sub.Hidden {
				fmt.Fprintf(&b, "  %-*s   %s\n", width, sub.Name(), sub.Short)
			}
		}
	}
	columns := min(inv.width(), helpWidth)
	own, general := splitFlags(cc, cmd)
	if len(own) > 0 {
		fmt.Fprintf(&b, "\n%s\n%s", heading("Options:"), flagTable(own, columns))
	}
	if len(general) > 0 {
		fmt.Fprintf(&b, "\n%s\n%s", heading("Options of every command:"), flagTable(general, columns))
	}
	if cmd != nil && cmd.Example != "" {
		fmt.Fprintf(&b, "\n%s\n%s\n", heading("Examples:"), indent(inv.examples(cmd)))
	}
	if cc.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help shows a command's options.\n", cc.CommandPath())
	}
	_, _ = inv.out.Write([]byte(inv.fitted(b.String(), inv.env.StdoutTTY))) // the writer keeps a failure
	if cmd == nil || !cmd.NoDatabase {
		if _, err := inv.config(); err != nil {
			inv.warn("the configuration is broken, so commands that use a database will not run: " + oneLine(err.Error()))
		}
	}
}

func helpText(app *App, cmd *Command) string {
	switch {
	case cmd == nil:
		return strings.TrimSpace(app.Short)
	case cmd.Long != "":
		return strings.TrimSpace(cmd.Long)
	}
	return cmd.Short
}

// splitFlags separates a command's own visible options from those that every command has.
func splitFlags(cc *cobra.Command, cmd *Command) (own, general []*pflag.Flag) {
	global := cc.Root().PersistentFlags()
	hidden := hiddenOptions(cmd)
	seen := make(map[string]bool)
	cc.Flags().VisitAll(func(f *pflag.Flag) {
		if global.Lookup(f.Name) == f {
			return
		}
		seen[f.Name] = true
		if !f.Hidden && !hidden[f.Name] {
			own = append(own, f)
		}
	})
	global.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && !hidden[f.Name] && !seen[f.Name] {
			general = append(general, f)
		}
	})
	return own, general
}

// hiddenOptions are those that a command accepts but does not show.
func hiddenOptions(cmd *Command) map[string]bool {
	hidden := make(map[string]bool)
	if cmd == nil {
		return hidden
	}
	for _, name := range cmd.Hide {
		hidden[name] = true
	}
	if cmd.NoDatabase && !cmd.Options.EachDatabase {
		for _, name := range []string{"database", "skip-checks", "grace", "progress"} {
			hidden[name] = name != "database" || !cmd.NamesDatabase
		}
	}
	return hidden
}

// flagTable lays options out in two columns.
func flagTable(flags []*pflag.Flag, columns int) string {
	left := make([]string, len(flags))
	width := 0
	for i, f := range flags {
		left[i] = optionSyntax(f)
		width = max(width, len(left[i]))
	}
	var b strings.Builder
	for i, f := range flags {
		_, usage := pflag.UnquoteUsage(f)
		if showsDefault(f) {
			usage += " (default " + f.DefValue + ")"
		}
		room := max(20, columns-width-5)
		for n, line := range strings.Split(ansi.Wordwrap(usage, room, ""), "\n") {
			if n > 0 {
				left[i] = ""
			}
			fmt.Fprintf(&b, "  %-*s   %s\n", width, left[i], line)
		}
	}
	return b.String()
}

// optionSyntax is how an option is written: "-v, --verbosity 0..3", and "--dry-run[=rollback]" where the value may be left out.
func optionSyntax(f *pflag.Flag) string {
	text := "    --" + f.Name
	if f.Shorthand != "" {
		text = "-" + f.Shorthand + ", --" + f.Name
	}
	switch name, _ := pflag.UnquoteUsage(f); {
	case name == "" || f.Value.Type() == "count":
	case f.NoOptDefVal == "":
		text += " " + name
	case f.Value.Type() != "bool":
		text += "[=" + name + "]"
	}
	return text
}

func showsDefault(f *pflag.Flag) bool {
	switch f.DefValue {
	case "", "0", "false", "[]", "0s":
		return false
	}
	return true
}

func (inv *invocation) width() int {
	if inv.env.Width != nil {
		if w := inv.env.Width(); w > 0 {
			return w
		}
	}
	return term.DefaultWidth
}

func indent(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			line = "  " + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}
