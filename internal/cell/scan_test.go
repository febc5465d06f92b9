package cell_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/drover-dev/drover/internal/cell"
)

type (
	status string
	cents  int64
	level  uint8
	ratio  float64
	flag   bool
	blob   []byte
)

var (
	moment = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("x", 3600))
	id     = [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
)

const idText = "00010203-0405-0607-0809-0a0b0c0d0e0f"

// field is a field of any type behind a cell.
type field struct {
	ptr  reflect.Value
	cell cell.Cell
}

func newField(t reflect.Type, json bool) field {
	ptr := reflect.New(t)
	return field{ptr, cell.For(ptr, json)}
}

func (f field) value() any { return f.ptr.Elem().Interface() }

// scanned is what a field of the type V is after a driver's value was read into it.
func scanned[V any](t *testing.T, want V, srcs ...any) {
	t.Helper()
	for _, src := range srcs {
		f := newField(reflect.TypeFor[V](), false)
		if err := f.cell.Scan(src); err != nil {
			t.Errorf("%T from %#v: %v", want, src, err)
			continue
		}
		if diff := cmp.Diff(any(want), f.value()); diff != "" {
			t.Errorf("%T from %#v (-want +got):\n%s", want, src, diff)
		}
	}
}

// refused are driver's values that no field of the type V can hold.
func refused[V any](t *testing.T, srcs ...any) {
	t.Helper()
	for _, src := range srcs {
		f := newField(reflect.TypeFor[V](), false)
		err := f.cell.Scan(src)
		own, ok := errors.AsType[*cell.TypeError](err)
		if !ok {
			t.Errorf("%v from %#v: %v (%T), and %v", reflect.TypeFor[V](), src, err, err, f.value())
			continue
		}
		if !strings.Contains(own.Error(), own.Type) || own.Type == "" {
			t.Errorf("the error %q does not name the type", own)
		}
	}
}

func TestCell_ScanNumbers(t *testing.T) {
	scanned[int](t, 7, int64(7), uint64(7), 7.0, float32(7), "7", []byte("7"), "7.0", "7.00")
	scanned[int8](t, -128, int64(-128), "-128", []byte("-128"), -128.0)
	scanned[int16](t, 1, true)
	scanned[int32](t, math.MaxInt32, int64(math.MaxInt32), "2147483647")
	scanned[int64](t, math.MinInt64, int64(math.MinInt64), "-9223372036854775808")
	scanned[uint8](t, 255, int64(255), uint64(255), "255", []byte("255"), 255.0)
	scanned[uint16](t, 65535, int64(65535))
	scanned[uint32](t, math.MaxUint32, int64(math.MaxUint32), "4294967295")
	scanned[uint64](t, math.MaxUint64, uint64(math.MaxUint64), "18446744073709551615", []byte("18446744073709551615"))
	scanned[uint](t, 0, int64(0), false)
	scanned[float64](t, 2.5, 2.5, float32(2.5), "2.5", []byte("2.5"))
	scanned[float64](t, 3, int64(3), uint64(3), "3")
	scanned[float64](t, math.Inf(1), math.Inf(1), "Infinity", "inf")
	scanned[float32](t, 0.1, 0.1, float32(0.1), "0.1", []byte("0.1"))
	scanned[float32](t, float32(math.Inf(-1)), math.Inf(-1))
	scanned[cents](t, -5, int64(-5), "-5")
	scanned[level](t, 9, int64(9), "9")
	scanned[ratio](t, 0.5, 0.5, "0.5")
}

func TestCell_ScanNumbersOutOfRange(t *testing.T) {
	refused[int8](t, int64(128), int64(-129), uint64(300), "128", []byte("-129"), 200.0, 1.5, "1.5", "x", "", moment, []byte{0xff})
	refused[int16](t, int64(math.MaxInt16+1))
	refused[int32](t, int64(math.MaxInt32+1))
	refused[int64](t, uint64(math.MaxUint64), 1e300, math.NaN(), math.Inf(1), "9223372036854775808", "0x10", "1_000", " 1")
	refused[int](t, float64(1<<60)) // a float64 of this size is not known to be a whole number
	refused[uint8](t, int64(256), int64(-1), "256", "-1", 256.0, -1.0, "1.5")
	refused[uint64](t, int64(-1), "-1", "18446744073709551616", -1.0)
	refused[uint](t, int64(math.MinInt64))
	refused[float64](t, "x", "", true, moment, "1e999", []byte("1.2.3"))
	refused[float32](t, 1e300, -math.MaxFloat64, "1e300", "x", false)
	refused[cents](t, "1.5")
	refused[level](t, int64(256))
}

func TestCell_ScanBool(t *testing.T) {
	scanned[bool](t, true, true, int64(1), "true", "t", "1", []byte("1"), []byte{1}, "TRUE")
	scanned[bool](t, false, false, int64(0), "false", "f", "0", []byte("0"), []byte{0})
	scanned[flag](t, true, true, int64(1))
	refused[bool](t, int64(2), int64(-1), "yes?", []byte{2}, 1.0, moment, "")
}

func TestCell_ScanText(t *testing.T) {
	scanned[string](t, "a\x00'\"\\é😀", "a\x00'\"\\é😀", []byte("a\x00'\"\\é😀"))
	scanned[string](t, "", "", []byte{}, []byte(nil))
	scanned[string](t, "-7", int64(-7))
	scanned[string](t, "18446744073709551615", uint64(math.MaxUint64))
	scanned[string](t, "0.1", 0.1, float32(0.1))
	scanned[string](t, "true", true)
	scanned[string](t, "2026-01-02 02:04:05.678901Z", moment)
	scanned[status](t, "new", "new", []byte("new"))
	refused[string](t, struct{}{}, 7)
}

// A driver gives out its own buffer: what is kept of it must be a copy.
func TestCell_ScanKeepsNoBuffer(t *testing.T) {
	buffer := []byte("first")
	texts, bytes, any_ := newField(reflect.TypeFor[string](), false), newField(reflect.TypeFor[[]byte](), false), newField(reflect.TypeFor[any](), false)
	pointer, raw := newField(reflect.TypeFor[*[]byte](), false), newField(reflect.TypeFor[json.RawMessage](), false)
	null := newField(reflect.TypeFor[sql.Null[[]byte]](), false)
	fields := []field{texts, bytes, any_, pointer, null}
	for _, f := range fields {
		if err := f.cell.Scan(buffer); err != nil {
			t.Fatal(err)
		}
	}
	document := []byte(`{"a":1}`)
	if err := raw.cell.Scan(document); err != nil {
		t.Fatal(err)
	}
	copy(buffer, "other")
	copy(document, "xxxxxxx")
	got := []any{texts.value(), bytes.value(), any_.value(), *pointer.value().(*[]byte), null.value().(sql.Null[[]byte]).V, raw.value()}
	want := []any{"first", []byte("first"), []byte("first"), []byte("first"), []byte("first"), json.RawMessage(`{"a":1}`)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCell_ScanBytes(t *testing.T) {
	scanned[[]byte](t, []byte{0, 255, 1}, []byte{0, 255, 1})
	scanned[[]byte](t, []byte("text"), "text", []byte("text"))
	scanned[[]byte](t, []byte{}, []byte{}, "")
	scanned[[]byte](t, nil, nil)
	scanned[[]byte](t, []byte("7"), int64(7))
	scanned[blob](t, blob{1}, []byte{1})
	refused[[]byte](t, struct{}{})
}

func TestCell_ScanTime(t *testing.T) {
	want := time.Date(2026, 1, 2, 2, 4, 5, 678901000, time.UTC)
	scanned[time.Time](t, want, want, want.In(time.FixedZone("x", -7200)), "2026-01-02 02:04:05.678901", []byte("2026-01-02 02:04:05.678901"),
		"2026-01-02T02:04:05.678901Z", "2026-01-02 03:04:05.678901+01:00", "2026-01-02 03:04:05.678901+01", "2026-01-02 03:04:05.678901 +0100 CET",
		"2026-01-02 03:04:05.678901 +0100 CET m=+0.1")
	scanned[time.Time](t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), "2026-01-02", "2026-01-02 00:00", "2026-01-02 00:00:00", "2026-01-02 00:00:00+00")
	scanned[time.Time](t, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "0001-01-01 00:00:00", time.Time{})
	refused[time.Time](t, "yesterday", "", int64(7), true, "2026-13-01", "infinity")
	f := newField(reflect.TypeFor[time.Time](), false)
	if err := f.cell.Scan(moment); err != nil || f.value().(time.Time).Location() != time.UTC {
		t.Errorf("%v, %v", f.value(), err)
	}
}

func TestCell_ScanUUID(t *testing.T) {
	scanned[[16]byte](t, id, idText, []byte(idText), id[:], strings.ToUpper(idText), strings.ReplaceAll(idText, "-", ""))
	scanned[uuid.UUID](t, uuid.UUID(id), idText, []byte(idText), id[:])
	scanned[uuid.NullUUID](t, uuid.NullUUID{UUID: uuid.UUID(id), Valid: true}, idText)
	scanned[uuid.NullUUID](t, uuid.NullUUID{}, nil)
	refused[[16]byte](t, "00010203", "", []byte{1, 2, 3}, int64(7), "zz010203-0405-0607-0809-0a0b0c0d0e0f")
}

func TestCell_ScanOthers(t *testing.T) {
	scanned[decimal.Decimal](t, decimal.RequireFromString("12.50"), "12.50", []byte("12.50"), 12.5)
	scanned[decimal.NullDecimal](t, decimal.NullDecimal{}, nil)
	scanned[json.RawMessage](t, json.RawMessage(`{"a": [1]}`), `{"a": [1]}`, []byte(`{"a": [1]}`))
	scanned[any](t, int64(7), int64(7))
	scanned[any](t, 0.5, float32(0.5))
	scanned[any](t, nil, nil)
	scanned[any](t, moment.UTC(), moment)
	refused[json.RawMessage](t, int64(7))
}

// NULL is nil for a field that can hold it, also where the last row had a value, and an error for another one.
func TestCell_ScanNull(t *testing.T) {
	for _, of := range []struct {
		field reflect.Type
		value any
	}{
		{reflect.TypeFor[*int](), int64(1)},
		{reflect.TypeFor[*int8](), int64(1)},
		{reflect.TypeFor[*string](), "x"},
		{reflect.TypeFor[*status](), "x"},
		{reflect.TypeFor[*time.Time](), moment},
		{reflect.TypeFor[*[16]byte](), idText},
		{reflect.TypeFor[[]byte](), []byte{1}},
		{reflect.TypeFor[sql.NullString](), "x"},
		{reflect.TypeFor[sql.NullInt64](), int64(1)},
		{reflect.TypeFor[sql.NullTime](), moment},
		{reflect.TypeFor[sql.Null[cents]](), int64(1)},
		{reflect.TypeFor[sql.Null[uuid.UUID]](), idText},
		{reflect.TypeFor[[]string](), "{a}"},
		{reflect.TypeFor[json.RawMessage](), "{}"},
		{reflect.TypeFor[any](), "x"},
		{reflect.TypeFor[decimal.NullDecimal](), "1"},
		{reflect.TypeFor[uuid.NullUUID](), idText},
	} {
		t.Run(of.field.String(), func(t *testing.T) {
			f := newField(of.field, false)
			if err := f.cell.Scan(of.value); err != nil || f.ptr.Elem().IsZero() {
				t.Fatalf("%v, %v", f.value(), err)
			}
			if err := f.cell.Scan(nil); err != nil || !f.ptr.Elem().IsZero() {
				t.Errorf("NULL is %#v, %v", f.value(), err)
			}
			if value, err := f.cell.Value(); value != nil || err != nil {
				t.Errorf("its value is %#v, %v", value, err)
			}
			if !cell.Nullable(of.field, false) {
				t.Error("it is said not to hold NULL")
			}
		})
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[float32](), reflect.TypeFor[bool](), reflect.TypeFor[string](),
		reflect.TypeFor[status](), reflect.TypeFor[time.Time](), reflect.TypeFor[[16]byte](),
	} {
		if err := newField(of, false).cell.Scan(nil); !errors.Is(err, cell.ErrNull) {
			t.Errorf("NULL into %v: %v", of, err)
		}
		if cell.Nullable(of, false) {
			t.Errorf("%v is said to hold NULL", of)
		}
	}
}

// A pointer of one row is not the pointer of the next.
func TestCell_ScanPointersAreNew(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[*int64](), reflect.TypeFor[*int8](), reflect.TypeFor[*cents]()} {
		f := newField(of, false)
		if err := f.cell.Scan(int64(1)); err != nil {
			t.Fatal(err)
		}
		first := f.value()
		if err := f.cell.Scan(int64(2)); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(reflect.ValueOf(first).Elem().Interface()); got != "1" {
			t.Errorf("%v: the first row's value is %s", of, got)
		}
	}
}

// upper scans and values itself.
type upper struct{ text string }

func (u *upper) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("upper: %T", src)
	}
	u.text = strings.ToLower(text)
	return nil
}

func (u upper) Value() (driver.Value, error) {
	if u.text == "wrong" {
		return nil, errors.New("it is wrong")
	}
	return strings.ToUpper(u.text), nil
}

func TestCell_OwnMethods(t *testing.T) {
	f := newField(reflect.TypeFor[upper](), false)
	if err := f.cell.Scan("ABC"); err != nil || f.value() != (upper{"abc"}) {
		t.Errorf("%v, %v", f.value(), err)
	}
	if value, err := f.cell.Value(); value != "ABC" || err != nil {
		t.Errorf("%v, %v", value, err)
	}
	if err := f.cell.Scan(int64(7)); err == nil {
		t.Error("its own error is lost")
	}
	f.ptr.Elem().Set(reflect.ValueOf(upper{"wrong"}))
	if _, err := f.cell.Value(); err == nil {
		t.Error("its own error is lost")
	}
}

// tags is written as many programs do it: Unmarshal adds to the map that is there.
type tags map[string]int

func (m *tags) Scan(src any) error          { return json.Unmarshal([]byte(src.(string)), m) }
func (m tags) Value() (driver.Value, error) { return json.Marshal(m) }

// A type's own Scan finds a new value for each row, not that of the row before.
func TestCell_OwnMethodsStartAfresh(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[tags](), reflect.TypeFor[*tags](), reflect.TypeFor[sql.Null[tags]]()} {
		f := newField(of, false)
		var rows []string
		var kept []any
		for _, src := range []string{`{"a":1}`, `{"b":2}`} {
			if err := f.cell.Scan(src); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, f.value())
		}
		for _, row := range kept {
			text, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, string(text))
		}
		for i, unlike := range []string{"b", "a"} {
			if strings.Contains(rows[i], `"`+unlike+`":`) {
				t.Errorf("%v: row %d has what is another row's: %s", of, i, rows[i])
			}
		}
	}
}
