//go:build unix

package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

// TestDocs_CronScript lets sh run the script of docs/how-to/run-unattended.md: it must be silent unless somebody must look.
func TestDocs_CronScript(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "how-to", "run-unattended.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 1 || !strings.Contains(blocks[0][1], "--window 01:00-05:00") {
		t.Fatalf("the page has %d scripts, or not the window of this test", len(blocks))
	}
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.exec(t, "CREATE TABLE sessions (id integer PRIMARY KEY, expired boolean NOT NULL)", "INSERT INTO sessions VALUES (1, true), (2, false), (3, true)")
	bin := t.TempDir()
	night := strings.Replace(blocks[0][1], "01:00-05:00", "11:00-14:00", 1) // the program's clock stands at 12:04
	for _, step := range []struct {
		name, before, script string
		code, rows           int
		says                 string // on both streams
	}{
		{"outside the window", "", blocks[0][1], 0, 3, ""},
		{"rows", "", night, 0, 1, ""},
		{"no rows", "", night, 0, 1, ""},
		{"a failure", "ALTER TABLE sessions RENAME COLUMN expired TO old", night, 2, 1, "Error: "},
	} {
		if step.before != "" {
			b.exec(t, step.before)
		}
		cmd := b.still(t)
		if _, err := os.Lstat(filepath.Join(bin, "drover")); err != nil {
			if err := os.Symlink(cmd.Path, filepath.Join(bin, "drover")); err != nil {
				t.Fatal(err)
			}
		}
		sh := exec.CommandContext(t.Context(), "sh", "-c", step.script)
		sh.Dir, sh.Env = cmd.Dir, append(cmd.Env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, _ := sh.CombinedOutput() // the exit code is looked at
		if code := sh.ProcessState.ExitCode(); code != step.code {
			t.Errorf("%s: exit code %d, want %d\n%s", step.name, code, step.code, out)
		}
		if text := string(out); step.says == "" && text != "" || !strings.Contains(text, step.says) || step.code != 0 && !strings.Contains(text, "purge ended with 2") {
			t.Errorf("%s: printed %q", step.name, text)
		}
		var rows int
		if err := b.raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions").Scan(&rows); err != nil || rows != step.rows {
			t.Errorf("%s: %d rows, want %d (%v)", step.name, rows, step.rows, err)
		}
	}
}
