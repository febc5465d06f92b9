package datafile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrChanged says that a file is not the one that was measured.
var ErrChanged = errors.New("the file has changed since it was measured")

// Place is a position in a file: the line that begins there and the byte, of a compressed file that of its content. Of a Parquet file the line is
// the number of the row, from 1, and the byte the number of rows before it.
type Place struct{ Line, Byte int64 }

// Input is a file of rows that was measured. It must not change while it is read: what is read of a changed one is an error. It is not changed by
// reading, and safe for concurrent use.
type Input struct {
	path  string
	form  Form
	info  os.FileInfo
	sum   string
	rows  int64
	names []string
	// places are those of the names, of a file of JSON Lines.
	places map[string]int
	// nested tells, by the name of a column, why its values have no text.
	nested map[string]string
	begin  Place // of the first record
	// Documents are the columns whose values are JSON in the table: of a file of JSON Lines they are taken as they stand, strings with their quotes.
	Documents []string
}

// reading gives the records of a file one after the other, from a place on.
type reading interface {
	// next appends the next record to a page. The error is io.EOF at the end; a malformed record is none.
	next(p *Page) error
	io.Closer
}

// Measure reads a whole file once, in one pass: it counts its records, takes its SHA-256 and finds its columns. form says how the file was written.
//
// Errors: what the file's format forbids as a whole, as a quote that is never closed, a file in UTF-16, a header with a name twice. A record that is
// malformed by itself is counted.
func Measure(ctx context.Context, path string, form Form) (*Input, error) {
	f, err := openFile(path, nil)
	if err != nil {
		return nil, err
	}
	defer f.close()
	in := &Input{path: path, form: form, info: f.info}
	f.sum = sha256.New()
	switch form.Format {
	case CSV:
		err = in.measureCSV(ctx, f)
	case JSONL:
		err = in.measureJSON(ctx, f)
	case Parquet:
		err = in.measureParquet(ctx, f)
	default:
		err = fmt.Errorf("unknown format %q", form.Format)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, whileAlive{ctx, f}) // of Parquet all of it, of the others what a decompressor has left
	}
	if err != nil {
		return nil, err
	}
	in.sum = hex.EncodeToString(f.sum.Sum(nil))
	return in, nil
}

// whileAlive reads until ctx ends.
type whileAlive struct {
	ctx context.Context //nolint:containedctx // it lasts for one copy
	in  io.Reader
}

func (r whileAlive) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.in.Read(p)
}

// Path is the file's name as it was given.
func (in *Input) Path() string { return in.path }

// Columns are the names of the columns, of a CSV file without a header column1, column2 and so on.
func (in *Input) Columns() []string { return in.names }

// Nested says why the values of a column have no text; "" where they have.
func (in *Input) Nested(column string) string { return in.nested[column] }

// Rows is the number of records, malformed ones too.
func (in *Input) Rows() int64 { return in.rows }

// Size is the number of bytes.
func (in *Input) Size() int64 { return in.info.Size() }

// SHA256 is the sum of the bytes, in hexadecimal digits.
func (in *Input) SHA256() string { return in.sum }

// Begin is the place of the first record.
func (in *Input) Begin() Place { return in.begin }

// Reader reads pages of records. It is for one goroutine.
type Reader struct {
	in      *Input
	reading reading
	ended   bool
}

// Read begins to read at the place of a record. The reader must be closed.
func (in *Input) Read(from Place) (*Reader, error) {
	f, err := openFile(in.path, in.info)
	if err != nil {
		return nil, err
	}
	r := &Reader{in: in}
	switch in.form.Format {
	case JSONL:
		r.reading, err = in.readJSON(f, from)
	case Parquet:
		r.reading, err = in.readParquet(f, from)
	default:
		r.reading, err = in.readCSV(f, from)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return r, nil
}

// maxPage bounds the memory of a page of long records: it ends with the one that takes it over so many bytes.
const maxPage = 16 << 20

// Next returns the next records, at most size and about 16 MiB; nil at the end of the file.
func (r *Reader) Next(size int) (*Page, error) {
	p := r.in.newPage(size)
	for !r.ended && p.Len() < size && len(p.data) < maxPage {
		err := r.reading.next(p)
		if errors.Is(err, io.EOF) {
			r.ended = true
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if p.Len() == 0 {
		return nil, nil
	}
	return p, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.reading.Close() }

// Record makes a page of one record of its text, as [Page.Raw] gave it.
func (in *Input) Record(raw string) *Page {
	p := in.newPage(1)
	if in.form.Format == JSONL {
		in.addJSON(p, []byte(raw), Place{}, Place{})
		return p
	}
	end := csvEnd([]byte(raw), p.comma, true)
	bad := end.bad
	if bad == nil && end.n != len(raw) {
		bad = errors.New("it is more than one record")
	}
	addCSV(p, []byte(raw), end.fields, Place{}, Place{}, bad)
	return p
}

// Malformed makes a page of one record that cannot be read.
func (in *Input) Malformed(raw string, why error) *Page {
	p := in.newPage(1)
	p.data = append(p.data, raw...)
	p.add(Place{}, Place{}, why)
	return p
}

// newPage makes an empty page. The records of Parquet and of JSON get the usual form of CSV.
func (in *Input) newPage(size int) *Page {
	p := &Page{comma: ',', fields: len(in.names), bounds: make([]int, 1, size+1), at: make([]Place, 1, size+1)}
	if in.form.Format == CSV {
		p.comma, p.null = in.form.comma(), in.form.Null
	}
	return p
}

// repeated is the first name that stands twice; "" where none does.
func repeated(names []string) string {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return name
		}
		seen[name] = true
	}
	return ""
}
