// Package cell moves values between the fields of Go structs and databases, without reflection for each row.
//
// A row is read and written through one scratch struct: for each column there is a [Cell], which holds a typed pointer to the scratch's
// field. To read, every cell is filled and the scratch is copied out; to write, a row is copied into the scratch and every cell is asked.
// What type a field has is decided once, when the cells are made.
//
//	row := new(Item)
//	name := cell.For(reflect.ValueOf(&row.Name), false)
//	err := name.Scan("first")   // row.Name is "first"
//
// Times are UTC and truncated to microseconds when they are written, and UTC when they are read: that is what all the databases keep.
package cell

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/drover-dev/drover/internal/pgbinary"
)

// Cell is one field of a row. It is used by one goroutine at a time.
type Cell interface {
	// Scan sets the field from what a driver of database/sql hands out: int64, uint64, float64, bool, []byte, string, time.Time or nil. It
	// keeps nothing of a []byte. A nil for a field that cannot hold NULL is [ErrNull].
	Scan(src any) error
	// Decode sets the field from a value in PostgreSQL's binary format that is not NULL, of a type that package pgbinary decodes.
	Decode(oid uint32, src []byte) error
	// Value returns the field as a driver takes it; nil is NULL.
	Value() (driver.Value, error)
	// Append appends the field in PostgreSQL's binary format, for a type that package pgbinary encodes; null says that it is NULL, and
	// then nothing was appended.
	Append(buf []byte, oid uint32) (out []byte, null bool, err error)
}

// Integer is the cell of a signed integer.
type Integer interface {
	Cell
	Int() int64
}

// Zero returns a function that reports whether a field, which is addressable, has its type's zero value.
func Zero(field reflect.Value) func() bool {
	switch p := field.Addr().Interface().(type) {
	case *int64:
		return func() bool { return *p == 0 }
	case *int:
		return func() bool { return *p == 0 }
	case *string:
		return func() bool { return *p == "" }
	}
	return field.IsZero
}

// ErrNull says that NULL was read into a field that cannot hold it.
var ErrNull = errors.New("NULL was read into a field that cannot hold it; make it a pointer or a sql.Null")

// TypeError says that a value does not fit a field.
type TypeError struct {
	Value any
	Type  string // of the field
	Why   string // empty where the types say enough
}

// Error says which value and which type.
func (e *TypeError) Error() string {
	text := fmt.Sprintf("the value %v (%T) does not fit the type %s", short(e.Value), e.Value, e.Type)
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

func short(value any) string {
	if b, ok := value.([]byte); ok {
		value = string(b)
	}
	const most = 60
	text := fmt.Sprint(value)
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
	timeType    = reflect.TypeFor[time.Time]()
	rawType     = reflect.TypeFor[json.RawMessage]()
	bytesType   = reflect.TypeFor[[]byte]()
	anyType     = reflect.TypeFor[any]()
)

// Usable says why a type cannot be a column's, in a few words, or returns "". json means that it is stored as a JSON document.
func Usable(t reflect.Type, json bool) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch kindOf(t, json) {
	case kindNone:
		if scans(t) != values(t) {
			return fmt.Sprintf("its type %s has only one of the methods Scan and Value; it needs both", t)
		}
		return fmt.Sprintf("a column cannot have the type %s; mark the field json to store it as a document, or \"-\" to leave it out", t)
	case kindArray:
		if reason := Usable(t.Elem(), false); reason != "" {
			return reason
		}
		if e := t.Elem(); e.Kind() == reflect.Slice && e.Elem() != bytesType.Elem() {
			return "an array of arrays is not supported; mark the field json to store it as a document"
		}
	}
	return ""
}

// Array reports whether a type is an array of PostgreSQL.
func Array(t reflect.Type, json bool) bool { return kindOf(t, json) == kindArray }

// Nullable reports whether a field of the type can hold NULL.
func Nullable(t reflect.Type, json bool) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || isSQLNull(t) {
		return true
	}
	switch kindOf(t, json) {
	case kindBytes, kindArray, kindScanner:
		return true
	case kindJSON:
		return t.Kind() == reflect.Map || t.Kind() == reflect.Slice
	}
	return false
}

type kind int

const (
	kindNone kind = iota
	kindInt
	kindUint
	kindFloat
	kindBool
	kindString
	kindBytes
	kindTime
	kindUUID
	kindJSON
	kindNull
	kindScanner
	kindArray
	kindAny
)

func kindOf(t reflect.Type, json bool) kind {
	switch {
	case json, t == rawType:
		return kindJSON
	case t == timeType:
		return kindTime
	case isSQLNull(t):
		if kindOf(t.Field(0).Type, false) == kindNone {
			return kindNone
		}
		return kindNull
	case scans(t) && values(t):
		return kindScanner
	case scans(t) || values(t):
		return kindNone
	case t == anyType:
		return kindAny
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return kindInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return kindUint
	case reflect.Float32, reflect.Float64:
		return kindFloat
	case reflect.Bool:
		return kindBool
	case reflect.String:
		return kindString
	case reflect.Slice:
		if t.Elem() == bytesType.Elem() {
			return kindBytes
		}
		return kindArray
	case reflect.Array:
		if t.Len() == 16 && t.Elem() == bytesType.Elem() {
			return kindUUID
		}
	}
	return kindNone
}

func scans(t reflect.Type) bool  { return reflect.PointerTo(t).Implements(scannerType) }
func values(t reflect.Type) bool { return reflect.PointerTo(t).Implements(valuerType) }

// isSQLNull reports whether t is one of database/sql's sql.NullString, sql.Null[T] and their like: a value and Valid.
func isSQLNull(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == "database/sql" && t.NumField() == 2 && t.Field(1).Name == "Valid"
}

// For returns the cell of the field that ptr points to. The type must be [Usable].
func For(ptr reflect.Value, json bool) Cell {
	t := ptr.Type().Elem()
	if t.Kind() == reflect.Pointer {
		return pointer(ptr, json)
	}
	switch kindOf(t, json) {
	case kindJSON:
		return &jsonCell{ptr: ptr}
	case kindTime:
		return &timeCell{ptr.Interface().(*time.Time)}
	case kindNull:
		inner := For(ptr.Elem().Field(0).Addr(), false)
		return &nullCell{ptr.Elem().Field(1).Addr().Interface().(*bool), inner, ptr.Elem()}
	case kindScanner:
		return &scannerCell{ptr.Elem(), ptr.Interface().(sql.Scanner), ptr.Interface().(driver.Valuer)}
	case kindInt, kindUint, kindFloat:
		return number(ptr)
	case kindBool:
		return &boolCell{as[bool](ptr)}
	case kindString:
		return &stringCell{as[string](ptr)}
	case kindBytes:
		return &bytesCell{ptr.Convert(reflect.PointerTo(bytesType)).Interface().(*[]byte)}
	case kindUUID:
		return &uuidCell{as[[16]byte](ptr)}
	case kindArray:
		return newArray(ptr)
	case kindAny:
		return &Any{Ptr: ptr.Interface().(*any)}
	}
	panic(fmt.Sprintf("cell: the type %s was not checked with Usable", t))
}

// as returns the pointer as one to the type that the named type is made of.
func as[E any](ptr reflect.Value) *E {
	return ptr.Convert(reflect.TypeFor[*E]()).Interface().(*E)
}

// appendValue appends a driver's value in PostgreSQL's binary format.
func appendValue(buf []byte, oid uint32, value driver.Value) ([]byte, bool, error) {
	var err error
	switch v := value.(type) {
	case nil:
		return buf, true, nil
	case int64:
		buf, err = pgbinary.AppendInt(buf, oid, v)
	case uint64:
		buf, err = pgbinary.AppendUint(buf, oid, v)
	case float64:
		buf, err = pgbinary.AppendFloat(buf, oid, v)
	case bool:
		if oid != pgbinary.Bool {
			return buf, false, &TypeError{v, typeName(oid), ""}
		}
		buf = pgbinary.AppendBool(buf, v)
	case []byte:
		buf, err = pgbinary.AppendBytes(buf, oid, v)
	case string:
		buf, err = pgbinary.AppendText(buf, oid, v)
	case time.Time:
		buf, err = pgbinary.AppendTime(buf, oid, v)
	default:
		err = &TypeError{v, typeName(oid), ""}
	}
	return buf, false, err
}

func typeName(oid uint32) string {
	if name, ok := pgbinary.TypeName(oid); ok {
		return name
	}
	return fmt.Sprintf("with the oid %d", oid)
}

// decodeValue returns a value in PostgreSQL's binary format as a driver of database/sql would hand it out.
func decodeValue(oid uint32, src []byte) (driver.Value, error) {
	switch oid {
	case pgbinary.Bool:
		return pgbinary.BoolValue(src)
	case pgbinary.Int2, pgbinary.Int4, pgbinary.Int8, pgbinary.OID:
		return pgbinary.Int(oid, src)
	case pgbinary.Float4, pgbinary.Float8:
		return pgbinary.Float(oid, src)
	case pgbinary.Bytea:
		return pgbinary.Bytes(oid, src)
	case pgbinary.Date, pgbinary.Timestamp, pgbinary.Timestamptz:
		return pgbinary.TimeValue(oid, src)
	}
	return pgbinary.String(oid, src)
}
