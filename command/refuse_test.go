package command_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestPurge_Refusals runs the whole program, so that the golden files hold what a user reads. Nothing is changed by any
// of them.
func TestPurge_Refusals(t *testing.T) {
	tests := []refusal{
		{"no table", []string{"--where", "1 = 1"}, drover.ExitUsage},
		{"empty table", []string{"--table", "", "--where", "1 = 1"}, drover.ExitUsage},
		{"no condition", []string{"--table", "events"}, drover.ExitUsage},
		{"empty condition", []string{"--table", "events", "--where", "  "}, drover.ExitUsage},
		{"condition and all", []string{"--table", "events", "--where", "id = 1", "--all"}, drover.ExitUsage},
		{"escape", []string{"--table", "events", "--where", "1=1) OR (1=1"}, drover.ExitUsage},
		{"comment", []string{"--table", "events", "--where", "id = 1 -- only one"}, drover.ExitUsage},
		{"semicolon", []string{"--table", "events", "--where", "id = 1; DROP TABLE events"}, drover.ExitUsage},
		{"unknown table", []string{"--table", "evnets", "--all"}, drover.ExitUsage},
		{"far table", []string{"--table", "customers", "--all"}, drover.ExitUsage},
		{"malformed table", []string{"--table", "a.b.c.d", "--all"}, drover.ExitUsage},
		{"view", []string{"--table", "recent", "--all"}, drover.ExitUsage},
		{"no key", []string{"--table", "plain", "--all"}, drover.ExitUsage},
		{"unknown column", []string{"--table", "events", "--where", "statsu = 'done'"}, drover.ExitUsage},
		{"far column", []string{"--table", "events", "--where", "colour = 'red'"}, drover.ExitUsage},
		{"syntax", []string{"--table", "events", "--where", "status = = 'done'"}, drover.ExitUsage},
		{"unknown function", []string{"--table", "events", "--where", "nope(status) = 1"}, drover.ExitUsage},
		{"batch size", []string{"--table", "events", "--all", "--batch-size", "0"}, drover.ExitUsage},
		{"lease", []string{"--table", "events", "--all", "--lease", "0s"}, drover.ExitUsage},
		{"limit", []string{"--table", "events", "--all", "--limit", "0"}, drover.ExitUsage},
		{"nobody to ask", []string{"--table", "events", "--where", "id = 3"}, drover.ExitUsage},
		{"protected rows", []string{"--table", "events", "--where", "id < 5", "--no-input", "-v", "0"}, drover.ExitRefused},
		{"undo of cascades", []string{"--table", "tags", "--all", "--no-input", "--undo", "-v", "0"}, drover.ExitRefused},
		{"resume of no run", []string{"--table", "events", "--all", "--no-input", "--resume", "01ABC"}, drover.ExitUsage},
		{"protected rows, dry run", []string{"--table", "events", "--where", "id < 5", "--dry-run"}, drover.ExitRefused},
		{"unknown database", []string{"--table", "events", "--all", "--database", "defaul"}, drover.ExitUsage},
		{"age in months", []string{"--table", "events", "--older-than", "3mo", "--column", "at"}, drover.ExitUsage},
		{"age without column", []string{"--table", "events", "--older-than", "90d"}, drover.ExitUsage},
		{"column without age", []string{"--table", "events", "--column", "at", "--all"}, drover.ExitUsage},
		{"age and all", []string{"--table", "events", "--older-than", "90d", "--column", "at", "--all"}, drover.ExitUsage},
		{"age by unknown column", []string{"--table", "events", "--older-than", "90d", "--column", "sttus"}, drover.ExitUsage},
		{"age by text", []string{"--table", "events", "--older-than", "90d", "--column", "status"}, drover.ExitUsage},
		{"age by number", []string{"--table", "events", "--older-than", "90d", "--column", "id"}, drover.ExitUsage},
		{"archive as CSV", []string{"--table", "events", "--all", "--archive-to", "events.csv"}, drover.ExitUsage},
		{"archive without name", []string{"--table", "events", "--all", "--archive-to", ""}, drover.ExitUsage},
		{"archive of cascades", []string{"--table", "tags", "--all", "--no-input", "--archive-to", "tags.jsonl", "-v", "0"}, drover.ExitRefused},
	}
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30)
		b.exec(t,
			`CREATE TABLE plain (id integer)`,
			`CREATE VIEW recent AS SELECT id FROM events`,
			`CREATE TABLE bookings (id integer NOT NULL PRIMARY KEY, event integer,
			 CONSTRAINT bookings_event FOREIGN KEY (event) REFERENCES events (id) ON DELETE RESTRICT)`,
			`CREATE INDEX bookings_event_index ON bookings (event)`,
			`INSERT INTO bookings VALUES (1, 4), (2, 9)`,
		)
		b.exec(t,
			`CREATE TABLE tags (id integer NOT NULL PRIMARY KEY)`,
			`CREATE TABLE tagged (id integer NOT NULL PRIMARY KEY, tag integer, FOREIGN KEY (tag) REFERENCES tags (id) ON DELETE CASCADE)`,
			`CREATE INDEX tagged_tag ON tagged (tag)`,
			`INSERT INTO tags VALUES (1)`, `INSERT INTO tagged VALUES (1, 1)`,
		)
		b.refused(t, "refusals."+b.Name, "purge", tests)
	})
}

// refusal is a command line that is refused.
type refusal struct {
	name string
	args []string
	code int
}

// refused runs the whole program, and compares what a user reads with a golden file. Nothing may be changed.
func (b *bench) refused(t *testing.T, file, command string, tests []refusal) {
	t.Helper()
	var all strings.Builder
	b.unchanged(t, func() {
		for _, tt := range tests {
			var stdout, stderr bytes.Buffer
			code := newApp().Run(t.Context(), drover.Env{
				Args: append([]string{command}, tt.args...), Environ: []string{"DATABASE_URL=" + b.URL},
				Stdout: &stdout, Stderr: &stderr,
			})
			if code != tt.code {
				t.Errorf("%s: exit code %d, want %d\n%s", tt.name, code, tt.code, stderr.String())
			}
			fmt.Fprintf(&all, "== %s (exit %d)\n%s%s", tt.name, code, b.stable(stdout.String()), b.stable(stderr.String()))
		}
	})
	golden(t, file, all.String())
}

// A misspelt name in double quotes is a string to SQLite, for which nearly any comparison holds.
func TestPurge_QuotedNameIsNoString(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 30)
	_, err := b.call(t, "--table", "events", "--where", `"statsu" <> 'done'`, "--no-input")
	if err == nil || !strings.Contains(err.Error(), `no column "statsu"`) {
		t.Errorf("got %v", err)
	}
	b.wantCount(t, "SELECT count(*) FROM events", 30)
	b.mustCall(t, "--table", "events", "--where", `"Status" = 'done' AND events."id" < 10`, "--no-input")
	b.wantCount(t, "SELECT count(*) FROM events", 27)
}

// The operators of jsonb that are written with a question mark are no placeholders.
func TestPurge_QuestionMarkOperator(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	b.exec(t, `CREATE TABLE t (id integer PRIMARY KEY, doc jsonb)`, `INSERT INTO t VALUES (1, '{"a": 1}'), (2, '{"b": 1}'), (3, '{"c?": 1}')`)
	b.mustCall(t, "--table", "t", "--where", `doc ? 'a' OR doc ?| array['c?']`, "--no-input")
	b.wantCount(t, "SELECT count(*) FROM t WHERE id = 2", 1)
	b.wantCount(t, "SELECT count(*) FROM t", 1)
}

// More than one worker is wrong use of a database with one writer, and nothing is begun.
func TestPurge_WorkersOfOneWriter(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 3)
	b.unchanged(t, func() {
		_, err := b.call(t, "--table", "events", "--all", "--no-input", "--workers", "2")
		if drover.ExitCode(err) != drover.ExitUsage || !strings.Contains(err.Error(), "one writer at a time") {
			t.Errorf("exit code %d: %v", drover.ExitCode(err), err)
		}
	})
}
