package batch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/keyset"
)

const (
	// maxRecord bounds the memory of one record: 64 MiB.
	maxRecord = 64 << 20
	// maxRaw is how much of a malformed record is kept for the quarantine.
	maxRaw = 64 << 10
	// chunk is how much is read from the file at a time.
	chunk = 64 << 10
)

var (
	// errFileChanged ends a run whose file is not the one that it began with: its positions would mean other records.
	errFileChanged = errors.New("the file has changed since the run began")
	errLongRecord  = fmt.Errorf("a record is longer than %d MiB", maxRecord>>20)
)

// place is a position in a file: the line that begins there, and the byte.
type place struct{ line, offset int64 }

// placeOrder is the name of a place. The byte is for the program alone.
const placeOrder = "line"

// tellPlace writes the line of a place for people.
func tellPlace(key keyset.Values) string {
	if p, err := placeOf(key); err == nil && key != nil {
		return strconv.FormatInt(p.line, 10)
	}
	return keyText(key)
}

func (p place) values() keyset.Values { return keyset.Values{p.line, p.offset} }

// placeOf reads what values has written; nil is the start.
func placeOf(v keyset.Values) (place, error) {
	if v == nil {
		return place{line: 1}, nil
	}
	if len(v) == 2 {
		line, ok := v[0].(int64)
		offset, isOffset := v[1].(int64)
		if ok && isOffset {
			return place{line, offset}, nil
		}
	}
	return place{}, fmt.Errorf("the stored key %v is no line and byte of a file", v)
}

// records reads the records of a file one after the other. The error is io.EOF at the end; a malformed record is none.
type records[T any] interface {
	next() (entry[T], error)
}

// format begins to read the records of a file at a place. It has to leave in behind the place, and may read the file's beginning before.
type format[T any] func(in *input, from place) (records[T], error)

// fileSource reads the records of a file.
type fileSource[T any] struct {
	seqSource[T]
	path   string
	format format[T]
	// What the file was when it was measured last.
	info os.FileInfo
	sum  string
}

func (s *fileSource[T]) tell(key keyset.Values) string { return tellPlace(key) }

func newFile[T any](path string, f format[T], decode func(input string) (T, error)) Source[T] {
	if path == "-" {
		return Source[T]{brokenSource{errors.New("standard input cannot be read twice, so a run could not be resumed: write it to a file first")}}
	}
	s := &fileSource[T]{path: path, format: f}
	s.seqSource = seqSource[T]{label: path, order: placeOrder, measure: s.measure, open: s.open, decode: decode}
	return Source[T]{s}
}

// measure counts the records and hashes the whole file, in one pass.
func (s *fileSource[T]) measure(ctx context.Context) (rows int64, upper keyset.Values, err error) {
	in, err := openInput(s.path)
	if err != nil {
		return 0, nil, err
	}
	defer in.close()
	in.sum = sha256.New()
	r, err := s.format(in, place{line: 1})
	for err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		if _, err = r.next(); err == nil {
			rows++
		}
	}
	if errors.Is(err, io.EOF) {
		_, err = io.Copy(io.Discard, in) // what is behind the last record
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read %s: %w", s.path, err)
	}
	s.info, s.sum = in.info, hex.EncodeToString(in.sum.Sum(nil))
	return rows, keyset.Values{in.info.Size(), s.sum}, nil
}

// open reads the file from where the shard is, if it is the file that the run began with.
func (s *fileSource[T]) open(_ context.Context, sh *shard) (iter.Seq2[entry[T], error], error) {
	if !sh.Upper.Equal(keyset.Values{s.info.Size(), s.sum}) {
		return nil, fmt.Errorf("%s: %w", s.path, errFileChanged)
	}
	from, err := placeOf(sh.Reached)
	if err != nil {
		return nil, err
	}
	return func(yield func(entry[T], error) bool) {
		in, err := openInput(s.path)
		if err != nil {
			yield(entry[T]{}, err)
			return
		}
		defer in.close()
		in.expect(s.info)
		r, err := s.format(in, from)
		for {
			var e entry[T]
			if err == nil {
				e, err = r.next()
			}
			if errors.Is(err, io.EOF) || !yield(e, err) || err != nil {
				return
			}
		}
	}, nil
}

// input is an open file that must not change while it is read.
type input struct {
	*bufio.Reader
	file *os.File
	info os.FileInfo
	left int64 // bytes up to the end that the file had
	long int64 // bytes that were read since a record began
	sum  hash.Hash
	// failed is why nothing more can be read.
	failed error
}

func openInput(path string) (*input, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("is no regular file, so a run could not be resumed")}
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	in := &input{file: file, info: info, left: info.Size()}
	in.Reader = bufio.NewReaderSize(chunks{in}, chunk)
	return in, nil
}

func (in *input) close() { _ = in.file.Close() } // nothing was written

// expect makes the file count as changed unless it is the one that info describes.
func (in *input) expect(info os.FileInfo) {
	in.info, in.left = info, info.Size()
}

// seek goes on at an offset.
func (in *input) seek(offset int64) error {
	if _, err := in.file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	in.left = max(in.info.Size()-offset, 0)
	in.Reset(chunks{in})
	return nil
}

// raw is the text between two offsets, or its beginning, without the ends of lines around it.
func (in *input) raw(from, to int64) string {
	text := make([]byte, min(to-from, maxRaw))
	n, err := in.file.ReadAt(text, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return trimLines(string(text[:n]))
}

// trimLines cuts the ends of lines off a text's ends.
func trimLines(text string) string { return strings.Trim(text, "\r\n") }

// skipMark skips a byte order mark at the beginning of the file, and returns how long it is.
func skipMark(in *input) (int64, error) {
	const mark = "\xEF\xBB\xBF"
	start, err := in.Peek(len(mark))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	case bytes.HasPrefix(start, []byte("\xFE\xFF")), bytes.HasPrefix(start, []byte("\xFF\xFE")):
		return 0, errors.New("the file is UTF-16; it must be UTF-8")
	case string(start) != mark:
		return 0, nil
	}
	_, err = in.Discard(len(mark))
	return int64(len(mark)), err
}

// chunks reads the file in pieces, and looks after each whether the file is still the same: what was written into it before is in the piece.
type chunks struct{ in *input }

func (c chunks) Read(p []byte) (n int, err error) {
	if c.in.failed == nil {
		n, c.in.failed = c.read(p)
	}
	if c.in.failed == nil && n == 0 {
		return 0, io.EOF
	}
	return n, c.in.failed
}

func (c chunks) read(p []byte) (n int, err error) {
	if c.in.long > maxRecord {
		return 0, errLongRecord
	}
	if c.in.left > 0 {
		n, err = c.in.file.Read(p[:min(int64(len(p)), c.in.left)])
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	now, err := c.in.file.Stat()
	if err != nil {
		return 0, err
	}
	if now.Size() != c.in.info.Size() || !now.ModTime().Equal(c.in.info.ModTime()) || !os.SameFile(now, c.in.info) {
		return 0, errFileChanged
	}
	c.in.left -= int64(n)
	c.in.long += int64(n)
	if c.in.sum != nil {
		_, _ = c.in.sum.Write(p[:n]) // a hash does not fail
	}
	return n, nil
}
