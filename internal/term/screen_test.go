package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// both gives a screen whose streams are one terminal.
func both() (*Screen, *strings.Builder) {
	var b strings.Builder
	return NewScreen(Streams{Out: &b, Err: &b, OutTTY: true, ErrTTY: true, Width: func() int { return 20 }}), &b
}

func TestScreen_LinesGoAboveTheBlock(t *testing.T) {
	s, b := both()
	s.SetBlock([]string{"one", "two"})
	fmt.Fprint(s.Err(), "log\n")
	fmt.Fprint(s.Out(), "result\n")
	s.KeepBlock([]string{"one", "done"})
	fmt.Fprint(s.Err(), "after\n")
	const up = "\r\x1b[2A\x1b[J"
	want := "one\ntwo\n" + up + "log\none\ntwo\n" + up + "result\none\ntwo\n" + up + "one\ndone\n" + "after\n"
	if got := b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestScreen_UnfinishedLinesWait(t *testing.T) {
	s, b := both()
	fmt.Fprint(s.Err(), "start ")
	s.SetBlock([]string{"block"})
	fmt.Fprint(s.Err(), "half")
	fmt.Fprint(s.Err(), " whole\nrest")
	s.SetBlock(nil)
	s.FreshLine()
	const up = "\r\x1b[1A\x1b[J"
	want := "start \nblock\n" + up + "half whole\nblock\n" + up + "rest\n"
	if got := b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestScreen_RowsFitAndResize(t *testing.T) {
	var b strings.Builder
	width := 20
	s := NewScreen(Streams{Err: &b, ErrTTY: true, Width: func() int { return width }})
	s.SetBlock([]string{"\x1b[32m0123456789012345678901234\x1b[m", "a\nb\tc"})
	if got, want := b.String(), "\x1b[32m012345678901234567…\x1b[m\na b c\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Reset()
	width = 10 // the first line has wrapped to two rows
	s.SetBlock([]string{"x"})
	if got, want := b.String(), "\r\x1b[3A\x1b[Jx\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Reset()
	s.Reset() // stopped and continued
	s.SetBlock([]string{"y"})
	if got, want := b.String(), "y\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScreen_OffATerminalNothingIsTouched(t *testing.T) {
	var out, stderr strings.Builder
	s := NewScreen(Streams{Out: &out, Err: &stderr})
	s.SetBlock([]string{"block"})
	fmt.Fprint(s.Out(), "re")
	fmt.Fprint(s.Out(), "sult")
	fmt.Fprint(s.Err(), "log")
	s.KeepBlock([]string{"block"})
	s.FreshLine()
	if out.String() != "result" || stderr.String() != "log" {
		t.Errorf("stdout %q, stderr %q", out.String(), stderr.String())
	}
}

func TestScreen_HoldKeepsTheFootFree(t *testing.T) {
	s, b := both()
	s.SetBlock([]string{"block"})
	s.Hold()
	b.Reset()
	s.SetBlock([]string{"block"})
	fmt.Fprint(s.Err(), "Sure? ")
	s.Answered()
	s.Release()
	s.SetBlock([]string{"block"})
	if got, want := b.String(), "Sure? block\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScreen_ManyWriters(t *testing.T) {
	s, b := both()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				if i%2 == 0 {
					s.SetBlock([]string{"BLOCK", "BLOCK"})
				}
				fmt.Fprintf(s.Err(), "line %d-%d\n", i, j)
			}
		})
	}
	wg.Wait()
	s.SetBlock(nil)
	clean := strings.ReplaceAll(b.String(), "\r\x1b[2A\x1b[J", "")
	if n := strings.Count(clean, "line "); n != 400 {
		t.Errorf("%d lines", n)
	}
	for line := range strings.Lines(clean) {
		if line != "BLOCK\n" && !strings.HasPrefix(line, "line ") {
			t.Fatalf("torn line %q", line)
		}
	}
}

func TestLineReader(t *testing.T) {
	r := NewLineReader(strings.NewReader("yes\r\nno\nhalf"))
	for _, want := range []string{"yes", "no"} {
		if got, err := r.ReadLine(t.Context()); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	for range 2 {
		if got, err := r.ReadLine(t.Context()); got != "" || !errors.Is(err, io.EOF) {
			t.Errorf("half an answer is none: %q, %v", got, err)
		}
	}
	if _, err := NewLineReader(nil).ReadLine(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("no input: %v", err)
	}
}

func TestLineReader_CancelledPromptLosesNothing(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	r := NewLineReader(pr)
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, err := r.ReadLine(ctx); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	go io.WriteString(pw, "late\n")
	if got, err := r.ReadLine(t.Context()); got != "late" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
