package drover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Manual pages are written here and not by cobra/doc, which would bring a Markdown parser and a YAML library into every
// program.

// page gives a command's manual page in man(7) macros.
func (inv *invocation) page(cc *cobra.Command) string {
	cmd := inv.commands[cc]
	short := cc.Short
	if short == "" {
		short = "database commands"
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %q 1 \"\" %q\n", strings.ToUpper(pageName(cc)), inv.app.Name+" "+inv.app.version())
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(pageName(cc)), roff(short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(inv.synopsis(cc)))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roffText(helpText(inv.app, cmd)))
	own, general := splitFlags(cc, cmd)
	roffFlags(&b, "OPTIONS", own)
	roffFlags(&b, "OPTIONS OF EVERY COMMAND", general)
	if cmd != nil && cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roffText(inv.examples(cmd)))
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, line := range exitTexts() {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", line.code, roff(line.text))
	}
	var related []string
	if cc.HasParent() {
		related = append(related, pageName(cc.Parent()))
	}
	for _, sub := range cc.Commands() {
		if !sub.Hidden {
			related = append(related, pageName(sub))
		}
	}
	if len(related) > 0 {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.ad l\n.BR %s (1)\n", roff(strings.Join(related, " (1),\n.BR ")))
	}
	return b.String()
}

type exitText struct {
	code int
	text string
}

// exitTexts explains the exit codes, for the pages.
func exitTexts() []exitText {
	return []exitText{
		{ExitOK, "Done, also when there was nothing to do."},
		{ExitFailed, "The command failed, or there is no such command, or --check found work."},
		{ExitUsage, "Wrong options or arguments, or a question that could not be asked: the input is no terminal and --no-input is missing."},
		{ExitPartial, "Finished, but rows failed and were set aside, rows that an undo found changed were left alone, or recover has left a transaction."},
		{ExitDeclined, "Declined at the prompt; nothing was changed."},
		{ExitLocked, "Another run holds the lock."},
		{ExitRefused, "A guard refused: rows that a foreign key protects, counts that moved, a plan or a file that does not fit, an assertion that does not hold, work that is done already."},
		{ExitAgain, "A time limit or a pause was reached, and the progress is saved: run it again."},
		{ExitInterrupted, "Stopped by SIGINT; what was committed is kept."},
		{ExitTerminated, "Stopped by SIGTERM; what was committed is kept."},
	}
}

func roffFlags(b *strings.Builder, title string, flags []*pflag.Flag) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, f := range flags {
		_, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(optionSyntax(f))), roff(usage))
	}
}

// writePages writes the pages of the program and all its visible commands, each as page has it, to files that end with ext.
func (inv *invocation) writePages(ctx context.Context, c *Call, dir, ext string, page func(*cobra.Command) string) error {
	var write func(cc *cobra.Command) error
	write = func(cc *cobra.Command) error {
		if cmd := inv.commands[cc]; cmd != nil && len(cmd.Subcommands) == 0 {
			inv.describeFlags(ctx, cmd, cc)
		}
		path := filepath.Join(dir, pageName(cc)+ext)
		if err := os.WriteFile(path, []byte(page(cc)), 0o644); err != nil { //nolint:gosec // a manual is for everybody
			return fmt.Errorf("write manual page: %w", err)
		}
		c.Line("%s", path)
		for _, sub := range cc.Commands() {
			if sub.Hidden {
				continue
			}
			if err := write(sub); err != nil {
				return err
			}
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as the pages in it
		return Errorf("--dir: %w", err)
	}
	return write(inv.root)
}

func pageName(cc *cobra.Command) string { return strings.ReplaceAll(cc.CommandPath(), " ", "-") }

// examples puts the program's real name into the examples of the intrinsic commands, which do not know it.
func (inv *invocation) examples(cmd *Command) string {
	return strings.ReplaceAll(cmd.Example, "PROGRAM", inv.app.Name)
}

// roff escapes what has a meaning in a manual page.
func roff(text string) string {
	text = strings.ReplaceAll(text, `\`, `\e`)
	return strings.ReplaceAll(text, "-", `\-`)
}

// roffText escapes paragraphs: a line that begins with a dot or a quote would be a command.
func roffText(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		line = roff(strings.TrimSpace(line))
		switch {
		case line == "":
			line = ".PP"
		case line[0] == '.' || line[0] == '\'':
			line = `\&` + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}
