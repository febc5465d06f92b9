//go:build unix

package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

// events are the lines that a process writes with --json, from both streams.
type events struct {
	fields map[string]map[string]bool // of each type, with its stream: the names
	bare   []string                   // lines behind the begin of a run that do not name it, or that have no time
}

// collect runs drover to its end and takes its lines. use gets functions that wait until it has said something on the standard output, or told it on the
// other stream.
func (e *events) collect(t *testing.T, cmd *exec.Cmd, use func(said, told func(text string))) {
	t.Helper()
	stdout, stderr := collected{changed: make(chan struct{}, 1)}, collected{changed: make(chan struct{}, 1)}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if use != nil {
		use(func(text string) { stdout.waitFor(t, text) }, func(text string) { stderr.waitFor(t, text) })
	}
	_ = cmd.Wait() // exit codes are looked at elsewhere
	for stream, text := range map[string]string{"stdout": stdout.String(), "stderr": stderr.String()} {
		begun := false
		for line := range strings.Lines(text) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatalf("%s of %v: %v: %s", stream, cmd.Args[1:], err, line)
			}
			kind := fmt.Sprintf("%s (%s)", fields["type"], stream)
			if command, ok := fields["command"].(string); ok {
				kind = fmt.Sprintf("%s of %s (%s)", fields["type"], command, stream)
			}
			stored := cmd.Args[1] == "runs" // what is known of a run, with times of its own
			if stored {
				kind = fmt.Sprintf("%s of %s %s (%s)", fields["type"], cmd.Args[1], cmd.Args[2], stream)
			}
			switch fields["type"] {
			case "start", "resume":
				begun = true
			case "progress", "status", "stopping", "exit_error":
				begun = strings.Contains(stdout.String(), `"type":"summary"`) && strings.Contains(stdout.String(), `"run_id":`) // an export is no run
			}
			if !stored && fields["time"] == nil || begun && fields["run_id"] == nil {
				e.bare = append(e.bare, kind+": "+line)
			}
			if e.fields[kind] == nil {
				e.fields[kind] = map[string]bool{}
			}
			for name := range fields {
				e.fields[kind][name] = true
			}
		}
	}
}

// collected is a stream of a process that a test may wait on.
type collected struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func (c *collected) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return c.buf.Write(p)
}

func (c *collected) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

func (c *collected) waitFor(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(c.String(), text) {
		select {
		case <-c.changed:
		case <-t.Context().Done():
			t.Fatalf("never said %q:\n%s", text, c)
		}
	}
}

// deadlockAt75 makes the first deletion of one row of events fail on PostgreSQL as a deadlock does.
var deadlockAt75 = []string{
	`CREATE SEQUENCE attempts`,
	`CREATE FUNCTION lock() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 75 AND nextval(''attempts'') = 1 THEN RAISE EXCEPTION ''deadlock detected'' USING ERRCODE = ''40P01''; END IF; RETURN OLD; END'`,
	`CREATE TRIGGER lock BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION lock()`,
}

// TestJSON_Contract lists every type of line that runs of commands write, with its fields. A field that is renamed or lost is a broken promise:
// the golden file may only grow.
func TestJSON_Contract(t *testing.T) {
	t.Parallel()
	e := &events{fields: map[string]map[string]bool{}}
	lite := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	lite.events(t, 300)
	purge := func(args ...string) []string { return append(append(slices.Clone(deleting), "--json"), args...) }
	run := func(args ...string) { t.Helper(); e.collect(t, lite.still(t, args...), nil) }

	run(purge("--dry-run")...)
	run(purge("--dry-run=rollback")...)
	run(purge("--check")...)
	run(purge("--no-such-option")...)
	waits := lite.still(t, purge("--no-input", "--throttle", "readers 1 SELECT 1")...)
	e.collect(t, waits, func(said, told func(string)) {
		signal := func(sig os.Signal) {
			if err := waits.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
		}
		said(`"type":"throttled"`)
		signal(syscall.SIGUSR1)
		told(`"type":"status"`)
		signal(syscall.SIGINT)
	})
	lite.exec(t, keepRow75)
	run(purge("--no-input", "--throttle", "readers 1 SELECT 0", "--max-errors", "1")...) // goes on
	run("runs", "list", "--json")
	run("runs", "show", lite.lastRun(t), "--json")
	run("runs", "errors", lite.lastRun(t), "--json")
	run("backfill", "--table", "events", "--set", "status = 'seen'", "--where", "status = 'open'", "--batch-size", "50", "--canary", "50", "--undo", "--no-input", "--json")
	run("undo", lite.lastRun(t), "--no-input", "--json")

	// Files, and another database.
	file := filepath.Join(t.TempDir(), "events.csv")
	lite.exec(t, "CREATE TABLE read (id integer NOT NULL PRIMARY KEY, status varchar(10) NOT NULL CHECK (id <> 75))")
	run("export", file, "--table", "events", "--dry-run", "--json")
	run("export", file, "--table", "events", "--json")
	run("import", file, "--table", "read", "--dry-run", "--json", "--plan-out", file+".plan")
	run("import", file, "--table", "read", "--no-input", "--json", "--max-errors", "1", "--batch-size", "50", "--reject-file", file+".rejects")
	run("import", file, "--table", "nowhere", "--no-input", "--json")
	other := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	other.exec(t, "CREATE TABLE events (id integer NOT NULL PRIMARY KEY, status varchar(10) NOT NULL)")
	for _, option := range []string{"--dry-run", "--no-input"} {
		copying := lite.still(t, "copy", "--from", "default", "--to", "other", "--table", "events", option, "--json")
		copying.Env = append(copying.Env, "DATABASE_URL_OTHER="+other.URL)
		e.collect(t, copying, nil)
	}
	run("inspect", "events", "--json")
	run("doctor", "--json")
	run("init", "--json")
	run("new", "command", "close-accounts", "--dry-run", "--json")
	run("shell", "--print", "--json")
	run("version", "--json")

	post := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	post.events(t, 300)
	post.exec(t, deadlockAt75...)
	e.collect(t, post.still(t, purge("--no-input")...), nil)

	if len(e.bare) > 0 {
		t.Errorf("lines without a time, or without the run that has begun:\n%s", strings.Join(e.bare, ""))
	}
	var all bytes.Buffer
	for _, kind := range slices.Sorted(maps.Keys(e.fields)) {
		fmt.Fprintf(&all, "%s\n    %s\n", kind, strings.Join(slices.Sorted(maps.Keys(e.fields[kind])), " "))
	}
	golden(t, "json_contract", all.String())
}
