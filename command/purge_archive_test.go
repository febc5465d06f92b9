package command_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// archiveText is what a program that knows the format reads in the file.
func archiveText(t *testing.T, name string) string {
	t.Helper()
	packed, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = bytes.NewReader(packed)
	switch filepath.Ext(name) {
	case ".gz":
		r, err = gzip.NewReader(r)
	case ".zst":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(text)
}

// archived are the ids of the rows in the file, in its order.
func archived(t *testing.T, name string) (ids []int) {
	t.Helper()
	for line := range strings.Lines(archiveText(t, name)) {
		var row struct{ ID int }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		ids = append(ids, row.ID)
	}
	return ids
}

// thirds are the ids of the rows that are done.
func thirds(n int) (ids []int) {
	for i := 3; i <= n; i += 3 {
		ids = append(ids, i)
	}
	return ids
}

var archiveEndings = []string{".jsonl", ".jsonl.gz", ".jsonl.zst"}

func TestPurge_ArchiveHoldsWhatIsDeleted(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, ending := range archiveEndings {
			b.exec(t, "DROP TABLE IF EXISTS events")
			b.events(t, 300)
			file := filepath.Join(t.TempDir(), "events"+ending)
			args := []string{"--table", "events", "--where", "status = 'done'", "--archive-to", file}
			b.unchanged(t, func() { b.mustCall(t, append(args, "--dry-run")...) })
			b.mustCall(t, append(args, "--dry-run=rollback")...)
			if _, err := os.Stat(file); err == nil {
				t.Error("a dry run has written the archive")
			}
			res := b.mustCall(t, append(args, "--no-input", "--batch-size", "7")...)
			if diff := cmp.Diff(thirds(300), archived(t, file)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", ending, diff)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if want := "Archived   100 rows   "; !strings.Contains(res.Stderr, want) || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v; %q is not in:\n%s", info.Mode(), want, res.Stderr)
			}
			b.wantCount(t, "SELECT count(*) FROM events", 200)
		}
	})
}

// TestPurge_ArchiveValues shows the form of each kind of value.
func TestPurge_ArchiveValues(t *testing.T) {
	tables := map[string][2]string{
		testdb.NamePostgres: {
			"id integer PRIMARY KEY, big bigint, price numeric(10,2), ratio double precision, one real, ok boolean, name text, raw bytea, day date, at timestamp, zoned timestamptz, clock time, u uuid, doc jsonb, list integer[], gone text",
			`1, 9223372036854775807, 1.50, 0.1, 0.1, true, E'a "quote" <é>\nline', '\x00ff', '2026-01-02', '2026-01-02 15:04:05.123456', '2026-01-02 15:04:05+02', '15:04:05', '00000000-0000-4000-8000-000000000001', '{"a": [1, 2.50]}', '{1,2}', NULL`,
		},
		testdb.NameMariaDB: {
			"id integer PRIMARY KEY, big bigint unsigned, price decimal(10,2), ratio double, one float, ok boolean, name text, raw varbinary(10), day date, at datetime(6), zoned timestamp NULL, clock time, u uuid, gone text",
			`1, 18446744073709551615, 1.50, 0.1, 0.1, true, 'a "quote" <é>\nline', x'00ff', '2026-01-02', '2026-01-02 15:04:05.123456', from_unixtime(1767366245), '15:04:05', '00000000-0000-4000-8000-000000000001', NULL`,
		},
		testdb.NameSQLite: {
			"id integer PRIMARY KEY, price decimal(10,2), ratio real, ok boolean, name text, raw blob, day date, at datetime, loose, gone text",
			`1, 1.50, 0.1, 1, 'a "quote" <é>' || char(10) || 'line', x'00ff', '2026-01-02', '2026-01-02 15:04:05.123', 'text', NULL`,
		},
	}
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE vals ("+tables[b.Name][0]+")", "INSERT INTO vals VALUES ("+tables[b.Name][1]+")")
		file := filepath.Join(t.TempDir(), "vals.jsonl")
		b.mustCall(t, "--table", "vals", "--all", "--no-input", "--archive-to", file)
		golden(t, "archive_values."+b.Name, archiveText(t, file))
	})
}

func TestPurge_ArchiveRefuses(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30)
		folder := t.TempDir()
		full := filepath.Join(folder, "full.jsonl")
		if err := os.WriteFile(full, []byte("kept\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.unchanged(t, func() {
			for _, tt := range []struct {
				args []string
				code int
				want string
			}{
				{[]string{"--archive-to", full}, drover.ExitRefused, "is there already and is not this run's"},
				{[]string{"--archive-to", full, "--dry-run"}, drover.ExitRefused, "is there already and is not this run's"},
				{[]string{"--archive-to", ""}, drover.ExitUsage, "--archive-to is empty"},
				{[]string{"--archive-to", filepath.Join(folder, "x.csv")}, drover.ExitUsage, "JSON Lines"},
				{[]string{"--archive-to", filepath.Join(folder, "none", "x.jsonl")}, drover.ExitUsage, "no such file"},
				{[]string{"--archive-to", folder + "/x.jsonl", "--workers", "2"}, drover.ExitUsage, "worker"},
			} {
				_, err := b.call(t, append([]string{"--table", "events", "--all", "--no-input"}, tt.args...)...)
				if drover.ExitCode(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.want) {
					t.Errorf("%v: exit code %d, %v", tt.args, drover.ExitCode(err), err)
				}
			}
		})
		if archiveText(t, full) != "kept\n" {
			t.Error("the file has changed")
		}
	})
}

// TestPurge_ArchiveOfRetriedBatches loses a batch after its rows are in the file.
func TestPurge_ArchiveOfRetriedBatches(t *testing.T) {
	eachWith(t, servers, func() *moment { return &moment{verb: "DELETE", nth: 3, after: true} }, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		m.do = func() error { return fault[b.Name] }
		file := filepath.Join(t.TempDir(), "events.jsonl.gz")
		res := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10", "--archive-to", file, "--json")
		if diff := cmp.Diff(thirds(300), archived(t, file)); diff != "" || !strings.Contains(res.Stdout, `"type":"retry"`) || !strings.Contains(res.Stderr, `"retries":"1"`) {
			t.Errorf("-want +got:\n%s\n%s", diff, res.Stderr)
		}
	})
}

// TestPurge_ArchiveOfRowsThatStay sets a row aside, which is neither archived nor deleted, and cannot be tried again by itself.
func TestPurge_ArchiveOfRowsThatStay(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 300)
	b.exec(t, keepRow75)
	file := filepath.Join(t.TempDir(), "events.jsonl")
	res, err := b.call(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--max-errors", "1", "--archive-to", file)
	if drover.ExitCode(err) != drover.ExitPartial || strings.Contains(hintsOf(err), "runs retry") || !strings.Contains(hintsOf(err), "runs errors") {
		t.Errorf("error %v\n%s\n%s", err, hintsOf(err), res.Stderr)
	}
	if diff := cmp.Diff(slices.DeleteFunc(thirds(300), func(id int) bool { return id == 75 }), archived(t, file)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestPurge_ArchiveIsCutWhereTheRunStops stops after the rows of a batch are in the file, goes on with the archive cut short, and then with it whole.
func TestPurge_ArchiveIsCutWhereTheRunStops(t *testing.T) {
	eachWith(t, testdb.Names(), func() *moment { return &moment{verb: "DELETE", nth: 3, after: true} }, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		ctx, cancel := context.WithCancel(t.Context())
		m.do = func() error { cancel(); return nil }
		file := filepath.Join(t.TempDir(), "events.jsonl.zst")
		args := []string{"--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10", "--archive-to", file}
		if _, err := b.callWith(ctx, drover.CallOptions{}, args...); err == nil {
			t.Fatal("the run was not stopped")
		}
		b.expire(t)
		if diff := cmp.Diff(thirds(60), archived(t, file)); diff != "" {
			t.Errorf("after the stop (-want +got):\n%s", diff)
		}
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, int64(len(whole)-3)); err != nil {
			t.Fatal(err)
		}
		b.unchanged(t, func() {
			_, err := b.call(t, args...)
			if want := "holds 10 of them"; drover.ExitCode(err) != drover.ExitRefused || !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("with a part of the archive: %v", err)
			}
		})
		if err := os.WriteFile(file, append(whole, "what a crash has left"...), 0o600); err != nil {
			t.Fatal(err)
		}
		b.mustCall(t, args...)
		if diff := cmp.Diff(thirds(300), archived(t, file)); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
	})
}

// TestPurgeProcess_ArchiveAfterKills kills the process at random places. What is deleted is in the file at any time, and once at the end.
func TestPurgeProcess_ArchiveAfterKills(t *testing.T) {
	const rows = 3000
	each(t, func(t *testing.T, b *bench) {
		b.events(t, rows)
		file := filepath.Join(t.TempDir(), "events"+archiveEndings[len(b.Name)%len(archiveEndings)])
		args := []string{"--table", "events", "--where", "status = 'done'", "--no-input", "--archive-to", file}
		left := func() int { return b.count(t, matching) }
		for range 4 {
			at := left() - 1 - rand.IntN(rows/20)
			p := b.start(t, append(args, "--batch-size", "2", "--rows-per-second", "800")...)
			p.waitFor(t, fmt.Sprintf("%d rows are left", at), func() bool { return left() <= at })
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if _, code := p.wait(t); code != -1 {
				t.Fatalf("exit code %d of a process that should have been killed\n%s", code, p.stderr.String())
			}
			b.expire(t)
		}
		p := b.start(t, append(args, "--batch-size", "50")...)
		if last, code := p.wait(t); code != 0 || !strings.HasPrefix(last, "Deleted ") {
			t.Errorf("run again: exit code %d, %q\n%s", code, last, p.stderr.String())
		}
		if diff := cmp.Diff(thirds(rows), archived(t, file)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		b.wantCount(t, matching, 0)
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 1)
	})
}
