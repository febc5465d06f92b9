package command_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/command"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// programEnv makes the test binary be the drover program, for tests that need a process.
const programEnv = "DROVER_TEST_PROGRAM"

// stillProgram is the value of programEnv for a program whose clock stands still: then all its durations are 0.0s, and as wide. Where clockEnv names a
// file, it is the file's time of change, which a test sets.
const (
	stillProgram = "still"
	clockEnv     = "DROVER_TEST_CLOCK"
)

func stillNow() time.Time {
	if info, err := os.Stat(os.Getenv(clockEnv)); err == nil {
		return info.ModTime().UTC()
	}
	return time.Date(2026, 11, 21, 12, 4, 11, 0, time.UTC)
}

func TestMain(m *testing.M) {
	switch os.Getenv(programEnv) {
	case "":
	case stillProgram:
		env := drover.ProcessEnv()
		env.Now = stillNow
		os.Exit(newApp().Run(context.Background(), env))
	default:
		newApp().Main()
	}
	testdb.Main(m)
}

func newApp() *drover.App {
	app := drover.New("drover")
	app.DefaultURL = ""
	app.AddBuiltin(command.All()...)
	return app
}

// bench is one database with the plain driver beside drover.
type bench struct {
	testdb.Database
	raw  *sql.DB
	conn *db.DB
}

func newBench(t *testing.T, d testdb.Database, opts ...db.OpenOption) *bench {
	t.Helper()
	conn, err := db.Open(t.Context(), d.URL, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &bench{Database: d, raw: d.RawDB(t), conn: conn}
}

// each runs fn on every database.
func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) { fn(t, newBench(t, d)) })
}

func (b *bench) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := b.raw.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// events makes the table events with the rows 1..n; every third one is done.
func (b *bench) events(t *testing.T, n int) {
	t.Helper()
	b.exec(t, `CREATE TABLE events (id integer NOT NULL PRIMARY KEY, status varchar(10) NOT NULL)`)
	b.fill(t, "events", n, func(i int) string {
		if i%3 == 0 {
			return fmt.Sprintf("(%d, 'done')", i)
		}
		return fmt.Sprintf("(%d, 'open')", i)
	})
}

// fill inserts the rows 1..n, each as row writes it.
func (b *bench) fill(t *testing.T, table string, n int, row func(i int) string) {
	t.Helper()
	const each = 500
	for from := 1; from <= n; from += each {
		var values []string
		for i := from; i < from+each && i <= n; i++ {
			values = append(values, row(i))
		}
		b.exec(t, "INSERT INTO "+table+" VALUES "+strings.Join(values, ", "))
	}
}

func (b *bench) count(t *testing.T, query string) int {
	t.Helper()
	var n int
	if err := b.raw.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (b *bench) wantCount(t *testing.T, query string, want int) {
	t.Helper()
	if got := b.count(t, query); got != want {
		t.Errorf("%s: %d, want %d", query, got, want)
	}
}

// call runs drover purge.
func (b *bench) call(t *testing.T, args ...string) (*drover.Result, error) {
	t.Helper()
	return b.callWith(t.Context(), drover.CallOptions{}, args...)
}

func (b *bench) callWith(ctx context.Context, o drover.CallOptions, args ...string) (*drover.Result, error) {
	return b.command(ctx, o, "purge", args...)
}

func (b *bench) command(ctx context.Context, o drover.CallOptions, name string, args ...string) (*drover.Result, error) {
	o.Databases = []*db.DB{b.conn}
	return newApp().CallWith(ctx, o, name, args...)
}

// mustCall fails the test when the command fails.
func (b *bench) mustCall(t *testing.T, args ...string) *drover.Result {
	t.Helper()
	res, err := b.call(t, args...)
	if err != nil {
		t.Fatalf("purge %s: %v\n%s", strings.Join(args, " "), err, res.Stderr)
	}
	return res
}

// unchanged runs fn and fails the test when the database is not what it was.
func (b *bench) unchanged(t *testing.T, fn func()) {
	t.Helper()
	before := b.Dump(t)
	fn()
	if diff := cmp.Diff(before, b.Dump(t)); diff != "" {
		t.Errorf("the database has changed (-before +after):\n%s", diff)
	}
}

// goldens is where the golden files are, also for a test that works in another folder.
var goldens, _ = filepath.Abs("testdata")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join(goldens, name+".golden")
	if *update {
		if err := os.MkdirAll(goldens, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
