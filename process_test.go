//go:build unix

package drover_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/internal/testscreen"
)

// process is a running program of its own.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
}

func command(t *testing.T, url string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DROVER_TEST_PROGRAM=manage", "DATABASE_URL="+url, "NO_COLOR=1")
	return cmd
}

func start(t *testing.T, url string, args ...string) *process {
	t.Helper()
	p := &process{command(t, url, args...), newOutput(), newOutput()}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// wait gives the exit code; a death by signal is -1.
func (p *process) wait(t *testing.T) ran {
	t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
}

// batches makes the table that the programs write to, and gives a function that counts its rows.
func batches(t *testing.T, d testdb.Database) func() int {
	t.Helper()
	raw := d.RawDB(t)
	if _, err := raw.ExecContext(t.Context(), "CREATE TABLE batches (id INT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	return func() (n int) {
		t.Helper()
		if err := raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM batches").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func TestSignals_SoftStop(t *testing.T) {
	for _, tt := range []struct {
		sig  syscall.Signal
		name string
		code int
	}{{syscall.SIGINT, "SIGINT", 130}, {syscall.SIGTERM, "SIGTERM", 143}} {
		t.Run(tt.name, func(t *testing.T) {
			d := testdb.Fresh(t, "sqlite")
			count := batches(t, d)
			p := start(t, d.URL, "polite")
			p.stderr.waitFor(t, "ready")
			p.signal(t, tt.sig)
			got := p.wait(t)
			want := "Stopping: finishing batch 88 (after at most 30s). Press Ctrl-C again to stop now.\n" +
				"STOPPED  by " + tt.name + ": 87,240 of 318,240 rows deleted\n"
			if got.code != tt.code || got.stdout != "" || !strings.HasSuffix(got.stderr, want) {
				t.Errorf("got %+v", got)
			}
			if n := count(); n != 1 {
				t.Errorf("what was committed must be kept: %d rows", n)
			}
		})
	}
}

func TestSignals_FinishedAllTheSame(t *testing.T) {
	p := start(t, testdb.SQLite(t), "finishing")
	p.stderr.waitFor(t, "ready")
	p.signal(t, syscall.SIGINT)
	if got := p.wait(t); got.code != 0 || got.stdout != "Deleted everything\n" {
		t.Errorf("got %+v", got)
	}
}

func TestSignals_SecondRollsBackNow(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		sigs []os.Signal
	}{
		{"second signal", nil, []os.Signal{syscall.SIGINT, syscall.SIGINT}},
		{"no grace", []string{"--grace", "0s"}, []os.Signal{syscall.SIGINT}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := testdb.Fresh(t, "postgres")
			count := batches(t, d)
			p := start(t, d.URL, append([]string{"stubborn"}, tt.args...)...)
			p.stderr.waitFor(t, "ready")
			for _, sig := range tt.sigs {
				p.signal(t, sig)
				p.stderr.waitFor(t, "Stopping")
			}
			got := p.wait(t)
			if got.code != 130 || strings.Contains(got.stderr, "does not stop between steps") != (tt.args == nil) || !strings.Contains(got.stderr, "STOPPED  by SIGINT: ") {
				t.Errorf("got %+v", got)
			}
			if n := count(); n != 0 {
				t.Errorf("the transaction was not rolled back: %d rows", n)
			}
		})
	}
}

func TestSignals_ThirdEndsADeafCommand(t *testing.T) {
	p := start(t, "sqlite::memory:", "deaf")
	p.stderr.waitFor(t, "ready")
	for _, text := range []string{"Stopping: ", "Stopping now: ", "Ending at once: "} {
		p.signal(t, syscall.SIGINT)
		p.stderr.waitFor(t, text)
	}
	if got := p.wait(t); got.code != 130 {
		t.Errorf("got %+v", got)
	}
}

func TestSignals_Status(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"polite", "--progress", "none"}, "polite: 0.0 %  0/1,000  0 rows/s"},
		{[]string{"polite", "--progress", "plain"}, "polite: 0.0 %  0/1,000  "},
		{[]string{"finishing"}, "manage finishing: running for "},
		{[]string{"polite", "--json"}, `{"type":"status",`},
	} {
		d := testdb.Fresh(t, "sqlite")
		batches(t, d)
		p := start(t, d.URL, tt.args...)
		p.stderr.waitFor(t, "ready")
		p.signal(t, syscall.SIGUSR1)
		p.stderr.waitFor(t, tt.want)
		p.signal(t, syscall.SIGINT)
		p.wait(t)
	}
}

func TestProcess_ExitCode(t *testing.T) {
	if got := start(t, "", "code").wait(t); got != (ran{7, "", "Error: no music\n"}) {
		t.Errorf("got %+v", got)
	}
}

func TestConformance_113_ReaderGoesAway(t *testing.T) {
	cmd := command(t, "", "flood")
	stderr := newOutput()
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := stdout.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is looked at below
	if code := cmd.ProcessState.ExitCode(); code != drover.ExitFailed || stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
}

// onTerminal runs a program on a terminal of its own.
func onTerminal(t *testing.T, url string, args ...string) *testscreen.Terminal {
	t.Helper()
	return testscreen.Start(t, command(t, url, args...), 90)
}

func TestTerminal_ConfirmAnswered(t *testing.T) {
	d := testdb.Fresh(t, "sqlite")
	count := batches(t, d)
	screen := onTerminal(t, d.URL, "purge")
	screen.WaitFor(t, "press Ctrl-C: ")
	screen.Type(t, "yes\n")
	if code := screen.Wait(); code != 0 || count() != 1 {
		t.Errorf("code %d, %d rows:\n%s", code, count(), screen)
	}
}

func TestTerminal_InterruptAtThePrompt(t *testing.T) {
	d := testdb.Fresh(t, "sqlite")
	count := batches(t, d)
	for _, tt := range []struct {
		key  string
		code int
		last string
	}{
		{"\x03", 130, "STOPPED  by SIGINT: nothing was changed\r\n"},
		{"\x04", drover.ExitDeclined, "Cancelled. Nothing was changed.\r\n"},
	} {
		screen := onTerminal(t, d.URL, "purge")
		screen.WaitFor(t, "press Ctrl-C: ")
		screen.Type(t, tt.key)
		code := screen.Wait()
		if code != tt.code || !strings.HasSuffix(screen.String(), "\r\n"+tt.last) || count() != 0 {
			t.Errorf("%q: code %d, %d rows:\n%q", tt.key, code, count(), screen)
		}
	}
}

func TestTerminal_SoftStopLeavesItClean(t *testing.T) {
	d := testdb.Fresh(t, "sqlite")
	batches(t, d)
	screen := onTerminal(t, d.URL, "polite")
	screen.WaitFor(t, "ready")
	screen.Type(t, "\x03")
	code := screen.Wait()
	rows := screen.Rows(nil)
	want := []string{
		"ready",
		"Stopping: finishing batch 88 (after at most 30s). Press Ctrl-C again to stop now.",
		"polite  [###.................................]  8.8 %   88 / 1,000 rows   batch 88",
		"  RATE",
		"STOPPED  by SIGINT: 87,240 of 318,240 rows deleted",
		"",
	}
	for i := range rows {
		if strings.Contains(rows[i], "rows/s") {
			rows[i] = "  RATE"
		}
	}
	if code != 130 || strings.Join(rows, "\n") != strings.Join(want, "\n") {
		t.Errorf("code %d, screen:\n%s\nwant:\n%s\nraw: %q", code, strings.Join(rows, "\n"), strings.Join(want, "\n"), screen)
	}
}

func TestTerminal_LinesAboveTheBlock(t *testing.T) {
	screen := onTerminal(t, "", "bar")
	code := screen.Wait()
	rows := screen.Rows(nil)
	want := []string{
		"batch 1 is done", "batch 2 is done", "batch 3 is done", "batch 4 is done",
		"purge events  [####################################]  100.0 %   4 / 4 rows",
	}
	if code != 0 || len(rows) != 7 || strings.Join(rows[:5], "\n") != strings.Join(want, "\n") || rows[6] != "" {
		t.Errorf("code %d:\n%s\nraw: %q", code, strings.Join(rows, "\n"), screen)
	}
}

// TestTerminal_Resize makes the terminal narrower and wider under a live block: none of it is left over, and it fits again.
func TestTerminal_Resize(t *testing.T) {
	screen := testscreen.Start(t, command(t, "", "working"), 100)
	const erase = "\x1b[J" // each frame begins with it
	frames := func(n int) { screen.WaitForTimes(t, erase, strings.Count(screen.String(), erase)+n) }
	screen.WaitFor(t, "ready")
	for _, width := range []int{60, 40, 200} {
		frames(1)
		screen.Resize(t, width)
		frames(2) // the first one may have been drawn before
		for _, row := range screen.Rows(nil) {
			if utf8.RuneCountInString(row) > width || strings.HasSuffix(row, testscreen.Continued) {
				t.Errorf("%d columns: %q", width, row)
			}
		}
	}
	screen.Type(t, "\x03")
	if code := screen.Wait(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	rows := screen.Rows(nil)
	if text := strings.Join(rows, "\n"); rows[0] != "ready" || strings.Count(text, "purge a_table") != 1 || strings.Count(text, "batch 87/319") != 1 || len(rows) != 6 {
		t.Errorf("something is left over, or lost:\n%s\nraw: %q", text, screen)
	}
}

// TestTerminal_Suspend presses Ctrl-Z as in a shell: the block stays whole above what the shell writes, and a new one is below that when the
// program is continued.
func TestTerminal_Suspend(t *testing.T) {
	cmd := command(t, "", "working")
	shell := exec.CommandContext(t.Context(), "/bin/sh", "-c", `set -m; "$0" working; sleep 1; echo "the shell is here"; read line; fg >/dev/null`, cmd.Path)
	shell.Env = cmd.Env
	screen := testscreen.Start(t, shell, 90)
	screen.WaitFor(t, "batch 86")
	screen.Type(t, "\x1a")
	screen.WaitFor(t, "the shell is here")
	stopped := strings.Join(screen.Rows(nil), "\n")
	if !strings.HasPrefix(stopped, "ready\n") || strings.Count(stopped, "rows/s") != 1 || !strings.Contains(stopped, "batch 86: 1,000 rows in 0.44s\n") {
		t.Errorf("the screen of the shell:\n%s", stopped)
	}
	before := strings.Count(screen.String(), "rows/s")
	screen.Type(t, "\n")
	screen.WaitForTimes(t, "rows/s", before+3)
	screen.Type(t, "\x03")
	if code := screen.Wait(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	text := strings.Join(screen.Rows(nil), "\n")
	if !strings.HasPrefix(text, strings.TrimRight(stopped, "\n")) || strings.Count(text, "rows/s") != 2 || !strings.Contains(text, "STOPPED  by SIGINT: 86,240 rows deleted") {
		t.Errorf("screen:\n%s\nraw: %q", text, screen)
	}
}
