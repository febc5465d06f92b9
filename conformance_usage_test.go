package drover_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
)

// The cases of the section "Command framework" of the conformance list, by their numbers; numbers that are missing from
// it (69, 72, 79-81, 84, 89, 101, 111, 112) are about Python's import system or its test runner. Here: how a command
// line is read. How a command behaves: conformance_behaviour_test.go.

func TestConformance_068_UserErrorIsOneLineAndItsCode(t *testing.T) {
	app := appOf(plain("dance", func(context.Context, *drover.Call) error { return drover.Exit(7, "no music") }))
	got := shell(t, app, drover.Env{}, "dance")
	if want := (ran{7, "", "Error: no music\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestConformance_070_UnexpectedErrorIsNeverSwallowed(t *testing.T) {
	cause := errors.New("socket melted")
	app := appOf(
		plain("fail", func(context.Context, *drover.Call) error { return fmt.Errorf("load rows: %w", cause) }),
		plain("panic", func(context.Context, *drover.Call) error { panic("lost my marbles") }),
	)
	for _, tt := range []struct {
		name string
		args []string
		want []string
		not  string
	}{
		{"error", []string{"fail"}, []string{"Error: load rows: socket melted", "--traceback"}, "goroutine"},
		{"chain", []string{"fail", "--traceback"}, []string{"*fmt.wrapError: load rows: socket melted", "*errors.errorString: socket melted"}, "goroutine"},
		{"panic", []string{"panic"}, []string{"Error: panic: lost my marbles", "--traceback"}, "goroutine"},
		{"stack", []string{"panic", "--traceback"}, []string{"Error: panic: lost my marbles", "conformance_usage_test.go"}, "add --traceback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := shell(t, app, drover.Env{}, tt.args...)
			if got.code != drover.ExitFailed || got.stdout != "" {
				t.Errorf("code %d, stdout %q", got.code, got.stdout)
			}
			for _, want := range tt.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, got.stderr)
				}
			}
			if strings.Contains(got.stderr, tt.not) {
				t.Errorf("stderr has %q:\n%s", tt.not, got.stderr)
			}
		})
	}
}

func TestConformance_071_CallReturnsTheErrorValue(t *testing.T) {
	cause := errors.New("socket melted")
	app := appOf(
		plain("fail", func(context.Context, *drover.Call) error { return fmt.Errorf("load rows: %w", cause) }),
		plain("dance", func(context.Context, *drover.Call) error { return drover.Exit(7, "no music") }),
	)
	if _, err := app.Call(t.Context(), "fail"); !errors.Is(err, cause) {
		t.Errorf("fail: %v", err)
	}
	res, err := app.Call(t.Context(), "dance")
	if drover.ExitCode(err) != 7 || res == nil || res.Stderr != "" {
		t.Errorf("dance: %v, %+v", err, res)
	}
	defer func() {
		if recover() != "boo" {
			t.Error("a panic must pass through Call")
		}
	}()
	_, _ = appOf(plain("panic", func(context.Context, *drover.Call) error { panic("boo") })).Call(t.Context(), "panic")
}

func TestConformance_074_UnknownOption(t *testing.T) {
	app := appOf(plain("dance", func(context.Context, *drover.Call) error { return nil }))
	got := shell(t, app, drover.Env{}, "dance", "--verbosty", "2")
	want := ran{2, "", "Usage: manage dance [options]\n" +
		"Error: unknown option --verbosty of \"manage dance\"; did you mean --verbosity?\n"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got = shell(t, app, drover.Env{}, "dance", "-x")
	if got.code != 2 || !strings.Contains(got.stderr, "unknown option -x") {
		t.Errorf("got %+v", got)
	}
	_, err := app.Call(t.Context(), "dance", "--nosuch")
	var usage *drover.UsageError
	if !errors.As(err, &usage) || !slices.Equal(usage.Unknown, []string{"--nosuch"}) {
		t.Errorf("from code: %v", err)
	}
}

func TestConformance_075_MissingArgument(t *testing.T) {
	body := func(context.Context, *drover.Call) error { return nil }
	own := plain("own", body)
	own.Args = drover.Args{Usage: "LABEL...", Missing: "enter at least one label"}
	two := plain("two", body)
	two.Args = drover.Args{Usage: "FROM TO [NAME]"}
	app := appOf(own, two)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"own"}, "Usage: manage own LABEL... [options]\nError: enter at least one label\n"},
		{[]string{"two", "a"}, "Usage: manage two FROM TO [NAME] [options]\nError: missing TO\n"},
		{[]string{"two", "a", "b", "c", "d"}, "Usage: manage two FROM TO [NAME] [options]\nError: unexpected argument \"d\"\n"},
		{[]string{"two", "a", "b", "c"}, ""},
		{[]string{"two", "a", "b"}, ""},
		{[]string{"own", "a", "b", "c", "d"}, ""},
	} {
		got := shell(t, app, drover.Env{}, tt.args...)
		if got.stderr != tt.want || (got.code == 2) != (tt.want != "") {
			t.Errorf("%v: got %+v, want %q", tt.args, got, tt.want)
		}
	}
}

func TestConformance_076_BadValueNamesCommandAndOption(t *testing.T) {
	create := plain("create", func(context.Context, *drover.Call) error { return nil })
	var count int
	create.Flags = func(f *pflag.FlagSet) { f.IntVar(&count, "count", 1, "how many") }
	app := appOf(&drover.Command{Name: "things", Subcommands: []*drover.Command{create}})
	got := shell(t, app, drover.Env{}, "things", "create", "--count", "many")
	want := ran{2, "", "Usage: manage things create [options]\n" +
		"Error: invalid value \"many\" for --count of \"manage things create\": must be an integer\n"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestConformance_077_UnknownCommand(t *testing.T) {
	body := func(context.Context, *drover.Call) error { return nil }
	app := appOf(plain("purge", body), plain("backfill", body),
		&drover.Command{Name: "runs", Subcommands: []*drover.Command{plain("list", body)}})
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"near", "Error: unknown command \"prge\" for \"manage\"; did you mean \"purge\"?\nTry:   manage --help lists the commands\n", []string{"prge"}},
		{"far", "Error: unknown command \"xyzzy\" for \"manage\"\nTry:   manage --help lists the commands\n", []string{"xyzzy"}},
		{"beginning", "Error: unknown command \"back\" for \"manage\"; did you mean \"backfill\"?\nTry:   manage --help lists the commands\n", []string{"back"}},
		{"with its options", "Error: unknown command \"prge\" for \"manage\"; did you mean \"purge\"?\nTry:   manage --help lists the commands\n", []string{"prge", "--table", "x"}},
		{"in a group", "Error: unknown command \"xyzzy\" for \"manage runs\"\nTry:   manage runs --help lists the commands\n", []string{"runs", "xyzzy"}},
		{"for help", "Error: unknown command \"prge\" for \"manage\"; did you mean \"purge\"?\nTry:   manage --help lists the commands\n", []string{"help", "prge"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := shell(t, app, drover.Env{}, tt.args...)
			if want := (ran{1, "", tt.want}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestConformance_078_NoArgumentsIsHelp(t *testing.T) {
	app := appOf(plain("purge", func(context.Context, *drover.Call) error { return nil }))
	app.Short = "Manage things"
	bare := shell(t, app, drover.Env{})
	if bare.code != 0 || bare.stderr != "" || !strings.Contains(bare.stdout, "  purge        Do purge\n") {
		t.Errorf("got %+v", bare)
	}
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		if got := shell(t, app, drover.Env{}, args...); got != bare {
			t.Errorf("%v differs (-bare +%v):\n%s", args, args, cmp.Diff(bare.stdout, got.stdout))
		}
	}
	one, other := shell(t, app, drover.Env{}, "help", "purge"), shell(t, app, drover.Env{}, "purge", "--help")
	if one != other || !strings.HasPrefix(one.stdout, "Do purge\n\nUsage:\n  manage purge [options]\n") {
		t.Errorf("help purge and purge --help (-help +--help):\n%s", cmp.Diff(one, other, cmp.AllowUnexported(ran{})))
	}
}

func TestConformance_082_HiddenOptions(t *testing.T) {
	var seen int
	quiet := plain("quiet", func(_ context.Context, c *drover.Call) error {
		seen = c.Verbosity()
		return nil
	})
	quiet.Hide = []string{"verbosity", "json"}
	app := appOf(quiet)
	help := shell(t, app, drover.Env{}, "quiet", "--help").stdout
	if strings.Contains(help, "--verbosity") || strings.Contains(help, "--json") || !strings.Contains(help, "--no-color") {
		t.Errorf("help:\n%s", help)
	}
	if got := shell(t, app, drover.Env{}, "quiet"); got.code != 0 || seen != 1 {
		t.Errorf("default: %+v, verbosity %d", got, seen)
	}
	if got := shell(t, app, drover.Env{}, "quiet", "-v", "3"); got.code != 0 || seen != 3 {
		t.Errorf("given: %+v, verbosity %d", got, seen)
	}
}

func TestConformance_083_GlobalOptionsAnywhere(t *testing.T) {
	var status string
	app := appOf(&drover.Command{
		Name: "show", NoDatabase: true,
		Flags: func(f *pflag.FlagSet) { f.StringVar(&status, "status", "none", "the `status`") },
		Run: func(_ context.Context, c *drover.Call) error {
			c.Line("status=%s verbosity=%d json=%v", status, c.Verbosity(), c.JSONOutput())
			return nil
		},
	})
	want := "status=old verbosity=2 json=false\n"
	for _, args := range [][]string{
		{"-v", "2", "show", "--status", "old"},
		{"--verbosity=2", "show", "--status", "old"},
		{"show", "-v", "2", "--status", "old"},
		{"show", "--status", "old", "-v2"},
		{"--no-color", "show", "--status=old", "--verbosity", "2"},
	} {
		if got := shell(t, app, drover.Env{}, args...); got.stdout != want {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := shell(t, app, drover.Env{}, "show"); got.stdout != "status=none verbosity=1 json=false\n" {
		t.Errorf("defaults must be back for the next invocation: %+v", got)
	}
}

func TestConformance_085_VersionWordAndOption(t *testing.T) {
	app := appOf(plain("purge", func(context.Context, *drover.Call) error { return errors.New("must not run") }))
	for _, args := range [][]string{{"version"}, {"--version"}, {"purge", "--version"}} {
		if got, want := shell(t, app, drover.Env{}, args...), (ran{0, "manage 1.2.3\n", ""}); got != want {
			t.Errorf("%v: got %+v, want %+v", args, got, want)
		}
	}
}

func brokenConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drover.toml")
	if err := os.WriteFile(path, []byte("[[[ not toml"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformance_086_HelpWithBrokenConfiguration(t *testing.T) {
	app := appOf(&drover.Command{Name: "purge", Run: func(context.Context, *drover.Call) error { return nil }})
	app.ConfigFile = brokenConfig(t)
	for _, args := range [][]string{{}, {"help"}, {"purge", "--help"}, {"help", "purge"}} {
		got := shell(t, app, drover.Env{}, args...)
		if got.code != 0 || !strings.Contains(got.stdout, "Usage:") {
			t.Errorf("%v: %+v", args, got)
		}
		if !strings.Contains(got.stderr, "Warning: the configuration is broken") || !strings.Contains(got.stderr, "drover.toml") {
			t.Errorf("%v: stderr does not say what is broken: %q", args, got.stderr)
		}
	}
	if got := shell(t, app, drover.Env{}, "version"); got != (ran{0, "manage 1.2.3\n", ""}) {
		t.Errorf("version: %+v", got)
	}
}

func TestConformance_087_CommandWithBrokenConfiguration(t *testing.T) {
	ranBody := false
	app := appOf(&drover.Command{Name: "purge", Run: func(context.Context, *drover.Call) error {
		ranBody = true
		return nil
	}})
	app.ConfigFile = brokenConfig(t)
	got := shell(t, app, drover.Env{}, "purge")
	if got.code != 1 || got.stdout != "" || ranBody || !strings.Contains(got.stderr, "drover.toml") || strings.Contains(got.stderr, "unknown command") {
		t.Errorf("got %+v, ran %v", got, ranBody)
	}
}

func TestConformance_088_Precedence(t *testing.T) {
	says := func(text string) func() *drover.Command {
		return func() *drover.Command {
			return plain("purge", func(_ context.Context, c *drover.Call) error {
				c.Line("%s", text)
				return nil
			})
		}
	}
	for _, tt := range []struct {
		name string
		add  func(*drover.App)
	}{
		{"built-in first", func(a *drover.App) { a.AddBuiltin(says("built-in")); a.Add(says("user")()) }},
		{"user first", func(a *drover.App) { a.Add(says("user")()); a.AddBuiltin(says("built-in")) }},
		{"by constructor", func(a *drover.App) { a.AddFunc(says("user")); a.AddBuiltin(says("built-in")) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := drover.New("manage")
			tt.add(app)
			if got := shell(t, app, drover.Env{}, "purge"); got.stdout != "user\n" {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("two of one level", func(t *testing.T) {
		defer func() {
			text := fmt.Sprint(recover())
			if strings.Count(text, "conformance_usage_test.go:") != 2 || !strings.Contains(text, `"purge"`) {
				t.Errorf("the panic does not name both places: %s", text)
			}
		}()
		app := drover.New("manage")
		app.Add(says("one")())
		app.AddFunc(says("two"))
	})
	t.Run("replaces the program's own", func(t *testing.T) {
		app := appOf(plain("version", func(_ context.Context, c *drover.Call) error {
			c.Line("mine")
			return nil
		}))
		if got := shell(t, app, drover.Env{}, "version"); got.stdout != "mine\n" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestConformance_095_UnknownOptionFromCode(t *testing.T) {
	app := appOf(plain("dance", func(context.Context, *drover.Call) error { return nil }))
	_, err := app.CallWith(t.Context(), drover.CallOptions{Set: map[string]any{"stil": "x", "verbosity": 2, "pace": 3}}, "dance")
	var usage *drover.UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{"--pace", "--stil"}, usage.Unknown); diff != "" {
		t.Error(diff)
	}
	if text := err.Error(); !strings.Contains(text, "--pace, --stil") || !strings.Contains(text, "valid: ") || !strings.Contains(text, "--verbosity") {
		t.Errorf("message: %s", text)
	}
}

func TestConformance_096_RequiredOptionsFromCode(t *testing.T) {
	app := drover.New("manage")
	app.AddFunc(func() *drover.Command {
		var need string
		var ids []int
		cmd := plain("run", func(_ context.Context, c *drover.Call) error {
			c.Line("%s %v %v", need, ids, c.Args())
			return nil
		})
		cmd.Args = drover.Args{Usage: "[LABEL...]"}
		cmd.Require = []string{"need", "id"}
		cmd.Flags = func(f *pflag.FlagSet) {
			f.StringVar(&need, "need", "", "a `word`")
			f.IntSliceVar(&ids, "id", nil, "some `ids`")
		}
		return cmd
	})
	res, err := app.CallWith(t.Context(), drover.CallOptions{Set: map[string]any{"need": "it", "id": []int{1, 2}}}, "run", "a", "--", "--b")
	if err != nil || res.Stdout != "it [1 2] [a --b]\n" {
		t.Errorf("Set: %v, %+v", err, res)
	}
	res, err = app.Call(t.Context(), "run", "--need=it", "--id", "1", "--id", "2")
	if err != nil || res.Stdout != "it [1 2] []\n" {
		t.Errorf("args: %v, %+v", err, res)
	}
	if _, err = app.Call(t.Context(), "run", "--need=it"); drover.ExitCode(err) != 2 || !strings.Contains(err.Error(), "--id") {
		t.Errorf("missing: %v", err)
	}
}

func TestConformance_097_RequiredGroupNamesItsMembers(t *testing.T) {
	cmd := plain("run", func(context.Context, *drover.Call) error { return nil })
	cmd.RequireOne = [][]string{{"for-all", "for-one"}}
	cmd.Flags = func(f *pflag.FlagSet) {
		f.Bool("for-all", false, "all")
		f.String("for-one", "", "a `name`")
	}
	app := appOf(cmd)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"run"}, "one of --for-all, --for-one is required"},
		{[]string{"run", "--for-all", "--for-one", "x"}, "--for-all, --for-one exclude each other"},
		{[]string{"run", "--for-all"}, ""},
	} {
		got := shell(t, app, drover.Env{}, tt.args...)
		if tt.want == "" && got.code == 0 {
			continue
		}
		if got.code != 2 || !strings.HasSuffix(got.stderr, "Error: "+tt.want+"\n") {
			t.Errorf("%v: %+v", tt.args, got)
		}
	}
}

func TestConformance_109_UnknownDatabaseListsAliases(t *testing.T) {
	body := func(context.Context, *drover.Call) error { return errors.New("must not run") }
	app := appOf(&drover.Command{Name: "one", Run: body}, &drover.Command{Name: "group", Subcommands: []*drover.Command{{Name: "two", Run: body}}})
	env := drover.Env{Environ: []string{"DATABASE_URL=sqlite::memory:", "DATABASE_URL_REPORTS=sqlite::memory:"}}
	for _, words := range [][]string{{"one"}, {"group", "two"}} {
		got := shell(t, app, env, append(words, "--database", "reprots")...)
		if got.code != 2 || got.stdout != "" || len(lines(got.stderr)) != 2 ||
			!strings.Contains(got.stderr, "unknown database \"reprots\"") || !strings.Contains(got.stderr, "default, reports") ||
			!strings.Contains(got.stderr, "did you mean reports?") {
			t.Errorf("%v: %+v", words, got)
		}
	}
	app.DefaultURL = ""
	got := shell(t, app, drover.Env{Environ: []string{"HOME=/nowhere"}}, "one")
	if got.code != 2 || !strings.Contains(got.stderr, "no database \"default\": none is configured") || !strings.Contains(got.stderr, "Try:   set DATABASE_URL") {
		t.Errorf("none configured: %+v", got)
	}
}

func TestConformance_110_Completion(t *testing.T) {
	body := func(context.Context, *drover.Call) error { return nil }
	purge := &drover.Command{
		Name: "purge", Short: "Delete rows", Run: body, Args: drover.Args{Usage: "TABLE"}, Hide: []string{"traceback"},
		Options: drover.Options{DryRun: true, BatchSize: 100},
		Flags:   func(f *pflag.FlagSet) { f.String("where", "", "a `condition`") },
		Complete: func(_ context.Context, _ *drover.Call, option, _ string) []string {
			return map[string][]string{"": {"events", "event_tags", "users"}, "where": {"id=1"}}[option]
		},
	}
	app := appOf(purge, plain("purge-files", body), &drover.Command{Name: "secret", Hidden: true, Run: body})
	env := drover.Env{Environ: []string{"DATABASE_URL=sqlite::memory:", "DATABASE_URL_REPORTS=sqlite::memory:"}}
	for _, tt := range []struct {
		name string
		args []string
		want []string
	}{
		{"commands", []string{"pur"}, []string{"purge", "purge-files"}},
		{"hidden command", []string{"sec"}, nil},
		{"its options", []string{"purge", "--d"}, []string{"--database", "--dry-run"}},
		{"used option", []string{"purge", "--dry-run", "--d"}, []string{"--database"}},
		{"hidden option", []string{"purge", "--tra"}, nil},
		{"value after a space", []string{"purge", "--database", ""}, []string{"default", "reports"}},
		{"value after =", []string{"purge", "--database="}, []string{"default", "reports"}},
		{"own value", []string{"purge", "--where", ""}, []string{"id=1"}},
		{"argument", []string{"purge", "ev"}, []string{"events", "event_tags"}},
		{"no second argument", []string{"purge", "events", ""}, nil},
		{"unknown command", []string{"nosuch", "--x", ""}, nil},
		{"a command's name for help", []string{"help", "pur"}, []string{"purge", "purge-files"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := shell(t, app, env, append([]string{"__completeNoDesc"}, tt.args...)...)
			found := lines(got.stdout)
			if got.code != 0 || len(found) == 0 {
				t.Fatalf("got %+v", got)
			}
			found = found[:len(found)-1] // the directive
			slices.Sort(found)
			want := slices.Sorted(slices.Values(tt.want))
			if !slices.Equal(want, found) {
				t.Errorf("-want +got:\n%s", cmp.Diff(want, found))
			}
		})
	}
	for _, shellName := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := shell(t, app, env, "completion", shellName); got.code != 0 || !strings.Contains(got.stdout, "manage") {
			t.Errorf("completion %s: %d", shellName, got.code)
		}
	}
}
