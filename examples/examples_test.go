// Package examples_test runs every example as its user does: the built program, on a real database.
package examples_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// step is one command line and what must come of it.
type step struct {
	args      []string
	terminal  string // typed at the prompt of a terminal; "": the input is empty and no terminal
	meanwhile string // a statement that somebody else sends while the program asks

	code      int
	stdout    string   // all of it, but for what differs between databases; on a terminal nothing is separate: ""
	says      []string // parts of stderr, or of the terminal's screen
	unchanged bool     // the database holds afterwards what it held before
	rows      []string // what the example's query gives afterwards
}

type example struct {
	query string // of one text column
	steps []step
}

const items = "SELECT name FROM example_items ORDER BY name"

// allOrNone is what the programs have in common that differ only in how they say "one transaction".
func allOrNone(failure string) example {
	return example{items, []step{
		{args: []string{"add", "first", "second", "third"}, stdout: "Added 3 items\n", rows: []string{"first", "second", "third"}},
		{args: []string{"add", "fourth", "first", "fifth"}, code: 1, says: []string{failure}, unchanged: true},
		{args: []string{"add"}, code: 2, says: []string{"missing NAME..."}, unchanged: true},
	}}
}

const (
	records = "SELECT name FROM example_records WHERE status = 'obsolete' ORDER BY id"
	archive = "SELECT name FROM example_archive ORDER BY id"
	prices  = "SELECT CONCAT(name, '=', cents) FROM example_prices ORDER BY name"
	asks    = `This will permanently delete 7 obsolete records on "default"`
)

var (
	obsolete = []string{
		"ledger 2016", "ledger 2017", "ledger 2018", "ledger 2019", "ledger 2020", "ledger 2021", "ledger 2022",
	}
	none  = []string{}
	setup = step{args: []string{"setup"}, stdout: "Created 10 records\n", rows: obsolete}
)

// examples are all programs by their folder.
var examples = map[string]example{
	"transaction/autocommit": {items, []step{
		{
			args: []string{"add", "first", "second", "third"}, stdout: "Added \"first\"\nAdded \"second\"\nAdded \"third\"\n",
			rows: []string{"first", "second", "third"},
		},
		{
			args: []string{"add", "fourth", "first", "fifth"}, code: 1, stdout: "Added \"fourth\"\n",
			says: []string{`Error: add "first": `}, rows: []string{"first", "fourth", "second", "third"},
		},
	}},
	"transaction/atomic":       allOrNone(`Error: add "first": `),
	"transaction/wholecommand": allOrNone(`Error: add "first": `),
	"transaction/manual":       allOrNone("Error: transaction failed: "),
	"transaction/savepoints": {items, []step{
		{
			args: []string{"add"}, stdout: "Added first and third\n", says: []string{"Warning: second is left out: oops"},
			rows: []string{"first", "third"},
		},
		{args: []string{"add"}, stdout: "Added first and third\n", unchanged: true},
	}},
	"transaction/validation": {items, []step{
		{args: []string{"add", "first", "second", "third"}, stdout: "Added 3 items\n", rows: []string{"first", "second", "third"}},
		{
			args: []string{"add", "fourth", "first", "", strings.Repeat("x", 101)}, code: 1,
			says: []string{
				`Error: nothing was saved: "first" is there already; an item has no name; "xxx`, `xxx" is longer than 100 bytes`,
			},
			unchanged: true,
		},
		{args: []string{"add", "fifth", "fifth"}, code: 1, says: []string{`Error: add "fifth": `}, unchanged: true},
	}},
	"dryrun/basic": {records, []step{
		setup,
		{args: []string{"delete-obsolete", "--dry-run"}, stdout: "Would delete 7 records\n", unchanged: true},
		{
			args: []string{"delete-obsolete", "--dry-run", "-v", "2"}, unchanged: true,
			stdout: "  - 1 ledger 2016\n  - 2 ledger 2017\n  - 3 ledger 2018\n  - 4 ledger 2019\n  - 5 ledger 2020\nWould delete 7 records\n",
		},
		{args: []string{"delete-obsolete"}, stdout: "Deleted 7 records\n", rows: none},
		{args: []string{"delete-obsolete"}, stdout: "Deleted 0 records\n", unchanged: true},
	}},
	"dryrun/preview": {prices, []step{
		{args: []string{"setup"}, stdout: "Created 3 prices\n", rows: []string{"apple=100", "bread=250", "candle=400"}},
		{
			args: []string{"sync-prices", "--dry-run"}, unchanged: true,
			stdout: "Changes:\n  Creates: 1\n  Updates: 1\n  Deletes: 1\nWould change 3 prices\n",
		},
		{
			args: []string{"sync-prices"}, rows: []string{"apple=120", "bread=250", "dates=700"},
			stdout: "Changes:\n  Creates: 1\n  Updates: 1\n  Deletes: 1\nChanged 3 prices\n",
		},
		{
			args: []string{"sync-prices"}, unchanged: true,
			stdout: "Changes:\n  Creates: 0\n  Updates: 0\n  Deletes: 0\nChanged 0 prices\n",
		},
	}},
	"dryrun/rollback": {archive, []step{
		{args: []string{"setup"}, stdout: "Created 10 records\n", rows: none},
		{args: []string{"archive", "--dry-run"}, unchanged: true, stdout: `
Dry run on default (ADDRESS), rolled back:
  table                inserted       updated       deleted
  example_archive             7             0             0
  example_records             0             0             7
  After the commit 1 hook would run:
    1. tell the owners

Would insert 7 and delete 7 rows in 2 tables on default. Nothing was changed.
`},
		{args: []string{"archive"}, stdout: "Told the owners of 7 records\n", rows: obsolete},
		{args: []string{"archive"}, stdout: "Told the owners of 0 records\n", unchanged: true},
	}},
	"dryrun/confirm": {records, []step{
		setup,
		{args: []string{"delete-obsolete", "--dry-run"}, unchanged: true, says: []string{asks, "Would ask: Type \"yes\""}, stdout: `Would delete 7 records

Dry run on default (ADDRESS), rolled back:
  table                inserted       updated       deleted
  example_records             0             0             7

Would delete 7 rows in 1 table on default. Nothing was changed.
`},
		{args: []string{"delete-obsolete"}, code: 2, says: []string{"the input is not a terminal; add --no-input"}, unchanged: true},
		{args: []string{"delete-obsolete"}, terminal: "no\n", code: 4, says: []string{asks, "Cancelled. Nothing was changed."}, unchanged: true},
		{args: []string{"delete-obsolete"}, terminal: "\x04", code: 4, says: []string{asks, "Cancelled. Nothing was changed."}, unchanged: true},
		{args: []string{"delete-obsolete"}, terminal: "yes\n", says: []string{asks, "Deleted 7 records"}, rows: none},
		{args: []string{"setup"}, stdout: "Created 10 records\n", rows: obsolete},
		{
			args: []string{"delete-obsolete"}, terminal: "yes\n", code: 6,
			meanwhile: "INSERT INTO example_records (id, name, status) VALUES (11, 'ledger 2026', 'obsolete')",
			says:      []string{asks, "8 records are obsolete by now, 7 were confirmed; nothing was deleted"},
			rows:      append(slices.Clone(obsolete), "ledger 2026"),
		},
		{args: []string{"setup"}, stdout: "Created 10 records\n", rows: obsolete},
		{args: []string{"delete-obsolete", "--no-input"}, says: []string{asks}, stdout: "Deleted 7 records\n", rows: none},
		{args: []string{"delete-obsolete"}, says: []string{"Nothing to do: 0 obsolete records."}, unchanged: true},
	}},
}

func TestExamples(t *testing.T) {
	bin := build(t, slices.Collect(maps.Keys(examples))...)
	for _, dir := range slices.Sorted(maps.Keys(examples)) {
		t.Run(dir, func(t *testing.T) {
			program := filepath.Join(bin, filepath.Base(dir))
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				raw := d.RawDB(t)
				for _, s := range examples[dir].steps {
					t.Run(strings.TrimSpace(strings.Join(s.args, " ")+" "+strings.TrimSpace(s.terminal)), func(t *testing.T) {
						check(t, program, d, raw, s)
						if s.rows != nil {
							if diff := cmp.Diff(s.rows, texts(t, raw, examples[dir].query)); diff != "" {
								t.Errorf("rows (-want +got):\n%s", diff)
							}
						}
					})
				}
			})
			t.Run("without DATABASE_URL", func(t *testing.T) {
				cmd := exec.CommandContext(t.Context(), program, examples[dir].steps[0].args...)
				cmd.Dir, cmd.Env = t.TempDir(), []string{}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if _, err := os.Stat(filepath.Join(cmd.Dir, filepath.Base(dir)+".db")); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// check runs the step and compares everything but the rows.
func check(t *testing.T, program string, d testdb.Database, raw *sql.DB, s step) {
	t.Helper()
	var before string
	if s.unchanged {
		before = d.Dump(t)
	}
	cmd := exec.CommandContext(t.Context(), program, s.args...)
	cmd.Dir, cmd.Env = t.TempDir(), []string{"DATABASE_URL=" + d.URL, "NO_COLOR=1", "TERM=xterm"}
	var stdout, stderr string
	if s.terminal != "" {
		stderr = onTerminal(t, cmd, func() string {
			if s.meanwhile != "" {
				if _, err := raw.ExecContext(t.Context(), s.meanwhile); err != nil {
					t.Error(err)
				}
			}
			return s.terminal
		})
	} else {
		stdout, stderr = run(t, cmd)
	}
	if got := cmd.ProcessState.ExitCode(); got != s.code {
		t.Errorf("exit code %d, want %d", got, s.code)
	}
	stdout = sameEverywhere(stdout)
	if diff := cmp.Diff(s.stdout, stdout); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	for _, part := range s.says {
		if !strings.Contains(stderr, part) {
			t.Errorf("it does not say %q", part)
		}
	}
	if s.unchanged {
		if diff := cmp.Diff(before, d.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr or screen:\n%s", stdout, stderr)
	}
}

// run runs the program without a terminal.
func run(t *testing.T, cmd *exec.Cmd) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String()
}

// onTerminal runs the program on a terminal of its own, types the answer once it is asked, and returns the screen.
func onTerminal(t *testing.T, cmd *exec.Cmd, answer func() string) string {
	t.Helper()
	screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	var seen bytes.Buffer
	typed := false
	for chunk := make([]byte, 4096); ; {
		n, err := screen.Read(chunk)
		seen.Write(chunk[:n])
		if err != nil { // the end is EOF on some systems and an error on others
			break
		}
		if !typed && strings.Contains(seen.String(), "press Ctrl-C: ") {
			typed = true
			if _, err := screen.WriteString(answer()); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // the exit code is looked at by the caller
	return strings.ReplaceAll(seen.String(), "\r\n", "\n")
}

// sameEverywhere takes out of a dry run's preview what differs between databases: the address, and the notes on what the
// counts of this kind of database cannot see.
func sameEverywhere(out string) string {
	out = previewAddress.ReplaceAllString(out, "Dry run on default (ADDRESS)")
	return previewNote.ReplaceAllString(out, "")
}

var (
	previewAddress = regexp.MustCompile(`Dry run on default \(.*?\)`)
	previewNote    = regexp.MustCompile(`(?m)^  Note: .*\n`)
)

func texts(t *testing.T, raw *sql.DB, query string) []string {
	t.Helper()
	rows, err := raw.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := []string{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// build compiles the programs of some folders, and returns where they are.
func build(t *testing.T, dirs ...string) string {
	t.Helper()
	bin := t.TempDir()
	args := []string{"build", "-o", bin + string(filepath.Separator)}
	for _, dir := range dirs {
		args = append(args, "./"+dir)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// TestExamples_AreAllTested keeps an example from being added without a test and a line in README.md.
func TestExamples_AreAllTested(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	err = filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "main.go" {
			found = append(found, filepath.ToSlash(filepath.Dir(path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tested := append(slices.Sorted(maps.Keys(examples)), "demo")
	slices.Sort(tested)
	slices.Sort(found)
	if diff := cmp.Diff(tested, found); diff != "" {
		t.Errorf("programs (-tested +in the folder):\n%s", diff)
	}
	for _, dir := range found {
		if !strings.Contains(string(readme), "("+dir+"/main.go)") {
			t.Errorf("README.md does not link to %s", dir)
		}
	}
}
