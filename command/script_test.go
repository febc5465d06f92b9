package command_test

// The scripts in testdata/script run the program as a child process, each on PostgreSQL, MariaDB and SQLite with a fresh database of its own. They are
// testscript's (github.com/rogpeppe/go-internal/testscript), whose commands stdout, stderr, exists, cmp and so on look at what was printed, and have:
//
//	drover ARG...         run the program; it must end with 0
//	exit CODE drover ...  the same, and it must end with this code
//	sql STATEMENT         run a statement with the plain driver; the rows of a SELECT are printed, with a tab between columns
//	sql FILE.sql          run the statements of one of the script's files
//	until SELECT...       ask again until the statement gives a row, for what a program does that runs beside the script
//	sql other ..., until other ...  the same on a second database, an SQLite file, whose address is $OTHER_URL
//	keep NAME             make what was printed last, if it is one line, the variable $NAME
//	indoubt               leave two transactions prepared on this database and on $DATABASE_URL_B, with the rows 1 and 2 of the table event of both:
//	                      the first is decided, the second is not; for servers only
//	[postgres] [mariadb] [sqlite]  in front of a line: only there
//
// $DB is the kind of database, $DATABASE_URL its address. An SQL text in quotes within quotes is written ''so''. Each script has the file events.sql. The
// program runs beside the script with testscript's "exec drover ARG... &NAME&", and has a terminal to be asked on after "ttyin -stdin FILE".

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/drover-dev/drover"
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
					e.Values["indoubt"] = func() (url string) { return leaveInDoubt(tb, d) }
					e.Setenv("OTHER_URL", other.URL)
					e.Setenv("DB", kind)
					e.Setenv("DATABASE_URL", d.URL)
					e.Setenv(programEnv, "1")
					e.Setenv("GORACE", "atexit_sleep_ms=0") // else each child of a test with -race ends a second late
					e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
					return os.CopyFS(e.WorkDir, os.DirFS(filepath.Join(scripts, "files")))
				},
				Condition: func(cond string) (bool, error) {
					if !slices.Contains(testdb.Names(), cond) {
						return false, fmt.Errorf("there are %v", testdb.Names())
					}
					return cond == kind, nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"drover": scriptDrover, "exit": scriptExit, "indoubt": scriptInDoubt, "keep": scriptKeep, "sql": scriptSQL, "until": scriptUntil,
				},
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
	raw, statement := scriptStatement(ts, args)
	if neg || statement == "" {
		ts.Fatalf("usage: sql STATEMENT or sql FILE.sql")
	}
	if strings.HasSuffix(statement, ".sql") {
		statement = ts.ReadFile(statement)
	}
	if !strings.HasPrefix(statement, "SELECT") {
		_, err := raw.Exec(statement)
		ts.Check(err)
		return
	}
	_, err := io.WriteString(ts.Stdout(), scriptRows(ts, raw, statement))
	ts.Check(err)
}

// scriptStatement returns the database that a statement is for, and the statement.
func scriptStatement(ts *testscript.TestScript, args []string) (raw *sql.DB, statement string) {
	name := "raw"
	if len(args) > 0 && args[0] == "other" {
		name, args = args[0], args[1:]
	}
	return ts.Value(name).(*sql.DB), strings.Join(args, " ")
}

func scriptRows(ts *testscript.TestScript, raw *sql.DB, query string) string {
	rows, err := raw.Query(query)
	ts.Check(err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	ts.Check(err)
	cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	var text strings.Builder
	for rows.Next() {
		ts.Check(rows.Scan(into...))
		line := make([]string, len(cells))
		for i, c := range cells {
			if line[i] = c.String; !c.Valid {
				line[i] = "NULL"
			}
		}
		text.WriteString(strings.Join(line, "\t") + "\n")
	}
	ts.Check(rows.Err())
	return text.String()
}

// scriptPatience is how long a script waits for a program beside it: far longer than it takes.
const scriptPatience = 30 * time.Second

func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	raw, query := scriptStatement(ts, args)
	if neg || !strings.HasPrefix(query, "SELECT") {
		ts.Fatalf("usage: until SELECT...")
	}
	for begun := time.Now(); scriptRows(ts, raw, query) == ""; {
		if time.Since(begun) > scriptPatience {
			ts.Fatalf("there is still no row after %v", scriptPatience)
		}
	}
}

func scriptKeep(ts *testscript.TestScript, neg bool, args []string) {
	value := strings.TrimSuffix(ts.ReadFile("stdout"), "\n")
	if neg || len(args) != 1 || value == "" || strings.Contains(value, "\n") {
		ts.Fatalf("usage: keep NAME, after one line was printed")
	}
	ts.Setenv(args[0], value)
}

func scriptInDoubt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: indoubt")
	}
	ts.Setenv("DATABASE_URL_B", ts.Value("indoubt").(func() string)())
}

// leaveInDoubt is the command indoubt. It returns the address of the second database.
func leaveInDoubt(t testing.TB, d testdb.Database) string {
	c := &couple{a: &bench{Database: d}, b: &bench{Database: testdb.Fresh(t, d.Name)}}
	for _, b := range []*bench{c.a, c.b} {
		if _, err := b.RawDB(t).ExecContext(t.Context(), "CREATE TABLE event (id integer NOT NULL PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
	}
	c.leave(t, 1, commits...)
	c.leave(t, 2, decision...)
	return c.b.URL
}

// unscripted are the commands that have no script yet.
var unscripted []string

// TestScripts_EveryCommand fails when a command is in no script, or in one and among the exceptions.
func TestScripts_EveryCommand(t *testing.T) {
	names := []string{"help", "version", "completion", "man"}
	for _, constructor := range command.All() {
		names = append(names, runnable("", constructor())...)
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
		runs := regexp.MustCompile(`(?m)^(\[!?\w+\] )?(exit \d+ )?drover ` + regexp.QuoteMeta(name) + `\b`).MatchString(text.String())
		if excepted := slices.Contains(unscripted, name); runs == excepted {
			t.Errorf("%s: in a script %t, among the exceptions %t", name, runs, excepted)
		}
	}
}

// runnable returns the name of a command, or the names of the commands of a group.
func runnable(group string, c *drover.Command) (names []string) {
	if len(c.Subcommands) == 0 {
		return []string{group + c.Name}
	}
	for _, sub := range c.Subcommands {
		names = append(names, runnable(group+c.Name+" ", sub)...)
	}
	return names
}
