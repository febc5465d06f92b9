package drover_test

import (
	"context"
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
	if got.code != 1 || !strings.Contains(got.stdout, "  a   OK          Nothing to do on a.\n  b   WORK        there is work to do: would insert 1 row in 1 table on b\n1 of 2 ") {
		t.Errorf("--check: %+v", got)
	}
	if diff := cmp.Diff(before, dbs["a"].Dump(t)+dbs["b"].Dump(t)); diff != "" {
		t.Errorf("the databases have changed (-before +after):\n%s", diff)
	}
}

func TestDatabases_Completion(t *testing.T) {
	env, _ := aliases(t, "a", "b")
	for args, want := range map[string]string{"add --all": "--all-databases\n", "add --database a --database ": "a\nb\n", "single --all": ""} {
		got := shell(t, adding(nil), env, append([]string{"__completeNoDesc"}, strings.Split(args, " ")...)...)
		if end := strings.LastIndex(got.stdout, ":"); got.code != 0 || end < 0 || got.stdout[:end] != want {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// Case 198: a call that is given one database reaches no other, from a goroutine neither.
func TestConformance_198_OnlyTheDatabasesOfTheCall(t *testing.T) {
	env, dbs := aliases(t, "b")
	app := appOf(&drover.Command{Name: "stray", Run: func(ctx context.Context, c *drover.Call) error {
		failed := make(chan error)
		go func() {
			conn, err := c.Database(ctx, "b")
			if err == nil {
				err = conn.Exec(ctx, "CREATE TABLE t (id INTEGER)")
			}
			failed <- err
		}()
		return <-failed
	}})
	before := dbs["b"].Dump(t)
	o := drover.CallOptions{Databases: []*db.DB{open(t, testdb.SQLite(t), db.Alias("default"))}, Environ: env.Environ}
	_, err := app.CallWith(t.Context(), o, "stray")
	if usage := (*drover.UsageError)(nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), `unknown database "b"`) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, dbs["b"].Dump(t)); diff != "" {
		t.Errorf("the other database has changed (-before +after):\n%s", diff)
	}
}

// TestDatabases_ClosedOneByOne: a server with many databases need not have so many connections.
func TestDatabases_ClosedOneByOne(t *testing.T) {
	env, _ := aliases(t, "a", "b", "c")
	var conns []*db.DB
	app := appOf(&drover.Command{Name: "work", Options: drover.Options{EachDatabase: true}, Run: func(ctx context.Context, c *drover.Call) error {
		for _, earlier := range conns {
			if earlier.Ping(ctx) == nil {
				return fmt.Errorf("%s is still open", earlier.Alias())
			}
		}
		conns = append(conns, c.DB())
		return c.DB().Ping(ctx)
	}})
	app.DefaultURL = ""
	if got := shell(t, app, env, "work", "--all-databases"); got.code != 0 || len(conns) != 3 {
		t.Errorf("got %+v", got)
	}
}
