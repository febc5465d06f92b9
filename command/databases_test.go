package command_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// several are databases of all kinds under aliases, for one command.
type several map[string]*bench

// newSeveral has a PostgreSQL, a MariaDB and an SQLite database, in the order of their aliases.
func newSeveral(t *testing.T) several {
	t.Helper()
	all := several{}
	for alias, name := range map[string]string{"east": testdb.NamePostgres, "north": testdb.NameMariaDB, "west": testdb.NameSQLite} {
		all[alias] = newBench(t, testdb.Fresh(t, name), db.Alias(alias))
	}
	return all
}

var directions = []string{"east", "north", "west"}

func (s several) each(fn func(b *bench)) {
	for _, alias := range directions {
		fn(s[alias])
	}
}

func (s several) conns() (all []*db.DB) {
	s.each(func(b *bench) { all = append(all, b.conn) })
	return all
}

// shell runs a command line as a process would. The alias down is a database out of reach, where it is asked for.
func (s several) shell(t *testing.T, down bool, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	environ := []string{"NO_COLOR=1"}
	for alias, b := range s {
		environ = append(environ, "DATABASE_URL_"+strings.ToUpper(alias)+"="+b.URL)
	}
	if down {
		environ = append(environ, "DATABASE_URL_DOWN=postgres://drover:hunter2@127.0.0.1:1/app")
	}
	var out, errs bytes.Buffer
	code = runsApp().Run(t.Context(), drover.Env{Args: args, Environ: environ, Stdout: &out, Stderr: &errs})
	if strings.Contains(out.String()+errs.String(), "hunter2") {
		t.Error("the password is shown")
	}
	return code, out.String(), errs.String()
}

// summaryOf is the end of stdout.
func summaryOf(t *testing.T, stdout string) string {
	t.Helper()
	_, summary, found := strings.Cut(stdout, "\nDatabases\n")
	if !found {
		t.Errorf("no summary:\n%s", stdout)
	}
	return summary
}

func TestDatabases_Purge(t *testing.T) {
	s := newSeveral(t)
	s.each(func(b *bench) { b.events(t, 30) })
	before := map[string]string{}
	s.each(func(b *bench) { before[b.conn.Alias()] = b.Dump(t) })
	purge := []string{"purge", "--table", "events", "--where", "status = 'done'", "--all-databases"}

	code, stdout, stderr := s.shell(t, true, append(purge, "--dry-run")...)
	if code != drover.ExitFailed || strings.Count(stdout, "Would delete 10 rows in 1 batch from ") != 6 || !strings.Contains(stderr, `database "down"`) {
		t.Errorf("dry run: exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ = s.shell(t, false, append(purge, "--check")...); code != 1 || strings.Count(stdout, "WORK        10 rows of ") != 3 {
		t.Errorf("--check: exit code %d\n%s", code, stdout)
	}
	if code, stdout, _ = s.shell(t, false, purge...); code != drover.ExitUsage || !strings.Contains(stdout, "0 of 3 databases succeeded.") {
		t.Errorf("nobody to ask: exit code %d\n%s", code, stdout)
	}
	s.each(func(b *bench) {
		if diff := cmp.Diff(before[b.conn.Alias()], b.Dump(t)); diff != "" {
			t.Errorf("%s has changed (-before +after):\n%s", b.conn.Alias(), diff)
		}
	})

	code, stdout, stderr = s.shell(t, true, append(purge, "--no-input")...)
	want := `  down    FAILED      database "down": cannot connect to drover@127.0.0.1:1/app: connection refused
  east    OK          Deleted 10 rows in 1 batch from east.
  north   OK          Deleted 10 rows in 1 batch from north.
  west    OK          Deleted 10 rows in 1 batch from west.
3 of 4 databases succeeded.
`
	if diff := cmp.Diff(want, summaryOf(t, stdout)); diff != "" || code != drover.ExitFailed {
		t.Errorf("exit code %d, stderr %s, summary (-want +got):\n%s", code, stderr, diff)
	}
	s.each(func(b *bench) {
		b.wantCount(t, "SELECT count(*) FROM events", 20)
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 1)
	})
	if code, stdout, _ = s.shell(t, false, append(purge, "--check")...); code != 0 || strings.Count(stdout, "OK          Nothing to delete: no rows of ") != 3 {
		t.Errorf("--check when all is done: exit code %d\n%s", code, stdout)
	}
}

func TestDatabases_JSON(t *testing.T) {
	s := newSeveral(t)
	s.each(func(b *bench) { b.items(t, 20) })
	code, stdout, stderr := s.shell(t, false, "mark", "--all-databases", "--no-input", "--json")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	seen := map[string]string{}
	all := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, line := range all[:len(all)-1] {
		var d struct {
			Type     string
			Database struct{ Alias string }
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil || s[d.Database.Alias] == nil {
			t.Fatalf("%s: %v", line, err)
		}
		seen[d.Database.Alias] += d.Type + " "
	}
	want := map[string]string{}
	for _, alias := range directions {
		want[alias] = "plan start summary "
	}
	for alias, types := range seen {
		seen[alias] = strings.Replace(types, "tables ", "", 1)
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	var last struct {
		Type      string
		Databases []struct{ Alias, Status, Message string }
	}
	if err := json.Unmarshal([]byte(all[len(all)-1]), &last); err != nil || last.Type != "databases" || len(last.Databases) != 3 ||
		last.Databases[1].Alias != "north" || last.Databases[1].Status != "succeeded" || !strings.HasPrefix(last.Databases[1].Message, "Processed 20 rows in ") {
		t.Errorf("%v: %s", err, all[len(all)-1])
	}
}

// TestDatabases_StopAndResume stops a job in the middle of the second of three databases. The line that goes on names that one alone.
func TestDatabases_StopAndResume(t *testing.T) {
	s := newSeveral(t)
	s.each(func(b *bench) { b.items(t, 600) })
	s["east"].exec(t, "DELETE FROM item")
	out := &stopper{at: " started. Stop safely", stopping: make(chan struct{})}
	o := drover.CallOptions{Databases: s.conns(), Stderr: out, Stopping: out.stopping}
	res, err := runsApp().CallWith(t.Context(), o, "mark", "--all-databases", "--no-input", "--batch-size", "1")
	var stopped *drover.StopError
	if !errors.As(err, &stopped) {
		t.Fatalf("got %v", err)
	}
	run := batch.Short(s["north"].lastRun(t))
	if want := "drover mark --no-input --batch-size 1 --database north --resume " + run; stopped.Resume != want {
		t.Errorf("to go on it says %q, want %q", stopped.Resume, want)
	}
	if want := " runs show " + run; !strings.Contains(out.String(), "Status: drover --database north"+want) {
		t.Errorf("stderr names another database:\n%s", out.String())
	}
	begun := []bool{res.Databases[0].Begun, res.Databases[1].Begun, res.Databases[2].Begun}
	if !cmp.Equal(begun, []bool{true, true, false}) || res.Databases[0].Err != nil {
		t.Errorf("outcomes %+v", res.Databases)
	}
	if summary := summaryOf(t, res.Stdout); !strings.Contains(summary, "\n  west    not begun\n1 of 3 databases succeeded.\n") {
		t.Errorf("summary:\n%s", summary)
	}
	s["west"].wantCount(t, "SELECT count(*) FROM item WHERE status = 'done'", 0)

	if code, _, stderr := s.shell(t, false, strings.Fields(stopped.Resume)[1:]...); code != 0 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	s["north"].wantCount(t, "SELECT count(*) FROM item WHERE status = 'done'", 600)
	s["north"].wantCount(t, "SELECT count(*) FROM drover_runs", 1)
	s["west"].wantCount(t, "SELECT count(*) FROM item WHERE status = 'done'", 0)

	// What was not begun is done by the same line. What is done is done, and says so.
	code, stdout, _ := s.shell(t, false, "mark", "--database", "west", "--database", "north", "--no-input")
	if code != drover.ExitRefused || !strings.Contains(summaryOf(t, stdout), "  west    OK          Processed 600 rows in ") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

func TestDatabases_RefusedForSeveral(t *testing.T) {
	s := newSeveral(t)
	for args, want := range map[string]string{
		"purge --table events --all --all-databases --resume 01JD8Y7Q":  "--resume is about one database",
		"backfill --table t --set a=1 --all-databases --retry 01JD8Y7Q": "--retry is about one database",
		"mark --database east --database west --resume 01JD8Y7Q":        "--resume is about one database",
		"runs show 01JD8Y7Q --database east --database west":            `"drover runs show" works on one database at a time`,
		"runs resume 01JD8Y7Q --all-databases":                          "unknown option --all-databases",
		"undo 01JD8Y7Q --database east --database west":                 `"drover undo" works on one database at a time`,
		"init --print-sql --all-databases":                              "--print-sql is about one database",
	} {
		if code, stdout, stderr := s.shell(t, false, strings.Fields(args)...); code != drover.ExitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
}

func TestDatabases_InitListAndPrune(t *testing.T) {
	s := newSeveral(t)
	code, stdout, stderr := s.shell(t, true, "init", "--all-databases")
	if code != drover.ExitFailed || strings.Count(summaryOf(t, stdout), "OK          Made the tables drover_runs, ") != 3 {
		t.Errorf("init: exit code %d\n%s%s", code, stdout, stderr)
	}
	s.each(func(b *bench) { b.items(t, 9) })
	if code, _, stderr = s.shell(t, false, "mark", "--all-databases", "--no-input"); code != 0 {
		t.Fatalf("mark: exit code %d\n%s", code, stderr)
	}
	code, stdout, stderr = s.shell(t, false, "runs", "list", "--all-databases")
	listed := regexp.MustCompile(`(?m)^\S+ +mark +(\w+) +succeeded`).FindAllStringSubmatch(stdout, -1)
	if code != 0 || len(listed) != 3 || listed[0][1] != "east" || listed[1][1] != "north" || listed[2][1] != "west" {
		t.Errorf("runs list: exit code %d\n%s%s", code, stdout, stderr)
	}
	if !strings.Contains(stderr, "drover --database west runs show RUN") {
		t.Errorf("the advice names no database:\n%s", stderr)
	}
	code, stdout, stderr = s.shell(t, false, "runs", "prune", "--older-than", "1ns", "--all-databases", "--no-input")
	if code != 0 || strings.Count(summaryOf(t, stdout), "OK          Deleted 1 old run from ") != 3 {
		t.Errorf("runs prune: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestDatabases_ConfigurationFile purges shards that a file names, in the order of their names.
func TestDatabases_ConfigurationFile(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "drover.toml")
	text := ""
	for _, alias := range []string{"shard-2", "shard-10", "shard-1"} {
		b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
		b.events(t, 9)
		text += "[databases." + alias + "]\nurl = \"" + b.URL + "\"\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	app := newApp()
	app.ConfigFile = file
	var out bytes.Buffer
	code := app.Run(t.Context(), drover.Env{
		Args: []string{"purge", "--table", "events", "--all", "--all-databases", "--no-input"}, Environ: []string{"NO_COLOR=1"}, Stdout: &out,
	})
	want := `  shard-1    OK          Deleted 9 rows in 1 batch from shard-1.
  shard-10   OK          Deleted 9 rows in 1 batch from shard-10.
  shard-2    OK          Deleted 9 rows in 1 batch from shard-2.
3 of 3 databases succeeded.
`
	if diff := cmp.Diff(want, summaryOf(t, out.String())); diff != "" || code != 0 {
		t.Errorf("exit code %d (-want +got):\n%s", code, diff)
	}
}

// TestDatabases_CopyNamesTheDatabaseOfItsRun: the run is kept where it writes.
func TestDatabases_CopyNamesTheDatabaseOfItsRun(t *testing.T) {
	s := newSeveral(t)
	s.each(func(b *bench) { b.items(t, 9) })
	s["west"].exec(t, "DELETE FROM item")
	code, _, stderr := s.shell(t, false, "copy", "--from", "east", "--to", "west", "--table", "item", "--no-input")
	if want := "Status: drover --database west runs show " + batch.Short(s["west"].lastRun(t)); code != 0 || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d, it does not say %q:\n%s", code, want, stderr)
	}
}
