package command_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// ago has the times of rows by the database's clock: so many hours before now, in each of the types.
var ago = map[string]map[string]string{
	testdb.NamePostgres: {
		"timestamptz": "now() - interval '%d hours'", "timestamp": "(now() AT TIME ZONE 'UTC') - interval '%d hours'",
		"date": "((now() AT TIME ZONE 'UTC') - interval '%d hours')::date",
	},
	testdb.NameMariaDB: {
		"datetime(6)": "utc_timestamp(6) - interval %d hour", "timestamp(6)": "from_unixtime(unix_timestamp() - 3600 * %d)",
		"date": "date(utc_timestamp() - interval %d hour)",
	},
	testdb.NameSQLite: {
		"DATETIME": "datetime('now', '-%d hours')", "TEXT": "strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '-%d hours')",
		"TIMESTAMP": "strftime('%%Y-%%m-%%d %%H:%%M:%%S', 'now', '-%d hours', '+2 hours') || '+02:00'",
		"DATE":      "date('now', '-%d hours')", "INTEGER": "CAST(strftime('%%s', 'now') AS INTEGER) - 3600 * %d",
		"BIGINT": "(CAST(strftime('%%s', 'now') AS INTEGER) - 3600 * %d) * 1000",
	},
}

// aged makes a table with the rows 1..n, each an hour older than the one before, the first half an hour old, and one without a time.
func (b *bench) aged(t *testing.T, columnType string, n int) {
	t.Helper()
	value := ago[b.Name][columnType]
	b.exec(t, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, status varchar(10) NOT NULL, at "+columnType+" NULL)", "INSERT INTO notes VALUES (0, 'new', NULL)")
	b.fill(t, "notes", n, func(i int) string { return fmt.Sprintf("(%d, 'new', %s)", i, fmt.Sprintf(value, i)) })
}

func TestPurge_OlderThan(t *testing.T) {
	for name, types := range ago {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testdb.Fresh(t, name))
			for columnType := range types {
				t.Run(columnType, func(t *testing.T) {
					b.exec(t, "DROP TABLE IF EXISTS notes")
					b.aged(t, columnType, 200)
					older := []string{"--table", "notes", "--older-than", "4d", "--column", "at"}
					if strings.EqualFold(columnType, "date") {
						// Days are whole: the oldest row that stays is of the day of the boundary.
						b.unchanged(t, func() { b.mustCall(t, append(older, "--dry-run")...) })
						b.mustCall(t, append(older, "--no-input")...)
						if left := b.count(t, "SELECT max(id) FROM notes"); left < 95 || left > 95+24 {
							t.Errorf("the oldest row left is %d hours old", left)
						}
						return
					}
					b.mustCall(t, append(older, "--where", "id > 150", "--no-input", "--batch-size", "7")...)
					b.wantCount(t, "SELECT count(*) FROM notes WHERE id > 150", 0)
					b.wantCount(t, "SELECT count(*) FROM notes", 151)
					b.mustCall(t, append(older, "--no-input", "--batch-size", "7")...)
					// The row that was made 96 hours old is older now, as the clock has gone on; a second's fraction may be cut off.
					b.wantCount(t, "SELECT count(*) FROM notes WHERE id < 96", 96)
					b.wantCount(t, "SELECT count(*) FROM notes WHERE id > 96", 0)
				})
			}
		})
	}
}

// TestPurge_OlderThanKeepsItsBoundary resumes a run that was planned two days ago, and then begins a new one.
func TestPurge_OlderThanKeepsItsBoundary(t *testing.T) {
	eachWith(t, testdb.Names(), afterFirstBatch, func(t *testing.T, b *bench, m *moment) {
		columnType := map[string]string{testdb.NamePostgres: "timestamptz", testdb.NameMariaDB: "datetime(6)", testdb.NameSQLite: "DATETIME"}[b.Name]
		b.aged(t, columnType, 200)
		ctx, cancel := context.WithCancel(t.Context())
		m.do = func() error { cancel(); return nil }
		args := []string{"--table", "notes", "--older-than", "4d", "--column", "at", "--no-input", "--batch-size", "5"}
		if res, err := b.callWith(ctx, drover.CallOptions{}, args...); err == nil {
			t.Fatalf("the run was not stopped\n%s", res.Stderr)
		}
		b.wantCount(t, "SELECT count(*) FROM notes", 201-5)
		var stored string
		if err := b.raw.QueryRowContext(t.Context(), "SELECT arguments FROM drover_runs").Scan(&stored); err != nil {
			t.Fatal(err)
		}
		boundary := regexp.MustCompile(`"boundary","value":"(....-..-..)T`).FindStringSubmatch(strings.ReplaceAll(strings.ReplaceAll(stored, `": "`, `":"`), `", "`, `","`))
		if boundary == nil {
			t.Fatalf("the run does not keep its boundary: %s", stored)
		}
		long := "2001-01-01" // when nothing of the table was there
		b.exec(t, "UPDATE drover_runs SET arguments = replace(arguments, '"+boundary[1]+"', '"+long+"')")
		b.expire(t)
		res := b.mustCall(t, args...)
		if !strings.Contains(res.Stderr, "before 2001-01-01") || !strings.Contains(res.Stderr, "began with") {
			t.Errorf("the boundary is not that of the run:\n%s", res.Stderr)
		}
		b.wantCount(t, "SELECT count(*) FROM notes", 201-5)
		b.wantCount(t, "SELECT count(*) FROM drover_runs WHERE state = 'succeeded'", 1)
		if res = b.mustCall(t, args...); strings.Contains(res.Stderr, "began with") {
			t.Errorf("a new run has the boundary of the one that is finished:\n%s", res.Stderr)
		}
		b.wantCount(t, "SELECT count(*) FROM notes WHERE id < 96", 96)
		b.wantCount(t, "SELECT count(*) FROM notes WHERE id > 96", 0)
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 2)
	})
}

func TestPurge_OlderThanRefuses(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, status varchar(10) NOT NULL, created_at timestamp NULL)",
			"INSERT INTO notes (id, status) VALUES (1, 'new'), (2, 'old')")
		for _, tt := range []struct {
			name string
			args []string
			want string
		}{
			{"month", []string{"--older-than", "3mo", "--column", "created_at"}, `"3mo" is no age`},
			{"zero", []string{"--older-than", "0d", "--column", "created_at"}, `"0d" is no age`},
			{"much", []string{"--older-than", "9999999w", "--column", "created_at"}, `"9999999w" is no age`},
			{"no column", []string{"--older-than", "3d"}, "--older-than needs --column"},
			{"no age", []string{"--column", "created_at", "--all"}, "--column needs --older-than"},
			{"all", []string{"--older-than", "3d", "--column", "created_at", "--all"}, "all"},
			{"unknown", []string{"--older-than", "3d", "--column", "create_at"}, `has no column "create_at"`},
			{"number", []string{"--older-than", "3d", "--column", "id"}, "does not say how old a row is"},
			{"text", []string{"--older-than", "3d", "--column", "status"}, "does not say how old a row is"},
		} {
			b.unchanged(t, func() {
				_, err := b.call(t, append([]string{"--table", "notes", "--no-input"}, tt.args...)...)
				if drover.ExitCode(err) != drover.ExitUsage || !strings.Contains(fmt.Sprint(err), tt.want) {
					t.Errorf("%s: %v", tt.name, err)
				}
			})
		}
	})
}
