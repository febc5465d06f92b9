package command_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
)

func (b *bench) startExport(t *testing.T, args ...string) *program {
	t.Helper()
	return startProgram(t, []string{"DATABASE_URL=" + b.URL}, append([]string{"export"}, args...)...)
}

// partsIn are the names of the parts in a folder that have their names.
func partsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "events-") {
			names = append(names, e.Name())
		}
	}
	return names
}

// joined are the rows of all parts.
func joined(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range partsIn(t, dir) {
		all.WriteString(readFile(t, dir, name))
	}
	return all.String()
}

// TestExportProcess_KilledAndRunAgain kills a process that writes parts, at random, again and again. At the end each row is there once.
func TestExportProcess_KilledAndRunAgain(t *testing.T) {
	const rows, size = 600, "5"
	each(t, func(t *testing.T, b *bench) {
		b.events(t, rows)
		whole, dir := filepath.Join(t.TempDir(), "whole.csv"), filepath.Join(t.TempDir(), "events")
		b.mustExport(t, whole, "--table", "events", "--no-header")
		args := []string{dir, "--table", "events", "--part-rows", size, "--no-header"}
		for range 4 {
			at := len(partsIn(t, dir)) + 1 + rand.IntN(20)
			p := b.startExport(t, args...)
			p.waitFor(t, "parts are there", func() bool { return len(partsIn(t, dir)) >= at })
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if _, code := p.wait(t); code != -1 {
				t.Errorf("exit code %d of a process that should have been killed in the middle\n%s", code, p.stderr.String())
			}
		}
		p := b.startExport(t, args...)
		last, code := p.wait(t)
		if code != drover.ExitOK || !strings.HasPrefix(last, "Exported 600 rows to "+dir+" in 120 parts") || !strings.Contains(p.stderr.String(), "Going on behind events-") {
			t.Errorf("run again: exit code %d, %q\n%s", code, last, p.stderr.String())
		}
		if diff := cmp.Diff(readFile(t, whole), joined(t, dir)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		for _, name := range filesIn(t, dir) {
			if strings.HasSuffix(name, ".tmp") {
				t.Errorf("%s is left", name)
			}
		}
	})
}

// TestExportProcess_StopsAndTellsHowToGoOn stops a process with a signal, and types what it advises.
func TestExportProcess_StopsAndTellsHowToGoOn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const rows = 1000
		b.events(t, rows)
		dir := filepath.Join(t.TempDir(), "events")
		p := b.startExport(t, dir, "--table", "events", "--part-rows", "10", "--no-header")
		p.waitFor(t, "parts are there", func() bool { return len(partsIn(t, dir)) >= 3 })
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_, code := p.wait(t)
		_, advice, found := strings.Cut(p.stderr.String(), "Resume:  ")
		if code != drover.ExitTerminated || !found {
			t.Fatalf("exit code %d\n%s", code, p.stderr.String())
		}
		if n := strings.Count(joined(t, dir), "\n"); n < 30 || n >= rows || n%10 != 0 {
			t.Errorf("%d rows are there", n)
		}
		line, _, _ := strings.Cut(advice, "\n")
		again := startProgram(t, []string{"DATABASE_URL=" + b.URL}, strings.Fields(line)[1:]...)
		if last, code := again.wait(t); code != drover.ExitOK || !strings.HasPrefix(last, "Exported 1,000 rows to ") {
			t.Errorf("exit code %d, %q\n%s", code, last, again.stderr.String())
		}
		if n := strings.Count(joined(t, dir), "\n"); n != rows {
			t.Errorf("%d rows are there", n)
		}
	})
}

// TestExportProcess_OneFileIsWholeOrNotThere kills and stops processes that write one file.
func TestExportProcess_OneFileIsWholeOrNotThere(t *testing.T) {
	const rows = 20_000
	each(t, func(t *testing.T, b *bench) {
		b.events(t, rows)
		for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
			dir := t.TempDir()
			file := filepath.Join(dir, "events.jsonl")
			disturbed := 0
			for try := 0; disturbed < 3; try++ {
				if try == 60 {
					t.Fatalf("%v: the export was over each time before it could be disturbed", sig)
				}
				p := b.startExport(t, file, "--table", "events", "--overwrite")
				p.waitFor(t, "the file is begun", func() bool { return len(filesIn(t, dir)) > 0 })
				if err := p.cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				_, code := p.wait(t)
				_, err := os.Stat(file)
				switch {
				case err == nil:
					if code == drover.ExitOK || sig == syscall.SIGKILL {
						if n := strings.Count(readFile(t, file), "\n"); n != rows {
							t.Fatalf("a file of %d rows has its name", n)
						}
						if err := os.Remove(file); err != nil {
							t.Fatal(err)
						}
						continue
					}
					t.Errorf("exit code %d, and the file is there\n%s", code, p.stderr.String())
				case sig == syscall.SIGINT && (code != drover.ExitInterrupted || len(filesIn(t, dir)) != 0 || !strings.Contains(p.stderr.String(), "the unfinished file is removed")):
					t.Errorf("exit code %d, files %v\n%s", code, filesIn(t, dir), p.stderr.String())
				}
				disturbed++
			}
			b.mustExport(t, file, "--table", "events")
			if diff := cmp.Diff([]string{"events.jsonl"}, filesIn(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if n := strings.Count(readFile(t, file), "\n"); n != rows {
				t.Errorf("%d rows", n)
			}
		}
	})
}

// TestExportProcess_ClosedPipe reads a line and goes away, as head does.
func TestExportProcess_ClosedPipe(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30_000)
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		cmd := exec.CommandContext(t.Context(), self, "export", "-", "--table", "events", "--progress", "none")
		cmd.Env = append(os.Environ(), programEnv+"=1", "DATABASE_URL="+b.URL)
		cmd.Stdout, cmd.Stderr = w, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		line := make([]byte, len("id,status\n"))
		if _, err := r.Read(line); err != nil || string(line) != "id,status\n" {
			t.Errorf("read %q, %v", line, err)
		}
		_ = r.Close()
		_ = cmd.Wait()
		if cmd.ProcessState.ExitCode() != drover.ExitFailed || stderr.Len() > 0 {
			t.Errorf("exit code %d, messages %q", cmd.ProcessState.ExitCode(), stderr.String())
		}
	})
}
