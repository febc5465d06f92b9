package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/testdb"
)

// load runs drover import.
func (b *bench) load(ctx context.Context, file string, args ...string) (*drover.Result, error) {
	return b.command(ctx, drover.CallOptions{}, "import", append([]string{file, "--no-input"}, args...)...)
}

func (b *bench) mustLoad(t *testing.T, file string, args ...string) *drover.Result {
	t.Helper()
	res, err := b.load(t.Context(), file, args...)
	if err != nil {
		t.Fatalf("import %s %s: %v\n%s", file, strings.Join(args, " "), err, res.Stderr)
	}
	return res
}

// dataFile makes a file of a test's folder.
func dataFile(t *testing.T, name, text string) string {
	t.Helper()
	file := name
	if !filepath.IsAbs(file) {
		file = filepath.Join(t.TempDir(), name)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// lines are the rows of a query, the values of each between bars.
func (b *bench) lines(t *testing.T, query string, columns int) string {
	t.Helper()
	rows, err := b.raw.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out strings.Builder
	for rows.Next() {
		values, dest := make([]*string, columns), make([]any, columns)
		for i := range dest {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		for i, value := range values {
			if i > 0 {
				out.WriteByte('|')
			}
			if value == nil {
				out.WriteString("NULL")
			} else {
				out.WriteString(*value)
			}
		}
		out.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestImport_RoundTrip writes a table with every portable type to a file of every format, reads it back into the empty table, and writes it again.
func TestImport_RoundTrip(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.kinds(t)
		dir := t.TempDir()
		before := b.lines(t, "SELECT * FROM kinds ORDER BY id", 13)
		for _, name := range []string{"a.csv", "a.csv.gz", "a.csv.zst", "a.jsonl", "a.jsonl.gz", "a.parquet"} {
			file, again := filepath.Join(dir, name), filepath.Join(dir, "again-"+name)
			b.mustExport(t, file, "--table", "kinds")
			b.exec(t, "DELETE FROM kinds")
			res := b.mustLoad(t, file, "--table", "kinds", "--batch-size", "4")
			if want := "Imported 6 rows in 2 batches into " + res.Stdout[strings.Index(res.Stdout, "into ")+5:]; res.Stdout != want {
				t.Errorf("%s: output %q", name, res.Stdout)
			}
			if b.Name != testdb.NameSQLite { // which keeps a value as it was written
				if diff := cmp.Diff(before, b.lines(t, "SELECT * FROM kinds ORDER BY id", 13)); diff != "" {
					t.Errorf("%s: rows (-want +got):\n%s", name, diff)
				}
			}
			b.mustExport(t, again, "--table", "kinds")
			if readFile(t, file) != readFile(t, again) {
				t.Errorf("%s: the file written again is another one", name)
			}
		}
	})
}

// TestImport_AnyText reads texts of all characters that mean something in CSV, in COPY or in SQL.
func TestImport_AnyText(t *testing.T) {
	alphabet := []string{"a", `"`, ",", "\n", "\r", "\r\n", `\`, `\.`, "\n\\.\n", ";", "'", "\t", "é", "𝄞", " ", `\N`, "?", "$1", ":x"}
	var want strings.Builder
	csv, tabs := []byte("id,text\n"), []byte{}
	for id := range 300 {
		var text strings.Builder
		for range rand.IntN(8) {
			text.WriteString(alphabet[rand.IntN(len(alphabet))])
		}
		fmt.Fprintf(&want, "%d|%s\n", id, text.String())
		csv = fmt.Appendf(csv, "%d,", id)
		csv = append(datafile.AppendField(csv, []byte(text.String()), ',', ""), '\n')
		tabs = append(datafile.AppendField(tabs, []byte(text.String()), '\t', "NULL"), '\t')
		tabs = fmt.Appendf(tabs, "%d\n", id)
	}
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE texts (id integer NOT NULL PRIMARY KEY, text text)")
		for _, tt := range []struct {
			file string
			args []string
		}{
			{dataFile(t, "a.csv", string(csv)), nil},
			{dataFile(t, "a.tsv", string(tabs)), []string{"--format", "csv", "--delimiter", "tab", "--null", "NULL", "--no-header", "--columns", "text,id"}},
		} {
			b.mustLoad(t, tt.file, append([]string{"--table", "texts", "--batch-size", "100"}, tt.args...)...)
			if diff := cmp.Diff(want.String(), b.lines(t, "SELECT id, text FROM texts ORDER BY id", 2)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.file, diff)
			}
			b.exec(t, "DELETE FROM texts")
		}
		// A carriage return that is not quoted is a character of its field, but at the end of a line.
		b.mustLoad(t, dataFile(t, "cr.csv", "text,id\n\rx\ry,1\r\nz,2\n"), "--table", "texts")
		if got := b.lines(t, "SELECT id, text FROM texts ORDER BY id", 2); got != "1|\rx\ry\n2|z\n" {
			t.Errorf("carriage returns: %q", got)
		}
	})
}

func (b *bench) peopleTable(t *testing.T) {
	t.Helper()
	b.exec(t, "CREATE TABLE people (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL, score decimal(6,2), born date, note varchar(20) DEFAULT 'none')")
}

const selectPeople = "SELECT id, name, score, born, note FROM people ORDER BY id"

// TestImport_Columns says in every way which field goes where.
func TestImport_Columns(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		tests := []struct{ name, file, text, want string }{
			{"by name, in another order", "a.csv", "born,NAME,id\n2000-01-02,Ann,1\n,\"\",2\n", "1|Ann|NULL|2000-01-02|none\n2||NULL|NULL|none\n"},
			{"mapped, left out --map Full=Name=name --ignore-field junk", "a.csv", "Full=Name,junk,id\nAnn,x,1\n", "1|Ann|NULL|NULL|none\n"},
			{"no names --no-header", "a.csv", "1,Ann,1.5,2000-01-02,hello\n", "1|Ann|1.5|2000-01-02|hello\n"},
			{"no names, said --no-header --columns name,-,id", "a.csv", "Ann,x,1\n", "1|Ann|NULL|NULL|none\n"},
			{"NULL by a token --null NA --delimiter ;", "a.csv", "id;name;note;score\n1;Ann;NA;NA\n2;\"NA\";;3\n", "1|Ann|NULL|NULL|NULL\n2|NA|3|NULL|\n"},
			{"lines of Windows, a byte order mark", "a.csv", "\xEF\xBB\xBFid,name\r\n1,Ann\r\n\r\n2,Bob", "1|Ann|NULL|NULL|none\n2|Bob|NULL|NULL|none\n"},
			{"JSON", "a.ndjson", `{"id":1,"name":"A\u00e9","score":1.25,"born":null}` + "\n" + `{"name":"Bob","id":2}` + "\n", "1|Aé|1.25|NULL|none\n2|Bob|NULL|NULL|none\n"},
			{"numbers with an exponent", "a.csv", "id,name,score\n1,Ann,1.5e2\n", "1|Ann|150|NULL|none\n"},
		}
		for _, tt := range tests {
			name, options, _ := strings.Cut(tt.name, " --")
			args := []string{"--table", "people"}
			if options != "" {
				args = append(args, strings.Fields("--"+options)...)
			}
			b.mustLoad(t, dataFile(t, tt.file, tt.text), args...)
			got := strings.NewReplacer(".50|", ".5|", ".00|", "|", "T00:00:00Z", "").Replace(b.lines(t, selectPeople, 5))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			b.exec(t, "DELETE FROM people")
		}
	})
}

// TestImport_UpsertTwice changes nothing with the same file again, and the rows of its keys with another one.
func TestImport_UpsertTwice(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		b.exec(t, "INSERT INTO people VALUES (1, 'old', 1, '2000-01-01', 'kept'), (9, 'other', 9, NULL, NULL)")
		file := dataFile(t, "a.csv", "id,name,score\n1,Ann,1.50\n2,Bob,\n3,Cid,3\n3,Cyd,3.25\n")
		args := []string{"--table", "people", "--upsert-on", "id"}
		b.mustLoad(t, file, args...)
		want := "1|Ann|1.5|2000-01-01|kept\n2|Bob|NULL|NULL|none\n3|Cyd|3.25|NULL|none\n9|other|9|NULL|NULL\n"
		people := func() string {
			return strings.NewReplacer(".50|", ".5|", ".00|", "|", "T00:00:00Z", "").Replace(b.lines(t, selectPeople, 5))
		}
		if diff := cmp.Diff(want, people()); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		before := b.lines(t, selectPeople, 5)
		res := b.mustLoad(t, dataFile(t, "b.csv", "id,name,score\n1,Ann,1.50\n2,Bob,\n3,Cyd,3.25\n"), args...)
		if diff := cmp.Diff(before, b.lines(t, selectPeople, 5)); diff != "" {
			t.Errorf("the rows have changed (-before +after):\n%s", diff)
		}
		if told := strings.Contains(res.Stderr, "3 rows had their values already"); told != (b.Name != testdb.NameMariaDB) {
			t.Errorf("summary:\n%s", res.Stderr)
		}
		b.mustLoad(t, file, args...)
		if diff := cmp.Diff(want, people()); diff != "" {
			t.Errorf("the same file again: rows (-want +got):\n%s", diff)
		}
	})
}

// TestImport_SameFileAgain is refused, under another name too, unless it is asked for.
func TestImport_SameFileAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE notes (note varchar(20))") // without a key
		text := "note\nx\ny\n"
		b.mustLoad(t, dataFile(t, "a.csv", text), "--table", "notes")
		other := dataFile(t, "b.csv", text)
		if _, err := b.load(t.Context(), other, "--table", "notes"); drover.ExitCode(err) != drover.ExitRefused || !strings.Contains(fmt.Sprint(err), "is imported into") {
			t.Errorf("the same content: %v", err)
		}
		b.wantCount(t, "SELECT count(*) FROM notes", 2)
		b.mustLoad(t, other, "--table", "notes", "--again")
		b.wantCount(t, "SELECT count(*) FROM notes", 4)
		b.mustLoad(t, dataFile(t, other, "note\nz\n"), "--table", "notes")
		b.wantCount(t, "SELECT count(*) FROM notes", 5)
	})
}

// TestImport_BadRecords sets records of every kind of badness aside, and writes them to the reject file.
func TestImport_BadRecords(t *testing.T) {
	const text = `id,name,score,born
1,Ann,1.5,2000-01-02
2,Bob
x,Cid,1,
4,"D" d,1,
5,,1,
6,Fay,12345.5,
7,Gus,1.555,
8,Hal,1,2000-02-30
9,this name is too long for it,1,
1,Twice,1,
11,"Kim
Lee",2,
12,Liv,3,
`
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		file := dataFile(t, "a.csv", text)
		rejected := filepath.Join(t.TempDir(), "rejected.csv")
		b.unchanged(t, func() {
			if _, err := b.load(t.Context(), file, "--table", "people", "--dry-run"); err != nil {
				t.Errorf("dry run: %v", err)
			}
		})
		if _, err := b.load(t.Context(), file, "--table", "people", "--max-errors", "3", "--reject-file", rejected); drover.ExitCode(err) != drover.ExitFailed {
			t.Errorf("three errors allowed: %v", err)
		}
		res, err := b.load(t.Context(), file, "--table", "people", "--max-errors", "100", "--reject-file", rejected)
		if drover.ExitCode(err) != drover.ExitPartial {
			t.Fatalf("error %v\n%s", err, res.Stderr)
		}
		more, lines := "", []string{"3", "4", "5", "6", "7", "8", "9", "10", "11"}
		if b.Name == testdb.NameSQLite { // whose columns hold texts and numbers of any length
			more, lines = "6|Fay\n7|Gus\n9|this name is too long for it\n", []string{"3", "4", "5", "6", "9", "11"}
		}
		if got, want := b.lines(t, "SELECT id, name FROM people ORDER BY id", 2), "1|Ann\n"+more+"11|Kim\nLee\n12|Liv\n"; got != want {
			t.Errorf("rows %q, want %q", got, want)
		}
		if b.Name == testdb.NamePostgres {
			golden(t, "import_rejected", readFile(t, rejected))
		}
		got := strings.Split(strings.TrimSpace(readFile(t, rejected)), "\n")
		var numbers []string
		for _, line := range got[1:] {
			number, _, _ := strings.Cut(line, ",")
			numbers = append(numbers, number)
		}
		if diff := cmp.Diff(lines, numbers); diff != "" {
			t.Errorf("lines of the rejected records (-want +got):\n%s\n%s", diff, strings.Join(got, "\n"))
		}
		if !strings.Contains(res.Stderr, fmt.Sprintf("%d records written to %s", len(lines), rejected)) {
			t.Errorf("messages:\n%s", res.Stderr)
		}
		id := b.latestRun(t)
		b.exec(t, "DELETE FROM people WHERE id = 1") // so that the tenth can be written now
		if _, err := b.load(t.Context(), file, "--table", "people", "--retry", id, "--max-errors", "100", "--reject-file", rejected); drover.ExitCode(err) != drover.ExitPartial {
			t.Errorf("retry: %v", err)
		}
		if left := strings.Count(readFile(t, rejected), "\n"); left != len(got)-1 { // it is written anew, without the one that was written to the table now
			t.Errorf("%d lines of rejected records after the retry, %d before", left, len(got))
		}
		if got, want := b.lines(t, "SELECT id, name FROM people ORDER BY id", 2), "1|Twice\n"+more+"11|Kim\nLee\n12|Liv\n"; got != want {
			t.Errorf("rows %q, want %q", got, want)
		}
	})
}

// latestRun is the id of the run that was begun last.
func (b *bench) latestRun(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(b.lines(t, "SELECT id FROM drover_runs ORDER BY id DESC LIMIT 1", 1))
}

// TestImport_DryRuns leave the database as it was, and say what they have seen.
func TestImport_DryRuns(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		b.exec(t, "INSERT INTO people VALUES (2, 'old', 1, NULL, NULL)")
		file := dataFile(t, "people.csv", "id,name,extra\n1,Ann,x\n2,Bob,y\n3,Cid,z\n")
		args := []string{"--table", "people", "--upsert-on", "id", "--map", "extra=note"}
		b.unchanged(t, func() {
			res := b.mustLoad(t, file, append(args, "--dry-run")...)
			for _, part := range []string{"Would import 3 rows in 1 batch into", "id, name, extra -> note", "id 1  name Ann  extra x", "on id: the values of a row that is there are replaced"} {
				if !strings.Contains(res.Stdout, part) {
					t.Errorf("dry run without %q:\n%s", part, res.Stdout)
				}
			}
			res = b.mustLoad(t, file, append(args, "--dry-run=rollback")...)
			for _, part := range []string{"id 2:  name old -> Bob  note NULL -> y", "people: 2 inserted, 1 updated"} {
				if b.Name == testdb.NameMariaDB {
					part = strings.Replace(part, "people: 2 inserted, 1 updated", "people: ", 1)
				}
				if !strings.Contains(res.Stdout, part) {
					t.Errorf("rehearsal without %q:\n%s", part, res.Stdout)
				}
			}
			res = b.mustLoad(t, dataFile(t, "more.csv", "id,name\n7,Gus\n8,Hal\n"), "--table", "people", "--dry-run=rollback")
			if !strings.Contains(res.Stdout, "people: 2 inserted, 0 updated") { // of rows that are new nothing is compared
				t.Errorf("rehearsal of new rows:\n%s", res.Stdout)
			}
			if _, err := b.load(t.Context(), file, append(args, "--check")...); drover.ExitCode(err) != drover.ExitFailed {
				t.Errorf("check: %v", err)
			}
		})
	})
}

// TestImport_Loads uses the statement that loads a stream where there is one, and does without it where the server does not allow it.
func TestImport_Loads(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameMariaDB))
	b.peopleTable(t)
	file := dataFile(t, "a.csv", "id,name,score,born,note\n1,Ann,1.5,2000-01-02,\\N\n2,\"tab\t\\ line\nx\",,,\"\"\n")
	const want = "1|Ann|1.50|2000-01-02T00:00:00Z|\\N\n2|tab\t\\ line\nx|NULL|NULL|\n"
	loads := func() int {
		return b.count(t, "SELECT CAST(VARIABLE_VALUE AS integer) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'COM_LOAD'")
	}
	before := loads()
	b.unchanged(t, func() {
		res := b.mustLoad(t, file, "--table", "people", "--dry-run=rollback")
		if !strings.Contains(res.Stdout, ".people: 2 inserted, 0 updated") {
			t.Errorf("rehearsal:\n%s", res.Stdout)
		}
	})
	b.mustLoad(t, file, "--table", "people")
	if n := loads() - before; n < 2 { // other tests use it too
		t.Errorf("%d statements have loaded rows", n)
	}
	if got := b.lines(t, selectPeople, 5); got != want {
		t.Errorf("rows %q, want %q", got, want)
	}
	admin := b.Server.Admin(t, "mysql")
	allow := func(value int) {
		if _, err := admin.ExecContext(context.WithoutCancel(t.Context()), fmt.Sprintf("SET GLOBAL local_infile = %d", value)); err != nil {
			t.Fatal(err)
		}
	}
	b.exec(t, "DELETE FROM people")
	allow(0)
	defer allow(1)
	b.mustLoad(t, file, "--table", "people", "--again")
	if got := b.lines(t, selectPeople, 5); got != want {
		t.Errorf("not allowed: rows %q, want %q", got, want)
	}
}

// TestImport_Undo takes the rows away that were made, and restores those that were changed.
func TestImport_Undo(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		b.exec(t, "INSERT INTO people VALUES (2, 'old', 1, NULL, 'kept'), (9, 'other', 9, NULL, NULL)")
		before := b.lines(t, selectPeople, 5)
		b.mustLoad(t, dataFile(t, "a.csv", "id,name\n1,Ann\n2,Bob\n3,Cid\n3,Cyd\n"), "--table", "people", "--upsert-on", "id", "--undo", "--batch-size", "2")
		b.wantCount(t, "SELECT count(*) FROM people WHERE name IN ('Ann', 'Bob', 'Cyd')", 3)
		b.mustUndo(t)
		if diff := cmp.Diff(before, b.lines(t, selectPeople, 5)); diff != "" {
			t.Errorf("an upsert that was undone (-before +after):\n%s", diff)
		}
		half := dataFile(t, "half.csv", "id,name\n7,Gus\nx,Hal\n")
		for _, tt := range []struct {
			args []string
			code int
		}{{[]string{"--undo"}, drover.ExitFailed}, {nil, drover.ExitUsage}, {[]string{"--undo", "--max-errors", "1"}, drover.ExitPartial}} { // resumed without --undo it would forget rows
			if _, err := b.load(t.Context(), half, append(tt.args, "--table", "people", "--batch-size", "1")...); drover.ExitCode(err) != tt.code {
				t.Errorf("with %v: %v", tt.args, err)
			}
		}
		b.mustUndo(t)
		b.mustLoad(t, dataFile(t, "b.csv", "id,name\n5,Eve\n6,Fay\n"), "--table", "people", "--undo")
		b.wantCount(t, "SELECT count(*) FROM people", 4)
		b.mustUndo(t)
		if diff := cmp.Diff(before, b.lines(t, selectPeople, 5)); diff != "" {
			t.Errorf("an import that was undone (-before +after):\n%s", diff)
		}
	})
}

// TestImport_UndoByKeysOfAnyForm upserts rows whose keys the file writes otherwise than the database does. What was there before is changed, and is there
// as it was when that is undone.
func TestImport_UndoByKeysOfAnyForm(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		keys := map[string][3]string{ // its type, a value that is there, how the file writes that
			"decimal": {"decimal(10,2)", "1.50", "1.5"}, "own": {"decimal(10,2)", "1.50", ""}, "text": {"varchar(20)", "abc", "abc"}, "number": {"bigint", "7", "007"},
		}
		switch b.Name {
		case testdb.NamePostgres:
			keys["moment"] = [3]string{"timestamptz", "2026-01-02 03:04:05+00", "2026-01-02 05:04:05+02:00"}
			keys["own moment"] = [3]string{"timestamptz", "2026-01-02 03:04:05+00", ""}
			keys["network"] = [3]string{"inet", "10.0.0.1", "10.0.0.1/32"}
		case testdb.NameMariaDB:
			keys["moment"] = [3]string{"datetime(3)", "2026-01-02 03:04:05.500", "2026-01-02 03:04:05.5"}
			keys["own moment"] = [3]string{"datetime", "2026-01-02 03:04:05", ""}
			keys["any case"] = [3]string{"varchar(20) COLLATE utf8mb4_general_ci", "ABC", "abc"}
		}
		for name, k := range keys {
			table := "known_" + strings.ReplaceAll(name, " ", "_")
			b.exec(t, "CREATE TABLE "+table+" (k "+k[0]+" NOT NULL PRIMARY KEY, note varchar(20))", "INSERT INTO "+table+" VALUES ('"+k[1]+"', 'old')")
			before := b.lines(t, "SELECT k, note FROM "+table+" ORDER BY k", 2)
			file := filepath.Join(t.TempDir(), "known.csv")
			if k[2] == "" {
				if _, err := b.command(t.Context(), drover.CallOptions{}, "export", file, "--table", table); err != nil {
					t.Fatal(err)
				}
				dataFile(t, file, strings.Replace(readFile(t, file), "old", "new", 1))
			} else {
				dataFile(t, file, "k,note\n"+k[2]+",new\n")
			}
			b.mustLoad(t, file, "--table", table, "--upsert-on", "k", "--undo")
			b.wantCount(t, "SELECT count(*) FROM "+table+" WHERE note = 'new'", 1)
			b.mustUndo(t)
			if diff := cmp.Diff(before, b.lines(t, "SELECT k, note FROM "+table+" ORDER BY k", 2)); diff != "" {
				t.Errorf("%s (-before +undone):\n%s", name, diff)
			}
		}
	})
}

// TestImport_UndoNeedsKeys sets records aside whose rows an undo would not find again.
func TestImport_UndoNeedsKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		auto := map[string]string{testdb.NamePostgres: "id serial PRIMARY KEY", testdb.NameMariaDB: "id integer AUTO_INCREMENT PRIMARY KEY", testdb.NameSQLite: "id INTEGER PRIMARY KEY"}[b.Name]
		b.exec(t, "CREATE TABLE made ("+auto+", name varchar(20))")
		file := dataFile(t, "made.csv", "id,name\n,x\n7,y\n")
		if _, err := b.load(t.Context(), file, "--table", "made", "--undo"); drover.ExitCode(err) != drover.ExitFailed || !strings.Contains(err.Error(), "at line 2: ") {
			t.Errorf("error %v", err)
		}
		if _, err := b.load(t.Context(), file, "--table", "made", "--undo", "--max-errors", "1"); drover.ExitCode(err) != drover.ExitPartial {
			t.Errorf("error %v", err)
		}
		b.mustUndo(t)
		b.wantCount(t, "SELECT count(*) FROM made", 0)
	})
}

// TestImport_OnceHoweverItIsWritten gives the same file with options that are written otherwise, or are other ones.
func TestImport_OnceHoweverItIsWritten(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE log (id integer, note varchar(20))") // without a key that would refuse a row
		file := dataFile(t, "log.csv", "id,note\n1,a\n2,b\n3,NULL\n4,d\n")
		schema := map[string]string{testdb.NamePostgres: "public", testdb.NameSQLite: "main"}[b.Name]
		if b.Name == testdb.NameMariaDB {
			schema = strings.TrimSpace(b.lines(t, "SELECT database()", 1))
		}
		other := dataFile(t, "other.csv", readFile(t, file))
		spellings := [][]string{
			{file, "--table", "log"},
			{other, "--table", "log"},
			{file, "--table", schema + ".log"},
			{file, "--table", "log", "--format", "csv"},
			{file, "--table", "log", "--delimiter", ","},
			{file, "--table", "log", "--null", "NULL"},
			{file, "--table", "log", "--ignore-field", "note"},
			{file, "--table", "log", "--limit", "3"},
		}
		try := func(want int, text string, args []string) {
			t.Helper()
			if _, err := b.load(t.Context(), args[0], args[1:]...); drover.ExitCode(err) != want || err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("%v: exit code %d, %v", args[1:], drover.ExitCode(err), err)
			}
		}
		begun := append(slices.Clone(spellings[0]), "--batch-size", "1", "--rows-per-second", "1", "--time-limit", "1100ms")
		try(drover.ExitAgain, "", begun)
		n := b.count(t, "SELECT count(*) FROM log")
		if n == 0 || n == 4 {
			t.Fatalf("%d rows are there", n)
		}
		for _, args := range spellings[5:] {
			try(drover.ExitRefused, "with other options", args)
		}
		b.wantCount(t, "SELECT count(*) FROM log", n)
		try(drover.ExitOK, "", spellings[2])
		for _, args := range spellings {
			try(drover.ExitRefused, "is imported into", args)
		}
		b.wantCount(t, "SELECT count(*) FROM log", 4)

		b.exec(t, "DELETE FROM log")
		part := dataFile(t, "part.csv", "id,note\n1,a\n2,b\n")
		try(drover.ExitOK, "", []string{part, "--table", "log", "--limit", "1"})
		try(drover.ExitRefused, "is imported into", []string{part, "--table", "log"})
		b.wantCount(t, "SELECT count(*) FROM log", 1)
	})
}

// TestImport_RecordsWithoutFields are no rows of NULLs.
func TestImport_RecordsWithoutFields(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.exec(t, "CREATE TABLE empty (id integer, note varchar(20))")
	for _, args := range [][]string{{"--json"}, {"--dry-run"}, nil} {
		_, err := b.load(t.Context(), dataFile(t, "empty.jsonl", "{}\n{}\n"), append(args, "--table", "empty")...)
		if drover.ExitCode(err) != drover.ExitUsage || !strings.Contains(fmt.Sprint(err), "has a field; nothing was written") {
			t.Errorf("%v: %v", args, err)
		}
	}
	b.wantCount(t, "SELECT count(*) FROM empty", 0)
}

// TestImport_RejectFileOfOthers writes over no file that is not the run's own.
func TestImport_RejectFileOfOthers(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.peopleTable(t)
	file := dataFile(t, "people.csv", "id,name\nx,Ann\n2,Bob\n")
	precious := dataFile(t, "precious.txt", "kept")
	own := filepath.Join(t.TempDir(), "rejected.csv")
	load := func(want int, args ...string) error {
		t.Helper()
		_, err := b.load(t.Context(), file, append([]string{"--table", "people", "--batch-size", "1"}, args...)...)
		if drover.ExitCode(err) != want {
			t.Errorf("%v: %v", args, err)
		}
		return err
	}
	_ = load(drover.ExitFailed)
	for _, name := range []string{precious, file} {
		_ = load(drover.ExitRefused, "--max-errors", "5", "--reject-file", name)
	}
	_ = load(drover.ExitPartial, "--max-errors", "5", "--reject-file", own)
	id := b.latestRun(t)
	_ = load(drover.ExitRefused, "--retry", id, "--max-errors", "5", "--reject-file", file)
	if got := readFile(t, precious) + readFile(t, file); got != "keptid,name\nx,Ann\n2,Bob\n" {
		t.Errorf("the files are now %q", got)
	}

	// A folder that is gone at the end is told of, and what was set aside is kept in the database.
	gone := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	b.exec(t, "DELETE FROM people")
	o := drover.CallOptions{Stdout: &whenSaid{text: `"type":"quarantined"`, do: func() { _ = os.RemoveAll(gone) }}}
	_, err := b.command(t.Context(), o, "import", file, "--no-input", "--again", "--table", "people", "--max-errors", "5", "--reject-file", filepath.Join(gone, "rejected.csv"), "--json")
	if drover.ExitCode(err) != drover.ExitFailed || !strings.Contains(fmt.Sprint(err), "1 row set aside; ") || !strings.Contains(fmt.Sprint(err), "the records are kept in the database") {
		t.Errorf("a folder that is gone: %v", err)
	}
}

// whenSaid does something when a text is printed.
type whenSaid struct {
	text string
	do   func()
}

func (w *whenSaid) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.do()
	}
	return len(p), nil
}

func (b *bench) mustUndo(t *testing.T) {
	t.Helper()
	res, err := b.command(t.Context(), drover.CallOptions{}, "undo", b.latestRun(t), "--no-input")
	if err != nil {
		t.Fatalf("undo: %v\n%s", err, res.Stderr)
	}
}

// TestImport_FileChanged refuses to go on with a file that is not the one that the run began with.
func TestImport_FileChanged(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, note varchar(20))")
		text := "id,note\n1,a\n2,b\nx,c\n4,d\n"
		file := dataFile(t, "a.csv", text)
		args := []string{"--table", "notes", "--batch-size", "1"}
		if _, err := b.load(t.Context(), file, args...); err == nil {
			t.Fatal("a bad record was imported")
		}
		b.wantCount(t, "SELECT count(*) FROM notes", 2)
		dataFile(t, file, "id,note\n1,a\n3,b\n5,c\n4,d\n")
		_, err := b.load(t.Context(), file, args...)
		if drover.ExitCode(err) != drover.ExitRefused || !strings.Contains(fmt.Sprint(err), "has changed since run ") {
			t.Errorf("a changed file: %v", err)
		}
		b.wantCount(t, "SELECT count(*) FROM notes", 2)
		dataFile(t, file, text)
		if _, err := b.load(t.Context(), file, append(args, "--max-errors", "1")...); drover.ExitCode(err) != drover.ExitPartial {
			t.Errorf("the file as it was: %v", err)
		}
		if got := b.lines(t, "SELECT id FROM notes ORDER BY id", 1); got != "1\n2\n4\n" {
			t.Errorf("rows %q", got)
		}
	})
}

var digits = regexp.MustCompile(`\d+`)

// TestImport_FileChangesMeanwhile stops where the file is written to while it is imported.
func TestImport_FileChangesMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, note text)")
		var text strings.Builder
		text.WriteString("id,note\n")
		for i := range 200 {
			fmt.Fprintf(&text, "%d,%s\n", i, strings.Repeat("x", 20_000)) // more than what is read ahead
		}
		file := dataFile(t, "a.csv", text.String())
		p := startProgram(t, []string{"DATABASE_URL=" + b.URL}, "import", file, "--table", "notes", "--batch-size", "5", "--rows-per-second", "50", "--no-input")
		p.waitFor(t, "rows are there", func() bool { return b.count(t, "SELECT count(*) FROM notes") > 0 })
		if err := os.Chtimes(file, time.Now(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		_, code := p.wait(t)
		_, message, _ := strings.Cut(p.stderr.String(), "Error: ")
		message = digits.ReplaceAllString(b.stable(strings.ReplaceAll(message, file, "a.csv")), "N")
		golden(t, "import_changed", fmt.Sprintf("exit %d\n%s", code, message))
		if n := b.count(t, "SELECT count(*) FROM notes"); n == 0 || n == 200 || n%5 != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestImport_Archive brings rows back that purge has archived.
func TestImport_Archive(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.kinds(t)
		before := b.lines(t, "SELECT * FROM kinds ORDER BY id", 13)
		for _, name := range []string{"a.jsonl", "a.jsonl.gz", "a.jsonl.zst"} {
			file := filepath.Join(t.TempDir(), name)
			b.mustCall(t, "--table", "kinds", "--all", "--archive-to", file, "--batch-size", "2", "--no-input")
			b.wantCount(t, "SELECT count(*) FROM kinds", 0)
			b.mustLoad(t, file, "--table", "kinds")
			if b.Name == testdb.NameSQLite {
				b.wantCount(t, "SELECT count(*) FROM kinds", 6)
				continue
			}
			if diff := cmp.Diff(before, b.lines(t, "SELECT * FROM kinds ORDER BY id", 13)); diff != "" {
				t.Errorf("%s (-before +after):\n%s", name, diff)
			}
		}
	})
}

// TestImport_JSON has a plan and a summary, and nothing else on the standard output.
func TestImport_JSON(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		res := b.mustLoad(t, dataFile(t, "a.csv", "id,name\n1,Ann\n2,Bob\n"), "--table", "people", "--json")
		var types []string
		for line := range strings.Lines(res.Stdout) {
			var doc struct {
				Type, Command string
				Rows, Done    *int64
				Details       map[string]string
			}
			if err := json.Unmarshal([]byte(line), &doc); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if doc.Command == "" { // an event
				continue
			}
			if doc.Type == "plan" && (doc.Rows == nil || *doc.Rows != 2 || doc.Details["Columns"] != "id, name") {
				t.Errorf("plan %s", line)
			}
			types = append(types, doc.Type)
		}
		if diff := cmp.Diff([]string{"plan", "summary"}, types); diff != "" {
			t.Errorf("documents (-want +got):\n%s", diff)
		}
	})
}

// TestImport_Limit reads the first records alone.
func TestImport_Limit(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		file := dataFile(t, "a.csv", "id,name\n1,Ann\n2,Bob\n3,Cid\n4,Dan\n")
		b.mustLoad(t, file, "--table", "people", "--limit", "3", "--batch-size", "2")
		b.wantCount(t, "SELECT count(*) FROM people", 3)
		b.wantCount(t, "SELECT max(id) FROM people", 3)
	})
}

// TestImport_Refusals runs the whole program, so that the golden files hold what a user reads. Nothing is changed by any of them.
func TestImport_Refusals(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		b.exec(t,
			"CREATE TABLE codes (id integer NOT NULL PRIMARY KEY, code varchar(9) NOT NULL UNIQUE)",
			"CREATE TABLE plain (id integer)", "CREATE VIEW young AS SELECT id FROM people")
		t.Chdir(t.TempDir()) // so that the names in the messages are short
		for name, text := range map[string]string{
			"good.csv": "id,name\n1,Ann\n", "other.csv": "id,nama,colour\n1,Ann,red\n", "part.csv": "id,score\n1,2\n", "twice.csv": "id,id\n1,2\n", "empty.csv": "",
			"open.csv": "id,name\n1,\"Ann\n2,Bob\n", "good.txt": "id,name\n1,Ann\n", "utf16.csv": "\xFF\xFEi\x00d\x00", "three.csv": "1,Ann,x\n", "codes.csv": "id,code\n1,a\n",
			"broken.parquet": "this is no Parquet file", "bad.csv.gz": "id,name\n", "bad.csv": "id,name\n1,Ann\nx,Bob\n", "none.csv": "id,name\n",
			"there.csv": "x\n",
		} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		people := func(file string, more ...string) []string {
			return append([]string{file, "--table", "people"}, more...)
		}
		tests := []refusal{
			{"no file", []string{"--table", "people"}, drover.ExitUsage},
			{"no table", []string{"good.csv"}, drover.ExitUsage},
			{"missing file", people("godo.csv"), drover.ExitUsage},
			{"folder", people(".", "--format", "csv"), drover.ExitUsage},
			{"standard input", people("-"), drover.ExitUsage},
			{"unknown format", people("good.txt"), drover.ExitUsage},
			{"empty file", people("empty.csv"), drover.ExitUsage},
			{"no records", people("none.csv", "--no-input"), drover.ExitOK},
			{"UTF-16", people("utf16.csv"), drover.ExitUsage},
			{"quote never closed", people("open.csv"), drover.ExitUsage},
			{"no Parquet", people("broken.parquet"), drover.ExitUsage},
			{"no gzip", people("bad.csv.gz"), drover.ExitUsage},
			{"a name twice", people("twice.csv"), drover.ExitUsage},
			{"unknown table", []string{"good.csv", "--table", "peoples"}, drover.ExitUsage},
			{"view", []string{"good.csv", "--table", "young"}, drover.ExitUsage},
			{"unknown field", people("other.csv"), drover.ExitUsage},
			{"far field", people("other.csv", "--map", "nama=name"), drover.ExitUsage},
			{"unknown column", people("other.csv", "--map", "nama=nam", "--ignore-field", "colour"), drover.ExitUsage},
			{"map of no field", people("good.csv", "--map", "nam=name"), drover.ExitUsage},
			{"malformed map", people("good.csv", "--map", "name"), drover.ExitUsage},
			{"two fields, one column", people("other.csv", "--map", "nama=name", "--map", "colour=name"), drover.ExitUsage},
			{"column without a value", people("part.csv"), drover.ExitUsage},
			{"number of fields", people("three.csv", "--no-header"), drover.ExitUsage},
			{"number of columns", people("three.csv", "--no-header", "--columns", "id,name"), drover.ExitUsage},
			{"delimiter", people("good.csv", "--delimiter", "ab"), drover.ExitUsage},
			{"upsert without a key", people("good.csv", "--upsert-on", "name"), drover.ExitUsage},
			{"upsert on another column", people("good.csv", "--upsert-on", "nam"), drover.ExitUsage},
			{"undo without a key", []string{"good.csv", "--table", "plain", "--undo", "--ignore-field", "name"}, drover.ExitUsage},
			{"reject file that is there", people("good.csv", "--reject-file", "there.csv", "--no-input"), drover.ExitRefused},
			{"reject file in no folder", people("good.csv", "--reject-file", "nowhere/r.csv", "--no-input"), drover.ExitUsage},
			{"nobody to ask", people("good.csv"), drover.ExitUsage},
		}
		if b.Name == testdb.NameMariaDB {
			tests = append(tests, refusal{"upsert with two keys", []string{"codes.csv", "--table", "codes", "--upsert-on", "id", "--dry-run"}, drover.ExitRefused})
		}
		b.refused(t, "import_refusals."+b.Name, "import", tests)
		b.exec(t, "DROP VIEW young")
	})
}

// TestImport_RefusalsOfRuns are those of a run that was begun.
func TestImport_RefusalsOfRuns(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		file := dataFile(t, "a.csv", "id,name\n1,Ann\n2,Bob\nx,Cid\n")
		var all strings.Builder
		tell := func(what string, args ...string) {
			_, err := b.load(t.Context(), file, append(args, "--table", "people", "--batch-size", "1")...)
			text := strings.ReplaceAll(fmt.Sprint(err), file, "a.csv")
			if exit, ok := errors.AsType[*drover.CommandError](err); ok {
				text += "\n" + strings.ReplaceAll(strings.Join(exit.Advice, "\n"), file, "a.csv")
			}
			fmt.Fprintf(&all, "== %s (exit %d)\n%s\n", what, drover.ExitCode(err), b.stable(text))
		}
		tell("bad record")
		dataFile(t, file, "id,name\n1,Ann\n2,Bob\n3,Cid\n")
		tell("changed file")
		dataFile(t, file, "id,name\n1,Ann\n2,Bob\nx,Cid\n")
		tell("bad record set aside", "--max-errors", "1")
		tell("same file again")
		dataFile(t, file, "id,name\n4,Dan\n5\n")
		tell("malformed record")
		golden(t, "import_runs."+b.Name, all.String())
	})
}

// TestImport_PlanFile does what a plan says, and refuses it where the file has changed since.
func TestImport_PlanFile(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.peopleTable(t)
		const text = "id,name,x\n1,Ann,x\n2,Bob,y\n"
		file := dataFile(t, "a.csv", text)
		plan := filepath.Join(t.TempDir(), "import.json")
		b.unchanged(t, func() {
			b.mustLoad(t, file, "--table", "people", "--map", "x=note", "--dry-run", "--plan-out", plan)
		})
		dataFile(t, file, strings.Replace(text, "Bob", "Rob", 1))
		do := func() error {
			_, err := b.command(t.Context(), drover.CallOptions{}, "import", "--plan", plan, "--no-input")
			return err
		}
		if err := do(); drover.ExitCode(err) != drover.ExitRefused || !strings.Contains(fmt.Sprint(err), "SHA-256 of the file") {
			t.Errorf("another file: %v", err)
		}
		b.wantCount(t, "SELECT count(*) FROM people", 0)
		dataFile(t, file, text)
		if err := do(); err != nil {
			t.Errorf("the file of the plan: %v", err)
		}
		if got := b.lines(t, "SELECT id, name, note FROM people ORDER BY id", 3); got != "1|Ann|x\n2|Bob|y\n" {
			t.Errorf("rows %q", got)
		}
		if err := do(); drover.ExitCode(err) != drover.ExitRefused {
			t.Errorf("once more: %v", err)
		}
	})
}

// TestImport_OwnTypes reads back the types that one kind of database alone has, as new rows and over those that are there.
func TestImport_OwnTypes(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		statements := map[string][]string{
			testdb.NamePostgres: {
				"CREATE TYPE mood AS ENUM ('sad', 'ok')",
				`CREATE TABLE own (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tags text[], doc jsonb, raw json, how mood, span int4range, during interval, ip inet, bits bit(3),
				 twice bigint GENERATED ALWAYS AS (id * 2) STORED)`,
				`INSERT INTO own (tags, doc, raw, how, span, during, ip, bits) VALUES ('{a,"b,c",NULL}', '{"a": [1, "x"]}', '{"b" : 1}', 'ok', '[1,5)', '1 day 02:03:04', '10.0.0.1/8', '101'), (NULL, 'null', '"text"', NULL, NULL, NULL, NULL, NULL)`,
			},
			testdb.NameMariaDB: {
				`CREATE TABLE own (id bigint AUTO_INCREMENT PRIMARY KEY, how enum('sad','ok'), some set('a','b'), doc json, y year, big bigint unsigned, flag tinyint(1), fixed char(5), twice int AS (flag * 2) STORED)`,
				`INSERT INTO own (how, some, doc, y, big, flag, fixed) VALUES ('ok', 'a,b', '{"a": [1, "x"]}', 2026, 18446744073709551615, 2, 'ab'), (NULL, NULL, '"text"', NULL, 0, 1, NULL)`,
			},
			testdb.NameSQLite: {
				"CREATE TABLE own (id INTEGER PRIMARY KEY, plain, number NUMERIC, doc json, twice integer GENERATED ALWAYS AS (id * 2))",
				`INSERT INTO own VALUES (1, 'text', 1.5, '{"a":1}'), (2, NULL, 7, '"x"')`,
			},
		}[b.Name]
		b.exec(t, statements...)
		for _, name := range []string{"own.csv", "own.jsonl"} {
			file := filepath.Join(t.TempDir(), name)
			b.mustExport(t, file, "--table", "own")
			text := readFile(t, file)
			b.exec(t, "DELETE FROM own")
			b.mustLoad(t, file, "--table", "own", "--ignore-field", "twice", "--again")
			b.mustLoad(t, file, "--table", "own", "--ignore-field", "twice", "--upsert-on", "id")
			again := filepath.Join(t.TempDir(), "again-"+name)
			b.mustExport(t, again, "--table", "own")
			if diff := cmp.Diff(text, readFile(t, again)); diff != "" {
				t.Errorf("%s (-written +written again):\n%s", name, diff)
			}
		}
	})
}
