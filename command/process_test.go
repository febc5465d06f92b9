package command_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/drover-dev/drover"
)

// program is the drover program in a process of its own.
type program struct {
	cmd    *exec.Cmd
	out    *bufio.Scanner
	stderr bytes.Buffer
}

func (b *bench) start(t *testing.T, args ...string) *program {
	t.Helper()
	return startProgram(t, []string{"DATABASE_URL=" + b.URL}, append([]string{"purge"}, args...)...)
}

func startProgram(t *testing.T, environ []string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startBinary(t, self, environ, args...)
}

func startBinary(t *testing.T, file string, environ []string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(file, args...)}
	p.cmd.Env = append(append(os.Environ(), programEnv+"=1"), environ...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// underway waits until the first rows are gone, and fails the test when they all are.
func (b *bench) underway(t *testing.T, matching string, all int) {
	t.Helper()
	for {
		switch n := b.count(t, matching); {
		case n == 0:
			t.Fatal("the purge was over before it could be disturbed")
		case n < all:
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
	}
}

// wait reads what is left of stdout and returns its last line and the exit code: -1 for a process that was killed.
func (p *program) wait(t *testing.T) (last string, code int) {
	t.Helper()
	for p.out.Scan() {
		last = p.out.Text()
	}
	err := p.cmd.Wait()
	if err != nil && p.cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return last, p.cmd.ProcessState.ExitCode()
}

const (
	processRows = 15000 // of which a third is deleted, one row a batch: far more than a test can outrun
	matching    = "SELECT count(*) FROM events WHERE status = 'done'"
)

func purgeSlowly() []string {
	return []string{"--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "1", "--json"}
}

// expire is time that passes until the lease of the runner that was killed has run out.
func (b *bench) expire(t *testing.T) {
	t.Helper()
	b.exec(t, "UPDATE drover_runs SET lease_until = started_at WHERE state = 'running'")
}

// finishes runs the same command again, in larger batches, and looks at every row.
func (b *bench) finishes(t *testing.T) {
	t.Helper()
	p := b.start(t, "--table", "events", "--where", "status = 'done'", "--no-input")
	last, code := p.wait(t)
	if code != 0 || !strings.HasPrefix(last, "Deleted ") {
		t.Errorf("run again: exit code %d, %q\n%s", code, last, p.stderr.String())
	}
	b.wantCount(t, matching, 0)
	b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'open'", processRows-processRows/3)
}

func TestPurgeProcess_SignalStopsAndTheSameCommandGoesOn(t *testing.T) {
	for name, sig := range map[string]struct {
		signal syscall.Signal
		code   int
	}{"SIGINT": {syscall.SIGINT, drover.ExitInterrupted}, "SIGTERM": {syscall.SIGTERM, drover.ExitTerminated}} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.events(t, processRows)
				p := b.start(t, purgeSlowly()...)
				b.underway(t, matching, processRows/3)
				if err := p.cmd.Process.Signal(sig.signal); err != nil {
					t.Fatal(err)
				}
				last, code := p.wait(t)
				if code != sig.code {
					t.Errorf("exit code %d, want %d\n%s", code, sig.code, p.stderr.String())
				}
				var summary struct {
					Status   string
					Deleted  int
					ExitCode int `json:"exit_code"`
				}
				if err := json.Unmarshal([]byte(last), &summary); err != nil {
					t.Fatalf("the last line is no summary: %v: %s", err, last)
				}
				if summary.Status != "stopped" || summary.ExitCode != sig.code || summary.Deleted == 0 {
					t.Errorf("summary: %+v", summary)
				}
				b.wantCount(t, matching, processRows/3-summary.Deleted)
				if !strings.Contains(p.stderr.String(), "Stopping: finishing batch") {
					t.Errorf("stderr does not say what is waited for:\n%s", p.stderr.String())
				}
				b.finishes(t)
			})
		})
	}
}

func TestPurgeProcess_KilledAndRunAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, processRows)
		for range 3 {
			left := b.count(t, matching)
			p := b.start(t, purgeSlowly()...)
			b.underway(t, matching, left)
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if _, code := p.wait(t); code != -1 {
				t.Errorf("exit code %d of a killed process", code)
			}
			b.expire(t)
		}
		b.finishes(t)
	})
}
