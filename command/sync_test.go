package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

// systemCall is what a program has asked the kernel to do with a file, and ended well.
type systemCall struct {
	name, file string // write, sync or rename
	to         string // of a rename
}

var (
	callLine    = regexp.MustCompile(`^\d+ +(\w+)\((.*)$`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>`)
	fileOfCall  = regexp.MustCompile(`^\d+<([^>]*)>`)
	quotedName  = regexp.MustCompile(`"([^"]*)"`)
)

// traced runs the program under strace, and returns its calls that write, sync and rename, in the order in which they have ended.
func (b *bench) traced(t *testing.T, args ...string) (calls []systemCall) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), "strace", append([]string{
		"-f", "-y", "-s", "0", "-o", trace, "-e", "trace=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2", self,
	}, args...)...)
	cmd.Env = append(os.Environ(), programEnv+"=1", "GORACE=atexit_sleep_ms=0", "DATABASE_URL="+b.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("strace %v: %v\n%s", args, err, out)
	}
	begun := map[string]string{} // by each thread
	for line := range strings.Lines(readFile(t, trace)) {
		line = strings.TrimSuffix(line, "\n")
		thread, _, _ := strings.Cut(line, " ")
		if resumed := resumedLine.FindStringSubmatch(line); resumed != nil {
			line = begun[thread]
		} else if strings.Contains(line, "<unfinished ...>") {
			begun[thread] = line
			continue
		}
		call := callLine.FindStringSubmatch(line)
		if call == nil {
			continue // a thread has ended
		}
		c := systemCall{name: "write"}
		if strings.HasPrefix(call[1], "rename") {
			names := quotedName.FindAllStringSubmatch(call[2], -1)
			c = systemCall{"rename", names[0][1], names[1][1]}
		} else if file := fileOfCall.FindStringSubmatch(call[2]); file != nil {
			if c.file = file[1]; strings.HasSuffix(call[1], "sync") {
				c.name = "sync"
			}
		}
		calls = append(calls, c)
	}
	return calls
}

// TestSync_ArchiveBeforeTheDeleteCommits looks at the order of writes. A power failure, unlike kill -9, loses what was not synced.
func TestSync_ArchiveBeforeTheDeleteCommits(t *testing.T) {
	t.Parallel()
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 60)
	b.mustRun(t, "init")
	archive := filepath.Join(t.TempDir(), "events.jsonl")
	log := strings.TrimPrefix(b.URL, "sqlite:") + "-wal"
	var folder, dirty bool
	archived, committed := 0, 0
	for _, c := range b.traced(t, "purge", "--table", "events", "--where", "status = 'done'", "--archive-to", archive, "--batch-size", "4", "--no-input") {
		switch {
		case c.name == "sync" && c.file == filepath.Dir(archive):
			folder = true
		case c.name == "write" && c.file == archive:
			if !folder {
				t.Error("the archive is written before its name is on the disk")
			}
			dirty = true
		case c.name == "sync" && c.file == archive && dirty:
			dirty = false
			archived++
		case c.name == "write" && c.file == log:
			if dirty {
				t.Error("the database is written while rows are not on the disk")
			}
			if committed < archived {
				committed = archived
			}
		}
	}
	if archived != 5 || committed != 5 {
		t.Errorf("%d batches are archived, and the database is written after %d of them, want 5", archived, committed)
	}
}

// TestSync_ExportBeforeItsNames does so for the files of an export: what has a name is on the disk, and then the name is.
func TestSync_ExportBeforeItsNames(t *testing.T) {
	t.Parallel()
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 60)
	dir := t.TempDir()
	for _, tt := range []struct {
		args  []string
		names int // that files are given
	}{
		{[]string{filepath.Join(dir, "events.csv.gz")}, 1},
		{[]string{filepath.Join(dir, "parts"), "--part-rows", "20"}, 4}, // with the manifest
	} {
		last := map[string]string{} // call of each file
		var unsynced string         // folder
		names := 0
		for _, c := range b.traced(t, append([]string{"export", "--table", "events"}, tt.args...)...) {
			if c.name == "rename" {
				names++
				if last[c.file] != "sync" {
					t.Errorf("%s gets its name after %q", c.to, last[c.file])
				}
				if unsynced != "" {
					t.Errorf("%s gets its name before the last one is on the disk", c.to)
				}
				unsynced = filepath.Dir(c.to)
			}
			if last[c.file] = c.name; c.name == "sync" && c.file == unsynced {
				unsynced = ""
			}
		}
		if names < tt.names || unsynced != "" {
			t.Errorf("export %v: %d names, want %d; not on the disk: %q", tt.args, names, tt.names, unsynced)
		}
	}
}
