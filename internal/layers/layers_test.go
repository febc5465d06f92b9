// Package layers holds the test that keeps data flowing one way: command → run → batch → table → db → driver.
package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/drover-dev/drover"

// allowed lists, for every package of the module, the packages of the module that it may import. A package that is not
// listed fails the test: a new room is given its place here.
var allowed = map[string][]string{
	"internal/sqltext":           {},
	"internal/dialect":           {"internal/sqltext"},
	"internal/dialect/postgres":  {"internal/dialect", "internal/sqltext"},
	"internal/dialect/stmtcache": {"internal/sqltext"},
	"internal/dialect/mysql":     {"internal/dialect", "internal/dialect/stmtcache", "internal/sqltext"},
	"internal/dialect/sqlite":    {"internal/dialect", "internal/dialect/stmtcache", "internal/sqltext"},
	"internal/bound":             {},
	"internal/keyset":            {"internal/dialect"},
	"internal/mapping":           {"internal/suggest"},
	"internal/model":             {"internal/dialect"},
	"internal/person":            {},
	"internal/scaffold":          {},
	"internal/pgbinary":          {},
	"internal/cell":              {"internal/pgbinary"},
	"internal/datafile":          {"internal/dialect"},
	"db": {
		"internal/bound", "internal/dialect", "internal/dialect/mysql", "internal/dialect/postgres",
		"internal/dialect/sqlite", "internal/person", "internal/sqltext",
	},
	"table": {
		"db", "internal/cell", "internal/dialect", "internal/keyset", "internal/mapping", "internal/pgbinary",
		"internal/sqltext", "internal/suggest",
	},
	"internal/rowfile":  {"db", "internal/datafile", "internal/dialect", "internal/keyset", "internal/sqltext"},
	"internal/pace":     {},
	"internal/planfile": {"internal/term"},
	"internal/rowimage": {"db", "internal/dialect", "internal/keyset", "internal/sqltext"},
	"internal/runstore": {"db", "internal/dialect", "internal/keyset", "internal/sqltext"},
	"internal/rowload":  {"db", "internal/datafile", "internal/dialect", "internal/keyset", "internal/sqltext", "internal/transfer"},
	"internal/transfer": {"db", "internal/dialect", "internal/keyset", "internal/rowimage"},
	"batch": {
		"", "db", "internal/datafile", "internal/dialect", "internal/keyset", "internal/pace", "internal/person", "internal/planfile", "internal/rowimage", "internal/runstore", "internal/suggest",
		"internal/term", "table",
	},
	"internal/suggest": {},
	"internal/term":    {},
	"":                 {"db", "internal/suggest", "internal/term"},
	"command": {
		"", "batch", "db", "internal/datafile", "internal/dialect", "internal/keyset", "internal/model", "internal/person", "internal/rowfile", "internal/rowimage", "internal/rowload", "internal/runstore",
		"internal/scaffold", "internal/sqltext", "internal/suggest", "internal/term", "internal/transfer",
	},
	"drovertest":          {"", "batch", "db", "internal/dialect", "internal/keyset"},
	"cmd/drover":          {"", "command"},
	"internal/testdb":     {},
	"internal/testscreen": {},
	"internal/layers":     {},
}

// users may import only what users of the module can.
var users = []string{"", "batch", "db", "table"}

func TestLayers_ImportsGoDownOnly(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		may, listed := allowed[name]
		if name == "examples" || strings.HasPrefix(name, "examples/") {
			may, listed = users, true
		}
		if !listed {
			t.Errorf("package %q has no place in the layers: add it to the table", name)
			continue
		}
		for _, imported := range p.Imports {
			rest, own := strings.CutPrefix(imported, module)
			rest = strings.TrimPrefix(rest, "/")
			if own && !slices.Contains(may, rest) {
				t.Errorf("package %q imports %q, which stands above it or beside it", name, rest)
			}
		}
	}
}

// TestLayers_DriversStayBelowTheDialects keeps what differs between databases in one place.
func TestLayers_DriversStayBelowTheDialects(t *testing.T) {
	drivers := []string{"github.com/go-sql-driver/mysql", "modernc.org/sqlite", "github.com/lib/pq"}
	for _, p := range list(t) {
		if strings.Contains(p.ImportPath, "/internal/dialect/") || strings.HasSuffix(p.ImportPath, "/internal/testdb") ||
			strings.Contains(p.ImportPath, "/examples/") {
			continue
		}
		for _, d := range drivers {
			if slices.Contains(p.Imports, d) {
				t.Errorf("package %q imports the driver %q: that is for internal/dialect", p.ImportPath, d)
			}
		}
	}
}

type pkg struct {
	ImportPath string
	Imports    []string // of the package itself, without its tests
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
