package command

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// Shell returns the command "shell", which becomes the database's own interactive program. It opens no connection by itself.
func Shell() *drover.Command {
	var printLine bool
	return &drover.Command{
		Name: "shell", Short: "Open the database's own client: psql, mariadb or sqlite3",
		Long: `Become the client of the database with this ALIAS: psql, mariadb (or mysql) or sqlite3, with the user, the address and the TLS options of its URL. The client
has the terminal, Ctrl-C and all other signals, and its exit code is the command's.

What stands behind -- goes to the client. The input can come from a pipe. The password is handed over in the client's environment, where other
users of the machine cannot read it, and never on its command line.`,
		Example: `drover shell
drover shell reports
drover shell reports -- -c "select count(*) from orders"
echo "select 1" | drover shell
drover shell --print`,
		Args:       drover.Args{Usage: "[ALIAS] [-- ARGUMENT...]"},
		NoDatabase: true, NamesDatabase: true,
		Flags: func(f *pflag.FlagSet) {
			f.BoolVar(&printLine, "print", false, "print the client's command line, without the password, and start nothing")
		},
		Run: func(_ context.Context, c *drover.Call) error {
			alias, given, err := shellDatabase(c)
			if err != nil {
				return err
			}
			client, err := c.DatabaseClient(alias)
			if err != nil {
				return err
			}
			program, path, found := installed(c, client)
			program.Args = slices.Concat(program.Args, given)
			switch {
			case printLine:
				return printClient(c, alias, client, program)
			case !found:
				return clientMissing(c, client)
			}
			if len(program.Left) > 0 {
				c.Notice("Not handed to %s, which has no option for it: %s.", program.Name, strings.Join(program.Left, ", "))
			}
			return c.Exec(path, program.Args, client.Environ)
		},
		Complete: func(_ context.Context, c *drover.Call, option, _ string) []string {
			if option != "" || len(c.Args()) > 0 {
				return nil
			}
			aliases, err := c.Aliases()
			if err != nil {
				return nil
			}
			return aliases
		},
	}
}

// shellDatabase is the database that the command line names, and the arguments for its client.
func shellDatabase(c *drover.Call) (alias string, given []string, err error) {
	alias, err = c.Flags().GetString("database")
	if err != nil {
		return "", nil, err
	}
	named := c.Args()
	if dash := c.Flags().ArgsLenAtDash(); dash >= 0 {
		named, given = named[:dash], named[dash:]
	}
	switch {
	case len(named) > 1:
		return "", nil, drover.Exit(drover.ExitUsage, "unexpected argument %q", named[1]).
			Try("what is for the client stands behind --: %s ALIAS -- ARGUMENT...", c.Command())
	case len(named) > 0 && c.Flags().Changed("database"):
		return "", nil, drover.Exit(drover.ExitUsage, "ALIAS and --database exclude each other")
	case len(named) > 0:
		alias = named[0]
	}
	return alias, given, nil
}

// installed is the best one of the client's programs that is there, or else the best one.
func installed(c *drover.Call, client *db.Client) (program db.ClientProgram, path string, found bool) {
	for _, program := range client.Programs {
		if path, found := c.LookPath(program.Name); found {
			return program, path, true
		}
	}
	return client.Programs[0], "", false
}

func clientMissing(c *drover.Call, client *db.Client) error {
	best := client.Programs[0]
	names := make([]string, len(client.Programs))
	for i, program := range client.Programs {
		names[i] = program.Name
	}
	return drover.Errorf("no program %s is on the PATH; nothing was started", strings.Join(names, " or ")).
		Try("apt-get install %s    installs %s on Debian and Ubuntu", best.Package, best.Name).
		Try("%s --print    shows the command line, for use elsewhere", c.Command())
}

type shellDocument struct {
	Type      string      `json:"type"`
	Time      string      `json:"time"`
	Database  shellTarget `json:"database"`
	Program   string      `json:"program"`
	Arguments []string    `json:"arguments"`
	Password  bool        `json:"password"` // the URL has one, and the program is to ask for it
	Left      []string    `json:"left"`
}

type shellTarget struct {
	Alias string `json:"alias"`
}

// printClient prints what would be started, so that it can be started elsewhere: in place of having the password, the client asks for it.
func printClient(c *drover.Call, alias string, client *db.Client, program db.ClientProgram) error {
	arguments := slices.Concat(program.Args, client.Ask)
	if c.JSONOutput() {
		if strings.Contains(alias, ":") {
			alias = db.DefaultAlias // as in all messages about a URL, which may hold a password
		}
		c.JSON(shellDocument{
			"shell", term.Timestamp(c.Now()), shellTarget{alias}, program.Name, arguments, len(client.Environ) > 0, append([]string{}, program.Left...),
		})
		return nil
	}
	words := []string{program.Name}
	for _, word := range arguments {
		words = append(words, term.ShellQuote(word))
	}
	c.Line("%s", strings.Join(words, " "))
	return nil
}
