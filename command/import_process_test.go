package command_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

const (
	importKills = 50 // of processes, on each of the three databases
	importHits  = 15 // of them at least are to be while a batch is under way
)

// killedImport is an import whose processes are killed.
type killedImport struct {
	rows int
	file string // its name
	bad  int    // one record in so many is none of the table's
	key  string // of the table, if it has one
	args []string
}

// TestImportProcess_KilledAndRunAgain kills processes that import a file, 50 on each database, at random. After each kill the table has what the checkpoint
// says, and at the end exactly the records of the file: two of the tables have no key that could keep a row from being there twice.
func TestImportProcess_KilledAndRunAgain(t *testing.T) {
	t.Parallel()
	built := buildProgram(t)
	rejects := filepath.Join(t.TempDir(), "rejected.csv")
	cases := map[string]killedImport{
		testdb.NamePostgres: {rows: 40_000, file: "notes.csv.gz"},
		testdb.NameMariaDB:  {rows: 40_000, file: "notes.csv", bad: 997, args: []string{"--max-errors", "100", "--reject-file", rejects}},
		testdb.NameSQLite:   {rows: 40_000, file: "notes.csv", key: "PRIMARY KEY", args: []string{"--upsert-on", "id"}},
	}
	each(t, func(t *testing.T, b *bench) {
		t.Parallel()
		c := cases[b.Name]
		text, want, rejected := c.records()
		b.exec(t, "CREATE TABLE notes (id integer NOT NULL "+c.key+", note varchar(40) NOT NULL CHECK (note <> 'refused'))")
		if c.key != "" { // every third row is there, and gets other values
			b.fill(t, "notes", c.rows/3, func(i int) string { return fmt.Sprintf("(%d, 'old')", 3*i-1) })
		}
		b.exec(t, slowly[b.Name]...) // from here on
		file := filepath.Join(t.TempDir(), c.file)
		packFile(t, file, text)
		args := append([]string{"import", file, "--table", "notes", "--batch-size", "200", "--no-input"}, c.args...)
		environ := []string{"DATABASE_URL=" + b.URL}
		if _, err := b.command(t.Context(), drover.CallOptions{}, "init"); err != nil { // the first process may be killed before it has made a run
			t.Fatal(err)
		}
		const written = "SELECT COALESCE(SUM(rows_done), 0) FROM drover_shards"
		const done = "SELECT (" + written + ") + (SELECT count(*) FROM drover_quarantine)"
		writing, hits, refused := b.writing(t), 0, false
		for kill := range importKills {
			there := b.count(t, done)
			at := there + rand.IntN(max((c.rows-there)/(importKills-kill+5), 1)) // also before the first batch
			p := startBinary(t, built, environ, args...)
			p.waitFor(t, fmt.Sprintf("%d records are done", at), func() bool {
				return b.count(t, done) >= at
			})
			for range rand.IntN(60) { // so many answers later; writing would not do: InnoDB tells of its transactions once in 0.1 s
				b.count(t, "SELECT 1")
			}
			if p.killAmid(t, writing) {
				hits++
			}
			if _, code := p.wait(t); code != -1 {
				t.Fatalf("kill %d: exit code %d of a process that should have been killed in the middle\n%s", kill, code, p.stderr.String())
			}
			if b.Server != nil || kill%10 == 9 { // which takes this process, with the race detector, long on SQLite
				b.wantCount(t, "SELECT (SELECT count(*) FROM notes WHERE note <> 'old') - ("+written+")", 0)
			}
			if !refused && b.count(t, done) > there { // the dead process had taken the run over
				if _, code := startBinary(t, built, environ, args...).wait(t); code != drover.ExitLocked {
					t.Errorf("exit code %d while the lease of a dead process lasts", code)
				}
				refused = true
			}
			b.expire(t)
		}
		if !refused {
			t.Error("no process was killed that had taken the run over")
		}
		t.Logf("%d of %d kills have hit a batch under way, in %d of %d records", hits, importKills, b.count(t, done), c.rows)
		if hits < importHits {
			t.Errorf("only %d of %d kills have hit a batch under way", hits, importKills)
		}
		b.exec(t, quickly[b.Name])
		exit := drover.ExitOK
		if c.bad > 0 {
			exit = drover.ExitPartial
		}
		p := startBinary(t, built, environ, args...)
		if last, code := p.wait(t); code != exit || !strings.HasPrefix(last, "Imported "+drover.Count(int64(c.rows-len(rejected)))+" rows in ") {
			t.Errorf("run again: exit code %d, %q\n%s", code, last, p.stderr.String())
		}
		if diff := cmp.Diff(want, b.lines(t, "SELECT id, note FROM notes ORDER BY id", 2)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if c.bad > 0 {
			if diff := cmp.Diff(rejected, linesAndRecords(t, rejects)); diff != "" {
				t.Errorf("rejected (-want +got):\n%s", diff)
			}
		}
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 1)
	})
}

// slowly makes 200 rows of notes take 40 ms, as on a table with many indexes: else a process would be at the end before it is seen that it has begun.
var slowly = map[string][]string{
	testdb.NamePostgres: {
		"CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END'",
		"CREATE TRIGGER slowly AFTER INSERT ON notes FOR EACH ROW WHEN (NEW.id % 100 = 0) EXECUTE FUNCTION slowly()",
	},
	testdb.NameMariaDB: {"CREATE TRIGGER slowly BEFORE INSERT ON notes FOR EACH ROW IF NEW.id % 100 = 0 THEN DO SLEEP(0.02); END IF"},
	testdb.NameSQLite: {`CREATE TRIGGER slowly BEFORE INSERT ON notes WHEN NEW.id % 100 = 0 BEGIN
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT max(i) FROM n; END`},
}

// quickly undoes that, for the rest.
var quickly = map[string]string{
	testdb.NamePostgres: "DROP FUNCTION slowly CASCADE",
	testdb.NameMariaDB:  "DROP TRIGGER slowly",
	testdb.NameSQLite:   "DROP TRIGGER slowly",
}

// records are the text of the file, the rows that the table has at the end, and the lines and the texts of the records that it does not take.
func (c killedImport) records() (text, want string, rejected [][]string) {
	var file, rows strings.Builder
	file.WriteString("id,note\n")
	for i, line := 0, 2; i < c.rows; i, line = i+1, line+2 {
		switch {
		case c.bad == 0 || i%c.bad > 0:
			fmt.Fprintf(&file, "%d,\"line\n%d, \"\"quoted\"\"\"\n", i, i)
			fmt.Fprintf(&rows, "%d|line\n%d, \"quoted\"\n", i, i)
			continue
		case i%2 == 0:
			rejected = append(rejected, []string{fmt.Sprint(line), fmt.Sprintf("%d,refused", i)}) // by the server
		default:
			rejected = append(rejected, []string{fmt.Sprint(line), fmt.Sprintf("%d,with a field,too many", i)})
		}
		file.WriteString(rejected[len(rejected)-1][1] + "\n")
		line--
	}
	return file.String(), rows.String(), rejected
}

// buildProgram builds the program without the race detector, which would make reading a file take a hundred times as long.
func buildProgram(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "drover")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, "../cmd/drover").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return name
}

// packFile makes a file, of gzip if its name says so.
func packFile(t *testing.T, name, text string) {
	t.Helper()
	if strings.HasSuffix(name, ".gz") {
		var packed strings.Builder
		w := gzip.NewWriter(&packed)
		_, err := w.Write([]byte(text))
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		text = packed.String()
	}
	dataFile(t, name, text)
}

// linesAndRecords is a reject file without its names and the reasons.
func linesAndRecords(t *testing.T, name string) [][]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(readFile(t, name))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		records[i] = slices.Delete(r, 1, 2)
	}
	return records[1:]
}

// writing returns a function that says whether somebody else has a transaction open on the database that has written.
func (b *bench) writing(t *testing.T) func() bool {
	t.Helper()
	switch b.Name {
	case testdb.NamePostgres:
		return func() bool {
			return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL") > 0
		}
	case testdb.NameMariaDB:
		seesAll := &bench{Database: b.Database, raw: b.Server.Admin(t, strings.TrimPrefix(b.conn.Address()[strings.LastIndex(b.conn.Address(), "/"):], "/"))}
		return func() bool {
			return seesAll.count(t, "SELECT count(*) FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id "+
				"WHERE p.db = DATABASE() AND x.trx_rows_modified > 0") > 0
		}
	}
	conn, err := b.raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	exec := func(statement string) error {
		_, err := conn.ExecContext(t.Context(), statement)
		return err
	}
	if err := exec("PRAGMA busy_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		err := exec("BEGIN IMMEDIATE")
		if err == nil {
			err = exec("ROLLBACK")
		} else if strings.Contains(err.Error(), "SQLITE_BUSY") {
			return true
		}
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
}

// killAmid kills the process, wherever it is now, and says whether it was writing: it stands still while it is looked at.
func (p *program) killAmid(t *testing.T, writing func() bool) bool {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	hit := writing()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	return hit
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
