package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestPurge_DeletesExactlyTheMatchingRows(t *testing.T) {
	tests := []struct {
		name, create, insert string // insert is one row, of the number i
		where                string
		keep                 func(i int) bool
	}{
		{
			"number", `CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, n integer)`, `(%[1]d, %[1]d)`,
			"n % 3 = 0", func(i int) bool { return i%3 != 0 },
		},
		{
			"sparse numbers", `CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, n integer)`, `(%[1]d * 1000003, %[1]d)`,
			"n < 20 OR n > 280", func(i int) bool { return i >= 20 && i <= 280 },
		},
		{
			"text", `CREATE TABLE t (id varchar(20) NOT NULL PRIMARY KEY, n integer)`, `('k%[1]d', %[1]d)`,
			"n % 2 = 0", func(i int) bool { return i%2 != 0 },
		},
		{
			"composite", `CREATE TABLE t (a integer NOT NULL, b varchar(20) NOT NULL, n integer, PRIMARY KEY (b, a))`,
			`(%[1]d %% 7, 'k%[1]d', %[1]d)`, "n % 3 = 0", func(i int) bool { return i%3 != 0 },
		},
		{
			"time and number", `CREATE TABLE t (at timestamp NOT NULL, id integer NOT NULL, n integer, PRIMARY KEY (at, id))`,
			`('2026-01-01 00:00:%02[2]d', %[1]d, %[1]d)`, "n % 3 = 0", func(i int) bool { return i%3 != 0 },
		},
		{
			"unique key", `CREATE TABLE t (id integer NOT NULL UNIQUE, n integer)`, `(-%[1]d, %[1]d)`,
			"n % 3 = 0", func(i int) bool { return i%3 != 0 },
		},
	}
	const rows = 300
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.exec(t, tt.create)
				b.fill(t, "t", rows, func(i int) string {
					row := fmt.Sprintf(tt.insert, i, i%60)
					if cut := strings.Index(row, "%!(EXTRA"); cut >= 0 {
						row = row[:cut]
					}
					return row
				})
				res := b.mustCall(t, "--table", "t", "--where", tt.where, "--no-input", "--batch-size", "7")
				var want []int
				for i := 1; i <= rows; i++ {
					if tt.keep(i) {
						want = append(want, i)
					}
				}
				var got []int
				found, err := b.raw.QueryContext(t.Context(), "SELECT n FROM t ORDER BY n")
				if err != nil {
					t.Fatal(err)
				}
				defer found.Close()
				for found.Next() {
					var n int
					if err := found.Scan(&n); err != nil {
						t.Fatal(err)
					}
					got = append(got, n)
				}
				if err := found.Err(); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("rows left (-want +got):\n%s", diff)
				}
				deleted := rows - len(want)
				sentence := fmt.Sprintf("Deleted %d rows in %d batches from default.\n", deleted, (deleted+6)/7)
				if res.Stdout != sentence {
					t.Errorf("stdout is %q, want %q", res.Stdout, sentence)
				}
			})
		})
	}
}

// TestPurge_DryRun proves that a dry run changes nothing, and that it says what the run then does.
func TestPurge_DryRun(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 2000)
		var plan *drover.Result
		b.unchanged(t, func() {
			plan = b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--dry-run", "--batch-size", "100")
		})
		golden(t, "dry_run."+b.Name, b.stable(plan.Stdout))
		const would = "Would delete 666 rows in 7 batches from default.\n"
		if !strings.HasSuffix(plan.Stdout, would) {
			t.Errorf("the plan does not end with %q", would)
		}
		done := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "100")
		if want := "Deleted" + strings.TrimPrefix(would, "Would delete"); done.Stdout != want {
			t.Errorf("the run says %q, want %q", done.Stdout, want)
		}
		golden(t, "run."+b.Name, b.stable(done.Stderr))
		b.wantCount(t, "SELECT count(*) FROM events", 1334)
	})
}

// moments are times as JSON has them.
var moments = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`)

var unstable = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`(postgres|mariadb|sqlite) [\d.]+`), "$1 VERSION"},
	{regexp.MustCompile(`(postgres system|mysql server|sqlite file) [^",]+, (database|schema|application) (\w+( \(\d+\))?)`), "IDENTITY"},
	{regexp.MustCompile(`/\S*?/Test[^/\s]*/\d{3}/`), "DIR/"},
	{regexp.MustCompile(`/\S*?/drover-(disk|sqlite)-\d+/`), "DIR/"},
	{regexp.MustCompile(`pg_tblspc/\d+/PG_\w+/\d+/\d+`), "pg_tblspc/FILE"},
	{regexp.MustCompile(`\d+ rows had been read`), "SOME rows had been read"},
	{moments, "MOMENT"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH"},
	{regexp.MustCompile(`by \S+@[^\s:]+`), "by SOMEBODY"},
	{regexp.MustCompile(`"(by|address|program)": "[^"]*"`), `"$1": "…"`},
	{regexp.MustCompile(`t\d+_[a-z0-9_]+`), "SCHEMA"},
	{regexp.MustCompile(`( Table +\S+) .*`), "$1 SIZE"}, // an estimate, which the server may refresh at any time
	{regexp.MustCompile(`[\d.]+ %`), "PERCENT"},
	{regexp.MustCompile(`[\d,]+ rows/s`), "N rows/s"},
	{regexp.MustCompile(`\b\d+(\.\d+)?m?s\b`), "TIME"},
	{regexp.MustCompile(`\b01[0-9A-Z]{10}\b`), "RUN"},
}

// stable takes out of a text what differs from run to run: times, sizes, addresses, estimates.
func (b *bench) stable(text string) string {
	text = strings.ReplaceAll(text, b.conn.Address(), "ADDRESS")
	for _, u := range unstable {
		text = u.pattern.ReplaceAllString(text, u.mask)
	}
	return text
}

func TestPurge_NothingToDelete(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 10)
		// Neither a terminal nor --no-input is needed: there is nothing to ask.
		res := b.mustCall(t, "--table", "events", "--where", "status = 'none'")
		if !strings.Contains(res.Stdout, "Nothing to delete") {
			t.Errorf("stdout is %q", res.Stdout)
		}
		b.wantCount(t, "SELECT count(*) FROM events", 10)
	})
}

func TestPurge_Limit(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 300)
		for _, step := range []struct{ limit, deleted, left int }{{25, 25, 75}, {1, 1, 74}, {1000, 74, 0}} {
			res := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input",
				"--limit", fmt.Sprint(step.limit), "--batch-size", "10")
			if want := fmt.Sprintf("Deleted %d row", step.deleted); !strings.HasPrefix(res.Stdout, want) {
				t.Errorf("--limit %d: %q, want %q", step.limit, res.Stdout, want)
			}
			b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done'", step.left)
		}
		b.wantCount(t, "SELECT count(*) FROM events", 200)
	})
}

func TestPurge_All(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30)
		b.mustCall(t, "--table", "events", "--all", "--no-input", "--batch-size", "7")
		b.wantCount(t, "SELECT count(*) FROM events", 0)
	})
}

func TestPurge_Confirmation(t *testing.T) {
	tests := []struct {
		name, answer string
		code, left   int
	}{
		{"the table's name", "events\n", 0, 20},
		{"yes is not enough", "yes\nyes\n", drover.ExitDeclined, 30},
		{"no", "no\n", drover.ExitDeclined, 30},
		{"end of input", "", drover.ExitDeclined, 30},
	}
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.exec(t, `DROP TABLE IF EXISTS events`)
			b.events(t, 30)
			res, err := b.callWith(t.Context(), drover.CallOptions{Stdin: strings.NewReader(tt.answer), Interactive: true},
				"--table", "events", "--where", "status = 'done'")
			if code := drover.ExitCode(err); code != tt.code {
				t.Errorf("exit code %d, want %d: %v", code, tt.code, err)
			}
			if !strings.Contains(res.Stderr, "permanently delete 10 rows from events") {
				t.Errorf("the question does not name the measured rows:\n%s", res.Stderr)
			}
			b.wantCount(t, "SELECT count(*) FROM events", tt.left)
		})
	}
	t.Run("nobody to ask", func(t *testing.T) {
		_, err := b.call(t, "--table", "events", "--where", "status = 'open'")
		if code := drover.ExitCode(err); code != drover.ExitUsage {
			t.Errorf("exit code %d, want %d: %v", code, drover.ExitUsage, err)
		}
	})
}

func TestPurge_Check(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30)
		b.unchanged(t, func() {
			if _, err := b.call(t, "--table", "events", "--where", "status = 'done'", "--check"); drover.ExitCode(err) != 1 {
				t.Errorf("with work: %v", err)
			}
			if _, err := b.call(t, "--table", "events", "--where", "status = 'none'", "--check"); err != nil {
				t.Errorf("without work: %v", err)
			}
		})
	})
}

func TestPurge_JSON(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 300)
		plan := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--json", "--dry-run")
		var document struct {
			Type    string
			DryRun  bool `json:"dry_run"`
			Matched int
			Batches int
			First   []int
			Last    []int
			Message string
			Sample  []map[string]any
		}
		if err := json.Unmarshal([]byte(plan.Stdout), &document); err != nil {
			t.Fatalf("a dry run prints one document: %v\n%s", err, plan.Stdout)
		}
		if document.Type != "plan" || !document.DryRun || document.Matched != 100 || document.Batches != 1 ||
			!slices.Equal(document.First, []int{3}) || !slices.Equal(document.Last, []int{300}) || len(document.Sample) != 5 {
			t.Errorf("plan: %+v", document)
		}
		run := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--json", "--no-input", "--batch-size", "30")
		var types []string
		var summary struct {
			Type, Status string
			ExitCode     int    `json:"exit_code"`
			RunID        string `json:"run_id"`
			Attempt      int
			Deleted      int
			Batches      int
			Left         *int  `json:"matched_at_end"`
			LastKey      []int `json:"last_key"`
		}
		var start struct {
			RunID         string `json:"run_id"`
			Rows, Batches int
		}
		for line := range strings.Lines(run.Stdout) {
			summary.Type = ""
			if err := json.Unmarshal([]byte(line), &summary); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if types = append(types, summary.Type); summary.Type == "start" {
				if err := json.Unmarshal([]byte(line), &start); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
			}
		}
		if start.Rows != 100 || start.Batches != 4 || len(start.RunID) != 26 || start.RunID != summary.RunID || summary.Attempt != 1 ||
			!slices.Equal(summary.LastKey, []int{300}) {
			t.Errorf("start: %+v\nsummary: %+v", start, summary)
		}
		if diff := cmp.Diff([]string{"plan", "tables", "start", "summary"}, types); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if summary.Status != "succeeded" || summary.ExitCode != 0 || summary.Deleted != 100 || summary.Batches != 4 || *summary.Left != 0 {
			t.Errorf("summary: %+v", summary)
		}
	})
}

// TestPurge_InsideABlock keeps the batches' promise: what is inside somebody else's transaction cannot be kept by batch.
func TestPurge_InsideABlock(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 30)
	errDone := errors.New("done")
	err := b.conn.Atomic(t.Context(), func(ctx context.Context) error {
		res, err := b.callWith(ctx, drover.CallOptions{}, "--table", "events", "--all", "--dry-run")
		if err != nil || !strings.Contains(res.Stdout, "Would delete 30 rows") {
			t.Errorf("dry run: %v\n%s", err, res.Stdout)
		}
		if _, err := b.callWith(ctx, drover.CallOptions{}, "--table", "events", "--all", "--no-input"); !errors.Is(err, db.ErrDurableNested) {
			t.Errorf("run: %v, want ErrDurableNested", err)
		}
		return errDone
	})
	if !errors.Is(err, errDone) {
		t.Errorf("Atomic: %v", err)
	}
	b.wantCount(t, "SELECT count(*) FROM events", 30)
}
