package rowimage_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/postgres"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
)

// newImages are those of a table with the key id and the columns.
func newImages(t *testing.T, columns ...string) *rowimage.Table {
	t.Helper()
	table := &dialect.Table{Schema: "app", Name: "item", Columns: []dialect.Column{{Name: "id"}}}
	for _, c := range columns {
		table.Columns = append(table.Columns, dialect.Column{Name: c, Nullable: true})
	}
	table.Columns = append(table.Columns, dialect.Column{Name: "made", Generated: true})
	images, err := rowimage.New(postgres.Dialect{}, table, dialect.Key{Columns: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	return images
}

func TestNew_Refuses(t *testing.T) {
	for name, table := range map[string]*dialect.Table{
		"a key that can be NULL": {Name: "t", Columns: []dialect.Column{{Name: "id", Nullable: true}}},
		"an unknown key":         {Name: "t", Columns: []dialect.Column{{Name: "n"}}},
		"nothing to store":       {Name: "t", Columns: []dialect.Column{{Name: "id", Generated: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := rowimage.New(postgres.Dialect{}, table, dialect.Key{Columns: []string{"id"}}); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestChanges(t *testing.T) {
	images := newImages(t, "a", "b")
	row := func(a, b any) rowimage.Row {
		return rowimage.Row{Key: keyset.Values{int64(1)}, Values: []any{int64(1), a, b}}
	}
	zero, nan, at := math.Copysign(0, -1), math.NaN(), time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	tests := []struct {
		name          string
		before, after rowimage.Row
		want          []rowimage.Change
		equal         bool
	}{
		{"none", row("x", []byte("y")), row("x", []byte("y")), nil, true},
		{"one", row("x", nil), row("z", nil), []rowimage.Change{{"a", "x", "z"}}, false},
		{"both", row(nil, int64(1)), row("", int64(2)), []rowimage.Change{{"a", nil, ""}, {"b", int64(1), int64(2)}}, false},
		{"a type", row("1", []byte("x")), row(int64(1), "x"), []rowimage.Change{{"a", "1", int64(1)}, {"b", []byte("x"), "x"}}, false},
		{"bytes", row([]byte("x"), []byte{}), row([]byte("y"), nil), []rowimage.Change{{"a", []byte("x"), []byte("y")}, {"b", []byte{}, nil}}, false},
		{"NaN is itself", row(nan, 1.5), row(nan, 1.5), nil, true},
		{"a time in another zone", row(at, 1.5), row(at.In(time.FixedZone("", 3600)), 1.5), nil, true},
		{"the sign of a zero", row(0.0, 1.5), row(zero, 1.5), []rowimage.Change{{"a", 0.0, zero}}, false},
		{"a column that an image does not hold", row("x", rowimage.Absent), row("x", "y"), nil, false},
		{"a column that no image holds", row(rowimage.Absent, "x"), row(rowimage.Absent, "x"), nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, images.Changes(tt.before, tt.after)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if got := rowimage.Equal(tt.before, tt.after); got != tt.equal {
				t.Errorf("Equal is %v", got)
			}
		})
	}
	other := row("x", "y")
	other.Key = keyset.Values{int64(2)}
	if rowimage.Equal(row("x", "y"), other) {
		t.Error("images of other keys are equal")
	}
}

// The texts are stored in users' databases: a test that needs another text here breaks the undoing of runs.
func TestEncode_Golden(t *testing.T) {
	images := newImages(t, "name", `odd "<name>"`)
	row := rowimage.Row{Key: keyset.Values{int64(17)}, Values: []any{int64(17), "<ann>\n", nil}}
	for _, tt := range []struct {
		name, text string
		columns    []string
		held       []string
	}{
		{
			"whole", `{"by":["id"],"key":["i17"],"whole":true,"columns":["id","name","odd \"<name>\""],"values":["i17","s<ann>\u000a",null]}`, nil,
			[]string{"id", "name", `odd "<name>"`},
		},
		{"some columns", `{"by":["id"],"key":["i17"],"whole":false,"columns":["name"],"values":["s<ann>\u000a"]}`, []string{"name"}, []string{"name"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := images.Encode(row, tt.columns...)
			if err != nil {
				t.Fatal(err)
			}
			if text != tt.text {
				t.Errorf("text\n got %s\nwant %s", text, tt.text)
			}
			back, err := images.Decode(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if held := images.Held(back); !slices.Equal(held, tt.held) {
				t.Errorf("the image holds %v, want %v", held, tt.held)
			}
			if changes := images.Changes(row, back); changes != nil || !back.Key.Equal(row.Key) {
				t.Errorf("the image is of row %v and differs in %v", back.Key, changes)
			}
		})
	}
}

func TestEncode_Refuses(t *testing.T) {
	images := newImages(t, "name")
	key := keyset.Values{int64(1)}
	for name, tt := range map[string]struct {
		row     rowimage.Row
		columns []string
	}{
		"an unknown column":          {rowimage.Row{Key: key, Values: []any{int64(1), "x"}}, []string{"zzz"}},
		"a generated column":         {rowimage.Row{Key: key, Values: []any{int64(1), "x"}}, []string{"made"}},
		"an absent value":            {rowimage.Row{Key: key, Values: []any{int64(1), rowimage.Absent}}, nil},
		"too few values":             {rowimage.Row{Key: key, Values: []any{int64(1)}}, nil},
		"no key":                     {rowimage.Row{Values: []any{int64(1), "x"}}, nil},
		"a value that has no text":   {rowimage.Row{Key: key, Values: []any{int64(1), struct{}{}}}, nil},
		"a key that has no text":     {rowimage.Row{Key: keyset.Values{struct{}{}}, Values: []any{int64(1), "x"}}, nil},
		"an absent one of the named": {rowimage.Row{Key: key, Values: []any{rowimage.Absent, "x"}}, []string{"name", "id"}},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := images.Encode(tt.row, tt.columns...); err == nil {
				t.Errorf("text %s, want an error", text)
			}
		})
	}
}

// A table that has changed between the run and its undo is noticed.
func TestDecode_ChangedTable(t *testing.T) {
	row := rowimage.Row{Key: keyset.Values{int64(17)}, Values: []any{int64(17), "x", "y"}}
	before := newImages(t, "a", "b")
	whole, err := before.Encode(row)
	if err != nil {
		t.Fatal(err)
	}
	some, err := before.Encode(row, "b")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		columns []string
		text    string
		want    *rowimage.SchemaError
		says    string
	}{
		{"added", []string{"a", "b", "c"}, whole, &rowimage.SchemaError{Added: []string{"c"}}, `table app.item has changed since the image of row 17: the image does not have the newer column "c"`},
		{"dropped", []string{"b"}, whole, &rowimage.SchemaError{Dropped: []string{"a"}}, `table app.item has changed since the image of row 17: the table no longer stores column "a"`},
		{
			"renamed",
			[]string{"a", "c", "d"},
			whole, &rowimage.SchemaError{Added: []string{"c", "d"}, Dropped: []string{"b"}},
			`table app.item has changed since the image of row 17: the table no longer stores column "b"; the image does not have the newer columns "c", "d"`,
		},
		{"generated now", []string{"a"}, strings.Replace(whole, `"b"`, `"made"`, 1), &rowimage.SchemaError{Dropped: []string{"made"}}, `table app.item has changed since the image of row 17: the table no longer stores column "made"`},
		{"other key", []string{"a", "b"}, strings.Replace(whole, `"by":["id"]`, `"by":["code"]`, 1), &rowimage.SchemaError{By: []string{"code"}}, `table app.item has changed since the image of row 17: the image's key is of column "code"`},
		{"added beside some columns", []string{"a", "b", "c"}, some, nil, ""},
		{"dropped beside some columns", []string{"b"}, some, nil, ""},
		{"another order", []string{"b", "a"}, whole, nil, ""},
		{"dropped of some columns", []string{"a"}, some, &rowimage.SchemaError{Dropped: []string{"b"}}, `table app.item has changed since the image of row 17: the table no longer stores column "b"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			images := newImages(t, tt.columns...)
			back, err := images.Decode(tt.text)
			if tt.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				if i := slices.Index(images.Columns(), "b"); back.Values[i] != "y" {
					t.Errorf("b is %v", back.Values[i])
				}
				return
			}
			got, ok := errors.AsType[*rowimage.SchemaError](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			tt.want.Table, tt.want.Key = "app.item", "17"
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if got.Error() != tt.says {
				t.Errorf("the error says\n%s\nwant\n%s", got, tt.says)
			}
		})
	}
}

func TestDecode_Malformed(t *testing.T) {
	images := newImages(t, "name")
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `{"by":["id"],"key":["i1"]}`, `{"by":["id"],"key":["i1"],"columns":["name"],"values":[]}`, `{"by":["id"],"key":[],"columns":[],"values":[]}`,
		`{"by":["id"],"key":["q"],"columns":[],"values":[]}`, `{"by":["id"],"key":["i1"],"columns":["name"],"values":["sx"`,
		`{"by":["id"],"key":["i1"],"columns":["name"],"values":[1]}`,
	} {
		if row, err := images.Decode(text); err == nil {
			t.Errorf("%s gives %v, want an error", text, row)
		}
	}
}

// Whatever the text, Decode does not panic, and what it accepts is written so that it reads the same.
func FuzzDecode(f *testing.F) {
	f.Add(`{"by":["id"],"key":["i17"],"whole":true,"columns":["id","name"],"values":["i17","sx"]}`)
	f.Add(`{"by":["id"],"key":["i17"],"whole":false,"columns":["name"],"values":[null]}`)
	f.Add(`{"by":["id"],"key":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		images := newImages(t, "name")
		row, err := images.Decode(text)
		if err != nil {
			return
		}
		held := images.Held(row)
		if len(held) == 0 {
			return
		}
		again, err := images.Encode(row, held...)
		if err != nil {
			t.Fatalf("encode what %q gave: %v", text, err)
		}
		back, err := images.Decode(again)
		if err != nil || !rowimage.Equal(row, back) {
			t.Fatalf("%q gives %v, %q gives %v, error %v", text, row, again, back, err)
		}
	})
}
