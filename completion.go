package drover

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completionTime is how long a shell waits for what a database has to offer; after it, nothing is offered.
const completionTime = 2 * time.Second

// completeDatabases makes a shell complete --database with the configured aliases and the command's own options and
// arguments with what its Complete offers. It is called when a shell asks, only: cobra keeps such functions for the
// life of the process.
func (inv *invocation) completeDatabases() {
	inv.target.ValidArgsFunction = func(cc *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return inv.offer(cc.Context(), args, "", prefix)
	}
	// The flag is one of the root's; an error says that it has a function already, which cannot be.
	_ = inv.root.RegisterFlagCompletionFunc("database", inv.offerAliases)
	_ = inv.root.RegisterFlagCompletionFunc("progress", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"auto", "tty", "plain", "json", "none"}, cobra.ShellCompDirectiveNoFileComp
	})
}

func (inv *invocation) offerAliases(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	reg, err := inv.config()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return reg.Aliases(), cobra.ShellCompDirectiveNoFileComp
}

// completeOptions does the same for the options that the command has declared. One whose help calls its value an `alias` is completed with those.
func (inv *invocation) completeOptions() {
	if inv.command != nil && inv.command.Options.Rollback {
		_ = inv.target.RegisterFlagCompletionFunc("dry-run", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{dryRunPlan, dryRunRollback}, cobra.ShellCompDirectiveNoFileComp
		})
	}
	if inv.command == nil {
		return
	}
	inv.target.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		name, _ := pflag.UnquoteUsage(f)
		switch {
		case name == "alias":
			_ = inv.target.RegisterFlagCompletionFunc(f.Name, inv.offerAliases)
			return
		case f.NoOptDefVal != "", inv.command.Complete == nil:
			return
		}
		_ = inv.target.RegisterFlagCompletionFunc(f.Name, func(cc *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			return inv.offer(cc.Context(), args, f.Name, prefix)
		})
	})
}

func (inv *invocation) offer(ctx context.Context, args []string, option, prefix string) ([]string, cobra.ShellCompDirective) {
	cmd := inv.command
	if cmd == nil || cmd.Complete == nil {
		if cmd != nil && cmd.Args.Usage == "" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
	if _, most := cmd.Args.limits(); option == "" && most >= 0 && len(args) >= most {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	var fitting []string
	for _, value := range cmd.Complete(ctx, &Call{inv: inv, args: args}, option, prefix) {
		if strings.HasPrefix(value, prefix) {
			fitting = append(fitting, value)
		}
	}
	return fitting, cobra.ShellCompDirectiveNoFileComp
}
