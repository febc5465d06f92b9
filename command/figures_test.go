//go:build unix

package command_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/internal/testscreen"
)

// took are the times of ten batches.
var took = []time.Duration{
	1410 * time.Millisecond, 880 * time.Millisecond, 960 * time.Millisecond, 6720 * time.Millisecond, 73 * time.Second,
	2050 * time.Millisecond, 490 * time.Millisecond, 12 * time.Second, 1570 * time.Millisecond, 1990 * time.Millisecond,
}

// firsts are the first rows of n batches of size rows each, step apart.
func firsts(n, size, step int) (ids []int) {
	for i := range n {
		ids = append(ids, (i*size+1)*step)
	}
	return ids
}

// figures are screens of programs whose batches take the times that the test gives them.
type figures struct {
	*testscreen.Terminal
	*clock
	width int
}

func showing(t *testing.T, cmd *exec.Cmd, width int) *figures {
	t.Helper()
	c := clocked(t, cmd)
	return &figures{testscreen.Start(t, cmd, width), c, width}
}

// ends waits for the program's end, and compares what stands on its screen.
func (f *figures) ends(t *testing.T, name string, code int) {
	t.Helper()
	if got := f.Wait(); got != code {
		t.Errorf("%s: exit code %d, want %d", name, got, code)
	}
	f.same(t, name, f.Rows(maskedServer))
}

func (f *figures) same(t *testing.T, name string, rows []string) {
	t.Helper()
	fits(t, rows, f.width)
	golden(t, fmt.Sprintf("screen_%s.%d", name, f.width), strings.TrimRight(strings.Join(rows, "\n"), "\n")+"\n")
}

// passes lets the program go through the gates, each after a time.
func (f *figures) passes(t *testing.T, g gates, ids []int, times []time.Duration) {
	t.Helper()
	for i, id := range ids {
		g.reached(t, id)
		f.on(t, times[i])
		g.open(t, id)
	}
}

var (
	postgresVersion = regexp.MustCompile(`postgres \d\d\.\d+`)
	postgresAddress = regexp.MustCompile(`127\.0\.0\.1:\d{5}/t\d{4}`)
)

func maskedServer(text string) string {
	return postgresAddress.ReplaceAllString(postgresVersion.ReplaceAllString(masked(text), "postgres VV.VV"), "127.0.0.1:PPPPP/tNNNN")
}

// everyWidth runs fn on an empty PostgreSQL database for each width.
func everyWidth(t *testing.T, fn func(t *testing.T, b *bench, width int)) {
	t.Helper()
	for _, width := range []int{60, 100, 200} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			t.Parallel()
			fn(t, newBench(t, testdb.Fresh(t, testdb.NamePostgres)), width)
		})
	}
}

// TestTerminal_StopAndResume stops a purge in its fifth batch, and goes on with it.
func TestTerminal_StopAndResume(t *testing.T) {
	t.Parallel()
	everyWidth(t, func(t *testing.T, b *bench, width int) {
		b.events(t, 300)
		ids := firsts(10, 10, 3)
		g := b.gated(t, "events", ids...)
		f := showing(t, b.still(t, append(deleting, "--no-input")...), width)
		f.passes(t, g, ids[:4], took)
		g.reached(t, ids[4])
		f.on(t, took[4])
		f.same(t, "running", f.shows(t, "elapsed 1:22", "batch 4: 10 rows in 6.7s"))
		f.Type(t, "\x03")
		f.WaitFor(t, "Stopping: ")
		g.open(t, ids[4])
		f.ends(t, "stop", drover.ExitInterrupted)

		f = showing(t, b.still(t, append(deleting, "--no-input")...), width)
		f.passes(t, g, ids[5:], took[5:])
		f.ends(t, "resume", drover.ExitOK)
	})
}

// shows waits until the live block has first, and ends with last; then all of it is drawn.
func (f *figures) shows(t *testing.T, first, last string) (rows []string) {
	t.Helper()
	f.Until(t, first+" and "+last, func() bool {
		rows = f.Rows(maskedServer)
		return len(rows) > 1 && strings.HasSuffix(rows[len(rows)-2], last) && strings.Contains(strings.Join(rows, "\n"), first)
	})
	return rows
}

// TestTerminal_PlainLines is a purge in plain lines: one whenever five percent were done in a second or more.
func TestTerminal_PlainLines(t *testing.T) {
	t.Parallel()
	everyWidth(t, func(t *testing.T, b *bench, width int) {
		b.events(t, 300)
		ids := firsts(10, 10, 3)
		g := b.gated(t, "events", ids...)
		f := showing(t, b.still(t, append(deleting, "--no-input", "--progress", "plain")...), width)
		since := time.Duration(0)
		for i, next := range append(slices.Clone(took[6:]), took[:6]...) { // the first one is too short for a line, also when its batch is done
			g.reached(t, ids[i])
			f.on(t, next)
			if since += next; since >= time.Second {
				f.WaitFor(t, fmt.Sprintf("  %d/100  ", i*10))
				since = 0
			}
			g.open(t, ids[i])
		}
		f.ends(t, "plain", drover.ExitOK)
	})
}

// emptyPeople makes the table people.
func (b *bench) emptyPeople(t *testing.T) {
	t.Helper()
	b.exec(t, "CREATE TABLE people (id integer NOT NULL PRIMARY KEY, name varchar(40) NOT NULL)")
}

// peopleFile writes a file of n people, and returns the folder that it is in: the program is run there.
func peopleFile(t *testing.T, n int) (dir string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("id,name\n")
	for i := range n {
		fmt.Fprintf(&text, "%d,Person %d\n", i+1, i+1)
	}
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "people.csv"), text.String())
	return dir
}

// TestTerminal_Import reads a file into a table.
func TestTerminal_Import(t *testing.T) {
	t.Parallel()
	everyWidth(t, func(t *testing.T, b *bench, width int) {
		b.emptyPeople(t)
		ids := firsts(10, 20, 1)
		g := b.gated(t, "people", ids...)
		cmd := b.still(t, "import", "people.csv", "--table", "people", "--batch-size", "20", "--no-input")
		cmd.Dir = peopleFile(t, 200)
		f := showing(t, cmd, width)
		f.passes(t, g, ids, took)
		f.ends(t, "import", drover.ExitOK)
	})
}

// TestTerminal_Copy moves rows to another database: it has two phases.
func TestTerminal_Copy(t *testing.T) {
	t.Parallel()
	everyWidth(t, func(t *testing.T, b *bench, width int) {
		to := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
		b.emptyPeople(t)
		to.emptyPeople(t)
		b.fill(t, "people", 100, func(i int) string { return fmt.Sprintf("(%d, 'Person %d')", i, i) })
		ids := firsts(5, 20, 1)
		copied, deleted := to.gated(t, "people", ids...), b.gated(t, "people", ids...)
		cmd := b.still(t, "copy", "--from", "default", "--to", "archive", "--table", "people", "--move", "--batch-size", "20", "--no-input")
		cmd.Env = append(cmd.Env, "DATABASE_URL_ARCHIVE="+to.URL)
		f := showing(t, cmd, width)
		f.passes(t, copied, ids, took)
		deleted.reached(t, ids[0])
		f.on(t, took[5])
		f.same(t, "phase", f.shows(t, "elapsed 0:02", "retries 0"))
		deleted.open(t, ids[0])
		f.passes(t, deleted, ids[1:], took[6:])
		f.ends(t, "copy", drover.ExitOK)
	})
}

// TestTerminal_Export writes a folder of three files. A condition stops it at rows: so it does not know how many there will be.
func TestTerminal_Export(t *testing.T) {
	t.Parallel()
	everyWidth(t, func(t *testing.T, b *bench, width int) {
		b.events(t, 300)
		ids := firsts(3, 100, 1)
		g := b.gated(t, "events", ids...)
		b.exec(t, `CREATE FUNCTION passed(row_id integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(row_id); RETURN true; END'`,
			// Each part reads its own rows only, and the search for the last key no more than the last row.
			`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET enable_sort = off', current_database()); END $$`)
		cmd := b.still(t, "export", "events", "--table", "events", "--where", "passed(id)", "--part-rows", "100")
		cmd.Dir = t.TempDir()
		f := showing(t, cmd, width)
		f.passes(t, g, ids[:2], took[4:])
		g.reached(t, ids[2])
		f.on(t, took[7])
		f.same(t, "exporting", f.shows(t, "200 rows", "elapsed 1:27"))
		g.open(t, ids[2])
		f.ends(t, "export", drover.ExitOK)
	})
}

// TestStreams_ProgressOfImport follows an import, which says in each way how far it is.
func TestStreams_ProgressOfImport(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ mode, want string }{
		{"tty", "200 / 300 rows"},
		{"plain", ": 66.6 %  200/300  20 rows/s  ETA 5.0s"},
		{"json", `"unit":"rows","done":200,"total":300,`},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
			b.emptyPeople(t)
			g := b.gated(t, "people", 201)
			cmd := b.still(t, "import", "people.csv", "--table", "people", "--batch-size", "100", "--no-input", "--progress", tt.mode)
			cmd.Dir = peopleFile(t, 300)
			f := showing(t, cmd, 200)
			g.reached(t, 201)
			f.on(t, 10*time.Second)
			f.WaitFor(t, tt.want)
			g.open(t, 201)
			if code := f.Wait(); code != drover.ExitOK {
				t.Errorf("exit code %d:\n%s", code, f)
			}
		})
	}
}
