package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/drover-dev/drover/internal/dialect"
)

// Identity is the file's path, links followed, and the application's number in its header. There is nothing else in a file that a copy does not have: one
// that was moved is another one, and one that a backup was written over is not.
func (Dialect) Identity(ctx context.Context, q dialect.Queryer) (string, error) {
	files, err := dialect.Names(ctx, q, `SELECT file FROM pragma_database_list WHERE name = 'main'`)
	if err != nil {
		return "", fmt.Errorf("ask which file this is: %w", err)
	}
	if len(files) == 0 || files[0] == "" {
		return "", nil
	}
	path, err := filepath.EvalSymlinks(files[0])
	switch {
	case errors.Is(err, fs.ErrNotExist): // in memory, too, under a name of its own
		return "", nil
	case err != nil:
		return "", fmt.Errorf("find the database's file: %w", err)
	}
	application, err := dialect.Names(ctx, q, "PRAGMA application_id")
	if err != nil {
		return "", fmt.Errorf("ask whose file this is: %w", err)
	}
	return "sqlite file " + path + ", application " + application[0], nil
}
