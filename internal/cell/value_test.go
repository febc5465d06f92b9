package cell_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/cell"
)

func TestCell_Value(t *testing.T) {
	stored := time.Date(2026, 1, 2, 2, 4, 5, 678901000, time.UTC)
	tests := []struct {
		field any
		want  driver.Value
	}{
		{int8(-1), int64(-1)},
		{int64(math.MinInt64), int64(math.MinInt64)},
		{uint32(7), int64(7)},
		{uint64(math.MaxInt64), int64(math.MaxInt64)},
		{uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{float32(0.5), 0.5},
		{0.1, 0.1},
		{true, true},
		{"a", "a"},
		{status("a"), "a"},
		{cents(5), int64(5)},
		{level(5), int64(5)},
		{ratio(5), 5.0},
		{flag(true), true},
		{[]byte{}, []byte{}},
		{[]byte(nil), nil},
		{blob{1}, []byte{1}},
		{moment, stored},
		{&moment, stored},
		{(*time.Time)(nil), nil},
		{id, idText},
		{uuid.UUID(id), idText},
		{new(uuid.UUID(id)), idText},
		{new(status("x")), "x"},
		{(*status)(nil), nil},
		{sql.NullString{String: "x", Valid: true}, "x"},
		{sql.NullString{String: "x"}, nil},
		{sql.NullTime{Time: moment, Valid: true}, stored},
		{sql.NullByte{Byte: 7, Valid: true}, int64(7)},
		{sql.Null[cents]{V: 7, Valid: true}, int64(7)},
		{sql.Null[[]byte]{V: []byte{1}, Valid: true}, []byte{1}},
		{decimal.RequireFromString("1.50"), "1.5"},
		{json.RawMessage(`{"a":1}`), `{"a":1}`},
		{json.RawMessage(nil), nil},
		{[]string{"a", `b"\,`, ""}, `{"a","b\"\\,",""}`},
		{[]string(nil), nil},
		{[]string{}, `{}`},
		{[]*int64{new(int64(1)), nil}, `{"1",NULL}`},
		{[][]byte{{0xff}}, `{"\\xff"}`},
	}
	for _, tt := range tests {
		f := newField(reflect.TypeOf(tt.field), false)
		f.ptr.Elem().Set(reflect.ValueOf(tt.field))
		got, err := f.cell.Value()
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%T, %v (-want +got):\n%s", tt.field, err, diff)
		}
		plain, err := cell.Plain(tt.field)
		if diff := cmp.Diff(tt.want, plain); diff != "" || err != nil {
			t.Errorf("plain %T, %v (-want +got):\n%s", tt.field, err, diff)
		}
	}
	for _, of := range []any{struct{}{}, make(chan int), map[string]int{}} {
		if _, err := cell.Plain(of); err == nil {
			t.Errorf("%T is taken for a parameter", of)
		}
	}
}

func TestCell_Documents(t *testing.T) {
	type document struct {
		A int               `json:"a"`
		M map[string]string `json:"m,omitempty"`
	}
	tests := []struct {
		name  string
		field any
		want  driver.Value
	}{
		{"struct", document{A: 1}, `{"a":1}`},
		{"pointer", &document{A: 2, M: map[string]string{"k": "v"}}, `{"a":2,"m":{"k":"v"}}`},
		{"nil pointer", (*document)(nil), nil},
		{"map", map[string]any{"x": []any{true, nil, "t"}}, `{"x":[true,null,"t"]}`},
		{"nil map", map[string]int(nil), nil},
		{"slice", []int{1, 2}, `[1,2]`},
		{"nil slice", []int(nil), nil},
		{"empty slice", []int{}, `[]`},
		{"text", "a", `"a"`},
		{"raw", json.RawMessage(`[1]`), `[1]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newField(reflect.TypeOf(tt.field), true)
			f.ptr.Elem().Set(reflect.ValueOf(tt.field))
			got, err := f.cell.Value()
			if got != tt.want || err != nil {
				t.Errorf("%v, %v, want %v", got, err, tt.want)
			}
			back := newField(reflect.TypeOf(tt.field), true)
			for _, before := range []string{"", `null`} { // what the row before has left must not shine through
				if before != "" {
					if err := back.cell.Scan(before); err != nil {
						t.Fatal(err)
					}
				}
				if err := back.cell.Scan(got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.field, back.value()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
	f := newField(reflect.TypeFor[document](), true)
	for _, src := range []any{`{"a":`, "", `{"a":"text"}`, int64(7), nil} {
		if err := f.cell.Scan(src); err == nil {
			t.Errorf("%v is read as a document", src)
		}
	}
	odd := newField(reflect.TypeFor[map[string]any](), true)
	odd.ptr.Elem().Set(reflect.ValueOf(map[string]any{"f": func() {}}))
	if _, err := odd.cell.Value(); err == nil {
		t.Error("a function is written as a document")
	}
}

func TestUsable(t *testing.T) {
	type plain struct{ A int }
	for _, of := range []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[*uint8](), reflect.TypeFor[status](), reflect.TypeFor[*status](), reflect.TypeFor[time.Time](),
		reflect.TypeFor[[]byte](), reflect.TypeFor[[16]byte](), reflect.TypeFor[uuid.UUID](), reflect.TypeFor[sql.NullBool](), reflect.TypeFor[sql.Null[cents]](),
		reflect.TypeFor[[]string](), reflect.TypeFor[[]*time.Time](), reflect.TypeFor[[][]byte](), reflect.TypeFor[[]uuid.UUID](), reflect.TypeFor[upper](),
		reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any](), reflect.TypeFor[*decimal.Decimal](),
	} {
		if reason := cell.Usable(of, false); reason != "" {
			t.Errorf("%v: %s", of, reason)
			continue
		}
		newField(of, false) // which does not panic
	}
	for of, words := range map[reflect.Type]string{
		reflect.TypeFor[plain]():               "mark the field json",
		reflect.TypeFor[map[string]int]():      "mark the field json",
		reflect.TypeFor[chan int]():            "cannot have the type",
		reflect.TypeFor[func()]():              "cannot have the type",
		reflect.TypeFor[**int]():               "cannot have the type",
		reflect.TypeFor[[8]byte]():             "cannot have the type",
		reflect.TypeFor[complex128]():          "cannot have the type",
		reflect.TypeFor[[][]string]():          "array of arrays",
		reflect.TypeFor[[]plain]():             "mark the field json",
		reflect.TypeFor[sql.Null[plain]]():     "cannot have the type",
		reflect.TypeFor[sql.Null[*chan int]](): "cannot have the type",
		reflect.TypeFor[onlyScans]():           "only one of the methods",
		reflect.TypeFor[onlyValues]():          "only one of the methods",
	} {
		if reason := cell.Usable(of, false); !strings.Contains(reason, words) {
			t.Errorf("%v: the reason is %q, want %q in it", of, reason, words)
		}
		if of.Kind() == reflect.Struct || of.Kind() == reflect.Map {
			if reason := cell.Usable(of, true); reason != "" {
				t.Errorf("%v as a document: %s", of, reason)
			}
		}
	}
}

type onlyScans struct{}

func (*onlyScans) Scan(any) error { return nil }

type onlyValues struct{}

func (onlyValues) Value() (driver.Value, error) { return int64(1), nil }

func TestTypeError_IsShort(t *testing.T) {
	f := newField(reflect.TypeFor[int8](), false)
	for _, src := range []any{strings.Repeat("é", 5000), []byte(strings.Repeat("x", 5000))} {
		err := f.cell.Scan(src)
		if err == nil || len(err.Error()) > 300 || strings.ToValidUTF8(err.Error(), "") != err.Error() {
			t.Errorf("the error is %q", err)
		}
	}
}

// What a field gives to a driver, it reads again, as bytes and as text too.
func TestCell_ReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := time.Unix(rapid.Int64Range(-1<<33, 1<<33).Draw(rt, "seconds"), rapid.Int64Range(0, 999999999).Draw(rt, "ns"))
		for _, value := range []any{
			rapid.Int8().Draw(rt, "int8"), rapid.Int64().Draw(rt, "int64"), rapid.Uint64().Draw(rt, "uint64"), rapid.Uint16().Draw(rt, "uint16"),
			rapid.Float64().Draw(rt, "float64"), rapid.Float32().Draw(rt, "float32"), rapid.Bool().Draw(rt, "bool"), rapid.String().Draw(rt, "string"),
			status(rapid.String().Draw(rt, "status")), cents(rapid.Int64().Draw(rt, "cents")), cell.Time(at),
			rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes"), [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "uuid")),
		} {
			f := newField(reflect.TypeOf(value), false)
			f.ptr.Elem().Set(reflect.ValueOf(value))
			written, err := f.cell.Value()
			if err != nil {
				rt.Fatalf("%#v: %v", value, err)
			}
			text, err := cell.Literal(written)
			if err != nil {
				rt.Fatalf("%#v: %v", value, err)
			}
			sources := []any{written, text, []byte(text)}
			if _, ok := written.([]byte); ok {
				sources = sources[:1]
			}
			for _, src := range sources {
				back := newField(reflect.TypeOf(value), false)
				if err := back.cell.Scan(src); err != nil {
					rt.Fatalf("%#v as %#v: %v", value, src, err)
				}
				if diff := cmp.Diff(value, back.value()); diff != "" {
					rt.Fatalf("%#v as %#v (-want +got):\n%s", value, src, diff)
				}
			}
		}
	})
}
