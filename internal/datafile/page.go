package datafile

import (
	"bytes"
	"errors"
	"fmt"
)

// Page is records of a file, in their order: one block of bytes in the form of CSV, each record on a line that ends with a line feed, without empty
// lines between them. A page is not changed once it is read, and shares its bytes with its parts.
type Page struct {
	data   []byte
	bounds []int   // where each record begins in data, and the end of the last one
	at     []Place // of each record in the file, and behind the last one
	bad    map[int]error
	raw    []byte // the records as they stand in the file, where that is not data
	raws   []int  // where each begins, and the end of the last one
	first  int    // the place of the first record in the page that was read, which bad and Work are indexed by
	comma  byte
	null   string
	fields int // of a record

	// Work is what the reader of the page has made of all records of the page that was read.
	Work any
}

// Len is the number of records.
func (p *Page) Len() int { return len(p.bounds) - 1 }

// First is the place of the first record in the page that was read.
func (p *Page) First() int { return p.first }

// Comma is the character between two fields.
func (p *Page) Comma() byte { return p.comma }

// FieldCount is the number of fields of a record that is not malformed.
func (p *Page) FieldCount() int { return p.fields }

// Null is the text of NULL, which is not quoted.
func (p *Page) Null() string { return p.null }

// At is the place of a record in the file; that of Len is the one behind the last record.
func (p *Page) At(i int) Place { return p.at[i] }

// Bad is why a record is malformed; nil where it is not.
func (p *Page) Bad(i int) error { return p.bad[p.first+i] }

// Bytes are the records from the i-th up to the j-th, which is not among them. A malformed record is there as it stands in the file.
func (p *Page) Bytes(i, j int) []byte { return p.data[p.bounds[i]:p.bounds[j]] }

// Text is a record without its line feed.
func (p *Page) Text(i int) []byte { return p.data[p.bounds[i] : p.bounds[i+1]-1] }

// Raw is a record as it stands in the file, without the end of its line; of a Parquet file it is CSV.
func (p *Page) Raw(i int) []byte {
	if p.raw == nil {
		return p.Text(i)
	}
	return p.raw[p.raws[i]:p.raws[i+1]]
}

// Part is the records from the i-th up to the j-th, which is not among them.
func (p *Page) Part(i, j int) *Page {
	part := *p
	part.bounds, part.at, part.first = p.bounds[i:j+1], p.at[i:j+1], p.first+i
	if p.raw != nil {
		part.raws = p.raws[i : j+1]
	}
	return &part
}

// add ends a record, whose text was appended to data; next is the place behind it.
func (p *Page) add(at, next Place, bad error) {
	p.data = append(p.data, '\n')
	p.at[len(p.at)-1] = at // empty lines before it belong to no record
	p.at = append(p.at, next)
	if bad != nil {
		if p.bad == nil {
			p.bad = map[int]error{}
		}
		p.bad[p.Len()] = bad
	}
	p.bounds = append(p.bounds, len(p.data))
}

// addRaw appends the record as it stands in the file.
func (p *Page) addRaw(raw []byte) {
	if p.raws == nil {
		p.raws = append(p.raws, 0)
	}
	p.raw = append(p.raw, raw...)
	p.raws = append(p.raws, len(p.raw))
}

// Fields cuts a record that is not malformed into its fields; a nil one is NULL. It uses fields and scratch where they are large enough, and the
// fields share the page's bytes, so they must not be changed.
func (p *Page) Fields(i int, fields [][]byte, scratch []byte) (_ [][]byte, _ []byte) {
	fields, scratch = fields[:0], scratch[:0]
	text := p.Text(i)
	if bytes.IndexByte(text, '"') < 0 {
		for {
			at := bytes.IndexByte(text, p.comma)
			if at < 0 {
				return append(fields, p.plain(text)), scratch
			}
			fields = append(fields, p.plain(text[:at]))
			text = text[at+1:]
		}
	}
	for {
		var field []byte
		var rest int
		if len(text) > 0 && text[0] == '"' {
			field, rest, scratch = unquote(text, scratch)
		} else {
			if rest = bytes.IndexByte(text, p.comma); rest < 0 {
				rest = len(text)
			}
			field = p.plain(text[:rest])
		}
		fields = append(fields, field)
		if rest == len(text) {
			return fields, scratch
		}
		text = text[rest+1:]
	}
}

// plain is a field without quotes.
func (p *Page) plain(field []byte) []byte {
	if string(field) == p.null {
		return nil
	}
	return field
}

// unquote reads the quoted field at the beginning of a text, and where it ends.
func unquote(text, scratch []byte) (field []byte, end int, _ []byte) {
	from, at := len(scratch), 1
	for {
		n := bytes.IndexByte(text[at:], '"')
		if at+n+1 == len(text) || text[at+n+1] != '"' {
			if at == 1 { // no quote in it
				return text[1 : 1+n : 1+n], n + 2, scratch
			}
			scratch = append(scratch, text[at:at+n]...)
			// Where scratch has grown, the fields before it stay in the old one.
			return scratch[from:len(scratch):len(scratch)], at + n + 1, scratch
		}
		scratch = append(scratch, text[at:at+n+1]...)
		at += n + 2
	}
}

// AppendField appends a field of CSV: in quotes where it must be. A nil field is NULL, the text null.
func AppendField(out, field []byte, comma byte, null string) []byte {
	if field == nil {
		return append(out, null...)
	}
	if string(field) != null && string(field) != `\.` && bytes.IndexByte(field, comma) < 0 && bytes.IndexByte(field, '"') < 0 &&
		bytes.IndexByte(field, '\n') < 0 && bytes.IndexByte(field, '\r') < 0 {
		return append(out, field...)
	}
	out = append(out, '"')
	for {
		at := bytes.IndexByte(field, '"')
		if at < 0 {
			return append(append(out, field...), '"')
		}
		out = append(append(out, field[:at+1]...), '"')
		field = field[at+1:]
	}
}

// The ways in which a record of CSV is malformed.
var (
	errBareQuote = errors.New(`a quote stands within a field that does not begin with one`)
	errQuote     = errors.New(`something stands behind the quote that ends a field, or the quote is never closed`)
)

// countError is a record with a wrong number of fields.
func countError(have, want int) error {
	if have == 1 {
		return fmt.Errorf("1 field instead of %d", want)
	}
	return fmt.Errorf("%d fields instead of %d", have, want)
}
