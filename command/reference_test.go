package command_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReference_IsWhatTheProgramPrints fails when a command was changed and docs/cli was not made anew.
func TestReference_IsWhatTheProgramPrints(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "drover")
	goTool(t, "..", []string{"GOFLAGS="}, "build", "-o", program, "./cmd/drover")
	pages := filepath.Join(dir, "pages")
	if err := os.Mkdir(pages, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "man", "--markdown", "--dir", pages).CombinedOutput(); err != nil {
		t.Fatalf("man: %v\n%s", err, out)
	}
	if diff := cmp.Diff(readFolder(t, filepath.Join("..", "docs", "cli")), readFolder(t, pages)); diff != "" {
		t.Errorf("docs/cli is out of date, run make docs (-docs/cli +program):\n%s", diff)
	}
}

// TestReference_ManualPages lets man format every page, and complain.
func TestReference_ManualPages(t *testing.T) {
	dir := t.TempDir()
	if _, err := newApp().Call(t.Context(), "man", "--dir", dir); err != nil {
		t.Fatal(err)
	}
	pages := readFolder(t, dir)
	if len(pages) < 10 {
		t.Fatalf("only %d pages", len(pages))
	}
	for name := range pages {
		cmd := exec.CommandContext(t.Context(), "man", "--warnings", "-l", filepath.Join(dir, name))
		cmd.Env = append(os.Environ(), "MANPAGER=cat", "LC_ALL=C.UTF-8", "MANWIDTH=100")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil || stderr.Len() > 0 || !strings.Contains(stdout.String(), "EXIT STATUS") {
			t.Errorf("%s: %v\n%s", name, err, stderr.String())
		}
	}
}

func readFolder(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}
