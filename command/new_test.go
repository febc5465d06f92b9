package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
)

func callNew(t *testing.T, args ...string) *drover.Result {
	t.Helper()
	result, err := newApp().CallWith(t.Context(), drover.CallOptions{Environ: []string{}}, "new command", args...)
	if err != nil {
		t.Fatalf("new command %v: %v", args, err)
	}
	return result
}

// TestNew_CommandsCompilePassAndRun builds, vets and tests what is written: a program, a second command of it, and one in a package. The program then
// works on every database.
func TestNew_CommandsCompilePassAndRun(t *testing.T) {
	dir := module(t)
	jobs := filepath.Join(dir, "jobs")
	if err := os.Mkdir(jobs, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(jobs, "doc.go"), "// Package jobs has the commands.\npackage jobs\n")
	for _, tt := range []struct{ dir, name, says string }{
		{dir, "close-accounts", "func main in " + filepath.Join(dir, "close_accounts.go")},
		{dir, "archive2", "app.Add(archive2())"},
		{jobs, "close-old-items", "app.Add(jobs.CloseOldItems())"},
		{dir, "context", "app.Add(contextCommand())"},
		{dir, "testing", "app.Add(testingCommand())"},
		{dir, "pflag", "app.Add(pflagCommand())"}, // imported
		{dir, "app", "app.Add(appCommand())"},
		{dir, "drovertest", "app.Add(drovertestCommand())"},
		{jobs, "status", "app.Add(jobs.Status())"},
	} {
		if said := callNew(t, tt.name, "--dir", tt.dir).Stderr; !strings.Contains(said, tt.says) {
			t.Errorf("%s says %q", tt.name, said)
		}
	}
	for _, name := range []string{"close_accounts.go", "close_accounts_test.go"} {
		golden(t, "new."+name, readFile(t, dir, name))
	}
	if got := goTool(t, dir, nil, "vet", "./..."); got != "" {
		t.Errorf("go vet says\n%s", got)
	}
	if got, err := exec.CommandContext(t.Context(), "gofmt", "-l", dir).CombinedOutput(); err != nil || len(got) > 0 {
		t.Errorf("gofmt: %v\n%s", err, got)
	}
	passed := goTool(t, dir, nil, "test", "-v", "./...")
	for _, name := range []string{"TestCloseAccounts", "TestArchive2", "TestCloseOldItems"} {
		if !strings.Contains(passed, "--- PASS: "+name) {
			t.Errorf("%s has not run:\n%s", name, passed)
		}
	}
	program := filepath.Join(dir, "manage")
	goTool(t, dir, nil, "build", "-o", program, ".")
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, status varchar(10) NOT NULL)", "INSERT INTO item VALUES (1, 'idle'), (2, 'open'), (3, 'idle')")
		for _, step := range []struct {
			option, says string
			closed       int
		}{{"--dry-run", "Would update 2 items", 0}, {"--no-input", "Updated 2 items", 2}} {
			cmd := exec.CommandContext(t.Context(), program, "close-accounts", step.option)
			cmd.Env = append(os.Environ(), "DATABASE_URL="+b.URL)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), step.says) {
				t.Errorf("%s: %v\n%s", step.option, err, out)
			}
			b.wantCount(t, "SELECT count(*) FROM item WHERE status = 'closed'", step.closed)
		}
	})
}

func TestNew_DryRunWritesNothing(t *testing.T) {
	dir := t.TempDir()
	out := callNew(t, "close-accounts", "--dir", dir, "--dry-run").Stdout
	if !strings.Contains(out, `Name:    "close-accounts"`) || !strings.HasSuffix(out, "Would create "+filepath.Join(dir, "close_accounts.go")+" and "+filepath.Join(dir, "close_accounts_test.go")+"\n") {
		t.Errorf("got %s", out)
	}
	if found := filesIn(t, dir); len(found) > 0 {
		t.Errorf("there is %v", found)
	}
}

func TestNew_JSON(t *testing.T) {
	dir := t.TempDir()
	var d struct {
		Type, Command, Package, Function string
		DryRun                           bool `json:"dry_run"`
		Files                            []struct{ Path, Content string }
	}
	if err := json.Unmarshal([]byte(callNew(t, "close-accounts", "--dir", dir, "--json").Stdout), &d); err != nil {
		t.Fatal(err)
	}
	if d.Type != "new_command" || d.Command != "close-accounts" || d.Package != "main" || d.Function != "closeAccounts" || d.DryRun || len(d.Files) != 2 {
		t.Errorf("got %+v", d)
	}
	for _, f := range d.Files {
		if diff := cmp.Diff(f.Content, readFile(t, f.Path)); diff != "" {
			t.Errorf("%s (-said +written):\n%s", f.Path, diff)
		}
	}
}

func TestNew_Refusals(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"taken/close_accounts_test.go": "package taken\n", "name/other.go": "package name\n\nvar CloseAccounts = 1\n", "two/a.go": "package a\n", "two/b.go": "package b\n",
		"broken/a.go": "package broken\n\nfunc {\n", "file": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), text)
	}
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	before := files()
	var all strings.Builder
	for _, tt := range []refusal{
		{"no name", nil, drover.ExitUsage},
		{"capitals", []string{"CloseAccounts"}, drover.ExitUsage},
		{"path", []string{"../close"}, drover.ExitUsage},
		{"keyword", []string{"func"}, drover.ExitUsage},
		{"built-in function", []string{"delete"}, drover.ExitUsage},
		{"system", []string{"close-windows"}, drover.ExitUsage},
		{"test", []string{"close-test"}, drover.ExitUsage},
		{"command", []string{"purge"}, drover.ExitUsage},
		{"file", []string{"close-accounts", "--dir", dir + "/taken"}, drover.ExitUsage},
		{"function", []string{"close-accounts", "--dir", dir + "/name"}, drover.ExitUsage},
		{"no folder", []string{"close-accounts", "--dir", dir + "/none"}, drover.ExitUsage},
		{"not a folder", []string{"close-accounts", "--dir", dir + "/file"}, drover.ExitUsage},
		{"two packages", []string{"close-accounts", "--dir", dir + "/two"}, drover.ExitFailed},
		{"syntax", []string{"close-accounts", "--dir", dir + "/broken"}, drover.ExitFailed},
		{"function, JSON", []string{"close-accounts", "--dir", dir + "/name", "--json"}, drover.ExitUsage},
	} {
		var stdout, stderr bytes.Buffer
		code := newApp().Run(t.Context(), drover.Env{Args: append([]string{"new", "command"}, tt.args...), Stdout: &stdout, Stderr: &stderr})
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.name, code, tt.code)
		}
		fmt.Fprintf(&all, "== %s (exit %d)\n%s%s", tt.name, code, &stdout, moments.ReplaceAllString(strings.ReplaceAll(stderr.String(), dir, "DIR"), "MOMENT"))
	}
	golden(t, "refusals.new", all.String())
	if diff := cmp.Diff(before, files()); diff != "" {
		t.Errorf("files were written (-before +after):\n%s", diff)
	}
}
