//go:build unix

package command_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/internal/testscreen"
)

const escape = "\x1b["

func light(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 300)
	return b
}

// TestStreams_Colour tries what decides about colours, from the weakest to the strongest, on a terminal and on a pipe.
func TestStreams_Colour(t *testing.T) {
	t.Parallel()
	b := light(t)
	for _, tt := range []struct {
		name           string
		environ, args  []string
		terminal, pipe bool
	}{
		{name: "nothing said", terminal: true},
		{name: "dumb terminal", environ: []string{"TERM=dumb"}},
		{name: "FORCE_COLOR", environ: []string{"TERM=dumb", "FORCE_COLOR=1"}, terminal: true, pipe: true},
		{name: "CLICOLOR_FORCE", environ: []string{"CLICOLOR_FORCE=1"}, terminal: true, pipe: true},
		{name: "NO_COLOR", environ: []string{"NO_COLOR=1", "FORCE_COLOR=1"}},
		{name: "empty NO_COLOR", environ: []string{"NO_COLOR="}, terminal: true},
		{name: "--force-color", environ: []string{"NO_COLOR=1", "TERM=dumb"}, args: []string{"--force-color"}, terminal: true, pipe: true},
		{name: "--no-color", environ: []string{"FORCE_COLOR=1"}, args: []string{"--no-color"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			make := func() *exec.Cmd {
				cmd := b.still(t, append(append(deleting, "--dry-run"), tt.args...)...)
				cmd.Env = append(append(cmd.Env, "NO_COLOR="), tt.environ...)
				return cmd
			}
			on := testscreen.Start(t, make(), 100)
			if code := on.Wait(); code != 0 || strings.Contains(on.String(), escape) != tt.terminal {
				t.Errorf("on a terminal: exit code %d, %q", code, on)
			}
			if out, err := make().CombinedOutput(); err != nil || strings.Contains(string(out), escape) != tt.pipe {
				t.Errorf("into a pipe: %v, %q", err, out)
			}
		})
	}
}

// TestStreams_Pipes gives one stream or both to a pipe: nothing there has an escape code, or is broken to the width of a terminal.
func TestStreams_Pipes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		redirect       string
		wantOut, block bool // whether the terminal shows the result, and a live block
	}{{">out.txt", false, true}, {"2>err.txt", true, false}, {">out.txt 2>err.txt", false, false}} {
		t.Run(tt.redirect, func(t *testing.T) {
			b := light(t)
			cmd := b.still(t, append(deleting, "--no-input")...)
			cmd.Args = append([]string{"sh", "-c", `"$0" "$@" ` + tt.redirect}, append([]string{cmd.Path}, cmd.Args[1:]...)...)
			cmd.Path = "/bin/sh"
			on := testscreen.Start(t, cmd, 60)
			if code := on.Wait(); code != 0 {
				t.Errorf("exit code %d:\n%s", code, on)
			}
			const result = "Deleted 100 rows in 10 batches from default."
			screen := strings.Join(on.Rows(nil), "\n")
			if strings.Contains(screen, result) != tt.wantOut || strings.Contains(screen, "rows/s   elapsed") != tt.block {
				t.Errorf("the terminal:\n%s", screen)
			}
			piped := ""
			for _, name := range []string{"out.txt", "err.txt"} {
				if strings.Contains(tt.redirect, name) {
					text, err := os.ReadFile(cmd.Dir + "/" + name)
					if err != nil {
						t.Fatal(err)
					}
					piped += string(text)
				}
			}
			if strings.ContainsAny(piped, "\x1b\r") || strings.Contains(piped, result) == tt.wantOut {
				t.Errorf("the pipe: %q", piped)
			}
			if strings.Contains(tt.redirect, "err") && !strings.Contains(piped, " started. Stop safely with Ctrl-C. Status: drover runs show ") {
				t.Errorf("a line for a pipe was broken:\n%s", piped)
			}
		})
	}
}

// TestStreams_Progress tries each way to show progress, on a terminal and on a pipe.
func TestStreams_Progress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode, term     string
		terminal, pipe string // how it is told there: live, json or nothing
	}{
		{"auto", "xterm", "live", "nothing"},
		{"auto", "dumb", "nothing", "nothing"},
		{"tty", "xterm", "live", "nothing"},
		{"tty", "dumb", "live", "nothing"},
		{"plain", "xterm", "nothing", "nothing"},
		{"json", "xterm", "json", "json"},
		{"none", "xterm", "nothing", "nothing"},
	} {
		t.Run(tt.mode+" "+tt.term, func(t *testing.T) {
			kind := func(text string) string {
				switch {
				case strings.Contains(text, "rows/s   elapsed"):
					return "live"
				case strings.Contains(text, `{"type":"progress"`):
					return "json"
				}
				return "nothing" // work that ends at once leaves no line
			}
			run := func() *exec.Cmd {
				cmd := light(t).still(t, append(deleting, "--no-input", "--progress", tt.mode)...)
				cmd.Env = append(cmd.Env, "TERM="+tt.term)
				return cmd
			}
			on := testscreen.Start(t, run(), 100)
			if code := on.Wait(); code != 0 || kind(on.String()) != tt.terminal || (tt.terminal != "live" && strings.Contains(on.String(), escape)) {
				t.Errorf("on a terminal: exit code %d:\n%s", code, on)
			}
			out, err := run().CombinedOutput()
			if err != nil || kind(string(out)) != tt.pipe || strings.Contains(string(out), escape) {
				t.Errorf("into a pipe: %v:\n%s", err, out)
			}
		})
	}
}

// TestStreams_Status asks a run that waits how it is, whatever way progress is shown.
func TestStreams_Status(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "plain", "json", "none"} {
		t.Run(mode, func(t *testing.T) {
			cmd := light(t).still(t, append(deleting, "--no-input", "--throttle", "readers 1 SELECT 1", "--progress", mode)...)
			on := testscreen.Start(t, cmd, 100)
			on.WaitFor(t, "Run 01")
			signal := func(sig syscall.Signal) {
				t.Helper()
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
			}
			const at = "12:04:11 "
			for !strings.Contains(on.String(), at+"purge events: 0.0 %  0/100  0 rows/s  retries 0") { // at first it only says that it runs
				before := strings.Count(on.String(), at)
				signal(syscall.SIGUSR1)
				on.WaitForTimes(t, at, before+1)
			}
			signal(syscall.SIGINT)
			if code := on.Wait(); code != drover.ExitInterrupted {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestStreams_ReaderGoesAway is drover … | head -1: the run ends quietly, what it has done is kept, and the same command goes on.
func TestStreams_ReaderGoesAway(t *testing.T) {
	t.Parallel()
	b := light(t)
	b.exec(t, "CREATE TABLE gate (shut integer)", "INSERT INTO gate VALUES (1)", keepRow75)
	if out, err := b.still(t, append(deleting, "--no-input")...).CombinedOutput(); err == nil { // two batches and some rows are done
		t.Fatalf("row 75 is gone:\n%s", out)
	}
	b.exec(t, "DROP TRIGGER guard")
	before := b.count(t, matching)
	// It waits until the gate is open, and says so to nobody.
	const gate = "gate 1 SELECT count(*) FROM gate"
	cmd := b.still(t, append(deleting, "--no-input", "--json", "--progress", "none", "--throttle", gate)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), `"type":"throttled"`); {
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	b.exec(t, "DELETE FROM gate")
	_ = cmd.Wait() // the exit code is looked at below
	code, left := cmd.ProcessState.ExitCode(), b.count(t, matching)
	if text := stderr.String(); code != drover.ExitFailed || strings.Contains(text, "pipe") || strings.Contains(text, "exit_error") {
		t.Errorf("exit code %d, stderr:\n%s", code, text)
	}
	if left == 0 || left > before {
		t.Errorf("%d of %d rows are left", left, before)
	}
	again, err := b.still(t, append(deleting, "--no-input")...).CombinedOutput()
	if text := string(again); err != nil || !strings.Contains(text, "Resuming run ") || !strings.Contains(text, "Deleted 100 rows") {
		t.Errorf("run again: %v\n%s", err, text)
	}
	b.wantCount(t, matching, 0)
}
