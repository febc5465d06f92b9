package cell

import (
	"database/sql/driver"
	"encoding/hex"
	"reflect"
	"strings"
)

// arrayCell is the cell of a slice that is an array of PostgreSQL. It travels as the text of an array literal (PostgreSQL manual, 8.15.2,
// 8.15.6). A nil slice is NULL.
type arrayCell struct {
	slice reflect.Value
	elem  reflect.Value
	inner Cell // of elem
	bytes bool // elements are bytea
}

func newArray(ptr reflect.Value) Cell {
	elem := reflect.New(ptr.Type().Elem().Elem())
	return &arrayCell{
		slice: ptr.Elem(), elem: elem.Elem(), inner: For(elem, false),
		bytes: kindOf(elem.Type().Elem(), false) == kindBytes,
	}
}

func (c *arrayCell) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		c.slice.SetZero()
		return nil
	case []byte:
		return c.parse(string(s))
	case string:
		return c.parse(s)
	}
	return &TypeError{src, c.slice.Type().String(), ""}
}

// Decode is for text: the binary format of arrays is not asked for.
func (c *arrayCell) Decode(_ uint32, src []byte) error { return c.parse(string(src)) }

func (c *arrayCell) parse(text string) error {
	bad := func(why string) error { return &TypeError{text, c.slice.Type().String(), why} }
	if strings.HasPrefix(text, "[") { // bounds: [2:3]={…}
		_, text, _ = strings.Cut(text, "=")
	}
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return bad("it is no array")
	}
	list := reflect.MakeSlice(c.slice.Type(), 0, strings.Count(text, ",")+1)
	for i := 1; i < len(text)-1; {
		if text[i] == '{' {
			return bad("it has more than one dimension")
		}
		element, quoted, end := arrayElement(text, i)
		var value any = element
		switch {
		case !quoted && strings.EqualFold(element, "NULL"):
			value = nil
		case c.bytes:
			raw, err := hex.DecodeString(strings.TrimPrefix(element, `\x`))
			if err != nil {
				return bad("it is no array of bytea")
			}
			value = raw
		}
		c.elem.SetZero()
		if err := c.inner.Scan(value); err != nil {
			return err
		}
		list = reflect.Append(list, c.elem)
		i = end + 1 // the comma, or the closing brace
	}
	c.slice.Set(list)
	return nil
}

// arrayElement reads the element that begins at i and returns the place of what ends it.
func arrayElement(text string, i int) (element string, quoted bool, end int) {
	if text[i] != '"' {
		end = i + strings.IndexAny(text[i:], ",}")
		return text[i:end], false, end
	}
	var b strings.Builder
	for i++; i < len(text)-1 && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), true, i + 1
}

func (c *arrayCell) Value() (driver.Value, error) {
	if c.slice.IsNil() {
		return nil, nil
	}
	var b strings.Builder
	b.WriteByte('{')
	for i := range c.slice.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		c.elem.Set(c.slice.Index(i))
		value, err := c.inner.Value()
		if err != nil {
			return nil, err
		}
		if value == nil {
			b.WriteString("NULL")
			continue
		}
		text, err := Literal(value)
		if err != nil {
			return nil, err
		}
		writeQuoted(&b, text)
	}
	b.WriteByte('}')
	return b.String(), nil
}

// ArrayLiteral writes texts as an array literal of PostgreSQL; a nil one is NULL.
func ArrayLiteral(texts []*string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, text := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		if text == nil {
			b.WriteString("NULL")
			continue
		}
		writeQuoted(&b, *text)
	}
	b.WriteByte('}')
	return b.String()
}

func writeQuoted(b *strings.Builder, text string) {
	b.WriteByte('"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('"')
}

// Append is not used: arrays have no binary form here.
func (c *arrayCell) Append(buf []byte, oid uint32) ([]byte, bool, error) {
	value, err := c.Value()
	if err != nil {
		return buf, false, err
	}
	return appendValue(buf, oid, value)
}
