//go:build unix

package command_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// gates stop a program at rows of a table on PostgreSQL, before each is written or deleted, until the test opens them: so a test knows where the
// program is while it sets the clock and looks at the screen.
type gates struct{ holder *sql.Conn }

// gated makes the table's rows wait for gates, and shuts those of the rows ids.
func (b *bench) gated(t *testing.T, table string, ids ...int) gates {
	t.Helper()
	b.exec(t, `CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
		IF TG_OP = ''DELETE'' THEN PERFORM pg_advisory_xact_lock_shared(OLD.id); RETURN OLD; END IF;
		PERFORM pg_advisory_xact_lock_shared(NEW.id); RETURN NEW; END'`,
		`CREATE TRIGGER gate BEFORE INSERT OR DELETE ON `+table+` FOR EACH ROW EXECUTE FUNCTION gate()`)
	holder, err := b.raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Close() })
	g := gates{holder}
	for _, id := range ids {
		g.exec(t, "SELECT pg_advisory_lock($1)", id)
	}
	return g
}

func (g gates) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := g.holder.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// reached waits until the program stands before the gate of row id.
func (g gates) reached(t *testing.T, id int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a program that has ended never comes
	defer cancel()
	for waiting := 0; waiting == 0; {
		err := g.holder.QueryRowContext(ctx, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, id).Scan(&waiting)
		if err != nil {
			t.Fatalf("the gate of row %d: %v", id, err)
		}
	}
}

func (g gates) open(t *testing.T, id int) {
	t.Helper()
	g.exec(t, "SELECT pg_advisory_unlock($1)", id)
}

// clock is the clock of one program, which goes on when the test says so.
type clock struct {
	file string
	now  time.Time
}

// clocked gives cmd, of [bench.still], a clock.
func clocked(t *testing.T, cmd *exec.Cmd) *clock {
	t.Helper()
	c := &clock{filepath.Join(t.TempDir(), "clock"), stillNow()}
	writeFile(t, c.file, "")
	c.on(t, 0)
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s", clockEnv, c.file))
	return c
}

// on sets the clock forward.
func (c *clock) on(t *testing.T, by time.Duration) {
	t.Helper()
	c.now = c.now.Add(by)
	if err := os.Chtimes(c.file, c.now, c.now); err != nil {
		t.Fatal(err)
	}
}
