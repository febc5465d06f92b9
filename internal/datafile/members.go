package datafile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Pack makes lines a piece of a file that can be cut off again: a member of gzip, a frame of zstd, or the lines themselves. A file of pieces, one behind
// the other, is read as one file by everything that reads the format.
func (c Compression) Pack(lines []byte) ([]byte, error) {
	if c == Plain {
		return lines, nil
	}
	var packed bytes.Buffer
	w, end, err := pack(&packed, c)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(lines); err != nil {
		return nil, err
	}
	err = end.Close()
	return packed.Bytes(), err
}

// LinesEnd finds the length of the pieces that hold the first n lines of a file. A line, or a piece, that is not whole does not count, and what stands
// behind the n lines is not read. have is n, or less where the file holds less.
func (c Compression) LinesEnd(file io.Reader, n int64) (length, have int64, err error) {
	counted := &counter{r: file}
	r := bufio.NewReader(counted)
	for have < n {
		lines, err := c.piece(r)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return length, have, nil
		case err != nil:
			return length, have, fmt.Errorf("byte %d and behind: %w", length, err)
		case have+lines > n:
			return length, have, fmt.Errorf("the piece at byte %d has lines behind the first %d", length, n)
		}
		have += lines
		length = counted.n - int64(r.Buffered())
	}
	return length, have, nil
}

// piece reads one piece and counts its lines.
func (c Compression) piece(r *bufio.Reader) (int64, error) {
	switch c {
	case Gzip:
		if _, err := r.Peek(1); err != nil {
			return 0, err
		}
		z, err := gzip.NewReader(r) // which reads no byte too many of a bufio.Reader
		if err != nil {
			return 0, err
		}
		z.Multistream(false)
		var lines lineCounter
		_, err = io.Copy(&lines, z)
		return int64(lines), err
	case Zstd:
		frame, err := zstdFrame(r)
		if err != nil {
			return 0, err
		}
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return 0, err
		}
		defer decoder.Close()
		text, err := decoder.DecodeAll(frame, nil)
		return int64(bytes.Count(text, []byte("\n"))), err
	}
	for {
		_, err := r.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return 1, err
		}
	}
}

// zstdFrame reads one frame, which the decoder itself does not tell from the next one (RFC 8878, 3.1.1).
func zstdFrame(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(zstd.HeaderMaxSize)
	if len(head) == 0 {
		return nil, err
	}
	var h zstd.Header
	if err := h.Decode(head); err != nil {
		return nil, err
	}
	var frame bytes.Buffer
	take := func(n int64) error {
		_, err := io.CopyN(&frame, r, n)
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if err := take(int64(h.HeaderSize)); err != nil {
		return nil, err
	}
	const headSize, repeated = 3, 1
	for last := false; !last; {
		if err := take(headSize); err != nil {
			return nil, err
		}
		b := frame.Bytes()[frame.Len()-headSize:]
		block := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
		last = block&1 == 1
		size := block >> 3
		if block>>1&3 == repeated {
			size = 1
		}
		if err := take(size); err != nil {
			return nil, err
		}
	}
	if h.HasCheckSum {
		if err := take(4); err != nil {
			return nil, err
		}
	}
	return frame.Bytes(), nil
}

// counter counts the bytes that are read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// lineCounter counts the ends of lines that are written to it.
type lineCounter int64

func (c *lineCounter) Write(p []byte) (int, error) {
	*c += lineCounter(bytes.Count(p, []byte("\n")))
	return len(p), nil
}
