package datafile

import (
	"bytes"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// Texts turns rows as a driver hands them out into fields. It is for one goroutine.
type Texts struct {
	columns []Column
	fields  []Field
	buf     []byte
}

// NewTexts returns the way from values of these columns to fields.
func NewTexts(columns []Column) *Texts {
	return &Texts{columns: columns, fields: make([]Field, len(columns)), buf: make([]byte, 0, 512)}
}

// Row returns the fields of a row, which are good until the next one.
func (t *Texts) Row(values []driver.Value) ([]Field, error) {
	buf := t.buf[:0]
	for i := range t.columns {
		from := len(buf)
		var class dialect.Class
		var err error
		if values[i] == nil {
			t.fields[i] = Field{}
			continue
		}
		if buf, class, err = appendText(buf, &t.columns[i], values[i]); err != nil {
			return nil, fmt.Errorf("column %s: %w", t.columns[i].Name, err)
		}
		// Where buf has grown, the fields before it stay in the old one.
		t.fields[i] = Field{Text: buf[from:len(buf):len(buf)], Class: class}
	}
	t.buf = buf
	return t.fields, nil
}

// appendText appends the text of a value. Values of another type than their column's are written as what they are.
func appendText(buf []byte, c *Column, value driver.Value) ([]byte, dialect.Class, error) {
	typ := &c.Type
	if blob, ok := value.([]byte); ok && c.Loose && (typ.Class == dialect.Decimal || typ.Class == dialect.Float) {
		return appendBytes(buf, blob), dialect.Bytes, nil // which other databases spell their numbers in
	}
	switch typ.Class {
	case dialect.Integer:
		if n, ok := value.(int64); ok {
			if typ.Flag && (n == 0 || n == 1) {
				return appendBool(buf, n == 1), dialect.Boolean, nil
			}
			return strconv.AppendInt(buf, n, 10), dialect.Integer, nil
		}
	case dialect.Boolean:
		switch v := value.(type) {
		case bool:
			return appendBool(buf, v), dialect.Boolean, nil
		case int64:
			if v == 0 || v == 1 {
				return appendBool(buf, v == 1), dialect.Boolean, nil
			}
		}
	case dialect.Decimal:
		if buf, ok := appendDecimal(buf, value, typ.Scale); ok {
			return buf, dialect.Decimal, nil
		}
	case dialect.Float:
		if f, ok := float(value); ok {
			return appendFloat(buf, f, typ.Single), dialect.Float, nil
		}
	case dialect.Text, dialect.JSON, dialect.Opaque:
		switch v := value.(type) {
		case []byte:
			return append(buf, v...), typ.Class, nil
		case string:
			return append(buf, v...), typ.Class, nil
		}
	case dialect.Bytes:
		switch v := value.(type) {
		case []byte:
			return appendBytes(buf, v), dialect.Bytes, nil
		case string:
			return appendBytes(buf, []byte(v)), dialect.Bytes, nil
		}
	case dialect.Date, dialect.TimeOfDay, dialect.Timestamp:
		if out, ok := appendMoment(buf, c, value); ok {
			return out, typ.Class, nil
		}
	case dialect.UUID:
		if out, ok := appendUUID(buf, value); ok {
			return out, dialect.UUID, nil
		}
	}
	return appendOther(buf, value)
}

// appendOther appends a value by its own type.
func appendOther(buf []byte, value driver.Value) ([]byte, dialect.Class, error) {
	switch v := value.(type) {
	case int64:
		return strconv.AppendInt(buf, v, 10), dialect.Integer, nil
	case uint64:
		return strconv.AppendUint(buf, v, 10), dialect.Integer, nil
	case float64:
		return appendFloat(buf, v, false), dialect.Float, nil
	case float32:
		return appendFloat(buf, float64(v), true), dialect.Float, nil
	case bool:
		return appendBool(buf, v), dialect.Boolean, nil
	case string:
		return append(buf, v...), dialect.Text, nil
	case []byte:
		return appendBytes(buf, v), dialect.Bytes, nil
	case time.Time:
		return v.UTC().AppendFormat(buf, instantForm), dialect.Timestamp, nil
	}
	return buf, "", fmt.Errorf("a value of type %T has no text", value)
}

func appendBool(buf []byte, v bool) []byte {
	if v {
		return append(buf, 't')
	}
	return append(buf, 'f')
}

func appendBytes(buf, v []byte) []byte { return hex.AppendEncode(append(buf, '\\', 'x'), v) }

// appendDecimal appends a decimal number with as many digits behind the point as its column has, or more where it has them.
func appendDecimal(buf []byte, value driver.Value, scale int) ([]byte, bool) {
	from := len(buf)
	switch v := value.(type) {
	case []byte:
		return append(buf, v...), true // of a database that keeps the digits
	case int64:
		buf = strconv.AppendInt(buf, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return buf, false
		}
		buf = strconv.AppendFloat(buf, v, 'f', -1, 64)
	default:
		return buf, false
	}
	digits := 0
	if point := bytes.IndexByte(buf[from:], '.'); point >= 0 {
		digits = len(buf) - from - point - 1
	} else if scale > 0 {
		buf = append(buf, '.')
	}
	for ; digits < scale; digits++ {
		buf = append(buf, '0')
	}
	return buf, true
}

func float(value driver.Value) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case []byte: // MySQL's own spelling, which has all digits
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil
	}
	return 0, false
}

// appendFloat appends the shortest text that gives the number back, in the form of PostgreSQL: with an exponent from 1e15 on (1e6 in single
// precision) and below 0.0001.
func appendFloat(buf []byte, f float64, single bool) []byte {
	bits, least, most := 64, 1e-4, 1e15
	if single {
		bits, least, most = 32, float64(float32(1e-4)), 1e6
	}
	switch size := math.Abs(f); {
	case math.IsNaN(f):
		return append(buf, "NaN"...)
	case math.IsInf(f, 1):
		return append(buf, "Infinity"...)
	case math.IsInf(f, -1):
		return append(buf, "-Infinity"...)
	case size != 0 && (size < least || size >= most):
		return strconv.AppendFloat(buf, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(buf, f, 'f', -1, bits)
}

// appendUUID appends 36 characters, of a text in any spelling or of 16 bytes.
func appendUUID(buf []byte, value driver.Value) ([]byte, bool) {
	var id [16]byte
	switch v := value.(type) {
	case []byte:
		if len(v) == len(id) {
			id = [16]byte(v)
			break
		}
		return appendUUID(buf, string(v))
	case string:
		if !parseUUID(&id, v) {
			return buf, false
		}
	default:
		return buf, false
	}
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			buf = append(buf, '-')
		}
		buf = hex.AppendEncode(buf, part)
	}
	return buf, true
}

// parseUUID reads 32 hexadecimal digits, with dashes or without.
func parseUUID(id *[16]byte, text string) bool {
	digits := make([]byte, 0, 36)
	for i := range len(text) {
		if text[i] != '-' {
			digits = append(digits, text[i])
		}
	}
	if len(digits) != 2*len(id) {
		return false
	}
	_, err := hex.Decode(id[:], digits)
	return err == nil
}
