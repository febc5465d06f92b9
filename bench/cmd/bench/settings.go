package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/bench/internal/workload"
	"github.com/drover-dev/drover/bench/internal/workload/item"
	"github.com/drover-dev/drover/internal/testdb"
)

// settings are what the command line says.
type settings struct {
	pattern   string
	databases string
	dir       string
	profile   string
	cpuTime   bool
	patience  float64
	// rounds of the workloads on rows, and of those of them that are short
	rowRounds, callRounds int
	sizes                 item.Sizes
	workload              workload.Options
}

// long are the workloads that take many minutes: they are measured only when -run names them.
var long = []string{"growth", "load", "kills"}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	names := append([]string{"block", "savepoint", "statement", "purge", "engine", "export", "import", "growth", "load", "kills", "start"}, item.Names()...)
	flags.StringVar(&s.pattern, "run", "", "measure only the workloads that match this `regexp`: "+strings.Join(names, ", ")+"; without it all but "+strings.Join(long, ", "))
	flags.StringVar(&s.databases, "databases", strings.Join(testdb.Names(), ","), "measure on these databases, separated by `commas`")
	flags.StringVar(&s.dir, "dir", os.TempDir(), "put the databases into a folder below `dir`; commits cost what its disk makes them cost")
	flags.StringVar(&s.profile, "cpuprofile", "", "write a CPU profile of this process to `file`")
	flags.BoolVar(&s.cpuTime, "cputime", false, "measure blocks, statements and rows in CPU time of this process: right for SQLite alone, and there also on a busy machine")

	flags.IntVar(&s.workload.Plan.Rounds, "rounds", 101, "rounds of blocks, savepoints and statements")
	flags.DurationVar(&s.workload.Plan.Sample, "sample", 20*time.Millisecond, "length of one run of these")
	flags.IntVar(&s.workload.PurgeRounds, "purge-rounds", 5, "rounds of the purge")
	flags.IntVar(&s.workload.PurgeRows, "rows", 1_000_000, "rows of the table that is purged")
	flags.IntVar(&s.workload.EngineRows, "engine-rows", 200_000, "rows that the engine's workload changes")
	flags.IntVar(&s.workload.Kills, "kills", 20, "how often each side is killed")
	flags.IntVar(&s.workload.KillRows, "kill-rows", 200_000, "rows of the table that it works on")
	flags.IntVar(&s.workload.GrowthRows, "growth", 10_000_000, "rows of the largest table that a job is run on to see its memory")
	flags.IntVar(&s.workload.LoadRate, "load-rate", 300, "transactions that pgbench begins in a second")
	flags.DurationVar(&s.workload.LoadTime, "load-time", 30*time.Second, "how long pgbench runs with nothing beside it")
	flags.IntVar(&s.workload.ExportRows, "export-rows", 1_000_000, "rows of the table that is exported, and of the file that is imported")
	flags.IntVar(&s.workload.ExportRounds, "export-rounds", 5, "rounds of the export and the import")
	flags.IntVar(&s.workload.StartRounds, "starts", 51, "starts of each command line")
	flags.StringVar(&s.workload.Module, "module", "..", "`folder` of the module drover, from which the program is built")

	flags.IntVar(&s.rowRounds, "row-rounds", 3, "rounds of the workloads on rows")
	flags.IntVar(&s.callRounds, "call-rounds", 5, "rounds of get and get-or-create")
	flags.Float64Var(&s.patience, "patience", 3, "run a side that is so many `times` slower than the raw one in the first round only; 0 for all rounds")
	flags.IntVar(&s.sizes.Rows, "items", 200_000, "rows of the table that is created, changed and read by key")
	flags.IntVar(&s.sizes.Updates, "updates", 100_000, "rows that are updated")
	flags.IntVar(&s.sizes.Stream, "stream", 1_000_000, "rows of the table that is streamed")
	flags.IntVar(&s.sizes.Memory, "memory", 10_000_000, "rows of the table that is streamed to see the memory; only when -run names \"memory\"")
	flags.IntVar(&s.sizes.Gets, "gets", 20_000, "rows that are read by key")
	flags.IntVar(&s.sizes.Calls, "calls", 10_000, "calls of get-or-create, and rows that are upserted")
	flags.IntVar(&s.sizes.Batch, "batch", 1000, "rows of a batch that is written")
	flags.IntVar(&s.sizes.Page, "page", 2000, "rows of a page that is read")
	if err := flags.Parse(args[1:]); err != nil {
		return s, err
	}
	wanted, err := regexp.Compile(s.pattern)
	if err != nil {
		return s, err
	}
	if s.cpuTime {
		s.workload.Plan.Clock = measure.CPUTime
	}
	on := strings.Split(s.databases, ",")
	s.workload.Wanted = func(workload, database string) bool {
		if s.pattern == "" && slices.Contains(long, workload) {
			return false
		}
		return wanted.MatchString(workload) && (database == "" || slices.Contains(on, database))
	}
	return s, s.sizes.Check()
}

// rows are the options of the workloads on rows.
func (s settings) rows(rounds int, r *report) item.Options {
	return item.Options{
		Sizes:   s.sizes,
		Plan:    measure.Plan{Rounds: rounds, Patience: s.patience, Clock: s.workload.Plan.Clock},
		Wanted:  s.workload.Wanted,
		Version: s.workload.Version,
		Report:  r.addLines,
		Missing: func(database, side, why string) {
			r.missing = append(r.missing, fmt.Sprintf("%s: %s: %s", database, side, why))
		},
	}
}
