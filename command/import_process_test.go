package command_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
)

// importKills is how often a process is killed, on each of the three databases.
const importKills = 17

// TestImportProcess_KilledAndRunAgain kills a process that imports a file at random, 51 times in all. At the end the table, which has no key that could
// keep a row from being there twice, has exactly the records of the file.
func TestImportProcess_KilledAndRunAgain(t *testing.T) {
	t.Parallel()
	const rows, size = 3000, 5
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE notes (id integer NOT NULL, note varchar(40))")
		var text, want strings.Builder
		text.WriteString("id,note\n")
		for i := range rows {
			fmt.Fprintf(&text, "%d,\"line\n%d, \"\"quoted\"\"\"\n", i, i)
			fmt.Fprintf(&want, "%d|line\n%d, \"quoted\"\n", i, i)
		}
		args := []string{"import", dataFile(t, "notes.csv", text.String()), "--table", "notes", "--batch-size", fmt.Sprint(size), "--no-input", "--rows-per-second", "200"}
		environ := []string{"DATABASE_URL=" + b.URL}
		if _, err := b.command(t.Context(), drover.CallOptions{}, "init"); err != nil { // the first process may be killed before it has made a run
			t.Fatal(err)
		}
		there := func() int { return b.count(t, "SELECT count(*) FROM notes") }
		for kill := range importKills {
			at := there() + rand.IntN((rows-there())/(importKills-kill+4)) // also before the first row
			p := startProgram(t, environ, args...)
			p.waitFor(t, fmt.Sprintf("%d rows are there", at), func() bool { return there() >= at })
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if _, code := p.wait(t); code != -1 {
				t.Fatalf("kill %d: exit code %d of a process that should have been killed in the middle\n%s", kill, code, p.stderr.String())
			}
			if n := there(); n%size != 0 {
				t.Fatalf("kill %d: %d rows are there, and no whole batches", kill, n)
			}
			b.expire(t)
		}
		args[len(args)-1] = "100000"
		last, code := startProgram(t, environ, args...).wait(t)
		if code != drover.ExitOK || !strings.HasPrefix(last, "Imported 3,000 rows in 600 batches") {
			t.Errorf("run again: exit code %d, %q", code, last)
		}
		if diff := cmp.Diff(want.String(), b.lines(t, "SELECT id, note FROM notes ORDER BY id", 2)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 1)
	})
}

// TestImportProcess_StopsAndTellsHowToGoOn stops a process with a signal, and types what it advises.
func TestImportProcess_StopsAndTellsHowToGoOn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const rows = 800
		b.exec(t, "CREATE TABLE notes (id integer NOT NULL)")
		var text strings.Builder
		text.WriteString("id\n")
		for i := range rows {
			fmt.Fprintln(&text, i)
		}
		environ := []string{"DATABASE_URL=" + b.URL}
		p := startProgram(t, environ, "import", dataFile(t, "notes.csv", text.String()), "--table", "notes", "--batch-size", "10", "--no-input", "--rows-per-second", "400")
		p.waitFor(t, "rows are there", func() bool { return b.count(t, "SELECT count(*) FROM notes") > 0 })
		if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_, code := p.wait(t)
		_, advice, found := strings.Cut(p.stderr.String(), "Resume:  ")
		if code != drover.ExitInterrupted || !found {
			t.Fatalf("exit code %d\n%s", code, p.stderr.String())
		}
		if n := b.count(t, "SELECT count(*) FROM notes"); n == 0 || n >= rows || n%10 != 0 {
			t.Errorf("%d rows are there", n)
		}
		line, _, _ := strings.Cut(advice, "\n")
		again := startProgram(t, environ, strings.Fields(line)[1:]...)
		if last, code := again.wait(t); code != drover.ExitOK || !strings.HasPrefix(last, "Imported 800 rows in 80 batches") {
			t.Errorf("exit code %d, %q\n%s", code, last, again.stderr.String())
		}
		b.wantCount(t, "SELECT count(*) FROM notes", rows)
		b.wantCount(t, "SELECT count(DISTINCT id) FROM notes", rows)
	})
}
