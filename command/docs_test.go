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

// alike takes out of a line what differs from table to table and from run to run.
func alike(line string) string {
	for _, change := range [][2]string{
		{`\b01[0-9A-HJKMNP-TV-Z]{10}\b`, "RUN"},
		{`\S+@\S+|\S*127\.0\.0\.1\S*`, "ADDRESS"},
		{` \(estimate\)|\[[#.]+\]`, ""},
		{`\d[\d,.]*( [kM]B\b)?`, "N"},
		{`\s+`, " "},
	} {
		line = regexp.MustCompile(change[0]).ReplaceAllString(line, change[1])
	}
	return strings.TrimSpace(line)
}

// TestREADME_Transcript does what the README begins with, on a terminal: the purge is asked for, begins, and is stopped by Ctrl-C. Each line of the README
// is on the screen, in its order, with other numbers.
func TestREADME_Transcript(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```console\n\\$ drover (.*?)\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("the README has no transcript")
	}
	var args []string
	for _, arg := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(string(block[1]), -1) {
		args = append(args, arg[1]+arg[2])
	}
	b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	b.exec(t,
		"CREATE TABLE events (id bigint PRIMARY KEY, created_at timestamptz NOT NULL, user_id bigint NOT NULL, kind text NOT NULL)",
		"CREATE TABLE event_tags (event_id bigint PRIMARY KEY REFERENCES events ON DELETE CASCADE)",
		"INSERT INTO events SELECT i, timestamptz '2025-10-18 00:00:53Z' + i * interval '3 minutes', i, 'click' FROM generate_series(1, 200000) i",
		"INSERT INTO event_tags SELECT i FROM generate_series(2, 200000, 2) i",
		"ANALYZE",
	)
	on := b.onTerminal(t, 140, args...)
	on.WaitFor(t, "press Ctrl-C:")
	on.Type(t, "events\n")
	on.WaitFor(t, "rows   batch ")
	on.Type(t, "\x03")
	if code := on.Wait(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	rows := on.Rows(func(text string) string { return text })
	screen := rows
	for line := range strings.Lines(string(block[2])) {
		want := alike(line)
		if want == "" || want == "…" || want == "^C" {
			continue
		}
		for len(rows) > 0 && alike(strings.TrimSuffix(rows[0], "↩")) != want {
			rows = rows[1:]
		}
		if len(rows) == 0 {
			t.Fatalf("the screen does not have the line, or not behind those before it: %s\n%s", line, strings.Join(screen, "\n"))
		}
	}
}
