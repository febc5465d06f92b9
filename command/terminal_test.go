//go:build unix

package command_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/internal/testscreen"
)

// onTerminal runs drover on a terminal of width columns, in the folder of b's SQLite file, so that its name is as long in every run. Its clock
// stands still.
func (b *bench) onTerminal(t *testing.T, width int, args ...string) *testscreen.Terminal {
	t.Helper()
	return testscreen.Start(t, b.still(t, args...), width)
}

func (b *bench) still(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self, args...)
	url := b.URL
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		cmd.Dir, url = filepath.Dir(path), "sqlite:"+filepath.Base(path)
	}
	cmd.Env = append(os.Environ(), programEnv+"="+stillProgram, "DATABASE_URL="+url, "NO_COLOR=1", "FORCE_COLOR=", "CLICOLOR_FORCE=", "TERM=xterm", "TZ=UTC",
		"GORACE=atexit_sleep_ms=0") // else each child of a test with -race ends a second late
	return cmd
}

// sameWidth takes out what differs from run to run, and keeps its width.
var sameWidth = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`\b01[0-9A-HJKMNP-TV-Z]{10}\b`), "RUN-RUN-RUN-"},
	{regexp.MustCompile(`sqlite \d\.\d\d\.\d`), "sqlite V.VV.V"},
}

func masked(text string) string {
	for _, m := range sameWidth {
		text = m.pattern.ReplaceAllString(text, m.mask)
	}
	return text
}

// deleting is the purge of the tests below.
var deleting = []string{"purge", "--table", "events", "--where", "status = 'done'", "--batch-size", "10"}

// keepRow75 makes the deletion of one row fail.
const keepRow75 = `CREATE TRIGGER guard BEFORE DELETE ON events WHEN OLD.id = 75 BEGIN SELECT RAISE(ABORT, 'row 75 stays, as the people who are responsible for the archive have asked for it'); END`

// TestTerminal_Screens shows what users see, at three widths. A row that ends in ↩ is one that the terminal has broken: command lines, SQL, and
// words that are wider than the terminal.
func TestTerminal_Screens(t *testing.T) {
	for _, width := range []int{60, 100, 200} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			t.Parallel()
			fresh := func(t *testing.T, statements ...string) *bench {
				t.Helper()
				b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
				b.events(t, 300)
				b.exec(t, statements...)
				return b
			}
			for _, tt := range []struct {
				name  string
				setup []string
				args  []string
				use   func(t *testing.T, on *testscreen.Terminal)
				code  int
			}{
				{name: "dry-run", args: []string{"--dry-run"}},
				{name: "confirm", code: drover.ExitOK, use: func(t *testing.T, on *testscreen.Terminal) {
					on.WaitFor(t, "press Ctrl-C:")
					on.Type(t, "yes\n")
					on.WaitFor(t, "else cancels:")
					on.Type(t, "events\n")
				}},
				{name: "decline", code: drover.ExitDeclined, use: func(t *testing.T, on *testscreen.Terminal) {
					on.WaitFor(t, "press Ctrl-C:")
					on.Type(t, "no\n")
				}},
				{name: "wait-stop", args: []string{"--no-input", "--throttle", "readers 1 SELECT 1"}, code: drover.ExitInterrupted, use: func(t *testing.T, on *testscreen.Terminal) {
					on.WaitFor(t, "waiting: ")
					on.Type(t, "\x03")
				}},
				{name: "fail", setup: []string{keepRow75}, args: []string{"--no-input"}, code: drover.ExitFailed},
				{name: "quarantine", setup: []string{keepRow75}, args: []string{"--no-input", "--max-errors", "1"}, code: drover.ExitPartial},
				{name: "usage", args: []string{"--no-such-option"}, code: drover.ExitUsage},
			} {
				t.Run(tt.name, func(t *testing.T) {
					b := fresh(t, tt.setup...)
					on := b.onTerminal(t, width, append(deleting, tt.args...)...)
					if tt.use != nil {
						tt.use(t, on)
					}
					if code := on.Wait(); code != tt.code {
						t.Errorf("exit code %d, want %d", code, tt.code)
					}
					rows := on.Rows(masked)
					fits(t, rows, width)
					if last := rows[len(rows)-1]; last != "" {
						t.Errorf("the cursor is not left at the start of a line, but behind %q", last)
					}
					golden(t, fmt.Sprintf("screen_%s.%d", tt.name, width), strings.TrimRight(strings.Join(rows, "\n"), "\n")+"\n")
				})
			}
		})
	}
}

// TestTerminal_Retry shows a batch that is tried again.
func TestTerminal_Retry(t *testing.T) {
	t.Parallel()
	for _, width := range []int{60, 100, 200} {
		b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
		b.events(t, 300)
		b.exec(t, deadlockAt75...)
		on := b.onTerminal(t, width, append(deleting, "--no-input")...)
		if code := on.Wait(); code != drover.ExitOK {
			t.Errorf("exit code %d", code)
		}
		rows := on.Rows(func(text string) string {
			return regexp.MustCompile(`\d\dms`).ReplaceAllString(maskedServer(text), "MMms") // a random pause between 25 and 75 ms
		})
		fits(t, rows, width)
		golden(t, fmt.Sprintf("screen_retry.%d", width), strings.TrimRight(strings.Join(rows, "\n"), "\n")+"\n")
	}
}

// fits fails the test when a line is wider than the screen that need not be: all but command lines, SQL, and addresses of servers.
func fits(t *testing.T, rows []string, width int) {
	t.Helper()
	for i, line := range rows {
		whole := !strings.HasSuffix(line, testscreen.Continued)
		switch {
		case i > 0 && strings.HasSuffix(rows[i-1], testscreen.Continued): // judged with its beginning
		case whole && ansi.StringWidth(line) > width:
			t.Errorf("%d columns: %q", ansi.StringWidth(line), line)
		case !whole && !strings.Contains(line, "drover ") && !strings.HasPrefix(line, "  SQL") && !strings.Contains(line, "drover@"):
			t.Errorf("the terminal had to break %q", line)
		}
	}
}
