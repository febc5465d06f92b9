package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// item is a row of the tests with runs.
type item struct {
	ID     int64  `db:"id,pk"`
	Status string `db:"status"`
}

func (item) TableName() string { return "item" }

// items makes the table item with the rows 1..n.
func (b *bench) items(t *testing.T, n int) {
	t.Helper()
	b.exec(t, `CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, status varchar(20) NOT NULL)`)
	b.fill(t, "item", n, func(i int) string { return fmt.Sprintf("(%d, 'new')", i) })
}

// errBroken is what the job "mark" fails with at the row of --fail-at.
var errBroken = errors.New("broken on purpose")

// marking is the job "mark", which gives every row a status. Each value has options of its own.
func marking() *batch.Job[item] {
	to := "done"
	var failAt, badFrom int64
	job := &batch.Job[item]{
		Name: "mark", Short: "Give every row a status",
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&to, "to", "done", "the new `status`")
			f.Int64Var(&failAt, "fail-at", 0, "stop the run at this `id`, while nobody has repaired it")
			f.Int64Var(&badFrom, "bad-from", 0, "rows from this `id` on are bad")
		},
		Source: func(_ context.Context, conn *db.DB) (batch.Source[item], error) {
			return batch.Rows(table.Of[item](conn)), nil
		},
	}
	job.Process = func(ctx context.Context, b *batch.Batch[item]) error {
		var good []item
		for i, row := range b.Rows {
			switch {
			case row.ID == failAt && row.Status != "repaired":
				return batch.Fatal(errBroken)
			case badFrom > 0 && row.ID >= badFrom && row.Status != "repaired":
				b.Quarantine(i, fmt.Errorf("item %d: %w", row.ID, errBroken))
			default:
				row.Status = to
				good = append(good, row)
			}
		}
		_, err := table.Of[item](b.DB()).BulkUpdate(ctx, good, "status")
		return err
	}
	return job
}

// runsApp is the program with the job as a command.
func runsApp() *drover.App {
	app := newApp()
	app.AddFunc(func() *drover.Command { return marking().Command() })
	return app
}

// runs calls a command of the program; the first argument may have several words.
func (b *bench) runs(t *testing.T, name string, args ...string) (*drover.Result, error) {
	t.Helper()
	return runsApp().CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{b.conn}}, name, args...)
}

func (b *bench) mustRun(t *testing.T, name string, args ...string) *drover.Result {
	t.Helper()
	res, err := b.runs(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, res.Stderr)
	}
	return res
}

// wantError calls a command that must fail with an exit code, and with a text in its error or its hints.
func (b *bench) wantError(t *testing.T, code int, text, name string, args ...string) *drover.Result {
	t.Helper()
	res, err := b.runs(t, name, args...)
	if got := drover.ExitCode(err); got != code {
		t.Errorf("%s %s: exit code %d, want %d: %v", name, strings.Join(args, " "), got, code, err)
	}
	if all := fmt.Sprint(err) + strings.Join(advice(err), "\n"); !strings.Contains(all, text) {
		t.Errorf("%s %s: %q does not contain %q", name, strings.Join(args, " "), all, text)
	}
	return res
}

// advice are the hints of an error.
func advice(err error) []string {
	var hints interface{ Hints() []string }
	var hint interface{ Hint() string }
	switch {
	case errors.As(err, &hints):
		return hints.Hints()
	case errors.As(err, &hint):
		return []string{hint.Hint()}
	}
	return nil
}

// shell runs a command line as a process would, and returns the exit code and both streams.
func (b *bench) shell(t *testing.T, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = runsApp().Run(t.Context(), drover.Env{
		Args: args, Environ: []string{"DATABASE_URL=" + b.URL}, Stdin: stdin, StdinTTY: stdin != nil, Stdout: &out, Stderr: &errs,
	})
	return code, out.String(), errs.String()
}

// lastRun is the id of the newest run.
func (b *bench) lastRun(t *testing.T) string {
	t.Helper()
	var id string
	if err := b.raw.QueryRowContext(t.Context(), "SELECT id FROM drover_runs ORDER BY created_at DESC, id DESC LIMIT 1").Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bench) wantState(t *testing.T, id, want string) {
	t.Helper()
	var got string
	if err := b.raw.QueryRowContext(t.Context(), "SELECT state FROM drover_runs WHERE id = '"+id+"'").Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("run %s is %s, want %s", id, got, want)
	}
}

// interrupt makes the newest run one whose runner has died: it holds a lease that is over.
func (b *bench) interrupt(t *testing.T, id string) {
	t.Helper()
	past := map[string]string{
		"postgres": "now() - interval '1 hour'", "mariadb": "UTC_TIMESTAMP(6) - INTERVAL 1 HOUR",
		"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 hour') || '+00:00'",
	}[b.Name]
	b.exec(t, "UPDATE drover_runs SET state = 'running', finished_at = NULL, owner = 'somebody@elsewhere pid 1', lease_until = "+past+" WHERE id = '"+id+"'")
}

var unstableRuns = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`), "RUN-ID"},
	{regexp.MustCompile(`\b0[0-9A-HJKMNP-TV-Z]{11}\b`), "RUN"},
	{regexp.MustCompile(`\b\S+@\S+( pid \d+)?`), "SOMEBODY"},
	{regexp.MustCompile(`(today|yesterday) \d\d:\d\d(:\d\d)?`), "TIME"},
	{regexp.MustCompile(`\b\d+(\.\d+)?m?s\b`), "TOOK"},
	{regexp.MustCompile(`[\d,]+ rows/s`), "N rows/s"},
	{regexp.MustCompile(`with github\S+ \S+`), "with BUILD"},
	{regexp.MustCompile(`(default +\w+ +.*?) +[\d,]+  TIME`), "$1 RATE TIME"},
	{regexp.MustCompile(` {2,}`), "  "}, // the width of columns depends on what stands in them
}

// stableRuns takes out of a text what differs from run to run.
func (b *bench) stableRuns(text string) string {
	text = strings.ReplaceAll(text, b.conn.Address(), "ADDRESS")
	for _, u := range unstableRuns {
		text = u.pattern.ReplaceAllString(text, u.mask)
	}
	return text
}
