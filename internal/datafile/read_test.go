package datafile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/drover-dev/drover/internal/dialect"
)

// measured makes a file and measures it.
func measured(t *testing.T, content string, form Form) (*Input, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	var packed bytes.Buffer
	out, packer, err := pack(&packed, form.Compression)
	if err == nil {
		_, err = io.WriteString(out, content)
	}
	if err == nil && packer != nil {
		err = packer.Close()
	}
	if err == nil {
		err = os.WriteFile(path, packed.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Measure(t.Context(), path, form)
}

// record is a record as a test sees it.
type record struct {
	At     Place
	Fields []string // NULL for NULL
	Bad    string
}

// records reads all records from a place on, in pages of so many.
func records(t *testing.T, in *Input, from Place, size int) (all []record) {
	t.Helper()
	r, err := in.Read(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for {
		p, err := r.Next(size)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			return all
		}
		for i := range p.Len() {
			all = append(all, one(p.Part(i, i+1)))
		}
	}
}

func one(p *Page) record {
	r := record{At: p.At(0)}
	if bad := p.Bad(0); bad != nil {
		r.Bad = bad.Error()
		return r
	}
	fields, _ := p.Fields(0, nil, nil)
	for _, f := range fields {
		text := string(f)
		if f == nil {
			text = "NULL"
		}
		r.Fields = append(r.Fields, text)
	}
	return r
}

func TestRead_CSV(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		form          Form
		columns       string
		want          []record
	}{
		{
			"plain", "a,b\n1,x\n2,\"\"\n3,\n",
			Form{},
			"a b",
			[]record{{Place{2, 4}, []string{"1", "x"}, ""}, {Place{3, 8}, []string{"2", ""}, ""}, {Place{4, 13}, []string{"3", "NULL"}, ""}},
		},
		{
			"quotes and lines", "\xEF\xBB\xBFa,b\r\n\"x,\"\"y\"\"\",\"two\nlines\"\r\n\r\n\n4,5",
			Form{},
			"a b",
			[]record{{Place{2, 8}, []string{`x,"y"`, "two\nlines"}, ""}, {Place{6, 34}, []string{"4", "5"}, ""}},
		},
		{
			"malformed", "a,b\n1\n1,2,3\nx\"y,2\n\"x\"y,2\n1,2\n\"x",
			Form{},
			"a b",
			[]record{
				{Place{2, 4}, nil, "1 field instead of 2"},
				{Place{3, 6}, nil, "3 fields instead of 2"},
				{Place{4, 12}, nil, errBareQuote.Error()},
				{Place{5, 18}, nil, errQuote.Error()},
				{Place{6, 25}, []string{"1", "2"}, ""},
				{Place{7, 29}, nil, errQuote.Error()},
			},
		},
		{
			"other form", "1;\\N\n;\"\\N\"\n",
			Form{Comma: ';', NoHeader: true, Null: `\N`},
			"column1 column2",
			[]record{{Place{1, 0}, []string{"1", "NULL"}, ""}, {Place{2, 5}, []string{"", `\N`}, ""}},
		},
		{"one column", "a\n\nx\n", Form{}, "a", []record{{Place{2, 2}, []string{"NULL"}, ""}, {Place{3, 3}, []string{"x"}, ""}}},
		{"header alone", "a,b\n", Form{}, "a b", nil},
		{"nothing", "", Form{NoHeader: true}, "", nil},
	} {
		for _, compression := range []Compression{Plain, Gzip, Zstd} {
			t.Run(tt.name+" "+string(compression), func(t *testing.T) {
				tt.form.Format, tt.form.Compression = CSV, compression
				in, err := measured(t, tt.content, tt.form)
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(in.Columns(), " "); got != tt.columns || in.Rows() != int64(len(tt.want)) || len(in.SHA256()) != 64 {
					t.Errorf("columns %q, %d rows, SHA-256 %q", got, in.Rows(), in.SHA256())
				}
				if diff := cmp.Diff(tt.want, records(t, in, in.Begin(), 2)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for i, r := range tt.want { // from the place of each record on
					if diff := cmp.Diff(tt.want[i:], records(t, in, r.At, 100)); diff != "" {
						t.Errorf("from %v (-want +got):\n%s", r.At, diff)
					}
				}
			})
		}
	}
}

func TestRead_JSON(t *testing.T) {
	content := `{"id":1,"name":"a,\"b\"","doc":{"x": [1, 2]},"ok":true}` + "\n\n" + `{"name":null,"id":2.50,"doc":"text"}` + "\r\n[1]\n{\"id\":1,\"id\":2}\n{\"id\":3} x\n\xff\n" +
		`{"name":"half \ud83d, and no other half \ufffd"}` + "\n" + `{"name":"\ud83d\ude00 \uFFFD �"}`
	in, err := measured(t, content, Form{Format: JSONL})
	if err != nil {
		t.Fatal(err)
	}
	in.Documents = []string{"doc"}
	want := []record{
		{Place{1, 0}, []string{"1", `a,"b"`, `{"x": [1, 2]}`, "true"}, ""},
		{Place{3, 57}, []string{"2.50", "NULL", `"text"`, "NULL"}, ""},
		{Place{4, 95}, nil, errNoObject.Error()},
		{Place{5, 99}, nil, `the member "id" stands there twice`},
		{Place{6, 115}, nil, "the line is no JSON object: something stands behind it"},
		{Place{7, 126}, nil, errNoUTF8.Error()},
		{Place{8, 128}, nil, `the member "name" has ` + errSurrogate.Error()},
		{Place{9, 177}, []string{"NULL", "😀 \ufffd \ufffd", "NULL", "NULL"}, ""},
	}
	if diff := cmp.Diff(want, records(t, in, in.Begin(), 4)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := strings.Join(in.Columns(), " "); got != "id name doc ok" || in.Rows() != 8 {
		t.Errorf("columns %q, %d rows", got, in.Rows())
	}
	again := one(in.Record(`{"id":7,"ok":false}`))
	if diff := cmp.Diff([]string{"7", "NULL", "NULL", "false"}, again.Fields); diff != "" {
		t.Errorf("a record by itself (-want +got):\n%s", diff)
	}
}

// TestRead_EmptyLinesAtTheBeginning have a meaning only where a record has one field, which is NULL then.
func TestRead_EmptyLinesAtTheBeginning(t *testing.T) {
	for content, want := range map[string][]string{
		"\n\n1\n\n2\n": {"NULL", "NULL", "1", "NULL", "2"},
		"\n\n":         {"NULL", "NULL"},
		"\n\r\n\"\"\n": {"NULL", "NULL", ""},
		"\n\n1,2\n\n":  {"1 2"},
	} {
		in, err := measured(t, content, Form{Format: CSV, NoHeader: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range records(t, in, in.Begin(), 2) {
			got = append(got, strings.Join(r.Fields, " "))
		}
		if diff := cmp.Diff(want, got); diff != "" || in.Rows() != int64(len(want)) {
			t.Errorf("%q: %d rows measured (-want +got):\n%s", content, in.Rows(), diff)
		}
	}
}

// TestRead_WhatWasWritten writes rows in every format and compression, and reads the same fields.
func TestRead_WhatWasWritten(t *testing.T) {
	columns := []Column{
		{Name: "n", Type: dialect.IntegerType(64, false)},
		{Name: "t", Type: dialect.Type{Class: dialect.Text}, Nullable: true},
		{Name: "d", Type: dialect.Type{Class: dialect.Decimal, Digits: 10, Scale: 2}, Nullable: true},
		{Name: "big", Type: dialect.Type{Class: dialect.Decimal, Digits: 30, Scale: 3}, Nullable: true},
		{Name: "f", Type: dialect.Type{Class: dialect.Float}},
		{Name: "ok", Type: dialect.Type{Class: dialect.Boolean}, Nullable: true},
		{Name: "raw", Type: dialect.Type{Class: dialect.Bytes}, Nullable: true},
		{Name: "day", Type: dialect.Type{Class: dialect.Date}, Nullable: true},
		{Name: "at", Type: dialect.Type{Class: dialect.TimeOfDay, Scale: 6}, Nullable: true},
		{Name: "seen", Type: dialect.Type{Class: dialect.Timestamp, Scale: 6, Zoned: true}, Nullable: true},
		{Name: "made", Type: dialect.Type{Class: dialect.Timestamp, Scale: 6}, Nullable: true},
		{Name: "u", Type: dialect.Type{Class: dialect.UUID}, Nullable: true},
		{Name: "u64", Type: dialect.IntegerType(64, true), Nullable: true},
	}
	rows := [][]string{
		{"-9223372036854775808", "two\nlines, \"quoted\"", "-0.05", "-123456789012345678901234567.001", "1e+20", "t", `\x00ff`, "1969-12-31", "15:04:05.25", "1960-01-02 03:04:05.5+00", "2026-01-02 03:04:05", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "18446744073709551615"},
		{"1", "", "1.50", "0.000", "0.1", "f", `\x`, "2026-01-02", "00:00:00", "2026-01-02 03:04:05.123456+00", "2026-01-02 03:04:05.000001", "00000000-0000-0000-0000-000000000000", "0"},
		{"2", "NULL", "NULL", "NULL", "-2.5", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"},
	}
	for _, form := range []Form{{Format: CSV}, {Format: CSV, Compression: Zstd, Comma: '\t', Null: "-"}, {Format: JSONL, Compression: Gzip}, {Format: JSONL}, {Format: Parquet}} {
		t.Run(string(form.Format)+" "+string(form.Compression), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			w, err := NewWriter(f, columns, form)
			if err != nil {
				t.Fatal(err)
			}
			want := [][]string{}
			for n := range 700 { // more than Parquet decodes at a time
				row := rows[n%len(rows)]
				fields := make([]Field, len(row))
				for i, text := range row {
					if text != "NULL" {
						fields[i] = Field{Text: []byte(text), Class: columns[i].Type.Class}
					}
				}
				if err := w.Row(fields); err != nil {
					t.Fatal(err)
				}
				expected := append([]string{}, row...)
				if form.Format == JSONL && row[5] != "NULL" {
					expected[5] = map[string]string{"t": "true", "f": "false"}[row[5]]
				}
				want = append(want, expected)
			}
			if err := errors.Join(w.Close(), f.Close()); err != nil {
				t.Fatal(err)
			}
			in, err := Measure(t.Context(), path, form)
			if err != nil {
				t.Fatal(err)
			}
			got := [][]string{}
			all := records(t, in, in.Begin(), 97)
			for _, r := range all {
				got = append(got, r.Fields)
			}
			if diff := cmp.Diff(want, got); diff != "" || in.Rows() != 700 {
				t.Errorf("%d rows (-want +got):\n%s", in.Rows(), diff)
			}
			if diff := cmp.Diff(all[333:], records(t, in, all[333].At, 50)); diff != "" {
				t.Errorf("from a place on (-want +got):\n%s", diff)
			}
		})
	}
}

// Types of Parquet that drover does not write are read too, and columns that hold lists are named.
func TestRead_ParquetOfOthers(t *testing.T) {
	type row struct {
		Millis  time.Time `parquet:"millis,timestamp(millisecond)"`
		Nanos   time.Time `parquet:"nanos,timestamp(nanosecond)"`
		Small   int32     `parquet:"small"`
		Tags    []string  `parquet:"tags,list"`
		Unsign  uint32    `parquet:"unsign"`
		Decimal int64     `parquet:"decimal,decimal(2:12)"`
		Single  float32   `parquet:"single"`
		Raw     []byte    `parquet:"raw"`
	}
	path := filepath.Join(t.TempDir(), "f")
	at := time.Date(1965, 3, 4, 5, 6, 7, 123456789, time.UTC)
	if err := parquet.WriteFile(path, []row{{at.Truncate(time.Millisecond), at, -7, []string{"a", "b"}, 1<<32 - 1, -5, 0.25, []byte{1}}, {at, at, 1, nil, 2, 300, 1e20, nil}}); err != nil {
		t.Fatal(err)
	}
	in, err := Measure(t.Context(), path, Form{Format: Parquet})
	if err != nil {
		t.Fatal(err)
	}
	if in.Nested("tags") == "" || in.Nested("small") != "" {
		t.Errorf("nested: %q, %q", in.Nested("tags"), in.Nested("small"))
	}
	want := []string{"1965-03-04 05:06:07.123+00", "1965-03-04 05:06:07.123456789+00", "-7", "NULL", "4294967295", "-0.05", "0.25", `\x01`}
	got := records(t, in, in.Begin(), 10)
	names := strings.Join(in.Columns(), " ")
	if names != "millis nanos small tags unsign decimal single raw" || len(got) != 2 {
		t.Fatalf("columns %s, %d rows", names, len(got))
	}
	if diff := cmp.Diff(want, got[0].Fields); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMeasure_Refuses(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		form          Form
		want          string
	}{
		{"empty", "", Form{Format: CSV}, ErrEmpty.Error()},
		{"only a mark", "\xEF\xBB\xBF", Form{Format: CSV}, ErrEmpty.Error()},
		{"UTF-16", "\xFF\xFEa\x00,\x00", Form{Format: CSV}, "UTF-16"},
		{"UTF-16 without a mark", "a\x00,\x00b\x00", Form{Format: CSV}, "UTF-16"},
		{"UTF-16 JSON", "\x00{\x00}", Form{Format: JSONL}, "UTF-16"},
		{"a name twice", "a,b,a\n", Form{Format: CSV}, `the name "a" twice`},
		{"no name", "a,,b\n", Form{Format: CSV}, "no name for column 2"},
		{"bad header", "a,b\"c\n1,2\n", Form{Format: CSV}, "line 1, the first record: a quote stands"},
		{"open quote", "a,b\n1,2\n3,\"x\n4,5\n6,7\n", Form{Format: CSV}, "line 3: a quote is never closed"},
		{"not gzip", "a,b\n1,2\n", Form{Format: CSV}, ""},
		{"not Parquet", "a,b\n1,2\n", Form{Format: Parquet}, "no Parquet file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := measured(t, tt.content, tt.form); fmt.Sprint(err) != "<nil>" && (tt.want == "" || !strings.Contains(err.Error(), tt.want)) || err == nil && tt.want != "" {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	for _, c := range []Compression{Gzip, Zstd} {
		path := filepath.Join(t.TempDir(), "plain")
		if err := os.WriteFile(path, []byte("a,b\n1,2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Measure(t.Context(), path, Form{Format: CSV, Compression: c}); err == nil {
			t.Errorf("%s: a plain file was read", c)
		}
	}
	if _, err := Measure(t.Context(), t.TempDir(), Form{Format: CSV}); !errors.Is(err, ErrNoFile) {
		t.Errorf("a folder: %v", err)
	}
}

// A file that is written to, cut or replaced after it was measured is not read.
func TestRead_Changed(t *testing.T) {
	body := "a,b\n" + strings.Repeat("1,2\n", 1_000_000)
	for name, change := range map[string]func(path string) error{
		"longer":  func(path string) error { return os.WriteFile(path, []byte(body+"3,4\n"), 0o600) },
		"shorter": func(path string) error { return os.Truncate(path, 1000) },
		"replaced": func(path string) error {
			if err := os.WriteFile(path+"2", []byte(body), 0o600); err != nil {
				return err
			}
			return os.Rename(path+"2", path)
		},
	} {
		for _, when := range []string{"before", "while"} {
			t.Run(name+" "+when, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "f")
				if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
					t.Fatal(err)
				}
				in, err := Measure(t.Context(), path, Form{Format: CSV})
				if err != nil {
					t.Fatal(err)
				}
				var r *Reader
				if when == "while" {
					if r, err = in.Read(in.Begin()); err != nil {
						t.Fatal(err)
					}
					if _, err = r.Next(10); err != nil {
						t.Fatal(err)
					}
				}
				if err := change(path); err != nil {
					t.Fatal(err)
				}
				if when == "while" && name == "replaced" {
					_ = r.Close() // it goes on with the file that it has open, which nobody changes
					return
				}
				if r == nil {
					r, err = in.Read(in.Begin())
				}
				for p := (*Page)(nil); err == nil; {
					if p, err = r.Next(1000); p == nil {
						break
					}
				}
				if !errors.Is(err, ErrChanged) {
					t.Errorf("error %v", err)
				}
				if r != nil {
					_ = r.Close()
				}
			})
		}
	}
}

// FuzzCSV compares the records of well-formed input with those of encoding/csv.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\n", "\"a\"\"\",b\r\nc,\"d\ne\"", "a,b\n\n\nc,d", "x\n", "\"\",\n,\"\"\n", "a\r\n\r\n\"b\r\nc\"\r\n", "a\rb,c\n", ",,\n", "\r", "a\r\r\n"} {
		f.Add(seed, uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, cut uint8) {
		theirs := csv.NewReader(strings.NewReader(text))
		theirs.FieldsPerRecord = -1
		want, err := theirs.ReadAll()
		if err != nil || strings.ContainsAny(text, "\x00") {
			return
		}
		// What is there at first ends somewhere: the end of each record is found anew when more is there.
		var got [][]string
		for b, have := []byte(text), int(cut); len(b) > 0; {
			have = min(max(have, 1), len(b))
			e := csvEnd(b[:have], ',', have == len(b))
			if e.more {
				have++
				continue
			}
			if e.bad != nil {
				t.Fatalf("%q: %v, and encoding/csv reads %q", b, e.bad, want)
			}
			if e.text > 0 {
				p := &Page{comma: ',', null: "\x00", bounds: []int{0}, at: make([]Place, 1)}
				addCSV(p, b[:e.text], e.fields, Place{}, Place{}, nil)
				fields, _ := p.Fields(0, nil, nil)
				row := []string{}
				for _, field := range fields {
					row = append(row, strings.ReplaceAll(string(field), "\r\n", "\n")) // as encoding/csv does in quotes
				}
				got = append(got, row)
			}
			b = b[e.n:]
			have -= e.n
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d records %q, want %d %q", text, len(got), got, len(want), want)
		}
		for i := range want {
			if diff := cmp.Diff(want[i], got[i]); diff != "" {
				t.Errorf("%q: record %d (-want +got):\n%s", text, i, diff)
			}
		}
	})
}

// TestRead_LongRecords bounds what a page holds of long records.
func TestRead_LongRecords(t *testing.T) {
	const length, count = 3 << 20, 12
	in, err := measured(t, "text\n"+strings.Repeat(strings.Repeat("x", length)+"\n", count), Form{Format: CSV})
	if err != nil {
		t.Fatal(err)
	}
	r, err := in.Read(in.Begin())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var sizes []int
	for {
		p, err := r.Next(1000)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			break
		}
		sizes = append(sizes, p.Len())
	}
	if diff := cmp.Diff([]int{6, 6}, sizes); diff != "" {
		t.Errorf("records of the pages (-want +got):\n%s", diff)
	}
}
