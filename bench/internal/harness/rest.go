package harness

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// AwaitPurge waits until InnoDB's own threads have cleared away what the last run deleted.
func AwaitPurge(ctx context.Context, admin *sql.DB) error {
	for {
		var history int
		err := admin.QueryRowContext(ctx, `SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_history_list_length'`).Scan(&history)
		if err != nil {
			return fmt.Errorf("read the length of InnoDB's history: %w", err)
		}
		if history < 100 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// CopyFile copies a file and flushes the copy to the disk.
func CopyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}
