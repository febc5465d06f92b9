package batch

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// CSVOptions say how a file is written. The zero value is RFC 4180 with a header: fields between commas, quoted with ", and the first record
// names them.
type CSVOptions struct {
	// Comma is the character between fields; 0: a comma.
	Comma rune
	// Comment begins a line that is left out; 0: none does.
	Comment rune
	// NoHeader says that the first record is one of the rows.
	NoHeader bool
	// LazyQuotes allows a quote in the middle of a field.
	LazyQuotes bool
}

// Record is one row of a file of [CSV].
type Record struct {
	Line   int64 // where it begins, from 1
	Fields []string

	names []string // nil: the file has none
}

// Get returns the field of that name in the header; false where there is none.
func (r Record) Get(name string) (value string, ok bool) {
	if i := slices.Index(r.names, name); i >= 0 {
		return r.Fields[i], true
	}
	return "", false
}

// recordJSON is a Record as the quarantine holds it.
type recordJSON struct {
	Line   int64    `json:"line"`
	Header []string `json:"header,omitempty"`
	Fields []string `json:"fields"`
}

// MarshalJSON writes the line, the header and the fields.
func (r Record) MarshalJSON() ([]byte, error) {
	return json.Marshal(recordJSON{r.Line, r.names, r.Fields})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (r *Record) UnmarshalJSON(text []byte) error {
	var j recordJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	if len(j.Fields) == 0 || j.Header != nil && len(j.Header) != len(j.Fields) {
		return errors.New("no record: it has no fields, or not as many as its header")
	}
	*r = Record{Line: j.Line, Fields: j.Fields, names: j.Header}
	return nil
}

// CSV makes the records of a file the source, in their order. The position of a run is a place in the file, so a resumed run goes on there
// without reading what is before. The file is read once when the run is planned, to count its records and to take a hash of it: a run whose
// file has changed since, or changes while it is read, stops and cannot be resumed.
//
// A malformed record is the error of one row, with its line: a wrong number of fields, a quote out of place. Options.MaxErrors says how many may
// be set aside, with their text. Only a quote that is never closed stops the run, before anything is written. Empty lines are no records, a byte
// order mark and the ends of lines of Windows are no part of them. A record may have 64 MiB. The file must be a regular one: "-" is refused.
func CSV(path string, o CSVOptions) Source[Record] {
	return newFile(path, o.read, func(input string) (r Record, err error) {
		if err = json.Unmarshal([]byte(input), &r); err != nil {
			err = fmt.Errorf("the record was malformed when it was set aside, and can only be read from a file that is corrected: %q", input)
		}
		return r, err
	})
}

// csvRecords reads records of a file.
type csvRecords struct {
	o      CSVOptions
	in     *input
	r      *csv.Reader
	start  place // where r has begun
	at     place // behind the last record
	names  []string
	fields int // how many a record must have; 0 before the first one
}

// read begins to read at a place. The names, and the number of fields, are always those of the file's first record.
func (o CSVOptions) read(in *input, from place) (records[Record], error) {
	mark, err := skipMark(in)
	if err != nil {
		return nil, err
	}
	c := &csvRecords{o: o, in: in}
	c.begin(place{line: 1, offset: mark})
	if !o.NoHeader || from.offset > 0 {
		if err := c.first(); err != nil {
			return nil, err
		}
	}
	if from.offset > 0 {
		if err := in.seek(from.offset); err != nil {
			return nil, err
		}
		c.begin(from)
	}
	return c, nil
}

// begin makes a reader that begins at a place, where in stands.
func (c *csvRecords) begin(at place) {
	c.start, c.at = at, at
	c.r = csv.NewReader(c.in.Reader)
	if c.o.Comma != 0 {
		c.r.Comma = c.o.Comma
	}
	c.r.Comment, c.r.LazyQuotes = c.o.Comment, c.o.LazyQuotes
	c.r.FieldsPerRecord = -1 // the reader would take the number from a malformed record too
}

// first reads the first record: the header, or the one that says how many fields there are.
func (c *csvRecords) first() error {
	for {
		e, err := c.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case e.bad != nil && c.o.NoHeader:
			continue
		case e.bad != nil:
			return fmt.Errorf("the header: %w", e.bad)
		}
		if c.o.NoHeader {
			return nil
		}
		c.names = e.item.Fields
		for i, name := range c.names {
			if slices.Contains(c.names[:i], name) {
				return fmt.Errorf("the header has the name %q twice", name)
			}
		}
		return nil
	}
}

func (c *csvRecords) next() (entry[Record], error) {
	c.in.long = 0
	fields, err := c.r.Read()
	from := c.at
	c.at.offset = c.start.offset + c.r.InputOffset()
	if c.in.failed != nil { // the reader may have found another error in the half of a record that it got
		return entry[Record]{}, fmt.Errorf("line %d: %w", from.line, c.in.failed)
	}
	var malformed *csv.ParseError
	switch {
	case err == nil:
		from.line, c.at.line = c.lines(fields)
		err = c.count(from.line, fields)
	case errors.As(err, &malformed):
		from.line, c.at.line = c.line(malformed.StartLine), c.line(malformed.Line)+1
		if errors.Is(malformed, csv.ErrQuote) && c.unclosed(from.offset) {
			return entry[Record]{}, fmt.Errorf("line %d: a quote is never closed, so that all behind it would be one record", from.line)
		}
		err = fmt.Errorf("line %d, column %d: %w", c.line(malformed.Line), malformed.Column, malformed.Err)
	default:
		return entry[Record]{}, err
	}
	e := entry[Record]{item: Record{Line: from.line, Fields: fields, names: c.names}, key: from.values(), end: c.at.values(), bad: err}
	if err != nil {
		e.raw = c.in.raw(from.offset, c.at.offset)
	}
	return e, nil
}

// line is the file's line of a line that the reader has counted from where it began.
func (c *csvRecords) line(n int) int64 { return c.start.line + int64(n) - 1 }

// lines are the line in which a good record begins, and the one behind it.
func (c *csvRecords) lines(fields []string) (first, behind int64) {
	one, _ := c.r.FieldPos(0)
	last, _ := c.r.FieldPos(len(fields) - 1)
	return c.line(one), c.line(last) + int64(strings.Count(fields[len(fields)-1], "\n")) + 1
}

// count checks the number of fields, which the first record decides.
func (c *csvRecords) count(line int64, fields []string) error {
	if c.fields == 0 {
		c.fields = len(fields)
	}
	if len(fields) == c.fields {
		return nil
	}
	return fmt.Errorf("line %d: %w: %d instead of %d", line, csv.ErrFieldCount, len(fields), c.fields)
}

// unclosed reports whether the record that begins at an offset was ended by the end of the file, in a quoted field that has taken further lines.
// A quote of the last line is an error of that line like any other.
func (c *csvRecords) unclosed(from int64) bool {
	if c.at.offset < c.in.info.Size() {
		return false
	}
	text := c.in.raw(from, c.at.offset)
	if !strings.Contains(text, "\n") {
		return false
	}
	if c.at.offset-from > maxRaw {
		return true
	}
	r := csv.NewReader(strings.NewReader(text + `"`))
	r.Comma, r.Comment, r.FieldsPerRecord = c.r.Comma, c.r.Comment, -1
	_, err := r.Read()
	return err == nil
}
