// Program basic counts what it would delete, and deletes it only when it is run without --dry-run.
//
// In Django this is "Basic Dry-Run Pattern": if options['dry_run'] in handle(). What differs: Options gives the option, and
// PlanOnly says that the command handles it itself, by reading only. Did writes the same sentence for both runs: "Would
// delete 7 records" and "Deleted 7 records". A command that is not to handle it at all: see ../rollback.
//
//	go run ./examples/dryrun/basic setup
//	go run ./examples/dryrun/basic delete-obsolete --dry-run -v 2
//	go run ./examples/dryrun/basic delete-obsolete
package main

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
)

func main() {
	app := drover.New("basic") // works on DATABASE_URL, or on the SQLite file basic.db
	app.Add(setup(), deleteObsolete())
	app.Main()
}

func deleteObsolete() *drover.Command {
	return &drover.Command{
		Name:    "delete-obsolete",
		Short:   "Delete obsolete records",
		Options: drover.Options{DryRun: true, PlanOnly: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			if c.DryRun() {
				return preview(ctx, c)
			}
			n, err := c.DB().ExecRows(ctx, "DELETE FROM example_records WHERE status = 'obsolete'")
			if err != nil {
				return err
			}
			c.Did(drover.Deleted, "%d records", n)
			return nil
		},
	}
}

func preview(ctx context.Context, c *drover.Call) error {
	rows, err := c.DB().Query(ctx, "SELECT id, name FROM example_records WHERE status = 'obsolete' ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close() // rows.Err tells what went wrong
	count := 0
	for ; rows.Next(); count++ {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return fmt.Errorf("read record: %w", err)
		}
		if c.Verbosity() >= 2 && count < 5 {
			c.Line("  - %d %s", id, name)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	c.Did(drover.Deleted, "%d records", count)
	return nil
}
