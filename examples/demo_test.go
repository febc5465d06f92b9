package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestDemo runs the demo as "make demo" does. It checks its own work with SQL and fails if anything is wrong with that; what
// is looked at here is that the transcript shows the whole story, and that nothing is left behind.
func TestDemo(t *testing.T) {
	program := filepath.Join(build(t, "demo"), "demo")
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "DATABASE_URL=postgres://nobody@127.0.0.1:1/not-this-one")
	out, err := cmd.CombinedOutput()
	transcript := string(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, transcript)
	}

	const purge = `\$ drover purge --table events --where "created_at < '\d{4}-\d\d-\d\d'"`
	const again = purge + ` --batch-size \d+ --no-input\n`
	story := []string{
		purge + ` --dry-run\n`,
		`Would delete [\d,]+ rows in [\d,]+ batches from default`,
		again,
		`Stopping: finishing batch`,
		`STOPPED .*by SIGINT.* rows deleted`,
		`Resume: +drover purge --table events`,
		`\(exit code 130\)\n`,
		again,
		`\nDeleted [\d,]+ rows in [\d,]+ batches from default`,
		again,
		`Nothing to delete`,
		`Checked with SQL: all [\d,]+ events before .* are gone`,
	}
	rest := transcript
	for _, part := range story {
		at := regexp.MustCompile(part).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("the transcript does not go on with %q:\n%s", part, transcript)
		}
		rest = rest[at[1]:]
	}
	// What the stopped purge says it has deleted is what is missing.
	numbers := regexp.MustCompile(`STOPPED .* ([\d,]+) of ([\d,]+) rows deleted[\s\S]* ([\d,]+) old events are left`).FindStringSubmatch(transcript)
	if numbers == nil {
		t.Fatalf("the transcript does not say how much was deleted and left:\n%s", transcript)
	}
	if deleted, all, remaining := number(t, numbers[1]), number(t, numbers[2]), number(t, numbers[3]); deleted+remaining != all {
		t.Errorf("%d of %d deleted, but %d left", deleted, all, remaining)
	}
	for line := range strings.Lines(transcript) {
		drovers := strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "Resume:") // a line of its plan or summary, or one to be copied whole
		if width := len([]rune(strings.TrimSuffix(line, "\n"))); width > 100 && !drovers && !strings.Contains(line, temp) {
			t.Errorf("%d columns: %s", width, line)
		}
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// number reads a number with thousands separators.
func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
