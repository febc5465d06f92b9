package item

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// Options say how much is measured.
type Options struct {
	Sizes Sizes
	Plan  measure.Plan
	// Wanted says whether a task is measured on a database.
	Wanted func(task, database string) bool
	// Version is called with the version of each database that is used.
	Version func(string)
	// Report is called with the lines of each task.
	Report func([]measure.Line)
	// Missing is called with what is not measured, and why.
	Missing func(database, side, why string)
}

// Names are the names of all tasks.
func Names() []string {
	var names []string
	for _, k := range tasks {
		names = append(names, k.name)
	}
	return names
}

// Short measures what takes microseconds a call, on every database. It is meant for one CPU.
func Short(ctx context.Context, h *harness.Harness, o Options) error { return run(ctx, h, o, true) }

// Long measures what takes seconds, on every database.
func Long(ctx context.Context, h *harness.Harness, o Options) error { return run(ctx, h, o, false) }

func run(ctx context.Context, h *harness.Harness, o Options, short bool) error {
	for _, name := range testdb.Names() {
		var wanted []*task
		for _, k := range tasks {
			byName := !o.Wanted("", name)
			if k.short == short && o.Wanted(k.name, name) && (!k.own || byName) {
				wanted = append(wanted, k)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		if err := runOn(ctx, h, o, h.Database(name), wanted); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func runOn(ctx context.Context, h *harness.Harness, o Options, d testdb.Database, wanted []*task) (err error) {
	if err := tellVersion(ctx, o, d); err != nil {
		return err
	}
	var admin *sql.DB
	if d.Server != nil {
		admin = h.Admin(d)
	}
	s, err := openSite(d, admin, o.Sizes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	entries, missing := s.roster(ctx)
	for _, m := range missing {
		o.Missing(s.Name, m.name, m.why)
	}
	for _, k := range wanted {
		var sides []measure.Side
		for _, e := range entries {
			for _, w := range e.ways(k) {
				sides = append(sides, s.measured(k, e, w))
			}
			if why := e.without[k]; why != "" {
				o.Missing(s.Name, e.name+", "+k.name, why)
			}
		}
		lines, err := measure.Race(ctx, o.Plan, k.rows(o.Sizes), sides...)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		for i := range lines {
			lines[i].Workload, lines[i].Database = k.title(o.Sizes), s.Name
		}
		o.Report(lines)
	}
	return nil
}

func tellVersion(ctx context.Context, o Options, d testdb.Database) error {
	conn, err := db.Open(ctx, d.URL)
	if err != nil {
		return err
	}
	version, err := conn.Version(ctx)
	o.Version(version)
	return errors.Join(err, conn.Close())
}
