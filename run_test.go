package drover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

// TestExitCodes is the contract: these numbers are in the scripts of users.
func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{drover.ErrNothingToDo, 0},
		{errors.New("any"), 1},
		{drover.Errorf("known"), 1},
		{&drover.UnknownCommandError{}, 1},
		{&drover.UsageError{}, 2},
		{drover.Exit(drover.ExitPartial, "x"), 3},
		{drover.Exit(drover.ExitDeclined, "x"), 4},
		{drover.Exit(drover.ExitLocked, "x"), 5},
		{drover.Exit(drover.ExitRefused, "x"), 6},
		{drover.Exit(drover.ExitAgain, "x"), 75},
		{&drover.StopError{Signal: syscall.SIGINT}, 130},
		{&drover.StopError{Signal: syscall.SIGTERM}, 143},
		{&drover.StopError{}, 130},
		{&drover.StopError{Reason: "the time limit"}, 75},
		{&drover.StopError{Signal: syscall.SIGTERM, Reason: "the time limit"}, 143},
		{&drover.StopError{Signal: syscall.SIGINT, Reason: "the time limit"}, 130},
		{fmt.Errorf("wrapped: %w", drover.Exit(6, "x")), 6},
		{drover.Exit(0, "a failure is never 0"), 1},
		{drover.Exit(256, "which would wrap to 0"), 1},
		{drover.Exit(-1, "x"), 1},
	} {
		if got := drover.ExitCode(tt.err); got != tt.code {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.code)
		}
	}
}

func TestRun_GraceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		var took time.Duration
		var cause error
		app := appOf(plain("stubborn", func(ctx context.Context, _ *drover.Call) error {
			signals <- os.Interrupt
			start := time.Now()
			<-ctx.Done()
			took, cause = time.Since(start), context.Cause(ctx)
			return ctx.Err()
		}))
		got := shell(t, app, drover.Env{Signals: signals}, "stubborn", "--grace", "12s")
		if got.code != 130 || took != 12*time.Second || !strings.HasSuffix(got.stderr, "STOPPED  by SIGINT: what was not committed is rolled back\n") {
			t.Errorf("after %v: %+v", took, got)
		}
		if _, ok := errors.AsType[*drover.StopError](cause); !ok {
			t.Errorf("the context's cause is %v", cause)
		}
	})
}

func TestRun_ProgressOffATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := appOf(plain("work", func(_ context.Context, c *drover.Call) error {
			p := c.Progress(drover.ProgressOptions{Label: "purge events", Total: 100000})
			for i := range 10 {
				time.Sleep(998 * time.Millisecond) // never at the same instant as the display's own clock
				p.Add(1000)
				p.Batch(int64(i))
			}
			time.Sleep(70 * time.Millisecond)
			p.Pause("replica lag")
			time.Sleep(7 * time.Second)
			p.Resume()
			return nil
		}))
		clock := func() time.Time { return time.Now().UTC() }
		got := shell(t, app, drover.Env{Now: clock}, "work")
		var seen []string
		for _, line := range lines(got.stderr) {
			seen = append(seen, line[len("00:00:00 "):])
		}
		want := []string{
			"purge events: 5.0 %  5,000/100,000  1,000 rows/s  ETA 1m35s",
			"purge events: 10.0 %  10,000/100,000  1,000 rows/s  ETA 1m30s",
			"purge events: waiting: replica lag",
			"purge events: 10.0 %  10,000/100,000  995 rows/s  ETA 1m30s  waiting: replica lag",
			"purge events: resumed after 7.0s",
			"purge events: 10.0 %  10,000/100,000  995 rows/s",
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		got = shell(t, app, drover.Env{Now: clock}, "work", "--progress", "json")
		for _, line := range lines(got.stderr) {
			var event struct{ Type string }
			if err := json.Unmarshal([]byte(line), &event); err != nil || event.Type != "progress" {
				t.Errorf("%q: %v", line, err)
			}
		}
		if n := len(lines(got.stderr)); n < 15 {
			t.Errorf("%d events", n)
		}
	})
}

func TestRun_JSONErrorIsTheLastLine(t *testing.T) {
	app := appOf(
		plain("fail", func(_ context.Context, c *drover.Call) error {
			c.Warning("hot")
			return drover.Exit(6, "too many rows").Try("raise --limit").Try("or use --all")
		}),
		plain("work", func(_ context.Context, c *drover.Call) error {
			c.Line("a line")
			c.Success("Deleted %d rows", 318240)
			c.JSON(map[string]any{"type": "summary", "html": "<b>"})
			return nil
		}),
	)
	got := shell(t, app, drover.Env{}, "fail", "--json")
	errs := lines(got.stderr)
	want := `{"type":"exit_error","code":6,"message":"too many rows","hint":"raise --limit\nor use --all"}`
	if got.code != 6 || got.stdout != "" || untimed(errs[len(errs)-1]) != want || !strings.Contains(errs[0], `"type":"warning"`) {
		t.Errorf("got %+v", got)
	}
	got = shell(t, app, drover.Env{}, "--json", "nosuch")
	if got.code != 1 || len(lines(got.stderr)) != 1 || !json.Valid([]byte(got.stderr)) {
		t.Errorf("got %+v", got)
	}
	got = shell(t, app, drover.Env{}, "work", "--json", "--nosuch")
	if got.code != 2 || len(lines(got.stderr)) != 1 || !strings.Contains(got.stderr, `"code":2`) {
		t.Errorf("got %+v", got)
	}
	got = shell(t, app, drover.Env{Now: func() time.Time { return time.Unix(0, 0) }}, "work", "--json")
	wantOut := `{"type":"line","time":"1970-01-01T00:00:00.000Z","message":"a line"}
{"type":"success","time":"1970-01-01T00:00:00.000Z","message":"Deleted 318,240 rows"}
{"html":"<b>","type":"summary"}
`
	if diff := cmp.Diff(wantOut, got.stdout); diff != "" || got.stderr != "" {
		t.Errorf("stderr %q, stdout -want +got:\n%s", got.stderr, diff)
	}
}

// hinted is an error of another package with advice.
type hinted struct{ error }

func (hinted) Hint() string { return "look under the bed" }

func TestRun_HintsOfTheWholeChain(t *testing.T) {
	app := appOf(plain("fail", func(context.Context, *drover.Call) error {
		return drover.Exit(5, "cannot start: %w", errors.Join(hinted{errors.New("key is lost")}, errors.New("and so am I"))).Try("wait")
	}))
	got := shell(t, app, drover.Env{}, "fail")
	want := "Error: cannot start: key is lost; and so am I\nTry:   wait\n       look under the bed\n"
	if got != (ran{5, "", want}) {
		t.Errorf("got %+v", got)
	}
}

func TestRun_StoppedButNilIsNotFinished(t *testing.T) {
	signals := make(chan os.Signal, 1)
	app := appOf(plain("loop", func(_ context.Context, c *drover.Call) error {
		signals <- os.Interrupt
		<-c.Stopping()
		for !c.Stopped() {
			t.Error("not stopped")
		}
		return nil
	}))
	if got := shell(t, app, drover.Env{Signals: signals}, "loop"); got.code != 130 {
		t.Errorf("got %+v", got)
	}
}

func TestRun_ParentContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	app := appOf(plain("wait", func(ctx context.Context, _ *drover.Call) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}))
	if code := app.Run(ctx, drover.Env{Args: []string{"wait"}}); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

func TestCall_SharesTheCallersTransaction(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		conn := open(t, d.URL)
		if err := conn.Exec(t.Context(), "CREATE TABLE t (id INT PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		app := appOf(
			&drover.Command{Name: "inner", Run: func(ctx context.Context, c *drover.Call) error { return c.DB().Exec(ctx, "INSERT INTO t VALUES (1)") }},
		)
		app.Add(&drover.Command{Name: "outer", Run: func(ctx context.Context, c *drover.Call) error {
			return c.DB().Atomic(ctx, func(ctx context.Context) error {
				if _, err := app.Call(ctx, "inner"); err != nil {
					return err
				}
				return errInner
			})
		}})
		if _, err := app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{conn}}, "outer"); !errors.Is(err, errInner) {
			t.Fatal(err)
		}
		var n int
		if err := conn.QueryRow(t.Context(), "SELECT COUNT(*) FROM t").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows, %v", n, err)
		}
		if _, err := app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{conn}}, "inner"); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), "SELECT COUNT(*) FROM t").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

func TestCall_Stopping(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	app := appOf(plain("loop", func(_ context.Context, c *drover.Call) error { return c.StopErr("%d rows done", 1000) }))
	_, err := app.CallWith(t.Context(), drover.CallOptions{Stopping: stop}, "loop")
	var stopped *drover.StopError
	if !errors.As(err, &stopped) || err.Error() != "stopped: 1,000 rows done" {
		t.Errorf("got %v", err)
	}
	if _, err := app.Call(t.Context(), "loop"); err != nil {
		t.Errorf("not stopping: %v", err)
	}
}

// echo prints its option; its variable is the constructor's.
func echo() *drover.Command {
	var word string
	cmd := plain("echo", func(_ context.Context, c *drover.Call) error {
		runtime.Gosched()
		c.Line("%s", word)
		return nil
	})
	cmd.Flags = func(f *pflag.FlagSet) { f.StringVar(&word, "word", "nothing", "a `word`") }
	return cmd
}

func TestCall_Concurrently(t *testing.T) {
	shared, own := drover.New("manage"), drover.New("manage")
	shared.Add(echo())
	own.AddFunc(echo)
	for name, app := range map[string]*drover.App{"shared variables": shared, "own variables": own} {
		t.Run(name, func(t *testing.T) {
			failed := make(chan error)
			const callers = 16
			for i := range callers {
				go func() {
					word := fmt.Sprint(i)
					res, err := app.Call(t.Context(), "echo", "--word", word)
					if err == nil && res.Stdout != word+"\n" {
						err = fmt.Errorf("got %q, want %q", res.Stdout, word)
					}
					if err == nil {
						_, err = app.Call(t.Context(), "help", "echo")
					}
					failed <- err
				}()
			}
			for range callers {
				if err := <-failed; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestCall_OfItself(t *testing.T) {
	var depth int
	app := drover.New("manage")
	recurse := func() *drover.Command {
		var left int
		cmd := plain("recurse", func(ctx context.Context, _ *drover.Call) error {
			depth++
			if left == 0 {
				return nil
			}
			_, err := app.Call(ctx, "recurse", "--left", fmt.Sprint(left-1))
			return err
		})
		cmd.Flags = func(f *pflag.FlagSet) { f.IntVar(&left, "left", 0, "how `often`") }
		return cmd
	}
	app.AddFunc(recurse)
	if _, err := app.Call(t.Context(), "recurse", "--left", "3"); err != nil || depth != 4 {
		t.Errorf("depth %d, %v", depth, err)
	}
	app = drover.New("manage")
	app.Add(recurse())
	if _, err := app.Call(t.Context(), "recurse", "--left", "3"); err == nil || !strings.Contains(err.Error(), "AddFunc") {
		t.Errorf("shared variables: %v", err)
	}
}

func TestAdd_RefusesMistakes(t *testing.T) {
	body := func(context.Context, *drover.Call) error { return nil }
	for name, cmd := range map[string]*drover.Command{
		"no name":                {Run: body},
		"two words":              {Name: "a b", Run: body},
		"no body":                {Name: "a"},
		"two bodies":             {Name: "a", Run: body, Subcommands: []*drover.Command{{Name: "b", Run: body}}},
		"each of nothing":        {Name: "a", RunEach: func(context.Context, *drover.Call, string) error { return nil }},
		"dry run of nothing":     {Name: "a", Run: body, NoDatabase: true, Options: drover.Options{DryRun: true}},
		"a standard option":      {Name: "a", Run: body, Flags: func(f *pflag.FlagSet) { f.Bool("json", false, "") }},
		"a standard shorthand":   {Name: "a", Run: body, Flags: func(f *pflag.FlagSet) { f.BoolP("volatile", "v", false, "") }},
		"an option of Options":   {Name: "a", Run: body, Options: drover.Options{Limit: true}, Flags: func(f *pflag.FlagSet) { f.Int("limit", 0, "") }},
		"an unknown requirement": {Name: "a", Run: body, Require: []string{"nosuch"}},
		"two subcommands":        {Name: "a", Subcommands: []*drover.Command{{Name: "b", Run: body}, {Name: "b", Run: body}}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, "run_test.go:") {
					t.Errorf("got %s", text)
				}
			}()
			drover.New("manage").Add(cmd)
			t.Error("accepted")
		})
	}
}

func TestOutput_Numbers(t *testing.T) {
	app := appOf(plain("say", func(_ context.Context, c *drover.Call) error {
		c.Success("%d|%12d|%-12d|%v|%s|%x", 1234567, int64(1234567), 1234567, 1234567, "x", 255)
		c.Line("%d %s %s", 1234567, drover.Count(1234567), drover.Duration(151*time.Second))
		c.Did(drover.Verb{Base: "shear", Past: "Shorn"}, "%d sheep", 1000)
		return nil
	}))
	want := "1,234,567|   1,234,567|1,234,567   |1234567|x|ff\n1234567 1,234,567 2m31s\nShorn 1,000 sheep\n"
	if got := shell(t, app, drover.Env{}, "say"); got.stdout != want {
		t.Errorf("got %q", got.stdout)
	}
}

func TestOutput_Verbosity(t *testing.T) {
	app := appOf(plain("say", func(_ context.Context, c *drover.Call) error {
		c.Line("line")
		c.Success("success")
		c.Notice("notice")
		c.Detail(2, "detail")
		c.Warning("hot")
		c.Error("broken")
		return nil
	}))
	const problems = "Warning: hot\nError: broken\n"
	for verbosity, want := range map[string]ran{
		"0": {0, "line\n", problems},
		"1": {0, "line\nsuccess\n", "notice\n" + problems},
		"2": {0, "line\nsuccess\n", "notice\ndetail\n" + problems},
	} {
		if got := shell(t, app, drover.Env{}, "say", "-v", verbosity); got != want {
			t.Errorf("-v %s: got %+v, want %+v", verbosity, got, want)
		}
	}
}

func TestHelp_Golden(t *testing.T) {
	app := appOf(&drover.Command{
		Name: "purge", Short: "Delete rows of one table",
		Long:    "Delete the rows of one table that match a condition, in batches.",
		Example: "manage purge events --where \"id < 7\"\nmanage purge events --dry-run",
		Args:    drover.Args{Usage: "TABLE"},
		Options: drover.Options{DryRun: true, Confirm: true, BatchSize: 1000, Limit: true, Check: true},
		Flags:   func(f *pflag.FlagSet) { f.String("where", "", "delete rows that match this `condition`") },
		Run:     func(context.Context, *drover.Call) error { return nil },
	})
	want := `Delete the rows of one table that match a condition, in batches.

Usage:
  manage purge TABLE [options]

Options:
      --dry-run           show what would change, and change nothing
      --check             change nothing; exit with 1 when there is work, with 0 when not
      --no-input          do not ask: go on as if "yes" had been typed
      --batch-size rows   rows a batch (default 1000)
      --limit rows        stop after this many rows
      --where condition   delete rows that match this condition

Options of every command:
  -v, --verbosity 0..3   how much to say, 0..3; 0: only results and problems (default 1)
      --database alias   work on the database with this alias (default default)
      --no-color         no colours
      --force-color      colours also where the output is no terminal
      --json             results and messages as JSON, one document a line
      --progress how     how to show progress: auto, tty, plain, json or none (default auto)
      --grace time       time to finish the current batch in after the first Ctrl-C (default 30s)
      --skip-checks      do not run the checks before the command
      --traceback        on failure, show the whole chain of errors
  -h, --help             show this help
      --version          show the program's version

Examples:
  manage purge events --where "id < 7"
  manage purge events --dry-run
`
	if diff := cmp.Diff(want, shell(t, app, drover.Env{}, "purge", "--help").stdout); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMan(t *testing.T) {
	app := appOf(&drover.Command{
		Name: "purge", Short: "Delete rows", Long: "Delete rows.\n\n.dots and back\\slashes",
		Flags: func(f *pflag.FlagSet) { f.String("where", "", "a `condition`") },
		Run:   func(context.Context, *drover.Call) error { return nil },
	})
	page := shell(t, app, drover.Env{}, "man", "purge").stdout
	for _, text := range []string{
		".TH \"MANAGE-PURGE\" 1", ".B manage purge [options]\n", "Delete rows.\n.PP\n\\&.dots and back\\eslashes\n",
		".B \\-\\-where condition\n", ".B \\-v, \\-\\-verbosity 0..3\n", ".B 143\n",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q:\n%s", text, page)
		}
	}
	dir := t.TempDir()
	if got := shell(t, app, drover.Env{}, "man", "--dir", dir); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	written, err := os.ReadFile(filepath.Join(dir, "manage-purge.1"))
	if err != nil || string(written) != page {
		t.Errorf("the file differs from the printed page: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "manage-man.1")); err == nil {
		t.Error("hidden commands have no page")
	}
}

func TestCall_Facts(t *testing.T) {
	app := appOf(&drover.Command{
		Name: "facts", Args: drover.Args{Usage: "[NAME...]"},
		Options: drover.Options{DryRun: true, PlanOnly: true, Check: true, BatchSize: 500, Limit: true, Confirm: true},
		Flags:   func(f *pflag.FlagSet) { f.Duration("age", time.Hour, "an `age`") },
		Run: func(_ context.Context, c *drover.Call) error {
			age, err := c.Flags().GetDuration("age")
			if err != nil {
				return err
			}
			c.Line("%s %s %v %d %d %v %v %v %q %v", c.Command(), c.DB().Alias(), c.Args(), c.BatchSize(), c.Limit(), c.DryRun(), c.CheckOnly(),
				c.Interactive(), c.Arg(1), age)
			if c.CheckOnly() {
				return c.WorkFound("%d rows to go", 1000)
			}
			return nil
		},
	})
	for _, tt := range []struct {
		args []string
		want ran
	}{
		{nil, ran{0, "manage facts default [] 500 0 false false true \"\" 1h0m0s\n", ""}},
		{[]string{"a", "b", "--batch-size", "7", "--limit=9", "--dry-run", "--no-input", "--age", "5m"}, ran{0, "manage facts default [a b] 7 9 true false false \"b\" 5m0s\n", ""}},
		{[]string{"--check"}, ran{1, "manage facts default [] 500 0 false true true \"\" 1h0m0s\n", "1,000 rows to go\n"}},
		{[]string{"--batch-size", "0"}, ran{2, "", "Usage: manage facts [NAME...] [options]\nError: invalid value \"0\" for --batch-size of \"manage facts\": must be at least 1\n"}},
		{[]string{"--limit", "x"}, ran{2, "", "Usage: manage facts [NAME...] [options]\nError: invalid value \"x\" for --limit of \"manage facts\": not a whole number\n"}},
		{[]string{"--progress", "loud"}, ran{2, "", "Usage: manage facts [NAME...] [options]\nError: invalid value \"loud\" for --progress of \"manage facts\": must be one of auto, tty, plain, json, none\n"}},
		{[]string{"--age"}, ran{2, "", "Usage: manage facts [NAME...] [options]\nError: --age of \"manage facts\" needs a value\n"}},
	} {
		if got := shell(t, app, drover.Env{StdinTTY: true}, append([]string{"facts"}, tt.args...)...); got != tt.want {
			t.Errorf("%v:\ngot  %+v\nwant %+v", tt.args, got, tt.want)
		}
	}
}

func TestCallWith_SetValues(t *testing.T) {
	app := drover.New("manage")
	app.AddFunc(func() *drover.Command {
		cmd := plain("show", func(_ context.Context, c *drover.Call) error {
			c.Flags().Visit(func(f *pflag.Flag) { c.Line("%s=%s", f.Name, f.Value) })
			return nil
		})
		cmd.Flags = func(f *pflag.FlagSet) {
			f.Bool("bool", false, "")
			f.Float64("float", 0, "")
			f.String("string", "", "")
			f.Duration("duration", 0, "")
			f.StringArray("list", nil, "")
		}
		return cmd
	})
	res, err := app.CallWith(t.Context(), drover.CallOptions{Set: map[string]any{
		"bool": true, "float": 1.5, "string": []byte("a=b c"), "duration": time.Minute, "list": []any{1, "two"},
	}}, "show")
	want := "bool=true\nduration=1m0s\nfloat=1.5\nlist=[1,two]\nstring=a=b c\n"
	if err != nil || res.Stdout != want {
		t.Errorf("%v, got %q", err, res.Stdout)
	}
	for name, value := range map[string]any{"nil": nil, "a map": map[string]int{}, "a list with a nil": []any{nil}, "a pointer": new(int)} {
		_, err := app.CallWith(t.Context(), drover.CallOptions{Set: map[string]any{"string": value}}, "show")
		var usage *drover.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "--string") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
