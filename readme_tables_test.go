package drover_test

import (
	"regexp"
	"strings"
	"testing"
)

// measured are the rows of the README's table of speeds: what a row begins with, and the workload and the side of the line in docs/benchmarks.md.
var measured = []struct{ row, workload, side, run string }{
	{"an empty block, beside `BeginTx`", "empty block", "Atomic", ""},
	{"a job, ", "change of 200000 rows in batches of 1000", "job, all of it", "engine"},
	{"`import` of 1,000,000 rows, ", "import of 1000000 rows of CSV", "drover import", "import"},
	{"`export` of 1,000,000 rows, ", "export of 1000000 rows to CSV", "drover export", "export"},
	{"the deleting of a purge, ", "purge of 333333 of 1000000 rows", "purge, its deleting", "purge"},
}

// TestREADME_Speed looks each figure of the README's table up in docs/benchmarks.md.
func TestREADME_Speed(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "README.md"), "\n## Speed\n")
	section, _, _ = strings.Cut(section, "\n## ")
	benchmarks := read(t, "docs/benchmarks.md")
	rows := all(`(?m)^\| (.+ \| [0-9.]+ \| [0-9.]+ \| [0-9.]+ \| .*) \|$`, section)
	if len(rows) != len(measured) {
		t.Errorf("%d rows, want %d", len(rows), len(measured))
	}
	for _, row := range rows {
		found := false
		for _, m := range measured {
			if !strings.HasPrefix(row, m.row) {
				continue
			}
			found = true
			cells := strings.Split(row, " | ")
			for i, database := range []string{"postgres", "mariadb", "sqlite"} {
				line := regexp.MustCompile(`(?m)^\| ` + m.workload + ` \| ` + database + ` \| [^|]* \| ` + m.side + `: [^|]* \| \*\*([0-9.]+)\*\*`).FindStringSubmatch(benchmarks)
				if line == nil || cells[i+1] != line[1] {
					t.Errorf("%s: %s for %s, docs/benchmarks.md has %v", cells[0], cells[i+1], database, line)
				}
			}
			if run := "'^" + m.run + "$'"; m.run != "" && (!strings.Contains(cells[4], run) || !strings.Contains(benchmarks, run)) {
				t.Errorf("%s: the command is %s", cells[0], cells[4])
			}
		}
		if !found {
			t.Errorf("a row that nothing is known of: %s", row)
		}
	}
}

// TestREADME_Versions looks the oldest versions that the dialects are made for up in the README's table of databases, and on the page of doctor.
func TestREADME_Versions(t *testing.T) {
	seen := 0
	for _, kind := range []string{"postgres", "mysql", "sqlite"} {
		_, code, _ := strings.Cut(read(t, "internal/dialect/"+kind+"/settings.go"), ") Oldest(")
		code, _, _ = strings.Cut(code, "\n}")
		for _, version := range all(`return "\w+ ([0-9.]+)"`, code) {
			seen++
			for _, page := range []string{"README.md", "docs/reference/doctor.md"} {
				if !regexp.MustCompile(`(?m)^\|.*\b` + regexp.QuoteMeta(version) + `\b`).MatchString(read(t, page)) {
					t.Errorf("%s does not have %s, the oldest version of %s", page, version, kind)
				}
			}
		}
	}
	if seen != 4 {
		t.Errorf("%d oldest versions, want 4", seen)
	}
}
