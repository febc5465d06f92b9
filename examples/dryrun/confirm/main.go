// Program confirm asks before it deletes, and deletes exactly what it asked about.
//
// In Django this is "Interactive Confirmation": input() unless --no-input. What differs: the question holds a number that
// was counted, and the deletion is rolled back when it comes to another one. Where nobody can answer, because the input is
// no terminal, the command fails with exit code 2 and names --no-input; "no" and the end of the input are exit code 4.
//
//	go run ./examples/dryrun/confirm setup
//	go run ./examples/dryrun/confirm delete-obsolete --dry-run
//	go run ./examples/dryrun/confirm delete-obsolete               # asks
//	go run ./examples/dryrun/confirm delete-obsolete --no-input    # does not
package main

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
)

func main() {
	app := drover.New("confirm") // works on DATABASE_URL, or on the SQLite file confirm.db
	app.Add(setup(), deleteObsolete())
	app.Main()
}

func deleteObsolete() *drover.Command {
	return &drover.Command{
		Name:    "delete-obsolete",
		Short:   "Delete obsolete records, after a confirmation",
		Options: drover.Options{DryRun: true, Confirm: true}, // Confirm gives --no-input
		Run: func(ctx context.Context, c *drover.Call) error {
			var count int64
			query := "SELECT COUNT(*) FROM example_records WHERE status = 'obsolete'"
			if err := c.DB().QueryRow(ctx, query).Scan(&count); err != nil {
				return fmt.Errorf("count records: %w", err)
			}
			facts := drover.Facts{Action: "permanently delete", Count: count, What: "obsolete records"}
			if err := c.Confirm(ctx, facts); err != nil { // nil at once with --no-input, and in a dry run
				return err
			}
			if err := c.DB().Atomic(ctx, func(ctx context.Context) error { return deleteExactly(ctx, c, count) }); err != nil {
				return err
			}
			c.Did(drover.Deleted, "%d records", count)
			return nil
		},
	}
}

// deleteExactly fails, which rolls its block back, when the records are not those that were confirmed.
func deleteExactly(ctx context.Context, c *drover.Call, confirmed int64) error {
	n, err := c.DB().ExecRows(ctx, "DELETE FROM example_records WHERE status = 'obsolete'")
	if err != nil {
		return err
	}
	if n != confirmed {
		return drover.Exit(drover.ExitRefused, "%d records are obsolete by now, %d were confirmed; nothing was deleted", n, confirmed)
	}
	return nil
}
