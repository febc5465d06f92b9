package workload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drover-dev/drover/internal/testdb"
)

// loadScale is pgbench's: 100,000 accounts each.
const loadScale = 10

// loads looks at how long the transactions of others take while all rows of a table are changed: pgbench begins so many in a second, and its
// latencies are counted from when each should have begun, so that those which had to queue are not made to look better.
func loads(ctx context.Context, s *site) error {
	if s.Name != testdb.NamePostgres {
		return nil
	}
	program, err := buildDrover(ctx, s.harness, s.options)
	if err != nil {
		return err
	}
	if err := combined(s.pgbench(ctx, "-i", "-q", "-s", strconv.Itoa(loadScale))); err != nil {
		return err
	}
	const set = "filler = 'changed'"
	backfill := func(more ...string) func(ctx context.Context) error {
		args := append([]string{"backfill", "--table", "pgbench_accounts", "--set", set, "--no-input", "--again"}, more...)
		return func(ctx context.Context) error { return s.drover(ctx, program, args...) }
	}
	sheet := Sheet{
		Title:  fmt.Sprintf("What others feel: pgbench at %d transactions a second while %d rows are changed, PostgreSQL", s.options.LoadRate, loadScale*100_000),
		Header: []string{"beside it", "took", "rows/s", "transactions", "p50", "p99", "longest"},
		Notes: []string{
			"pgbench, 4 clients, its own transaction (three UPDATEs, a SELECT, an INSERT); latency from when a transaction should have begun",
		},
	}
	for _, beside := range []struct {
		name   string
		change func(ctx context.Context) error
	}{
		{"nothing", func(ctx context.Context) error { return wait(ctx, s.options.LoadTime) }},
		{"backfill, batches of 1,000", backfill()},
		{"backfill, batches of 1,000, --rows-per-second 20000", backfill("--rows-per-second", "20000")},
		{"backfill, batches of 100, --rows-per-second 20000", backfill("--batch-size", "100", "--rows-per-second", "20000")},
		{"one UPDATE", func(ctx context.Context) error { return s.exec(ctx, "UPDATE pgbench_accounts SET "+set) }},
	} {
		if err := s.exec(ctx, "VACUUM ANALYZE pgbench_accounts", "VACUUM ANALYZE pgbench_tellers", "VACUUM ANALYZE pgbench_branches"); err != nil {
			return err
		}
		if _, err := s.harness.Admin(s.Database).ExecContext(ctx, "CHECKPOINT"); err != nil {
			return err
		}
		took, latencies, err := s.loaded(ctx, beside.change)
		if err != nil {
			return fmt.Errorf("%s: %w", beside.name, err)
		}
		speed := "–"
		if beside.name != "nothing" {
			speed = fmt.Sprintf("%.0f", loadScale*100_000/took.Seconds())
		}
		at := func(part float64) string {
			return fmt.Sprintf("%.1f ms", latencies[int(part*float64(len(latencies)-1))].Seconds()*1000)
		}
		sheet.Rows = append(sheet.Rows, []string{
			beside.name, fmt.Sprintf("%.1f s", took.Seconds()), speed, strconv.Itoa(len(latencies)), at(0.5), at(0.99), at(1),
		})
	}
	s.options.Sheet(sheet)
	return nil
}

// pgbench is a call of it on the database, whose password is no argument.
func (s *site) pgbench(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "pgbench", args...)
	u, err := url.Parse(s.URL)
	if err != nil {
		cmd.Err = err
		return cmd
	}
	password, _ := u.User.Password()
	cmd.Env = append(os.Environ(), "PGHOST="+u.Hostname(), "PGPORT="+u.Port(), "PGUSER="+u.User.Username(), "PGPASSWORD="+password,
		"PGDATABASE="+strings.TrimPrefix(u.Path, "/"))
	return cmd
}

// combined runs a program, whose output is of interest only when it fails.
func combined(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// warmUp is how long pgbench runs before the change begins.
const warmUp = 3 * time.Second

// loaded makes a change while pgbench runs, and returns how long it took and the sorted latencies of the transactions that should have begun
// meanwhile.
func (s *site) loaded(ctx context.Context, change func(ctx context.Context) error) (time.Duration, []time.Duration, error) {
	dir, err := os.MkdirTemp(s.harness.Dir(), "pgbench-")
	if err != nil {
		return 0, nil, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	const long = 3600 // it is stopped
	bench := s.pgbench(running, "-n", "-c", "4", "-j", "1", "-R", strconv.Itoa(s.options.LoadRate), "-T", strconv.Itoa(long), "-l", "--log-prefix", filepath.Join(dir, "log"))
	bench.Cancel = func() error { return bench.Process.Signal(os.Interrupt) }
	var output bytes.Buffer
	bench.Stdout, bench.Stderr = &output, &output
	if err := bench.Start(); err != nil {
		return 0, nil, err
	}
	began := time.Now()
	err = wait(ctx, warmUp)
	if err == nil {
		began = time.Now()
		err = change(ctx)
	}
	ended := time.Now()
	if err == nil {
		err = wait(ctx, warmUp) // those that still wait
	}
	stop()
	if exited := bench.Wait(); err == nil && strings.Contains(output.String(), "ERROR") {
		err = fmt.Errorf("pgbench: %w\n%s", exited, output.Bytes())
	}
	if err != nil {
		return 0, nil, err
	}
	latencies, err := readLatencies(dir, began, ended)
	return ended.Sub(began), latencies, err
}

// readLatencies reads pgbench's log: of each transaction the client, a number, the latency in microseconds, the script's number, and when it
// ended, in seconds and microseconds. The latency is counted from the time that it was scheduled for.
func readLatencies(dir string, began, ended time.Time) ([]time.Duration, error) {
	files, err := filepath.Glob(filepath.Join(dir, "log*"))
	if err != nil {
		return nil, err
	}
	var latencies []time.Duration
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			var client, number, latency, script, seconds, micros int64
			if _, err := fmt.Sscan(lines.Text(), &client, &number, &latency, &script, &seconds, &micros); err != nil {
				continue // the last line may be half of one
			}
			took := time.Duration(latency) * time.Microsecond
			if scheduled := time.Unix(seconds, micros*1000).Add(-took); scheduled.After(began) && scheduled.Before(ended) {
				latencies = append(latencies, took)
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, err
		}
	}
	if len(latencies) == 0 {
		return nil, errors.New("pgbench has done nothing meanwhile")
	}
	slices.Sort(latencies)
	return latencies, nil
}
