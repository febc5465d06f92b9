// Command bench measures drover against the raw drivers and prints a table of ratios.
//
//	go -C bench run ./cmd/bench                       # everything, about five minutes
//	go -C bench run ./cmd/bench -run 'block|savepoint' -databases sqlite
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/bench/internal/workload"
	"github.com/drover-dev/drover/internal/testdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var (
		pattern   = flags.String("run", "", "measure only the workloads that match this `regexp`: block, savepoint, statement, purge, start")
		databases = flags.String("databases", strings.Join(testdb.Names(), ","), "measure on these databases, separated by `commas`")
		rounds    = flags.Int("rounds", 101, "rounds of the short workloads")
		sample    = flags.Duration("sample", 20*time.Millisecond, "length of one run of a short workload")
		purges    = flags.Int("purge-rounds", 5, "rounds of the purge")
		rows      = flags.Int("rows", 1_000_000, "rows of the table that is purged")
		starts    = flags.Int("starts", 51, "starts of each command line")
		dir       = flags.String("dir", os.TempDir(), "put the databases into a folder below `dir`; commits cost what its disk makes them cost")
		module    = flags.String("module", "..", "`folder` of the module drover, from which the program is built")
		cpuTime   = flags.Bool("cputime", false, "measure the short workloads in CPU time of this process: right for SQLite alone, and there also on a busy machine")
		profile   = flags.String("cpuprofile", "", "write a CPU profile of this process to `file`")
	)
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	on := strings.Split(*databases, ",")
	about, err := describe(*dir, args)
	if err != nil {
		return err
	}
	var all []measure.Result
	options := workload.Options{
		Plan:        measure.Plan{Rounds: *rounds, Sample: *sample},
		PurgeRounds: *purges,
		PurgeRows:   *rows,
		StartRounds: *starts,
		Module:      *module,
		Wanted: func(workload, database string) bool {
			return wanted.MatchString(workload) && (database == "" || slices.Contains(on, database))
		},
		Version: about.database,
		Report: func(results []measure.Result) {
			all = append(all, results...)
			for _, r := range results {
				fmt.Fprintf(os.Stderr, "%-32s %-9s %-28s %.2f\n", r.Workload, r.Database, r.Side.Name, r.Ratio)
			}
		},
	}
	if *cpuTime {
		options.Plan.Clock = harness.CPUTime
	}
	err = harness.Run(ctx, *dir, func(h *harness.Harness) error {
		restore, err := harness.OneCPU()
		if err != nil {
			return err
		}
		err = workload.Short(ctx, h, options)
		h.Renew() // servers that may use all CPUs
		if err := errors.Join(err, restore()); err != nil {
			return err
		}
		return workload.Long(ctx, h, options)
	})
	if err != nil {
		return err
	}
	if err := about.write(os.Stdout); err != nil {
		return err
	}
	return measure.Markdown(os.Stdout, all)
}
