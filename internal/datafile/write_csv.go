package datafile

import (
	"bytes"

	"github.com/drover-dev/drover/internal/dialect"
)

// csvEncoder writes CSV as PostgreSQL's COPY does: a field is in quotes only where it must be.
type csvEncoder struct {
	comma  byte
	null   string
	single bool // the rows have one column
	plain  []bool
	marks  [256]bool // the bytes for which a field needs quotes
}

func newCSVEncoder(columns []Column, o Form) *csvEncoder {
	e := &csvEncoder{comma: o.comma(), null: o.Null, single: len(columns) == 1, plain: make([]bool, len(columns))}
	for _, c := range []byte{e.comma, '"', '\n', '\r'} {
		e.marks[c] = true
	}
	for i, c := range columns {
		e.plain[i] = !c.Loose && plainText(c.Type.Class)
	}
	return e
}

// plainText reports whether the texts of a class hold digits, letters and + - . : \ and blanks alone.
func plainText(class dialect.Class) bool {
	switch class {
	case dialect.Integer, dialect.Decimal, dialect.Float, dialect.Boolean, dialect.Bytes, dialect.Date, dialect.TimeOfDay, dialect.Timestamp, dialect.UUID:
		return true
	}
	return false
}

// header appends the line with the names.
func (e *csvEncoder) header(out []byte, columns []Column) []byte {
	for i, c := range columns {
		if i > 0 {
			out = append(out, e.comma)
		}
		out = e.field(out, []byte(c.Name))
	}
	return append(out, '\n')
}

func (e *csvEncoder) row(b *blocks, fields []Field) error {
	out := b.buf
	for i := range fields {
		if i > 0 {
			out = append(out, e.comma)
		}
		switch text := fields[i].Text; {
		case text == nil:
			out = append(out, e.null...)
		case e.plain[i] && string(text) != e.null:
			out = append(out, text...)
		default:
			out = e.field(out, text)
		}
	}
	b.buf = append(out, '\n')
	return nil
}

func (e *csvEncoder) field(out, text []byte) []byte {
	if !e.quotes(text) {
		return append(out, text...)
	}
	out = append(out, '"')
	for {
		at := bytes.IndexByte(text, '"')
		if at < 0 {
			break
		}
		out = append(append(out, text[:at+1]...), '"')
		text = text[at+1:]
	}
	return append(append(out, text...), '"')
}

// quotes reports whether a field must be quoted. A line of \. alone is the end of the data for PostgreSQL before version 18.
func (e *csvEncoder) quotes(text []byte) bool {
	for _, c := range text {
		if e.marks[c] {
			return true
		}
	}
	return string(text) == e.null || e.single && string(text) == `\.`
}

func (e *csvEncoder) end() error { return nil }
