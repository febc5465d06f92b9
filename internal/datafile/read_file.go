package datafile

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxRecord bounds the memory of one record: 64 MiB.
	maxRecord = 64 << 20
	// chunk is how much is read at a time.
	chunk = 256 << 10
)

// ErrNoFile says that something is no regular file, so that it could not be read a second time.
var ErrNoFile = errors.New("is no regular file, and could not be read again when an import goes on")

// file is an open file that must not change while it is read.
type file struct {
	*os.File
	info os.FileInfo
	left int64     // bytes up to the end that the file had
	sum  hash.Hash // of what is read; nil where nobody asks
}

// openFile opens a file; with info it must be the one that info describes.
func openFile(path string, info os.FileInfo) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	now, err := f.Stat()
	if err == nil && !now.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: ErrNoFile}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info == nil {
		info = now
	}
	opened := &file{File: f, info: info, left: info.Size()}
	if err := opened.unchanged(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return opened, nil
}

// unchanged looks whether the file is still the same.
func (f *file) unchanged() error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime()) || !os.SameFile(now, f.info) {
		return ErrChanged
	}
	return nil
}

// Read reads a piece, and looks behind it whether the file is still the same: what was written into it before is in the piece.
func (f *file) Read(p []byte) (int, error) {
	n, err := 0, io.EOF
	if f.left > 0 {
		n, err = f.File.Read(p[:min(int64(len(p)), f.left)])
		if errors.Is(err, io.EOF) {
			err = ErrChanged // it is shorter than it was
		}
	}
	if failed := f.unchanged(); failed != nil {
		return 0, failed
	}
	f.left -= int64(n)
	if f.sum != nil {
		_, _ = f.sum.Write(p[:n]) // a hash does not fail
	}
	return n, err
}

func (f *file) close() { _ = f.File.Close() } // nothing was written

// content is what stands in a file, unpacked.
type content struct {
	io.Reader
	file   *file
	packer func()
}

func (f *file) unpack(c Compression) (*content, error) {
	switch c {
	case Gzip:
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("unpack gzip: %w", err)
		}
		return &content{z, f, func() { _ = z.Close() }}, nil
	case Zstd:
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("unpack zstd: %w", err)
		}
		return &content{z, f, z.Close}, nil
	}
	return &content{f, f, func() {}}, nil
}

// seek goes on at a byte of the content, which is unpacked up to there where it is packed.
func (c *content) seek(offset int64) error {
	if c.Reader == io.Reader(c.file) {
		_, err := c.file.Seek(offset, io.SeekStart)
		c.file.left = max(c.file.info.Size()-offset, 0)
		return err
	}
	if _, err := io.CopyN(io.Discard, c.Reader, offset); err != nil {
		return fmt.Errorf("go to byte %d: %w", offset, err)
	}
	return nil
}

// Close closes the file.
func (c *content) Close() error {
	c.packer()
	c.file.close()
	return nil
}

// scanner cuts a content into pieces that it keeps in memory whole.
type scanner struct {
	in       *content
	buf      []byte
	from, to int  // what is read and not taken
	ended    bool // nothing comes behind it
	at       Place
}

func newScanner(in *content) *scanner {
	return &scanner{in: in, buf: make([]byte, 2*chunk), at: Place{Line: 1}}
}

// rest is what is read and not taken.
func (s *scanner) rest() []byte { return s.buf[s.from:s.to] }

// fill reads more.
func (s *scanner) fill() error {
	if s.from > 0 {
		s.to = copy(s.buf, s.buf[s.from:s.to])
		s.from = 0
	}
	if len(s.buf)-s.to < chunk {
		if s.to > maxRecord {
			return fmt.Errorf("line %d: a record is longer than %d MiB", s.at.Line, maxRecord>>20)
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := s.in.Read(s.buf[s.to:])
	s.to += n
	if errors.Is(err, io.EOF) {
		s.ended = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", s.at.Line, err)
	}
	return nil
}

// take takes n bytes, in which so many lines end.
func (s *scanner) take(n int, lines int64) {
	s.from += n
	s.at.Byte += int64(n)
	s.at.Line += lines
}

// ErrUTF16 says that a file has that encoding.
var ErrUTF16 = errors.New("the file is UTF-16; it must be UTF-8")

// start reads the beginning, and skips a byte order mark.
func (s *scanner) start() error {
	for s.to < 4 && !s.ended {
		if err := s.fill(); err != nil {
			return err
		}
	}
	b := s.rest()
	switch {
	case bytes.HasPrefix(b, []byte("\xFE\xFF")), bytes.HasPrefix(b, []byte("\xFF\xFE")),
		len(b) >= 4 && (b[0] == 0 && b[2] == 0 && b[1] != 0 || b[1] == 0 && b[3] == 0 && b[0] != 0):
		return ErrUTF16
	case bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")):
		s.take(3, 0)
	}
	return nil
}
