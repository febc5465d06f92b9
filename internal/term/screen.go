package term

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
)

// DefaultWidth is used where a screen's width is not known.
const DefaultWidth = 100

// Streams says what a [Screen] writes to.
type Streams struct {
	Out, Err       io.Writer  // results; everything else
	OutTTY, ErrTTY bool       // whether each is a terminal
	Width          func() int // columns of the terminal now; nil or 0: DefaultWidth
}

// Screen owns the two output streams of one invocation and the live block at the foot of the terminal. It is safe for
// concurrent use: one lock covers each change of what can be seen.
//
// The cursor always rests at the start of the line below the block and is never hidden, so that a process killed at any
// instant leaves the terminal as the shell wants it.
type Screen struct {
	s Streams

	mu      sync.Mutex
	block   []string // the lines on the screen now
	tail    []byte   // an unfinished line for Err, held back while a block is shown
	outTail []byte   // the same for Out, when it is the same terminal
	midLine bool     // the terminal's cursor is behind an unfinished line
	held    bool     // no block may be shown: a prompt is
}

// NewScreen makes the owner of s.
func NewScreen(s Streams) *Screen {
	if s.Out == nil {
		s.Out = io.Discard
	}
	if s.Err == nil {
		s.Err = io.Discard
	}
	return &Screen{s: s}
}

// Out gives the writer for results. Bytes for a terminal that also shows a block appear above it, line by line.
func (s *Screen) Out() io.Writer { return screenWriter{s, true} }

// Err gives the writer for everything else.
func (s *Screen) Err() io.Writer { return screenWriter{s, false} }

type screenWriter struct {
	s   *Screen
	out bool
}

func (w screenWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.write(p, w.out)
}

func (s *Screen) write(p []byte, out bool) (int, error) {
	target, tail, onTerminal := s.s.Err, &s.tail, s.s.ErrTTY
	if out {
		target, tail, onTerminal = s.s.Out, &s.outTail, s.s.OutTTY
	}
	if !onTerminal {
		return target.Write(p)
	}
	if len(s.block) == 0 {
		s.midLine = p[len(p)-1] != '\n'
		return target.Write(p)
	}
	end := bytes.LastIndexByte(p, '\n') + 1
	if end == 0 {
		*tail = append(*tail, p...)
		return len(p), nil
	}
	whole := append(*tail, p[:end]...)
	*tail = bytes.Clone(p[end:])
	lines := s.block
	if !out { // all of it in one write: nobody sees the screen without its block
		frame := s.eraseCode() + string(whole)
		s.block = nil
		if _, err := io.WriteString(s.s.Err, frame+s.drawCode(lines)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	s.redraw(nil)
	_, err := target.Write(whole)
	s.redraw(lines)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetBlock shows lines as the live block, in place of the one before; no lines takes it away. On a stream that is not a
// terminal it does nothing.
func (s *Screen) SetBlock(lines []string) {
	if !s.s.ErrTTY {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return
	}
	if len(lines) > 0 && len(s.block) == 0 {
		s.endLine()
	}
	s.redraw(lines)
	if len(lines) == 0 {
		s.flushTails()
	}
}

// KeepBlock prints lines where the block was and leaves them there for good.
func (s *Screen) KeepBlock(lines []string) {
	if !s.s.ErrTTY {
		return
	}
	s.SetBlock(lines)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block = nil
	s.flushTails()
}

// Hold takes the block away and shows none until Release: a prompt needs the foot of the screen for itself.
func (s *Screen) Hold() {
	s.SetBlock(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// Release ends a Hold.
func (s *Screen) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
}

// Reset forgets the block without touching the screen: after the process was stopped and continued, other programs have
// written there, and the next block starts on a fresh line.
func (s *Screen) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block = nil
}

// FreshLine ends an unfinished line on the terminal, such as a prompt that got no answer.
func (s *Screen) FreshLine() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLine()
}

func (s *Screen) endLine() {
	if s.midLine {
		io.WriteString(s.s.Err, "\n") //nolint:errcheck // a terminal that is gone cannot be told
		s.midLine = false
	}
}

// Answered records that the user ended the prompt's line with the Enter key.
func (s *Screen) Answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.midLine = false
}

// redraw replaces the block.
func (s *Screen) redraw(lines []string) {
	if frame := s.eraseCode() + s.drawCode(lines); frame != "" {
		io.WriteString(s.s.Err, frame) //nolint:errcheck // a terminal that is gone cannot be told
	}
}

// drawCode is what draws lines as the block, and notes them as drawn. Each is made to fit one row.
func (s *Screen) drawCode(lines []string) string {
	var b strings.Builder
	s.block = make([]string, len(lines))
	for i, line := range lines {
		s.block[i] = ansi.Truncate(oneRow(line), s.Columns()-1, "…")
		b.WriteString(s.block[i])
		b.WriteByte('\n')
	}
	return b.String()
}

// oneRow keeps what moves the cursor out of a line: a note may quote anything.
func oneRow(line string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' || r == '\v' || r == '\f' || r == '\b' {
			return ' '
		}
		return r
	}, line)
}

// eraseCode goes up to the block's first row and clears from there. A line wraps when the terminal has become narrower
// since, so rows are counted with today's width.
func (s *Screen) eraseCode() string {
	if len(s.block) == 0 {
		return ""
	}
	width, rows := s.Columns(), 0
	for _, line := range s.block {
		rows += max(1, (ansi.StringWidth(line)+width-1)/width)
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", rows)
}

// flushTails prints the unfinished lines that were held back for the block's sake.
func (s *Screen) flushTails() {
	if len(s.outTail) > 0 {
		s.s.Out.Write(s.outTail) //nolint:errcheck // its writer was told of success when it was taken
		s.outTail, s.midLine = nil, true
	}
	if len(s.tail) > 0 {
		s.s.Err.Write(s.tail) //nolint:errcheck // as above
		s.tail, s.midLine = nil, true
	}
}

// Columns is the terminal's width now.
func (s *Screen) Columns() int {
	if s.s.Width != nil {
		if w := s.s.Width(); w > 1 {
			return w
		}
	}
	return DefaultWidth
}
