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

func (e *jsonEncoder) row(b *blocks, fields []Field) error {
	out := b.buf
	for i, f := range fields {
		out = append(out, e.names[i]...)
		switch {
		case f.Text == nil:
			out = append(out, "null"...)
		case f.Class == dialect.Boolean:
			out = appendJSONBool(out, f.Text)
		case f.Class == dialect.JSON:
			out = appendJSON(out, f.Text)
		case isNumber(f):
			out = append(out, f.Text...)
		case !utf8.Valid(f.Text):
			return fmt.Errorf("column %d is not in UTF-8, which JSON is: %.40q", i+1, f.Text)
		default:
			out = appendJSONText(out, f.Text)
		}
	}
	b.buf = append(out, '}', '\n')
	return nil
}

func (e *jsonEncoder) end() error { return nil }

// isNumber reports whether a value is a number of JSON, which NaN and infinity are not.
func isNumber(f Field) bool {
	switch f.Class {
	case dialect.Integer, dialect.Decimal, dialect.Float:
		last := f.Text[len(f.Text)-1]
		return '0' <= last && last <= '9'
	}
	return false
}

func appendJSONBool(out, text []byte) []byte {
	if string(text) == "t" {
		return append(out, "true"...)
	}
	return append(out, "false"...)
}

// appendJSON appends JSON on one line. What is none, in a database that does not look, becomes a string.
func appendJSON(out, text []byte) []byte {
	if !json.Valid(text) {
		return appendJSONText(out, bytes.ToValidUTF8(text, []byte("\uFFFD")))
	}
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
