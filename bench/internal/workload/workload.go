// Package workload holds what is measured: drover beside the best code on the raw driver that does the same.
package workload

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// Options say how much is measured.
type Options struct {
	Plan measure.Plan // of the workloads that take microseconds
	// PurgeRounds and PurgeRows are for the purge, which takes seconds.
	PurgeRounds int
	PurgeRows   int
	// EngineRows is how many of these rows the engine's workload changes.
	EngineRows int
	// Kills is how often a run is killed to see what it leaves, and KillRows are its rows.
	Kills, KillRows int
	// GrowthRows is the largest number of rows that a job is run on to see its memory.
	GrowthRows int
	// LoadRate is how many transactions pgbench begins in a second, and LoadTime how long it runs with nothing beside it.
	LoadRate int
	LoadTime time.Duration
	// ExportRows are the rows that are written to files, and ExportRounds how often.
	ExportRows, ExportRounds int
	// StartRounds is how often each command line is started.
	StartRounds int
	// Module is the folder of the module that the program is built from.
	Module string
	// Wanted says whether a workload is measured on a database.
	Wanted func(workload, database string) bool
	// Version is called with the version of each database that is used.
	Version func(string)
	// Report is called with each workload's results; Sheet with those that are no ratios.
	Report func([]measure.Result)
	Sheet  func(Sheet)
}

// site is one database, opened by drover and by the raw driver with the same settings.
type site struct {
	harness *harness.Harness
	options Options
	testdb.Database

	conn   *db.DB
	raw    *sql.DB
	native *pgxpool.Pool // the raw pool of pgx; nil on other databases
}

// workload is one kind of work.
type workload struct {
	name string
	run  func(ctx context.Context, s *site) error
}

// Short measures what takes microseconds, on every database. It is meant for one CPU.
func Short(ctx context.Context, h *harness.Harness, o Options) error {
	return run(ctx, h, o, []workload{{"block", blocks}, {"savepoint", savepoints}, {"statement", statements}})
}

// Long measures what takes seconds, on every database, and the start of the program.
func Long(ctx context.Context, h *harness.Harness, o Options) error {
	if err := run(ctx, h, o, []workload{{"purge", purges}, {"engine", engines}, {"export", exports}, {"import", imports}, {"growth", growth}, {"load", loads}, {"kills", kills}}); err != nil {
		return err
	}
	return start(ctx, h, o)
}

func run(ctx context.Context, h *harness.Harness, o Options, workloads []workload) error {
	for _, name := range testdb.Names() {
		if err := runOn(ctx, h, o, name, workloads); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func runOn(ctx context.Context, h *harness.Harness, o Options, name string, workloads []workload) error {
	var s *site
	defer func() { s.close() }()
	for _, w := range workloads {
		if !o.Wanted(w.name, name) {
			continue
		}
		if s == nil {
			var err error
			if s, err = open(ctx, h, o, h.Database(name)); err != nil {
				return err
			}
		}
		if err := w.run(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func open(ctx context.Context, h *harness.Harness, o Options, d testdb.Database) (*site, error) {
	s := &site{harness: h, options: o, Database: d}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	version, err := s.conn.Version(ctx)
	o.Version(version)
	return s, err
}

// connect opens the pools.
func (s *site) connect(ctx context.Context) (err error) {
	if s.conn, err = db.Open(ctx, s.URL); err != nil {
		return err
	}
	if s.raw, err = harness.Open(s.URL); err != nil {
		return err
	}
	if s.Name == testdb.NamePostgres {
		if s.native, err = pgxpool.New(ctx, s.URL); err != nil {
			return err
		}
	}
	return s.raw.PingContext(ctx)
}

// close closes what is open; a nil site has nothing.
func (s *site) close() {
	if s == nil {
		return
	}
	if s.native != nil {
		s.native.Close()
	}
	if s.raw != nil {
		_ = s.raw.Close()
	}
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// compare measures one workload and reports it.
func (s *site) compare(ctx context.Context, workload string, p measure.Plan, base measure.Side, others ...measure.Side) error {
	results, err := measure.Compare(ctx, p, base, others...)
	if err != nil {
		return fmt.Errorf("%s: %w", workload, err)
	}
	for i := range results {
		results[i].Workload, results[i].Database = workload, s.Name
	}
	s.options.Report(results)
	return nil
}

// exec runs statements on the raw pool.
func (s *site) exec(ctx context.Context, statements ...string) error {
	for _, query := range statements {
		if _, err := s.raw.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("%.60s: %w", query, err)
		}
	}
	return nil
}

// each makes a side of a function that does the work once.
func each(name string, goal float64, once func(ctx context.Context) error) measure.Side {
	return measure.Side{Name: name, Goal: goal, Run: func(ctx context.Context, n int) error {
		for range n {
			if err := once(ctx); err != nil {
				return err
			}
		}
		return nil
	}}
}
