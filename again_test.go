package drover_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// repeating is a program whose command hands its call to see.
func repeating(see func(c *drover.Call)) *drover.App {
	app := drover.New("manage")
	app.AddFunc(func() *drover.Command {
		return &drover.Command{Name: "jobs", Subcommands: []*drover.Command{{
			Name: "run", Args: drover.Args{Usage: "[NAME...]"},
			Options: drover.Options{DryRun: true, PlanOnly: true, Rollback: true, Confirm: true, BatchSize: 1000, Limit: true},
			Flags: func(f *pflag.FlagSet) {
				f.StringP("where", "w", "", "a `condition`")
				f.StringSlice("tag", nil, "some `tags`")
				f.StringArray("set", nil, "some `values`")
				f.IntSlice("id", nil, "some `ids`")
				f.StringToString("map", nil, "some `pairs`")
				f.Bool("all", true, "all of them")
			},
			Run: func(_ context.Context, c *drover.Call) error {
				see(c)
				return nil
			},
		}}}
	})
	return app
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		change map[string]string
		want   string
	}{
		{"bare", nil, nil, "manage jobs run"},
		{
			"in the order given",
			[]string{"--limit", "5", "-w", "status = 'done'", "--batch-size=10", "a", "b c"},
			nil,
			`manage jobs run --limit 5 --where "status = 'done'" --batch-size 10 a 'b c'`,
		},
		{"standard options", []string{"-v2", "--json", "--database", "default"}, nil, "manage jobs run --verbosity 2 --json --database default"},
		{"bools", []string{"--no-input", "--all=false"}, nil, "manage jobs run --no-input --all=false"},
		{"dry run", []string{"--dry-run"}, nil, "manage jobs run --dry-run"},
		{"dry run that rolls back", []string{"--dry-run=rollback"}, nil, "manage jobs run --dry-run=rollback"},
		{"empty value", []string{"--where", ""}, nil, "manage jobs run --where ''"},
		{
			"lists",
			[]string{"--tag", `x,"y,z"`, "--tag", `"say ""no"""`, "--set", "a,b", "--set", "", "--id", "1,2"},
			nil,
			`manage jobs run --tag x --tag '"y,z"' --tag '"say ""no"""' --set a,b --set '' --id 1 --id 2`,
		},
		{"text with a URL in it", []string{"--where", "url LIKE 'http://%'"}, nil, `manage jobs run --where "url LIKE 'http://%'"`},
		{"map", []string{"--map", "k=v w"}, nil, "manage jobs run --map 'k=v w'"},
		{"arguments like options", []string{"--", "-x", "--y"}, nil, "manage jobs run -- -x --y"},
		{
			"changed, removed and added",
			[]string{"--limit", "5", "--dry-run=rollback", "--no-input"},
			map[string]string{"limit": "3", "no-input": "", "dry-run": "plan", "where": "id > 7", "batch-size": "9", "map": "", "unknown": "1"},
			"manage jobs run --limit 3 --dry-run --batch-size 9 --unknown 1 --where 'id > 7'",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var line string
			var words []string
			app := repeating(func(c *drover.Call) { line, words = c.ShellLine(tt.change), c.CommandLine(nil) })
			if got := shell(t, app, drover.Env{}, append([]string{"jobs", "run"}, tt.args...)...); got.code != 0 {
				t.Fatalf("got %+v", got)
			}
			if diff := cmp.Diff(tt.want, line); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			// The words lead to themselves.
			var again []string
			app = repeating(func(c *drover.Call) { again = c.CommandLine(nil) })
			if got := shell(t, app, drover.Env{}, words[1:]...); got.code != 0 {
				t.Fatalf("again: %+v", got)
			}
			if diff := cmp.Diff(words, again); diff != "" {
				t.Errorf("again (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCommandLine_HidesPasswords gives URLs to an option that is not --database.
func TestCommandLine_HidesPasswords(t *testing.T) {
	for given, want := range map[string]string{
		"postgres://u:secret@h/x": "URL", "mysql://u:sec/ret@h/x": "URL", "postgres://u:%zz@h/x": "URL", "postgres://u@h/x": "postgres://u@h/x", "http://example.org/": "http://example.org/",
	} {
		var words []string
		app := repeating(func(c *drover.Call) { words = c.CommandLine(nil) })
		if got := shell(t, app, drover.Env{}, "jobs", "run", "--where", given); got.code != 0 || words[len(words)-1] != want {
			t.Errorf("%s: %q, want %s", given, words, want)
		}
	}
}

func TestCommandLine_HidesTheURL(t *testing.T) {
	d := testdb.Fresh(t, testdb.NamePostgres)
	var line, option string
	other := open(t, testdb.SQLite(t), db.Alias("other"))
	app := repeating(func(c *drover.Call) {
		line, option = c.ShellLine(nil), c.DatabaseOption()
		if got := c.WithDB(other).DatabaseOption(); got != " --database other" && option != " --database URL" {
			t.Errorf("with another database: %q", got)
		}
	})
	for _, tt := range []struct {
		args         []string
		line, option string
	}{
		{[]string{"--database", d.URL}, "manage jobs run --database URL", " --database URL"},
		{[]string{"--database", "default"}, "manage jobs run --database default", " --database default"},
		{nil, "manage jobs run", ""},
	} {
		if got := shell(t, app, drover.Env{}, append([]string{"jobs", "run"}, tt.args...)...); got.code != 0 || line != tt.line || option != tt.option {
			t.Errorf("%q, %q, %+v", line, option, got)
		}
	}
}

func TestCall_Names(t *testing.T) {
	var program, name, whole string
	app := repeating(func(c *drover.Call) { program, name, whole = c.Program(), c.CommandName(), c.Command() })
	_, err := app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{open(t, testdb.SQLite(t))}}, "jobs run")
	if err != nil || program != "manage" || name != "jobs run" || whole != "manage jobs run" {
		t.Errorf("%q %q %q, %v", program, name, whole, err)
	}
}
