package batch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// errStop stands for a failure of the user's own that has nothing to do with rows.
var errStop = errors.New("the disk of the user's code is full")

// writeFile writes a file of the test's own and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sqlite opens a database for what is the same on all.
func sqlite(t *testing.T) *fixture {
	t.Helper()
	return newFixture(t, testdb.Fresh(t, testdb.NameSQLite), 0)
}

// from is a job's source that is made already.
func from[T any](s batch.Source[T]) func(context.Context, *db.DB) (batch.Source[T], error) {
	return func(context.Context, *db.DB) (batch.Source[T], error) { return s, nil }
}

// gather is a job that keeps what it gets, and fails for good once it has the rows that stop says; 0: never.
type gather[T any] struct {
	rows []T
	stop int
	bad  func(T) error
}

// run runs the job over a source that make makes anew, as every process does.
func (g *gather[T]) run(t *testing.T, f *fixture, o batch.Options, make func() batch.Source[T]) (*batch.Result, error) {
	t.Helper()
	job := &batch.Job[T]{Name: "gather", Source: from(make()), Process: g.process}
	return job.Run(t.Context(), f.conn, o)
}

func (g *gather[T]) process(_ context.Context, b *batch.Batch[T]) error {
	if g.stop > 0 && len(g.rows) >= g.stop {
		return batch.Fatal(errStop)
	}
	for _, row := range b.Rows {
		if g.bad == nil {
			continue
		}
		if err := g.bad(row); err != nil {
			return err
		}
	}
	g.rows = append(g.rows, b.Rows...)
	return nil
}
