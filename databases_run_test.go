package drover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
)

// asking is a program whose command asks on each database.
func asking() *drover.App {
	app := drover.New("manage")
	app.DefaultURL = ""
	app.Add(&drover.Command{
		Name: "purge", Options: drover.Options{EachDatabase: true, Confirm: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			if err := c.Confirm(ctx, drover.Facts{Action: "delete", Count: 3, What: "rows"}); err != nil {
				return err
			}
			c.Did(drover.Deleted, "%d rows from %s", 3, c.DB().Alias())
			return nil
		},
	})
	return app
}

func TestDatabases_EachAsks(t *testing.T) {
	env, _ := aliases(t, "a", "b", "c")
	env.StdinTTY, env.Stdin = true, strings.NewReader("yes\nno\nyes\n")
	got := shell(t, asking(), env, "purge", "--all-databases")
	if got.code != drover.ExitDeclined || strings.Count(got.stderr, `Type "yes"`) != 3 || !strings.Contains(got.stderr, `3 rows on "b" (`) ||
		!strings.Contains(got.stdout, "  a   OK          Deleted 3 rows from a\n  b   DECLINED    Cancelled. Nothing was changed.\n  c   OK          Deleted 3 rows from c\n") {
		t.Errorf("got %+v", got)
	}
	env.StdinTTY = false
	if got := shell(t, asking(), env, "purge", "--all-databases", "--no-input"); got.code != 0 || strings.Count(got.stderr, "This will delete 3 rows on") != 3 {
		t.Errorf("--no-input: %+v", got)
	}
	if got := shell(t, asking(), env, "purge", "--all-databases"); got.code != drover.ExitUsage || strings.Contains(got.stdout, "Deleted") {
		t.Errorf("nobody to ask: %+v", got)
	}
}

func TestDatabases_InterruptInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name string
		sig  os.Signal
		body func(signals chan<- os.Signal) func(ctx context.Context, c *drover.Call) error
		code int
		b    string
	}{
		{"between batches", os.Interrupt, func(signals chan<- os.Signal) func(context.Context, *drover.Call) error {
			return func(_ context.Context, c *drover.Call) error {
				signals <- os.Interrupt
				<-c.Stopping()
				return c.StopErr("%d of %d rows done", 1000, 3000)
			}
		}, 130, "STOPPED     by SIGINT: 1,000 of 3,000 rows done"},
		{"does not look, and finishes", syscall.SIGTERM, func(signals chan<- os.Signal) func(context.Context, *drover.Call) error {
			return func(_ context.Context, c *drover.Call) error {
				stopping := c.Stopping()
				signals <- syscall.SIGTERM
				<-stopping
				c.Success("Deleted everything")
				return nil
			}
		}, 143, "OK          Deleted everything"},
		{"twice", os.Interrupt, func(signals chan<- os.Signal) func(context.Context, *drover.Call) error {
			return func(ctx context.Context, _ *drover.Call) error {
				signals <- os.Interrupt
				signals <- os.Interrupt
				<-ctx.Done()
				return ctx.Err()
			}
		}, 130, "STOPPED     by SIGINT: what was not committed is rolled back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env, _ := aliases(t, "a", "b", "c", "d")
			signals := make(chan os.Signal, 2)
			env.Signals = signals
			begun := ""
			body := tt.body(signals)
			app := drover.New("manage")
			app.Add(&drover.Command{Name: "work", Options: drover.Options{EachDatabase: true}, Run: func(ctx context.Context, c *drover.Call) error {
				begun += c.DB().Alias()
				if c.DB().Alias() != "b" {
					c.Success("Deleted 3 rows")
					return nil
				}
				return body(ctx, c)
			}})
			got := shell(t, app, env, "work", "--database", "a", "--database", "b", "--database", "c", "--database", "d")
			_, summary, _ := strings.Cut(got.stdout, "\nDatabases\n")
			n := 1
			if strings.HasPrefix(tt.b, "OK") {
				n = 2
			}
			want := fmt.Sprintf("  a   OK          Deleted 3 rows\n  b   %s\n  c   not begun\n  d   not begun\n%d of 4 databases succeeded.\n", tt.b, n)
			if diff := cmp.Diff(want, summary); diff != "" || got.code != tt.code || begun != "ab" {
				t.Errorf("exit code %d, begun %s, stderr %q, summary (-want +got):\n%s", got.code, begun, got.stderr, diff)
			}
			if !strings.Contains(got.stderr, "Stopping") || n == 1 && !strings.Contains(got.stderr, "STOPPED  by SIGINT") {
				t.Errorf("stderr %q", got.stderr)
			}
		})
	}
}

func TestDatabases_PanicInOne(t *testing.T) {
	env, _ := aliases(t, "a", "b")
	app := drover.New("manage")
	app.DefaultURL = ""
	app.Add(&drover.Command{Name: "work", Options: drover.Options{EachDatabase: true}, Run: func(_ context.Context, c *drover.Call) error {
		if c.DB().Alias() == "a" {
			panic("no")
		}
		return nil
	}})
	got := shell(t, app, env, "work", "--all-databases")
	if got.code != 1 || !strings.Contains(got.stderr, "Error: panic: no") || !strings.Contains(got.stdout, "  a   FAILED      panic: no\n  b   OK\n1 of 2 ") {
		t.Errorf("got %+v", got)
	}
}

func TestDatabases_JSON(t *testing.T) {
	env, _ := aliases(t, "a", "b", "down")
	app := drover.New("manage")
	app.DefaultURL = ""
	app.Add(&drover.Command{
		Name: "work", Options: drover.Options{EachDatabase: true, DryRun: true},
		Run: func(_ context.Context, c *drover.Call) error {
			c.Line("a line")
			c.Warning("hot")
			c.JSON(map[string]any{})
			c.JSON(map[string]any{"type": "own", "database": "its own", "message": "done with " + c.DB().Alias()})
			c.Progress(drover.ProgressOptions{})
			if c.DB().Alias() == "b" {
				return drover.Exit(6, "too many rows").Try("raise --limit")
			}
			return nil
		},
	})
	got := shell(t, app, env, "work", "--all-databases", "--json")
	type document struct {
		Type, Message, Hint string
		Database            any
		Code                int
	}
	read := func(text string) (all []document) {
		for _, line := range lines(text) {
			var d document
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			all = append(all, d)
		}
		return all
	}
	of := func(alias string) any { return map[string]any{"alias": alias} }
	out := read(got.stdout)
	want := []document{
		{Type: "line", Message: "a line", Database: of("a")},
		{Database: of("a")},
		{Type: "own", Message: "done with a", Database: "its own"},
		{Type: "line", Message: "a line", Database: of("b")},
		{Database: of("b")},
		{Type: "own", Message: "done with b", Database: "its own"},
		{Type: "databases", Message: "1 of 3 databases succeeded."},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	var summary struct {
		Command   string
		ExitCode  int `json:"exit_code"`
		Succeeded int
		Databases []struct {
			Alias, Status, Message string
			ExitCode               int `json:"exit_code"`
		}
	}
	last := lines(got.stdout)[len(lines(got.stdout))-1]
	if err := json.Unmarshal([]byte(last), &summary); err != nil {
		t.Fatal(err)
	}
	ends := summary.Databases
	if summary.Command != "work" || summary.ExitCode != 1 || got.code != 1 || summary.Succeeded != 1 || len(ends) != 3 ||
		ends[0].Alias != "a" || ends[0].Status != "succeeded" || ends[0].Message != "done with a" ||
		ends[1].Status != "failed" || ends[1].ExitCode != 6 || ends[1].Message != "too many rows" || ends[2].Status != "failed" || ends[2].ExitCode != 1 {
		t.Errorf("exit code %d, %s", got.code, last)
	}
	errs := read(got.stderr)
	var failures []document
	for _, d := range errs {
		switch {
		case d.Type == "exit_error":
			failures = append(failures, d)
		case d.Database == nil:
			t.Errorf("%+v names no database", d)
		}
	}
	if len(failures) != 3 || failures[0].Code != 6 || !cmp.Equal(failures[0].Database, of("b")) || !cmp.Equal(failures[1].Database, of("down")) ||
		failures[2].Database != nil || failures[2].Code != 1 || failures[2] != errs[len(errs)-1] || !strings.HasPrefix(failures[2].Hint, "raise --limit\ncheck the path ") {
		t.Errorf("failures %+v", failures)
	}
	// A document of one database is as it always was.
	if one := shell(t, app, env, "work", "--database", "a", "--json"); strings.Contains(one.stdout+one.stderr, `"alias"`) || strings.Contains(one.stdout, `"databases"`) {
		t.Errorf("one database: %+v", one)
	}
}

func TestDatabases_CommandLineNamesTheOne(t *testing.T) {
	env, _ := aliases(t, "a", "b")
	for _, args := range []string{"--all-databases --limit 5 x", "--database b --limit 5 --database a x"} {
		var seen []string
		app := drover.New("manage")
		app.DefaultURL = ""
		app.AddFunc(func() *drover.Command {
			return &drover.Command{
				Name: "jobs", Args: drover.Args{Usage: "NAME"}, Options: drover.Options{EachDatabase: true, Limit: true},
				Run: func(_ context.Context, c *drover.Call) error {
					alias, err := c.Flags().GetString("database")
					seen = append(seen, alias+": "+c.ShellLine(map[string]string{"resume": "7"}))
					return err
				},
			}
		})
		if got := shell(t, app, env, append([]string{"jobs"}, strings.Fields(args)...)...); got.code != 0 {
			t.Fatalf("got %+v", got)
		}
		want := []string{"a: manage jobs --limit 5 --database a --resume 7 x", "b: manage jobs --limit 5 --database b --resume 7 x"}
		if strings.HasPrefix(args, "--database") {
			want = []string{"b: manage jobs --database b --limit 5 --resume 7 x", "a: manage jobs --database a --limit 5 --resume 7 x"}
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("%s (-want +got):\n%s", args, diff)
		}
	}
}

// TestDatabases_Invoke: a command in place of another has its database unless it names others.
func TestDatabases_Invoke(t *testing.T) {
	env, _ := aliases(t, "a", "b", "c")
	where := ""
	app := drover.New("manage")
	app.DefaultURL = ""
	app.AddFunc(func() *drover.Command {
		return &drover.Command{Name: "where", Options: drover.Options{EachDatabase: true}, Run: func(_ context.Context, c *drover.Call) error {
			where += c.DB().Alias()
			c.Success("Was on %s", c.DB().Alias())
			return nil
		}}
	})
	app.Add(&drover.Command{
		Name: "in-place", Args: drover.Args{Usage: "[WORD...]"}, Options: drover.Options{EachDatabase: true},
		Run: func(ctx context.Context, c *drover.Call) error { return c.Invoke(ctx, c.Args()...) },
	})
	for _, tt := range []struct{ args, want string }{
		{"--database b -- where", "b"},
		{"--database b -- where --database c", "c"},
		{"--database b -- where --database c --database a", "ca"},
		{"--database b -- where --all-databases", "abc"},
		{"--database b --database c -- where", "bc"},
		{"--all-databases -- where", "abc"},
		{"--database b --database a -- where --database c", "cc"},
	} {
		where = ""
		got := shell(t, app, env, append([]string{"in-place"}, strings.Fields(tt.args)...)...)
		if got.code != 0 || where != tt.want {
			t.Errorf("%s: on %s, want %s: %+v", tt.args, where, tt.want, got)
		}
		if strings.Contains(got.stdout, "Databases") && !strings.Contains(got.stdout, "OK          Was on ") {
			t.Errorf("%s: the summary lacks what was done:\n%s", tt.args, got.stdout)
		}
	}
}

func TestDatabases_ChecksRunOnEach(t *testing.T) {
	env, _ := aliases(t, "a", "b", "c")
	app := adding(nil)
	var looked []string
	app.Checks = []drover.Check{{Name: "schema", Run: func(_ context.Context, c *drover.Call) error {
		looked = append(looked, c.DB().Alias())
		if c.DB().Alias() == "b" {
			return errors.New("table is missing")
		}
		return nil
	}}}
	got := shell(t, app, env, "add", "--all-databases")
	if got.code != 1 || !cmp.Equal(looked, []string{"a", "b", "c"}) || !strings.HasSuffix(got.stdout, "2 of 3 databases succeeded.\n") {
		t.Errorf("looked at %v: %+v", looked, got)
	}
}

func TestDatabases_AllByDefault(t *testing.T) {
	env, _ := aliases(t, "a", "b")
	where := ""
	app := drover.New("manage")
	app.DefaultURL = ""
	app.Add(&drover.Command{
		Name: "look", NoDatabase: true, Options: drover.Options{EachDatabase: true, AllDatabases: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			alias, err := c.Flags().GetString("database")
			if err != nil {
				return err
			}
			conn, err := c.Database(ctx, alias)
			if err == nil {
				where += conn.Alias()
			}
			return err
		},
	})
	for args, want := range map[string]string{"": "ab", "--database b": "b", "--database b --database a": "ba", "--all-databases": "ab"} {
		where = ""
		if got := shell(t, app, env, append([]string{"look"}, strings.Fields(args)...)...); got.code != 0 || where != want {
			t.Errorf("%s: on %s, want %s: %+v", args, where, want, got)
		}
	}
	if help := shell(t, app, env, "look", "--help").stdout; !strings.Contains(help, "--all-databases") || !strings.Contains(help, "--database alias") {
		t.Errorf("help:\n%s", help)
	}
}

// TestDatabases_Concurrently: calls of a command whose options are shared variables wait for each other, run by run.
func TestDatabases_Concurrently(t *testing.T) {
	env, dbs := aliases(t, "a", "b")
	app := adding(nil)
	const callers = 6
	failed := make(chan error)
	for i := range callers {
		go func() {
			res, err := app.CallWith(t.Context(), drover.CallOptions{Environ: env.Environ}, "add", "--all-databases", "--rows", strconv.Itoa(i))
			if want := fmt.Sprintf("  a   OK          Added %d rows to a\n  b   OK          Added %d rows to b\n", i, i); err == nil && !strings.Contains(res.Stdout, want) {
				err = fmt.Errorf("call %d printed %q", i, res.Stdout)
			}
			failed <- err
		}()
	}
	for range callers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if a, b := rowsOf(t, dbs["a"]), rowsOf(t, dbs["b"]); a != 15 || b != 15 {
		t.Errorf("%d and %d rows", a, b)
	}
}

// closedPipe is an output whose reader has gone away.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestDatabases_ReaderGoesAway(t *testing.T) {
	env, dbs := aliases(t, "a", "b")
	stderr := newOutput()
	env.Args, env.Stdout, env.Stderr = []string{"add", "--all-databases"}, closedPipe{}, stderr
	if code := adding(nil).Run(t.Context(), env); code != 1 || stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	if dump := dbs["b"].Dump(t); strings.Contains(dump, "CREATE TABLE") {
		t.Errorf("the second database was worked on:\n%s", dump)
	}
}
