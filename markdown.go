package drover

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// markdown gives a command's page of the reference in Markdown. What every command has stands on the program's page only, which is the index.
func (inv *invocation) markdown(cc *cobra.Command) string {
	cmd := inv.commands[cc]
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n```\n%s\n```\n", cc.CommandPath(), markdownText(helpText(inv.app, cmd)), inv.synopsis(cc))
	own, general := splitFlags(cc, cmd)
	if cc.HasAvailableSubCommands() {
		b.WriteString("\n## Commands\n\n| Command | |\n| --- | --- |\n")
		for _, sub := range cc.Commands() {
			if !sub.Hidden {
				fmt.Fprintf(&b, "| [%s](%s.md) | %s |\n", sub.CommandPath(), pageName(sub), markdownCell(sub.Short))
			}
		}
	}
	markdownFlags(&b, "Options", own)
	if cmd != nil && cmd.Example != "" {
		fmt.Fprintf(&b, "\n## Examples\n\n```sh\n%s\n```\n", strings.TrimSpace(inv.examples(cmd)))
	}
	if cc.HasParent() {
		fmt.Fprintf(&b, "\nThe options of every command and the exit codes are on the page of [%s](%s.md).\n", cc.Root().Name(), pageName(cc.Root()))
		return b.String()
	}
	markdownFlags(&b, "Options of every command", general)
	b.WriteString("\n## Exit codes\n\n| Code | Meaning |\n| --- | --- |\n")
	for _, line := range exitTexts() {
		fmt.Fprintf(&b, "| %d | %s |\n", line.code, markdownCell(line.text))
	}
	return b.String()
}

func markdownFlags(b *strings.Builder, title string, flags []*pflag.Flag) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n| Option | | Default |\n| --- | --- | --- |\n", title)
	for _, f := range flags {
		_, usage := pflag.UnquoteUsage(f)
		standard := ""
		if showsDefault(f) {
			standard = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.ReplaceAll(strings.TrimSpace(optionSyntax(f)), "|", "\\|"), markdownCell(usage), standard)
	}
}

// markdownEscapes keeps text from being taken for markup.
var markdownEscapes = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "<", "&lt;", "`", "\\`")

func markdownText(text string) string { return markdownEscapes.Replace(text) }

func markdownCell(text string) string {
	return strings.ReplaceAll(markdownText(strings.Join(strings.Fields(text), " ")), "|", `\|`)
}
