package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// start begins to copy items in a process of its own.
func (p *twoPlaces) start(t *testing.T, args ...string) *program {
	t.Helper()
	environ := []string{"DATABASE_URL_A=" + p.a.URL, "DATABASE_URL_B=" + p.b.URL}
	return startProgram(t, environ, append(append([]string{"copy"}, copyItems()...), args...)...)
}

// waitFor asks a question about numbers of rows until the answer is yes. It fails the test when the process ends before.
func (p *program) waitFor(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for !yes() {
		if t.Context().Err() != nil {
			t.Fatalf("waiting until %s: %v", what, t.Context().Err())
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) { // it is gone, or is waited for
			t.Fatalf("waiting until %s: the process has ended: %s", what, p.stderr.String())
		}
	}
}

// busy adds rows behind those that are copied, and changes those, while fn runs.
func (p *twoPlaces) busy(t *testing.T, from int, fn func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for i := from; ; i++ {
			_, err := p.a.raw.ExecContext(ctx, fmt.Sprintf("INSERT INTO items VALUES (%d, 0, 'later', 1)", i))
			if err == nil {
				_, err = p.a.raw.ExecContext(ctx, fmt.Sprintf("UPDATE items SET name = 'changed' WHERE id = %d", i))
			}
			if ctx.Err() != nil {
				done <- nil
				return
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	fn()
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the other writer: %v", err)
	}
}

// TestCopyProcess_KilledAndRunAgain kills a process that moves rows at random places of each of its phases, while another program writes. Each row is
// in the other database once at the end, and gone from the first.
func TestCopyProcess_KilledAndRunAgain(t *testing.T) {
	const rows = 900
	ring(t, func(t *testing.T, p *twoPlaces) {
		p.items(t, rows)
		p.b.exec(t, "CREATE TABLE arrivals (id integer NOT NULL)")
		p.b.counts(t)
		want := rowsOf(t, p.a.raw, "1 = 1")
		slowly := []string{"--batch-size", "5", "--move", "--rows-per-second", "300"} // so that it is not over when it should be killed
		copied := func() int { return p.b.count(t, "SELECT count(*) FROM items") }
		left := func() int { return p.a.count(t, fmt.Sprintf("SELECT count(*) FROM items WHERE id <= %d", rows)) }
		some := func(of int) int { return 1 + rand.IntN(max(of/4, 1)) }
		first := p.start(t, slowly...)
		first.waitFor(t, "the run has begun", func() bool { return copied() > 0 })
		p.busy(t, rows+1, func() { // behind the last row of the beginning
			p.kill(t, first)
			for range 2 { // while it copies
				n := copied()
				at := min(n+some(rows-n), rows)
				pr := p.start(t, slowly...)
				pr.waitFor(t, fmt.Sprintf("%d rows have arrived", at), func() bool { return copied() >= at })
				p.kill(t, pr)
			}
			for range 2 { // while it deletes
				n := left()
				at := max(n-some(n), 0)
				pr := p.start(t, slowly...)
				pr.waitFor(t, fmt.Sprintf("%d rows are left", at), func() bool { return left() <= at })
				p.kill(t, pr)
			}
			if last, code := p.start(t, "--batch-size", "50", "--move").wait(t); code != drover.ExitOK || !strings.HasPrefix(last, fmt.Sprintf("Moved %s rows in", drover.Count(rows))) {
				t.Errorf("run again: exit code %d, %q", code, last)
			}
		})
		p.a.wantCount(t, fmt.Sprintf("SELECT count(*) FROM items WHERE id <= %d", rows), 0)
		if diff := cmp.Diff(want, rowsOf(t, p.b.raw, "1 = 1")); diff != "" {
			t.Errorf("b (-want +got):\n%s", diff)
		}
		p.b.wantCount(t, "SELECT count(*) FROM arrivals", rows)
		p.b.wantCount(t, "SELECT count(DISTINCT id) FROM arrivals", rows)
		p.b.wantCount(t, "SELECT count(*) FROM drover_runs", 1)
	})
}

// kill ends the process at once, and lets the lease of its run expire.
func (p *twoPlaces) kill(t *testing.T, pr *program) {
	t.Helper()
	if err := pr.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, code := pr.wait(t); code != -1 {
		t.Errorf("exit code %d of a process that should have been killed in the middle\n%s", code, pr.stderr.String())
	}
	p.b.expire(t)
}

// counts notes each row that arrives in the table arrivals.
func (b *bench) counts(t *testing.T) {
	t.Helper()
	switch b.Name {
	case testdb.NamePostgres:
		b.exec(t, `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO arrivals VALUES (NEW.id); RETURN NULL; END'`,
			`CREATE TRIGGER note AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION note()`)
	case testdb.NameMariaDB:
		b.exec(t, `CREATE TRIGGER note AFTER INSERT ON items FOR EACH ROW INSERT INTO arrivals VALUES (NEW.id)`)
	case testdb.NameSQLite:
		b.exec(t, `CREATE TRIGGER note AFTER INSERT ON items BEGIN INSERT INTO arrivals VALUES (NEW.id); END`)
	}
}

// TestCopyProcess_StopsAndTellsHowToGoOn stops a copying process with a signal, and types what it advises.
func TestCopyProcess_StopsAndTellsHowToGoOn(t *testing.T) {
	const rows = 3000
	p := newTwoPlaces(t, testdb.NameSQLite, testdb.NamePostgres)
	p.items(t, rows)
	pr := p.start(t, "--batch-size", "5")
	pr.waitFor(t, "rows have arrived", func() bool { return p.b.count(t, "SELECT count(*) FROM items") > 0 })
	if err := pr.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_, code := pr.wait(t)
	if code != drover.ExitInterrupted {
		t.Errorf("exit code %d", code)
	}
	_, advice, found := strings.Cut(pr.stderr.String(), "Resume: ")
	words := strings.Fields(advice)
	if !found || len(words) < 2 {
		t.Fatalf("no advice in:\n%s", pr.stderr.String())
	}
	if n := p.b.count(t, "SELECT count(*) FROM items"); n == 0 || n == rows || n%5 != 0 {
		t.Errorf("%d rows have arrived", n)
	}
	line := strings.Fields(strings.SplitN(strings.TrimSpace(advice), "\n", 2)[0])
	again := startProgram(t, []string{"DATABASE_URL_A=" + p.a.URL, "DATABASE_URL_B=" + p.b.URL}, line[1:]...)
	if last, code := again.wait(t); code != drover.ExitOK || last != "Copied 3,000 rows in 600 batches from a to b." {
		t.Errorf("exit code %d, %q\n%s", code, last, again.stderr.String())
	}
}
