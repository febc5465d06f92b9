package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// export runs drover export.
func (b *bench) export(ctx context.Context, args ...string) (*drover.Result, error) {
	return b.command(ctx, drover.CallOptions{}, "export", args...)
}

func (b *bench) mustExport(t *testing.T, args ...string) *drover.Result {
	t.Helper()
	res, err := b.export(t.Context(), args...)
	if err != nil {
		t.Fatalf("export %s: %v\n%s", strings.Join(args, " "), err, res.Stderr)
	}
	return res
}

// kinds makes a table with a column of every portable type.
func (b *bench) kinds(t *testing.T) {
	t.Helper()
	types := map[string]string{"bool": "boolean", "bytes": "bytea", "instant": "timestamp(6)", "zoned": "timestamptz", "float": "double precision", "single": "real", "id": "uuid"}
	bytes, zone := `'\x00ff'`, "'2026-01-02 03:04:05.25+00'"
	switch b.Name {
	case testdb.NameMariaDB:
		types["bytes"], types["instant"], types["zoned"], types["float"], types["single"] = "varbinary(20)", "datetime(6)", "timestamp(6) NULL", "double", "float"
		bytes, zone = "x'00ff'", "'2026-01-02 03:04:05.25'"
	case testdb.NameSQLite:
		types["bytes"], types["instant"], types["zoned"], types["single"] = "blob", "timestamp", "timestamp", "double"
		bytes, zone = "x'00ff'", "'2026-01-02 03:04:05.250+00:00'"
	}
	b.exec(t, fmt.Sprintf(`CREATE TABLE kinds (id integer NOT NULL PRIMARY KEY, n bigint, name varchar(40), price decimal(10,2), ok %s, raw %s, day date, at time, made %s, seen %s, f %s, g %s, u %s)`,
		types["bool"], types["bytes"], types["instant"], types["zoned"], types["float"], types["single"], types["id"]))
	b.exec(t, fmt.Sprintf(`INSERT INTO kinds VALUES (3, -9223372036854775808, 'a,b', 1.50, true, %s, '2026-01-02', '15:04:05', '2026-01-02 03:04:05.120000', %s, 0.1, 0.25, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')`, bytes, zone),
		`INSERT INTO kinds VALUES (1, 1, 'say "hi"', 7, false, NULL, NULL, NULL, '2026-01-02 03:04:05', NULL, 1e20, 1000000, NULL)`,
		"INSERT INTO kinds (id, name, f, g) VALUES (2, 'two\nlines', 123456789012345, 0.00001), (4, '', 1e15, 100000), (5, NULL, -2.5, 3), (6, ' ü ', 0.00001, 0.0001)")
}

const kindsCSV = `id,n,name,price,ok,raw,day,at,made,seen,f,g,u
1,1,"say ""hi""",7.00,f,,,,2026-01-02 03:04:05,,1e+20,1e+06,
2,,"two
lines",,,,,,,,123456789012345,1e-05,
3,-9223372036854775808,"a,b",1.50,t,\x00ff,2026-01-02,15:04:05,2026-01-02 03:04:05.12,2026-01-02 03:04:05.25+00,0.1,0.25,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
4,,"",,,,,,,,1e+15,100000,
5,,,,,,,,,,-2.5,3,
6,, ü ,,,,,,,,1e-05,0.0001,
`

func readFile(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// filesIn are the names of the files in a folder.
func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestExport_SameBytes writes the same file from every database, in one part, in several, and through the other way that a text of NULL needs.
func TestExport_SameBytes(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.kinds(t)
		dir := t.TempDir()
		want := kindsCSV
		if b.Name == testdb.NameSQLite { // which has no single precision
			want = strings.Replace(want, "1e+20,1e+06", "1e+20,1000000", 1)
		}
		b.unchanged(t, func() {
			res := b.mustExport(t, filepath.Join(dir, "kinds.csv"), "--table", "kinds")
			if !regexp.MustCompile(`^Exported 6 rows to \S+kinds.csv \(\d+ bytes, SHA-256 [0-9a-f]{64}\)\.\n$`).MatchString(res.Stdout) {
				t.Errorf("output %q", res.Stdout)
			}
			if diff := cmp.Diff(want, readFile(t, dir, "kinds.csv")); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			b.mustExport(t, filepath.Join(dir, "parts"), "--table", "kinds", "--part-rows", "4", "--no-header")
			_, body, _ := strings.Cut(want, "\n")
			if diff := cmp.Diff(body, readFile(t, dir, "parts", "kinds-00001.csv")+readFile(t, dir, "parts", "kinds-00002.csv")); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
			b.mustExport(t, filepath.Join(dir, "token.csv"), "--table", "kinds", "--null", "-2.5", "--columns", "f,id", "--where", "id in (4, 5) or name is null", "--delimiter", "tab")
			if diff := cmp.Diff("f\tid\n1e+15\t4\n\"-2.5\"\t5\n", readFile(t, dir, "token.csv")); diff != "" {
				t.Errorf("with a text for NULL (-want +got):\n%s", diff)
			}
			b.mustExport(t, filepath.Join(dir, "kinds.jsonl"), "--table", "kinds", "--where", "id in (3, 4)", "--limit", "1")
			wantJSON := `{"id":3,"n":-9223372036854775808,"name":"a,b","price":1.50,"ok":true,"raw":"\\x00ff","day":"2026-01-02","at":"15:04:05","made":"2026-01-02 03:04:05.12",` +
				`"seen":"2026-01-02 03:04:05.25+00","f":0.1,"g":0.25,"u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}` + "\n"
			if diff := cmp.Diff(wantJSON, readFile(t, dir, "kinds.jsonl")); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
		})
		if diff := cmp.Diff([]string{"kinds.csv", "kinds.jsonl", "parts", "token.csv"}, filesIn(t, dir)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	})
}

func TestExport_StandardOutput(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 3)
		res := b.mustExport(t, "-", "--table", "events", "--delimiter", ";")
		if res.Stdout != "id;status\n1;open\n2;open\n3;done\n" {
			t.Errorf("output %q", res.Stdout)
		}
		if !strings.Contains(res.Stderr, "Exported 3 rows to the standard output (") {
			t.Errorf("messages %q", res.Stderr)
		}
	})
}

// onFirst calls fn before the first bytes are written.
type onFirst struct {
	strings.Builder
	fn func()
}

func (w *onFirst) Write(p []byte) (int, error) {
	if w.Len() == 0 {
		w.fn()
	}
	return w.Builder.Write(p)
}

// TestExport_Snapshot deletes rows while the first ones are written: all are written all the same.
func TestExport_Snapshot(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const rows = 30_000
		b.events(t, rows)
		out := &onFirst{fn: func() { b.exec(t, "DELETE FROM events WHERE id > 5") }}
		if _, err := b.command(t.Context(), drover.CallOptions{Stdout: out}, "export", "-", "--table", "events"); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != rows+1 || !strings.HasSuffix(out.String(), "30000,done\n") {
			t.Errorf("%d lines, want %d", n, rows+1)
		}
		b.wantCount(t, "SELECT count(*) FROM events", 5)
	})
}

func TestExport_Refusals(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 3)
	b.exec(t, "CREATE TABLE keyless (a int)", "CREATE VIEW seen AS SELECT * FROM events")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there.csv"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a.csv")
	for _, tt := range []struct {
		args string
		code int
		want string
		hint string
	}{
		{"", drover.ExitUsage, "missing FILE", ""},
		{file + " --table event", drover.ExitUsage, `no table "event"`, "did you mean events?"},
		{file + " --table events --columns id,stats", drover.ExitUsage, `has no column "stats"`, "did you mean status?"},
		{file + " --table events --columns id,id", drover.ExitUsage, "names id twice", ""},
		{file + " --table events --columns=", drover.ExitUsage, "--columns is empty", ""},
		{file + " --table events --where=", drover.ExitUsage, "--where is empty", ""},
		{file + " --table events --where stats=1", drover.ExitUsage, `has no column "stats"`, "did you mean status?"},
		{file + " --table events --where id=1;", drover.ExitUsage, "--where", ""},
		{file + " --table=", drover.ExitUsage, "--table is empty", ""},
		{file + " --table keyless", drover.ExitUsage, "has no primary key", ""},
		{file + " --table seen", drover.ExitUsage, "is a view", ""},
		{file + " --table events --format xml", drover.ExitUsage, `unknown format "xml"`, "--format csv, jsonl or parquet"},
		{file + " --table events --compression lz4", drover.ExitUsage, `unknown compression "lz4"`, "--compression gzip, zstd or none"},
		{file + " --table events --delimiter ab", drover.ExitUsage, "--delimiter", ""},
		{file + " --table events --delimiter 1", drover.ExitUsage, "cannot be the delimiter", ""},
		{file + " --table events --null a,b", drover.ExitUsage, "the text of NULL", ""},
		{file + " --table events --format jsonl --no-header", drover.ExitUsage, "belong to CSV files", ""},
		{file + " --table events --part-rows 0", drover.ExitUsage, "--part-rows must be more than 0", ""},
		{file + " --table events --part-rows 10", drover.ExitUsage, "is the name of a file", "--format and --compression"},
		{"- --table events --part-rows 10", drover.ExitUsage, "needs a folder", ""},
		{"- --table events --json", drover.ExitUsage, "is for the report", "name a file"},
		{filepath.Join(dir, "a.txt") + " --table events", drover.ExitUsage, "does not tell the format", "--format FORMAT"},
		{filepath.Join(dir, "a.parquet.gz") + " --table events", drover.ExitUsage, "an ending too many", ""},
		{filepath.Join(dir, "there.csv") + " --table events", drover.ExitRefused, "there already", "--overwrite"},
		{filepath.Join(dir, "there.csv") + " --table events --dry-run", drover.ExitRefused, "there already", "--overwrite"},
		{dir + " --table events --format csv", drover.ExitFailed, "is a folder", ""},
		{dir + " --table events --part-rows 5", drover.ExitRefused, "holds there.csv and no manifest.json", "--overwrite"},
		{filepath.Join(dir, "no", "a.csv") + " --table events", drover.ExitFailed, "no such file or directory", "the folder must be there"},
	} {
		t.Run(strings.ReplaceAll(tt.args, dir, "DIR"), func(t *testing.T) {
			res, err := b.export(t.Context(), strings.Fields(tt.args)...)
			if err == nil || drover.ExitCode(err) != tt.code || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hintsOf(err), tt.hint) {
				t.Errorf("exit code %d, error %v, hints %s\nwant %d, %q, %q\n%s", drover.ExitCode(err), err, hintsOf(err), tt.code, tt.want, tt.hint, res.Stderr)
			}
			if diff := cmp.Diff([]string{"there.csv"}, filesIn(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
	b.mustExport(t, filepath.Join(dir, "there.csv"), "--table", "events", "--overwrite")
	if got := readFile(t, dir, "there.csv"); got != "id,status\n1,open\n2,open\n3,done\n" {
		t.Errorf("overwritten with %q", got)
	}
}

// TestExport_FullDisk writes to a device on which there is no room.
func TestExport_FullDisk(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 50)
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = full.Close() }()
		_, err = b.command(t.Context(), drover.CallOptions{Stdout: full}, "export", "-", "--table", "events")
		if drover.ExitCode(err) != drover.ExitFailed || !strings.Contains(err.Error(), "no space left on device; 50 rows had been read") {
			t.Errorf("error %v", err)
		}
	})
}

func TestExport_DryRunAndJSON(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30)
		dir := t.TempDir()
		args := []string{filepath.Join(dir, "events.csv.gz"), "--table", "events", "--where", "status = 'done'"}
		res := b.mustExport(t, append(args, "--dry-run")...)
		for _, want := range []string{"Would export 10 rows to ", "id, status", "csv, gzip", "the file shows the database at one moment"} {
			if !strings.Contains(res.Stdout, want) {
				t.Errorf("%q is not in:\n%s", want, res.Stdout)
			}
		}
		var plan, summary struct {
			Type, File, Format, Compression, Message, SHA256 string
			Columns                                          []string
			Rows, Bytes                                      int64
			DryRun                                           bool `json:"dry_run"`
		}
		if err := json.Unmarshal([]byte(b.mustExport(t, append(args, "--dry-run", "--json")...).Stdout), &plan); err != nil {
			t.Fatal(err)
		}
		if plan.Type != "plan" || plan.Rows != 10 || !plan.DryRun || plan.Format != "csv" || plan.Compression != "gzip" || len(plan.Columns) != 2 {
			t.Errorf("plan %+v", plan)
		}
		if names := filesIn(t, dir); len(names) > 0 {
			t.Errorf("a dry run has written %v", names)
		}
		if err := json.Unmarshal([]byte(b.mustExport(t, append(args, "--json")...).Stdout), &summary); err != nil {
			t.Fatal(err)
		}
		if summary.Type != "summary" || summary.Rows != 10 || summary.Bytes == 0 || len(summary.SHA256) != 64 || !strings.HasPrefix(summary.Message, "Exported 10 rows to ") {
			t.Errorf("summary %+v", summary)
		}
	})
}

// TestExport_Parts looks at the manifest, and at what other command lines and a second run make of the folder.
func TestExport_Parts(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 10)
		dir := filepath.Join(t.TempDir(), "events")
		args := []string{dir, "--table", "events", "--part-rows", "4"}
		res := b.mustExport(t, args...)
		if !strings.Contains(res.Stdout, "Exported 10 rows to "+dir+" in 3 parts (") {
			t.Errorf("output %q", res.Stdout)
		}
		if diff := cmp.Diff([]string{"events-00001.csv", "events-00002.csv", "events-00003.csv", "manifest.json"}, filesIn(t, dir)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		var m struct {
			Table, Database string
			Complete        bool
			Parts           []struct{ Rows, Bytes int }
		}
		text := readFile(t, dir, "manifest.json")
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if !m.Complete || len(m.Parts) != 3 || m.Parts[2].Rows != 2 || m.Parts[2].Bytes != len(readFile(t, dir, "events-00003.csv")) || strings.Contains(text, testdb.Password) {
			t.Errorf("manifest %s", text)
		}
		if res := b.mustExport(t, args...); !strings.Contains(res.Stdout, "Nothing to export: ") {
			t.Errorf("a second time: %q", res.Stdout)
		}
		_, err := b.export(t.Context(), append(args, "--where", "id < 5")...)
		if drover.ExitCode(err) != drover.ExitRefused || !strings.Contains(hintsOf(err), "where:  there, id < 5 now") {
			t.Errorf("other rows: %v, %s", err, hintsOf(err))
		}
		if err := os.Truncate(filepath.Join(dir, "events-00002.csv"), 3); err != nil {
			t.Fatal(err)
		}
		_, err = b.export(t.Context(), args...)
		if drover.ExitCode(err) != drover.ExitRefused || !strings.Contains(hintsOf(err), "events-00002.csv has 3 bytes and not ") {
			t.Errorf("a part that was cut: %v, %s", err, hintsOf(err))
		}
		b.mustExport(t, append(args, "--overwrite", "--where", "id < 5")...)
		if diff := cmp.Diff([]string{"events-00001.csv", "manifest.json"}, filesIn(t, dir)); diff != "" {
			t.Errorf("overwritten (-want +got):\n%s", diff)
		}
		b.mustExport(t, dir+"2", "--table", "events", "--part-rows", "4", "--limit", "6")
		if got := readFile(t, dir+"2", "events-00002.csv"); got != "id,status\n5,open\n6,done\n" {
			t.Errorf("limited: %q", got)
		}
		b.mustExport(t, dir+"3", "--table", "events", "--part-rows", "4", "--where", "id < 0")
		if diff := cmp.Diff([]string{"manifest.json"}, filesIn(t, dir+"3")); diff != "" {
			t.Errorf("no rows (-want +got):\n%s", diff)
		}
	})
}

// TestExport_PartsAlongManyKeys walks keys of several columns, of text, of times and of bytes, in parts of one row.
func TestExport_PartsAlongManyKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		instant, raw, x := "timestamp", "bytea", `'\x0%d'`
		switch b.Name {
		case testdb.NameMariaDB:
			instant, raw, x = "datetime(3)", "varbinary(8)", "x'0%d'"
		case testdb.NameSQLite:
			raw, x = "blob", "x'0%d'"
		}
		b.exec(t, "CREATE TABLE t (a varchar(10) NOT NULL, b "+instant+" NOT NULL, c "+raw+" NOT NULL, d decimal(6,2) NOT NULL, PRIMARY KEY (a, b, c, d))")
		want := "a,b,c,d\n"
		for _, a := range []string{"Ä", "x"} {
			for _, at := range []string{"2026-01-02 03:04:05", "2026-01-02 03:04:05.5"} {
				for c := 1; c < 3; c++ {
					for _, d := range []string{"-1.50", "2.00"} {
						b.exec(t, "INSERT INTO t VALUES ('"+a+"', '"+at+"', "+fmt.Sprintf(x, c)+", "+d+")")
						want += fmt.Sprintf("%s,%s,\\x0%d,%s\n", a, at, c, d)
					}
				}
			}
		}
		dir := t.TempDir()
		b.mustExport(t, filepath.Join(dir, "t.csv"), "--table", "t")
		whole := readFile(t, dir, "t.csv")
		b.mustExport(t, filepath.Join(dir, "t"), "--table", "t", "--part-rows", "1", "--no-header")
		parts := "a,b,c,d\n"
		for i := range 16 {
			parts += readFile(t, dir, "t", fmt.Sprintf("t-%05d.csv", i+1))
		}
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("parts (-whole +parts):\n%s", diff)
		}
		sorted := func(text string) []string {
			lines := strings.Split(text, "\n")
			m := map[string]bool{}
			for _, l := range lines {
				m[l] = true
			}
			return []string{fmt.Sprint(m), fmt.Sprint(len(lines))}
		}
		if diff := cmp.Diff(sorted(want), sorted(whole)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

// TestExport_Locked lets two exports write the same file and the same folder at once.
func TestExport_Locked(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 10)
	dir := t.TempDir()
	for _, args := range [][]string{{filepath.Join(dir, "a.csv")}, {filepath.Join(dir, "a"), "--part-rows", "3"}} {
		args = append(args, "--table", "events")
		inner := errors.New("the second export did not run")
		conn, err := db.Open(t.Context(), b.URL, db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
			if strings.Contains(s.SQL, "ORDER BY") && strings.HasPrefix(s.SQL, "SELECT") && strings.Contains(s.SQL, "status") {
				_, inner = b.export(t.Context(), args...)
			}
			return next(ctx)
		}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = newApp().CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{conn}}, "export", args...)
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Error(err)
		}
		if drover.ExitCode(inner) != drover.ExitLocked || !strings.Contains(inner.Error(), "another process is writing") {
			t.Errorf("the second one: %v", inner)
		}
	}
}

// TestExport_Completion offers tables, and the columns of the table.
func TestExport_Completion(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 1)
	for args, want := range map[string]string{
		"--table ev":                         "events\n",
		"--table events --columns ":          "id\nstatus\n",
		"--table events --columns id,st":     "id,status\n",
		"--table nothing --columns ":         "",
		"--table events --columns id,nothin": "",
	} {
		_, stdout, _ := b.shell(t, nil, append([]string{"__completeNoDesc", "export"}, strings.Split(args, " ")...)...)
		if got, _, _ := strings.Cut(stdout, ":"); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

// TestExport_Replica writes the rows of a server on which nothing can be written, with a password that must not be kept anywhere.
func TestExport_Replica(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres, testdb.NameMariaDB: testdb.NewMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			primary := start(t)
			b := newBench(t, primary.Database(t))
			b.events(t, 10)
			standby := primary.NewStandby(t)
			standby.CatchUp(t)
			dir := t.TempDir()
			for _, args := range [][]string{{filepath.Join(dir, "events.csv")}, {filepath.Join(dir, "events"), "--part-rows", "4"}} {
				res, err := newApp().CallWith(t.Context(), drover.CallOptions{Environ: []string{}}, "export", append(args, "--table", "events", "--database", standby.Replica(b.Database).URL)...)
				if err != nil || strings.Contains(res.Stdout+res.Stderr, testdb.Password) {
					t.Errorf("error %v, output\n%s%s", err, res.Stdout, res.Stderr)
				}
			}
			if n := strings.Count(readFile(t, dir, "events.csv"), "\n"); n != 11 {
				t.Errorf("%d lines", n)
			}
			if manifest := readFile(t, dir, "events", "manifest.json"); !strings.Contains(manifest, `"complete": true`) || strings.Contains(manifest, testdb.Password) {
				t.Errorf("manifest %s", manifest)
			}
		})
	}
}
