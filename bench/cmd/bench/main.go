// Command bench measures drover against the raw drivers and its peers and prints tables of ratios.
//
//	go -C bench run ./cmd/bench                       # everything, about forty minutes
//	go -C bench run ./cmd/bench -run 'block|savepoint' -databases sqlite
//	go -C bench run ./cmd/bench -run '^(create|update)$' -databases postgres
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/workload"
	"github.com/drover-dev/drover/bench/internal/workload/item"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.profile != "" {
		f, err := os.Create(s.profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	about, err := describe(s.dir, args)
	if err != nil {
		return err
	}
	var r report
	s.workload.Version, s.workload.Report, s.workload.Sheet = about.database, r.addResults, r.addSheet
	err = harness.Run(ctx, s.dir, func(h *harness.Harness) error { return s.measure(ctx, h, &r) })
	// What was measured before an error, or before Ctrl-C, took long enough.
	return errors.Join(err, about.write(os.Stdout), r.write(os.Stdout))
}

// measure runs all that is wanted: what takes microseconds first, on one CPU.
func (s settings) measure(ctx context.Context, h *harness.Harness, r *report) error {
	restore, err := harness.OneCPU()
	if err != nil {
		return err
	}
	err = workload.Short(ctx, h, s.workload)
	if err == nil {
		err = item.Short(ctx, h, s.rows(s.callRounds, r))
	}
	h.Renew() // servers that may use all CPUs
	if err := errors.Join(err, restore()); err != nil {
		return err
	}
	if err := workload.Long(ctx, h, s.workload); err != nil {
		return err
	}
	return item.Long(ctx, h, s.rows(s.rowRounds, r))
}
