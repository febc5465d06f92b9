package drover_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
)

// TestCommand_Fill gives options and arguments that are required and were not typed.
func TestCommand_Fill(t *testing.T) {
	from := ""
	cmd := &drover.Command{
		Name: "load", NoDatabase: true, Require: []string{"table"}, Exclusive: [][]string{{"table", "all"}}, Args: drover.Args{Usage: "FILE"},
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&from, "from", "", "take the options from here")
			f.StringSlice("table", nil, "tables")
			f.Bool("all", false, "all tables")
		},
		Fill: func(c *drover.Call) error {
			switch from {
			case "":
				return nil
			case "broken":
				return drover.Exit(drover.ExitRefused, "not this one")
			}
			c.SetArgs(from + ".csv")
			return errors.Join(c.Flags().Set("table", "a"), c.Flags().Set("table", `"b,c"`))
		},
		Run: func(_ context.Context, c *drover.Call) error {
			c.Line("%q %q %s", c.Typed("table"), c.Args(), c.ShellLine(nil))
			return nil
		},
	}
	app := drover.New("manage")
	app.Add(cmd)
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"--from x", drover.ExitOK, `["a" "\"b,c\""] ["x.csv"] manage load --from x --table a --table '"b,c"' x.csv`},
		{"x.csv", drover.ExitUsage, "option --table is required"},
		{"--from broken", drover.ExitRefused, "not this one"},
		{"--from x --all", drover.ExitUsage, "exclude each other"},
		{"--table d x.csv", drover.ExitOK, `["d"] ["x.csv"] manage load --table d x.csv`},
	} {
		res, err := app.Call(t.Context(), "load", strings.Fields(tt.args)...)
		if got := res.Stdout + fmt.Sprint(err); drover.ExitCode(err) != tt.code || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", tt.args, got)
		}
	}
}
