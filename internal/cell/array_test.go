package cell_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/drover-dev/drover/internal/cell"
)

func TestArray_Scan(t *testing.T) {
	scanned(t, []string{"a", "b,c", `d"e\f`, "", "NULL", "null", " x ", "é😀\n"}, `{a,"b,c","d\"e\\f","","NULL","null"," x ","é😀`+"\n"+`"}`)
	scanned(t, []string{}, `{}`)
	scanned(t, []string(nil), nil)
	scanned(t, []*string{new("a"), nil, new("NULL"), nil}, `{a,NULL,"NULL",null}`)
	scanned(t, []int64{1, -2}, `{1,-2}`, []byte(`{1,-2}`), `[2:3]={1,-2}`, `{"1","-2"}`)
	scanned(t, []bool{true, false}, `{t,f}`)
	scanned(t, []float64{1.5, 2}, `{1.5,2}`)
	scanned(t, []time.Time{time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)}, `{"2026-01-02 03:04:05+01"}`)
	scanned(t, [][]byte{{0, 255}, {}}, `{"\\x00ff","\\x"}`)
	scanned(t, []uuid.UUID{uuid.UUID(id)}, `{`+idText+`}`)
	scanned(t, []status{"a"}, `{a}`)
	refused[[]string](t, "", "{", "}", "a", "{a", "a}", "[1:2]", "[1:2]{a,b}", `{{a},{b}}`, `{a,{b}}`, int64(7), true)
	refused[[]int64](t, `{a}`, `{1.5}`, `{9223372036854775808}`)
	refused[[][]byte](t, `{"\\xzz"}`)
	for _, text := range []string{`{NULL}`, `{a,NULL}`} {
		if err := newField(reflect.TypeFor[[]string](), false).cell.Scan(text); !errors.Is(err, cell.ErrNull) {
			t.Errorf("%s into []string: %v", text, err)
		}
	}
}

// A slice of a type of the program's own that is made of uint8 is an array of numbers, no bytes.
func TestArray_NamedBytes(t *testing.T) {
	defer func() {
		if problem := recover(); problem != nil {
			t.Errorf("panic: %v", problem)
		}
	}()
	scanned(t, []level{1, 255}, `{1,255}`)
}

// The elements of one row are not those of the next.
func TestArray_ScanIsNew(t *testing.T) {
	f := newField(reflect.TypeFor[[]*string](), false)
	if err := f.cell.Scan(`{a,b}`); err != nil {
		t.Fatal(err)
	}
	first := f.value().([]*string)
	if err := f.cell.Scan(`{c,d}`); err != nil {
		t.Fatal(err)
	}
	if *first[0] != "a" || *first[1] != "b" {
		t.Errorf("the first row has %s and %s", *first[0], *first[1])
	}
}

func TestArrayLiteral(t *testing.T) {
	if got := cell.ArrayLiteral([]*string{new("a"), nil, new(`b"\,{}`), new(""), new("NULL")}); got != `{"a",NULL,"b\"\\,{}","","NULL"}` {
		t.Errorf("the literal is %s", got)
	}
	if got := cell.ArrayLiteral(nil); got != "{}" {
		t.Errorf("the literal is %s", got)
	}
}

// What is written as an array is read as the same, and no text makes the reader panic.
func FuzzArray(f *testing.F) {
	for _, text := range []string{``, `{}`, `{a,b}`, `{"a\"b","c\\d",NULL}`, `{{a}}`, `[0:1]={a,b}`, `{"a`, `{"a\`, `{"a\}`, `{a,}`, `{,}`, `{"}`, `[`, `[=`, `{"a"b}`} {
		f.Add(text, "x,y", true)
	}
	f.Fuzz(func(t *testing.T, text, other string, null bool) {
		want := []*string{&text, nil, &other, &text}
		if !null {
			want[1] = &other
		}
		field := newField(reflect.TypeFor[[]*string](), false)
		field.ptr.Elem().Set(reflect.ValueOf(want))
		written, err := field.cell.Value()
		if err != nil {
			t.Fatal(err)
		}
		if literal := cell.ArrayLiteral(want); literal != written {
			t.Errorf("%q and %q are the same array", literal, written)
		}
		back := newField(reflect.TypeFor[[]*string](), false)
		if err := back.cell.Scan(written); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(want), back.value()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", written, diff)
		}
		for _, of := range []reflect.Type{
			reflect.TypeFor[[]*string](), reflect.TypeFor[[]string](), reflect.TypeFor[[]int64](), reflect.TypeFor[[]bool](), reflect.TypeFor[[][]byte](),
			reflect.TypeFor[[]time.Time](),
		} {
			odd := newField(of, false)
			if err := odd.cell.Scan(text); err != nil {
				continue
			}
			// What was read can be written, and is read as the same then.
			written, err := odd.cell.Value()
			if err != nil {
				t.Fatal(err)
			}
			again := newField(of, false)
			if err := again.cell.Scan(written); err != nil {
				t.Fatalf("%q was read as %v, and %q is refused: %v", text, odd.value(), written, err)
			}
			if diff := cmp.Diff(odd.value(), again.value()); diff != "" {
				t.Errorf("%q and %q (-first +second):\n%s", text, written, diff)
			}
		}
	})
}
