package datafile

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// JSONColumn is a column of a row in JSON Lines.
type JSONColumn struct {
	Name   string
	Zoned  bool // dates with a time are instants
	Single bool // floats are of single precision, and are written as such
}

// JSONValue is a value with its class, in the form in which values travel between databases: int64 or uint64, decimals as text, float64, bool, text
// and JSON as string, []byte, days and times of day as text, time.Time, UUIDs as text; nil is NULL.
type JSONValue struct {
	Class dialect.Class
	Value any
}

// AppendJSONRow appends a row as one line. What JSON cannot say, as text that is no UTF-8, is an error that names the column.
func AppendJSONRow(buf []byte, columns []JSONColumn, values []JSONValue) (_ []byte, err error) {
	before := byte('{')
	text := make([]byte, 0, 64) // an empty one is not NULL
	for i, c := range columns {
		buf = append(buf, before)
		before = ','
		if buf, err = appendJSONField(buf, Field{Text: []byte(c.Name), Class: dialect.Text}); err == nil {
			var f Field
			if f, err = c.field(text[:0], values[i]); err == nil {
				buf, err = appendJSONField(append(buf, ':'), f)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	return append(buf, '}', '\n'), nil
}

// field is the text form of a value, appended to text.
func (c JSONColumn) field(text []byte, value JSONValue) (Field, error) {
	switch v := value.Value.(type) {
	case nil:
		return Field{}, nil
	case bool:
		return Field{appendBool(text, v), dialect.Boolean}, nil
	case int64:
		return Field{strconv.AppendInt(text, v, 10), dialect.Integer}, nil
	case uint64:
		return Field{strconv.AppendUint(text, v, 10), dialect.Integer}, nil
	case float64:
		return Field{appendFloat(text, v, c.Single), dialect.Float}, nil
	case []byte:
		return Field{appendBytes(text, v), dialect.Bytes}, nil
	case time.Time:
		return Field{appendZone(v.UTC().AppendFormat(text, instantForm), c.Zoned), dialect.Timestamp}, nil
	case string:
		text = append(text, v...)
		if value.Class == dialect.Decimal && !json.Valid(text) {
			return Field{text, dialect.Text}, nil
		}
		return Field{text, value.Class}, nil
	}
	return Field{}, fmt.Errorf("a %T has no form in JSON", value.Value)
}
