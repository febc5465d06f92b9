package workload

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
)

// startLimit is how long a command line that does nothing may take, from before the process is made until it has ended.
const startLimit = 20 * time.Millisecond

// start measures whole processes of the ready-made program, beside the smallest program that there is.
func start(ctx context.Context, h *harness.Harness, o Options) error {
	if !o.Wanted("start", "") {
		return nil
	}
	program, err := buildDrover(ctx, h, o)
	if err != nil {
		return err
	}
	nothing, err := exec.LookPath("true")
	if err != nil {
		return err
	}
	var sides []measure.Side
	for _, args := range [][]string{{"--version"}, {"help"}, {"purge", "--help"}} {
		side := process(program, args...)
		side.Name, side.Limit = "drover "+strings.Join(args, " "), startLimit
		sides = append(sides, side)
	}
	results, err := measure.Compare(ctx, measure.Plan{Rounds: o.StartRounds, Times: 1}, process(nothing), sides...)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	for i := range results {
		results[i].Workload, results[i].Database = "start of the program", "–"
	}
	o.Report(results)
	return nil
}

func process(program string, args ...string) measure.Side {
	return each(filepath.Base(program), 0, func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = []string{} // no configuration
		return combined(cmd)
	})
}
