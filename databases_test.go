package drover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// aliases is the environment with an SQLite file for each alias. The file of "down" is in a folder that is not there.
func aliases(t *testing.T, names ...string) (drover.Env, map[string]testdb.Database) {
	t.Helper()
	all := map[string]testdb.Database{}
	env := drover.Env{Environ: []string{"NO_COLOR=1"}}
	for _, name := range names {
		url := "sqlite:" + filepath.Join(t.TempDir(), "missing", "a.db")
		if name != "down" {
			all[name] = testdb.Fresh(t, testdb.NameSQLite)
			url = all[name].URL
		}
		env.Environ = append(env.Environ, "DATABASE_URL_"+strings.ToUpper(name)+"="+url)
	}
	return env, all
}

// adding is a program whose command "add" makes a table where it is missing and adds rows to it. fail has an error for an alias.
func adding(fail map[string]error) *drover.App {
	app := drover.New("manage")
	app.DefaultURL = ""
	rows := 0 // outside the constructor, as with App.Add
	app.Add(&drover.Command{
		Name: "add", Options: drover.Options{EachDatabase: true, DryRun: true, Check: true, Confirm: true},
		OneDatabase: []string{"run"},
		Flags: func(f *pflag.FlagSet) {
			f.IntVar(&rows, "rows", 1, "so `many`")
			f.String("run", "", "go on with this `run`")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			if err := fail[c.DB().Alias()]; err != nil {
				return err
			}
			if err := c.DB().Exec(ctx, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY)"); err != nil {
				return err
			}
			added := 0
			for ; rows > 0; rows-- { // the option's own variable
				if err := c.DB().Exec(ctx, "INSERT INTO t DEFAULT VALUES"); err != nil {
					return err
				}
				added++
			}
			c.Did(drover.Added, "%d rows to %s", added, c.DB().Alias())
			return nil
		},
	})
	app.Add(&drover.Command{Name: "single", Run: func(context.Context, *drover.Call) error { return nil }})
	return app
}

func rowsOf(t *testing.T, d testdb.Database) int {
	t.Helper()
	var n int
	if err := d.RawDB(t).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDatabases_OneRunEach(t *testing.T) {
	env, dbs := aliases(t, "b", "a", "c")
	app := adding(nil)
	got := shell(t, app, env, "add", "--database", "b", "--rows", "2", "--database", "a")
	want := `Database b (1 of 2)
Added 2 rows to b

Database a (2 of 2)
Added 2 rows to a

Databases
  b   OK          Added 2 rows to b
  a   OK          Added 2 rows to a
2 of 2 databases succeeded.
`
	if diff := cmp.Diff(want, got.stdout); diff != "" || got.code != 0 || got.stderr != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got = shell(t, app, env, "add", "--all-databases")
	if got.code != 0 || !strings.HasSuffix(got.stdout, "3 of 3 databases succeeded.\n") ||
		!strings.Contains(got.stdout, "Database a (1 of 3)\nAdded 1 rows to a\n\nDatabase b (2 of 3)\n") {
		t.Errorf("all: %+v", got)
	}
	if a, b, c := rowsOf(t, dbs["a"]), rowsOf(t, dbs["b"]), rowsOf(t, dbs["c"]); a != 3 || b != 3 || c != 1 {
		t.Errorf("%d, %d and %d rows", a, b, c)
	}
	if got := shell(t, app, env, "add", "--all-databases", "-v", "0"); got != (ran{}) {
		t.Errorf("-v 0: %+v", got)
	}
	if got := shell(t, app, env, "add", "--database", "a"); got != (ran{0, "Added 1 rows to a\n", ""}) {
		t.Errorf("one: %+v", got)
	}
}

// TestDatabases_Heading: each stream that may be read alone says which database it is about.
func TestDatabases_Heading(t *testing.T) {
	env, _ := aliases(t, "a")
	for _, out := range []bool{false, true} {
		for _, err := range []bool{false, true} {
			env.StdoutTTY, env.StderrTTY = out, err
			got := shell(t, adding(nil), env, "add", "--all-databases")
			if !strings.HasPrefix(got.stdout, "Database a (1 of 1)\n") || strings.HasPrefix(got.stderr, "Database a (1 of 1)\n") != (out != err) {
				t.Errorf("terminals %v, %v: %+v", out, err, got)
			}
		}
	}
}

func TestDatabases_WrongUse(t *testing.T) {
	env, dbs := aliases(t, "a", "b", "down")
	for _, tt := range []struct {
		name, args, want string
	}{
		{"unknown", "add --database a --database bb", `unknown database "bb" for --database of "manage add" (configured: a, b, down); did you mean b?`},
		{"twice", "add --database a --database b --database a", "--database a is given twice"},
		{"both", "add --database a --all-databases", "--database and --all-databases exclude each other"},
		{"a URL", "add --database a --database postgres://u:secret@h/d", "several databases are named by their aliases, and a URL has none"},
		{"commas", "add --database a,b", `unknown database "a,b" for --database of "manage add" (configured: a, b, down)`},
		{"not allowed", "single --database a --database b", `--database is given 2 times, but "manage single" works on one database at a time`},
		{"not allowed, all", "single --all-databases", `unknown option --all-databases of "manage single"`},
		{"of one database", "add --database a --database b --run 7", "--run is about one database, and cannot be given for several"},
		{"of one database, all", "add --all-databases --run 7", "--run is about one database, and cannot be given for several"},
		{"own option", "add --all-databases --rows x", `invalid value "x" for --rows of "manage add": must be an integer`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := dbs["a"].Dump(t)
			got := shell(t, adding(nil), env, strings.Fields(tt.args)...)
			if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, "Error: "+tt.want) {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(got.stderr, "secret") {
				t.Error("the password is shown")
			}
			if diff := cmp.Diff(before, dbs["a"].Dump(t)); diff != "" {
				t.Errorf("the database has changed (-before +after):\n%s", diff)
			}
		})
	}
	got := shell(t, adding(nil), drover.Env{Environ: []string{"HOME=/nowhere"}}, "add", "--all-databases")
	if got.code != 2 || !strings.Contains(got.stderr, "no database is configured") || !strings.Contains(got.stderr, "Try:   set DATABASE_URL") {
		t.Errorf("none configured: %+v", got)
	}
}

func TestDatabases_OneOutOfReach(t *testing.T) {
	env, dbs := aliases(t, "a", "down", "e")
	got := shell(t, adding(nil), env, "add", "--all-databases")
	if got.code != 1 || rowsOf(t, dbs["a"]) != 1 || rowsOf(t, dbs["e"]) != 1 {
		t.Errorf("got %+v", got)
	}
	if !strings.HasPrefix(got.stderr, `Error: database "down": cannot connect to `) || strings.Count(got.stderr, "Error:") != 1 {
		t.Errorf("stderr %q", got.stderr)
	}
	_, summary, _ := strings.Cut(got.stdout, "\nDatabases\n")
	rows := lines(summary)
	if len(rows) != 4 || rows[0] != "  a      OK          Added 1 rows to a" || !strings.HasPrefix(rows[1], `  down   FAILED      database "down": cannot connect to `) ||
		rows[2] != "  e      OK          Added 1 rows to e" || rows[3] != "2 of 3 databases succeeded." {
		t.Errorf("summary:\n%s", summary)
	}
	// Without a summary of what went well, one of what did not.
	if quiet := shell(t, adding(nil), env, "add", "--all-databases", "-v0"); quiet.code != 1 || quiet.stdout != "\nDatabases\n"+summary {
		t.Errorf("-v0: %+v", quiet)
	}
}

// TestDatabasesError_ExitCode is the contract.
func TestDatabasesError_ExitCode(t *testing.T) {
	exit := func(code int) error { return drover.Exit(code, "x") }
	interrupt, notBegun := &drover.StopError{Signal: os.Interrupt}, &drover.StopError{Signal: os.Interrupt, Summary: "not begun"}
	for _, tt := range []struct {
		name string
		errs []error
		code int
	}{
		{"one failed", []error{nil, errors.New("x"), nil}, 1},
		{"one kind", []error{exit(3), nil, exit(3)}, 3},
		{"usage", []error{&drover.UsageError{}, &drover.UsageError{}}, 2},
		{"two kinds", []error{exit(3), exit(5)}, 1},
		{"declined", []error{exit(4), nil}, 4},
		{"declined and partial", []error{exit(4), exit(3)}, 3},
		{"declined and failed", []error{exit(4), exit(1)}, 1},
		{"declined and two kinds", []error{exit(4), exit(3), exit(75)}, 1},
		{"again", []error{exit(75), nil, &drover.StopError{Reason: "the time limit"}}, 75},
		{"stopped", []error{nil, interrupt, notBegun}, 130},
		{"stopped after a failure", []error{exit(3), exit(4), notBegun}, 130},
		{"terminated", []error{exit(3), &drover.StopError{Signal: syscall.SIGTERM}}, 143},
	} {
		several := &drover.DatabasesError{}
		for i, err := range tt.errs {
			several.Outcomes = append(several.Outcomes, drover.DatabaseOutcome{Database: fmt.Sprint(i), Begun: true, Err: err})
		}
		if got := drover.ExitCode(fmt.Errorf("wrapped: %w", several)); got != tt.code {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.code)
		}
	}
}

func TestDatabases_FromCode(t *testing.T) {
	var conns []*db.DB
	for _, alias := range []string{"a", "b", "c", "d"} {
		conns = append(conns, open(t, testdb.SQLite(t), db.Alias(alias)))
	}
	fail := map[string]error{"b": errInner, "c": drover.Exit(drover.ExitPartial, "2 rows set aside"), "d": drover.ErrNothingToDo}
	o := drover.CallOptions{Databases: conns, Set: map[string]any{"database": []string{"d", "a", "c", "b"}}}
	res, err := adding(fail).CallWith(t.Context(), o, "add")
	var partial *drover.CommandError
	if !errors.Is(err, errInner) || !errors.As(err, &partial) || partial.Code != drover.ExitPartial || drover.ExitCode(err) != drover.ExitFailed {
		t.Errorf("got %v, exit code %d", err, drover.ExitCode(err))
	}
	if want := "2 of 4 databases succeeded; c: 2 rows set aside; b: " + errInner.Error(); err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	var seen []string
	for _, o := range res.Databases {
		seen = append(seen, fmt.Sprintf("%s %v %q %v", o.Database, o.Begun, o.Message, o.Err))
	}
	want := []string{`d true "" <nil>`, `a true "Added 1 rows to a" <nil>`, `c true "" 2 rows set aside`, `b true "" ` + errInner.Error()}
	if diff := cmp.Diff(want, seen); diff != "" || res.Stderr != "" {
		t.Errorf("stderr %q, outcomes (-want +got):\n%s", res.Stderr, diff)
	}

	res, err = adding(nil).CallWith(t.Context(), drover.CallOptions{Databases: conns}, "add", "--all-databases", "--dry-run", "--rows", "3")
	if err != nil || len(res.Previews) != 4 || res.Previews["c"].Tables[0].Inserted != 3 {
		t.Errorf("dry run: %v, %+v", err, res)
	}
	for _, conn := range conns {
		if err := conn.Ping(t.Context()); err != nil {
			t.Errorf("the call has closed a database that is not its own: %v", err)
		}
	}

	closed := make(chan struct{})
	close(closed)
	res, err = adding(nil).CallWith(t.Context(), drover.CallOptions{Databases: conns, Stopping: closed}, "add", "--all-databases")
	if stopped := (*drover.StopError)(nil); !errors.As(err, &stopped) || drover.ExitCode(err) != 130 || res.Databases[0].Begun {
		t.Errorf("stopped before: %v, %+v", err, res)
	}
}

func TestDatabases_DryRunAndCheck(t *testing.T) {
	env, dbs := aliases(t, "a", "b")
	app := adding(nil)
	shell(t, app, env, "add", "--all-databases")
	before := dbs["a"].Dump(t) + dbs["b"].Dump(t)
	got := shell(t, app, env, "add", "--all-databases", "--dry-run", "--rows", "4", "-v0")
	want := "Would insert 4 rows in 1 table on a. Nothing was changed.\nWould insert 4 rows in 1 table on b. Nothing was changed.\n"
	if got != (ran{0, want, ""}) {
		t.Errorf("dry run: %+v", got)
	}
	got = shell(t, app, env, "add", "--all-databases", "--dry-run", "--rows", "4")
	if got.code != 0 || !strings.HasSuffix(got.stdout, "\nDatabases\n  a   OK          Would insert 4 rows in 1 table on a. Nothing was changed.\n"+
		"  b   OK          Would insert 4 rows in 1 table on b. Nothing was changed.\n2 of 2 databases succeeded.\n") {
		t.Errorf("dry run: %+v", got)
	}
	if got := shell(t, app, env, "add", "--all-databases", "--check", "--rows", "0"); got.code != 0 {
		t.Errorf("nothing to do: %+v", got)
	}
	fail := adding(map[string]error{"a": drover.ErrNothingToDo})
	got = shell(t, fail, env, "add", "--all-databases", "--check")
	if got.code != 1 || !strings.Contains(got.stdout, "  a   OK\n  b   WORK        there is work to do: would insert 1 row in 1 table on b\n1 of 2 ") {
		t.Errorf("--check: %+v", got)
	}
	if diff := cmp.Diff(before, dbs["a"].Dump(t)+dbs["b"].Dump(t)); diff != "" {
		t.Errorf("the databases have changed (-before +after):\n%s", diff)
	}
}

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
		}, 130, "STOPPED     stopped by SIGINT: 1,000 of 3,000 rows done"},
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
		}, 130, "STOPPED     stopped by SIGINT: what was not committed is rolled back"},
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
		failures[2].Database != nil || failures[2].Code != 1 || failures[2] != errs[len(errs)-1] || failures[2].Hint != "raise --limit" {
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
