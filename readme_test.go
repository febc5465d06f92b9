package drover_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/drover-dev/drover/db"
)

// TestREADME_ProgramRuns builds the program of the README and runs its dry run.
func TestREADME_ProgramRuns(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 1 {
		t.Fatalf("the README has %d Go programs, want 1", len(blocks))
	}
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "manage")
	if err := os.WriteFile(source, []byte(blocks[0][1]), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}

	url := "sqlite:" + filepath.Join(dir, "manage.db")
	conn, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	err = conn.Atomic(t.Context(), func(ctx context.Context) error {
		if err := conn.Exec(ctx, "CREATE TABLE account (id integer PRIMARY KEY, status text, closed boolean)"); err != nil {
			return err
		}
		return conn.Exec(ctx, "INSERT INTO account (status, closed) VALUES ('idle', false), ('idle', false), ('busy', false)")
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ option, want string }{
		{"--dry-run", "Would update 2 rows in 1 table on default. Nothing was changed."},
		{"--verbosity=1", "Updated 2 accounts"},
	} {
		cmd := exec.CommandContext(t.Context(), binary, "close-accounts", step.option)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), step.want) {
			t.Errorf("%s: %v\n%s", step.option, err, out)
		}
	}
}
