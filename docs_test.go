package drover_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	builtin "github.com/drover-dev/drover/command"
)

var (
	docLink = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	docCode = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`") // in which table.Of[Item](conn) is no link
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
)

// pages are all Markdown files of the repository.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hasHeading tells whether the page has the anchor, made of a heading as GitHub does.
func hasHeading(page, anchor string) bool {
	page = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(page, "")
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		name := docLink.ReplaceAllString(strings.ToLower(h[1]), "$1")
		name = regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(name, "")
		if strings.ReplaceAll(name, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestDocs_LinksLead follows every relative link of every page, up to the heading.
func TestDocs_LinksLead(t *testing.T) {
	for _, page := range pages(t) {
		for _, link := range docLink.FindAllStringSubmatch(docCode.ReplaceAllString(read(t, page), ""), -1) {
			target, anchor, _ := strings.Cut(link[2], "#")
			if strings.Contains(target, ":") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s, which is not there", page, link[2])
			} else if anchor != "" && !hasHeading(read(t, path), anchor) {
				t.Errorf("%s links to %s, which has no such heading", page, link[2])
			}
		}
	}
}

// commandLines are drover's command lines of a page, without "drover": in blocks of the kinds console and sh, and in code within text.
func commandLines(page string) []string {
	page = strings.ReplaceAll(page, "\\\n", " ")
	lines := all("`drover ([a-z][^`\n]*)`", regexp.MustCompile("(?s)```.*?```").ReplaceAllString(page, ""))
	for _, block := range all("(?s)```console\n(.*?)```", page) {
		lines = append(lines, all(`(?m)^ *\$ drover ([a-z].*)$`, block)...)
	}
	for _, block := range all("(?s)```sh\n(.*?)```", page) {
		lines = append(lines, all(`(?m)(?:^|[ (])drover ([a-z].*)$`, block)...)
	}
	return lines
}

// TestDocs_CommandLines looks up the commands and options of all command lines of all pages.
func TestDocs_CommandLines(t *testing.T) {
	app := drover.New("drover")
	app.AddBuiltin(builtin.All()...)
	help := map[string]string{}
	options := regexp.MustCompile(`--[a-z][a-z-]*`)
	quoted := regexp.MustCompile(`"[^"]*"|'[^']*'`)
	name := regexp.MustCompile(`^[a-z][a-z-]*$`)
	seen := 0
	for _, page := range pages(t) {
		for _, line := range commandLines(read(t, page)) {
			seen++
			line, _, _ = strings.Cut(quoted.ReplaceAllString(line, "VALUE"), " #")
			line, _, _ = strings.Cut(line, " -- ")
			words := strings.Fields(line)
			path := words[:1]
			if len(words) > 1 && (words[0] == "runs" || words[0] == "new" || words[0] == "help") && name.MatchString(words[1]) {
				path = words[:2]
			}
			key := strings.Join(path, " ")
			if help[key] == "" {
				out, err := app.Call(t.Context(), path[0], append(slices.Clone(path[1:]), "--help")...)
				if err != nil {
					t.Errorf("%s: drover %s: %v", page, key, err)
					continue
				}
				help[key] = out.Stdout
			}
			known := options.FindAllString(help[key], -1)
			for _, option := range options.FindAllString(line, -1) {
				if !slices.Contains(known, option) {
					t.Errorf("%s: drover %s has no option %s", page, key, option)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d command lines were found", seen)
	}
}

// patterns are the sections that docs/reference/api-map.md has an answer to, in their order.
var patterns = []string{
	"Transaction Basics", "Default Behavior", "Atomic Transactions", "Decorator Form", "Nested Transactions (Savepoints)",
	"Manual Transaction Control", "Rollback on Validation Errors",
	"Dry-Run Mode", "Basic Dry-Run Pattern", "Dry-Run with Detailed Preview", "Dry-Run with Transaction Rollback", "Interactive Confirmation",
	"Batch Processing", "Bulk Create", "Bulk Update", "Bulk Update with Individual Changes", "Batch Delete", "Transaction Per Batch",
	"Memory-Efficient Patterns", "Using iterator()", "Limiting Selected Fields", "values() and values_list()",
	"Chunked Processing with Explicit Memory Management", "Raw SQL for Large Operations", "Server-Side Cursors (PostgreSQL)",
	"Multi-Database Operations", "Specifying Database", "Cross-Database Operations", "Replication Lag Handling",
	"Advanced Patterns", "Progress Tracking Table", "Concurrent Processing with Database Locks", "Two-Phase Commit Pattern",
	"Idempotent Operations", "Deadlock Handling",
	"Best Practices", "Use transactions for data integrity", "Implement dry-run mode", "Batch operations", "Stream large querysets",
	"Handle rollbacks gracefully", "Track progress", "Test transaction behavior", "Consider database locks", "Monitor memory usage",
	"Make operations idempotent",
}

// TestDocs_APIMap checks every cell of the map: the names are exported, the programs and examples are run by the tests, the tests are where it says
// and skip nothing, and each name is used by the example or the test.
func TestDocs_APIMap(t *testing.T) {
	names := exported(t)
	var sections []string
	for line := range strings.Lines(read(t, apiMap)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| section ") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			t.Errorf("%d cells, want 4: %s", len(cells), line)
			continue
		}
		section := strings.TrimSpace(cells[0])
		sections = append(sections, section)

		var tested, shown string
		for _, test := range links(t, section, cells[3]) {
			code := function(t, test)
			tested += code
			if !strings.HasPrefix(test[1], "Test") || code == "" {
				t.Errorf("%s: %s has no test %s", section, test[2], test[1])
			}
		}
		for _, example := range links(t, section, cells[2]) {
			code := function(t, example)
			if dir, ok := strings.CutPrefix(example[2], "../../examples/"); ok && strings.HasSuffix(dir, "/main.go") {
				code = read(t, "examples/"+dir)
				run := strings.Contains(read(t, "examples/examples_test.go"), "\n\t\""+example[1]+"\": ") || strings.Contains(tested, `build(t, "`+example[1]+`")`)
				if dir != example[1]+"/main.go" || !run {
					t.Errorf("%s: the program %s is run by no test", section, example[1])
				}
			} else if !strings.HasPrefix(example[1], "Test") && (!strings.HasPrefix(example[1], "Example") || !strings.Contains(code, "// Output:")) {
				t.Errorf("%s: %s has no example %s that is run", section, example[2], example[1])
			}
			if code == "" {
				t.Errorf("%s: %s does not declare %s", section, example[2], example[1])
			}
			shown += code
		}
		found := regexp.MustCompile("`([a-z]+)\\.([A-Z][A-Za-z.]*)`").FindAllStringSubmatch(cells[1], -1)
		if len(found) == 0 {
			t.Errorf("%s: names nothing of drover", section)
		}
		for _, name := range found {
			if !names[name[1]][name[2]] {
				t.Errorf("%s: %s.%s is not exported", section, name[1], name[2])
			}
			if last := name[2][strings.LastIndex(name[2], ".")+1:]; !regexp.MustCompile(`\b` + last + `\b`).MatchString(shown + tested) {
				t.Errorf("%s: neither the example nor the test uses %s", section, last)
			}
		}
	}
	if diff := cmp.Diff(patterns, sections); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
}

const apiMap = "docs/reference/api-map.md"

// links are the links of a cell, of which there is one at least.
func links(t *testing.T, section, cell string) [][]string {
	t.Helper()
	found := docLink.FindAllStringSubmatch(cell, -1)
	if len(found) == 0 {
		t.Errorf("%s: a cell without a link: %s", section, cell)
	}
	return found
}

// function is the code of the function that the map links to, or empty; it is none where its file is built for some systems or purposes only.
func function(t *testing.T, link []string) string {
	t.Helper()
	text := read(t, filepath.Join(filepath.Dir(apiMap), link[2]))
	if strings.HasPrefix(text, "//go:build ") && !strings.HasPrefix(text, "//go:build unix\n") && !strings.HasPrefix(text, "//go:build linux\n") {
		return ""
	}
	_, code, found := strings.Cut(text, "\nfunc "+link[1]+"(")
	if !found {
		return ""
	}
	code, _, _ = strings.Cut(code, "\n}\n")
	return code
}

// exported are the names of each public package: Name, and Type.Name for methods and fields.
func exported(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	for pkg, dir := range map[string]string{"drover": ".", "db": "db", "table": "table", "batch": "batch", "drovertest": "drovertest"} {
		all[pkg] = declared(t, dir)
	}
	return all
}

// declared are the names that the files of a folder declare, but for tests.
func declared(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for file, text := range sources(t, dir) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d.Recv.List[0].Type) + "." + name
				}
				names[name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names[n.Name] = true
						}
					case *ast.TypeSpec:
						names[s.Name.Name] = true
						if fields, ok := s.Type.(*ast.StructType); ok {
							for _, field := range fields.Fields.List {
								for _, n := range field.Names {
									names[s.Name.Name+"."+n.Name] = true
								}
							}
						}
					}
				}
			}
		}
	}
	return names
}

func receiver(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// TestDocs_Names looks up what the pages call by package and name, in their prose and in their Go.
func TestDocs_Names(t *testing.T) {
	names := exported(t)
	spoken := regexp.MustCompile(`\b(drover|db|table|batch|drovertest)\.([A-Z][A-Za-z]*)`)
	for _, page := range pages(t) {
		if !strings.HasPrefix(page, "docs") && page != "README.md" {
			continue
		}
		for _, code := range docCode.FindAllString(read(t, page), -1) {
			for _, name := range spoken.FindAllStringSubmatch(code, -1) {
				if !names[name[1]][name[2]] {
					t.Errorf("%s: %s is not exported", page, name[0])
				}
			}
		}
	}
}

// TestDocs_GoIsGo parses the Go of all pages, each block as a file, as declarations or as statements; "…" stands for what is left out.
func TestDocs_GoIsGo(t *testing.T) {
	for _, page := range pages(t) {
		for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, page), -1) {
			code := strings.ReplaceAll(strings.ReplaceAll(block[1], ", …", ""), "…", "")
			var err error
			for _, form := range []string{"", "package p\n", "package p\nfunc _() {\n"} {
				text := form + code
				if strings.HasSuffix(form, "{\n") {
					text += "\n}"
				}
				if _, err = parser.ParseFile(token.NewFileSet(), page, text, parser.SkipObjectResolution); err == nil {
					break
				}
			}
			if err != nil {
				t.Errorf("%v\n%s", err, code)
			}
		}
	}
}
