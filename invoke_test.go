package drover_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// resuming is a program whose command "resume" runs the words behind it in its place; with --dry-run it can only plan.
func resuming(cmds ...*drover.Command) *drover.App {
	return appOf(append(cmds, &drover.Command{
		Name: "runs", Subcommands: []*drover.Command{{
			Name: "resume", Args: drover.Args{Usage: "WORD..."}, Options: drover.Options{DryRun: true, PlanOnly: true, Rollback: true},
			Run: func(ctx context.Context, c *drover.Call) error { return c.Invoke(ctx, c.Args()...) },
		}},
	})...)
}

// resume runs a command line of a program by way of its "runs resume", with the options that this is given.
func resume(t *testing.T, app *drover.App, env drover.Env, options, words string) ran {
	t.Helper()
	args := append([]string{"runs", "resume"}, strings.Fields(options)...)
	return shell(t, app, env, append(append(args, "--"), strings.Fields(words)...)...)
}

func TestInvoke_Prompts(t *testing.T) {
	for _, tt := range []struct {
		name, input, words string
		tty                bool
		code               int
		stdout, stderr     string
	}{
		{"yes", "yes\n", "purge", true, 0, "Deleted 3 rows\n", "or press Ctrl-C: "},
		{"no", "no\n", "purge", true, 4, "", "Cancelled. Nothing was changed.\n"},
		{"not asked", "", "purge --no-input", false, 0, "Deleted 3 rows\n", "This will delete 3 rows"},
		{"nobody there", "", "purge", false, 2, "", "Usage: manage purge [options]\nError: this needs a confirmation"},
	} {
		app := resuming(&drover.Command{
			Name: "purge", NoDatabase: true, Options: drover.Options{Confirm: true},
			Run: func(ctx context.Context, c *drover.Call) error {
				if err := c.Confirm(ctx, drover.Facts{Action: "delete", Count: 3, What: "rows"}); err != nil {
					return err
				}
				c.Did(drover.Deleted, "%d rows", 3)
				return nil
			},
		})
		got := resume(t, app, drover.Env{Stdin: strings.NewReader(tt.input), StdinTTY: tt.tty}, "", tt.words)
		if got.code != tt.code || got.stdout != tt.stdout || !strings.Contains(got.stderr, tt.stderr) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestInvoke_NothingToDo(t *testing.T) {
	after := false
	app := appOf(
		plain("idle", func(context.Context, *drover.Call) error { return drover.ErrNothingToDo }),
		plain("outer", func(ctx context.Context, c *drover.Call) error {
			err := c.Invoke(ctx, "idle")
			after = err == nil
			return err
		}),
	)
	if got := shell(t, app, drover.Env{}, "outer"); got != (ran{}) || !after {
		t.Errorf("got %+v, nil %v", got, after)
	}
}

// The display, the stop's message and its grace are the other command's.
func TestInvoke_ProgressAndInterrupt(t *testing.T) {
	signals := make(chan os.Signal, 1)
	app := appOf(
		plain("purge", func(_ context.Context, c *drover.Call) error {
			p := c.Progress(drover.ProgressOptions{Total: 1000})
			p.Batch(88)
			p.Pause("replica lag") // prints a line at once
			stopping := c.Stopping()
			signals <- os.Interrupt
			<-stopping
			return c.StopErr("%d of %d rows deleted", 87240, 318240)
		}),
		plain("outer", func(ctx context.Context, c *drover.Call) error {
			c.Progress(drover.ProgressOptions{Label: "finding the run"}).Pause("its turn")
			return c.Invoke(ctx, "purge", "--grace", "9s")
		}),
	)
	got := shell(t, app, drover.Env{Signals: signals, Now: func() time.Time { return time.Unix(0, 0) }}, "outer")
	var seen []string
	for _, line := range lines(got.stderr) {
		if len(line) > 9 && line[2] == ':' {
			line = line[9:] // the time of the day
		}
		seen = append(seen, line)
	}
	want := []string{
		"finding the run: waiting: its turn",
		"finding the run: 0 rows  0 rows/s",
		"purge: waiting: replica lag",
		"Stopping: finishing batch 88 (after at most 9.0s). Press Ctrl-C again to stop now.",
		"purge: 0.0 %  0/1,000  0 rows/s",
		"STOPPED  by SIGINT: 87,240 of 318,240 rows deleted",
	}
	if diff := cmp.Diff(want, seen); diff != "" || got.code != 130 {
		t.Errorf("code %d, stderr (-want +got):\n%s", got.code, diff)
	}
}

func TestInvoke_GraceEnds(t *testing.T) {
	for _, tt := range []struct{ outer, words string }{{"--grace 12s", ""}, {"", "--grace 12s"}, {"--grace 1h", "--grace 12s"}} {
		synctest.Test(t, func(t *testing.T) {
			signals := make(chan os.Signal, 1)
			var took time.Duration
			app := appOf(
				plain("stubborn", func(ctx context.Context, _ *drover.Call) error {
					signals <- syscall.SIGTERM
					start := time.Now()
					<-ctx.Done()
					took = time.Since(start)
					return ctx.Err()
				}),
				plain("outer", func(ctx context.Context, c *drover.Call) error {
					return c.Invoke(ctx, append([]string{"stubborn"}, strings.Fields(tt.words)...)...)
				}),
			)
			got := shell(t, app, drover.Env{Signals: signals}, append([]string{"outer"}, strings.Fields(tt.outer)...)...)
			if got.code != 143 || took != 12*time.Second || !strings.Contains(got.stderr, `Stopping: "manage stubborn" does not stop between steps`) {
				t.Errorf("%v: after %v: %+v", tt, took, got)
			}
		})
	}
}

// The third signal ends the program without waiting for the command.
func TestInvoke_NotWaitedFor(t *testing.T) {
	signals, release := make(chan os.Signal, 3), make(chan struct{})
	ended := make(chan struct{})
	app := appOf(
		plain("deaf", func(_ context.Context, c *drover.Call) error {
			defer close(ended)
			c.Progress(drover.ProgressOptions{Total: 10})
			for range 3 {
				signals <- os.Interrupt
			}
			<-release
			return nil
		}),
		plain("outer", func(ctx context.Context, c *drover.Call) error { return c.Invoke(ctx, "deaf", "--json") }),
	)
	got := shell(t, app, drover.Env{Signals: signals}, "outer")
	close(release)
	<-ended
	if all := lines(untimed(got.stderr)); got.code != 130 || all[len(all)-1] != `{"type":"exit_error","code":130,"message":"stopped by SIGINT: not waited for the rollback","hint":""}` {
		t.Errorf("got %+v", got)
	}
}

func TestInvoke_Errors(t *testing.T) {
	fail := plain("fail", func(context.Context, *drover.Call) error { return drover.Exit(6, "too many rows").Try("raise --limit") })
	fail.Flags = func(f *pflag.FlagSet) { f.Int("size", 1, "the `size`") }
	app := resuming(
		fail,
		plain("panic", func(context.Context, *drover.Call) error { panic("lost") }),
		plain("handled", func(ctx context.Context, c *drover.Call) error {
			if err := c.Invoke(ctx, "fail", "--json"); drover.ExitCode(err) != 6 {
				return err
			}
			return &drover.UsageError{Message: "my own"}
		}),
		plain("wrapped", func(ctx context.Context, c *drover.Call) error {
			return drover.Errorf("go on with the run: %w", c.Invoke(ctx, "fail", "--size", "many"))
		}),
	)
	const json = `{"type":"exit_error","code":6,"message":"too many rows","hint":"raise --limit"}` + "\n"
	for _, tt := range []struct {
		options, words string
		want           ran
	}{
		{"", "fail", ran{6, "", "Error: too many rows\nTry:   raise --limit\n"}},
		{"--json", "fail", ran{6, "", json}},
		{"", "fail --json", ran{6, "", json}},
		{"", "runs resume fail", ran{6, "", "Error: too many rows\nTry:   raise --limit\n"}},
		{"", "fail --size many", ran{2, "", "Usage: manage fail [options]\nError: invalid value \"many\" for --size of \"manage fail\": must be an integer\n"}},
		{"", "fial", ran{1, "", "Error: unknown command \"fial\" for \"manage\"; did you mean \"fail\"?\nTry:   manage --help lists the commands\n"}},
		{"", "runs nosuch", ran{1, "", "Error: unknown command \"nosuch\" for \"manage runs\"\nTry:   manage runs --help lists the commands\n"}},
		{"", "--verbosity 7 fail", ran{2, "", "Usage: manage fail [options]\nError: invalid value \"7\" for --verbosity of \"manage fail\": must be between 0 and 3\n"}},
		{"", "panic", ran{1, "", "Error: panic: lost\nTry:   add --traceback for the full error chain\n"}},
		{"", "panic --json", ran{1, "", `{"type":"exit_error","code":1,"message":"panic: lost","hint":""}` + "\n"}},
		{"", "handled", ran{2, "", "Usage: manage handled [options]\nError: my own\n"}},
		{"", "wrapped", ran{1, "", "Usage: manage fail [options]\nError: invalid value \"many\" for --size of \"manage fail\": must be an integer\n"}},
	} {
		got := resume(t, app, drover.Env{}, tt.options, tt.words)
		if got.stderr = untimed(got.stderr); got != tt.want {
			t.Errorf("%q %q:\ngot  %+v\nwant %+v", tt.options, tt.words, got, tt.want)
		}
	}
	var unknown *drover.UnknownCommandError
	if _, err := app.Call(t.Context(), "runs resume", "fial"); !errors.As(err, &unknown) || unknown.Nearest != "fail" {
		t.Errorf("from code: %v", err)
	}
}

// The standard options hold for the other command unless it is given others.
func TestInvoke_StandardOptions(t *testing.T) {
	app := resuming(&drover.Command{Name: "show", Run: func(_ context.Context, c *drover.Call) error {
		c.Line("%s -v%d json=%v", c.DB().Alias(), c.Verbosity(), c.JSONOutput())
		c.Warning("hot")
		return nil
	}})
	env := drover.Env{
		Environ: []string{"DATABASE_URL=" + testdb.SQLite(t), "DATABASE_URL_OTHER=" + testdb.SQLite(t)},
		Now:     func() time.Time { return time.Unix(0, 0) },
	}
	for _, tt := range []struct {
		options, words string
		want           ran
	}{
		{"", "show", ran{0, "default -v1 json=false\n", "Warning: hot\n"}},
		{"--database other -v 3 --force-color", "show", ran{0, "other -v3 json=false\n", "\x1b[33mWarning: hot\x1b[m\n"}},
		{"--database other -v 3 --force-color", "show --database default -v2 --no-color", ran{0, "default -v2 json=false\n", "Warning: hot\n"}},
		{"--json", "show", ran{
			0, `{"type":"line","time":"1970-01-01T00:00:00.000Z","message":"default -v1 json=true"}` + "\n",
			`{"type":"warning","time":"1970-01-01T00:00:00.000Z","message":"hot"}` + "\n",
		}},
		{"--json", "show --json=false", ran{0, "default -v1 json=false\n", "Warning: hot\n"}},
	} {
		if got := resume(t, app, env, tt.options, tt.words); got != tt.want {
			t.Errorf("%q %q:\ngot  %+v\nwant %+v", tt.options, tt.words, got, tt.want)
		}
	}
	if got := resume(t, app, env, "", "show --help"); got.code != 0 || !strings.Contains(got.stdout, "Usage:\n  manage show [options]\n") {
		t.Errorf("help: %+v", got)
	}
}

func TestInvoke_SameTransaction(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		app := changing(t, d)
		app.Add(&drover.Command{Name: "outer", Run: func(ctx context.Context, c *drover.Call) error {
			return c.DB().Atomic(ctx, func(ctx context.Context) error {
				if err := c.Invoke(ctx, "insert"); err != nil {
					return err
				}
				return errInner
			})
		}}, &drover.Command{Name: "insert", Run: func(ctx context.Context, c *drover.Call) error {
			return c.DB().Exec(ctx, "INSERT INTO items VALUES (7, 'g')")
		}})
		before := d.Dump(t)
		got := shell(t, app, drover.Env{Environ: []string{"DATABASE_URL=" + d.URL}}, "outer")
		if diff := cmp.Diff(before, d.Dump(t)); got.code != 1 || diff != "" {
			t.Errorf("%+v, and the database has changed (-before +after):\n%s", got, diff)
		}
	})
}

func TestInvoke_DryRuns(t *testing.T) {
	d := testdb.Fresh(t, testdb.NameSQLite)
	app := changing(t, d)
	tell := func(_ context.Context, c *drover.Call) error {
		c.Line("dry=%v rollback=%v", c.DryRun(), c.Rollback())
		return nil
	}
	plans := drover.Options{DryRun: true, PlanOnly: true}
	both := drover.Options{DryRun: true, PlanOnly: true, Rollback: true}
	app.Add(
		&drover.Command{Name: "tell", Options: both, Run: tell},
		&drover.Command{Name: "plan", Options: plans, Run: tell},
		&drover.Command{Name: "wet", Run: func(ctx context.Context, c *drover.Call) error { return c.DB().Exec(ctx, "DELETE FROM items") }},
		&drover.Command{
			Name: "outer", Args: drover.Args{Usage: "WORD..."}, Options: drover.Options{DryRun: true},
			Run: func(ctx context.Context, c *drover.Call) error { return c.Invoke(ctx, c.Args()...) },
		},
		&drover.Command{
			Name: "planner", Args: drover.Args{Usage: "WORD..."}, Options: both,
			Run: func(ctx context.Context, c *drover.Call) error { return c.Invoke(ctx, c.Args()...) },
		},
	)
	before := d.Dump(t)
	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"planner --dry-run -- tell", 0, "dry=true rollback=false\n"},
		{"planner --dry-run=rollback -- tell", 0, "dry=true rollback=true\n"},
		{"planner --dry-run=rollback -- planner tell", 0, "dry=true rollback=true\n"},
		{"planner --dry-run=rollback -- tell --dry-run", 0, "dry=true rollback=false\n"},
		{"planner --dry-run=rollback -- plan", 0, "dry=true rollback=false\n"},
		{"planner -- tell --dry-run=rollback", 0, "dry=true rollback=true\n"},
		{"planner --dry-run=rollback -- change", 0, "Would change 6 rows\n"},
		{"planner --dry-run -- wet", 1, "\"manage wet\" has no dry run"},
		{"outer --dry-run -- wet", 0, "Would delete 3 rows in 1 table on default. Nothing was changed.\n"},
		{"outer --dry-run -- change", 0, "Would insert 3, update 2 and delete 1 rows in 2 tables on default. Nothing was changed.\n"},
	} {
		// In shared variables a command cannot call itself; planner has none.
		got := shell(t, app, drover.Env{Environ: []string{"DATABASE_URL=" + d.URL}}, strings.Fields(tt.args)...)
		if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.says) {
			t.Errorf("%s: %+v", tt.args, got)
		}
		if diff := cmp.Diff(before, d.Dump(t)); diff != "" {
			t.Fatalf("%s has changed the database (-before +after):\n%s", tt.args, diff)
		}
	}
	res, err := app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{open(t, d.URL)}}, "outer", "--", "change", "--dry-run")
	if err != nil || res.Previews["default"] == nil || !strings.Contains(res.Stdout, "Would change 6 rows") {
		t.Errorf("from code: %v, %+v", err, res)
	}
}

func TestInvoke_ChecksOnce(t *testing.T) {
	app := resuming(&drover.Command{
		Name: "purge", Checks: []drover.Check{{Name: "own", Run: func(context.Context, *drover.Call) error { return drover.Warn("hot") }}},
		Run: func(context.Context, *drover.Call) error { return nil },
	})
	app.Checks = []drover.Check{{Name: "migrations", Run: func(_ context.Context, c *drover.Call) error { return drover.Warn("none on %s", c.DB().Alias()) }}}
	env := drover.Env{Environ: []string{"DATABASE_URL=" + testdb.SQLite(t), "DATABASE_URL_OTHER=" + testdb.SQLite(t)}}
	for _, tt := range []struct{ options, words, want string }{
		{"", "purge", "Warning: check migrations: none on default\nWarning: check own: hot\n"},
		{"", "purge --database other", "Warning: check migrations: none on default\nWarning: check migrations: none on other\nWarning: check own: hot\n"},
		{"--skip-checks", "purge", ""},
	} {
		if got := resume(t, app, env, tt.options, tt.words); got != (ran{0, "", tt.want}) {
			t.Errorf("%q %q: %+v", tt.options, tt.words, got)
		}
	}
}

// Options in shared variables are held by the command that is under way.
func TestInvoke_ItselfWithSharedVariables(t *testing.T) {
	shared := plain("shared", func(ctx context.Context, c *drover.Call) error { return c.Invoke(ctx, "shared") })
	shared.Flags = func(f *pflag.FlagSet) { f.Int("n", 0, "a number") }
	got := shell(t, appOf(shared), drover.Env{}, "shared")
	if got.code != 1 || !strings.Contains(got.stderr, `command "shared" calls itself`) {
		t.Errorf("got %+v", got)
	}
}

func TestInvoke_StatusSignal(t *testing.T) {
	signals := make(chan os.Signal)
	stderr := newOutput()
	app := appOf(
		plain("work", func(context.Context, *drover.Call) error {
			signals <- syscall.SIGUSR1
			stderr.waitFor(t, "running for")
			return nil
		}),
		plain("outer", func(ctx context.Context, c *drover.Call) error { return c.Invoke(ctx, "work") }),
	)
	code := app.Run(t.Context(), drover.Env{Args: []string{"outer"}, Stderr: stderr, Signals: signals})
	if code != 0 || !strings.Contains(stderr.String(), "manage work: running for ") {
		t.Errorf("code %d: %s", code, stderr)
	}
}
