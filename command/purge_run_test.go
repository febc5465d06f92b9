package command_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// moment calls do once, at the nth statement that begins with verb: before it is sent, or after it has succeeded. Only those behind the
// first one that begins with since are counted.
type moment struct {
	verb  string
	nth   int64
	since string
	after bool
	do    func() error

	begun atomic.Bool
	seen  atomic.Int64
}

func (m *moment) intercept(ctx context.Context, s db.Statement, next func(context.Context) error) error {
	if strings.HasPrefix(s.SQL, m.since) {
		m.begun.Store(true)
	}
	if !m.begun.Load() || !strings.HasPrefix(s.SQL, m.verb) || m.seen.Add(1) != m.nth {
		return next(ctx)
	}
	if !m.after {
		if err := m.do(); err != nil {
			return err
		}
		return next(ctx)
	}
	if err := next(ctx); err != nil {
		return err
	}
	return m.do()
}

// eachWith runs fn on every database of names with an interceptor at m; fn sets m.do.
func eachWith(t *testing.T, names []string, at func() *moment, fn func(t *testing.T, b *bench, m *moment)) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			m := at()
			fn(t, newBench(t, testdb.Fresh(t, name), db.Intercept(m.intercept)), m)
		})
	}
}

// servers are the databases that let others write while a transaction is open.
var servers = []string{testdb.NamePostgres, testdb.NameMariaDB}

// afterFirstBatch is right after the first batch is committed. The plan and the store have committed before.
func afterFirstBatch() *moment { return &moment{verb: "COMMIT", since: "DELETE", nth: 1, after: true} }

func beforeFirstDelete() *moment { return &moment{verb: "DELETE", nth: 1} }

func (b *bench) run(t *testing.T, statements ...string) func() error {
	return func() error {
		for _, s := range statements {
			if _, err := b.raw.ExecContext(t.Context(), s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	}
}

func TestPurge_KeepsRowsThatNoLongerMatch(t *testing.T) {
	eachWith(t, testdb.Names(), afterFirstBatch, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		m.do = b.run(t, "UPDATE events SET status = 'open' WHERE id IN (150, 300)")
		b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
		b.wantCount(t, "SELECT count(*) FROM events WHERE id IN (150, 300)", 2)
		b.wantCount(t, "SELECT count(*) FROM events", 202)
	})
}

func TestPurge_KeepsRowsThatChangeInTheMiddleOfABatch(t *testing.T) {
	eachWith(t, servers, beforeFirstDelete, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		m.do = b.run(t, "UPDATE events SET status = 'open' WHERE id IN (3, 6)")
		b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
		b.wantCount(t, "SELECT count(*) FROM events WHERE id IN (3, 6)", 2)
		b.wantCount(t, "SELECT count(*) FROM events", 202)
	})
}

func TestPurge_LeavesRowsBeyondTheLastKey(t *testing.T) {
	eachWith(t, testdb.Names(), afterFirstBatch, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		m.do = b.run(t, "INSERT INTO events VALUES (1000, 'done'), (1001, 'done')")
		res := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
		b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done'", 2)
		if !strings.Contains(res.Stderr, "at end 2\n") || !strings.Contains(res.Stderr, "run the same command again") {
			t.Errorf("the summary does not tell of the two new rows:\n%s", res.Stderr)
		}
	})
}

func TestPurge_LimitHoldsWhenRowsAreAdded(t *testing.T) {
	eachWith(t, servers, beforeFirstDelete, func(t *testing.T, b *bench, m *moment) {
		b.exec(t, `CREATE TABLE events (id integer NOT NULL PRIMARY KEY, status varchar(10) NOT NULL)`)
		b.fill(t, "events", 50, func(i int) string { return fmt.Sprintf("(%d, 'done')", i*10) })
		m.do = b.run(t, "INSERT INTO events VALUES (11, 'done'), (12, 'done')")
		b.mustCall(t, "--table", "events", "--all", "--limit", "20", "--no-input", "--batch-size", "20")
		b.wantCount(t, "SELECT count(*) FROM events", 32)
	})
}

// fault is the error of a deadlock as the driver gives it.
var fault = map[string]error{
	testdb.NamePostgres: &pgconn.PgError{Severity: "ERROR", Code: "40P01", Message: "deadlock detected"},
	testdb.NameMariaDB:  &mysql.MySQLError{Number: 1213, SQLState: [5]byte{'4', '0', '0', '0', '1'}, Message: "Deadlock found"},
}

func TestPurge_RetriesABatch(t *testing.T) {
	eachWith(t, servers, func() *moment { return &moment{verb: "DELETE", nth: 3} }, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		m.do = func() error { return fault[b.Name] }
		res := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
		b.wantCount(t, "SELECT count(*) FROM events", 200)
		for _, want := range []string{"batch 3 (id after 60 through 90): deadlock, try 2 of 9", "1 retried (deadlock 1)", "Deleted    100 rows"} {
			if !strings.Contains(res.Stderr, want) {
				t.Errorf("stderr lacks %q:\n%s", want, res.Stderr)
			}
		}
	})
}

func TestPurge_FailingBatch(t *testing.T) {
	guards := map[string][]string{
		testdb.NamePostgres: {
			`CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 75 THEN RAISE EXCEPTION ''row 75 stays''; END IF; RETURN OLD; END'`,
			`CREATE TRIGGER guard BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION guard()`,
		},
		testdb.NameMariaDB: {
			`CREATE TRIGGER guard BEFORE DELETE ON events FOR EACH ROW IF OLD.id = 75 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'row 75 stays'; END IF`,
		},
		testdb.NameSQLite: {
			`CREATE TRIGGER guard BEFORE DELETE ON events WHEN OLD.id = 75 BEGIN SELECT RAISE(ABORT, 'row 75 stays'); END`,
		},
	}
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 300)
		b.exec(t, guards[b.Name]...)
		_, err := b.call(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
		if drover.ExitCode(err) != drover.ExitFailed {
			t.Fatalf("got %v", err)
		}
		// The batch is cut until the row is alone; what could be deleted before it is.
		for _, want := range []string{"a row failed at id 75: ", "row 75 stays", "24 of 100 rows deleted (24.0 %) in 4 batches"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error lacks %q: %v", want, err)
			}
		}
		var command *drover.CommandError
		if !errors.As(err, &command) || len(command.Advice) == 0 {
			t.Fatalf("no advice: %v", err)
		}
		want := `drover purge --table events --where "status = 'done'" --no-input --batch-size 10 --max-errors 1000 --resume `
		if got := command.Advice[len(command.Advice)-1]; !strings.HasPrefix(got, want) {
			t.Errorf("the command that goes on is\n%s, want\n%s", got, want)
		}
		b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done' AND id < 75", 0)
		b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done'", 76)
		// With --max-errors the run goes on behind the row.
		res, err := b.call(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10", "--max-errors", "1")
		if drover.ExitCode(err) != drover.ExitPartial || !strings.Contains(res.Stderr, "Set aside  1 row") {
			t.Errorf("with --max-errors: %v\n%s", err, res.Stderr)
		}
		// The row is tried again alone, and set aside again.
		_, id, _ := strings.Cut(res.Stderr, "Resuming run ")
		id, _, _ = strings.Cut(id, ",")
		res, err = b.call(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--max-errors", "1", "--retry", id)
		if drover.ExitCode(err) != drover.ExitPartial || !strings.Contains(res.Stderr, "the 1 row that run "+id+" has set aside") {
			t.Errorf("--retry: %v\n%s", err, res.Stderr)
		}
		b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done'", 1)
	})
}

// A trigger that keeps the rows without an error must not make the purge go on for ever, or say that it has deleted them.
func TestPurge_RowsThatStay(t *testing.T) {
	keepers := map[string][]string{
		testdb.NamePostgres: {
			`CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
			`CREATE TRIGGER keep BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION keep()`,
		},
		testdb.NameSQLite: {`CREATE TRIGGER keep BEFORE DELETE ON events BEGIN SELECT RAISE(IGNORE); END`},
	}
	for name, statements := range keepers {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testdb.Fresh(t, name))
			b.events(t, 300)
			b.exec(t, statements...)
			_, err := b.call(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
			if drover.ExitCode(err) != drover.ExitFailed || !strings.Contains(err.Error(), "changes none of them") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPurge_StopsBetweenBatchesAndGoesOn(t *testing.T) {
	eachWith(t, testdb.Names(), afterFirstBatch, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		stopping := make(chan struct{})
		m.do = func() error { close(stopping); return nil }
		args := []string{"--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10", "--limit", "50"}
		_, err := b.callWith(t.Context(), drover.CallOptions{Stopping: stopping}, args...)
		var stopped *drover.StopError
		if !errors.As(err, &stopped) {
			t.Fatalf("got %v", err)
		}
		if want := "10 of 50 rows deleted (20.0 %) in 1 batch"; stopped.Summary != want {
			t.Errorf("summary %q, want %q", stopped.Summary, want)
		}
		if want := `drover purge --table events --where "status = 'done'" --no-input --batch-size 10 --limit 50 --resume `; !strings.HasPrefix(stopped.Resume, want) {
			t.Errorf("resume %q, want %q", stopped.Resume, want)
		}
		b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done'", 90)
		// Rows that match by now before the place that was reached are not the run's.
		b.exec(t, "UPDATE events SET status = 'done' WHERE id = 1")
		res := b.mustCall(t, args...)
		if want := "Deleted 50 rows in 5 batches from default.\n"; res.Stdout != want {
			t.Errorf("resumed: %q, want %q", res.Stdout, want)
		}
		for _, want := range []string{"is resumed: 10 of 50 rows done, 40 left", "permanently delete 40 rows", "attempt 2, after 30 (20.0 % done)"} {
			if !strings.Contains(res.Stderr, want) {
				t.Errorf("the resumed run does not say %q:\n%s", want, res.Stderr)
			}
		}
		b.wantCount(t, "SELECT count(*) FROM events WHERE id = 1", 1)
		b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done' AND id <= 150", 1)
		b.wantCount(t, "SELECT count(*) FROM events", 250)
	})
}

// A hard stop in the middle of a batch keeps nothing of it.
func TestPurge_HardStopRollsTheBatchBack(t *testing.T) {
	eachWith(t, testdb.Names(), func() *moment { return &moment{verb: "DELETE", nth: 3, after: true} }, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		ctx, cancel := context.WithCancelCause(t.Context())
		m.do = func() error { cancel(errors.New("stopped by the test")); return nil }
		_, err := b.callWith(ctx, drover.CallOptions{}, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
		var stopped *drover.StopError
		if !errors.As(err, &stopped) || !strings.Contains(stopped.Summary, "20 of 100 rows deleted") {
			t.Errorf("got %v", err)
		}
		b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done'", 80)
	})
}

// When the answer to COMMIT is lost, the database is asked whether the batch is committed, and the run goes on.
func TestPurge_OutcomeUnknown(t *testing.T) {
	eachWith(t, servers, func() *moment { return &moment{verb: "COMMIT", since: "DELETE", nth: 2, after: true} }, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		m.do = func() error { return errLostAnswer }
		res := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
		if want := "Deleted 100 rows in 10 batches from default.\n"; res.Stdout != want {
			t.Errorf("stdout is %q, want %q", res.Stdout, want)
		}
		b.wantCount(t, "SELECT count(*) FROM events", 200)
	})
}

var errLostAnswer = fmt.Errorf("read answer: %w", &lostError{})

// lostError is a connection that ends while an answer is awaited.
type lostError struct{}

func (*lostError) Error() string   { return "connection reset by peer" }
func (*lostError) Timeout() bool   { return false }
func (*lostError) Temporary() bool { return false }

// TestPurge_ServerDies: the server is killed before the third batch deletes, and started again. The run waits for it and goes on.
func TestPurge_ServerDies(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres, testdb.NameMariaDB: testdb.NewMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, testdb.Durable())
			m := &moment{verb: "DELETE", nth: 3, do: func() error {
				if err := server.Kill(); err != nil {
					return err
				}
				return server.Start()
			}}
			b := newBench(t, server.Database(t), db.Intercept(m.intercept))
			b.events(t, 300)
			res := b.mustCall(t, "--table", "events", "--where", "status = 'done'", "--no-input", "--batch-size", "10")
			if want := "Deleted 100 rows in 10 batches from default.\n"; res.Stdout != want || !strings.Contains(res.Stderr, "connection lost") {
				t.Errorf("stdout %q, want %q\n%s", res.Stdout, want, res.Stderr)
			}
			b.raw = b.RawDB(t) // the old one's connections died with the server
			b.wantCount(t, "SELECT count(*) FROM events", 200)
			b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'done'", 0)
		})
	}
}
