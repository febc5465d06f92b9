package datafile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/drover-dev/drover/internal/dialect"
)

// jsonEncoder writes an object for each row, on a line.
type jsonEncoder struct {
	names []string // each with what stands before its value
}

func newJSONEncoder(columns []Column) *jsonEncoder {
	e := &jsonEncoder{}
	before := "{"
	for _, c := range columns {
		e.names = append(e.names, before+string(appendJSONText(nil, []byte(c.Name)))+":")
		before = ","
	}
	return e
}

func (e *jsonEncoder) row(b *blocks, fields []Field) (err error) {
	out := b.buf
	for i, f := range fields {
		if out, err = appendJSONField(append(out, e.names[i]...), f); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	b.buf = append(out, '}', '\n')
	return nil
}

func (e *jsonEncoder) end() error { return nil }

// appendJSONField appends a value. Text that is not UTF-8, which JSON is, is an error; nothing is replaced.
func appendJSONField(out []byte, f Field) ([]byte, error) {
	switch {
	case f.Text == nil:
		return append(out, "null"...), nil
	case f.Class == dialect.Boolean:
		return appendJSONBool(out, f.Text), nil
	case isNumber(f):
		return append(out, f.Text...), nil
	case !utf8.Valid(f.Text):
		return nil, fmt.Errorf("%.40q is not in UTF-8, which JSON is", f.Text)
	case f.Class == dialect.JSON && json.Valid(f.Text):
		return appendJSON(out, f.Text), nil
	}
	return appendJSONText(out, f.Text), nil // JSON that is none, too, of a database that does not look
}

// isNumber reports whether a value is a number of JSON, which NaN and infinity are not.
func isNumber(f Field) bool {
	switch f.Class {
	case dialect.Integer, dialect.Decimal, dialect.Float:
		last := len(f.Text) - 1
		return last >= 0 && '0' <= f.Text[last] && f.Text[last] <= '9'
	}
	return false
}

func appendJSONBool(out, text []byte) []byte {
	if string(text) == "t" {
		return append(out, "true"...)
	}
	return append(out, "false"...)
}

// appendJSON appends JSON, which is valid, on one line.
func appendJSON(out, text []byte) []byte {
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return append(out, text...)
	}
	line := bytes.NewBuffer(out)
	_ = json.Compact(line, text) // which is valid
	return line.Bytes()
}

const hexDigits = "0123456789abcdef"

// appendJSONText appends a string; text is UTF-8.
func appendJSONText(out, text []byte) []byte {
	out = append(out, '"')
	from := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(out, text[from:]...), '"')
}
