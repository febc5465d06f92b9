package cell

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"reflect"
	"time"

	"github.com/drover-dev/drover/internal/pgbinary"
)

// pointer returns the cell of a field that is a pointer: nil is NULL. Each row gets a new value to point to.
func pointer(ptr reflect.Value, json bool) Cell {
	switch p := ptr.Interface().(type) {
	case **int64:
		return newPointer(p)
	case **int32:
		return newPointer(p)
	case **int:
		return newPointer(p)
	case **float64:
		return newPointer(p)
	case **string:
		return newPointer(p)
	case **bool:
		return newPointer(p)
	case **time.Time:
		return newPointer(p)
	}
	elem := reflect.New(ptr.Type().Elem().Elem())
	return &anyPointerCell{ptr.Elem(), elem.Elem(), For(elem, json)}
}

// pointerCell is the cell of a pointer to a type that is known here.
type pointerCell[E any] struct {
	p     **E
	elem  *E
	inner Cell // of elem
}

func newPointer[E any](p **E) Cell {
	elem := new(E)
	return &pointerCell[E]{p, elem, For(reflect.ValueOf(elem), false)}
}

func (c *pointerCell[E]) Scan(src any) error {
	if src == nil {
		*c.p = nil
		return nil
	}
	if err := c.inner.Scan(src); err != nil {
		return err
	}
	c.keep()
	return nil
}

func (c *pointerCell[E]) keep() {
	value := *c.elem
	*c.p = &value
}

func (c *pointerCell[E]) Decode(oid uint32, src []byte) error {
	if err := c.inner.Decode(oid, src); err != nil {
		return err
	}
	c.keep()
	return nil
}

func (c *pointerCell[E]) Value() (driver.Value, error) {
	if *c.p == nil {
		return nil, nil
	}
	*c.elem = **c.p
	return c.inner.Value()
}

func (c *pointerCell[E]) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	if *c.p == nil {
		return buf, true, nil
	}
	*c.elem = **c.p
	return c.inner.Append(buf, oid)
}

// anyPointerCell is the cell of a pointer to any other type.
type anyPointerCell struct {
	field reflect.Value // the pointer
	elem  reflect.Value
	inner Cell // of elem
}

func (c *anyPointerCell) Scan(src any) error {
	if src == nil {
		c.field.SetZero()
		return nil
	}
	if err := c.inner.Scan(src); err != nil {
		return err
	}
	c.keep()
	return nil
}

func (c *anyPointerCell) keep() {
	value := reflect.New(c.elem.Type())
	value.Elem().Set(c.elem)
	c.field.Set(value)
}

func (c *anyPointerCell) Decode(oid uint32, src []byte) error {
	if err := c.inner.Decode(oid, src); err != nil {
		return err
	}
	c.keep()
	return nil
}

func (c *anyPointerCell) Value() (driver.Value, error) {
	if c.field.IsNil() {
		return nil, nil
	}
	c.elem.Set(c.field.Elem())
	return c.inner.Value()
}

func (c *anyPointerCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	if c.field.IsNil() {
		return buf, true, nil
	}
	c.elem.Set(c.field.Elem())
	return c.inner.Append(buf, oid)
}

// nullCell is the cell of sql.NullString and its like.
type nullCell struct {
	valid *bool
	inner Cell
	whole reflect.Value
}

func (c *nullCell) Scan(src any) error {
	if src == nil {
		c.whole.SetZero()
		return nil
	}
	*c.valid = true
	return c.inner.Scan(src)
}

func (c *nullCell) Decode(oid uint32, src []byte) error {
	*c.valid = true
	return c.inner.Decode(oid, src)
}

func (c *nullCell) Value() (driver.Value, error) {
	if !*c.valid {
		return nil, nil
	}
	return c.inner.Value()
}

func (c *nullCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	if !*c.valid {
		return buf, true, nil
	}
	return c.inner.Append(buf, oid)
}

// scannerCell is the cell of a type that scans and values itself.
type scannerCell struct {
	field   reflect.Value
	scanner sql.Scanner
	valuer  driver.Valuer
}

// Scan begins with the zero value, as in a new row: what the row before has left there would be its too.
func (c *scannerCell) Scan(src any) error {
	c.field.SetZero()
	return c.scanner.Scan(src)
}

func (c *scannerCell) Decode(oid uint32, src []byte) error {
	value, err := decodeValue(oid, src)
	if err != nil {
		return err
	}
	return c.Scan(value)
}

func (c *scannerCell) Value() (driver.Value, error) {
	value, err := c.valuer.Value()
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case time.Time:
		return Time(v), nil
	case nil, int64, uint64, float64, bool, string, []byte:
		return v, nil
	}
	return driver.DefaultParameterConverter.ConvertValue(value)
}

func (c *scannerCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	value, err := c.Value()
	if err != nil {
		return buf, false, err
	}
	return appendValue(buf, oid, value)
}

// jsonCell is the cell of a field that is stored as a JSON document. A nil pointer, map or slice is NULL.
type jsonCell struct{ ptr reflect.Value }

func (c *jsonCell) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		if !c.nillable() {
			return ErrNull
		}
		c.ptr.Elem().SetZero()
		return nil
	case []byte:
		return c.unmarshal(s)
	case string:
		return c.unmarshal([]byte(s))
	}
	return &TypeError{src, c.ptr.Type().Elem().String(), "it is no JSON document"}
}

func (c *jsonCell) nillable() bool {
	switch c.ptr.Elem().Kind() {
	case reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return false
}

func (c *jsonCell) unmarshal(src []byte) error {
	c.ptr.Elem().SetZero() // else a map would be the last row's
	return json.Unmarshal(src, c.ptr.Interface())
}

func (c *jsonCell) Decode(oid uint32, src []byte) error {
	b, err := pgbinary.Bytes(oid, src)
	if err != nil {
		return err
	}
	return c.unmarshal(b)
}

// Value is text: as bytes MySQL would not take it.
func (c *jsonCell) Value() (driver.Value, error) {
	if c.nillable() && c.ptr.Elem().IsNil() {
		return nil, nil
	}
	b, err := json.Marshal(c.ptr.Interface())
	if err != nil {
		return nil, err
	}
	return string(b), nil
}

func (c *jsonCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	value, err := c.Value()
	if err != nil {
		return buf, false, err
	}
	return appendValue(buf, oid, value)
}
