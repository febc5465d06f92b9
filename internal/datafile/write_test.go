package datafile

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/drover-dev/drover/internal/dialect"
)

func col(name string, class dialect.Class) Column {
	return Column{Name: name, Type: dialect.Type{Class: class}, Nullable: true}
}

// written is what a writer makes of rows of values.
func written(t *testing.T, columns []Column, o Form, rows ...[]driver.Value) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, columns, o)
	if err != nil {
		t.Fatal(err)
	}
	texts := NewTexts(columns)
	for _, row := range rows {
		fields, err := texts.Row(row)
		if err == nil {
			err = w.Row(fields)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTexts_Forms(t *testing.T) {
	class := func(c dialect.Class) Column { return col("c", c) }
	typed := func(typ dialect.Type) Column { return Column{Name: "c", Type: typ} }
	loose := func(typ dialect.Type) Column { return Column{Name: "c", Type: typ, Loose: true} }
	for _, tt := range []struct {
		name   string
		column Column
		value  driver.Value
		want   string
		class  dialect.Class
	}{
		{"integer", class(dialect.Integer), int64(-17), "-17", dialect.Integer},
		{"unsigned", class(dialect.Integer), uint64(18446744073709551615), "18446744073709551615", dialect.Integer},
		{"text in an integer column", loose(dialect.Type{Class: dialect.Integer}), "abc", "abc", dialect.Text},
		{"flag", typed(dialect.Type{Class: dialect.Integer, Flag: true}), int64(1), "t", dialect.Boolean},
		{"flag that is none", typed(dialect.Type{Class: dialect.Integer, Flag: true}), int64(5), "5", dialect.Integer},
		{"boolean", class(dialect.Boolean), int64(0), "f", dialect.Boolean},
		{"boolean that is none", class(dialect.Boolean), int64(2), "2", dialect.Integer},
		{"empty bytes in a decimal column", loose(dialect.Type{Class: dialect.Decimal, Scale: 2}), []byte{}, `\x`, dialect.Bytes},
		{"bytes in a float column", loose(dialect.Type{Class: dialect.Float}), []byte("1.5"), `\x312e35`, dialect.Bytes},
		{"decimal as it is", typed(dialect.Type{Class: dialect.Decimal, Scale: 2}), []byte("1.50"), "1.50", dialect.Decimal},
		{"decimal of a binary number", typed(dialect.Type{Class: dialect.Decimal, Scale: 2}), 1.5, "1.50", dialect.Decimal},
		{"decimal of an integer", typed(dialect.Type{Class: dialect.Decimal, Scale: 2}), int64(7), "7.00", dialect.Decimal},
		{"decimal of more digits", typed(dialect.Type{Class: dialect.Decimal, Scale: 2}), 0.125, "0.125", dialect.Decimal},
		{"decimal without a scale", class(dialect.Decimal), int64(7), "7", dialect.Decimal},
		{"float", class(dialect.Float), 0.1, "0.1", dialect.Float},
		{"large float", class(dialect.Float), 1e15, "1e+15", dialect.Float},
		{"not so large float", class(dialect.Float), 999999999999999.0, "999999999999999", dialect.Float},
		{"small float", class(dialect.Float), 0.00001, "1e-05", dialect.Float},
		{"not so small float", class(dialect.Float), 0.0001, "0.0001", dialect.Float},
		{"infinite", class(dialect.Float), []byte("-inf"), "-Infinity", dialect.Float},
		{"single", typed(dialect.Type{Class: dialect.Float, Single: true}), []byte("0.10000000149011612"), "0.1", dialect.Float},
		{"large single", typed(dialect.Type{Class: dialect.Float, Single: true}), []byte("1000000"), "1e+06", dialect.Float},
		{"small single", typed(dialect.Type{Class: dialect.Float, Single: true}), float64(float32(1e-4)), "0.0001", dialect.Float},
		{"bytes", class(dialect.Bytes), []byte{0, 255}, `\x00ff`, dialect.Bytes},
		{"no bytes", class(dialect.Bytes), []byte{}, `\x`, dialect.Bytes},
		{"text", class(dialect.Text), []byte("é"), "é", dialect.Text},
		{"no text", class(dialect.Text), "", "", dialect.Text},
		{"uuid of bytes", class(dialect.UUID), []byte("0123456789abcdef"), "30313233-3435-3637-3839-616263646566", dialect.UUID},
		{"uuid of text", class(dialect.UUID), "A0EEBC999C0B4EF8BB6D6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", dialect.UUID},
		{"uuid that is none", class(dialect.UUID), "x", "x", dialect.Text},
		{"time of day", class(dialect.TimeOfDay), []byte("15:04:05.120000"), "15:04:05.12", dialect.TimeOfDay},
		{"instant", class(dialect.Timestamp), []byte("2026-01-02 03:04:05.000000"), "2026-01-02 03:04:05", dialect.Timestamp},
		{"zoned instant", typed(dialect.Type{Class: dialect.Timestamp, Zoned: true}), []byte("2026-01-02 03:04:05.5"), "2026-01-02 03:04:05.5+00", dialect.Timestamp},
		{"time of a driver", class(dialect.Timestamp), time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), "2026-01-02 03:04:05.000006", dialect.Timestamp},
		{"stored without a zone", loose(dialect.Type{Class: dialect.Timestamp, Zoned: true}), "2026-01-02T03:04:05.10", "2026-01-02 03:04:05.1", dialect.Timestamp},
		{"stored in UTC", loose(dialect.Type{Class: dialect.Timestamp, Zoned: true}), "2026-01-02 03:04:05+00:00", "2026-01-02 03:04:05+00", dialect.Timestamp},
		{"stored in a zone", loose(dialect.Type{Class: dialect.Timestamp, Zoned: true}), "2026-01-02 03:04:05+02:00", "2026-01-02 01:04:05+00", dialect.Timestamp},
		{"stored as something else", loose(dialect.Type{Class: dialect.Timestamp, Zoned: true}), "now", "now", dialect.Text},
		{"stored as a number", loose(dialect.Type{Class: dialect.Timestamp, Zoned: true}), int64(5), "5", dialect.Integer},
		{"anything", loose(dialect.Type{Class: dialect.Any}), 2.5, "2.5", dialect.Float},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fields, err := NewTexts([]Column{tt.column}).Row([]driver.Value{tt.value})
			if err != nil {
				t.Fatal(err)
			}
			if got := fields[0]; got.Text == nil || string(got.Text) != tt.want || got.Class != tt.class {
				t.Errorf("%q of class %q, want %q of %q", got.Text, got.Class, tt.want, tt.class)
			}
		})
	}
}

func TestWriter_CSV(t *testing.T) {
	two := []Column{col("id", dialect.Integer), col("a,b", dialect.Text)}
	rows := [][]driver.Value{
		{int64(1), "plain"},
		{int64(2), "a,b"},
		{int64(3), `say "hi"`},
		{int64(4), "two\nlines"},
		{int64(5), "cr\r"},
		{int64(6), ""},
		{int64(7), nil},
		{nil, " blanks "},
		{int64(9), "NULL"},
		{int64(10), "tab\t;"},
	}
	for _, tt := range []struct {
		name    string
		columns []Column
		options Form
		rows    [][]driver.Value
		want    string
	}{
		{"as PostgreSQL", two, Form{}, rows, "id,\"a,b\"\n1,plain\n2,\"a,b\"\n3,\"say \"\"hi\"\"\"\n4,\"two\nlines\"\n5,\"cr\r\"\n6,\"\"\n7,\n, blanks \n9,NULL\n10,tab\t;\n"},
		{"tabs", two, Form{Comma: '\t'}, rows[9:], "id\ta,b\n10\t\"tab\t;\"\n"},
		{"a text for NULL", two, Form{Null: "NULL", NoHeader: true}, rows[5:9], "6,\n7,NULL\nNULL, blanks \n9,\"NULL\"\n"},
		{"a number for NULL", two, Form{Null: "6", NoHeader: true}, rows[5:7], "\"6\",\n7,6\n"},
		{"one column", two[1:], Form{}, [][]driver.Value{{nil}, {""}, {`\.`}}, "\"a,b\"\n\n\"\"\n\"\\.\"\n"},
		{"no rows", two, Form{}, nil, "id,\"a,b\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Format = CSV
			if diff := cmp.Diff(tt.want, string(written(t, tt.columns, tt.options, tt.rows...))); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriter_JSONL(t *testing.T) {
	columns := []Column{
		col("id", dialect.Integer), col(`"q"`, dialect.Text), col("f", dialect.Float), col("b", dialect.Boolean), col("j", dialect.JSON), col("d", dialect.Decimal), col("any", dialect.Any),
	}
	got := written(t, columns, Form{Format: JSONL},
		[]driver.Value{int64(1), "a\"\\\n\t\x01é", 1e20, int64(1), "{\"a\":\n 1}", []byte("1.50"), int64(5)},
		[]driver.Value{nil, nil, nil, nil, nil, nil, nil},
		[]driver.Value{int64(2), "", []byte("NaN"), int64(0), "no JSON", []byte("NaN"), "5"})
	want := `{"id":1,"\"q\"":"a\"\\\n\t\u0001é","f":1e+20,"b":true,"j":{"a":1},"d":1.50,"any":5}
{"id":null,"\"q\"":null,"f":null,"b":null,"j":null,"d":null,"any":null}
{"id":2,"\"q\"":"","f":"NaN","b":false,"j":"no JSON","d":"NaN","any":"5"}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	w, err := NewWriter(io.Discard, columns[1:2], Form{Format: JSONL})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Row([]Field{{Text: []byte{0xff}, Class: dialect.Text}}); err == nil {
		t.Error("text that is not UTF-8 was written")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestJSON_NothingIsReplaced writes what is no JSON: text that is not UTF-8 is an error, whatever its column is said to hold, and a word among numbers
// is a string.
func TestJSON_NothingIsReplaced(t *testing.T) {
	for _, class := range []dialect.Class{dialect.Text, dialect.JSON} {
		for _, text := range []string{"a\xffb", "[\"a\xffb\"]"} {
			if line, err := AppendJSONRow(nil, []JSONColumn{{Name: "c"}}, []JSONValue{{class, text}}); err == nil {
				t.Errorf("%s %q: %s", class, text, line)
			}
			w, err := NewWriter(io.Discard, []Column{col("c", class)}, Form{Format: JSONL})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Row([]Field{{[]byte(text), class}}); err == nil {
				t.Errorf("%s %q was written", class, text)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	columns := []JSONColumn{{Name: "n"}, {Name: "doc"}, {Name: "empty"}}
	line, err := AppendJSONRow(nil, columns, []JSONValue{{dialect.Decimal, "abc1"}, {dialect.JSON, "{"}, {dialect.Text, ""}})
	if want := `{"n":"abc1","doc":"{","empty":""}` + "\n"; err != nil || string(line) != want {
		t.Errorf("%s, %v, want %s", line, err, want)
	}
}

func TestWriter_Parquet(t *testing.T) {
	columns := []Column{
		{Name: "z", Type: dialect.Type{Class: dialect.Integer}}, // which is not the first by its name
		{Name: "u", Type: dialect.IntegerType(64, true), Nullable: true},
		{Name: "d9", Type: dialect.Type{Class: dialect.Decimal, Digits: 9, Scale: 2}, Nullable: true},
		{Name: "d18", Type: dialect.Type{Class: dialect.Decimal, Digits: 18, Scale: 4}, Nullable: true},
		{Name: "d38", Type: dialect.Type{Class: dialect.Decimal, Digits: 38, Scale: 1}, Nullable: true},
		{Name: "d60", Type: dialect.Type{Class: dialect.Decimal, Digits: 60, Scale: 1}, Nullable: true},
		{Name: "f", Type: dialect.Type{Class: dialect.Float, Single: true}, Nullable: true},
		col("g", dialect.Float), col("b", dialect.Boolean), col("t", dialect.Text), col("x", dialect.Bytes), col("day", dialect.Date), col("at", dialect.TimeOfDay),
		col("ts", dialect.Timestamp), col("id", dialect.UUID), col("j", dialect.JSON),
	}
	nulls := make([]driver.Value, len(columns))
	nulls[0] = int64(2)
	file := written(t, columns, Form{Format: Parquet},
		[]driver.Value{
			int64(-1), uint64(1 << 63), []byte("-1.50"), []byte("12345678901234.5678"), []byte("-1.5"), []byte("2.5"), 0.5, 2.25, int64(1), "text",
			[]byte{1, 2},
			[]byte("1969-12-31"),
			[]byte("00:00:01.5"), []byte("2026-01-02 03:04:05.000006"), []byte("0123456789abcdef"), `{"a":1}`,
		}, nulls)
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var names, types []string
	for _, field := range f.Schema().Fields() {
		names, types = append(names, field.Name()), append(types, field.Type().String())
	}
	if diff := cmp.Diff(strings.Fields("z u d9 d18 d38 d60 f g b t x day at ts id j"), names); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"INT(64,true)", "INT(64,false)", "DECIMAL(9,2)", "DECIMAL(18,4)", "DECIMAL(38,1)", "STRING", "FLOAT", "DOUBLE", "BOOLEAN", "STRING", "BYTE_ARRAY", "DATE",
		"TIME(isAdjustedToUTC=false,unit=MICROS)", "TIMESTAMP(isAdjustedToUTC=false,unit=MICROS)", "UUID", "JSON",
	}, types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	rows := make([]parquet.Row, 3)
	reader := parquet.NewReader(bytes.NewReader(file))
	n, err := reader.ReadRows(rows)
	if err != nil && !errors.Is(err, io.EOF) || n != 2 {
		t.Fatalf("%d rows, %v", n, err)
	}
	var got []string
	for _, v := range rows[0] {
		got = append(got, v.String())
	}
	minus15 := strings.Repeat("\xff", 15) + "\xf1"
	if diff := cmp.Diff([]string{
		"-1", "-9223372036854775808", "-150", "123456789012345678", minus15, "2.5", "0.5", "2.25", "true", "text", "\x01\x02", "-1",
		"1500000", "1767323045000006", "0123456789abcdef", `{"a":1}`,
	}, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	for i, v := range rows[1] {
		if v.IsNull() != (i > 0) {
			t.Errorf("value %d of the second row: %v", i, v)
		}
	}
}

func TestWriter_ParquetRefusesWhatItCannotHold(t *testing.T) {
	for _, tt := range []struct {
		typ  dialect.Type
		text string
	}{
		{dialect.Type{Class: dialect.Decimal, Digits: 5, Scale: 2}, "NaN"},
		{dialect.Type{Class: dialect.Decimal, Digits: 5, Scale: 2}, "1.125"},
		{dialect.Type{Class: dialect.Decimal, Digits: 5, Scale: 2}, "1000.00"},
		{dialect.Type{Class: dialect.Timestamp}, "infinity"},
		{dialect.Type{Class: dialect.Timestamp}, "2026-01-02 03:04:05.0000001"},
		{dialect.Type{Class: dialect.Date}, "0000-00-00"},
		{dialect.Type{Class: dialect.TimeOfDay}, "25:00:00"},
		{dialect.Type{Class: dialect.Integer}, "abc"},
		{dialect.Type{Class: dialect.Boolean}, "2"},
		{dialect.Type{Class: dialect.UUID}, "x"},
	} {
		t.Run(string(tt.typ.Class)+" "+tt.text, func(t *testing.T) {
			w, err := NewWriter(io.Discard, []Column{{Name: "c", Type: tt.typ}}, Form{Format: Parquet})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Row([]Field{{Text: []byte(tt.text)}}); err == nil || !strings.Contains(err.Error(), "column c: ") {
				t.Errorf("error %v", err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWriter_Compressions(t *testing.T) {
	columns := []Column{col("id", dialect.Integer)}
	var rows [][]driver.Value
	for i := range 100_000 {
		rows = append(rows, []driver.Value{int64(i)})
	}
	want := written(t, columns, Form{Format: CSV}, rows...)
	if len(want) < 2*blockSize {
		t.Fatal("the file is too small to be written in several blocks")
	}
	gz, err := gzip.NewReader(bytes.NewReader(written(t, columns, Form{Format: CSV, Compression: Gzip}, rows...)))
	if err != nil {
		t.Fatal(err)
	}
	zs, err := zstd.NewReader(bytes.NewReader(written(t, columns, Form{Format: CSV, Compression: Zstd}, rows...)))
	if err != nil {
		t.Fatal(err)
	}
	defer zs.Close()
	for name, r := range map[string]io.Reader{"gzip": gz, "zstd": zs} {
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(want, got) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
		}
	}
}

func TestWriter_TellsOfAFailedWrite(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	w, err := NewWriter(full, []Column{col("t", dialect.Text)}, Form{Format: CSV})
	if err != nil {
		t.Fatal(err)
	}
	row := []Field{{Text: bytes.Repeat([]byte{'x'}, blockSize)}}
	for range 100 {
		if err = w.Row(row); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("rows are written to a full disk without an end")
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("closed with %v", err)
	}
}

func TestWriteOptions_Check(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options Form
		fails   bool
	}{
		{"defaults", Form{Format: CSV}, false},
		{"tab and token", Form{Format: CSV, Comma: '\t', Null: `\N`}, false},
		{"digit", Form{Format: CSV, Comma: '1'}, true},
		{"quote", Form{Format: CSV, Comma: '"'}, true},
		{"blank", Form{Format: CSV, Comma: ' '}, true},
		{"colon", Form{Format: CSV, Comma: ':'}, true},
		{"comma in NULL", Form{Format: CSV, Null: "a,b"}, true},
		{"line in NULL", Form{Format: CSV, Null: "\n"}, true},
		{"header of JSON", Form{Format: JSONL, NoHeader: true}, true},
		{"packed Parquet", Form{Format: Parquet, Compression: Gzip}, true},
	} {
		if err := tt.options.Check(); (err != nil) != tt.fails {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestFile_HasItsNameWhenItIsWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.csv")
	there := func() []string {
		entries, err := os.ReadDir(filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(name), ".a.csv.tmp"), []byte("of a process that was killed, and longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := CreateFile(name, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateFile(name, false); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := io.WriteString(f, "rows"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".a.csv.tmp"}, there()); diff != "" {
		t.Errorf("meanwhile (-want +got):\n%s", diff)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(name); err != nil || string(content) != "rows" || f.Bytes() != 4 {
		t.Errorf("%q, %d bytes, %v", content, f.Bytes(), err)
	}
	if diff := cmp.Diff([]string{"a.csv"}, there()); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
	if _, err := CreateFile(name, false); !errors.Is(err, ErrExists) {
		t.Errorf("over the other: %v", err)
	}
	g, err := CreateFile(name, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Abort(), g.Abort(), f.Abort()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a.csv"}, there()); diff != "" {
		t.Errorf("given up (-want +got):\n%s", diff)
	}
}

func TestLockFolder(t *testing.T) {
	dir := t.TempDir()
	held, err := LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockFolder(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
