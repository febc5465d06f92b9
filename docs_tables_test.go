package drover_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
)

// TestDocs_ControlTables compares the tables and columns of the page with the migrations of each kind of database.
func TestDocs_ControlTables(t *testing.T) {
	var documented []string
	table := ""
	for line := range strings.Lines(read(t, "docs/reference/control-tables.md")) {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			table = strings.TrimSpace(name)
		}
		if column := regexp.MustCompile("^\\| `([a-z_]+)` \\| [^|]+\\| [^|]+ \\|").FindStringSubmatch(line); column != nil && strings.HasPrefix(table, "drover_") {
			documented = append(documented, table+"."+column[1])
		}
	}
	definition := regexp.MustCompile(`(?s)CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)\n\)`)
	column := regexp.MustCompile(`(?m)^ +([a-z_]+) `)
	for _, kind := range []string{"postgres", "mysql", "sqlite"} {
		files, err := filepath.Glob("internal/runstore/migrations/" + kind + "/*.sql")
		if err != nil {
			t.Fatal(err)
		}
		decisions, err := filepath.Glob("internal/dialect/" + kind + "/twophase.go")
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(slices.Clone(documented), func(column string) bool { return len(decisions) == 0 && strings.HasPrefix(column, "drover_decisions.") })
		files = append(files, decisions...)
		var made []string
		for _, file := range files {
			if alter := regexp.MustCompile(`ALTER TABLE`).FindString(read(t, file)); alter != "" {
				t.Errorf("%s: this test does not read ALTER TABLE yet", file)
			}
			for _, d := range definition.FindAllStringSubmatch(read(t, file), -1) {
				for _, c := range column.FindAllStringSubmatch(d[2], -1) {
					made = append(made, d[1]+"."+c[1])
				}
			}
		}
		if diff := cmp.Diff(made, want); diff != "" {
			t.Errorf("columns (-%s +documented):\n%s", kind, diff)
		}
	}
}

// all are the texts that the pattern's group has found.
func all(pattern, text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// TestDocs_ExitCodes compares the table of exit codes with the constants of package drover, and its meanings with what the program says of them.
func TestDocs_ExitCodes(t *testing.T) {
	codes := exitCodes(t, "docs/reference/exit-codes.md")
	declared := all(`(?m)^\tExit[A-Z][A-Za-z]+ += ([0-9]+)`, read(t, "errors.go"))
	if len(codes) != len(declared) {
		t.Errorf("%d codes, want %d", len(codes), len(declared))
	}
	for _, code := range declared {
		if codes[code] == "" {
			t.Errorf("no code %s", code)
		}
	}
	if diff := cmp.Diff(exitCodes(t, "docs/cli/drover.md"), codes); diff != "" {
		t.Errorf("meanings (-program +documented):\n%s", diff)
	}
}

// exitCodes are the meanings in a page's table, in small letters, without the marks of code and the full stop.
func exitCodes(t *testing.T, page string) map[string]string {
	t.Helper()
	codes := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9]+) \| (.*) \|$`).FindAllStringSubmatch(read(t, page), -1) {
		codes[row[1]] = strings.ToLower(strings.TrimSuffix(strings.ReplaceAll(row[2], "`", ""), "."))
	}
	return codes
}

// TestDocs_JobOptions compares the table of a job's options with the options that purge and backfill share, and what the page says that the other commands leave out.
func TestDocs_JobOptions(t *testing.T) {
	own := func(page, cells string) []string {
		_, section, _ := strings.Cut(read(t, page), "\n## Options\n")
		section, _, _ = strings.Cut(section, "\n## ")
		var found []string
		for _, cell := range all(cells, section) {
			found = append(found, all(`(--[a-z][a-z-]*)`, cell)...)
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	of := func(command string) []string { return own("docs/cli/drover-"+command+".md", "(?m)^\\| `([^`]*)`") }
	backfill := of("backfill")
	shared := slices.DeleteFunc(of("purge"), func(option string) bool {
		return !slices.Contains(backfill, option) || option == "--table" || option == "--where"
	})
	const page = "docs/reference/jobs.md"
	if diff := cmp.Diff(shared, own(page, "(?m)^\\| ([^|]*) \\|")); diff != "" {
		t.Errorf("options (-program +documented):\n%s", diff)
	}
	for _, command := range []string{"copy", "import"} {
		options := of(command)
		left := slices.DeleteFunc(slices.Clone(shared), func(option string) bool { return slices.Contains(options, option) })
		if text := "of `" + command + "` `" + strings.Join(left, "`, `") + "`"; !strings.Contains(read(t, page), text) {
			t.Errorf("the page does not say %q", text)
		}
	}
}

// TestDocs_Configuration loads the file on the page, beside a variable of the page, and looks for every key and level that the code takes.
func TestDocs_Configuration(t *testing.T) {
	page := read(t, "docs/reference/configuration.md")
	blocks := all("(?s)```toml\n(.*?)```", page)
	if len(blocks) != 1 {
		t.Fatalf("%d files on the page, want 1", len(blocks))
	}
	file := filepath.Join(t.TempDir(), "drover.toml")
	if err := os.WriteFile(file, []byte(blocks[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	registry, err := db.LoadConfig(db.ConfigOptions{File: file, Environ: []string{"DATABASE_URL_ARCHIVE=sqlite::memory:"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"archive", "default", "reports"}, registry.Aliases()); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
	for _, key := range all(`toml:"(\w+)"`, read(t, "db/config.go")) {
		if !regexp.MustCompile(`(?m)^\[?` + key + `\b`).MatchString(blocks[0]) {
			t.Errorf("the file on the page has no %s", key)
		}
	}
	for _, level := range []sql.IsolationLevel{sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable} {
		if name := strings.ToLower(level.String()); !strings.Contains(page, "`"+name+"`") {
			t.Errorf("the page does not have the level %s", name)
		}
	}
}
