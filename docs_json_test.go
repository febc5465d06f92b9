package drover_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// printing are the folders whose code prints JSON lines.
var printing = []string{".", "batch", "command", "internal/term"}

// sources are the Go files of a folder, but for tests.
func sources(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			texts[file] = read(t, file)
		}
	}
	return texts
}

// TestDocs_JSONFields compares the lists of fields on the page with the structs that are printed: those that have a type, and those that add to one.
func TestDocs_JSONFields(t *testing.T) {
	var printed []string
	for _, dir := range printing {
		bodies, documents := map[string]string{}, map[string]bool{"batch.Summary": true}
		for _, text := range sources(t, dir) {
			for _, s := range regexp.MustCompile(`(?s)\ntype (\w+) struct \{\n(.*?)\n\}`).FindAllStringSubmatch(text, -1) {
				bodies[s[1]] = s[2]
				if fields := all(`json:"([^",]+)`, s[2]); len(fields) > 0 && fields[0] == "type" {
					documents[s[1]] = true
				}
			}
		}
		for more := true; more; { // what embeds a document is one
			more = false
			for name, body := range bodies {
				if embedded := regexp.MustCompile(`^\t([\w.]+)\n`).FindStringSubmatch(body + "\n"); embedded != nil && documents[embedded[1]] && !documents[name] {
					documents[name], more = true, true
				}
			}
		}
		for name := range documents {
			if fields := all(`json:"([^",]+)`, bodies[name]); len(fields) > 0 {
				printed = append(printed, strings.Join(fields, " "))
			}
		}
	}
	var documented []string
	for _, list := range all("(?m)^(?:Fields: |Of .* also: |\\| .* \\| )(`[^|]*?)(?: \\|)?$", read(t, jsonPage)) {
		documented = append(documented, strings.Join(all("`([^`]+)`", list), " "))
	}
	slices.Sort(printed)
	slices.Sort(documented)
	if diff := cmp.Diff(slices.Compact(printed), slices.Compact(documented)); diff != "" {
		t.Errorf("fields (-printed +documented):\n%s", diff)
	}
}

const jsonPage = "docs/reference/json-events.md"

// jsonRow is a row of the page's table, with all the fields that it leads to.
type jsonRow struct {
	types      []string
	stream, of string
	fields     []string
}

func jsonRows(t *testing.T) []jsonRow {
	t.Helper()
	page := read(t, jsonPage)
	var rows []jsonRow
	for _, cells := range regexp.MustCompile(`(?m)^\| (.*) \| (stdout|stderr)(?:, last)? \| (.*) \| (.*) \|$`).FindAllStringSubmatch(page, -1) {
		row := jsonRow{types: all("`([^`]+)`", cells[1]), stream: cells[2], of: cells[3], fields: all("`([^`]+)`", cells[4])}
		for _, link := range docLink.FindAllStringSubmatch(cells[4], -1) {
			for _, heading := range all(`(?m)^## (.*)$`, page) {
				if hasHeading("# "+heading, strings.TrimPrefix(link[2], "#")) {
					_, section, _ := strings.Cut(page, "\n## "+heading+"\n")
					section, _, _ = strings.Cut(section, "\n## ")
					row.fields = append(row.fields, all("`([^`]+)`", section)...)
				}
			}
		}
		if slices.Contains(row.types, "summary") { // those of purge and backfill build on the general one
			_, section, _ := strings.Cut(page, "\n## summary\n")
			_, line, _ := strings.Cut(section, "Fields: ")
			line, _, _ = strings.Cut(line, "\n")
			row.fields = append(row.fields, all("`([^`]+)`", line)...)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestDocs_JSONTypes looks for every type that the code can print in the page's table.
func TestDocs_JSONTypes(t *testing.T) {
	known := map[string]bool{}
	for _, row := range jsonRows(t) {
		for _, kind := range row.types {
			known[kind] = true
		}
	}
	names := map[string]string{"started": "start", "resumed": "resume", "batch": "progress", "finished": "summary"} // where the line has another
	seen := map[string]bool{}
	for _, dir := range printing {
		for file, text := range sources(t, dir) {
			for _, before := range []string{`Type: `, `say\(`, `result\(`, `Document\{\s*`, `EventType = `} {
				for _, kind := range all(before+`"([a-z_]+)"`, text) {
					if other, ok := names[kind]; ok && before == `EventType = ` {
						kind = other
					}
					seen[kind] = true
					if !known[kind] {
						t.Errorf("%s prints the type %s, which the page does not have", file, kind)
					}
				}
			}
		}
	}
	for kind := range known {
		if !seen[kind] {
			t.Errorf("the page has the type %s, which nothing prints", kind)
		}
	}
}

// TestDocs_JSONOfRuns finds every line that real runs have printed (TestJSON_Contract) in the page's table, with its stream, command and fields.
func TestDocs_JSONOfRuns(t *testing.T) {
	rows := jsonRows(t)
	lines := regexp.MustCompile(`(?m)^(\w+)(?: of (.*))? \((\w+)\)\n +(.*)$`).FindAllStringSubmatch(read(t, "command/testdata/json_contract.golden"), -1)
	if len(lines) < 40 {
		t.Fatalf("only %d kinds of lines", len(lines))
	}
	for _, line := range lines {
		kind, command, stream, fields := line[1], line[2], line[3], strings.Fields(line[4])
		missing := fields
		for _, row := range rows {
			switch {
			case !slices.Contains(row.types, kind), row.stream != stream:
			case kind == "plan" && !strings.Contains(row.of, "`"+command+"`"), kind == "summary" && !strings.Contains(row.of, "`"+command+"`"):
			case strings.HasPrefix(command, "runs ") && !strings.Contains(row.of, "`"+command+"`"):
			default:
				missing = slices.DeleteFunc(slices.Clone(missing), func(field string) bool { return field == "run_id" || slices.Contains(row.fields, field) })
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s of %q on %s: the page does not have %v", kind, command, stream, missing)
		}
	}
}
