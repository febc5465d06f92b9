package datafile

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

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
	buf = append(buf, '{')
	for i, c := range columns {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = appendUTF8(buf, c.Name); err == nil {
			buf, err = c.append(append(buf, ':'), values[i])
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	return append(buf, '}', '\n'), nil
}

func (c JSONColumn) append(buf []byte, value JSONValue) ([]byte, error) {
	switch v := value.Value.(type) {
	case nil:
		return append(buf, "null"...), nil
	case bool:
		return strconv.AppendBool(buf, v), nil
	case int64:
		return strconv.AppendInt(buf, v, 10), nil
	case uint64:
		return strconv.AppendUint(buf, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(appendFloat(append(buf, '"'), v, c.Single), '"'), nil
		}
		return appendFloat(buf, v, c.Single), nil
	case []byte:
		return append(hex.AppendEncode(append(buf, `"\\x`...), v), '"'), nil
	case time.Time:
		buf = v.UTC().AppendFormat(append(buf, '"'), "2006-01-02 15:04:05.999999999")
		if c.Zoned {
			buf = append(buf, "+00"...)
		}
		return append(buf, '"'), nil
	case string:
		switch {
		case value.Class == dialect.Decimal && json.Valid([]byte(v)):
			return append(buf, v...), nil
		case value.Class == dialect.JSON:
			var line bytes.Buffer // documents are kept with their ends of line by some databases
			if err := json.Compact(&line, []byte(v)); err != nil {
				return nil, err
			}
			return append(buf, line.Bytes()...), nil
		}
		return appendUTF8(buf, v)
	}
	return nil, fmt.Errorf("a %T has no form in JSON", value.Value)
}

// appendUTF8 appends a string, which must be UTF-8: nothing is replaced.
func appendUTF8(buf []byte, text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("the text is not UTF-8")
	}
	return appendJSONText(buf, []byte(text)), nil
}
