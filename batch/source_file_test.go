package batch_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/table"
)

func csvOf(path string, o batch.CSVOptions) func() batch.Source[batch.Record] {
	return func() batch.Source[batch.Record] { return batch.CSV(path, o) }
}

// texts are records in short: "line: field|field".
func texts(records []batch.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, fmt.Sprintf("%d: %s", r.Line, strings.Join(r.Fields, "|")))
	}
	return all
}

var csvTests = []struct {
	name, text string
	o          batch.CSVOptions
	want       []string
}{
	{"plain", "id,name\n1,a\n2,b\n", batch.CSVOptions{}, []string{"2: 1|a", "3: 2|b"}},
	{"no newline at the end", "id,name\n1,a\n2,b", batch.CSVOptions{}, []string{"2: 1|a", "3: 2|b"}},
	{"a byte order mark", "\xEF\xBB\xBFid,name\n1,a\n", batch.CSVOptions{}, []string{"2: 1|a"}},
	{"a byte order mark before a quote", "\xEF\xBB\xBF\"id\",name\n1,a\n", batch.CSVOptions{}, []string{"2: 1|a"}},
	{"lines of Windows", "id,name\r\n1,a\r\n2,b\r\n", batch.CSVOptions{}, []string{"2: 1|a", "3: 2|b"}},
	{"newlines in quotes", "id,name\n1,\"a\nb\n\"\n2,\"c\r\nd\"\r\n\"3\n\",e\n4,f\n", batch.CSVOptions{}, []string{
		"2: 1|a\nb\n", "5: 2|c\nd", "7: 3\n|e", "9: 4|f",
	}},
	{"quotes and commas in quotes", "id,name\n1,\"a \"\"b\"\", c\"\n", batch.CSVOptions{}, []string{`2: 1|a "b", c`}},
	{"empty lines", "\n\nid,name\n\n1,a\n\r\n\n2,b\n\n\n", batch.CSVOptions{}, []string{"5: 1|a", "8: 2|b"}},
	{"an empty file", "", batch.CSVOptions{}, nil},
	{"nothing but a byte order mark", "\xEF\xBB\xBF", batch.CSVOptions{}, nil},
	{"nothing but a header", "id,name\n", batch.CSVOptions{}, nil},
	{"no header", "1,a\n2,b\n3,c\n", batch.CSVOptions{NoHeader: true}, []string{"1: 1|a", "2: 2|b", "3: 3|c"}},
	{"semicolons and comments", "# of today\nid;name\n# first\n1;a,b\n#2;c\n3;d\n", batch.CSVOptions{Comma: ';', Comment: '#'}, []string{
		"4: 1|a,b", "6: 3|d",
	}},
	{"lazy quotes", "id,name\n1,a 3\" b\n2,c\n", batch.CSVOptions{LazyQuotes: true}, []string{`2: 1|a 3" b`, "3: 2|c"}},
	{"empty fields", "id,name\n,\n\"\",\"\"\n", batch.CSVOptions{}, []string{"2: |", "3: |"}},
}

func TestCSV_ReadsAndResumesAtEachRecord(t *testing.T) {
	f := sqlite(t)
	for _, tt := range csvTests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, "in.csv", tt.text)
			for stop := range len(tt.want) + 1 {
				var g gather[batch.Record]
				o := batch.Options{BatchSize: 1, Arguments: []batch.Argument{{Name: "file", Value: tt.name}, {Name: "stop", Value: fmt.Sprint(stop)}}}
				if stop > 0 && stop < len(tt.want) {
					g.stop = stop
					if _, err := g.run(t, f, o, csvOf(path, tt.o)); !errors.Is(err, errStop) {
						t.Fatalf("got %v", err)
					}
					g.stop = 0
				}
				o.BatchSize = 3
				res, err := g.run(t, f, o, csvOf(path, tt.o))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, texts(g.rows)); diff != "" {
					t.Errorf("stopped after %d records (-want +got):\n%s", stop, diff)
				}
				if res.Planned != int64(len(tt.want)) || res.Done != res.Planned {
					t.Errorf("planned %d, done %d, want %d", res.Planned, res.Done, len(tt.want))
				}
			}
		})
	}
}

func TestCSV_GetsFieldsByName(t *testing.T) {
	var g gather[batch.Record]
	path := writeFile(t, "in.csv", "id,name,\n1,a,b\n")
	if _, err := g.run(t, sqlite(t), batch.Options{}, csvOf(path, batch.CSVOptions{})); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"id": "1", "name": "a", "": "b"} {
		if got, ok := g.rows[0].Get(name); !ok || got != want {
			t.Errorf("Get(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
	if got, ok := g.rows[0].Get("Name"); ok {
		t.Errorf("a field that is not there is %q", got)
	}
	if got, ok := (batch.Record{Fields: []string{"1"}}).Get("id"); ok {
		t.Errorf("a record without a header has %q", got)
	}
}

func TestCSV_SetsMalformedRecordsAside(t *testing.T) {
	each(t, 9, func(t *testing.T, f *fixture) {
		path := writeFile(t, "in.csv", "id,add\n3,1\n6\n9,1\n12,1,1\n15,a\"b\"\n18,1\n21,\"x\" y\n24,\"1\n")
		good := []string{"2: 3|1", "4: 9|1", "7: 18|1"}
		var g gather[batch.Record]
		_, err := g.run(t, f, batch.Options{BatchSize: 100}, csvOf(path, batch.CSVOptions{}))
		var tooMany *batch.TooManyErrors
		if !errors.As(err, &tooMany) || !errors.Is(err, csv.ErrFieldCount) || !strings.Contains(err.Error(), "line 3") {
			t.Fatalf("got %v, want the error of line 3", err)
		}
		if diff := cmp.Diff(good[:1], texts(g.rows)); diff != "" {
			t.Errorf("before the first malformed record (-want +got):\n%s", diff)
		}
		f.want(t, "SELECT count(*) FROM drover_quarantine", 0)

		var rec recorder
		res, err := g.run(t, f, batch.Options{BatchSize: 100, MaxErrors: 5, Observe: rec.observe}, csvOf(path, batch.CSVOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 3 || res.Quarantined != 5 || res.Planned != 8 {
			t.Errorf("result %+v", res)
		}
		if diff := cmp.Diff(good, texts(g.rows)); diff != "" {
			t.Errorf("good records (-want +got):\n%s", diff)
		}
		for _, aside := range []struct{ line, text, cause string }{
			{"3", "6", "line 3: wrong number of fields: 1 instead of 2"},
			{"5", "12,1,1", "line 5: wrong number of fields: 3 instead of 2"},
			{"6", `15,a"b"`, `line 6, column 5: bare " in non-quoted-field`},
			{"8", `21,"x" y`, `line 8, column 6: extraneous or missing " in quoted-field`},
			{"9", `24,"1`, `line 9, column 7: extraneous or missing " in quoted-field`},
		} {
			query := fmt.Sprintf(`SELECT count(*) FROM drover_quarantine WHERE row_key LIKE '["i%s",%%' AND input = '%s' AND error = '%s'`,
				aside.line, aside.text, aside.cause)
			f.want(t, query, 1)
		}
		if got := rec.of(batch.EventQuarantined); len(got) != 5 || got[0].Key != "3" {
			t.Errorf("events %+v", got)
		}

		// What was malformed is malformed when it is replayed, and stays set aside.
		again, err := g.run(t, f, batch.Options{RetryOf: res.RunID, MaxErrors: 5}, csvOf(path, batch.CSVOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		if again.Done != 0 || again.Quarantined != 5 || len(g.rows) != 3 {
			t.Errorf("replay %+v, rows %v", again, g.rows)
		}
	})
}

// TestCSV_Imports is the way of a whole import: rows that the database refuses, and their replay.
func TestCSV_Imports(t *testing.T) {
	each(t, 0, func(t *testing.T, f *fixture) {
		var text strings.Builder
		text.WriteString("id,status\n")
		for i := range 200 {
			fmt.Fprintf(&text, "%d,\"new\nline\"\n", i+1)
		}
		text.WriteString("7,twice\n")
		path := writeFile(t, "in.csv", text.String())
		insert := func(ctx context.Context, b *batch.Batch[batch.Record]) error {
			items := make([]Item, len(b.Rows))
			for i, r := range b.Rows {
				if _, err := fmt.Sscan(r.Fields[0], &items[i].ID); err != nil {
					return err
				}
				items[i].Status, _ = r.Get("status")
			}
			_, err := table.Of[Item](b.DB()).BulkCreate(ctx, items)
			return err
		}
		job := func() *batch.Job[batch.Record] {
			return &batch.Job[batch.Record]{Name: "import", Source: from(batch.CSV(path, batch.CSVOptions{})), Process: insert}
		}
		res, err := job().Run(t.Context(), f.conn, batch.Options{BatchSize: 64, MaxErrors: 1})
		if err != nil {
			t.Fatal(err)
		}
		if res.Done != 200 || res.Quarantined != 1 {
			t.Errorf("result %+v", res)
		}
		f.want(t, "SELECT count(*) FROM item WHERE status = 'new\nline'", 200)
		f.want(t, `SELECT count(*) FROM drover_quarantine WHERE row_key LIKE '["i402",%' AND input LIKE '%"fields":["7","twice"]%'`, 1)
		f.exec(t, "DELETE FROM item WHERE id = 7")
		again, err := job().Run(t.Context(), f.conn, batch.Options{RetryOf: res.RunID})
		if err != nil {
			t.Fatal(err)
		}
		if again.Done != 1 {
			t.Errorf("replay %+v", again)
		}
		f.want(t, "SELECT count(*) FROM item WHERE id = 7 AND status = 'twice'", 1)
	})
}

func TestCSV_RefusesAnotherFile(t *testing.T) {
	const text = "id\n1\n2\n3\n4\n"
	for _, tt := range []struct{ name, now string }{
		{"of the same size", "id\n1\n2\n3\n5\n"},
		{"that is longer", text + "5\n"},
		{"that is shorter", "id\n1\n2\n3\n"},
		{"with another header", "ix\n1\n2\n3\n4\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := sqlite(t)
			path := writeFile(t, "in.csv", text)
			g := gather[batch.Record]{stop: 2}
			if _, err := g.run(t, f, batch.Options{BatchSize: 2}, csvOf(path, batch.CSVOptions{})); !errors.Is(err, errStop) {
				t.Fatalf("got %v", err)
			}
			g.stop = 0
			rewrite(t, path, tt.now)
			_, err := g.run(t, f, batch.Options{BatchSize: 2}, csvOf(path, batch.CSVOptions{}))
			if err == nil || !strings.Contains(err.Error(), "in.csv: the file has changed since the run began") {
				t.Errorf("got %v", err)
			}
			if len(g.rows) != 2 {
				t.Errorf("worked on %v", texts(g.rows))
			}
			rewrite(t, path, text) // the content counts, not the time
			if _, err := g.run(t, f, batch.Options{BatchSize: 2}, csvOf(path, batch.CSVOptions{})); err != nil {
				t.Errorf("with the first content again: %v", err)
			}
			if diff := cmp.Diff([]string{"2: 1", "3: 2", "4: 3", "5: 4"}, texts(g.rows)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCSV_StopsWhenTheFileChanges writes into the file while it is read.
func TestCSV_StopsWhenTheFileChanges(t *testing.T) {
	var text strings.Builder
	text.WriteString("id\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "%d\n", i)
	}
	for name, change := range map[string]func(path string) error{
		"grows": func(path string) error {
			file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = file.WriteString("100001\n")
			return errors.Join(err, file.Close())
		},
		"is cut": func(path string) error { return os.Truncate(path, 300_000) },
		"is written over": func(path string) error {
			return os.WriteFile(path, []byte(strings.ReplaceAll(text.String(), "9", "8")), 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "in.csv", text.String())
			changed := false
			g := gather[batch.Record]{bad: func(r batch.Record) error {
				if r.Line < 1500 || changed {
					return nil
				}
				changed = true
				return change(path)
			}}
			res, err := g.run(t, sqlite(t), batch.Options{BatchSize: 1000}, csvOf(path, batch.CSVOptions{}))
			if err == nil || !strings.Contains(err.Error(), "the file has changed since the run began") {
				t.Fatalf("got %v", err)
			}
			if res.Done < 2000 || res.Done >= 100_000 {
				t.Errorf("%d records done", res.Done)
			}
			for i, r := range g.rows {
				if r.Fields[0] != fmt.Sprint(i) {
					t.Fatalf("record %d is %v", i, r)
				}
			}
		})
	}
	t.Run("grows at its end", func(t *testing.T) {
		path := writeFile(t, "in.csv", "id\n1\n2\n3\n")
		g := gather[batch.Record]{bad: func(batch.Record) error {
			return os.WriteFile(path, []byte("id\n1\n2\n3\n4\n"), 0)
		}}
		_, err := g.run(t, sqlite(t), batch.Options{BatchSize: 1}, csvOf(path, batch.CSVOptions{}))
		if err == nil || !strings.Contains(err.Error(), "the file has changed") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCSV_RefusesWhatCannotBeResumed(t *testing.T) {
	dir := t.TempDir()
	long := writeFile(t, "long.csv", "id,text\n1,\""+strings.Repeat("a line of text\n", 5<<20))
	for _, tt := range []struct{ name, path, want string }{
		{"standard input", "-", "standard input cannot be read twice"},
		{"a file that is not there", filepath.Join(dir, "no.csv"), "no such file"},
		{"a folder", dir, "is no regular file"},
		{"a device", "/dev/null", "is no regular file"},
		{"UTF-16", writeFile(t, "utf16.csv", "\xFF\xFEi\x00d\x00\n\x00"), "UTF-16"},
		{"a name twice in the header", writeFile(t, "twice.csv", "id,name,id\n"), `the header has the name "id" twice`},
		{"a malformed header", writeFile(t, "header.csv", "id,na\"me\n1,a\n"), "the header: line 1, column 6"},
		{"a quote that is not closed", writeFile(t, "quote.csv", "id,name\n1,a\n2,\"b\n3,c\n4,d\n"), "line 3: a quote is never closed"},
		{"a long record", long, "line 2: a record is longer than 64 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var g gather[batch.Record]
			f := sqlite(t)
			_, err := g.run(t, f, batch.Options{MaxErrors: 100}, csvOf(tt.path, batch.CSVOptions{}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			if len(g.rows) > 0 {
				t.Errorf("worked on %v", texts(g.rows))
			}
		})
	}
}

func TestCSV_AHugeLine(t *testing.T) {
	huge := strings.Repeat("x", 5<<20)
	path := writeFile(t, "in.csv", "id,text\n1,"+huge+"\n2,\""+huge+"\n\"\n3,b\n")
	g := gather[batch.Record]{stop: 1}
	f := sqlite(t)
	if _, err := g.run(t, f, batch.Options{BatchSize: 1}, csvOf(path, batch.CSVOptions{})); !errors.Is(err, errStop) {
		t.Fatalf("got %v", err)
	}
	g.stop = 0
	if _, err := g.run(t, f, batch.Options{BatchSize: 1}, csvOf(path, batch.CSVOptions{})); err != nil {
		t.Fatal(err)
	}
	if len(g.rows) != 3 || g.rows[0].Fields[1] != huge || g.rows[1].Fields[1] != huge+"\n" || g.rows[2].Line != 5 {
		t.Errorf("%d records", len(g.rows))
	}
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
