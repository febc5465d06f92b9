package term

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
)

// LineReader reads lines for prompts, and lets a prompt be given up while the read is still under way: a read from a
// terminal cannot be interrupted, so it is left pending and the next prompt takes its line. It is safe for concurrent
// use; prompts wait for each other.
type LineReader struct {
	r       *bufio.Reader
	mu      sync.Mutex
	pending chan answer
}

type answer struct {
	line string
	err  error
}

// NewLineReader reads from r; nil is an empty input.
func NewLineReader(r io.Reader) *LineReader {
	if r == nil {
		r = strings.NewReader("")
	}
	return &LineReader{r: bufio.NewReader(r)}
}

// Read gives the raw input behind the lines, for a command that takes its data from it.
func (l *LineReader) Read(p []byte) (int, error) { return l.r.Read(p) }

// ReadLine returns the next line without its end. The end of the input is io.EOF, also after a last line without a
// newline: half an answer is no answer. When ctx ends first, its cause is returned.
func (l *LineReader) ReadLine(ctx context.Context) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil {
		pending := make(chan answer, 1)
		l.pending = pending
		go func() {
			line, err := l.r.ReadString('\n')
			pending <- answer{line, err}
		}()
	}
	select {
	case a := <-l.pending:
		l.pending = nil
		if a.err != nil {
			if errors.Is(a.err, io.EOF) {
				return "", io.EOF
			}
			return "", a.err
		}
		return strings.TrimRight(a.line, "\r\n"), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
