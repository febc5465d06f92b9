package drover_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestConformance_073_EveryConnectionIsClosed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		other := testdb.SQLite(t)
		for _, tt := range []struct {
			name string
			end  func() error
		}{
			{"ok", func() error { return nil }},
			{"failed", func() error { return errors.New("no") }},
			{"panicked", func() error { panic("no") }},
		} {
			t.Run(tt.name, func(t *testing.T) {
				var conns []*db.DB
				app := appOf(&drover.Command{Name: "work", Run: func(ctx context.Context, c *drover.Call) error {
					second, err := c.Database(ctx, "other")
					if err != nil {
						return err
					}
					conns = []*db.DB{c.DB(), second}
					for _, conn := range conns {
						if err := conn.Ping(ctx); err != nil {
							return err
						}
					}
					return tt.end()
				}})
				shell(t, app, drover.Env{Environ: []string{"DATABASE_URL=" + d.URL, "DATABASE_URL_OTHER=" + other}}, "work")
				if len(conns) != 2 {
					t.Fatal("the command did not run")
				}
				for _, conn := range conns {
					if conn.Ping(t.Context()) == nil {
						t.Errorf("the connection to %s is still open", conn.Alias())
					}
				}
			})
		}
	})
}

func TestConformance_090_Colour(t *testing.T) {
	app := appOf(plain("say", func(_ context.Context, c *drover.Call) error {
		c.Success("done")
		c.Warning("hot")
		return nil
	}))
	const green, yellow = "\x1b[32mdone\x1b[m\n", "\x1b[33mWarning: hot\x1b[m\n"
	for _, tt := range []struct {
		name     string
		args     []string
		env      drover.Env
		out, err string
	}{
		{"no terminal", nil, drover.Env{}, "done\n", "Warning: hot\n"},
		{"forced", []string{"--force-color"}, drover.Env{}, green, yellow},
		{"off", []string{"--no-color"}, drover.Env{StdoutTTY: true, StderrTTY: true}, "done\n", "Warning: hot\n"},
		{"terminal", nil, drover.Env{StdoutTTY: true, StderrTTY: true}, green, yellow},
		{"each stream by itself", nil, drover.Env{StderrTTY: true}, "done\n", yellow},
		{"NO_COLOR", nil, drover.Env{StdoutTTY: true, StderrTTY: true, Environ: []string{"NO_COLOR=1"}}, "done\n", "Warning: hot\n"},
		{"option before NO_COLOR", []string{"--force-color"}, drover.Env{Environ: []string{"NO_COLOR=1"}}, green, yellow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := shell(t, app, tt.env, append([]string{"say"}, tt.args...)...)
			if want := (ran{0, tt.out, tt.err}); got != want {
				t.Errorf("got %+q, want %+q", []string{got.stdout, got.stderr}, []string{want.stdout, want.stderr})
			}
		})
	}
	for _, args := range [][]string{{"say", "--no-color", "--force-color"}, {"--no-color", "--force-color"}} {
		got := shell(t, app, drover.Env{}, args...)
		if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, "exclude each other") {
			t.Errorf("both: %+v", got)
		}
	}
}

func TestConformance_091_WritersPerCallAndOneNewline(t *testing.T) {
	app := appOf(plain("say", func(_ context.Context, c *drover.Call) error {
		c.Line("one")
		c.Line("two\n")
		c.Success("three\n")
		c.Notice("four")
		return nil
	}))
	const out, stderr = "one\ntwo\nthree\n", "four\n"
	var o, e strings.Builder
	res, err := app.CallWith(t.Context(), drover.CallOptions{Stdout: &o, Stderr: &e}, "say")
	if err != nil || o.String() != out || e.String() != stderr || res.Stdout != "" || res.Stderr != "" {
		t.Errorf("%v, %q, %q, %+v", err, o.String(), e.String(), res)
	}
	if res, err = app.Call(t.Context(), "say"); err != nil || res.Stdout != out || res.Stderr != stderr {
		t.Errorf("%v, %+v", err, res)
	}
}

// checked is a command with a check that gives finding, and says whether its body ran.
func checked(finding error) (*drover.App, *bool) {
	body := new(bool)
	cmd := plain("work", func(context.Context, *drover.Call) error {
		*body = true
		return nil
	})
	cmd.Checks = []drover.Check{{Name: "schema", Run: func(context.Context, *drover.Call) error { return finding }}}
	return appOf(cmd), body
}

func TestConformance_092_ChecksFromShellAndCode(t *testing.T) {
	stop := errors.New("table is missing")
	for _, tt := range []struct {
		name string
		run  func(app *drover.App)
		body bool
	}{
		{"shell", func(app *drover.App) { shell(t, app, drover.Env{}, "work") }, false},
		{"shell, skipped", func(app *drover.App) { shell(t, app, drover.Env{}, "work", "--skip-checks") }, true},
		{"code", func(app *drover.App) { _, _ = app.Call(t.Context(), "work") }, true},
		{"code, asked for", func(app *drover.App) { _, _ = app.CallWith(t.Context(), drover.CallOptions{Checks: true}, "work") }, false},
	} {
		app, body := checked(stop)
		if tt.run(app); *body != tt.body {
			t.Errorf("%s: the body ran: %v", tt.name, *body)
		}
	}
}

func TestConformance_093_FailingCheckStopsWarningDoesNot(t *testing.T) {
	app, body := checked(errors.Join(drover.Warn("index is missing"), drover.Exit(9, "table is missing")))
	got := shell(t, app, drover.Env{}, "work")
	want := ran{1, "", "Warning: check schema: index is missing\nError: check schema: table is missing\n" +
		"Try:   --skip-checks runs the command without its checks\n"}
	if got != want || *body {
		t.Errorf("got %+v, body %v", got, *body)
	}
	app, body = checked(drover.Warn("index is missing"))
	if got := shell(t, app, drover.Env{}, "work"); got != (ran{0, "", "Warning: check schema: index is missing\n"}) || !*body {
		t.Errorf("warning: %+v, body %v", got, *body)
	}
}

func TestConformance_094_PendingSchemaChangeIsANotice(t *testing.T) {
	// drover leaves migrations to the team's own tool; a command that wants to be told has a check that warns.
	app, body := checked(drover.Warn("2 migrations are not applied"))
	got := shell(t, app, drover.Env{}, "work")
	if got.code != 0 || !*body || !strings.Contains(got.stderr, "2 migrations are not applied") {
		t.Errorf("got %+v, body %v", got, *body)
	}
}

func TestConformance_098_SeveralLabels(t *testing.T) {
	cmd := &drover.Command{
		Name: "label", NoDatabase: true,
		Args: drover.Args{Usage: "LABEL...", Validate: func(label string) error {
			if strings.HasPrefix(label, "bad") {
				return errors.New("no such label")
			}
			return nil
		}},
		RunEach: func(_ context.Context, c *drover.Call, label string) error {
			c.Line("%s", label)
			if label == "fails" {
				return errors.New("broken")
			}
			return nil
		},
	}
	app := appOf(cmd)
	if got := shell(t, app, drover.Env{}, "label", "b", "a", "b"); got != (ran{0, "b\na\nb\n", ""}) {
		t.Errorf("got %+v", got)
	}
	if got := shell(t, app, drover.Env{}, "label", "a", "bad1"); got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, `"bad1"`) {
		t.Errorf("one invalid: %+v", got)
	}
	if got := shell(t, app, drover.Env{}, "label", "fails", "a"); got.code != 1 || got.stdout != "fails\n" || !strings.Contains(got.stderr, "fails: broken") {
		t.Errorf("one fails: %+v", got)
	}
}

// destructive asks before it deletes n rows.
func destructive(n int64, severe string) *drover.App {
	return appOf(&drover.Command{
		Name: "purge", Options: drover.Options{Confirm: true, DryRun: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			facts := drover.Facts{Action: "permanently delete", Count: n, What: "rows from events", Severe: severe}
			if n > 0 {
				facts.Cascades = []drover.Cascade{{Action: "delete", Count: 2 * n, What: "rows from event_tags", Why: "ON DELETE CASCADE"}}
			}
			if err := c.Confirm(ctx, facts); err != nil {
				return err
			}
			c.Did(drover.Deleted, "%d rows", n)
			return nil
		},
	})
}

// answered runs the destructive command with somebody at the keyboard.
func answered(t *testing.T, app *drover.App, input string, args ...string) ran {
	t.Helper()
	return shell(t, app, drover.Env{StdinTTY: true, Stdin: strings.NewReader(input)}, append([]string{"purge"}, args...)...)
}

const (
	deletedText   = "Deleted 318,240 rows\n"
	cancelledText = "Cancelled. Nothing was changed.\n"
)

func TestConformance_099_AnswerYesAndNo(t *testing.T) {
	app := destructive(318240, "")
	if got := answered(t, app, "yes\n"); got.code != 0 || got.stdout != deletedText {
		t.Errorf("yes: %+v", got)
	}
	for _, no := range []string{"no\n", "NO\n", "n\n", "\n", "yes" /* then the end of the input */, ""} {
		if got := answered(t, app, no); got.code != drover.ExitDeclined || got.stdout != "" || !strings.HasSuffix(got.stderr, cancelledText) {
			t.Errorf("%q: %+v", no, got)
		}
	}
}

func TestConformance_100_OnlyTheExactWordProceeds(t *testing.T) {
	for _, tt := range []struct {
		severe, input string
		proceeds      bool
	}{
		{"", "y\ny\n", false},
		{"", "YES\nYES\n", false},
		{"", "Yes\nyes \n", false},
		{"", "y\nyes\n", true},
		{"", "y\nno\nyes\n", false},
		{"", "ok\nsure\nyes\n", false},
		{"events", "events\n", true},
		{"events", "yes\nyes\n", false},
		{"events", "Events\nEVENTS\n", false},
		{"events", "yes\nevents\n", true},
	} {
		got := answered(t, destructive(318240, tt.severe), tt.input)
		if tt.proceeds != (got.stdout == deletedText) || tt.proceeds != (got.code == 0) || (!tt.proceeds && got.code != drover.ExitDeclined) {
			t.Errorf("%q for %q: %+v", tt.input, tt.severe, got)
		}
	}
}

func TestConformance_102_NobodyToAsk(t *testing.T) {
	app := destructive(318240, "")
	for _, stdin := range []io.Reader{nil, strings.NewReader("yes\n")} {
		got := shell(t, app, drover.Env{Stdin: stdin}, "purge")
		if got.code != drover.ExitUsage || got.stdout != "" || len(lines(got.stderr)) != 2 || !strings.Contains(got.stderr, "--no-input") {
			t.Errorf("got %+v", got)
		}
	}
	if _, err := app.CallWith(t.Context(), drover.CallOptions{Stdin: strings.NewReader("yes\n"), Databases: []*db.DB{open(t, testdb.SQLite(t))}}, "purge"); drover.ExitCode(err) != drover.ExitUsage {
		t.Errorf("from code: %v", err)
	}
	res, err := app.CallWith(t.Context(), drover.CallOptions{Stdin: strings.NewReader("yes\n"), Interactive: true, Databases: []*db.DB{open(t, testdb.SQLite(t))}}, "purge")
	if err != nil || res.Stdout != deletedText {
		t.Errorf("from code, interactive: %v, %+v", err, res)
	}
}

func TestConformance_103_NoInput(t *testing.T) {
	got := shell(t, destructive(318240, "events"), drover.Env{}, "purge", "--no-input")
	if got.code != 0 || got.stdout != deletedText || strings.Contains(got.stderr, "Type") || !strings.Contains(got.stderr, "318,240 rows from events") {
		t.Errorf("got %+v", got)
	}
}

func TestConformance_104_NothingToDestroy(t *testing.T) {
	got := answered(t, destructive(0, ""), "no\n")
	if want := (ran{0, "", "Nothing to do: 0 rows from events.\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := destructive(0, "").CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{open(t, testdb.SQLite(t))}}, "purge"); err != nil {
		t.Errorf("from code: %v", err)
	}
}

func TestConformance_105_PromptSaysWhatAndHowMany(t *testing.T) {
	url := testdb.SQLite(t)
	got := shell(t, destructive(318240, "events"), drover.Env{
		StdinTTY: true, Stdin: strings.NewReader("events\n"), Environ: []string{"DATABASE_URL=" + url},
	}, "purge")
	want := "This will permanently delete 318,240 rows from events on \"default\" (" + strings.TrimPrefix(url, "sqlite:") + ").\n" +
		"It will also delete 636,480 rows from event_tags (ON DELETE CASCADE).\n" +
		"Type the table name to continue (events), or press Ctrl-C: "
	if diff := cmp.Diff(want, got.stderr); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestConformance_106_DryRunPrintsThePlan(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		app := changing(t, d)
		env := drover.Env{Environ: []string{"DATABASE_URL=" + d.URL}}
		before := d.Dump(t)
		sizes := make([]int, 0, 3)
		for _, verbosity := range []string{"0", "1", "2"} {
			got := shell(t, app, env, "change", "--dry-run", "-v", verbosity)
			if got.code != 0 || !strings.HasSuffix(got.stdout, "Would insert 3, update 2 and delete 1 rows in 2 tables on default. Nothing was changed.\n") {
				t.Errorf("-v %s: %+v", verbosity, got)
			}
			sizes = append(sizes, len(got.stdout)+len(got.stderr))
		}
		if sizes[0] >= sizes[1] || sizes[1] >= sizes[2] {
			t.Errorf("detail does not grow with verbosity: %v", sizes)
		}
		if diff := cmp.Diff(before, d.Dump(t)); diff != "" {
			t.Errorf("the dry run has changed the database (-before +after):\n%s", diff)
		}
	})
}

func TestConformance_107_CheckMode(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		app := changing(t, d)
		env := drover.Env{Environ: []string{"DATABASE_URL=" + d.URL}}
		before := d.Dump(t)
		if got := shell(t, app, env, "change", "--check"); got.code != 1 || !strings.Contains(got.stderr, "there is work to do: would insert 3") {
			t.Errorf("with work: %+v", got)
		}
		if diff := cmp.Diff(before, d.Dump(t)); diff != "" {
			t.Errorf("--check has changed the database (-before +after):\n%s", diff)
		}
		if got := shell(t, app, env, "idle", "--check"); got.code != 0 {
			t.Errorf("without work: %+v", got)
		}
	})
}

func TestConformance_108_ProgressBar(t *testing.T) {
	app := appOf(plain("work", func(_ context.Context, c *drover.Call) error {
		p := c.Progress(drover.ProgressOptions{Total: 200})
		for range 200 {
			p.Add(1)
		}
		return nil
	}))
	got := shell(t, app, drover.Env{StderrTTY: true}, "work", "--no-color")
	if got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, "["+strings.Repeat("#", 36)+"]  100.0 %   200 / 200 rows") || !strings.HasSuffix(got.stderr, "\n") {
		t.Errorf("on a terminal: %+v", got)
	}
	for name, run := range map[string]ran{
		"off a terminal":  shell(t, app, drover.Env{}, "work"),
		"verbosity 0":     shell(t, app, drover.Env{StderrTTY: true}, "work", "-v0"),
		"--progress none": shell(t, app, drover.Env{StderrTTY: true}, "work", "--progress", "none"),
	} {
		if run != (ran{}) {
			t.Errorf("%s: %+v", name, run)
		}
	}
}
