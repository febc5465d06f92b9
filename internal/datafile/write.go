package datafile

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/drover-dev/drover/internal/dialect"
)

// Column is a column of the rows that are written.
type Column struct {
	Name     string
	Type     dialect.Type
	Nullable bool
	// Loose says that each value has a type of its own, whatever the column's is; see [dialect.Features].
	Loose bool
}

// Field is a value in its text form.
type Field struct {
	Text []byte // nil: NULL
	// Class is that of the value. It is the column's, but in a column whose values have types of their own.
	Class dialect.Class
}

// Form says how a file is written. Comma, header and null are for CSV alone.
type Form struct {
	Format      Format
	Compression Compression
	Comma       byte   // between two fields; 0: a comma
	NoHeader    bool   // no line with the names of the columns at the beginning
	Null        string // the text of NULL, never quoted; a value that is the same text is
}

// Check says why a file cannot be written so.
func (o Form) Check() error {
	switch {
	case o.Format != CSV && (o.Comma != 0 || o.NoHeader || o.Null != ""):
		return fmt.Errorf("delimiter, header and NULL text belong to CSV files, not to %s", o.Format)
	case o.Format == Parquet && o.Compression != Plain:
		return errors.New("a Parquet file is compressed inside, and takes no other compression")
	case o.Comma != 0 && !goodComma(o.Comma):
		return fmt.Errorf("%q cannot be the delimiter: it is a character of numbers and names, a quote, or not a visible one; tab, comma, semicolon and | can", o.Comma)
	case strings.ContainsAny(o.Null, "\"\r\n\x00") || strings.IndexByte(o.Null, o.comma()) >= 0:
		return fmt.Errorf("the text of NULL holds a quote, the delimiter or an end of line: %q", o.Null)
	}
	return nil
}

// goodComma keeps to characters that no number, date, boolean or UUID has, so that their texts never need quotes.
func goodComma(c byte) bool {
	return c == '\t' || c > ' ' && c < 0x7f && !strings.ContainsRune(`"'\+-.:_`, rune(c)) && !isAlnum(c)
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (o Form) comma() byte {
	if o.Comma == 0 {
		return ','
	}
	return o.Comma
}

// encoder turns rows into the bytes of a format.
type encoder interface {
	// row appends a row to the buffer of out, or keeps it by. The fields are the caller's again afterwards.
	row(out *blocks, fields []Field) error
	// end writes what ends the file.
	end() error
}

// Writer writes rows in one of the formats. Another goroutine packs and writes the bytes meanwhile; [Writer.Close] waits for it, and must be called
// in every case. A Writer is for one goroutine.
type Writer struct {
	encoder encoder
	blocks  *blocks
	packer  io.Closer // nil where the bytes are not compressed
	closed  bool
}

// NewWriter returns a writer of rows with these columns, which o has been checked for.
func NewWriter(out io.Writer, columns []Column, o Form) (*Writer, error) {
	w := &Writer{}
	packed, packer, err := pack(out, o.Compression)
	if err != nil {
		return nil, err
	}
	w.packer, w.blocks = packer, newBlocks(packed)
	switch o.Format {
	case CSV:
		e := newCSVEncoder(columns, o)
		if !o.NoHeader {
			w.blocks.buf = e.header(w.blocks.buf, columns)
		}
		w.encoder = e
	case JSONL:
		w.encoder = newJSONEncoder(columns)
	case Parquet:
		w.encoder, err = newParquetEncoder(w.blocks, columns)
	default:
		err = fmt.Errorf("unknown format %q", o.Format)
	}
	if err != nil {
		return nil, errors.Join(err, w.blocks.close())
	}
	return w, nil
}

// pack returns what compresses to out; the closer is nil where nothing is compressed.
func pack(out io.Writer, c Compression) (io.Writer, io.Closer, error) {
	switch c {
	case Plain:
		return out, nil, nil
	case Gzip:
		z, err := gzip.NewWriterLevel(out, gzip.DefaultCompression)
		return z, z, err
	case Zstd:
		z, err := zstd.NewWriter(out)
		return z, z, err
	}
	return nil, nil, fmt.Errorf("unknown compression %q", c)
}

// Row writes a row. An error may be that of earlier rows, which are written in the background.
func (w *Writer) Row(fields []Field) error {
	if err := w.encoder.row(w.blocks, fields); err != nil {
		return err
	}
	return w.blocks.flush()
}

// Close ends the file and waits until all is written. It closes nothing below.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	err := w.encoder.end()
	if failed := w.blocks.close(); failed != nil {
		err = failed // which the encoder may have been told of, too
	}
	if w.packer != nil {
		err = errors.Join(err, w.packer.Close())
	}
	return err
}
