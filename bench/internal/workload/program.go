package workload

import (
	"context"
	"errors"
	"os"
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

// drover runs the ready-made program on the database.
func (s *site) drover(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, append(args, "--progress", "none")...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+s.URL)
	return combined(cmd)
}

// withFiles builds the ready-made program, and makes a folder of this name while a workload lasts.
func (s *site) withFiles(ctx context.Context, name string, work func(program, dir string) error) error {
	program, err := buildDrover(ctx, s.harness, s.options)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.harness.Dir(), name+"-"+s.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(work(program, dir), os.RemoveAll(dir))
}
