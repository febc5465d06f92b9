package drover_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs_Tutorial builds the program of the tutorial and runs its command lines one after the other. The lines of their output must come in
// the same order; "..." leaves some out, and ids, times and rates may be others.
func TestDocs_Tutorial(t *testing.T) {
	text := read(t, "docs/tutorial.md")
	programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(programs) != 1 {
		t.Fatalf("the tutorial has %d programs, want 1", len(programs))
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(programs[0][1]), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "shop"), source).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}

	blocks := regexp.MustCompile("(?s)```console\n\\$ (.*?)\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("the tutorial has no command lines")
	}
	for _, block := range blocks {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", block[1])
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", block[1], err, out)
		}
		got := strings.Split(masked(string(out)), "\n")
		for line := range strings.Lines(block[2]) {
			want := strings.TrimSpace(masked(line))
			if want == "..." || want == "" {
				continue
			}
			for len(got) > 0 && strings.TrimSpace(got[0]) != want {
				got = got[1:]
			}
			if len(got) == 0 {
				t.Fatalf("%s does not print %q:\n%s", block[1], want, out)
			}
		}
	}
}

// masked replaces what differs from run to run.
func masked(text string) string {
	for _, change := range [][2]string{
		{`\b01[0-9A-Z]{10}\b`, "RUN"},
		{`\b[0-9][0-9.,]*(ms|s)\b`, "TIME"},
		{`[0-9][0-9,]* +today.*|- +today.*`, "today"},
		{` +`, " "},
	} {
		text = regexp.MustCompile(change[0]).ReplaceAllString(text, change[1])
	}
	return text
}
