package datafile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// ErrEmpty says that a file has no header, because there is nothing in it.
var ErrEmpty = errors.New("the file is empty: it has no header")

// ending is where a record of CSV ends.
type ending struct {
	n      int // its bytes, the end of its line among them
	text   int // its bytes without that
	lines  int64
	fields int // 0: not counted
	bad    error
	// more says that the record may go on behind what is there.
	more bool
}

// csvEnd finds the end of the record at the beginning of b, which is not empty; last says that nothing comes behind b. A malformed record ends with
// its line.
func csvEnd(b []byte, comma byte, last bool) ending {
	line, n := lineEnd(b)
	if n == 0 {
		if !last {
			return ending{more: true}
		}
		n = len(b)
	}
	if bytes.IndexByte(line, '"') < 0 {
		return ending{n: n, text: len(trimCR(line)), lines: 1}
	}
	return quotedEnd(b, comma, last)
}

// lineEnd is the first line and how long it is with its end; 0 where it has none.
func lineEnd(b []byte) (line []byte, n int) {
	at := bytes.IndexByte(b, '\n')
	if at < 0 {
		return b, 0
	}
	return b[:at], at + 1
}

func trimCR(line []byte) []byte { return bytes.TrimSuffix(line, []byte{'\r'}) }

// quotedEnd finds the end of a record with quotes.
func quotedEnd(b []byte, comma byte, last bool) ending {
	e := ending{lines: 1}
	at := 0
	malformed := func(why error) ending {
		line, n := lineEnd(b[at:])
		if n == 0 {
			if !last {
				return ending{more: true}
			}
			n = len(line)
		}
		e.n, e.text, e.bad = at+n, at+len(trimCR(line)), why
		return e
	}
	for {
		e.fields++
		if at < len(b) && b[at] == '"' {
			for at++; ; at++ {
				next := bytes.IndexByte(b[at:], '"')
				if next < 0 {
					if !last {
						return ending{more: true}
					}
					e.lines += int64(bytes.Count(b[at:], []byte{'\n'}))
					e.n, e.text, e.bad = len(b), len(b), errQuote
					return e
				}
				e.lines += int64(bytes.Count(b[at:at+next], []byte{'\n'}))
				if at += next + 1; at == len(b) && !last {
					return ending{more: true}
				}
				if at == len(b) || b[at] != '"' {
					break
				}
			}
		} else {
			begin := at
			for at < len(b) && b[at] != comma && b[at] != '\n' && b[at] != '"' {
				at++
			}
			switch {
			case at < len(b) && b[at] == '"':
				return malformed(errBareQuote)
			case at > begin && b[at-1] == '\r' && (at == len(b) || b[at] == '\n'):
				at--
			}
		}
		rest := b[at:]
		switch {
		case len(rest) == 0 && !last, string(rest) == "\r" && !last:
			return ending{more: true}
		case len(rest) == 0, string(rest) == "\r", rest[0] == '\n', len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			e.text = at
			e.n = at + min(len(rest), 1)
			if len(rest) > 1 && rest[0] == '\r' {
				e.n++
			}
			return e
		case rest[0] != comma:
			return malformed(errQuote)
		}
		at++
	}
}

// csvReading reads the records of a CSV file.
type csvReading struct {
	*scanner
	comma  byte
	single bool // the records have one field, so that an empty line is one
}

// record finds the next record, which s.rest() begins with. The error is io.EOF at the end.
func (r *csvReading) record() (ending, error) {
	for {
		if r.from < r.to {
			e := csvEnd(r.rest(), r.comma, r.ended)
			switch {
			case e.more:
			case e.bad != nil && e.lines > 1 && r.ended && r.from+e.n == r.to && unclosed(r.rest(), r.comma):
				return e, fmt.Errorf("line %d: a quote is never closed, so that all behind it would be one record", r.at.Line)
			case e.text == 0 && !r.single:
				r.take(e.n, e.lines)
				continue
			default:
				return e, nil
			}
		} else if r.ended {
			return ending{}, io.EOF
		}
		if err := r.fill(); err != nil {
			return ending{}, err
		}
	}
}

// unclosed reports whether a malformed record would be a good one if a quote closed it.
func unclosed(b []byte, comma byte) bool {
	return csvEnd(append(bytes.Clone(b), '"'), comma, true).bad == nil
}

func (r *csvReading) next(p *Page) error {
	e, err := r.record()
	if err != nil {
		return err
	}
	at, text := r.at, r.rest()[:e.text]
	r.take(e.n, e.lines)
	addCSV(p, text, e.fields, at, r.at, e.bad)
	return nil
}

// Close closes the file.
func (r *csvReading) Close() error { return r.in.Close() }

// addCSV appends a record of so many fields, or of as many as are counted.
func addCSV(p *Page, text []byte, fields int, at, next Place, bad error) {
	if fields == 0 {
		fields = 1 + bytes.Count(text, []byte{p.comma})
	}
	if bad == nil && fields != p.fields {
		bad = countError(fields, p.fields)
	}
	p.data = append(p.data, text...)
	p.add(at, next, bad)
}

// measureCSV counts the records, and reads the header.
func (in *Input) measureCSV(ctx context.Context, f *file) error {
	c, err := f.unpack(in.form.Compression)
	if err != nil {
		return err
	}
	defer c.packer()
	r := &csvReading{scanner: newScanner(c), comma: in.form.comma()}
	if err := r.start(); err != nil {
		return err
	}
	if err := in.head(r); err != nil {
		if errors.Is(err, io.EOF) && in.form.NoHeader {
			return nil
		}
		return err
	}
	r.single = len(in.names) == 1
	for n := 0; ; n++ {
		if n%10_000 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e, err := r.record()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.take(e.n, e.lines)
		in.rows++
	}
}

// head finds the columns: their names, or of a file without a header the number that the first record has. Empty lines before that are records where it
// is one, and else nothing.
func (in *Input) head(r *csvReading) error {
	in.begin = r.at
	e, err := r.record()
	empty := r.at.Line - in.begin.Line
	switch {
	case errors.Is(err, io.EOF) && !in.form.NoHeader:
		return ErrEmpty
	case errors.Is(err, io.EOF) && empty > 0:
		in.names, in.rows = []string{column(0)}, empty
		return err
	case err != nil:
		return err
	case e.bad != nil:
		return fmt.Errorf("line %d, the first record: %w", r.at.Line, e.bad)
	}
	head := &Page{comma: r.comma, bounds: []int{0}, at: make([]Place, 1)}
	addCSV(head, r.rest()[:e.text], e.fields, r.at, r.at, nil)
	fields, _ := head.Fields(0, nil, nil)
	for i, field := range fields {
		name := string(field)
		if in.form.NoHeader {
			name = column(i)
		} else if name == "" {
			return fmt.Errorf("the header has no name for column %d", i+1)
		}
		in.names = append(in.names, name)
	}
	if name := repeated(in.names); name != "" {
		return fmt.Errorf("the header has the name %q twice", name)
	}
	switch {
	case !in.form.NoHeader:
		r.take(e.n, e.lines)
		in.begin = r.at
	case len(in.names) == 1:
		in.rows = empty
	}
	return nil
}

// column is the name of the i-th column of a file without a header.
func column(i int) string { return "column" + strconv.Itoa(i+1) }

func (in *Input) readCSV(f *file, from Place) (reading, error) {
	s, err := in.scanFrom(f, from)
	if err != nil {
		return nil, err
	}
	return &csvReading{scanner: s, comma: in.form.comma(), single: len(in.names) == 1}, nil
}

// scanFrom begins to scan at the place of a record.
func (in *Input) scanFrom(f *file, from Place) (*scanner, error) {
	c, err := f.unpack(in.form.Compression)
	if err != nil {
		return nil, err
	}
	if err := c.seek(from.Byte); err != nil {
		c.packer()
		return nil, err
	}
	s := newScanner(c)
	s.at = from
	return s, nil
}
