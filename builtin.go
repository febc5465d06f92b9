package drover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/drover-dev/drover/internal/term"
)

// intrinsicCommands are the commands of every program. They need no database and no valid configuration.
func intrinsicCommands() []*Command {
	return []*Command{helpCommand(), versionCommand(), completionCommand(), manCommand()}
}

func helpCommand() *Command {
	return &Command{
		Name: "help", Short: "Show the help of the program or of a command",
		Args: Args{Usage: "[COMMAND...]"}, NoDatabase: true, Complete: completeCommands,
		Run: func(ctx context.Context, c *Call) error {
			cc, err := c.inv.find(ctx, c.args)
			if err != nil {
				return err
			}
			c.inv.printHelp(cc)
			return nil
		},
	}
}

// find gives the command of these words, with its options declared.
func (inv *invocation) find(ctx context.Context, words []string) (*cobra.Command, error) {
	cc, rest, err := inv.root.Find(words)
	if err != nil {
		return nil, fmt.Errorf("find command: %w", err)
	}
	if len(rest) > 0 {
		return nil, unknownCommand(cc, rest[0])
	}
	if cmd := inv.commands[cc]; cmd != nil && len(cmd.Subcommands) == 0 && cc != inv.target {
		inv.describeFlags(ctx, cmd, cc)
	}
	return cc, nil
}

// completeCommands offers the commands of the program, or of the group that was named before.
func completeCommands(_ context.Context, c *Call, option, _ string) []string {
	cc, rest, err := c.inv.root.Find(c.args)
	if option != "" || err != nil || len(rest) > 0 {
		return nil
	}
	var names []string
	for _, sub := range cc.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return names
}

// describeFlags declares a command's options for reading about them. The variables behind them may be in use by another
// call, so it waits for that; from within that very call the command's own options cannot be shown.
func (inv *invocation) describeFlags(ctx context.Context, cmd *Command, cc *cobra.Command) {
	release, err := inv.app.acquire(ctx, cmd, inv.scope.held)
	if err != nil {
		return
	}
	defer release()
	(&dataFlags{}).declare(cc.Flags(), cmd.Options)
	if cmd.Flags != nil {
		cmd.Flags(cc.Flags())
	}
}

func versionCommand() *Command {
	return &Command{
		Name: "version", Short: "Show the program's version", NoDatabase: true,
		Run: func(_ context.Context, c *Call) error { return c.inv.printVersion() },
	}
}

// versionDocument is what version --json prints. Its fields are a contract.
type versionDocument struct {
	Type    string `json:"type"`
	Time    string `json:"time"`
	Program string `json:"program"`
	Version string `json:"version"`
}

func (inv *invocation) printVersion() error {
	text := inv.app.Name + " " + inv.app.version()
	if inv.std.json {
		text = inv.document(versionDocument{"version", term.Timestamp(inv.now()), inv.app.Name, inv.app.version()})
	}
	_, err := fmt.Fprintln(inv.out, text)
	return err //nolint:wrapcheck // the only way to fail is the output, which says so
}

func completionCommand() *Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &Command{
		Name: "completion", Short: "Print the completion script of a shell", NoDatabase: true,
		Long: `Print the script that makes a shell complete this program's commands and options, and what a database has to offer: aliases, tables, columns, runs.

Load it for the running shell, or save it where the shell looks for such scripts.`,
		Example: `source <(PROGRAM completion bash)
PROGRAM completion zsh > "${fpath[1]}/_PROGRAM"
PROGRAM completion fish > ~/.config/fish/completions/PROGRAM.fish
PROGRAM completion powershell | Out-String | Invoke-Expression`,
		Args: Args{
			Usage: "SHELL", Missing: "name a shell: " + strings.Join(shells, ", "),
			Validate: func(shell string) error {
				if slices.Contains(shells, shell) {
					return nil
				}
				return fmt.Errorf("known are %s", strings.Join(shells, ", "))
			},
		},
		Complete: func(context.Context, *Call, string, string) []string { return shells },
		Run: func(_ context.Context, c *Call) error {
			root, w := c.inv.root, c.Out()
			switch c.Arg(0) {
			case "bash":
				return root.GenBashCompletionV2(w, true) //nolint:wrapcheck // the only way to fail is the output
			case "zsh":
				return root.GenZshCompletion(w) //nolint:wrapcheck // as above
			case "fish":
				return root.GenFishCompletion(w, true) //nolint:wrapcheck // as above
			}
			return root.GenPowerShellCompletionWithDesc(w) //nolint:wrapcheck // as above
		},
	}
}

func manCommand() *Command {
	var dir string
	var markdown bool
	return &Command{
		Name: "man", Short: "Print the manual page of the program or of a command", Hidden: true, NoDatabase: true,
		Args: Args{Usage: "[COMMAND...]"}, Complete: completeCommands,
		Example: `PROGRAM man purge | man -l -
PROGRAM man --dir /usr/share/man/man1
PROGRAM man --markdown --dir docs/cli`,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&dir, "dir", "", "write the pages of all commands into this `folder`")
			f.BoolVar(&markdown, "markdown", false, "write Markdown, for a website, and not a manual page")
		},
		Run: func(ctx context.Context, c *Call) error {
			page, ext := c.inv.page, ".1"
			if markdown {
				page, ext = c.inv.markdown, ".md"
			}
			if dir != "" {
				return c.inv.writePages(ctx, c, dir, ext, page)
			}
			cc, err := c.inv.find(ctx, c.args)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.Out(), page(cc))
			return err //nolint:wrapcheck // the only way to fail is the output
		},
	}
}
