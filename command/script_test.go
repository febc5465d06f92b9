package command_test

// The scripts in testdata/script run the program as a child process, each on PostgreSQL, MariaDB and SQLite with a fresh database of its own. They are
// testscript's (github.com/rogpeppe/go-internal/testscript), whose commands stdout, stderr, exists, cmp and so on look at what was printed, and have:
//
//	drover ARG...         run the program; it must end with 0
//	exit CODE drover ...  the same, and it must end with this code
//	sql STATEMENT         run a statement with the plain driver; the rows of a SELECT are printed, with a tab between columns
//	sql FILE.sql          run the statements of one of the script's files
//	sql other ...         the same on a second database, an SQLite file, whose address is $OTHER_URL
//	[postgres] [mariadb] [sqlite]  in front of a line: only there
//
// $DB is the kind of database, $DATABASE_URL its address. An SQL text in quotes within quotes is written ''so''.

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/drover-dev/drover/command"
	"github.com/drover-dev/drover/internal/testdb"
)

const scripts = "testdata/script"

func TestScripts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "drover")); err != nil {
		t.Fatal(err)
	}
	for _, kind := range testdb.Names() {
		t.Run(kind, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir: scripts, RequireUniqueNames: true,
				Setup: func(e *testscript.Env) error {
					tb, ok := e.T().(testing.TB)
					if !ok {
						return errors.New("testscript hands over no testing.TB")
					}
					d := testdb.Fresh(tb, kind)
					other := testdb.Fresh(tb, testdb.NameSQLite)
					e.Values["raw"], e.Values["other"] = d.RawDB(tb), other.RawDB(tb)
					e.Setenv("OTHER_URL", other.URL)
					e.Setenv("DB", kind)
					e.Setenv("DATABASE_URL", d.URL)
					e.Setenv(programEnv, "1")
					e.Setenv("GORACE", "atexit_sleep_ms=0") // else each child of a test with -race ends a second late
					e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
					return nil
				},
				Condition: func(cond string) (bool, error) {
					if !slices.Contains(testdb.Names(), cond) {
						return false, fmt.Errorf("there are %v", testdb.Names())
					}
					return cond == kind, nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"drover": scriptDrover, "exit": scriptExit, "sql": scriptSQL},
			})
		})
	}
}

func scriptDrover(ts *testscript.TestScript, neg bool, args []string) {
	scriptExit(ts, neg, append([]string{"0", "drover"}, args...))
}

func scriptExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "drover" {
		ts.Fatalf("usage: exit CODE drover [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sql STATEMENT or sql FILE.sql")
	}
	raw := ts.Value("raw").(*sql.DB)
	if args[0] == "other" {
		raw, args = ts.Value("other").(*sql.DB), args[1:]
	}
	statement := strings.Join(args, " ")
	if strings.HasSuffix(statement, ".sql") {
		statement = ts.ReadFile(statement)
	}
	if !strings.HasPrefix(statement, "SELECT") {
		_, err := raw.Exec(statement)
		ts.Check(err)
		return
	}
	rows, err := raw.Query(statement)
	ts.Check(err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	ts.Check(err)
	cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		ts.Check(rows.Scan(into...))
		line := make([]string, len(cells))
		for i, c := range cells {
			if line[i] = c.String; !c.Valid {
				line[i] = "NULL"
			}
		}
		_, err := fmt.Fprintln(ts.Stdout(), strings.Join(line, "\t"))
		ts.Check(err)
	}
	ts.Check(rows.Err())
}

// unscripted are the commands that have no script yet.
var unscripted []string

// TestScripts_EveryCommand fails when a command is in no script, or in one and among the exceptions.
func TestScripts_EveryCommand(t *testing.T) {
	names := []string{"help", "version", "completion", "man"}
	for _, constructor := range command.All() {
		names = append(names, constructor().Name)
	}
	files, err := filepath.Glob(filepath.Join(scripts, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(a.Comment)
	}
	for _, name := range names {
		runs := regexp.MustCompile(`(?m)^(\[\w+\] )?(exit \d+ )?drover ` + regexp.QuoteMeta(name) + `\b`).MatchString(text.String())
		if excepted := slices.Contains(unscripted, name); runs == excepted {
			t.Errorf("%s: in a script %t, among the exceptions %t", name, runs, excepted)
		}
	}
}
