package workload

import (
	"context"
	"os/exec"
	"path/filepath"

	"github.com/drover-dev/drover/bench/internal/harness"
)

// buildDrover builds the ready-made program into the folder of the databases, and returns its path.
func buildDrover(ctx context.Context, h *harness.Harness, o Options) (string, error) {
	program := filepath.Join(h.Dir(), "drover")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/drover")
	build.Dir = o.Module
	return program, combined(build)
}
