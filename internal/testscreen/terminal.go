//go:build unix

package testscreen

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
)

// Rows is the height of every terminal.
const Rows = 40

// Terminal is a program that runs on a terminal of its own.
type Terminal struct {
	cmd    *exec.Cmd
	pty    io.ReadWriteCloser
	size   func(columns int) error
	copied chan struct{}

	mu      sync.Mutex
	buf     bytes.Buffer
	resized []resize
	changed chan struct{}
	width   int
}

type resize struct{ at, width int }

// Start runs cmd on a terminal of width columns. The program is killed when the test ends.
func Start(t *testing.T, cmd *exec.Cmd, width int) *Terminal {
	t.Helper()
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: Rows, Cols: uint16(width)})
	if err != nil {
		t.Fatal(err)
	}
	term := &Terminal{
		cmd: cmd, pty: file, width: width, copied: make(chan struct{}), changed: make(chan struct{}, 1),
		size: func(columns int) error { return pty.Setsize(file, &pty.Winsize{Rows: Rows, Cols: uint16(columns)}) },
	}
	go func() {
		defer close(term.copied)
		_, _ = io.Copy(term, file) // ends with an I/O error when the program does
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = file.Close()
	})
	return term
}

// Write takes what appears on the terminal.
func (term *Terminal) Write(p []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	select {
	case term.changed <- struct{}{}:
	default:
	}
	return term.buf.Write(p)
}

// String is everything that has appeared, as the program sent it.
func (term *Terminal) String() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.buf.String()
}

// WaitFor blocks until text has appeared.
func (term *Terminal) WaitFor(t *testing.T, text string) {
	t.Helper()
	term.WaitForTimes(t, text, 1)
}

// WaitForTimes blocks until text has appeared n times.
func (term *Terminal) WaitForTimes(t *testing.T, text string, n int) {
	t.Helper()
	term.Until(t, fmt.Sprintf("%q %d times", text, n), func() bool { return strings.Count(term.String(), text) >= n })
}

// Until blocks until the terminal is as wanted, which shown says; what names it for the failure.
func (term *Terminal) Until(t *testing.T, what string, shown func() bool) {
	t.Helper()
	for !shown() {
		select {
		case <-term.changed:
		case <-term.copied:
			if !shown() {
				t.Fatalf("the program has ended, and the terminal has not shown %s:\n%s", what, term)
			}
		case <-t.Context().Done():
			t.Fatalf("the terminal has not shown %s:\n%s", what, term)
		}
	}
}

// Type sends keys.
func (term *Terminal) Type(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(term.pty, keys); err != nil {
		t.Fatal(err)
	}
}

// Resize changes the width; the program gets its SIGWINCH.
func (term *Terminal) Resize(t *testing.T, width int) {
	t.Helper()
	term.mu.Lock()
	defer term.mu.Unlock()
	if err := term.size(width); err != nil {
		t.Fatal(err)
	}
	term.resized = append(term.resized, resize{term.buf.Len(), width})
}

// Wait waits for the program's end and gives its exit code.
func (term *Terminal) Wait() int {
	_ = term.cmd.Wait() // the exit code tells
	<-term.copied
	return term.cmd.ProcessState.ExitCode()
}

// Rows is what stands on the screen now, the terminal's changes of size counted in; the last row is where the cursor is. mask, where it is not
// nil, replaces what differs from run to run, by texts of as many bytes.
func (term *Terminal) Rows(mask func(string) string) []string {
	term.mu.Lock()
	defer term.mu.Unlock()
	v, at, text := New(term.width), 0, term.buf.String()
	if mask != nil {
		text = mask(text)
	}
	for _, r := range term.resized {
		v.Feed(text[at:r.at])
		v.Resize(r.width)
		at = r.at
	}
	return v.Feed(text[at:])
}
