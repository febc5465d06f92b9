package command_test

import (
	"bufio"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

// TestPurge_MillionRows is the main job on real input: a third of a table of 1,000,000 rows is purged by the real program, on
// PostgreSQL while pgbench's clients work on the same table.
func TestPurge_MillionRows(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "drover")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/drover").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	purge := func(t *testing.T, url string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, "purge", "--table", "pgbench_accounts", "--where", "aid % 3 = 0", "--no-input")
		cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Deleted 333,333 rows") {
			t.Errorf("purge: %v\n%s", err, out)
		}
	}
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		raw := d.RawDB(t)
		switch d.Name {
		case "postgres":
			run(t, "pgbench", "-i", "-s", "10", "-q", d.URL)
			under := startPgbench(t, d.URL)
			purge(t, d.URL)
			if out := under(); !strings.Contains(out, "number of failed transactions: 0 ") {
				t.Errorf("pgbench had failures:\n%s", out)
			}
		case "mariadb":
			execRaw(t, raw, `CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))`)
			execRaw(t, raw, `INSERT INTO pgbench_accounts SELECT seq, 1, 0, '' FROM seq_1_to_1000000`)
			purge(t, d.URL)
		case "sqlite":
			execRaw(t, raw, `CREATE TABLE pgbench_accounts (aid integer PRIMARY KEY, bid int, abalance int, filler char(84))`)
			execRaw(t, raw, `WITH RECURSIVE seq (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < 1000000)
				INSERT INTO pgbench_accounts SELECT n, 1, 0, '' FROM seq`)
			purge(t, d.URL)
		}
		var rows, wrong int
		row := raw.QueryRowContext(t.Context(), `SELECT count(*), count(CASE WHEN aid % 3 = 0 THEN 1 END) FROM pgbench_accounts`)
		if err := row.Scan(&rows, &wrong); err != nil {
			t.Fatal(err)
		}
		if rows != 666667 || wrong != 0 {
			t.Errorf("%d rows are left, %d of them should be gone; want 666,667 and none", rows, wrong)
		}
	})
}

// startPgbench starts four clients, waits until they work, and returns the function that waits for their end and gives
// their report.
func startPgbench(t *testing.T, url string) func() string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "pgbench", "-c", "4", "-T", "10", "-P", "1", "-n", url)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	cmd.Stdout = &report
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	progress := bufio.NewScanner(stderr)
	for progress.Scan() && !strings.HasPrefix(progress.Text(), "progress:") {
		report.WriteString(progress.Text() + "\n")
	}
	return func() string {
		for progress.Scan() {
			if line := progress.Text(); !strings.HasPrefix(line, "progress:") {
				report.WriteString(line + "\n")
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("pgbench: %v", err)
		}
		return report.String()
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func execRaw(t *testing.T, raw *sql.DB, query string) {
	t.Helper()
	if _, err := raw.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}
